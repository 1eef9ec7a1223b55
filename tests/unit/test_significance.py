from __future__ import annotations

import math
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from asc_bench.errors import ConfigError, DataError
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.significance import (
    holm,
    mcnemar_exact,
    paired_bootstrap,
    stratified_z,
    two_proportion_z,
)
from asc_bench.scoring.student import Locations
from tests.unit.made_predictions import clips_of, frame_of, guesses
from tests.unit.scores import measure, paired_location_bootstrap

DEVICES = ("A", "B", "C")
N_TEST = (2518, 180, 180)
MACRO = Measure("macro")
AVERAGE = Measure("average", strata="device", of=("A", "B"))
CLIPS = clips_of(per_location=5, n_locations=6)
fractions = st.floats(0, 1)


def published(topology: str, pooling: str, training: str) -> tuple[list[float], float]:
    """Device accuracies and printed average of one row of CAA-Net's Table II, in 0 to 1."""
    table = pd.read_csv(str(files("asc_bench.published") / "caanet_table2.csv"))
    rows = table[
        (table["topology"] == topology) & (table["pooling"] == pooling) & (table["training"] == training)
    ].set_index("device")["accuracy"]
    return [rows[device] / 100 for device in DEVICES], rows["average"] / 100


def test_the_published_claim_three_ways() -> None:
    """68.0 against 65.0, "p < 0.01": true only of a device mean that is taken for one proportion."""
    best, best_average = published("atrous", "att", "multi-task")
    single, single_average = published("atrous", "att", "single-device")
    assert (best_average, single_average) == (0.68, 0.65)
    n = sum(N_TEST)

    z, p = two_proportion_z(best_average, single_average, n, n)
    assert (round(z, 2), round(p, 3)) == (2.41, 0.008)

    z, p = stratified_z(best, single, N_TEST)
    assert (round(z, 2), round(p, 3)) == (1.24, 0.107)

    pooled_best, pooled_single = np.dot(best, N_TEST) / n, np.dot(single, N_TEST) / n
    assert (round(pooled_best, 3), round(pooled_single, 3)) == (0.716, 0.696)
    z, p = two_proportion_z(pooled_best, pooled_single, n, n)
    assert (round(z, 2), round(p, 3)) == (1.62, 0.053)


def test_the_published_claim_on_device_a_alone_and_per_device() -> None:
    z, p = two_proportion_z(0.68, 0.65, 2518, 2518)
    assert (round(z, 2), round(p, 3)) == (2.26, 0.012)
    best, _ = published("atrous", "att", "multi-task")
    single, _ = published("atrous", "att", "single-device")
    tests = [two_proportion_z(a, b, n, n) for a, b, n in zip(best, single, N_TEST, strict=True)]
    assert [round(test.z, 2) for test in tests] == [1.34, 1.55, -0.10]
    assert [round(test.p, 2) for test in tests] == [0.09, 0.06, 0.54]


def test_the_other_published_claim_holds_either_way() -> None:
    best, _ = published("atrous", "att", "multi-task")
    roi, average = published("cnn-no-pool", "roi", "single-device")
    assert average == 0.49
    assert round(stratified_z(best, roi, N_TEST).z, 1) == 7.8


@pytest.mark.parametrize(("right_a", "right_b", "n_a", "n_b"), [(60, 50, 100, 80), (3, 9, 40, 41)])
def test_z_against_the_chi_square_of_scipy(right_a: int, right_b: int, n_a: int, n_b: int) -> None:
    """The squared pooled z is the chi-square of the two-by-two table without correction."""
    z, p = two_proportion_z(right_a / n_a, right_b / n_b, n_a, n_b)
    table = [[right_a, n_a - right_a], [right_b, n_b - right_b]]
    chi2, two_sided, *_ = stats.chi2_contingency(table, correction=False)
    assert z**2 == pytest.approx(chi2)
    assert p == pytest.approx(two_sided / 2 if z > 0 else 1 - two_sided / 2)


def test_one_stratum_by_hand() -> None:
    z, p = stratified_z([0.75], [0.5], [100])
    assert z == pytest.approx(0.25 / math.sqrt((0.75 * 0.25 + 0.5 * 0.5) / 100))
    assert p == pytest.approx(stats.norm.sf(z))


@given(a=fractions, b=fractions, n=st.integers(1, 10_000))
def test_swapping_the_systems_turns_z_around(a: float, b: float, n: int) -> None:
    tests = [
        (two_proportion_z(a, b, n, 7), two_proportion_z(b, a, 7, n)),
        (stratified_z([a, 0.3], [b, 0.5], [n, 7]), stratified_z([b, 0.5], [a, 0.3], [n, 7])),
    ]
    for forth, back in tests:
        assert forth.z == pytest.approx(-back.z)
        assert forth.p + back.p == pytest.approx(1)
        assert min(forth.p, back.p) > 0
        assert max(forth.p, back.p) <= 1


def test_without_variance() -> None:
    assert two_proportion_z(1.0, 1.0, 5, 9) == (0.0, 0.5)
    assert stratified_z([1.0, 0.0], [1.0, 0.0], [5, 5]) == (0.0, 0.5)
    z, p = stratified_z([1.0], [0.0], [5])
    assert z == math.inf
    assert 0 < p < 1e-300
    assert stratified_z([0.0], [1.0], [5]) == (-math.inf, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_proportion_z(68.0, 65.0, 10, 10), r"\[68.0, 65.0\] are not between 0 and 1; divide"),
        (lambda: two_proportion_z(math.nan, 0.5, 10, 10), r"\[nan\]"),
        (lambda: two_proportion_z(0.5, 0.5, 10, 0), r"\[10, 0\]: each must be at least 1"),
        (lambda: stratified_z([0.5], [0.5, 0.4], [10]), "1 and 2 accuracies for 1 strata"),
        (lambda: stratified_z([], [], []), "for 0 strata"),
        (lambda: mcnemar_exact(-1, 2), "-1 and 2 must not be negative"),
        (lambda: paired_bootstrap(0.1, np.zeros(2), SEVEN, rope=-1), "rope is -1, must not be negative"),
        (lambda: paired_bootstrap(0.1, np.zeros(2), SEVEN, confidence=95), "confidence is 95, must lie between"),
        (lambda: holm([0.1, math.nan]), "not all between 0 and 1"),
        (lambda: holm([0.1, 1.5]), "not all between 0 and 1"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()  # type: ignore[operator]


def test_mcnemar_by_hand() -> None:
    # 1 against 9 of ten discordant clips: 2 (C(10,0) + C(10,1)) / 2^10.
    assert mcnemar_exact(1, 9) == pytest.approx(22 / 1024)
    assert mcnemar_exact(0, 5) == pytest.approx(2 / 32)
    assert mcnemar_exact(4, 4) == 1.0
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(5000, 0) > 0


@given(a=st.integers(0, 400), b=st.integers(0, 400))
def test_mcnemar_is_symmetric(a: int, b: int) -> None:
    p = mcnemar_exact(a, b)
    assert p == pytest.approx(mcnemar_exact(b, a))
    assert 0 < p <= 1
    if a + b:
        expected = min(1.0, 2 * stats.binom.cdf(min(a, b), a + b, 0.5))
        assert p == pytest.approx(expected)


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 gives 0.02, 0.03, 0.06, 0.04, the last raised to 0.06.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.6]), [1.0, 1.0])
    assert holm([]).tolist() == []


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_by_its_definition(p: list[float]) -> None:
    """A hypothesis is rejected at alpha if its p-value and all smaller ones pass alpha / (number left)."""
    adjusted = holm(p)
    for alpha in (0.01, 0.05, 0.3):
        rejected = set()
        for step, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
            if p[index] * (len(p) - step) > alpha:
                break
            rejected.add(index)
        assert {i for i, value in enumerate(adjusted) if value <= alpha} == rejected


def test_paired_bootstrap_is_symmetric_under_swap() -> None:
    a, b = frame_of(CLIPS, guesses(CLIPS, 0.7, 1)), frame_of(CLIPS, guesses(CLIPS, 0.6, 2))
    forth = paired_location_bootstrap(a, b, AVERAGE)
    back = paired_location_bootstrap(b, a, AVERAGE)
    assert forth.difference == pytest.approx(measure(a, AVERAGE) - measure(b, AVERAGE))
    assert (forth.p, forth.low, forth.high) == pytest.approx((back.p, -back.high, -back.low))
    assert (forth.p_above, forth.p_within, forth.p_below) == pytest.approx(
        (back.p_below, back.p_within, back.p_above)
    )
    assert sum(forth[4:]) == pytest.approx(1)
    assert 0 < forth.p <= 1


@pytest.mark.parametrize(("accuracy", "difference"), [(1.0, 0.0), (0.0, 1.0)])
def test_paired_bootstrap_at_its_ends(accuracy: float, difference: float) -> None:
    """No variance between 18 locations, 15 degrees of freedom: what is left is a quarter of a made-up location.

    Half of its clips are right for one system only, which adds to a disagreement of all clips or of none.
    """
    a, b = (frame_of(CLIPS, guesses(CLIPS, x, 0)) for x in (1.0, accuracy))
    apart = (18 * difference + 0.25 / 2) / (18 + 0.25)
    error = math.sqrt(0.25 * apart) / 18
    low, high = stats.t.interval(0.95, 15, difference, error)
    p = 2 * stats.t.sf(difference / error, 15)
    found = paired_location_bootstrap(a, b, MACRO, n_resamples=99)
    assert found[:4] == pytest.approx((difference, low, high, p))
    cuts = stats.t.cdf([-0.01, 0.01], 15, difference, error)
    assert found[4:] == pytest.approx((1 - cuts[1], cuts[1] - cuts[0], cuts[0]))


def test_pairing_cancels_what_is_hard_for_both() -> None:
    """Same difficult locations, a small constant gap: the paired interval is narrow."""
    clips = clips_of(per_location=20, n_locations=8, devices=("A",))
    true = clips["scene"].map({"airport": 0, "mall": 1, "park": 2}).to_numpy()
    hard = clips["location"].str[-1].astype(int).to_numpy() % 2 == 0
    number = clips["recording_id"].str.split("-").str[-1].astype(int).to_numpy()
    a = np.where(hard & (number >= 4), (true + 1) % 3, true)
    b = np.where(hard & (number >= 2), (true + 1) % 3, true)
    result = paired_location_bootstrap(frame_of(clips, a), frame_of(clips, b), MACRO)
    assert result.difference == pytest.approx(0.05)
    assert result.low > 0
    assert result.p < 0.01


SEVEN = Locations(n=9, effective=8.0, dof=7.0)


def test_one_pair_against_the_t_distribution_of_scipy() -> None:
    # About the difference 2: -2, 0, 1, 2.5; what is not defined is left out.
    drawn = np.array([0.0, 2.0, math.nan, 3.0, 4.5])
    error = math.sqrt((4 + 0 + 1 + 6.25) / 4)
    found = paired_bootstrap(2.0, drawn, SEVEN, rope=0.5)
    assert found.p == pytest.approx(2 * stats.t.sf(2 / error, 7))
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 7, 2, error))
    cuts = stats.t.cdf([-0.5, 0.5], 7, 2, error)
    assert found[4:] == pytest.approx((1 - cuts[1], cuts[1] - cuts[0], cuts[0]))
    # Shares of clips that disagree on 30 %: a quarter of a location of variance 0.3 and a bit beside 8.
    error = math.sqrt(error**2 + 0.25 * (8 * 0.3 + 0.125) / 8.25 / 8**2)
    found = paired_bootstrap(2.0, drawn, SEVEN, disagreement=0.3, confidence=0.9)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.9, 7, 2, error))
    assert np.isnan(found[4:]).all()


def test_without_variance_a_sign_test_is_left() -> None:
    """All nine locations have the same difference: as rare as nine equal coins."""
    found = paired_bootstrap(0.2, np.full(5, 0.2), SEVEN, rope=0.01)
    assert found == pytest.approx((0.2, 0.2, 0.2, 2 * 0.5**9, 1, 0, 0))
    assert paired_bootstrap(0.0, np.zeros(5), SEVEN, rope=0.01) == (0, 0, 0, 1, 0, 1, 0)


def test_a_scene_of_one_location_gives_no_p_value() -> None:
    """However many locations the other scenes have."""
    clips = clips_of(n_locations=4)
    clips = clips[(clips["scene"] != "mall") | (clips["location"] == "mall-0")]
    result = paired_location_bootstrap(
        frame_of(clips, guesses(clips, 1.0, 0)), frame_of(clips, guesses(clips, 0.0, 0)), MACRO
    )
    assert result.difference == 1
    assert np.isnan(result[1:]).all()
    undefined = paired_bootstrap(0.1, np.full(5, math.nan), SEVEN)
    assert np.isnan(undefined[1:]).all()


def test_different_clips_are_refused() -> None:
    whole = frame_of(CLIPS, guesses(CLIPS, 0.7, 1))
    with pytest.raises(DataError, match=r"not scored on the same clips: 1 \(such as '.*'\) only in 'a', 0 only"):
        paired_location_bootstrap(whole, whole.iloc[1:], MACRO)
    moved = whole.assign(location=whole["location"].where(whole.index > 0, "elsewhere"))
    with pytest.raises(DataError, match=r"know different things of 1 clips.*elsewhere"):
        paired_location_bootstrap(whole, moved, MACRO)


@pytest.mark.slow
def test_calibration_of_mcnemar_and_the_published_test_with_independent_clips() -> None:
    """Two systems of 60 % on the same 360 clips, latent correlation 0.8; then 60 against 66 %."""
    rng = np.random.default_rng(2)
    n_worlds, n = 4000, 360

    def rejected(accuracy_a: float, accuracy_b: float) -> tuple[float, float]:
        found = np.zeros(2)
        for _ in range(n_worlds):
            latent = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=n)
            right = latent < stats.norm.ppf([accuracy_a, accuracy_b])
            only = [int((right[:, i] & ~right[:, 1 - i]).sum()) for i in (0, 1)]
            z = two_proportion_z(right[:, 1].mean(), right[:, 0].mean(), n, n).z
            found += [mcnemar_exact(*only) <= 0.05, abs(z) > 1.96]
        mcnemar, published_test = found / n_worlds
        return float(mcnemar), float(published_test)

    mcnemar, published_test = rejected(0.60, 0.60)
    assert 0.02 < mcnemar <= 0.06
    assert published_test < 0.01
    mcnemar, published_test = rejected(0.60, 0.66)
    assert mcnemar > 0.6
    assert published_test < 0.4


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_paired_p_lies_in_range(seed: int) -> None:
    small = clips_of(per_location=2, n_locations=2, devices=("A",))
    a, b = (frame_of(small, guesses(small, 0.5, s)) for s in (seed, seed + 1))
    assert 0 < paired_location_bootstrap(a, b, MACRO, n_resamples=50, seed=seed).p <= 1
