"""How tight the classes lie in an embedding, and how far from each other (Abrol and Sharma 2020, section V.B)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist, pdist

from asc_bench.errors import DataError

_BLOCK_ROWS = 512
"""Rows that are compared with all others at a time: for 20,000 clips their distances take 82 MB."""


class ClusterDistances(NamedTuple):
    """Euclidean distances inside and between clusters, in the unit of the embedding.

    Attributes
    ----------
    icd : float
        Intra-cluster distance: mean over clusters of the mean distance between two members. Lower is better.
    iccd : float
        Inter-cluster centroid distance: mean distance between two centroids. Higher is better.
    n_clusters, n_alone : int
        Clusters, and those of them with one member: these have a centroid and no distance inside.
    """

    icd: float
    iccd: float
    n_clusters: int
    n_alone: int


def cluster_distances(embedding: npt.ArrayLike, labels: npt.ArrayLike) -> ClusterDistances:
    """Measure the clusters that labels make of an embedding.

    A member is not paired with itself, and every cluster counts once, however large. Time grows with the square of
    the largest cluster, memory does not.

    Parameters
    ----------
    embedding : array, shape (n, d)
        Finite numbers; see `unit_length` for directions alone.
    labels : array, shape (n,)
        Cluster of each row: numbers or names.

    Raises
    ------
    DataError
        For wrong shapes, NaN or infinite numbers, fewer than two clusters, or none with two members.

    References
    ----------
    V. Abrol and P. Sharma, IEEE/ACM TASLP 28 (2020), section V.B, Table VII. The paper names no distance;
    Euclidean is a guess.
    """
    rows, clusters = _checked(embedding), np.asarray(labels)
    if clusters.shape != (len(rows),):
        raise DataError(f"labels have shape {clusters.shape}, expected ({len(rows)},): one for each embedding")
    names, member_of, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise DataError(f"{len(names)} cluster in {len(rows)} embeddings; distances between clusters need two")
    if sizes.max() < 2:
        raise DataError(f"each of the {len(names)} clusters has one member; distances inside need two")
    members = [rows[member_of == k] for k in range(len(names))]
    centroids = np.stack([its.mean(axis=0) for its in members])
    return ClusterDistances(
        icd=float(np.mean([_mean_distance(its) for its in members if len(its) > 1])),
        iccd=_mean_distance(centroids),
        n_clusters=len(names),
        n_alone=int((sizes == 1).sum()),
    )


def unit_length(embedding: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Every row divided by its Euclidean length, shape (n, d).

    Raises
    ------
    DataError
        As `cluster_distances`, and for rows that are zero: they have no direction.
    """
    rows = _checked(embedding)
    # Divided by the largest entry first: squares of very large or small numbers leave the range of a float.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    zero = largest[:, 0] == 0
    if zero.any():
        raise DataError(
            f"{zero.sum()} of {len(rows)} embeddings are zero, the first is row {int(zero.argmax())}; "
            "they have no direction, so they cannot be brought to unit length"
        )
    scaled = rows / largest
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / lengths)


def _checked(embedding: npt.ArrayLike) -> npt.NDArray[np.float64]:
    given = np.asarray(embedding)
    if given.ndim != 2 or not given.size or given.dtype.kind not in "fiu":
        raise DataError(f"embeddings are {given.dtype} of shape {given.shape}, expected numbers of shape (n, d)")
    rows = given.astype(np.float64)
    faulty = ~np.isfinite(rows).all(axis=1)
    if faulty.any():
        raise DataError(
            f"{faulty.sum()} of {len(rows)} embeddings have NaN or infinite numbers, "
            f"the first is row {int(faulty.argmax())}"
        )
    return rows


def _mean_distance(rows: npt.NDArray[np.float64]) -> float:
    """Over all pairs of different rows; a block of rows at a time, each pair once."""
    total = 0.0
    for start in range(0, len(rows), _BLOCK_ROWS):
        block, rest = rows[start : start + _BLOCK_ROWS], rows[start + _BLOCK_ROWS :]
        total += pdist(block).sum()
        if len(rest):
            total += cdist(block, rest).sum()
    return float(total / (len(rows) * (len(rows) - 1) / 2))
