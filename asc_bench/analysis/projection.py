"""Embeddings in two dimensions, and the picture of them: one panel for each network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, DataError
from asc_bench.reporting.figures import INK, LINE_IN, TITLE_PT, any_backend, plain, title_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METHODS = ("pca", "tsne")

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B5A800")
"""Of Okabe and Ito, the yellow darkened for white paper."""
_MARKERS = "o^sDvPX*<>"
"""A class beyond the last colour begins with the first one again and has the next marker."""
_PERPLEXITY = 30.0
_SIDE_IN, _MIN_WIDTH_IN = 3.2, 6.0
_MAX_COLUMNS = 3


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Points in the plane.

    Attributes
    ----------
    points : float array, shape (n, 2)
    axes : (str, str)
        What the axes show.
    kept : float, optional
        Share of the variance that the plane holds, in 0 to 1; None where that has no meaning.
    """

    points: npt.NDArray[np.float64]
    axes: tuple[str, str]
    kept: float | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One network's points, with the class of each."""

    title: str
    projection: Projection
    classes: Sequence[str]


def project(embedding: npt.NDArray[np.floating], *, method: str = "pca", seed: int = 0) -> Projection:
    """Bring an embedding into the plane.

    Parameters
    ----------
    embedding : array, shape (n, d)
        Of one network: two networks have nothing to do with each other's axes.
    method : {"pca", "tsne"}
        The two directions of most variance, or t-SNE with perplexity 30 (less below 91 clips) from these
        directions, by scikit-learn. Distances between groups mean nothing in a t-SNE.
    seed : int
        Of t-SNE.

    Raises
    ------
    ConfigError
        For an unknown method.
    DataError
        If there are too few clips or numbers, or if all embeddings are equal.
    """
    if method not in METHODS:
        raise ConfigError(f"projection {method!r} is not one of {', '.join(METHODS)}")
    rows = np.asarray(embedding, dtype=np.float64)
    least = 3 if method == "pca" else 4
    if rows.ndim != 2 or len(rows) < least or rows.shape[1] < 2:
        raise DataError(f"{method} needs {least} embeddings of two numbers at least; their shape is {rows.shape}")
    if not rows.std(axis=0).any():
        raise DataError(f"all {len(rows)} embeddings are equal, so there is nothing to show")
    if method == "pca":
        from sklearn.decomposition import PCA

        pca = PCA(n_components=2, svd_solver="full")
        points = pca.fit_transform(rows)
        shares = [float(share) for share in pca.explained_variance_ratio_]
        first, second = (f"component {i}: {100 * s:.1f} % of the variance" for i, s in enumerate(shares, start=1))
        return Projection(points=points, axes=(first, second), kept=sum(shares))
    from sklearn.manifold import TSNE

    tsne = TSNE(perplexity=min(_PERPLEXITY, (len(rows) - 1) / 3), init="pca", random_state=seed)
    return Projection(points=tsne.fit_transform(rows).astype(np.float64), axes=("t-SNE 1", "t-SNE 2"))


def draw_projections(panels: Sequence[Panel], *, classes: Sequence[str], title: str) -> Figure:
    """Draw a panel for each network, with one legend.

    Parameters
    ----------
    panels : sequence of Panel
        At least one. Each has axes of its own.
    classes : sequence of str
        All classes, in the order that gives them their colours; the legend names those that occur.
    title : str
        May have several lines.
    """
    any_backend()
    from matplotlib.figure import Figure

    n_columns = min(len(panels), _MAX_COLUMNS)
    n_rows = -(-len(panels) // n_columns)
    there = {name for panel in panels for name in panel.classes}
    shown = [name for name in classes if name in there]
    width_in = max(_SIDE_IN * n_columns, _MIN_WIDTH_IN)
    in_legend = max(1, int(width_in / (0.075 * max(len(plain(name)) for name in shown) + 0.35)))
    legend_in = 0.17 * -(-len(shown) // in_legend) + 0.15
    lines = title_lines(title, width_in)
    side_in = width_in / n_columns if n_columns > 1 else 1.25 * _SIDE_IN
    height_in = n_rows * side_in + legend_in + LINE_IN * len(lines)
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    grid = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    for ax in grid[len(panels) :]:
        ax.remove()
    for ax, panel in zip(grid, panels, strict=False):
        _scatter(ax, panel, classes, size=_size(len(panel.classes)))
    handles = [
        grid[0].plot([], [], _marker(i), color=_COLOURS[i % len(_COLOURS)], markersize=4, ls="", label=plain(name))[
            0
        ]
        for i, name in enumerate(classes)
        if name in there
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(in_legend, len(shown)),
        fontsize=7,
        frameon=False,
        handletextpad=0.2,
        columnspacing=1.0,
    )
    figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    return figure


def _scatter(ax: Axes, panel: Panel, classes: Sequence[str], *, size: float) -> None:
    names = np.asarray(panel.classes, dtype=object)
    points = panel.projection.points
    colours = np.empty(len(names), dtype=object)
    # In an order of chance, so that no class lies above all others; a marker at a time, as matplotlib wants it.
    order = np.random.default_rng(0).permutation(len(names))
    index = np.array([classes.index(name) for name in names])
    for i in range(len(classes)):
        colours[index == i] = _COLOURS[i % len(_COLOURS)]
    for marker in dict.fromkeys(_marker(int(i)) for i in np.unique(index)):
        its = order[[_marker(int(i)) == marker for i in index[order]]]
        ax.scatter(
            points[its, 0], points[its, 1], s=size, c=list(colours[its]), marker=marker, linewidths=0, alpha=0.75
        )
    if panel.title:
        ax.set_title(plain(panel.title), fontsize=8, color=INK)
    ax.set_xlabel(panel.projection.axes[0], fontsize=7, color=INK)
    ax.set_ylabel(panel.projection.axes[1], fontsize=7, color=INK)
    ax.set_aspect("equal", adjustable="datalim")
    ax.tick_params(length=2, width=0.5, labelsize=6, colors=INK)
    ax.spines[["top", "right"]].set_visible(False)


def _marker(i: int) -> str:
    return _MARKERS[i // len(_COLOURS) % len(_MARKERS)]


def _size(n: int) -> float:
    """Points squared: smaller the more there are."""
    return float(np.clip(6000 / n, 4.0, 22.0))
