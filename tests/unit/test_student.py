from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import special, stats
from scipy.linalg import block_diag

from asc_bench.scoring.measure import Measure
from asc_bench.scoring.rows import clip_rows
from asc_bench.scoring.student import Locations, locations_of, value_interval, weighted_locations
from tests.unit.made_predictions import clips_of, frame_of, guesses
from tests.unit.scores import location_bootstrap

SEVEN = Locations(n=9, effective=8.0, dof=7.0)
UNIT = (0.0, 1.0)
DRAWN = np.array([0.86, 0.9, 0.92, 0.95, math.nan])
"""Resampled values; about an observed 0.9 their root mean square is known."""
ERROR = math.sqrt((0.04**2 + 0.02**2 + 0.05**2) / 4)


@pytest.mark.parametrize(("n_scenes", "n_each"), [(10, 2), (3, 7), (1, 2), (1, 30)])
def test_equal_locations_have_clusters_minus_groups(n_scenes: int, n_each: int) -> None:
    n = n_scenes * n_each
    found = weighted_locations(np.full(n, 0.3), np.full(n_scenes, n_each))
    assert found == pytest.approx((n, n, n - n_scenes))
    assert not found.too_few


def test_unequal_scenes_by_welch_and_satterthwaite() -> None:
    """Means of two scenes with one variance of locations: the textbook's degrees of freedom of their sum."""
    sizes = np.array([2, 20])
    weights = np.repeat(0.5 / sizes, sizes)
    of_means = 0.25 / sizes
    expected = of_means.sum() ** 2 / (of_means**2 / (sizes - 1)).sum()
    assert weighted_locations(weights, sizes).dof == pytest.approx(expected)
    assert expected < 1.3


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(2, 6), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_unequal_weights_by_matrices(sizes: list[int], seed: int) -> None:
    """The variance estimate is a quadratic form of normal deviations: 2 E^2 / Var by its traces."""
    weights = np.random.default_rng(seed).uniform(0.01, 1, size=sum(sizes))
    form = block_diag(*((np.eye(m) - 1 / m) * m / (m - 1) for m in sizes)) @ np.diag((weights / weights.sum()) ** 2)
    found = weighted_locations(weights, np.array(sizes))
    assert found.dof == pytest.approx(np.trace(form) ** 2 / np.trace(form @ form))
    assert found.effective == pytest.approx(1 / np.trace(form))
    assert 1 - 1e-9 <= found.dof <= sum(sizes) - len(sizes) + 1e-9


def test_a_device_at_few_locations_has_their_degrees_of_freedom() -> None:
    """Device B at two of six locations of a scene: these carry two thirds of the average of A and B."""
    clips = clips_of(per_location=5, n_locations=6, scenes=("airport",))
    clips = clips[(clips["device"] == "A") | clips["location"].isin(["airport-0", "airport-1"])]
    rows = clip_rows(frame_of(clips, guesses(clips, 0.5, 0)), Measure("mean", strata="device", of=("A", "B")))
    weights = np.array([1 / 12 + 1 / 4] * 2 + [1 / 12] * 4)
    assert locations_of(rows) == pytest.approx(weighted_locations(weights, np.array([6])))
    alone = clip_rows(frame_of(clips, guesses(clips, 0.5, 0)), Measure("B", strata="device", of=("B",)))
    assert locations_of(alone) == pytest.approx((2, 2, 1))


def test_clips_weigh_as_in_the_measure() -> None:
    clips = clips_of(per_location=2, n_locations=3)
    clips = clips[(clips["scene"] != "mall") | (clips["location"] == "mall-1")]
    frame = frame_of(clips, guesses(clips, 0.6, 1))
    for wanted in (Measure("macro"), Measure("clips", average="clips"), Measure("both", strata="device")):
        rows = clip_rows(frame, wanted)
        weights = rows.clip_weights()
        assert weights.sum() == pytest.approx(1)
        # The measure is their sum over the clips that are right.
        assert weights @ rows.sums[0, :, 1] == pytest.approx(rows.value())


@pytest.mark.parametrize("wanted", [Measure("macro"), Measure("clips", average="clips")])
def test_a_scene_of_one_location_has_no_interval(wanted: Measure) -> None:
    clips = clips_of(n_locations=4)
    clips = clips[(clips["scene"] != "mall") | (clips["location"] == "mall-0")]
    frame = frame_of(clips, guesses(clips, 0.6, 1))
    assert locations_of(clip_rows(frame, wanted)).too_few
    assert np.isnan(location_bootstrap(frame, wanted)).all()
    alike = Measure("alike", average="clips", clusters="any")
    assert locations_of(clip_rows(frame, alike)).dof == pytest.approx(8)
    assert not np.isnan(location_bootstrap(frame, alike)).any()


def test_a_measure_with_two_bounds_on_the_logit() -> None:
    half = stats.t.ppf(0.975, 7) * ERROR / (0.9 * 0.1)
    expected = special.expit(special.logit(0.9) + np.array([-half, half]))
    assert value_interval(0.9, DRAWN, SEVEN, bounds=UNIT, share=False) == pytest.approx(expected)
    # The same between other bounds.
    found = value_interval(8.0, 10 * DRAWN - 1, SEVEN, bounds=(-1.0, 9.0), share=False)
    assert found == pytest.approx(10 * expected - 1)


def test_a_share_of_clips_with_a_quarter_of_a_made_up_location() -> None:
    centre = (8 * 0.9 + 0.125) / 8.25
    error = math.sqrt((8 * ERROR) ** 2 + 0.25 * (0.5 - centre) ** 2) / 8.25
    half = stats.t.ppf(0.95, 7) * error / (centre * (1 - centre))
    expected = special.expit(special.logit(centre) + np.array([-half, half]))
    found = value_interval(0.9, DRAWN, SEVEN, bounds=UNIT, share=True, confidence=0.9)
    assert found == pytest.approx(expected)


def test_a_measure_with_one_bound_on_the_logarithm_or_with_none_as_it_is() -> None:
    half = stats.t.ppf(0.975, 7) * ERROR
    found = value_interval(0.9, DRAWN, SEVEN, bounds=(0.0, math.inf), share=False)
    assert found == pytest.approx(np.exp(np.log(0.9) + np.array([-half, half]) / 0.9))
    mirrored = value_interval(-0.9, -DRAWN, SEVEN, bounds=(-math.inf, 0.0), share=False)
    assert mirrored == pytest.approx((-found.high, -found.low))
    found = value_interval(0.9, DRAWN, SEVEN, bounds=(-math.inf, math.inf), share=False)
    assert found == pytest.approx((0.9 - half, 0.9 + half))


def test_on_a_bound() -> None:
    """All right at eight locations says little of the ninth; a score that is no share of clips is cut."""
    low, high = value_interval(1.0, np.ones(5), SEVEN, bounds=UNIT, share=True)
    assert 0.3 < low < 0.8
    assert high == 1.0
    half = stats.t.ppf(0.975, 7) * 0.1
    found = value_interval(1.0, np.array([0.9, 1.1]), SEVEN, bounds=UNIT, share=False)
    assert found == pytest.approx((1 - half, 1.0))
    assert np.isnan(value_interval(0.5, np.full(3, math.nan), SEVEN, bounds=UNIT, share=True)).all()


@settings(max_examples=60, deadline=None)
@example(value=2.2e-309, spread=0.0, dof=1.0, upper=1.0, share=False)
@given(
    value=st.floats(0, 1),
    spread=st.floats(0, 1),
    dof=st.floats(1, 200),
    upper=st.sampled_from([1.0, 34.5, math.inf]),
    share=st.booleans(),
)
def test_an_interval_holds_its_value_within_the_bounds(
    value: float, spread: float, dof: float, upper: float, share: bool
) -> None:
    drawn = np.array([value - spread, value + spread])
    share = share and upper == 1.0
    low, high = value_interval(value, drawn, Locations(5, 4.5, dof), bounds=(0.0, upper), share=share)
    assert 0 <= low <= value <= high <= upper
