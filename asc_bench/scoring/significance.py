"""Is one system better? The papers' two-proportion z-test, and three tests that relax its assumptions."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.scoring.bootstrap import percentile_interval


class ZTest(NamedTuple):
    """Statistic and one-tailed p-value of the alternative that a is better."""

    z: float
    p: float


class PairedBootstrap(NamedTuple):
    """Difference a - b, its percentile interval, and the two-sided p-value."""

    difference: float
    low: float
    high: float
    p: float


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
    difference: float, resampled: npt.NDArray[np.float64] | None, *, confidence: float = 0.95
) -> PairedBootstrap:
    """Paired bootstrap over recording locations of the difference between two systems.

    Hypothesis: over locations that might have been recorded, the measure is the same for both. Both systems
    meet the same resampled locations, so what makes a location hard for both cancels out. The p-value is
    two-sided: with the difference d and the resampled differences d*, shifted by d to where the hypothesis
    holds, ``p = (1 + #{|d* - d| >= |d|}) / (n_resamples + 1)``, never zero.

    Valid for any measure. Repeats are averaged first and taken as they are: the luck of a seed is
    not tested. With few locations per scene (below five or so) any test is rough; a scene with one location
    adds no variance, and where every scene has just one, nothing can be said: p is 1 and the interval NaN.

    Parameters
    ----------
    difference : float
        Of the clips as they are, a - b.
    resampled : float array, shape (n_resamples,), optional
        Differences on resampled locations, the same ones for both systems; None where nothing can be resampled.
        Those that are not defined (NaN) are left out.
    confidence : float
        Coverage of the interval.

    References
    ----------
    B. Efron, R. J. Tibshirani, "An introduction to the bootstrap" (1993), chapter 16 (shifting to the null);
    A. C. Davison, D. V. Hinkley, "Bootstrap methods and their application" (1997), chapter 4 (the added
    ones); clusters: see `asc_bench.scoring.bootstrap`.
    """
    difference = float(difference)
    kept = np.empty(0) if resampled is None else resampled[~np.isnan(resampled)]
    if not len(kept):
        return PairedBootstrap(difference, math.nan, math.nan, 1.0)
    low, high = percentile_interval(kept, confidence=confidence)
    # Scores are ratios of counts, so ties are common: rounding must not break them.
    beyond = np.abs(kept - difference) >= abs(difference) - 1e-12
    return PairedBootstrap(difference, low, high, float((1 + beyond.sum()) / (len(kept) + 1)))


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
