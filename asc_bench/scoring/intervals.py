"""Intervals: how certain one accuracy is."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.scoring.accuracy import clip_scores
from asc_bench.scoring.bootstrap import can_resample, resampled_values
from asc_bench.scoring.measure import Measure


class Interval(NamedTuple):
    """Bounds of an interval, in the unit of what it is of."""

    low: float
    high: float


def wilson(n_right: float, n: int, *, confidence: float = 0.95) -> Interval:
    """Score interval of a proportion of independent clips.

    ``(p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)`` with ``p = n_right / n``. Not valid where
    clips share a location, nor for a mean over classes or devices: there it is too narrow; see
    `location_bootstrap`.

    Parameters
    ----------
    n_right : float
        Clips that are right; need not be whole (a mean over repeats).
    n : int
        Clips.
    confidence : float
        Coverage, in 0 to 1.

    Raises
    ------
    ConfigError
        Unless ``0 <= n_right <= n``, ``n >= 1`` and ``0 < confidence < 1``.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927),
    209-212.
    """
    if not (n >= 1 and 0 <= n_right <= n):
        raise ConfigError(f"{n_right} right of {n} clips is no proportion")
    _check_confidence(confidence)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = n_right / n
    centre = p + z**2 / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return Interval(max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def location_bootstrap(
    predictions: pd.DataFrame,
    measure: Measure,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
    split: str = "test",
) -> Interval:
    """Percentile interval of a measure under resampling of recording locations within their scene.

    Valid for what varies with the places that were recorded. It does not cover the choice of training data or
    seed: repeats are averaged per clip first, and taken as they are. A scene recorded at one location adds
    nothing to the width, which is then too small.

    Parameters
    ----------
    predictions : DataFrame
        Of one system.
    measure : Measure
        What the interval is of.
    n_resamples, seed : int
        Number of resamples and seed of their generator.
    confidence : float
        Coverage, in 0 to 1.
    split : str
        ``test`` or ``validation``.

    Returns
    -------
    Interval
        Both bounds NaN where no scene has a second location.

    See Also
    --------
    asc_bench.scoring.bootstrap : the construction, its conventions and its source.
    """
    scores = clip_scores(predictions, measure, split=split)
    return scores_interval(scores, measure, n_resamples=n_resamples, seed=seed, confidence=confidence)


def scores_interval(
    scores: pd.DataFrame, measure: Measure, *, n_resamples: int, seed: int, confidence: float = 0.95
) -> Interval:
    """`location_bootstrap` from the frame that ``clip_scores`` gives for the measure."""
    _check_confidence(confidence)
    if not can_resample(scores):
        return Interval(math.nan, math.nan)
    correct = scores[["correct"]].to_numpy(float)
    _, resampled = resampled_values(scores, correct, measure, n_resamples=n_resamples, seed=seed)
    return percentile_interval(resampled[:, 0], confidence=confidence)


def percentile_interval(resampled: npt.NDArray[np.float64], *, confidence: float = 0.95) -> Interval:
    """Central interval of resampled values, shape (n_resamples,)."""
    low, high = np.quantile(resampled, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(float(low), float(high))


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}, must lie between 0 and 1 (95 % is 0.95)")
