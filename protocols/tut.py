"""Task 1 of DCASE 2016 and 2017: fifteen scenes, four official folds of the development sets (Mesaros et al.)."""

from __future__ import annotations

from collections.abc import Sequence

from asc_bench.api import Dataset, Fold, LabelSpace, Measure, Protocol, official_folds, tut_2017

from ._references import PublishedReferences
from .dcase_urban import TABLES

VALIDATION_FRACTION = 0.15


class _TutProtocol(Protocol):
    """The four official folds."""

    labels = LabelSpace(fine=tut_2017.SCENES)
    measures = (Measure("accuracy", strata="fold", average="clips"),)
    notes = (
        "Accuracy over all test clips of a fold, mean over the four official folds. Binaural recordings are mixed "
        "down to one channel. About 15 % of each scene's training clips, by whole locations, are held out for "
        "validation in every fold."
    )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``."""
        return official_folds(self.clips(dataset), dataset.splits, validation_fraction=VALIDATION_FRACTION)


class Tut2016(_TutProtocol):
    """Segments of thirty seconds."""

    name = "tut2016"
    title = "TUT Acoustic Scenes 2016, four official folds"
    datasets = ("tut-2016-development",)
    clip_duration_s = 30.0
    references = PublishedReferences(*TABLES, protocol="tut2016")


class Tut2017(_TutProtocol):
    """The recordings of 2016 and others, in segments of ten seconds; six clips are tested in two folds."""

    name = "tut2017"
    title = "TUT Acoustic Scenes 2017, four official folds"
    datasets = ("tut-2017-development",)
    clip_duration_s = 10.0
