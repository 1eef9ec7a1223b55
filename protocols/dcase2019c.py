"""DCASE 2019 Task 1, subtask C: ten known scenes, and clips of scenes that are not to be known (an open set)."""

from __future__ import annotations

from collections.abc import Sequence

from asc_bench.api import UNKNOWN_SCENE, Dataset, Fold, LabelSpace, Measure, Protocol, official_folds, tut_mobile

from ._references import PublishedReferences
from .dcase_urban import TABLES, VALIDATION_FRACTION, by_scene


class Dcase2019C(Protocol):
    """The official development fold; ``unknown`` is a class like the others, with clips to train on."""

    name = "dcase2019c"
    title = "DCASE 2019 Task 1C, open set, development fold 1"
    datasets = ("tau-2019-openset",)
    labels = LabelSpace(fine=(*tut_mobile.COARSE_OF_SCENE, UNKNOWN_SCENE))
    clip_duration_s = 10.0
    devices = ("A",)
    measures = (
        Measure("score", strata="known", of=("known", UNKNOWN_SCENE)),
        Measure("known", strata="known", of=("known",)),
        Measure("unknown", strata="known", of=(UNKNOWN_SCENE,)),
        Measure("AUROC", average="clips", statistic="auroc"),
        Measure("OSCR", average="clips", statistic="oscr"),
        *by_scene(*tut_mobile.COARSE_OF_SCENE, UNKNOWN_SCENE),
    )
    references = PublishedReferences(*TABLES, protocol="dcase2019c")
    notes = (
        "Score, by which the challenge ranked: half the mean of the ten known class accuracies (known) and half "
        "the accuracy of unknown clips (unknown). AUROC: known against unknown clips by the largest probability of "
        "a known class; OSCR: the same where a known clip counts only with its right class; neither needs a "
        "threshold. A system learns unknown as an eleventh class; the official baseline says it where no known "
        "class reaches 0.5. About 15 % of each scene's training clips, by whole locations, are held out for "
        "validation. Milan is tested on, not trained on."
    )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        return official_folds(self.clips(dataset), dataset.splits, validation_fraction=VALIDATION_FRACTION)
