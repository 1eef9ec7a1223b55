from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn import metrics as oracle

from asc_bench.errors import ConfigError
from asc_bench.scoring.accuracy import label_ranks
from asc_bench.scoring.frames import score_table, significance_table, tied_with_best
from asc_bench.scoring.measure import PROBABILITY_MEASURES, STATISTICS, Measure
from asc_bench.scoring.predictions import prediction_frame, read_predictions, write_predictions
from asc_bench.scoring.rows import clip_rows
from asc_bench.scoring.statistic import EPSILON, CalibrationError, ScoredClips, Statistic, mean_of
from tests.unit.made_predictions import LABELS, clips_of, stacked

CLIPS = clips_of()
LOG_LOSS, BRIER, ECE = PROBABILITY_MEASURES


def drawn(seed: int, *, sharpness: float = 1.0) -> pd.DataFrame:
    """Predictions of a system that leans to the truth."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(CLIPS), len(LABELS.fine)))
    logits[np.arange(len(CLIPS)), LABELS.encode(CLIPS["scene"])] += sharpness
    odds = np.exp(3 * logits)
    return prediction_frame(CLIPS, LABELS, {"fine": odds / odds.sum(axis=1, keepdims=True)}, split="test")


def truth(frame: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    return LABELS.encode(frame["label"]), np.stack(frame["probabilities"].to_list()).astype(np.float64)


def test_log_loss_against_sklearn() -> None:
    frame = drawn(0)
    label, probabilities = truth(frame)
    expected = oracle.log_loss(label, probabilities / probabilities.sum(axis=1, keepdims=True), labels=range(3))
    assert clip_rows(frame, LOG_LOSS).value() == pytest.approx(expected, abs=1e-6)
    by_class = [
        oracle.log_loss(label[label == c], probabilities[label == c], labels=range(3)) for c in np.unique(label)
    ]
    macro = Measure("macro", statistic="log-loss")
    assert clip_rows(frame, macro).value() == pytest.approx(np.mean(by_class), abs=1e-6)


def test_brier_score_against_sklearn() -> None:
    frame = drawn(1)
    label, probabilities = truth(frame)
    one_hot = np.eye(3)[label]
    per_class = [oracle.brier_score_loss(one_hot[:, c], probabilities[:, c]) for c in range(3)]
    assert clip_rows(frame, BRIER).value() == pytest.approx(sum(per_class), abs=1e-6)


def test_calibration_error_of_a_case_by_hand() -> None:
    # Bin (0.6, 0.8] holds 0.7 and 0.8 (both right), bin (0.4, 0.6] holds 0.6 (wrong) and 0.5 (right).
    tops = np.array([0.7, 0.8, 0.6, 0.5])
    probabilities = np.stack([tops, 1 - tops], axis=1)
    clips = ScoredClips(np.array([1, 1, 2, 1]), probabilities)
    statistic = CalibrationError(n_bins=5)
    found = statistic.value(statistic.per_clip(clips).sum(axis=0))
    assert found == pytest.approx((abs(1.5 - 2) + abs(1.1 - 1)) / 4)


def test_calibration_error_against_binned_means() -> None:
    frame = drawn(2, sharpness=0.3)
    label, probabilities = truth(frame)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == label
    bins = pd.cut(pd.Series(confidence), np.linspace(0, 1, 16), include_lowest=True)
    table = pd.DataFrame({"confidence": confidence, "right": right}).groupby(bins, observed=True)
    means, sizes = table.mean(), table.size()
    expected = ((means["confidence"] - means["right"]).abs() * sizes).sum() / len(frame)
    assert clip_rows(frame, ECE).value() == pytest.approx(expected, abs=1e-6)


def test_a_certain_mistake_is_finite_and_the_same_after_storage(tmp_path) -> None:
    sure = np.zeros((len(CLIPS), 3))
    sure[:, 0] = 1.0
    frame = prediction_frame(CLIPS, LABELS, {"fine": sure}, split="test")
    write_predictions(frame, tmp_path / "p.parquet", LABELS)
    again = read_predictions(tmp_path / "p.parquet")
    before, after = (clip_rows(f, LOG_LOSS).value() for f in (frame, again))
    wrong = float((frame["label"] != LABELS.fine[0]).mean())
    assert before == after == pytest.approx(-wrong * math.log(EPSILON), rel=1e-9)


def test_the_true_class_is_found_from_its_rank_alone_also_where_probabilities_are_equal() -> None:
    probabilities = np.array([[0.2, 0.4, 0.4], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.0, 0.5]])
    label = np.array([2, 1, 2])
    clips = ScoredClips(label_ranks(probabilities, label), probabilities)
    assert clips.label.tolist() == label.tolist()
    assert clips.label_probability.tolist() == [0.4, 1 / 3, 0.5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"statistic": "acuracy"}, "there is no statistic 'acuracy'; did you mean 'accuracy'"),
        ({"statistic": "logloss"}, "did you mean 'log-loss'"),
        ({"strata": "devices"}, "there is no strata 'devices'; did you mean 'device'"),
        ({"average": "micro"}, "there is no average 'micro'; did you mean 'macro'"),
        ({"clusters": "scenes"}, "there is no clusters 'scenes'; did you mean 'scene'"),
        ({"top_k": 0}, "top_k is 0, must be at least 1"),
        ({"statistic": "brier", "top_k": 2}, "top_k is of the accuracy, not of 'brier'"),
        (
            {"statistic": "log-loss", "derived": LABELS},
            "'log-loss' needs probabilities of the coarse classes",
        ),
        ({"statistic": "detection-error-rate"}, 'set strata="", average="clips" and clusters="any"'),
    ],
)
def test_what_a_measure_refuses(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Measure("m", **settings)


@pytest.mark.parametrize("name", sorted(STATISTICS))
def test_every_statistic_says_what_it_is(name: str) -> None:
    statistic = STATISTICS[name]
    low, high = statistic.bounds
    assert statistic.unit in ("percent", "nats", "ratio") and low < high
    assert not (statistic.proportion and statistic.unit != "percent")


class Surprise(Statistic):
    """Of a plug-in: mean surprise in nats, lower is better."""

    name = "surprise"
    unit: ClassVar = "nats"
    higher_is_better = False
    bounds = (0.0, math.inf)

    def per_clip(self, clips: ScoredClips) -> npt.NDArray[np.float64]:
        return np.stack([np.ones(len(clips)), -np.log(clips.label_probability)], axis=1)

    def value(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return mean_of(sums)


def test_a_statistic_of_ones_own_where_lower_is_better() -> None:
    wanted = Measure("surprise", statistic=Surprise(), average="clips")
    assert (wanted.unit, wanted.higher_is_better, wanted.proportion) == ("nats", False, False)
    runs = stacked({"vague": drawn(3, sharpness=0.1), "sure": drawn(3, sharpness=2.0)})
    table = significance_table(runs, wanted)
    row = table.iloc[0]
    assert (row["system_a"], row["system_b"]) == ("sure", "vague") and row["difference"] < 0
    assert row[["z_published", "p_published", "z_stratified", "p_mcnemar", "only_a"]].isna().all()
    assert tied_with_best(runs, wanted) == {"sure"}
    scores = score_table(runs, [wanted, LOG_LOSS]).set_index(["system", "measure"])
    own, built_in = (scores.loc[("sure", name)] for name in ("surprise", "log loss"))
    bounds = ["low", "high"]
    pd.testing.assert_series_equal(own.drop(bounds), built_in.drop(bounds), check_names=False)
    # Log loss has an upper bound, far away, so that its scale is nearly the logarithm.
    assert own[bounds].tolist() == pytest.approx(built_in[bounds].tolist(), rel=0.01)
    assert own["low"] < own["value"] < own["high"]


def test_a_statistic_that_loses_clips_is_refused() -> None:
    class Short(Surprise):
        def per_clip(self, clips: ScoredClips) -> npt.NDArray[np.float64]:
            return super().per_clip(clips)[1:]

    with pytest.raises(ConfigError, match=r"statistic 'surprise': per_clip gave shape \(\d+, 2\), expected"):
        clip_rows(drawn(4), Measure("m", statistic=Short()))
