"""What the DCASE subtasks with mismatched devices have in common."""

from __future__ import annotations

from collections.abc import Sequence

from asc_bench.api import Dataset, Fold, LabelSpace, Measure, Protocol, official_folds, tut_mobile

VALIDATION_FRACTION = 0.15


class MobileProtocol(Protocol):
    """Ten urban scenes, trained mostly on device A and tested on A, B and C."""

    labels = LabelSpace.from_map(tut_mobile.COARSE_OF_SCENE, coarse=("indoor", "outdoor", "transportation"))
    clip_duration_s = 10.0
    devices = tut_mobile.DEVICES
    measures = (
        Measure("average", strata="device", of=tut_mobile.DEVICES),
        *(Measure(device, strata="device", of=(device,)) for device in tut_mobile.DEVICES),
        Measure("B/C", strata="device", of=("B", "C")),
    )
    notes = (
        "On each device, accuracy is the mean over the ten class accuracies; the challenge ranked by B/C. "
        "About 15 % of each scene's training clips, by whole locations, are held out for validation."
    )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        return official_folds(self.clips(dataset), dataset.splits, validation_fraction=VALIDATION_FRACTION)
