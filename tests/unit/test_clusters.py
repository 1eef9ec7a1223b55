"""Distances inside and between clusters: worked by hand, against scipy, pair by pair, and under symmetries."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import pdist

from asc_bench.analysis import clusters
from asc_bench.analysis.clusters import cluster_distances, unit_length
from asc_bench.errors import DataError


def made(n: int = 60, d: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=n)
    return rng.normal(size=(n, d)) + 3 * labels[:, None], labels


def test_worked_by_hand() -> None:
    # Cluster a: (0,0), (3,4), (0,8): sides 5, 5, 8, centroid (1, 4). Cluster b: (10,0), (10,2), centroid (10, 1).
    # Cluster c has one member, (1, -8): a centroid, and no distance inside.
    points = [[0, 0], [3, 4], [0, 8], [10, 0], [10, 2], [1, -8]]
    found = cluster_distances(points, list("aaabbc"))
    assert found.icd == pytest.approx(((5 + 5 + 8) / 3 + 2) / 2)
    between = [math.hypot(9, 3), 12.0, math.hypot(9, 9)]
    assert found.iccd == pytest.approx(sum(between) / 3)
    assert (found.n_clusters, found.n_alone) == (3, 1)


def test_every_cluster_counts_once_however_large() -> None:
    line = np.r_[np.zeros(98), [0.0, 4.0], [100.0, 106.0]][:, None]
    labels = np.repeat([0, 1], [100, 2])
    # In the large one 99 of 4,950 pairs are 4 apart, in the small one the only pair is 6 apart.
    assert cluster_distances(line, labels).icd == pytest.approx((99 * 4 / 4950 + 6) / 2)


@pytest.mark.parametrize("block", [1, 7, 512])
def test_as_scipy_has_it_whatever_the_block(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(clusters, "_BLOCK_ROWS", block)
    x, labels = made()
    found = cluster_distances(x, labels)
    inside = [pdist(x[labels == k]).mean() for k in range(4)]
    assert found.icd == pytest.approx(np.mean(inside), rel=1e-12)
    assert found.iccd == pytest.approx(pdist([x[labels == k].mean(0) for k in range(4)]).mean(), rel=1e-12)


def test_pair_by_pair_on_more_rows_than_a_block() -> None:
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(1100, 2)).astype(np.float32), np.repeat([0, 1], [1050, 50])
    total = [0.0, 0.0]
    for k in (0, 1):
        its = x[labels == k].astype(float)
        total[k] = sum(np.sqrt(((its[i + 1 :] - its[i]) ** 2).sum(1)).sum() for i in range(len(its)))
    expected = (total[0] / math.comb(1050, 2) + total[1] / math.comb(50, 2)) / 2
    assert cluster_distances(x, labels).icd == pytest.approx(expected, rel=1e-10)


POINTS = hnp.arrays(np.float64, (12, 3), elements=st.floats(-100, 100, width=32))
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3])


@settings(max_examples=40, deadline=None)
@given(POINTS, hnp.arrays(np.float64, 3, elements=st.floats(-1e3, 1e3)), st.permutations(range(12)))
def test_moving_turning_or_reordering_the_points_changes_nothing(
    x: np.ndarray, shift: np.ndarray, order: list[int]
) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    before, after = cluster_distances(x, LABELS), cluster_distances((x @ turn + shift)[order], LABELS[order])
    np.testing.assert_allclose(after[:2], before[:2], rtol=1e-7, atol=1e-7)
    pairs = [np.linalg.norm(a - b) for a, b in combinations(x[:4], 2)]
    assert before.icd <= max(pdist(x)) + 1e-9 and np.mean(pairs) <= 3 * before.icd + 1e-9


@settings(max_examples=40, deadline=None)
@given(POINTS, hnp.arrays(np.float64, 12, elements=st.floats(1e-6, 1e6)))
def test_lengths_of_the_points_change_nothing_at_unit_length(x: np.ndarray, factors: np.ndarray) -> None:
    x = x + 200.0
    unit = unit_length(x)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0, rtol=1e-12)
    before, after = cluster_distances(unit, LABELS), cluster_distances(unit_length(x * factors[:, None]), LABELS)
    np.testing.assert_allclose(after[:2], before[:2], rtol=1e-9, atol=1e-9)


def test_unit_length_of_the_smallest_and_the_largest_numbers() -> None:
    np.testing.assert_allclose(unit_length([[3e-300, 4e-300], [3e300, 4e300]]), [[0.6, 0.8]] * 2)


def test_a_coarse_centroid_distance_is_bounded_by_the_fine_ones() -> None:
    # Equal sizes: the centroid of a coarse class is the mean of its fine ones, so the norm is convex in them.
    x, _ = made(80)
    fine = np.repeat(np.arange(8), 10)
    coarse = fine // 4
    centroids = np.stack([x[fine == k].mean(0) for k in range(8)])
    across = [np.linalg.norm(centroids[i] - centroids[j]) for i in range(4) for j in range(4, 8)]
    assert cluster_distances(x, coarse).iccd <= np.mean(across)


NAN = [[0.0, 1.0], [2.0, math.nan], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("embedding", "labels", "message"),
    [
        (np.zeros((3, 2, 2)), [0, 0, 1], r"shape \(3, 2, 2\), expected numbers of shape \(n, d\)"),
        (np.zeros((0, 2)), [], r"shape \(0, 2\)"),
        ([["a", "b"]], [0], "expected numbers"),
        (np.ones((3, 2)), [0, 1], r"labels have shape \(2,\), expected \(3,\)"),
        (np.ones((3, 2)), [[0], [1], [1]], r"labels have shape \(3, 1\)"),
        (NAN, [0, 0, 1], "1 of 3 embeddings have NaN or infinite numbers, the first is row 1"),
        (np.ones((3, 2)), [7, 7, 7], "1 cluster in 3 embeddings"),
        (np.ones((3, 2)), [0, 1, 2], "each of the 3 clusters has one member"),
    ],
)
def test_what_has_no_such_distances_is_refused(embedding: object, labels: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        cluster_distances(embedding, labels)  # type: ignore[arg-type]


def test_no_direction_no_unit_length() -> None:
    with pytest.raises(DataError, match="2 of 4 embeddings are zero, the first is row 1; they have no direction"):
        unit_length([[1, 0], [0, 0], [0, 2], [0, 0]])
