"""DCASE 2019 Task 1, subtask B: mismatched devices, in ten cities of which one is not trained on."""

from __future__ import annotations

from collections.abc import Sequence

from asc_bench.api import Dataset, Fold, LabelSpace, Measure, Protocol
from asc_bench.data.layouts.tut_mobile import COARSE_OF_SCENE, DEVICES
from asc_bench.evaluation.folds import official_folds

VALIDATION_FRACTION = 0.15


class Dcase2019(Protocol):
    """The official development fold; 1,030 clips of device A are in no part of it, as published."""

    name = "dcase2019"
    title = "DCASE 2019 Task 1B, development fold 1"
    datasets = ("tau-urban-2019-mobile",)
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
        "About 15 % of each scene's training clips, by whole locations, are held out for validation. "
        "Milan is tested on, not trained on."
    )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        return official_folds(self.clips(dataset), dataset.splits, validation_fraction=VALIDATION_FRACTION)
