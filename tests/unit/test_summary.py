from __future__ import annotations

import math
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from asc_bench.errors import ConfigError, DataError
from asc_bench.labels import LabelSpace
from asc_bench.scoring.completeness import completeness
from asc_bench.scoring.frames import (
    SCORE_COLUMNS,
    SIGNIFICANCE_COLUMNS,
    score_table,
    significance_table,
    tied_with_best,
)
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.predictions import prediction_frame
from asc_bench.scoring.significance import (
    mcnemar_exact,
    stratified_z,
    two_proportion_z,
)
from tests.unit.made_predictions import LABELS, clips_of, frame_of, guesses, stacked
from tests.unit.scores import location_bootstrap, measure, paired_location_bootstrap

CLIPS = clips_of(per_location=10, n_locations=6)
AVERAGE = Measure("average", strata="device", of=("A", "B"))
B = Measure("B", strata="device", of=("B",))
MACRO = Measure("macro")
EXPECTED = {"fold1": {"A": 180, "B": 180}}


def runs(**accuracies: float) -> pd.DataFrame:
    return stacked({name: frame_of(CLIPS, guesses(CLIPS, x, i)) for i, (name, x) in enumerate(accuracies.items())})


def test_score_table_is_measure_and_interval() -> None:
    predictions = runs(b=0.5, a=0.8)
    table = score_table(predictions, [AVERAGE, B], n_resamples=200, seed=4, expected=EXPECTED)
    assert tuple(table.columns) == SCORE_COLUMNS
    assert table["system"].tolist() == ["b", "b", "a", "a"]
    assert table["measure"].tolist() == ["average", "B"] * 2
    assert table["n"].tolist() == [360, 180] * 2
    assert set(table["n_locations"]) == {18}
    assert set(table["n_repeats"]) == {1}
    assert table["sd_repeats"].isna().all()
    assert set(table["incomplete"]) == {""}
    for row in table.itertuples():
        wanted = AVERAGE if row.measure == "average" else B
        own = predictions[predictions["system"] == row.system]
        assert row.value == measure(own, wanted)
        assert (row.low, row.high) == location_bootstrap(own, wanted, n_resamples=200, seed=4)


def test_adding_a_system_moves_no_other_number() -> None:
    two, three = runs(a=0.5, b=0.8), runs(a=0.5, b=0.8, c=0.9)
    pd.testing.assert_frame_equal(
        score_table(three, [AVERAGE], n_resamples=100).iloc[:2], score_table(two, [AVERAGE], n_resamples=100)
    )


def test_spread_over_repeats() -> None:
    frames = [frame_of(CLIPS, guesses(CLIPS, 0.7, seed)) for seed in range(3)]
    row = score_table(stacked({"a": frames}), [AVERAGE], n_resamples=50).iloc[0]
    values = [measure(frame, AVERAGE) for frame in frames]
    assert row["n_repeats"] == 3
    assert row["n"] == 360
    assert row["value"] == pytest.approx(np.mean(values))
    assert row["sd_repeats"] == pytest.approx(np.std(values, ddof=1))


def test_one_clip_short_is_no_score() -> None:
    whole = runs(a=0.5, b=0.8)
    lost = whole.index[(whole["system"] == "b") & (whole["device"] == "B")][0]
    table = score_table(whole.drop(index=lost), [AVERAGE, B], n_resamples=50, expected=EXPECTED)
    short = table[table["system"] == "b"]
    assert short[["value", "low", "high"]].isna().all(axis=None)
    assert set(short["incomplete"]) == {"179/180 on device B, fold1: incomplete"}
    assert short["n"].tolist() == [359, 179]
    assert table.loc[table["system"] == "a", "value"].notna().all()


def test_completeness_sentences() -> None:
    frame = frame_of(CLIPS, guesses(CLIPS, 0.5, 0))
    assert completeness(EXPECTED, stacked({"a": frame})) == ()
    two_folds = {"fold1": {"A": 180, "B": 180}, "fold2": {"A": 7}}
    assert completeness(two_folds, stacked({"a": frame})) == ("0/7 on device A, fold2: incomplete",)
    assert completeness({"fold1": {"A": 180}}, stacked({"a": frame})) == (
        "180/0 on device B, fold1: more than expected",
    )
    repeats = stacked({"a": [frame, frame.iloc[2:]]})
    assert completeness(EXPECTED, repeats) == (
        "179/180 on device A, fold1, repeat 1: incomplete",
        "179/180 on device B, fold1, repeat 1: incomplete",
    )
    no_device = stacked({"a": frame.assign(device="")})
    assert completeness({"fold1": {"": 361}}, no_device) == ("360/361 in fold1: incomplete",)
    validation_only = stacked({"a": frame.assign(split="validation")})
    assert len(completeness(EXPECTED, validation_only)) == 2
    n_fine, n_coarse = len(CLIPS), len(LABELS.coarse)
    both = prediction_frame(
        CLIPS,
        LABELS,
        {"fine": np.full((n_fine, 3), 1 / 3), "coarse": np.full((n_fine, n_coarse), 0.5)},
        split="test",
    )
    lost = both.index[both["level"] == "coarse"][0]
    assert completeness(EXPECTED, stacked({"a": both.drop(index=lost)})) == (
        "179/180 on device A, fold1, coarse labels: incomplete",
    )


def test_duplicates_are_refused_before_any_score() -> None:
    whole = runs(a=0.5)
    doubled = pd.concat([whole, whole.iloc[[0]]])
    with pytest.raises(DataError, match="occur twice"):
        score_table(doubled, [AVERAGE], expected=EXPECTED)
    with pytest.raises(DataError, match="occur twice"):
        significance_table(pd.concat([doubled, runs(a=0.5, b=0.6)[lambda f: f["system"] == "b"]]), AVERAGE)


def test_significance_table_is_the_single_tests() -> None:
    predictions = runs(a=0.5, b=0.8)
    row = significance_table(predictions, AVERAGE, n_resamples=300, seed=2).iloc[0]
    better, worse = (predictions[predictions["system"] == s] for s in "ba")
    right = [(f["label"] == f["predicted"]).to_numpy() for f in (better, worse)]
    assert (row["system_a"], row["system_b"], row["n"], row["n_locations"]) == ("b", "a", 360, 18)
    assert row["only_a"] == (right[0] & ~right[1]).sum()
    assert row["only_b"] == (right[1] & ~right[0]).sum()
    assert row["p_mcnemar"] == mcnemar_exact(row["only_a"], row["only_b"])
    values = [measure(f, AVERAGE) for f in (better, worse)]
    assert (row["z_published"], row["p_published"]) == two_proportion_z(values[0], values[1], 360, 360)
    by_device = [[measure(f, Measure(d, strata="device", of=(d,))) for d in "AB"] for f in (better, worse)]
    assert (row["z_stratified"], row["p_stratified"]) == pytest.approx(
        stratified_z(by_device[0], by_device[1], [180, 180])
    )
    bootstrap = paired_location_bootstrap(better, worse, AVERAGE, n_resamples=300, seed=2)
    columns = ["difference", "low", "high", "p_bootstrap", "p_better", "p_equivalent"]
    assert row[columns].tolist() == pytest.approx(bootstrap[:6])
    assert (row["dof"], row["rope"]) == (pytest.approx(15), 0.01)
    assert row["p_bootstrap_holm"] == row["p_bootstrap"]


def test_all_pairs_or_one_reference() -> None:
    predictions = runs(low=0.4, mid=0.6, high=0.8)
    table = significance_table(predictions, AVERAGE, n_resamples=200)
    assert tuple(table.columns) == SIGNIFICANCE_COLUMNS
    assert list(zip(table["system_a"], table["system_b"], strict=True)) == [
        ("high", "mid"),
        ("high", "low"),
        ("mid", "low"),
    ]
    assert (table["difference"] > 0).all()
    assert (table["p_published"] <= 0.5).all()
    assert (table["p_bootstrap_holm"] >= table["p_bootstrap"]).all()
    against = significance_table(predictions, AVERAGE, reference="mid", n_resamples=200)
    assert list(zip(against["system_a"], against["system_b"], strict=True)) == [
        ("high", "mid"),
        ("mid", "low"),
    ]
    with pytest.raises(
        ConfigError, match="reference system 'best' is not among the systems; there are: low, mid, high"
    ):
        significance_table(predictions, AVERAGE, reference="best")


def test_one_system_alone_makes_no_pair() -> None:
    table = significance_table(runs(a=0.5), AVERAGE)
    assert table.empty
    assert tuple(table.columns) == SIGNIFICANCE_COLUMNS
    assert tied_with_best(runs(a=0.5), AVERAGE) == {"a"}


def test_mcnemar_counts_the_first_repeat() -> None:
    a = [frame_of(CLIPS, guesses(CLIPS, 0.7, seed)) for seed in (1, 2)]
    b = frame_of(CLIPS, guesses(CLIPS, 0.6, 3))
    repeated = significance_table(stacked({"a": a, "b": b}), AVERAGE, n_resamples=50).iloc[0]
    first = significance_table(stacked({"a": a[0], "b": b}), AVERAGE, n_resamples=50).iloc[0]
    assert (repeated["only_a"], repeated["only_b"]) == (first["only_a"], first["only_b"])
    assert repeated["difference"] != first["difference"]


def test_holm_can_be_passed_by_many_systems_with_few_resamples() -> None:
    """66 pairs; the number of resamples bounds no p-value."""
    systems = {f"s{i}": frame_of(CLIPS, guesses(CLIPS, 0.3, i)) for i in range(11)}
    predictions = stacked({**systems, "good": frame_of(CLIPS, guesses(CLIPS, 0.95, 99))})
    assert tied_with_best(predictions, AVERAGE, n_resamples=100) == {"good"}


def test_too_few_locations_give_no_p_value_and_no_mark() -> None:
    """One scene was recorded at a single place: both systems have a score, and nothing is said of others."""
    clips = CLIPS[(CLIPS["scene"] != "mall") | CLIPS["location"].str.endswith("0")]
    predictions = stacked({name: frame_of(clips, guesses(clips, x, 0)) for name, x in (("a", 0.8), ("b", 0.4))})
    row = significance_table(predictions, AVERAGE).iloc[0]
    assert (row["system_a"], row["n_locations"], row["dof"]) == ("a", 13, 0)
    assert row[["difference", "z_published", "p_stratified", "p_mcnemar"]].notna().all()
    empty = ["low", "high", "p_bootstrap", "p_bootstrap_holm", "p_better", "p_equivalent"]
    assert row[empty].isna().all()
    assert tied_with_best(predictions, AVERAGE) == {"a"}
    scores = score_table(predictions, [AVERAGE])
    assert scores["value"].notna().all() and scores[["low", "high"]].isna().all(axis=None)


def test_rope() -> None:
    """One point for percent, none for others, or as asked for; A's side is the better one, whichever is higher."""
    predictions = runs(a=0.5, b=0.6)
    default, asked = (significance_table(predictions, AVERAGE, rope=r).iloc[0] for r in (None, 0.05))
    assert (default["rope"], asked["rope"]) == (0.01, 0.05)
    assert default["p_better"] > asked["p_better"] and default["p_equivalent"] < asked["p_equivalent"]
    loss = Measure("log loss", average="clips", statistic="log-loss")
    assert significance_table(predictions, loss)[["rope", "p_better", "p_equivalent"]].isna().all(axis=None)
    row = significance_table(predictions, loss, rope=0.001).iloc[0]
    assert row["system_a"] == "b" and row["difference"] < 0
    half = stats.t.ppf(0.975, row["dof"])
    error = (row["high"] - row["low"]) / 2 / half
    assert row["p_better"] == pytest.approx(stats.t.cdf(-0.001, row["dof"], row["difference"], error))
    with pytest.raises(ConfigError, match=r"rope is -0\.1, must not be negative"):
        significance_table(predictions, AVERAGE, rope=-0.1)


def test_tied_with_best() -> None:
    assert tied_with_best(runs(a=0.80, b=0.79, c=0.3), AVERAGE, n_resamples=400) == {"a", "b"}


def test_systems_on_different_clips_are_not_compared() -> None:
    whole = runs(a=0.5, b=0.6)
    lost = whole.index[whole["system"] == "a"][0]
    with pytest.raises(DataError, match=r"0 only in 'a'|0 only in 'b'"):
        significance_table(whole.drop(index=lost), AVERAGE)
    with pytest.raises(DataError, match="no column 'system'"):
        score_table(frame_of(CLIPS, guesses(CLIPS, 0.5, 0)), [AVERAGE])


def test_speed_at_full_size() -> None:
    """Ten systems on 2,878 clips: well below 0.2 s for each system and measure, on an idle core."""
    labels = LabelSpace(tuple(f"scene{i}" for i in range(10)))
    clips = pd.concat(
        [
            clips_of(per_location=n, n_locations=15, devices=(device,), scenes=labels.fine)
            for device, n in (("A", 17), ("B", 1), ("C", 1))
        ]
    )
    predictions = stacked({f"s{i}": frame_of(clips, guesses(clips, 0.6, i, labels), labels) for i in range(3)})
    measures = [Measure(d, strata="device", of=(d,)) for d in "ABC"]
    measures += [Measure("average", strata="device", of=("A", "B", "C")), Measure("clips", average="clips")]
    start = time.process_time()
    score_table(predictions, measures)
    assert time.process_time() - start < 0.2 * 3 * len(measures)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, asc_bench.scoring.frames, asc_bench.scoring.predictions;"
        "heavy = {'torch', 'sklearn', 'scipy', 'matplotlib', 'librosa'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_nan_is_never_a_complete_score() -> None:
    table = score_table(runs(a=0.0, b=1.0), [AVERAGE, MACRO], n_resamples=20, expected=EXPECTED)
    assert table["value"].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert not any(math.isnan(x) for x in [*table["low"], *table["high"]])
