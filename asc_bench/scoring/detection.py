"""Segment-based error rate and F-score of sound event detection (subtask B), from counts that add up over clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asc_bench.scoring.ratios import Counts, checked_pair, f_score, ratio
from asc_bench.scoring.statistic import Floats, Statistic, Unit

if TYPE_CHECKING:
    from asc_bench.scoring.decisions import SegmentRun


@dataclass(frozen=True)
class DetectionCounts:
    """What detection measures are made of: pairs of segment and class, counted per clip or pooled.

    Attributes
    ----------
    true_positives, n_reference, n_estimated : float array, shape (..., n_classes)
        Segments in which a class was found rightly, sounds, and was found.
    substitutions, deletions, insertions : float array, shape (...)
        Errors over all classes: within one segment a miss and a false alarm together are one substitution.
    """

    true_positives: Counts
    n_reference: Counts
    n_estimated: Counts
    substitutions: Counts
    deletions: Counts
    insertions: Counts

    def pooled(self, weights: Counts) -> DetectionCounts:
        """Sums over clips, each weighted: ``weights`` of shape (n_sums, n_clips) give counts (n_sums, ...)."""
        return DetectionCounts(**{name: weights @ values for name, values in vars(self).items()})

    @property
    def false_positives(self) -> Counts:
        """Found and not there, shape (..., n_classes)."""
        return self.n_estimated - self.true_positives

    @property
    def false_negatives(self) -> Counts:
        """There and not found, shape (..., n_classes)."""
        return self.n_reference - self.true_positives


def detection_counts(reference: npt.NDArray[np.bool_], estimated: npt.NDArray[np.bool_]) -> DetectionCounts:
    """Count right and wrong segments of each clip.

    Per segment, with ``n_ref`` classes in the reference, ``n_sys`` estimated and ``tp`` in both,
    ``S = min(n_ref, n_sys) - tp``, ``D = max(0, n_ref - n_sys)`` and ``I = max(0, n_sys - n_ref)``.

    Parameters
    ----------
    reference, estimated : bool array, shape (n_clips, n_segments, n_classes)
        Segment rolls. All clips and all classes count. The wrapper of the DCASE 2017 challenge leaves out clips and
        classes that are not in the reference, so that false alarms are free there.

    Returns
    -------
    DetectionCounts
        Of each clip: arrays of shape (n_clips, n_classes) and (n_clips,).

    Raises
    ------
    DataError
        For shapes that do not fit or arrays that are not bool.

    References
    ----------
    A. Mesaros, T. Heittola, T. Virtanen, "Metrics for polyphonic sound event detection", Applied Sciences 6 (2016),
    section 3.
    """
    there, found = checked_pair(reference, estimated, axes=("n_clips", "n_segments", "n_classes"))
    both = there & found
    n_ref, n_sys, right = (x.sum(axis=2, dtype=np.float64) for x in (there, found, both))
    return DetectionCounts(
        true_positives=both.sum(axis=1, dtype=np.float64),
        n_reference=there.sum(axis=1, dtype=np.float64),
        n_estimated=found.sum(axis=1, dtype=np.float64),
        substitutions=(np.minimum(n_ref, n_sys) - right).sum(axis=1),
        deletions=np.maximum(0, n_ref - n_sys).sum(axis=1),
        insertions=np.maximum(0, n_sys - n_ref).sum(axis=1),
    )


def detection_scores(counts: DetectionCounts) -> dict[str, Counts]:
    """Overall measures, pooled over classes (micro).

    Parameters
    ----------
    counts : DetectionCounts
        Pooled over the clips that count; leading axes are kept.

    Returns
    -------
    dict of str to float array, shape (...)
        ``error_rate`` is ``(S + D + I) / n_reference``, not bounded by one; ``substitution_rate``,
        ``deletion_rate`` and ``insertion_rate`` are its parts; ``f_score``, ``precision`` and ``recall`` are in
        0 to 1. NaN where not defined: rates and recall without any reference, precision without any estimate, the
        F-score without both.
    """
    n_ref, n_sys, right = (x.sum(axis=-1) for x in (counts.n_reference, counts.n_estimated, counts.true_positives))
    errors = counts.substitutions + counts.deletions + counts.insertions
    return {
        "error_rate": ratio(errors, n_ref),
        "substitution_rate": ratio(counts.substitutions, n_ref),
        "deletion_rate": ratio(counts.deletions, n_ref),
        "insertion_rate": ratio(counts.insertions, n_ref),
        "f_score": f_score(right, n_ref, n_sys),
        "precision": ratio(right, n_sys),
        "recall": ratio(right, n_ref),
    }


def class_detection_scores(counts: DetectionCounts) -> dict[str, Counts]:
    """Measures of each class alone.

    Within one class nothing can be taken for something else, so its error rate has deletions (misses) and
    insertions (false alarms) and no substitutions. The mean of these rates is not the overall error rate.

    Returns
    -------
    dict of str to float array, shape (..., n_classes)
        ``error_rate, deletion_rate, insertion_rate, f_score, precision, recall``, NaN as in `detection_scores`.
    """
    misses, alarms = counts.false_negatives, counts.false_positives
    return {
        "error_rate": ratio(misses + alarms, counts.n_reference),
        "deletion_rate": ratio(misses, counts.n_reference),
        "insertion_rate": ratio(alarms, counts.n_reference),
        "f_score": f_score(counts.true_positives, counts.n_reference, counts.n_estimated),
        "precision": ratio(counts.true_positives, counts.n_estimated),
        "recall": ratio(counts.true_positives, counts.n_reference),
    }


@dataclass(frozen=True)
class DetectionStatistic(Statistic):
    """One of `detection_scores`, pooled over segments and classes; ``score`` is its name there."""

    over = "segments"
    score: str = "error_rate"

    @property
    def name(self) -> str:  # type: ignore[override] # one class, several names
        """``detection-`` and the score."""
        return f"detection-{self.score.replace('_', '-')}"

    @property
    def unit(self) -> Unit:  # type: ignore[override]
        """The error rate may exceed one and is a plain ratio."""
        return "ratio" if self.score == "error_rate" else "percent"

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        """But for the error rate."""
        return self.score != "error_rate"

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The error rate has no upper bound: insertions are unlimited."""
        return (0.0, np.inf) if self.score == "error_rate" else (0.0, 1.0)

    def per_clip(self, clips: SegmentRun) -> Floats:
        counts = clips.detection
        errors = np.stack([counts.substitutions, counts.deletions, counts.insertions], axis=1)
        return np.concatenate([counts.true_positives, counts.n_reference, counts.n_estimated, errors], axis=1)

    def value(self, sums: Floats) -> Floats:
        n_classes = (sums.shape[-1] - 3) // 3
        *by_class, errors = np.split(sums, [n_classes, 2 * n_classes, 3 * n_classes], axis=-1)
        counts = DetectionCounts(*by_class, *np.moveaxis(errors, -1, 0))
        return detection_scores(counts)[self.score]


DETECTION_STATISTICS = tuple(DetectionStatistic(s) for s in ("error_rate", "f_score", "precision", "recall"))
