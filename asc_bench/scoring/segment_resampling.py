"""Measures of multi-label predictions as they are, and at other locations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.data.tags import DETECTION, TAGGING
from asc_bench.errors import ConfigError
from asc_bench.scoring.bootstrap import cluster_weights
from asc_bench.scoring.decisions import SystemCounts
from asc_bench.scoring.detection import detection_scores
from asc_bench.scoring.tagging import tagging_scores

MEASURES = (
    (DETECTION, "error_rate"),
    (DETECTION, "f_score"),
    (DETECTION, "precision"),
    (DETECTION, "recall"),
    (TAGGING, "f1"),
    (TAGGING, "precision"),
    (TAGGING, "recall"),
    (TAGGING, "macro_f1"),
)
"""Level and name of every measure of a system. All but the macro F1 are pooled over classes."""

LOWER_IS_BETTER = frozenset({"error_rate"})
_BLOCK = 500
"""Resamples computed at once: bounds the memory for many clips."""

Place = tuple[str, str]
Values = dict[Place, npt.NDArray[np.float64]]


def values_of(counts: SystemCounts, repeat: int, weights: npt.NDArray[np.float64]) -> Values:
    """Every measure of one repeat under each row of weights of the clips."""
    by_level = {
        DETECTION: detection_scores(counts.detection[repeat].pooled(weights)),
        TAGGING: tagging_scores(counts.tagging[repeat].pooled(weights)),
    }
    return {(level, name): by_level[level][name] for level, name in MEASURES}


def mean_values(counts: SystemCounts, weights: npt.NDArray[np.float64]) -> Values:
    """Mean over repeats of `values_of`."""
    repeats = [values_of(counts, i, weights) for i in range(len(counts.detection))]
    return {place: np.mean([values[place] for values in repeats], axis=0) for place in MEASURES}


def resampled_measures(counts: SystemCounts, *, n_resamples: int, seed: int) -> Values | None:
    """Every measure on resampled locations, shape (n_resamples,); None where there is one location only.

    Systems with the same locations meet the same resamples, so that differences are paired.
    """
    drawn = [mean_values(counts, weights) for weights in _weights(counts.clips, n_resamples=n_resamples, seed=seed)]
    return {place: np.concatenate([block[place] for block in drawn]) for place in MEASURES} if drawn else None


def _weights(clips: pd.DataFrame, *, n_resamples: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    """Weights of the clips, shape (block, n_clips), in which all clips of a location have that of the location.

    Locations are not kept apart by scene, as they are for clips of one label: here a clip has several.
    """
    if n_resamples < 1:
        raise ConfigError(f"n_resamples is {n_resamples}, must be at least 1")
    cluster, locations = pd.factorize(clips["location"], sort=True)
    if len(locations) < 2:
        return
    rng = np.random.default_rng(seed)
    for start in range(0, n_resamples, _BLOCK):
        block = min(_BLOCK, n_resamples - start)
        yield cluster_weights(np.array([len(locations)]), n_resamples=block, rng=rng)[:, cluster]


def defined(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Values that are not NaN; None if there is none. A resample without any reference has no error rate."""
    kept = values[~np.isnan(values)]
    return kept if len(kept) else None
