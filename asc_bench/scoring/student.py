"""Intervals and tests that hold with few recording locations: Student's t on the bootstrap standard error.

Percentiles of resampled values are too narrow where few locations were recorded: with one scene of two, a nominal
5 % test rejects equal systems in 33 %. Three things mend that; ``docs/statistics.md`` shows by simulation
what they are worth.

1. The standard error is the root mean square of resampled values about the *observed* value, not about their
   mean, as the jackknife CV3 centres: where a scene has two locations of unequal size, the mean of resamples hides
   part of the variance.
2. The quantile is Student's, with the degrees of freedom that the locations have, see `Locations`.
3. For shares of clips (accuracy), a quarter of a made-up location stands beside those that were recorded. Half of
   its clips are right; of two systems, half are right for just one. Where hardly any clip is wrong, the locations
   that would be hard have not been recorded yet; without it a system that makes no error has no standard error.

Student's t and degrees of freedom of a quadratic form are standard for few clusters (references below); the working
model of `Locations` and the size of the made-up location are ours, chosen by that simulation.

References
----------
A. C. Cameron, J. B. Gelbach, D. L. Miller, "Bootstrap-based improvements for inference with clustered errors",
Review of Economics and Statistics 90 (2008), 414-427: what few clusters do to tests, and t with few degrees.
R. M. Bell, D. F. McCaffrey, "Bias reduction in standard errors for linear regression with multi-stage samples",
Survey Methodology 28 (2002), 169-181: degrees of freedom of a working model, by Satterthwaite's approximation.
J. G. MacKinnon, M. O. Nielsen, M. D. Webb, "Fast and reliable jackknife and bootstrap methods for cluster-robust
inference", Journal of Applied Econometrics 38 (2023), 671-694: CV3.
A. Agresti, B. Caffo, "Simple and effective confidence intervals for proportions and differences of proportions
result from adding two successes and two failures", The American Statistician 54 (2000), 280-288.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.scoring.bootstrap import clusters_of, resampled_values
from asc_bench.scoring.rows import Rows
from asc_bench.scoring.statistic import Floats

TOO_FEW = "too few locations"
"""What stands where a p-value would, if a scene was recorded at a single location."""

_MADE_UP = 0.25
"""Made-up locations beside those that were recorded, for shares of clips."""


class Interval(NamedTuple):
    """Bounds of an interval, in the unit of what it is of."""

    low: float
    high: float


class Locations(NamedTuple):
    """What the recording locations of a measure are worth.

    Attributes
    ----------
    n : int
        Their number, counted per scene.
    effective : float
        How many equal ones would give the same variance: ``1 / sum(w**2)``, where ``w`` are their shares of the
        measure. ``n`` where all weigh the same.
    dof : float
        Degrees of freedom of the bootstrap standard error; 0 where a scene has a single location, so that nothing
        is known of how much its locations differ.
    """

    n: int
    effective: float
    dof: float

    @property
    def too_few(self) -> bool:
        """Whether neither an interval nor a p-value can be given."""
        return self.dof == 0


def locations_of(rows: Rows) -> Locations:
    """The locations of a measure; each weighs what its clips do, over strata (devices, folds) and classes."""
    cluster, sizes = clusters_of(rows)
    return weighted_locations(np.bincount(cluster, rows.clip_weights()).astype(np.float64), sizes)


def weighted_locations(weights: Floats, sizes: npt.NDArray[np.integer]) -> Locations:
    """Degrees of freedom of locations with these shares of a measure.

    Working model: locations of a measure vary alike, each about the value of its scene, whatever the number of
    their clips. Location l with the weight w_l then adds ``w_l**2`` to the variance. In scene s with m locations it
    is estimated by m / (m - 1) times the sum of squared deviations, and Satterthwaite's degrees of freedom of the
    sum, ``2 E**2 / Var``, are ``sum(w**2)**2`` divided by the sum over scenes of
    ``(m / (m-1))**2 ((1 - 2/m) sum(w**4) + (sum(w**2) / m)**2)``.

    Where all locations weigh the same and each scene has as many, this is clusters minus resampling groups:
    locations minus scenes, or with ``clusters="any"`` locations minus one. It is never more: one scene of two
    locations among scenes of twenty, or a device that recorded at few of them, decides the variance, and the few
    degrees are its own.

    Parameters
    ----------
    weights : float array, shape (n_locations,)
        Shares, in the order of the scenes; they are scaled to a sum of one.
    sizes : int array, shape (n_scenes,)
        Locations of each scene; one if they are resampled all alike.
    """
    squares = np.square(weights / weights.sum())
    effective = float(1 / squares.sum())
    if not len(sizes) or sizes.min() < 2:
        return Locations(len(weights), effective, 0.0)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    second, fourth = (np.add.reduceat(x, first) for x in (squares, squares**2))
    spread = (sizes / (sizes - 1)) ** 2 * ((1 - 2 / sizes) * fourth + (second / sizes) ** 2)
    return Locations(len(weights), effective, float(squares.sum() ** 2 / spread.sum()))


def standard_error(value: float, resampled: Floats) -> float:
    """Root mean square of resampled values about the observed one; NaN if none is defined."""
    kept = resampled[~np.isnan(resampled)]
    return math.sqrt(float(np.mean(np.square(kept - value)))) if len(kept) else math.nan


def difference_error(
    difference: float, resampled: Floats, locations: Locations, *, disagreement: float | None
) -> float:
    """Standard error of a difference between two systems; NaN if no resample is defined.

    Parameters
    ----------
    difference : float
        Of the clips as they are.
    resampled : float array, shape (n_resamples,)
        On resampled locations, the same ones for both systems.
    locations : Locations
        Of the measure.
    disagreement : float, optional
        Of shares of clips: the share on which just one of the systems is right. The made-up location then adds the
        variance that its difference has, if the systems disagree there on all clips or on none.
    """
    error = standard_error(difference, resampled)
    if disagreement is None:
        return error
    variance = _MADE_UP * _with_made_up(disagreement, locations)
    return math.sqrt(error**2 + variance / locations.effective**2)


def _with_made_up(share: float, locations: Locations) -> float:
    """A share of clips, with a part of a made-up location of which half count."""
    return (locations.effective * share + 0.5 * _MADE_UP) / (locations.effective + _MADE_UP)


def quantile(confidence: float, dof: float) -> float:
    """Half width of a two-sided interval of Student's t.

    Raises
    ------
    ConfigError
        For a confidence outside 0 to 1.
    """
    from scipy.special import stdtrit

    if not 0 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}, must lie between 0 and 1 (95 % is 0.95)")
    return float(stdtrit(dof, 0.5 + confidence / 2))


def location_interval(rows: Rows, *, n_resamples: int = 2000, seed: int = 0, confidence: float = 0.95) -> Interval:
    """Interval of a measure over the recording locations that might have been recorded.

    Valid for what varies with the places that were recorded. It does not cover the choice of training data or
    seed: repeats are averaged and taken as they are.

    Parameters
    ----------
    rows : Rows
        Of one system and one measure.
    n_resamples, seed : int
        Number of resamples and seed of their generator.
    confidence : float
        Coverage, in 0 to 1.

    Returns
    -------
    Interval
        Holds the value and stays within the bounds of the measure. Both bounds NaN where a scene has a single
        location, or no resample is defined.
    """
    quantile(confidence, 1.0)  # Refuses a confidence in percent, however few the locations.
    locations = locations_of(rows)
    if locations.too_few:
        return Interval(math.nan, math.nan)
    resampled = resampled_values(rows, n_resamples=n_resamples, seed=seed)
    return value_interval(
        rows.value(),
        resampled,
        locations,
        bounds=rows.measure.bounds,
        share=rows.measure.proportion,
        confidence=confidence,
    )


def value_interval(
    value: float,
    resampled: Floats,
    locations: Locations,
    *,
    bounds: tuple[float, float],
    share: bool,
    confidence: float = 0.95,
) -> Interval:
    """Student's interval of a value, on the scale of the logit between its bounds.

    With one infinite bound the scale is the logarithm of the distance to the other, with two the value itself. So
    it is for a value that lies on a bound, which only one that is no share of clips can; the interval is then cut.

    Parameters
    ----------
    value : float
        Of the clips as they are.
    resampled : float array, shape (n_resamples,)
        On resampled locations.
    locations : Locations
        Not too few.
    bounds : tuple of float
        Lowest and highest value that there can be.
    share : bool
        Whether the value is a share of clips that are right, or a mean of such shares.
    """
    error, centre = standard_error(value, resampled), value
    if share:
        n, centre = locations.effective, _with_made_up(value, locations)
        error = math.sqrt((n * error) ** 2 + _MADE_UP * (0.5 - centre) ** 2) / (n + _MADE_UP)
    half = quantile(confidence, locations.dof) * error
    lowest, highest = bounds
    # Distances to the bounds; the slope of log(below / above) is 1 / below + 1 / above.
    below, above = centre - lowest, highest - centre
    if math.isnan(half):
        return Interval(math.nan, math.nan)
    # A distance that is no normal number has no finite slope: it is none.
    if min(below, above) < sys.float_info.min or (math.isinf(below) and math.isinf(above)):
        ends = max(lowest, centre - half), min(highest, centre + half)
    else:
        step = half * (1 / below + 1 / above)
        back = _from_scale(lowest, highest, below, above)
        ends = back(-step), back(step)
    return Interval(min(ends[0], value), max(ends[1], value))


def _from_scale(lowest: float, highest: float, below: float, above: float) -> Callable[[float], float]:
    """What a step on the scale of the logit, or of the logarithm, makes of the centre."""
    if math.isinf(above):
        return lambda step: lowest + below * _exp(step)
    if math.isinf(below):
        return lambda step: highest - above * _exp(-step)
    return lambda step: lowest + (highest - lowest) * below / (below + above * _exp(-step))


def _exp(x: float) -> float:
    return math.exp(min(x, 700.0))
