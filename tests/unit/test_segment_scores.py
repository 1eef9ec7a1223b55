from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from asc_bench.errors import ConfigError, DataError, StoreError
from asc_bench.scoring.classes import CLASS_COLUMNS, class_table, threshold_range
from asc_bench.scoring.decisions import SegmentRun, segment_runs
from asc_bench.scoring.frames import SCORE_COLUMNS, score_table, significance_table
from asc_bench.scoring.measure import COMPARED_SEGMENTS, SEGMENT_MEASURES
from asc_bench.scoring.segment_predictions import segment_arrays, segment_frame
from asc_bench.scoring.significance import holm
from asc_bench.scoring.thresholds import choose_thresholds
from tests.unit.segment_factory import LABELS, clips_of, run_of

Run = tuple[dict[str, Any], pd.DataFrame]


def decided(*runs: Run, per_class: bool = False) -> list[SegmentRun]:
    return segment_runs(runs, LABELS, per_class=per_class)


def segment_score_table(runs: list[SegmentRun], **settings: Any) -> pd.DataFrame:
    return score_table(runs, SEGMENT_MEASURES, **settings)


def segment_pair_table(runs: list[SegmentRun], **settings: Any) -> pd.DataFrame:
    return significance_table(runs, COMPARED_SEGMENTS, **settings)


def values(table: pd.DataFrame, system: str, column: str = "value") -> dict[str, float]:
    rows = table[table["system"] == system]
    return dict(zip(rows["measure"], rows[column], strict=True))


def test_values_against_scikit_learn_and_a_loop_over_segments() -> None:
    run = run_of("a", noise=0.7, seed=1)
    test, validation = (segment_arrays(run[1], split=split) for split in ("test", "validation"))
    threshold = choose_thresholds(validation.detection_reference, validation.detection)[0]
    tag_threshold = choose_thresholds(validation.tagging_reference, validation.tagging)[0]
    found, tags = test.detection >= threshold, test.tagging >= tag_threshold
    errors = sum(
        max(int(there.sum()), int(guess.sum())) - int((there & guess).sum())
        for there, guess in zip(test.detection_reference.reshape(-1, 3), found.reshape(-1, 3), strict=True)
    )
    table = segment_score_table(decided(run), n_resamples=50)
    got = values(table, "a")
    assert got["detection error rate"] == pytest.approx(errors / test.detection_reference.sum())
    flat = test.detection_reference.reshape(-1, 3), found.reshape(-1, 3)
    assert got["detection F-score"] == pytest.approx(f1_score(*flat, average="micro"))
    assert got["detection precision"] == pytest.approx(precision_score(*flat, average="micro"))
    assert got["detection recall"] == pytest.approx(recall_score(*flat, average="micro"))
    assert got["tagging F1"] == pytest.approx(f1_score(test.tagging_reference, tags, average="micro"))
    p, r = (f(test.tagging_reference, tags, average="macro") for f in (precision_score, recall_score))
    assert got["tagging macro F1"] == pytest.approx(2 * p * r / (p + r))
    assert tuple(table.columns) == SCORE_COLUMNS
    assert set(table["n"]) == {24} and set(table["n_locations"]) == {12} and set(table["n_repeats"]) == {1}
    assert table["sd_repeats"].isna().all()
    assert threshold_range(decided(run), "detection") == (threshold, threshold)
    assert threshold_range(decided(run), "tagging") == (tag_threshold, tag_threshold)


def test_thresholds_do_not_know_the_test_clips() -> None:
    manifest, frame = run_of("a", noise=0.6, seed=1)
    test = frame["split"] == "test"
    turned = frame.assign(
        scores=[1 - s if t else s for s, t in zip(frame["scores"], test, strict=True)],
        reference=[1 - r if t else r for r, t in zip(frame["reference"], test, strict=True)],
    )
    before, after = decided((manifest, frame)), decided((manifest, turned))
    for level in ("tagging", "detection"):
        np.testing.assert_array_equal(before[0].thresholds[level], after[0].thresholds[level])
    assert (before[0].detection.n_reference != after[0].detection.n_reference).any()


def test_repeats_are_averaged_and_folds_are_pooled() -> None:
    runs = [run_of("a", noise=0.7, seed=s, repeat=s) for s in range(3)]
    alone = [values(segment_score_table(decided(run), n_resamples=10), "a") for run in runs]
    table = segment_score_table(decided(*runs), n_resamples=10)
    for place, value in values(table, "a").items():
        own = [one[place] for one in alone]
        assert value == pytest.approx(np.mean(own))
        assert values(table, "a", "sd_repeats")[place] == pytest.approx(np.std(own, ddof=1))
    assert set(table["n"]) == {24} and set(table["n_repeats"]) == {3}

    folds = [run_of("a", noise=0.7, seed=1, fold=f, n_clips=n) for f, n in (("one", 24), ("two", 10))]
    table = segment_score_table(decided(*folds), n_resamples=10)
    pooled = [one.detection for one in decided(*folds)]
    n_reference = sum(one.n_reference.sum() for one in pooled)
    errors = sum((one.substitutions + one.deletions + one.insertions).sum() for one in pooled)
    assert values(table, "a")["detection error rate"] == pytest.approx(errors / n_reference)
    # Clips of a location are one cluster, in whatever fold they are.
    assert set(table["n"]) == {34} and set(table["n_locations"]) == {12}


def test_intervals_widen_where_clips_share_a_location() -> None:
    """Copies of a clip at its own location tell nothing new; at places of their own they would."""

    def width(n_copies: int, *, apart: bool) -> float:
        manifest, frame = run_of("a", noise=0.7, seed=1, n_clips=30)
        copies = [
            frame.assign(
                clip_id=frame["clip_id"] + f"-{i}", location=frame["location"] + (f"-{i}" if apart else "")
            )
            for i in range(n_copies)
        ]
        table = segment_score_table(decided((manifest, pd.concat(copies))), n_resamples=1000)
        row = table.set_index("measure").loc["detection error rate"]
        assert row["low"] < row["value"] < row["high"]
        return float(row["high"] - row["low"])

    one = width(1, apart=False)
    assert width(4, apart=False) == pytest.approx(one)
    assert width(4, apart=True) == pytest.approx(one / 2, rel=0.2)


def test_the_interval_against_the_delta_method() -> None:
    """Standard error of a ratio of sums over independent locations, by linearisation."""
    runs = decided(run_of("a", noise=0.7, seed=1, n_clips=120))
    counts, location = runs[0].detection, pd.factorize(runs[0].clips["location"])[0]
    errors = np.bincount(location, counts.substitutions + counts.deletions + counts.insertions)
    reference = np.bincount(location, counts.n_reference.sum(axis=1))
    ratio, m = errors.sum() / reference.sum(), len(reference)
    variance = m / (m - 1) * ((errors - ratio * reference) ** 2).sum() / reference.sum() ** 2
    row = segment_score_table(runs, n_resamples=2000).set_index("measure").loc["detection error rate"]
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * math.sqrt(variance), rel=0.1)


def test_one_location_gives_no_interval() -> None:
    manifest, frame = run_of("a", noise=0.5, seed=1, n_clips=2)
    runs = decided((manifest, frame), ({**manifest, "variant": "b"}, frame))
    table = segment_score_table(runs, n_resamples=10)
    assert table["low"].isna().all() and table["value"].notna().all()
    pairs = segment_pair_table(runs, n_resamples=10)
    assert pairs[["low", "p_bootstrap", "p_bootstrap_holm"]].isna().all(axis=None) and (pairs["dof"] == 0).all()


def test_a_gap_leaves_no_number() -> None:
    runs = decided(run_of("short", noise=0.5, seed=1, n_clips=20), run_of("whole", noise=0.5, seed=1))
    table = segment_score_table(runs, n_resamples=20, expected={"testing": {"A": 14, "B": 10}}).set_index("system")
    assert table.loc["short", ["value", "low", "high"]].isna().all(axis=None)
    assert set(table.loc["short", "incomplete"]) == {"20/24 in testing: incomplete"}
    assert table.loc["whole", "value"].notna().all() and set(table.loc["whole", "incomplete"]) == {""}
    # A repeat that lacks clips is a gap, too, and no crash.
    ragged = decided(run_of("a", noise=0.5, seed=1), run_of("a", noise=0.5, seed=2, repeat=1, n_clips=20))
    table = segment_score_table(ragged, n_resamples=20, expected={"testing": {"": 24}})
    assert set(table["incomplete"]) == {"20/24 in testing, repeat 1: incomplete"}
    with pytest.raises(DataError, match="a: repeat 1 has 20 test clips, repeat 0 has 24"):
        segment_score_table(ragged, n_resamples=20)


def test_classes() -> None:
    runs = decided(run_of("a", noise=0.6, seed=1), run_of("a", noise=0.6, seed=2, repeat=1), per_class=True)
    table = class_table(runs, LABELS)
    assert tuple(table.columns) == CLASS_COLUMNS
    assert table["label"].tolist() == [*LABELS.fine, *LABELS.fine]
    arrays = segment_arrays(run_of("a", noise=0.6, seed=1)[1], split="test")
    assert table["n_reference"].tolist() == [
        *arrays.detection_reference.sum(axis=(0, 1)),
        *arrays.tagging_reference.sum(axis=0),
    ]
    expected = []
    for run in runs:
        counts = run.detection
        misses, alarms = (x.sum(axis=0) for x in (counts.false_negatives, counts.false_positives))
        expected.append((misses + alarms) / counts.n_reference.sum(axis=0))
    assert table["error_rate"].tolist()[:3] == pytest.approx(np.mean(expected, axis=0).tolist())
    assert table["error_rate"][3:].isna().all()
    assert table["threshold_low"][0] == min(run.thresholds["detection"][0] for run in runs)


def test_pairs() -> None:
    runs = decided(
        *(run_of(name, noise=n, seed=i) for i, (name, n) in enumerate(zip("abc", (0.9, 0.55, 0.7), strict=True)))
    )
    pairs = segment_pair_table(runs, n_resamples=400)
    table = segment_score_table(runs, n_resamples=10)
    assert len(pairs) == 9
    for measure, rows in pairs.groupby("measure"):
        value = {name: values(table, name)[str(measure)] for name in "abc"}
        sign = -1 if measure == "detection error rate" else 1
        ranked = sorted("abc", key=lambda name: -sign * value[name])
        assert list(zip(rows["system_a"], rows["system_b"], strict=True)) == [
            (ranked[0], ranked[1]),
            (ranked[0], ranked[2]),
            (ranked[1], ranked[2]),
        ]
        for row in rows.to_dict("records"):
            assert row["difference"] == pytest.approx(value[row["system_a"]] - value[row["system_b"]])
            assert row["low"] <= row["difference"] <= row["high"]
        assert rows["p_bootstrap_holm"].tolist() == holm(rows["p_bootstrap"].tolist()).tolist()
    detection = pairs[pairs["measure"] == "detection error rate"]
    assert detection["system_a"].tolist() == ["b", "b", "c"]
    assert (detection["p_bootstrap"] < 0.05).all()


def test_equal_systems_do_not_differ() -> None:
    manifest, frame = run_of("a", noise=0.7, seed=1)
    pairs = segment_pair_table(decided((manifest, frame), ({**manifest, "variant": "b"}, frame)), n_resamples=100)
    assert (pairs["difference"] == 0).all() and (pairs["p_bootstrap"] == 1).all()
    assert (pairs["system_a"] == "a").all()


def test_systems_on_other_clips_or_references_are_not_compared() -> None:
    one = run_of("a", noise=0.5, seed=1)
    with pytest.raises(DataError, match=r"not scored on the same clips: 4 .* only in 'a', 0 only in 'b'"):
        segment_pair_table(decided(one, run_of("b", noise=0.5, seed=1, n_clips=20)))
    manifest, frame = run_of("b", noise=0.5, seed=1)
    row = int(((frame["split"] == "test") & (frame["level"] == "detection")).to_numpy().argmax())
    references = frame["reference"].to_list()
    references[row] = 1 - references[row]
    with pytest.raises(DataError, match="know different things of 1 clips: 'Y000'"):
        segment_pair_table(decided(one, (manifest, frame.assign(reference=references))))


def test_runs_that_cannot_be_decided() -> None:
    manifest, frame = run_of("a", noise=0.5, seed=1)
    with pytest.raises(ConfigError, match="a, fold 'testing', repeat 0: no validation rows"):
        decided((manifest, frame[frame["split"] == "test"]))
    with pytest.raises(StoreError, match="two runs of a, fold 'testing', repeat 0"):
        decided((manifest, frame), (manifest, frame))
    with pytest.raises(StoreError, match="no 'fold'"):
        decided(({"variant": "a", "repeat": 0}, frame))
    silent = np.zeros((16, 4, 3))
    empty = segment_frame(
        clips_of(16, prefix="V"),
        LABELS,
        split="validation",
        tagging=silent[:, 0],
        detection=silent,
        tagging_reference=silent[:, 0],
        detection_reference=silent,
    )
    with pytest.raises(
        ConfigError, match="a, fold 'testing', repeat 0: none of 16 validation examples is positive"
    ):
        decided((manifest, pd.concat([frame[frame["split"] == "test"], empty])))
    with pytest.raises(ConfigError, match="n_resamples is 0"):
        segment_score_table(decided((manifest, frame)), n_resamples=0)
