from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from asc_bench.errors import ConfigError
from asc_bench.scoring.thresholds import choose_thresholds, decide


def micro_f(reference: np.ndarray, estimated: np.ndarray) -> float:
    return 2 * int((reference & estimated).sum()) / int(reference.sum() + estimated.sum())


def brute_force(
    reference: np.ndarray, scores: np.ndarray, *, per_class: bool
) -> tuple[float, list[tuple[float, ...]]]:
    """The best F over all thresholds, and all thresholds that reach it."""
    n_classes = scores.shape[1]
    if per_class:
        trials = list(product(*([*np.unique(scores[:, c]), np.inf] for c in range(n_classes))))
    else:
        trials = [(t,) * n_classes for t in np.unique(scores)]
    values = [micro_f(reference, scores >= np.array(trial)) for trial in trials]
    return max(values), [trial for trial, value in zip(trials, values, strict=True) if value == max(values)]


few_scores = st.sampled_from(np.linspace(0, 1, 5, dtype=np.float32).tolist())


@settings(max_examples=100, deadline=None)
@given(data=st.data(), n=st.integers(1, 6), per_class=st.booleans())
def test_no_threshold_does_better(data: st.DataObject, n: int, per_class: bool) -> None:
    reference = data.draw(arrays(np.bool_, (n, 3)))
    scores = data.draw(arrays(np.float32, (n, 3), elements=few_scores))
    assume(reference.any(axis=0).all() if per_class else reference.any())
    chosen = choose_thresholds(reference, scores, per_class=per_class)
    best, ties = brute_force(reference, scores, per_class=per_class)
    assert micro_f(reference, decide(scores, chosen)) == best
    # Of several that do equally well each threshold is the highest.
    assert tuple(chosen) == tuple(np.max(ties, axis=0))


def test_by_hand() -> None:
    reference = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
    scores = np.array([[0.9, 0.1], [0.6, 0.3], [0.5, 0.2], [0.4, 0.15]])
    # At 0.6: TP 2, F 2*2/(3+2); at 0.2: TP 3, six decided, F 2*3/(3+6).
    assert choose_thresholds(reference, scores).tolist() == [0.6, 0.6]
    # A threshold of its own finds class 1 with one false alarm: F 2*3/(3+4) beats 4/5.
    assert choose_thresholds(reference, scores, per_class=True).tolist() == [0.6, 0.2]


def test_a_class_that_is_best_never_decided_for() -> None:
    reference = np.array([[1, 0]] * 9 + [[1, 1]])
    scores = np.array([[0.9, 0.8]] * 9 + [[0.9, 0.1]])
    assert choose_thresholds(reference, scores, per_class=True).tolist() == [pytest.approx(0.9), np.inf]


def test_segments_count_like_clips_and_nothing_is_rounded() -> None:
    rng = np.random.default_rng(3)
    reference = rng.random((5, 4, 3)) < 0.4
    scores = rng.random((5, 4, 3)).astype(np.float32)
    chosen = choose_thresholds(reference, scores)
    assert np.float32(chosen[0]) in scores
    assert chosen.tolist() == choose_thresholds(reference.reshape(20, 3), scores.reshape(20, 3)).tolist()
    assert (decide(scores, chosen) == (scores >= np.float32(chosen[0]))).all()


@pytest.mark.parametrize(
    ("reference", "scores", "per_class", "message"),
    [
        (np.zeros((0, 2)), np.zeros((0, 2)), False, "no validation example to choose thresholds on"),
        (np.zeros((3, 2)), np.zeros((3, 2)), False, "none of 3 validation examples is positive"),
        ([[1, 0], [1, 0]], np.zeros((2, 2)), True, r"classes \['Car'\] have no positive validation example"),
        (np.ones((3, 2)), np.ones((2, 2)), False, r"shape \(3, 2\), scores \(2, 2\)"),
        (np.ones(3), np.ones(3), False, r"both must be \(\.\.\., n_classes\)"),
        (np.full((3, 2), 0.5), np.ones((3, 2)), False, "0 or 1 everywhere"),
        (np.ones((3, 2)), np.full((3, 2), np.nan), False, "6 of 6 scores are not finite"),
    ],
)
def test_what_cannot_be_chosen_on(reference: np.ndarray, scores: np.ndarray, per_class: bool, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choose_thresholds(reference, scores, per_class=per_class, classes=["Bus", "Car"])
