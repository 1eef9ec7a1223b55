"""ESC-10 and ESC-50: environmental sounds, five official folds (Piczak, ACM Multimedia 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from asc_bench.api import Dataset, Fold, LabelSpace, Measure, Protocol, esc50, official_folds

from ._references import PublishedReferences

VALIDATION_FRACTION = 0.15

_NOTES = (
    "Accuracy is the mean over the five official folds. About 15 % of each class's training clips, by whole "
    "source recordings, are held out for validation."
)


class Esc10(Protocol):
    """Ten classes, from ESC-10 itself or from the subset that ESC-50 marks."""

    name = "esc10"
    title = "ESC-10, five official folds"
    datasets = ("esc-10", "esc-50")
    labels = LabelSpace.from_map(
        {name: esc50.GROUP_OF_CLASS[name] for name in esc50.ESC10_CLASSES}, coarse=esc50.CLASSES_OF_GROUP
    )
    clip_duration_s = 5.0
    measures = (Measure("accuracy", strata="fold"),)
    references = PublishedReferences("esc10")
    notes = _NOTES

    def clips(self, dataset: Dataset) -> pd.DataFrame:
        """See ``Protocol.clips``; the other forty classes of ESC-50 are left out."""
        table = dataset.clips
        ours = table[table["scene"].isin(esc50.ESC10_CLASSES)].reset_index(drop=True)
        return super().clips(replace(dataset, clips=ours))

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        return official_folds(self.clips(dataset), dataset.splits, validation_fraction=VALIDATION_FRACTION)


class Esc50(Protocol):
    """All fifty classes."""

    name = "esc50"
    title = "ESC-50, five official folds"
    datasets = ("esc-50",)
    labels = LabelSpace.from_map(esc50.GROUP_OF_CLASS, coarse=esc50.CLASSES_OF_GROUP)
    clip_duration_s = 5.0
    measures = (Measure("accuracy", strata="fold"),)
    notes = _NOTES

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        return official_folds(self.clips(dataset), dataset.splits, validation_fraction=VALIDATION_FRACTION)
