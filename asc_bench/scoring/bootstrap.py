"""Bootstrap over recording locations: how else a measure could have come out, at other places.

Clips of one location share its acoustics, its traffic and often the second, on several devices: they are not
independent, and an interval that treats them so is too narrow. The cluster is therefore the location (for ESC
the source recording) with all its clips and devices, resampled within its scene because data sets are
recorded by scene.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.scoring.rows import Rows, mean_of_defined
from asc_bench.scoring.statistic import Floats

_BLOCK = 1000
"""Resamples computed at once: bounds the memory for many clusters and classes."""


def clusters_of(rows: Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The location of each clip, numbered by scene, shape (n_clips,), and how many each scene has, (n_scenes,)."""
    clusters = rows.clips[["scene", "location"]].drop_duplicates().sort_values(["scene", "location"])
    of_clips = pd.MultiIndex.from_frame(rows.clips[["scene", "location"]])
    sizes = clusters.groupby("scene", sort=True).size()
    cluster = pd.MultiIndex.from_frame(clusters).get_indexer(of_clips)
    return np.asarray(cluster, dtype=np.int64), np.asarray(sizes, dtype=np.int64)


def cluster_weights(
    sizes: npt.NDArray[np.integer], *, n_resamples: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Random weights of clusters that lie in strata of the given sizes, one row per resample.

    From a stratum of m clusters m - 1 are drawn with replacement, each counting m / (m - 1): the rescaled
    bootstrap, whose variance is unbiased, where drawing m gives (m - 1) / m of it, 10 % too little for ten
    locations. The only cluster of a stratum keeps weight one.

    Returns
    -------
    float array, shape (n_resamples, sum(sizes))

    References
    ----------
    J. N. K. Rao, C. F. J. Wu, K. Yue, "Some recent work on resampling methods for complex surveys", Survey
    Methodology 18 (1992), 209-217.
    """
    return np.hstack(
        [
            rng.multinomial(m - 1, np.full(m, 1 / m), size=n_resamples) * (m / (m - 1))
            if m > 1
            else np.ones((n_resamples, 1))
            for m in sizes.tolist()
        ]
    )


def resampled_values(rows: Rows, *, n_resamples: int, seed: int) -> Floats:
    """Values of a measure on resampled locations, the mean over repeats, shape (n_resamples,).

    Systems with the same clips meet the same resamples for one seed, so differences of their values are paired.
    In a resample that holds no clip of a class in a stratum, that class is left out of the stratum's mean, and a
    stratum without any clip out of the mean over strata, as for the clips as they are. NaN where none is defined.

    Parameters
    ----------
    rows : Rows
        Of one system and one measure.
    n_resamples, seed : int
        Number of resamples and seed of their generator.

    Raises
    ------
    ConfigError
        If ``n_resamples`` is below 1.
    """
    if n_resamples < 1:
        raise ConfigError(f"n_resamples is {n_resamples}, must be at least 1")
    cluster, sizes = clusters_of(rows)
    tables = [rows.by_cluster(cluster, int(sizes.sum()), repeat) for repeat in range(len(rows.sums))]
    rng = np.random.default_rng(seed)
    drawn = []
    for start in range(0, n_resamples, _BLOCK):
        weights = cluster_weights(sizes, n_resamples=min(_BLOCK, n_resamples - start), rng=rng)
        drawn.append(np.mean([_weighted(rows, table, weights) for table in tables], axis=0))
    return np.concatenate(drawn)


def _weighted(rows: Rows, table: Floats, weights: Floats) -> Floats:
    summed = (weights @ table.reshape(len(table), -1)).reshape(len(weights), *table.shape[1:])
    return mean_of_defined(rows.stratum_values(summed))
