from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from asc_bench.errors import ConfigError, DataError
from asc_bench.scoring.bootstrap import cluster_weights
from asc_bench.scoring.measure import Measure
from tests.unit.made_predictions import LABELS, clips_of, frame_of, guesses, stacked
from tests.unit.scores import clip_scores, location_bootstrap, measure, n_locations, resampled_values, wilson

CLIPS = clips_of(per_location=5, n_locations=6)
AVERAGE = Measure("average", strata="device", of=("A", "B"))
MACRO = Measure("macro")


def test_confidence_is_a_fraction() -> None:
    with pytest.raises(ConfigError, match="confidence is 95"):
        location_bootstrap(frame_of(CLIPS, guesses(CLIPS, 0.5, 0)), MACRO, confidence=95)
    with pytest.raises(ConfigError, match="confidence is 0"):
        location_bootstrap(frame_of(CLIPS, guesses(CLIPS, 0.5, 0)), MACRO, confidence=0)


def slowly_resampled(scores: pd.DataFrame, locations: dict[str, list[tuple[str, float]]], macro: bool) -> float:
    """The measure on resampled locations, by repeating rows: the definition, clip by clip."""
    total: dict[tuple[str, str], float] = {}
    right: dict[tuple[str, str], float] = {}
    for row in scores.to_dict("records"):
        for location, weight in locations[row["scene"]]:
            if location == row["location"]:
                cell = (row["stratum"], row["label"] if macro else "")
                total[cell] = total.get(cell, 0) + weight
                right[cell] = right.get(cell, 0) + weight * row["correct"]
    by_stratum = [
        np.mean([right[cell] / total[cell] for cell in total if cell[0] == stratum])
        for stratum in sorted({cell[0] for cell in total})
    ]
    return float(np.mean(by_stratum))


@pytest.mark.parametrize("average", ["macro", "clips"])
def test_matrix_products_equal_the_slow_definition(average: str) -> None:
    # Uneven clusters, and device B at one location of a scene only, so that cells run empty.
    clips = CLIPS.sample(n=60, random_state=0)
    clips = clips[~((clips["device"] == "B") & (clips["scene"] == "mall") & (clips["location"] != "mall-2"))]
    wanted = Measure("m", strata="device", of=("A", "B"), average=average)  # type: ignore[arg-type]
    scores = clip_scores(frame_of(clips, guesses(clips, 0.6, 1)), wanted)
    observed, resampled = resampled_values(scores, scores[["correct"]].to_numpy(), wanted, n_resamples=40, seed=5)
    places = scores[["scene", "location"]].drop_duplicates().sort_values(["scene", "location"])
    sizes = places.groupby("scene").size().to_numpy()
    weights = cluster_weights(sizes, n_resamples=40, rng=np.random.default_rng(5))
    for drawn, value in zip(weights, resampled[:, 0], strict=True):
        pairs = list(zip(places["scene"], places["location"], drawn, strict=True))
        locations = {s: [(x, w) for scene, x, w in pairs if scene == s and w > 0] for s in LABELS.fine}
        assert value == pytest.approx(slowly_resampled(scores, locations, average == "macro"))
    assert observed[0] == pytest.approx(measure(frame_of(clips, guesses(clips, 0.6, 1)), wanted))


def test_weights_have_the_moments_of_the_rescaled_bootstrap() -> None:
    weights = cluster_weights(np.array([2, 1, 8]), n_resamples=20_000, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(weights[:, :2].sum(axis=1), 2)
    np.testing.assert_array_equal(weights[:, 2], 1)
    np.testing.assert_allclose(weights[:, 3:].sum(axis=1), 8)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.05)
    # The variance of a stratum's mean must be s^2 / m, with s^2 the unbiased variance over clusters.
    values = np.arange(8.0)
    means = weights[:, 3:] @ values / 8
    assert means.var() == pytest.approx(values.var(ddof=1) / 8, rel=0.05)


def test_the_width_agrees_with_theory() -> None:
    """Independent clips, one per location: the bootstrap must find the binomial standard error."""
    clips = clips_of(per_location=1, n_locations=300, devices=("A",))
    frame = frame_of(clips, guesses(clips, 0.7, 3))
    low, high = location_bootstrap(frame, MACRO)
    p = frame.groupby("scene")["label_rank"].agg(lambda rank: (rank == 1).mean())
    error = math.sqrt((p * (1 - p) / 300).sum()) / 3
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.07)
    assert low < measure(frame, MACRO) < high


def test_duplicated_clips_do_not_shrink_the_interval() -> None:
    predicted = guesses(CLIPS, 0.6, 7)
    twins = CLIPS.assign(clip_id=CLIPS["clip_id"] + "-again")
    once = frame_of(CLIPS, predicted)
    twice = frame_of(pd.concat([CLIPS, twins]), np.concatenate([predicted, predicted]))
    assert location_bootstrap(twice, AVERAGE) == pytest.approx(location_bootstrap(once, AVERAGE), abs=1e-12)
    assert measure(twice, AVERAGE) == pytest.approx(measure(once, AVERAGE))
    naive = wilson(2 * 60, 2 * 100), wilson(60, 100)
    assert naive[0].high - naive[0].low < naive[1].high - naive[1].low


def test_only_the_seed_moves_it() -> None:
    frame = frame_of(CLIPS, guesses(CLIPS, 0.6, 8))
    first = location_bootstrap(frame, AVERAGE, seed=1)
    assert location_bootstrap(frame.sample(frac=1, random_state=0), AVERAGE, seed=1) == first
    assert location_bootstrap(frame, AVERAGE, seed=2) != first
    assert n_locations(frame, AVERAGE) == 18


def test_repeats_make_no_more_clips() -> None:
    frame = frame_of(CLIPS, guesses(CLIPS, 0.6, 9))
    assert location_bootstrap(stacked({"a": [frame, frame]}), MACRO) == location_bootstrap(frame, MACRO)


def test_one_location_per_scene_gives_no_interval() -> None:
    clips = clips_of(n_locations=1)
    interval = location_bootstrap(frame_of(clips, guesses(clips, 0.5, 0)), MACRO)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_interval_refuses() -> None:
    frame = frame_of(CLIPS, guesses(CLIPS, 0.6, 9))
    with pytest.raises(ConfigError, match="n_resamples is 0"):
        location_bootstrap(frame, MACRO, n_resamples=0)
    with pytest.raises(DataError, match=r"device \['C'\]"):
        location_bootstrap(frame, Measure("C", strata="device", of=("C",)))


def test_locations_that_hold_many_scenes_are_resampled_as_a_whole() -> None:
    clips = clips_of(per_location=2, n_locations=2)
    clips["location"] = clips["location"].str[-1]  # the same two places for every scene
    true = LABELS.encode(clips["scene"])
    at_first = (clips["location"] == "0").to_numpy()
    predictions = stacked({"system": frame_of(clips, np.where(at_first, true, (true + 1) % 3))})
    alike, apart = Measure("macro", clusters="any"), Measure("macro")
    scores = clip_scores(predictions, alike)
    assert n_locations(predictions, alike) == 2 and n_locations(predictions, apart) == 6
    correct = scores["correct"].to_numpy(float)[:, None]
    observed, drawn = resampled_values(scores, correct, alike, n_resamples=400, seed=0)
    assert observed.tolist() == [0.5]
    # One of the two places is drawn, with all its scenes: everything is right, or nothing.
    assert set(drawn.ravel().round(12)) == {0.0, 1.0}
    assert 0.4 < drawn.mean() < 0.6
