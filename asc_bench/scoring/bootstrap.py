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
from asc_bench.scoring.measure import Measure

_BLOCK = 1000
"""Resamples computed at once: bounds the memory for many systems and classes."""


def n_locations(scores: pd.DataFrame) -> int:
    """Number of clusters: distinct locations, counted per scene."""
    return len(scores[["scene", "location"]].drop_duplicates())


def can_resample(scores: pd.DataFrame) -> bool:
    """Whether any scene has two locations; if none has, nothing varies and no interval can be given."""
    clusters = scores[["scene", "location"]].drop_duplicates()
    return bool(clusters.duplicated("scene").any())


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


def resampled_values(
    scores: pd.DataFrame,
    correct: npt.NDArray[np.float64],
    measure: Measure,
    *,
    n_resamples: int,
    seed: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Values of a measure on the clips as they are and on resampled locations, for several systems at once.

    All systems meet the same resamples, so differences of two columns are paired. In a resample that holds no
    clip of a class in a stratum, that class is left out of the stratum's mean, and a stratum without any clip
    out of the mean over strata, which is also the convention for the clips as they are.

    Parameters
    ----------
    scores : DataFrame
        From ``clip_scores``; ``stratum, label, scene, location`` are read.
    correct : float array, shape (n_clips, n_systems)
        Score of each clip, in 0 to 1, rows as in ``scores``.
    measure : Measure
        Says how clips are averaged.
    n_resamples, seed : int
        Number of resamples and seed of their generator.

    Returns
    -------
    observed : float array, shape (n_systems,)
    resampled : float array, shape (n_resamples, n_systems)
    """
    if n_resamples < 1:
        raise ConfigError(f"n_resamples is {n_resamples}, must be at least 1")
    clusters = scores[["scene", "location"]].drop_duplicates().sort_values(["scene", "location"])
    cluster = pd.MultiIndex.from_frame(clusters).get_indexer(
        pd.MultiIndex.from_frame(scores[["scene", "location"]])
    )
    sizes = clusters.groupby("scene", sort=True).size().to_numpy()
    stratum, strata = pd.factorize(scores["stratum"], sort=True)
    group, groups = pd.factorize(scores["label"], sort=True)
    if measure.average == "clips":
        group, groups = np.zeros_like(group), groups[:1]
    shape = (len(clusters), len(strata), len(groups))
    cell = np.ravel_multi_index((cluster, stratum, group), shape)
    n_cells = int(np.prod(shape))
    counts = np.bincount(cell, minlength=n_cells).reshape(len(clusters), -1).astype(float)
    rights = np.stack([np.bincount(cell, column, minlength=n_cells) for column in correct.T])
    rights = rights.reshape(correct.shape[1], len(clusters), -1).transpose(1, 0, 2).reshape(len(clusters), -1)

    def values(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        n = (weights @ counts).reshape(-1, 1, *shape[1:])
        right = (weights @ rights).reshape(len(weights), -1, *shape[1:])
        there = n > 0
        accuracies = np.divide(right, n, out=np.zeros_like(right), where=there)
        by_stratum = accuracies.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
        return np.asarray(by_stratum.sum(axis=-1) / there.any(axis=-1).sum(axis=-1))

    rng = np.random.default_rng(seed)
    blocks = [min(_BLOCK, n_resamples - start) for start in range(0, n_resamples, _BLOCK)]
    drawn = [values(cluster_weights(sizes, n_resamples=block, rng=rng)) for block in blocks]
    return values(np.ones((1, len(clusters))))[0], np.concatenate(drawn)
