"""Scores of an open set that need no threshold: how well clips of unknown scenes are told from known ones.

The label space ends with the class ``unknown``. How known a clip looks is the largest probability among the known
classes, so that systems count alike that have learnt a class of unknown clips and systems that never predict it.

Sums over clips need bins: clips are put into up to ``N_BINS`` bins by the rank of how known they look, about as
many in each. Two clips in one bin count as tied. With no more different values than bins the scores are exact.

References
----------
A. R. Dhamija, M. Guenther, T. E. Boult, "Reducing network agnostophobia", NeurIPS 2018: the OSCR curve.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from asc_bench.errors import DataError
from asc_bench.scoring.statistic import Floats, ScoredClips, Statistic

N_BINS = 512


def knownness(probabilities: Floats) -> Floats:
    """Largest probability among the known classes, which are all but the last, shape (n_clips,)."""
    if probabilities.ndim != 2 or probabilities.shape[1] < 3:
        raise DataError(
            f"probabilities have shape {probabilities.shape}; an open set has two known classes and unknown"
        )
    return np.asarray(probabilities[:, :-1].max(axis=1))


def rank_bins(scores: Floats, n_bins: int = N_BINS) -> npt.NDArray[np.int64]:
    """Bin of each score, the lowest first; equal scores share a bin, and bins hold about as many scores."""
    _, dense, counts = np.unique(scores, return_inverse=True, return_counts=True)
    if len(counts) <= n_bins:
        return np.asarray(dense, dtype=np.int64)
    middle = np.cumsum(counts) - 0.5 * counts
    return np.asarray((middle / len(scores) * n_bins).astype(np.int64)[dense], dtype=np.int64)


class _OpenSet(Statistic):
    """Sums for each bin: unknown clips, known clips, and known clips whose known class was found."""

    unit = "percent"

    def per_clip(self, clips: ScoredClips) -> Floats:
        """See ``Statistic.per_clip``."""
        rows = np.zeros((len(clips), N_BINS, 3))
        if len(clips):
            probabilities = clips.probabilities
            bins = rank_bins(knownness(probabilities))
            unknown = clips.label == probabilities.shape[1] - 1
            right = ~unknown & (probabilities[:, :-1].argmax(axis=1) == clips.label)
            rows[np.arange(len(clips)), bins] = np.stack([unknown, ~unknown, right], axis=1)
        return rows.reshape(len(clips), -1)

    def value(self, sums: Floats) -> Floats:
        """See ``Statistic.value``; NaN without a known or without an unknown clip."""
        bins = sums.reshape(*sums.shape[:-1], N_BINS, 3)
        unknown, counted = bins[..., 0], self.counted(bins)
        below = np.cumsum(unknown, axis=-1) - 0.5 * unknown
        n_pairs = unknown.sum(axis=-1) * bins[..., 1].sum(axis=-1)
        area = (counted * below).sum(axis=-1)
        return np.asarray(np.divide(area, n_pairs, out=np.full(n_pairs.shape, np.nan), where=n_pairs > 0))

    def counted(self, bins: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Known clips that count, by bin."""
        raise NotImplementedError


class UnknownDetection(_OpenSet):
    """Area under the receiver operating characteristic (AUROC) of known against unknown clips.

    The probability that a known clip looks more known than an unknown one, ties counted half.
    """

    name = "auroc"

    def counted(self, bins: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(bins[..., 1])


class OpenSetRate(_OpenSet):
    """Area under the open-set classification rate curve (OSCR).

    As the AUROC, but a known clip counts only if the most probable known class is the right one: the share of known
    clips that are accepted and right, over the share of unknown clips that are accepted.
    """

    name = "oscr"

    def counted(self, bins: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(bins[..., 2])
