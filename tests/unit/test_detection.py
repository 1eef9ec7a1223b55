from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_bench.errors import DataError
from asc_bench.scoring.detection import class_detection_scores, detection_counts, detection_scores
from asc_bench.scoring.rolls import segment_roll

CLASSES = ("a", "b", "c")
DURATION_S = 4.0


def roll(*segments: set[int], n_classes: int = 4) -> np.ndarray:
    """Roll of one clip from the classes 1, 2, ... of each segment."""
    return np.array([[[c + 1 in segment for c in range(n_classes)] for segment in segments]])


def pooled(reference: np.ndarray, estimated: np.ndarray) -> dict[str, float]:
    counts = detection_counts(reference, estimated).pooled(np.ones((1, len(reference))))
    return {name: float(value[0]) for name, value in detection_scores(counts).items()}


def test_the_worked_check() -> None:
    """By hand: TP 2 of 4 in the reference and 4 estimated; one miss, one false alarm, one substitution."""
    reference, estimated = roll({1}, {1, 2}, set(), {3}), roll({1}, {1}, {2}, {4})
    counts = detection_counts(reference, estimated)
    assert (counts.substitutions[0], counts.deletions[0], counts.insertions[0]) == (1, 1, 1)
    assert counts.true_positives[0].tolist() == [2, 0, 0, 0]
    assert counts.false_positives[0].tolist() == [0, 1, 0, 1]
    assert counts.false_negatives[0].tolist() == [0, 1, 1, 0]
    found = pooled(reference, estimated)
    assert found["error_rate"] == 0.75 and found["f_score"] == 0.5
    assert found["precision"] == 0.5 and found["recall"] == 0.5


def test_an_error_rate_may_exceed_one() -> None:
    assert pooled(roll({1}, set()), roll({2, 3}, {1, 2, 3, 4}))["error_rate"] == 1 + 1 + 4


def test_of_one_class_there_are_no_substitutions() -> None:
    """Overall the confusion of 1 and 2 is one error; for the classes it is a miss and a false alarm."""
    reference, estimated = roll({1}, {1}), roll({2}, {1})
    assert pooled(reference, estimated)["error_rate"] == 0.5
    by_class = class_detection_scores(detection_counts(reference, estimated).pooled(np.ones((1, 1))))
    assert by_class["error_rate"][0].tolist()[0] == 0.5
    assert math.isnan(by_class["error_rate"][0, 1])
    assert by_class["f_score"][0, :2].tolist() == [2 / 3, 0]


def test_what_is_not_defined_is_nan() -> None:
    silent, full = roll(set(), set()), roll({1}, {1})
    nothing = pooled(silent, silent)
    assert all(math.isnan(value) for value in nothing.values())
    missed = pooled(full, silent)
    assert (missed["error_rate"], missed["f_score"], missed["recall"]) == (1, 0, 0)
    assert math.isnan(missed["precision"])
    alarmed = pooled(silent, full)
    assert math.isnan(alarmed["error_rate"]) and math.isnan(alarmed["recall"])
    assert (alarmed["f_score"], alarmed["precision"]) == (0, 0)


def test_counts_add_up_over_clips_with_weights() -> None:
    rng = np.random.default_rng(0)
    reference, estimated = rng.random((2, 3, 5, 4)) < 0.4
    twice = [0, 0, 2]
    weighted = detection_counts(reference, estimated).pooled(np.array([[2.0, 0.0, 1.0]]))
    assert detection_scores(weighted)["error_rate"][0] == pooled(reference[twice], estimated[twice])["error_rate"]


def test_wrong_arrays() -> None:
    good = roll({1}, {2})
    with pytest.raises(DataError, match="estimated is of type float64, must be bool: put a threshold"):
        detection_counts(good, good.astype(float))
    with pytest.raises(DataError, match=r"\(1, 2, 4\), estimated \(1, 1, 4\)"):
        detection_counts(good, good[:, :1])
    with pytest.raises(DataError, match=r"both must be \(n_clips, n_segments, n_classes\)"):
        detection_counts(good[0], good[0])


times = st.floats(0, DURATION_S, allow_nan=False).map(lambda t: round(t, 3))
event = st.tuples(times, times, st.sampled_from(CLASSES)).map(lambda e: (min(e[:2]), max(e[:2]), e[2]))
clip = st.lists(event, max_size=4)


@pytest.fixture(scope="module")
def sed_eval() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("sed_eval", reason="the reference implementation sed_eval is not installed")


@settings(max_examples=200, deadline=None)
@given(clips=st.lists(st.tuples(clip, clip), min_size=1, max_size=3))
def test_agreement_with_sed_eval(sed_eval: Any, clips: list[tuple[list[Any], list[Any]]]) -> None:
    reference_metrics = sed_eval.sound_event.SegmentBasedMetrics(
        event_label_list=list(CLASSES), time_resolution=1.0
    )
    rolls = []
    for i, pair in enumerate(clips):
        told = [
            [{"event_onset": a, "event_offset": b, "event_label": c, "file": str(i)} for a, b, c in side]
            for side in pair
        ]
        reference_metrics.evaluate(*told, evaluated_length_seconds=DURATION_S)
        frames = [pd.DataFrame(side, columns=["onset_s", "offset_s", "label"]) for side in pair]
        rolls.append([segment_roll(frame, CLASSES, duration_s=DURATION_S) for frame in frames])
    counts = detection_counts(*np.array(rolls).transpose(1, 0, 2, 3)).pooled(np.ones((1, len(clips))))
    ours = {name: float(value[0]) for name, value in detection_scores(counts).items()}
    theirs = reference_metrics.results_overall_metrics()
    n_reference, n_estimated = float(counts.n_reference.sum()), float(counts.n_estimated.sum())
    compare(ours, theirs["error_rate"] | theirs["f_measure"], n_reference, n_estimated)
    by_class = class_detection_scores(counts)
    for i, (name, found) in enumerate(reference_metrics.results_class_wise_metrics().items()):
        assert name == CLASSES[i]
        mine = {key: float(value[0, i]) for key, value in by_class.items()}
        expected = found["error_rate"] | found["f_measure"]
        compare(mine, expected, float(counts.n_reference[0, i]), float(counts.n_estimated[0, i]))


def compare(ours: dict[str, float], theirs: dict[str, float], n_reference: float, n_estimated: float) -> None:
    """Equal where sed_eval divides by something; without a reference it divides by a tiny number."""
    for name, value in theirs.items():
        mine = ours["f_score" if name == "f_measure" else name]
        if name.endswith("rate") and not n_reference:
            assert math.isnan(mine)
        elif name == "f_measure" and math.isnan(value):
            assert mine == 0 if n_reference or n_estimated else math.isnan(mine)
        else:
            assert mine == pytest.approx(value, abs=1e-9, nan_ok=True), name
