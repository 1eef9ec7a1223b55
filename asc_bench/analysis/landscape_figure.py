"""The picture of loss landscapes: for each network a surface, and the contours of the same losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asc_bench.analysis.landscape import Landscape
from asc_bench.errors import ConfigError
from asc_bench.reporting.figures import INK, LINE_IN, TITLE_PT, any_backend, plain, title_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]

_WIDTH_IN = 7.16
"""The text of a page in two columns."""
_COLUMNS = 3
_SURFACE_IN, _CONTOUR_IN, _FOOT_IN = 1.9, 1.75, 0.85
_FONT = 7.0
_MAP = "viridis"
_RING: dict[str, Any] = {
    "marker": "o",
    "color": "black",
    "markerfacecolor": "none",
    "markersize": 6,
    "markeredgewidth": 0.9,
}
_CROSS: dict[str, Any] = {"marker": "x", "color": "#D55E00", "markersize": 5, "markeredgewidth": 1.2}
_N_LEVELS = 13
_RANGE = 1e4
"""Losses further below the highest one share the colour of the lowest."""


def draw_landscapes(landscapes: Mapping[str, Landscape], *, title: str) -> Figure:
    """Draw landscapes on shared scales: height is the loss, colour its logarithm.

    A ring marks the network as it was trained, a cross the lowest point of each grid. Points without a finite loss
    are left blank.

    Parameters
    ----------
    landscapes : mapping of str to Landscape
        By panel title, in order.
    title : str
        May have several lines.

    Raises
    ------
    ConfigError
        If there is none.
    SystemFailure
        If one of them has no finite loss at all.
    """
    any_backend()
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter

    if not landscapes:
        raise ConfigError("a figure of loss landscapes needs at least one")
    norm, levels = _colours(landscapes)
    alone = len(landscapes) == 1
    n_columns = min(_COLUMNS, len(landscapes))
    n_bands = -(-len(landscapes) // n_columns)
    rows_in = [2.4] if alone else [_SURFACE_IN, _CONTOUR_IN] * n_bands
    lines = title_lines(title, _WIDTH_IN)
    head_in = LINE_IN * len(lines) + 0.2
    height_in = head_in + sum(rows_in) + _FOOT_IN
    figure = Figure(figsize=(_WIDTH_IN, height_in))
    figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK, y=1.0, va="top")
    # No layout engine sees what room the labels of a surface take.
    grid = figure.add_gridspec(
        len(rows_in),
        2 if alone else n_columns,
        height_ratios=rows_in,
        left=0.06,
        right=0.96,
        bottom=_FOOT_IN / height_in,
        top=1 - head_in / height_in,
        hspace=0.36,
        wspace=0.2,
    )
    for k, (name, one) in enumerate(landscapes.items()):
        band, column = divmod(k, n_columns)
        solid = figure.add_subplot(grid[2 * band, column], projection="3d")
        flat = figure.add_subplot(grid[0, 1] if alone else grid[2 * band + 1, column])
        _surface(solid, one, norm)
        solid.set_title(plain(name), fontsize=_FONT + 1, color=INK, pad=-4)
        _contours(flat, one, norm, levels, named=column == 0)
    bar = figure.colorbar(
        ScalarMappable(norm, _MAP),
        cax=figure.add_axes((0.08, 0.3 / height_in, 0.42, 0.08 / height_in)),
        orientation="horizontal",
        ticks=levels[::3],
        format=FuncFormatter(lambda loss, _: f"{loss:.2g}"),
    )
    bar.minorticks_off()
    bar.set_label("loss (colour: logarithmic)", fontsize=_FONT, color=INK)
    bar.ax.tick_params(labelsize=_FONT - 1, length=2, width=0.5)
    marks = (("as trained", _RING), ("lowest of the grid", _CROSS))
    figure.legend(
        handles=[Line2D([], [], linestyle="", label=label, **style) for label, style in marks],
        loc="lower right",
        bbox_to_anchor=(0.98, 0.1 / height_in),
        ncols=2,
        fontsize=_FONT,
        frameon=False,
    )
    return figure


def _colours(landscapes: Mapping[str, Landscape]) -> tuple[LogNorm, npt.NDArray[np.float64]]:
    """A logarithmic scale over all losses, and the contours on it."""
    from matplotlib.colors import LogNorm

    for one in landscapes.values():
        _ = one.lowest  # refuses a landscape without any finite loss
    finite = np.concatenate([one.losses[np.isfinite(one.losses)] for one in landscapes.values()])
    high = float(finite.max())
    if high <= 0:
        raise ConfigError(f"losses are drawn on a logarithmic scale, and the highest of them is {high:g}")
    low = max(float(finite.min()), high / _RANGE)
    # A flat landscape has a scale, too.
    low, high = (low, high) if high > 1.01 * low else (0.99 * low, 1.01 * low)
    return LogNorm(low, high, clip=True), np.geomspace(low, high, _N_LEVELS)


def _surface(ax: Axes3D, one: Landscape, norm: LogNorm) -> None:
    from matplotlib import colormaps

    x, y = np.meshgrid(one.steps, one.steps, indexing="ij")
    heights = np.where(np.isfinite(one.losses), one.losses, np.nan)
    corners = (heights[:-1, :-1], heights[1:, :-1], heights[:-1, 1:], heights[1:, 1:])
    # A cell with a gap at one of its corners is not drawn, and needs a colour nevertheless.
    cells = np.nan_to_num(np.mean(corners, axis=0), nan=1.0)
    ax.plot_surface(
        x,
        y,
        heights,
        facecolors=colormaps[_MAP](norm(cells)),
        rstride=1,
        cstride=1,
        linewidth=0,
        shade=False,
    )
    ax.set_zlim(0, norm.vmax)
    ax.set_xticks([-one.steps[-1], 0, one.steps[-1]])
    ax.set_yticks([-one.steps[-1], 0, one.steps[-1]])
    ax.tick_params(labelsize=_FONT - 1, pad=-3)
    ax.set_zlabel("loss", fontsize=_FONT, color=INK, labelpad=-8)
    ax.view_init(elev=28, azim=-55)
    ax.set_box_aspect((1, 1, 0.75), zoom=1.2)


def _contours(ax: Axes, one: Landscape, norm: LogNorm, levels: npt.NDArray[np.float64], *, named: bool) -> None:
    heights = np.ma.masked_invalid(one.losses).clip(levels[0], levels[-1])
    # The first direction to the right: a matrix has its columns there.
    ax.contourf(one.steps, one.steps, heights.T, levels=levels, norm=norm, cmap=_MAP)
    ax.contour(one.steps, one.steps, heights.T, levels=levels, colors="white", linewidths=0.4)
    x, y, _ = one.lowest
    ax.plot(0, 0, linestyle="", **_RING)
    ax.plot(x, y, linestyle="", **_CROSS)
    ax.set_aspect("equal")
    ends = [float(one.steps[0]), 0.0, float(one.steps[-1])]
    ax.set_xticks(ends)
    ax.set_yticks(ends)
    ax.set_xlabel("direction 1", fontsize=_FONT, color=INK, labelpad=1)
    if named:
        ax.set_ylabel("direction 2", fontsize=_FONT, color=INK, labelpad=1)
    ax.tick_params(labelsize=_FONT - 1, length=2, width=0.5)
