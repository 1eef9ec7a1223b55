"""DCASE 2018 Task 1, subtask B: scenes recorded with mismatched devices (Mesaros et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from asc_bench.api import Dataset, Fold, LabelSpace, Measure, Protocol
from asc_bench.data.layouts.tut_mobile import COARSE_OF_SCENE, DEVICES
from asc_bench.evaluation.folds import official_folds

VALIDATION_FRACTION = 0.15


class Dcase2018(Protocol):
    """The official development fold; training mostly on device A, testing on A, B and C."""

    name = "dcase2018"
    title = "DCASE 2018 Task 1B, development fold 1"
    datasets = ("tut-urban-2018-mobile",)
    labels = LabelSpace.from_map(COARSE_OF_SCENE, coarse=("indoor", "outdoor", "transportation"))
    clip_duration_s = 10.0
    measures = (
        Measure("average", strata="device", of=DEVICES),
        Measure("A", strata="device", of=("A",)),
        Measure("B", strata="device", of=("B",)),
        Measure("C", strata="device", of=("C",)),
        Measure("B/C", strata="device", of=("B", "C")),
    )
    notes = (
        "On each device, accuracy is the mean over the ten class accuracies; the challenge ranked by B/C. "
        "About 15 % of each scene's training clips, by whole locations, are held out for validation."
    )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        return official_folds(self.clips(dataset), dataset.splits, validation_fraction=VALIDATION_FRACTION)
