"""Weights and inputs that two implementations of a network can both be given: numbers that follow from a name.

``RandomState`` is numpy's frozen generator: it gives the same numbers under every version.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def drawn(name: str, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers that belong to ``name``."""
    return np.random.RandomState(zlib.crc32(name.encode())).normal(size=shape).astype(np.float32)


def uneven(n_bands: int) -> Array:
    """Two clips of 100 frames whose bands differ in level: deep networks average plain noise to nearly the same."""
    return 10 * drawn(f"{n_bands} levels", (2, 1, n_bands)) + drawn("100 frames", (2, 100, n_bands))


def one_second(n_bands: int) -> Array:
    """Two excerpts of 64 frames whose bands differ in level."""
    return 2 * drawn(f"{n_bands} levels", (2, 1, n_bands)) + drawn("64 frames", (2, 64, n_bands))


def long() -> Array:
    """A clip of 20 s in 2,000 frames of 128 bands: places that are further apart than tables of positions reach."""
    return drawn("2000 frames", (1, 2_000, 128))


def kernel(name: str, shape: tuple[int, ...]) -> Array:
    """Weights in torch's layout, (n_out, n_in, ...), small enough that no level grows out of range."""
    return drawn(name, shape) * np.float32(np.sqrt(0.5 / np.prod(shape[1:])))


def bias(name: str, n: int) -> Array:
    """About a tenth."""
    return 0.1 * drawn(name, (n,))


def normalisation(name: str, n: int) -> tuple[Array, Array, Array, Array]:
    """Scale, shift, running mean and running variance; variances from 0.05, where 0.001 more shows."""
    variance = 0.05 + np.abs(drawn(f"{name} variance", (n,)))
    scale = 1 + 0.2 * drawn(f"{name} scale", (n,))
    return scale, 0.2 * drawn(f"{name} shift", (n,)), 0.2 * drawn(f"{name} mean", (n,)), variance
