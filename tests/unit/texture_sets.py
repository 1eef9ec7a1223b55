"""Separable sets for networks that see patterns, but not at which band they are."""

from __future__ import annotations

import numpy as np

from asc_bench.api import LabelledClips
from tests.unit.small_sets import clips


def textures(n_per_class: int, shape: tuple[int, int], *, seed: int = 0) -> LabelledClips:
    """Spectrograms that are steady in time (class 0), equal in all bands (1), or neither (2)."""
    patterns, labels = texture_arrays(n_per_class, shape, seed=seed)
    return clips(patterns, labels)


def texture_arrays(n_per_class: int, shape: tuple[int, int], *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The same as arrays: features, shape (3 n_per_class, *shape), and labels."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(3), n_per_class)
    patterns = rng.normal(size=(len(labels), *shape))
    patterns[labels == 0] = rng.normal(size=(n_per_class, 1, shape[1]))
    patterns[labels == 1] = rng.normal(size=(n_per_class, shape[0], 1))
    return patterns + 0.1 * rng.normal(size=patterns.shape), labels
