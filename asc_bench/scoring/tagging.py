"""Precision, recall and F1 of audio tagging (subtask A): pairs of clip and label, never of segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asc_bench.scoring.ratios import Counts, checked_pair, f_score, ratio
from asc_bench.scoring.statistic import Floats, Statistic

if TYPE_CHECKING:
    from asc_bench.scoring.decisions import SegmentRun


@dataclass(frozen=True)
class TaggingCounts:
    """What tagging measures are made of: clips counted by class, per clip or pooled.

    Attributes
    ----------
    true_positives, n_reference, n_estimated : float array, shape (..., n_classes)
        Clips that were given a label rightly, have it, and were given it.
    """

    true_positives: Counts
    n_reference: Counts
    n_estimated: Counts

    def pooled(self, weights: Counts) -> TaggingCounts:
        """Sums over clips, each weighted: ``weights`` of shape (n_sums, n_clips) give counts (n_sums, ...)."""
        return TaggingCounts(**{name: weights @ values for name, values in vars(self).items()})


def tagging_counts(reference: npt.NDArray[np.bool_], estimated: npt.NDArray[np.bool_]) -> TaggingCounts:
    """Count right and wrong labels of each clip.

    Parameters
    ----------
    reference, estimated : bool array, shape (n_clips, n_classes)
        Which labels a clip has, and was given.

    Raises
    ------
    DataError
        For shapes that do not fit or arrays that are not bool.
    """
    there, found = checked_pair(reference, estimated, axes=("n_clips", "n_classes"))
    return TaggingCounts(*(x.astype(np.float64) for x in (there & found, there, found)))


def tagging_scores(counts: TaggingCounts) -> dict[str, Counts]:
    """Micro and macro measures over all classes.

    Parameters
    ----------
    counts : TaggingCounts
        Pooled over the clips that count; leading axes are kept.

    Returns
    -------
    dict of str to float array, shape (...)
        ``f1, precision, recall`` are micro averages over the pairs of clip and label: these are the official ones.
        ``macro_precision`` and ``macro_recall`` are means over the classes that occur in the reference or in the
        estimate, and ``macro_f1`` is the harmonic mean of these two means, not the mean of the F1 of the classes.
        As in the evaluation script of DCASE 2017 task 4, what is not defined for such a class counts as zero there.
        NaN where nothing is defined: precision without any estimate, recall without any reference, F1 and macro
        means without both.
    """
    right, n_ref, n_sys = (x.sum(axis=-1) for x in (counts.true_positives, counts.n_reference, counts.n_estimated))
    n_seen = ((counts.n_reference > 0) | (counts.n_estimated > 0)).sum(axis=-1).astype(np.float64)
    by_class = class_tagging_scores(counts)
    precision, recall = (
        ratio(np.nan_to_num(by_class[name], nan=0.0).sum(axis=-1), n_seen) for name in ("precision", "recall")
    )
    both = precision + recall
    harmonic = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    return {
        "f1": f_score(right, n_ref, n_sys),
        "precision": ratio(right, n_sys),
        "recall": ratio(right, n_ref),
        "macro_f1": np.where(np.isnan(both), np.nan, harmonic),
        "macro_precision": precision,
        "macro_recall": recall,
    }


def class_tagging_scores(counts: TaggingCounts) -> dict[str, Counts]:
    """``f1, precision, recall`` of each class, shape (..., n_classes), NaN where not defined."""
    return {
        "f1": f_score(counts.true_positives, counts.n_reference, counts.n_estimated),
        "precision": ratio(counts.true_positives, counts.n_estimated),
        "recall": ratio(counts.true_positives, counts.n_reference),
    }


@dataclass(frozen=True)
class TaggingStatistic(Statistic):
    """One of `tagging_scores` over pairs of clip and label; ``score`` is its name there."""

    over = "segments"
    score: str = "f1"

    @property
    def name(self) -> str:  # type: ignore[override] # one class, several names
        """``tagging-`` and the score."""
        return f"tagging-{self.score.replace('_', '-')}"

    def per_clip(self, clips: SegmentRun) -> Floats:
        counts = clips.tagging
        return np.concatenate([counts.true_positives, counts.n_reference, counts.n_estimated], axis=1)

    def value(self, sums: Floats) -> Floats:
        return tagging_scores(TaggingCounts(*np.split(sums, 3, axis=-1)))[self.score]


TAGGING_STATISTICS = tuple(TaggingStatistic(s) for s in ("f1", "precision", "recall", "macro_f1"))
