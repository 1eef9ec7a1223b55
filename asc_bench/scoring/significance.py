"""Is one system better? The papers' two-proportion z-test, and three tests that relax its assumptions."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.scoring.student import Locations, difference_error, quantile


class ZTest(NamedTuple):
    """Statistic and one-tailed p-value of the alternative that a is better."""

    z: float
    p: float


class PairedBootstrap(NamedTuple):
    """Difference a - b, its 95 % interval, the two-sided p-value, and probabilities of differences that matter.

    ``p_above``, ``p_within`` and ``p_below`` are the probabilities that the difference is above, in and below the
    region of practical equivalence (ROPE). All but the difference are NaN where there are too few locations.
    """

    difference: float
    low: float
    high: float
    p: float
    p_above: float
    p_within: float
    p_below: float


def two_proportion_z(accuracy_a: float, accuracy_b: float, n_a: int, n_b: int) -> ZTest:
    """Two-proportion z-test with pooled variance, as published in the papers.

    Hypothesis: both accuracies are the same proportion; the alternative is that a's is higher (one-tailed).
    ``z = (a - b) / sqrt(p (1 - p) (1/n_a + 1/n_b))`` with ``p = (n_a a + n_b b) / (n_a + n_b)``.

    Not valid here, and kept to reproduce what was claimed: it takes clips as independent (those of one
    location are not), the systems as scored on different clips (they share them, which loses most of the
    power), and, for a mean over devices, a few hundred clips as thousands; see `stratified_z`. If a is named
    as the better one after looking, the one-tailed p is half of what it ought to be.

    Parameters
    ----------
    accuracy_a, accuracy_b : float
        Accuracies in 0 to 1.
    n_a, n_b : int
        Clips.

    Returns
    -------
    ZTest
        ``z`` is 0 where both accuracies are 0 or both are 1.

    Raises
    ------
    ConfigError
        For accuracies outside 0 to 1 (percents, say), or no clips.

    References
    ----------
    Z. Ren et al., CAA-Net (IEEE Transactions on Multimedia), section IV, text on Table II.
    """
    _check([accuracy_a, accuracy_b], [n_a, n_b])
    p = (n_a * accuracy_a + n_b * accuracy_b) / (n_a + n_b)
    return _z_test(accuracy_a - accuracy_b, p * (1 - p) * (1 / n_a + 1 / n_b))


def stratified_z(accuracies_a: Sequence[float], accuracies_b: Sequence[float], n: Sequence[int]) -> ZTest:
    """z-test of the mean over strata (devices), each with the variance of its own clips.

    Hypothesis: the means over the strata are equal; the alternative is that a's is higher (one-tailed).
    ``z = mean(a_s - b_s) / sqrt(sum(v_s) / S^2)`` over S strata, with the unpooled variance of each,
    ``v_s = (a_s (1 - a_s) + b_s (1 - b_s)) / n_s``. Pooling within strata instead would move z
    by 0.2 % where the systems are close, and by 3 % where they are far apart.

    It removes one fault of the published test, that the 180 clips of a device weigh as many thousands. Clips
    are still taken as independent, and the systems as scored on different clips. Where every accuracy is 0 or
    1 the variance is zero, and z is 0 or infinite.

    Parameters
    ----------
    accuracies_a, accuracies_b : sequence of float, one per stratum
        Accuracies in 0 to 1.
    n : sequence of int, one per stratum
        Clips of each stratum, on which both systems were scored.

    Raises
    ------
    ConfigError
        As `two_proportion_z`, and for lengths that differ.

    References
    ----------
    W. G. Cochran, "Sampling techniques", 3rd ed. (1977), chapter 5: variance of a stratified mean.
    """
    if not len(accuracies_a) == len(accuracies_b) == len(n) or not len(n):
        raise ConfigError(f"{len(accuracies_a)} and {len(accuracies_b)} accuracies for {len(n)} strata")
    _check([*accuracies_a, *accuracies_b], n)
    a, b = np.asarray(accuracies_a, dtype=float), np.asarray(accuracies_b, dtype=float)
    variance = np.sum((a * (1 - a) + b * (1 - b)) / np.asarray(n)) / len(n) ** 2
    return _z_test(float(np.mean(a - b)), float(variance))


def _check(accuracies: Sequence[float], n: Sequence[int]) -> None:
    wrong = [float(x) for x in accuracies if not 0 <= x <= 1]
    if wrong:
        raise ConfigError(f"accuracies {wrong} are not between 0 and 1; divide percents by 100")
    if min(n) < 1:
        raise ConfigError(f"numbers of clips {list(n)}: each must be at least 1")


def _z_test(difference: float, variance: float) -> ZTest:
    if variance > 0:
        z = difference / math.sqrt(variance)
    else:
        z = math.copysign(math.inf, difference) if difference else 0.0
    # The tail of a huge z underflows; a p-value of exactly zero would claim certainty.
    return ZTest(z, max(0.5 * math.erfc(z / math.sqrt(2)), sys.float_info.min))


def mcnemar_exact(n_only_a: int, n_only_b: int) -> float:
    """Exact McNemar test of two systems on the same clips: two-sided p-value.

    Hypothesis: of the clips that just one system gets right, each is a's with probability one half
    (binomial). Clips that both or neither get right say nothing, and without any other p is 1.

    It tests accuracy over clips, not a mean over classes or devices, and takes clips as independent: several
    clips of one location make it too confident; see `paired_location_bootstrap`. It has no notion of repeats:
    count the clips of one of them, because averaging outcomes over seeds would leave no pairs of yes and no.

    Parameters
    ----------
    n_only_a, n_only_b : int
        Clips that only a, and only b, gets right.

    References
    ----------
    Q. McNemar, Psychometrika 12 (1947), 153-157; exact form: F. Mosteller, Biometrics 8 (1952), 220-226.
    """
    from scipy.stats import binomtest

    if n_only_a < 0 or n_only_b < 0:
        raise ConfigError(f"numbers of clips {n_only_a} and {n_only_b} must not be negative")
    if n_only_a + n_only_b == 0:
        return 1.0
    return max(float(binomtest(n_only_a, n_only_a + n_only_b, 0.5).pvalue), sys.float_info.min)


def paired_bootstrap(
    difference: float,
    resampled: npt.NDArray[np.float64],
    locations: Locations,
    *,
    disagreement: float | None = None,
    rope: float = math.nan,
    confidence: float = 0.95,
) -> PairedBootstrap:
    """Paired bootstrap over recording locations of the difference between two systems.

    Hypothesis: over locations that might have been recorded, the measure is the same for both. Both systems
    meet the same resampled locations, so what makes a location hard for both cancels out. The difference, divided
    by its bootstrap standard error, is held against Student's t; `asc_bench.scoring.student` says why and with how
    many degrees of freedom, ``docs/statistics.md`` how often that errs.

    Valid for any measure. Repeats are averaged first and taken as they are: the luck of a seed is not tested.

    Parameters
    ----------
    difference : float
        Of the clips as they are, a - b.
    resampled : float array, shape (n_resamples,)
        Differences on resampled locations, the same ones for both systems. Those that are not defined (NaN) are
        left out. Not looked at where there are too few locations.
    locations : Locations
        Of the measure, the same for both systems.
    disagreement : float, optional
        Of shares of clips: the share on which just one of the systems is right, clips weighted as in the measure.
    rope : float
        Half width of the region of practical equivalence around zero, in the unit of the difference; NaN for none.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    PairedBootstrap
        The last three are those of the t distribution about the difference: posterior probabilities of the true
        difference under a flat prior.

    Raises
    ------
    ConfigError
        For a confidence outside 0 to 1, or a negative ``rope``.

    References
    ----------
    B. Efron, R. J. Tibshirani, "An introduction to the bootstrap" (1993); few clusters and degrees of freedom: see
    `asc_bench.scoring.student`. ROPE with a t posterior: A. Benavoli, G. Corani, J. Demsar, M. Zaffalon, "Time
    for a change: a tutorial for comparing multiple classifiers through Bayesian analysis", JMLR 18 (2017), 1-36.
    """
    from scipy.special import stdtr

    quantile(confidence, 1.0)  # Refuses a confidence in percent, however few the locations.
    if rope < 0:
        raise ConfigError(f"rope is {rope}, must not be negative: it is the half width of a region around zero")
    difference = float(difference)
    error = (
        math.nan
        if locations.too_few
        else difference_error(difference, resampled, locations, disagreement=disagreement)
    )
    if math.isnan(error):
        return PairedBootstrap(difference, *[math.nan] * 6)
    half = quantile(confidence, locations.dof) * error

    if error == 0:
        # Every location has the same difference. What is left is a sign test: all of them agree.
        p = 0.5 ** (locations.n - 1) if difference else 1.0
        below, above = float(difference < -rope), float(difference > rope)
        probabilities = (math.nan,) * 3 if math.isnan(rope) else (above, 1 - above - below, below)
    else:
        at_most = [float(stdtr(locations.dof, (x - difference) / error)) for x in (-rope, rope)]
        above = float(stdtr(locations.dof, (difference - rope) / error))
        probabilities = (above, at_most[1] - at_most[0], at_most[0])
        # The tail of a huge t underflows; a p-value of exactly zero would claim certainty.
        p = max(2 * float(stdtr(locations.dof, -abs(difference) / error)), sys.float_info.min)
    return PairedBootstrap(difference, difference - half, difference + half, p, *probabilities)


def holm(p_values: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """p-values adjusted for the number of tests, by Holm's step-down procedure, in the order given.

    With ``p_(1) <= ... <= p_(m)``, the adjusted value is ``max over j <= i of min(1, (m - j + 1) p_(j))``.
    Rejecting those below alpha keeps the probability of any false rejection below alpha, whatever the
    dependence of the tests.

    Raises
    ------
    ConfigError
        For a value outside 0 to 1, NaN included.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6 (1979), 65-70.
    """
    p = np.asarray(p_values, dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ConfigError(f"p-values {p.tolist()} are not all between 0 and 1")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted
