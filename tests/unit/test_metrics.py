from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from asc_bench.errors import ConfigError, DataError
from asc_bench.scoring.accuracy import confusion, label_ranks
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.predictions import prediction_frame
from tests.unit.made_predictions import LABELS, clips_of, frame_of, guesses, stacked
from tests.unit.scores import clip_scores, measure

CLIPS = clips_of()
AVERAGE = Measure("average", strata="device", of=("A", "B"))
MACRO = Measure("macro")
CLIPWISE = Measure("clips", average="clips")


def random_case(seed: int, n: int = 200, n_classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(n_classes), size=n).astype(np.float32), rng.integers(n_classes, size=n)


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_top_k_against_sklearn(k: int) -> None:
    probabilities, labels = random_case(k)
    expected = oracle.top_k_accuracy_score(labels, probabilities, k=k, labels=range(7), normalize=False)
    assert (label_ranks(probabilities, labels) <= k).sum() == expected


def test_ties_go_to_the_lower_class_index() -> None:
    equal = np.full((4, 4), 0.25)
    assert label_ranks(equal, np.arange(4)).tolist() == [1, 2, 3, 4]
    two = np.array([[0.1, 0.4, 0.4, 0.1]] * 4)
    assert label_ranks(two, np.arange(4)).tolist() == [3, 1, 2, 4]


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (np.ones((2, 3)), np.array([0]), r"shape \(2, 3\), labels \(1,\)"),
        (np.ones((2, 3)), np.array([0, 3]), "label 3 is not an index of 3 classes"),
        (np.ones((2, 3)), np.array([0, -1]), "label -1"),
        (np.array([[0.5, 0.5], [np.nan, 1.0]]), np.array([0, 1]), "row 1 hold a NaN"),
    ],
)
def test_ranks_refuse(probabilities: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        label_ranks(probabilities, labels)


def test_top_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="'none': top_k is 0"):
        Measure("none", top_k=0)


def test_measures_against_sklearn() -> None:
    uneven = CLIPS.sample(n=50, random_state=1)
    frame = frame_of(uneven, guesses(uneven, 0.6, seed=2))
    true, predicted = frame["label"], frame["predicted"]
    assert measure(frame, MACRO) == pytest.approx(oracle.balanced_accuracy_score(true, predicted))
    assert measure(frame, CLIPWISE) == pytest.approx(oracle.accuracy_score(true, predicted))
    by_device = [
        oracle.balanced_accuracy_score(true[frame["device"] == d], predicted[frame["device"] == d]) for d in "AB"
    ]
    assert measure(frame, AVERAGE) == pytest.approx(np.mean(by_device))
    assert measure(frame, Measure("B", strata="device", of=("B",))) == pytest.approx(by_device[1])
    assert measure(frame, Measure("all", strata="device")) == pytest.approx(np.mean(by_device))


def test_macro_and_clips_by_hand() -> None:
    clips = pd.concat([CLIPS[CLIPS["scene"] == "airport"].iloc[:4], CLIPS[CLIPS["scene"] == "mall"].iloc[:1]])
    frame = frame_of(clips, [0, 0, 0, 2, 2])
    assert measure(frame, CLIPWISE) == pytest.approx(3 / 5)
    # Classes 3/4 and 0/1; "park" has no clip and is left out.
    assert measure(frame, MACRO) == pytest.approx((3 / 4 + 0) / 2)


def test_levels_splits_and_top_k() -> None:
    rng = np.random.default_rng(3)
    fine = rng.dirichlet(np.ones(3), size=len(CLIPS)).astype(np.float32)
    coarse = rng.dirichlet(np.ones(2), size=len(CLIPS)).astype(np.float32)
    test = prediction_frame(CLIPS, LABELS, {"fine": fine, "coarse": coarse}, split="test")
    both = pd.concat([test, frame_of(CLIPS, guesses(CLIPS, 1.0, 0), split="validation")])
    labels = LABELS.encode(CLIPS["scene"])
    expected = oracle.balanced_accuracy_score(labels >= 2, coarse.argmax(axis=1))
    assert measure(both, Measure("coarse", level="coarse")) == pytest.approx(expected)
    top2 = oracle.top_k_accuracy_score(labels, fine, k=2)
    assert measure(both, Measure("top2", average="clips", top_k=2)) == pytest.approx(top2)
    assert measure(both, MACRO, split="validation") == 1.0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), accuracy=st.floats(0, 1))
def test_order_of_rows_is_irrelevant(seed: int, accuracy: float) -> None:
    frame = frame_of(CLIPS, guesses(CLIPS, accuracy, seed))
    shuffled = frame.sample(frac=1, random_state=seed)
    for wanted in (AVERAGE, MACRO, CLIPWISE):
        assert measure(frame, wanted) == measure(shuffled, wanted)
    pd.testing.assert_frame_equal(confusion(frame, "fine"), confusion(shuffled, "fine"))


@settings(max_examples=15, deadline=None)
@given(kept=st.lists(st.integers(0, len(CLIPS) - 1), min_size=1, unique=True), constant=st.integers(0, 2))
def test_perfect_and_constant_systems(kept: list[int], constant: int) -> None:
    clips = CLIPS.iloc[kept]
    true = LABELS.encode(clips["scene"])
    assert measure(frame_of(clips, true), MACRO) == 1.0
    assert measure(frame_of(clips, true), Measure("d", strata="device")) == 1.0
    expected = 1 / len(set(true)) if constant in true else 0
    assert measure(frame_of(clips, np.full(len(clips), constant)), MACRO) == pytest.approx(expected)


def test_repeats_are_averaged_per_clip() -> None:
    one, two = frame_of(CLIPS, guesses(CLIPS, 0.5, 1)), frame_of(CLIPS, guesses(CLIPS, 0.9, 2))
    both = stacked({"a": [one, two]})
    assert measure(both, AVERAGE) == pytest.approx((measure(one, AVERAGE) + measure(two, AVERAGE)) / 2)
    scores = clip_scores(both, AVERAGE).set_index("clip_id")["correct"]
    expected = ((one["label"] == one["predicted"]).astype(float) + (two["label"] == two["predicted"])) / 2
    np.testing.assert_array_equal(scores[one["clip_id"]], expected)


def test_folds_are_strata_and_a_clip_may_be_in_two() -> None:
    right, wrong = frame_of(CLIPS, guesses(CLIPS, 1.0, 0)), frame_of(CLIPS, guesses(CLIPS, 0.0, 0))
    folds = pd.concat([stacked({"a": right}, "fold1"), stacked({"a": wrong.iloc[:30]}, "fold2")])
    assert measure(folds, Measure("folds", strata="fold")) == pytest.approx(0.5)
    assert measure(folds, Measure("one", strata="fold", of=("fold1",))) == 1.0
    assert len(clip_scores(folds, MACRO)) == len(right) + 30


def test_what_cannot_be_measured_is_an_error() -> None:
    frame = frame_of(CLIPS, guesses(CLIPS, 0.5, 0))
    with pytest.raises(DataError, match=r"'average': no test prediction for device \['C', 'D'\]"):
        measure(frame, Measure("average", strata="device", of=("A", "C", "D")))
    with pytest.raises(DataError, match="no test prediction for level 'coarse'"):
        measure(frame, Measure("coarse", level="coarse"))
    with pytest.raises(DataError, match="no validation prediction"):
        measure(frame, MACRO, split="validation")
    with pytest.raises(ConfigError, match="no column 'fold'"):
        measure(frame, Measure("folds", strata="fold"))
    with pytest.raises(DataError, match=re.escape("is of one system, the predictions hold ['a', 'b']")):
        measure(stacked({"a": frame, "b": frame}), MACRO)


def test_a_clip_must_not_count_twice() -> None:
    frame = stacked({"a": frame_of(CLIPS, guesses(CLIPS, 0.5, 0))})
    doubled = pd.concat([frame, frame.iloc[[5]]])
    clip = frame["clip_id"].iloc[5]
    with pytest.raises(DataError, match=f"such as test clip '{clip}' of fold 'fold1', repeat 0, level 'fine'"):
        measure(doubled, MACRO)


def test_repeats_must_cover_the_same_clips() -> None:
    frame = frame_of(CLIPS, guesses(CLIPS, 0.5, 0))
    with pytest.raises(DataError, match=r"was predicted in 1 of 2 repeats \(1 such clips\)"):
        measure(stacked({"a": [frame, frame.drop(index=3)]}), MACRO)
    with pytest.raises(DataError, match="in 1 of 2 repeats"):
        only_a = frame[frame["device"] == "A"]
        measure(stacked({"a": [frame, only_a]}), Measure("B", strata="device", of=("B",)))


def test_confusion_against_sklearn() -> None:
    frame = frame_of(CLIPS, guesses(CLIPS, 0.4, 5))
    rows = frame[frame["device"] == "B"]
    order = ["park", "airport", "mall"]
    table = confusion(frame, "fine", device="B", classes=order)
    np.testing.assert_array_equal(
        table.to_numpy(), oracle.confusion_matrix(rows["label"], rows["predicted"], labels=order)
    )
    assert (list(table.index), list(table.columns)) == (order, order)
    assert confusion(frame, "fine").to_numpy().sum() == len(frame)


def test_confusion_refuses() -> None:
    frame = frame_of(CLIPS, guesses(CLIPS, 0.4, 5))
    with pytest.raises(DataError, match="no test prediction at level 'fine' on device 'D'"):
        confusion(frame, "fine", device="D")
    with pytest.raises(DataError, match=r"classes \['park'\], expected \['airport', 'mall'\]"):
        confusion(frame, "fine", classes=["airport", "mall"])
    with pytest.raises(DataError, match="of one system"):
        confusion(stacked({"a": frame, "b": frame}), "fine")
