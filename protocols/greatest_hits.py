"""Greatest Hits as a target of transfer learning: 17 materials, hit or scratched (Abrol and Sharma 2020, V.B)."""

from __future__ import annotations

from collections.abc import Sequence

from asc_bench.api import (
    COARSE,
    FINE,
    Dataset,
    Fold,
    LabelSpace,
    Measure,
    Protocol,
    check_disjoint,
    cut_validation,
    greatest_hits,
    official_folds,
)

TEST_FRACTION, VALIDATION_FRACTION = 0.2, 0.15

_NOTES = (
    "A clip is one action: 2 s from 0.25 s before its onset (the paper names no length), which may hold the "
    "actions after it. The fine class is material and action, the coarse class the material; other actions and "
    "materials are left out, as in the paper. Accuracy is the mean over the classes of the test clips; the paper's "
    "may be the mean over clips. Intervals and tests resample the recordings of each class on their own, and count "
    "a recording once for each class in it."
)


class GreatestHits(Protocol):
    """A random division of the actions, as in the paper."""

    name = "greatest-hits"
    title = "Greatest Hits, random division of the actions"
    datasets = ("greatest-hits",)
    labels = LabelSpace.from_map(greatest_hits.MATERIAL_OF_SCENE)
    clip_duration_s = greatest_hits.WINDOW_S
    keeps_locations = False
    measures = tuple(
        Measure(f"{level} top-{k}", level=level, top_k=k, clusters="any")
        for level in (FINE, COARSE)
        for k in (1, 3)
    )
    notes = (
        f"{_NOTES} As in the paper, 20 % of the actions are tested on, drawn at random (seeded) in each class; "
        "15 % of the others are for validation. Actions before and after a test clip, on the same thing in the "
        "same recording, are trained on, and clips overlap: the numbers are better than on unknown recordings. "
        "greatest-hits-by-recording has none of that."
    )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``; recordings are on several sides."""
        table = self.clips(dataset)
        rest, test = cut_validation(table, list(table["clip_id"]), fraction=TEST_FRACTION, seed=0, by="clip_id")
        train, validation = cut_validation(table, rest, fraction=VALIDATION_FRACTION, seed=1, by="clip_id")
        return [Fold("random", train=train, validation=validation, test=test)]


class GreatestHitsByRecording(GreatestHits):
    """The official lists, which keep recordings whole."""

    name = "greatest-hits-by-recording"
    title = "Greatest Hits, official lists of recordings"
    keeps_locations = True
    notes = (
        f"{_NOTES} Recordings are trained or tested on as train.txt and test.txt say, about three quarters to one "
        "quarter; about 15 % of each class's training clips, by whole recordings, are held out for validation. The "
        "paper divides the actions at random instead (greatest-hits), which is easier."
    )

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """See ``Protocol.folds``; no recording is on two sides."""
        table = self.clips(dataset)
        folds = official_folds(table, dataset.splits, validation_fraction=VALIDATION_FRACTION)
        for fold in folds:
            check_disjoint(table, fold, parts=("train", "validation", "test"))
        return folds
