"""The picture of one clip: its log-mel spectrogram, and the attention of a class over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asc_bench.analysis.spectrogram import show_bins
from asc_bench.features.frontends import LogMel
from asc_bench.reporting.figures import INK, LINE_IN, TITLE_PT, any_backend, title_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_WIDTH_IN, _PANEL_IN = 7.2, 2.0
_ORANGE = (0.90, 0.40, 0.0)
_VEIL = 0.85
"""Opacity of the largest weight."""


def draw_explanation(
    log_mel: npt.NDArray[np.floating],
    attention: npt.NDArray[np.floating],
    front_end: LogMel,
    *,
    duration_s: float,
    title: str,
) -> Figure:
    """Draw a clip without and with an orange veil of attention.

    Parameters
    ----------
    log_mel : array, shape (n_frames, n_bands)
        What the system saw, before standardisation.
    attention : array, shape (n_frames, n_bands)
        Weights that sum to one.
    front_end : LogMel
        What the bins mean.
    duration_s : float
        Length of the clip, in s.
    title : str
        May have several lines.
    """
    any_backend()
    from matplotlib.figure import Figure

    lines = title_lines(title, _WIDTH_IN)
    figure = Figure(figsize=(_WIDTH_IN, 2 * _PANEL_IN + LINE_IN * len(lines)), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    image = show_bins(upper, log_mel, front_end, duration_s=duration_s, cmap="gray")
    _bar(upper, image, f"log-mel, {front_end.log}")
    show_bins(lower, log_mel, front_end, duration_s=duration_s, cmap="gray")
    relative = attention * attention.size
    low, high = attention_limits(relative)
    veil = show_bins(
        lower,
        relative,
        front_end,
        duration_s=duration_s,
        cmap=veil_map(),
        vmin=low,
        vmax=high,
    )
    _bar(lower, veil, "attention, times the mean")
    lower.set_xlabel("time, s", fontsize=8, color=INK)
    for ax in (upper, lower):
        ax.set_ylabel("frequency, Hz", fontsize=8, color=INK)
    figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    return figure


def attention_limits(relative: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Range of a colour scale for attention in units of its mean.

    Least and largest, but 0.9 and 1.1 at least: rounding in an even map is not to look like a pattern.
    """
    return min(0.9, float(relative.min())), max(1.1, float(relative.max()))


def veil_map() -> Colormap:
    """From nothing to orange: what is looked at is covered, the rest stays grey."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("veil", [(*_ORANGE, 0.0), (*_ORANGE, _VEIL)])


def _bar(ax: Axes, image: AxesImage, label: str) -> None:
    figure = ax.get_figure()
    assert figure is not None
    bar = figure.colorbar(image, ax=ax, aspect=12, pad=0.01)
    # Under the veil lies a spectrogram, and no white paper.
    bar.ax.set_facecolor("0.5")
    bar.set_label(label, fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=8, length=2, width=0.5)
