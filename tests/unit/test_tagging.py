from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import precision_recall_fscore_support

from asc_bench.errors import DataError
from asc_bench.scoring.tagging import class_tagging_scores, tagging_counts, tagging_scores


def pooled(reference: np.ndarray, estimated: np.ndarray) -> dict[str, float]:
    counts = tagging_counts(reference, estimated).pooled(np.ones((1, len(reference))))
    return {name: float(value[0]) for name, value in tagging_scores(counts).items()}


def test_by_hand() -> None:
    """Class 0: P 1/2, R 1; class 1: never given, R 0; class 2: given once wrongly; class 3: in neither."""
    reference = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], dtype=bool)
    estimated = np.array([[1, 0, 1, 0], [1, 0, 0, 0]], dtype=bool)
    found = pooled(reference, estimated)
    assert (found["precision"], found["recall"]) == (1 / 3, 1 / 2)
    assert found["f1"] == pytest.approx(2 / 5)
    assert found["macro_precision"] == pytest.approx((1 / 2 + 0 + 0) / 3)
    assert found["macro_recall"] == pytest.approx((1 + 0 + 0) / 3)
    # Harmonic mean of the two means; the mean of the F1 of the classes would be 2/9.
    assert found["macro_f1"] == pytest.approx(2 * (1 / 6) * (1 / 3) / (1 / 6 + 1 / 3))
    by_class = class_tagging_scores(tagging_counts(reference, estimated).pooled(np.ones((1, 2))))
    assert np.isnan(by_class["precision"][0]).tolist() == [False, True, False, True]
    assert np.isnan(by_class["recall"][0]).tolist() == [False, False, True, True]


rolls = arrays(np.bool_, st.tuples(st.integers(1, 6), st.just(4)))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), reference=rolls)
def test_agreement_with_scikit_learn(data: st.DataObject, reference: np.ndarray) -> None:
    estimated = data.draw(arrays(np.bool_, reference.shape))
    found = pooled(reference, estimated)
    p, r, f, _ = precision_recall_fscore_support(reference, estimated, average="micro", zero_division=np.nan)
    seen = reference.any(axis=0) | estimated.any(axis=0)
    assert found["precision"] == pytest.approx(p, nan_ok=True)
    assert found["recall"] == pytest.approx(r, nan_ok=True)
    if not seen.any():
        assert all(math.isnan(value) for value in found.values())
        return
    assert found["f1"] == pytest.approx(f)
    p, r, _, _ = precision_recall_fscore_support(
        reference, estimated, labels=np.flatnonzero(seen), average="macro", zero_division=0
    )
    assert (found["macro_precision"], found["macro_recall"]) == (pytest.approx(p), pytest.approx(r))
    assert found["macro_f1"] == pytest.approx(2 * p * r / (p + r) if p + r else 0)


def test_segments_are_refused() -> None:
    roll = np.zeros((2, 3, 4), dtype=bool)
    with pytest.raises(DataError, match=r"both must be \(n_clips, n_classes\)"):
        tagging_counts(roll, roll)
    with pytest.raises(DataError, match="reference is of type int64, must be bool"):
        tagging_counts(roll[0].astype(int), roll[0])
