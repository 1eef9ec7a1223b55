"""Attention of fitted systems, in the resolution of their input."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from asc_bench.clips import Clips
from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.systems.base import System

_SUM_TOLERANCE = 1e-3


def attention_maps(system: System, clips: Clips) -> npt.NDArray[np.float32]:
    """Where a fitted system looks, bin by bin of its input.

    Parameters
    ----------
    system : System
        Fitted or loaded.
    clips : Clips
        Features of shape (n_clips, n_frames, n_bands).

    Returns
    -------
    float32 array, shape (n_clips, n_classes, n_frames, n_bands)
        Each map sums to one.

    Raises
    ------
    ConfigError
        If the system has no attention, or its input is no spectrogram.
    SystemFailure
        If what it returns are no such maps.
    """
    found = np.asarray(system.attention(clips))
    if len(clips.features.shape) != 3:
        raise ConfigError(
            f"{system.card.name}: attention is shown over a spectrogram (frames, bands), but the input of a clip "
            f"has shape {clips.features.shape[1:]}"
        )
    _check(found, system.card.name, (len(clips), len(system.task.labels.fine)))
    n_frames, n_bands = clips.features.shape[1:]
    return spread(found, (n_frames, n_bands))


def spread(maps: npt.NDArray[np.floating], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Bring maps to another resolution: every bin's weight is spread evenly over the rectangle that it covers.

    Sums are kept, so that maps that sum to one still do. Where the sizes are no multiples of each other, a bin of
    the result takes its part of every rectangle that it overlaps.

    Parameters
    ----------
    maps : array, shape (..., time, bands)
        Weights.
    shape : tuple of int
        Time and bands of the result.

    Returns
    -------
    float32 array, shape (..., *shape)
    """
    over_time, over_bands = (_shares(n, m) for n, m in zip(maps.shape[-2:], shape, strict=True))
    return (over_time @ maps.astype(np.float64) @ over_bands.T).astype(np.float32)


def _shares(n_coarse: int, n_fine: int) -> npt.NDArray[np.float64]:
    """Share of each coarse bin that falls into each fine one, shape (n_fine, n_coarse); columns sum to one."""
    edges = np.arange(n_coarse + 1) * (n_fine / n_coarse)
    begins = np.arange(n_fine)[:, None]
    overlap = np.minimum(begins + 1, edges[1:]) - np.maximum(begins, edges[:-1])
    shares: npt.NDArray[np.float64] = overlap.clip(min=0.0) * (n_coarse / n_fine)
    return shares


def _check(found: npt.NDArray[np.float32], name: str, expected: tuple[int, int]) -> None:
    if found.ndim != 4 or found.shape[:2] != expected or not np.issubdtype(found.dtype, np.floating):
        raise SystemFailure(
            f"{name}: attention gave {found.dtype} of shape {found.shape}, expected floats of shape "
            f"({expected[0]}, {expected[1]}, time, bands)"
        )
    if not (np.isfinite(found).all() and (found >= 0).all()):
        raise SystemFailure(f"{name}: attention has negative, NaN or infinite weights")
    sums = found.sum(axis=(2, 3), dtype=np.float64)
    off = np.abs(sums - 1) > _SUM_TOLERANCE
    if off.any():
        clip, category = (int(i) for i in np.argwhere(off)[0])
        raise SystemFailure(
            f"{name}: attention of clip number {clip} for class number {category} sums to "
            f"{sums[clip, category]:.6g}, expected 1"
        )
