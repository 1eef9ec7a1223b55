"""Spectrograms, and what lies over their bins, drawn with axes in hertz and seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.features.frontends import FrontEnd, LogMel
from asc_bench.features.resampled import ResampledLogMel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_TICKS_HZ = (1_000, 10_000, 100, 500, 5_000, 2_000, 20_000, 200, 50, 20)
"""Round frequencies; the first of two that are too close gets the tick."""


def log_mel_of(front_end: FrontEnd) -> LogMel:
    """The front end, if it is one whose bins have a time and a frequency.

    Raises
    ------
    ConfigError
        For any other.
    """
    if isinstance(front_end, ResampledLogMel):
        return front_end.inner
    if not isinstance(front_end, LogMel):
        raise ConfigError(f"only log-mel spectrograms can be drawn, not the input {type(front_end).__name__}")
    return front_end


def band_centres_hz(front_end: LogMel) -> npt.NDArray[np.float64]:
    """Where the triangle of each mel band peaks, in Hz, shape (n_mels,); by the front end's mel scale."""
    from librosa import mel_frequencies

    edges = mel_frequencies(
        front_end.n_mels + 2,
        fmin=front_end.fmin_hz,
        fmax=front_end.fmax_hz,
        htk=front_end.mel_scale == "htk",
    )
    centres: npt.NDArray[np.float64] = np.asarray(edges[1:-1], dtype=np.float64)
    return centres


def frame_edges_s(front_end: LogMel, n_frames: int) -> tuple[float, float]:
    """Where the first frame's share of the time axis begins and the last one's ends, in s.

    A frame stands for one hop about the middle of its window.
    """
    first_centre = 0.0 if front_end.centre else front_end.window_length / 2
    begin = first_centre - front_end.hop_length / 2
    return begin / front_end.sample_rate_hz, (begin + n_frames * front_end.hop_length) / front_end.sample_rate_hz


def frequency_ticks(front_end: LogMel, *, gap: float) -> tuple[list[float], list[str]]:
    """Round frequencies as positions in bands (0 is the centre of the first one) with their labels, ascending.

    Parameters
    ----------
    front_end : LogMel
        Its bands.
    gap : float
        Least distance of two ticks, as a share of the axis.
    """
    centres = band_centres_hz(front_end)
    kept: dict[int, float] = {}
    for hz in _TICKS_HZ:
        if centres[0] <= hz <= centres[-1]:
            position = float(np.interp(hz, centres, np.arange(len(centres))))
            if all(abs(position - other) >= gap * len(centres) for other in kept.values()):
                kept[hz] = position
    ascending = sorted(kept)
    return [kept[hz] for hz in ascending], [f"{hz // 1_000}k" if hz >= 1_000 else str(hz) for hz in ascending]


def show_bins(
    ax: Axes,
    values: npt.NDArray[np.floating],
    front_end: LogMel,
    *,
    duration_s: float,
    font: float = 8.0,
    gap: float = 0.09,
    **image: Any,
) -> AxesImage:
    """Draw one value per bin, low frequencies at the bottom.

    Parameters
    ----------
    ax : Axes
        Where.
    values : array, shape (n_frames, n_bands) or (n_frames, n_bands, 3)
        Numbers or colours.
    front_end : LogMel
        What the bins mean.
    duration_s : float
        Length of the clip: the time axis goes from 0 to it.
    font : float
        Size of the numbers at the ticks, in points.
    gap : float
        As in ``frequency_ticks``.
    **image
        Passed to ``Axes.imshow``.
    """
    begin_s, end_s = frame_edges_s(front_end, len(values))
    drawn = ax.imshow(
        values.swapaxes(0, 1),
        origin="lower",
        aspect="auto",
        extent=(begin_s, end_s, -0.5, front_end.n_mels - 0.5),
        **image,
    )
    ax.set_xlim(0.0, duration_s)
    ax.set_yticks(*frequency_ticks(front_end, gap=gap))
    ax.tick_params(length=2, width=0.5, labelsize=font)
    for spine in ax.spines.values():
        spine.set_linewidth(0.5)
    return drawn
