"""Figures for a report or a paper, as PNG and SVG: confusion matrices and scores with their intervals."""

from __future__ import annotations

import contextlib
import io
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.files import write_atomic
from asc_bench.reporting.text import one_line
from asc_bench.scoring.measure import Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

DPI = 200
INK = "#1a1a1a"
_BLUE = "#0072B2"
"""Of the palette of Okabe and Ito, told apart by all common kinds of colour vision."""
TITLE_PT = 9.0
LINE_IN = 0.18
_MIN_WIDTH_IN = 3.0
_PANELS_IN_A_ROW = 5
_FEW_CLASSES = 20
"""Up to here a cell has room for its percentage above its count."""


def any_backend() -> None:
    """Import matplotlib whatever backend the environment names; figures here have a canvas of their own.

    A command that is started in a notebook inherits ``MPLBACKEND``. Where that backend is not installed, matplotlib
    could not even be imported, and not later either once that failed.
    """
    if "matplotlib" in sys.modules:
        return
    named = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named
    if named:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = named


def draw_confusions(frames: Mapping[str, pd.DataFrame], *, title: str = "") -> Figure:
    """One panel per confusion matrix; colour is the share of the true class, cells carry the clip counts.

    A class that no clip of any panel has or was given is left out, and the title says how many are.

    Parameters
    ----------
    frames : mapping
        Panel title (a device) to counts, rows true, columns predicted, the same classes in all.
    title : str
        Figure title; may have several lines.

    Raises
    ------
    ConfigError
        If there is no panel, or if a frame is not square over one list of classes.
    """
    any_backend()
    from matplotlib.figure import Figure

    if not frames:
        raise ConfigError("a confusion figure needs at least one matrix")
    classes = [str(c) for c in next(iter(frames.values())).index]
    for name, frame in frames.items():
        if [str(c) for c in frame.index] != classes or [str(c) for c in frame.columns] != classes:
            raise ConfigError(
                f"confusion matrix {name!r}: rows and columns must both be {classes}, the rows of the first"
            )
    counts = np.sum([frame.to_numpy() for frame in frames.values()], axis=0)
    occurs = (counts.sum(axis=0) > 0) | (counts.sum(axis=1) > 0)
    n_left_out = int((~occurs).sum())
    if 0 < n_left_out < len(classes):
        frames = {name: frame.loc[occurs, occurs] for name, frame in frames.items()}
        title += f"\nNot shown: {n_left_out} of {len(classes)} classes, neither true nor predicted in these clips."
        classes = [name for name, there in zip(classes, occurs, strict=True) if there]
    few = len(classes) <= _FEW_CLASSES
    cell_in, font = (0.28, 7.0) if few else (0.19, 5.5)
    side_in, label_in = cell_in * len(classes), 0.0085 * font * max(map(len, classes)) + 0.3
    n_columns = len(frames) if few else 1
    n_rows = len(frames) // n_columns
    width_in = max(label_in + n_columns * (side_in + 0.15) + 0.8, _MIN_WIDTH_IN)
    lines = title_lines(title, width_in)
    height_in = n_rows * (side_in + 0.3) + label_in + LINE_IN * (len(lines) + 0.5)
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    axes = list(grid.flat)
    for ax, (name, frame) in zip(axes, frames.items(), strict=True):
        image = _draw_matrix(ax, frame.to_numpy(dtype=float), few=few, font=font)
        ax.set_title(plain(name), fontsize=font + 2, color=INK)
    shown = [plain(c) for c in classes]
    for ax in axes:
        ax.set_xticks(range(len(classes)), shown, rotation=90, fontsize=font)
        ax.set_yticks(range(len(classes)), shown, fontsize=font)
    for ax in grid[-1]:
        ax.set_xlabel("predicted", fontsize=font + 1)
    for ax in grid[:, 0]:
        ax.set_ylabel("true", fontsize=font + 1)
    bar = figure.colorbar(image, ax=axes, shrink=0.6 if n_rows == 1 else 0.3, aspect=30, pad=0.01)
    bar.set_label("percent of the true class (clips)" if few else "percent of the true class", fontsize=font + 1)
    bar.ax.tick_params(labelsize=font)
    if title:
        figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    return figure


def _draw_matrix(
    ax: Axes, counts: np.ndarray[tuple[int, ...], np.dtype[np.float64]], *, few: bool, font: float
) -> AxesImage:
    totals = counts.sum(axis=1, keepdims=True)
    # A class without a test clip has no percentages: its row stays empty.
    shares = np.divide(100 * counts, totals, out=np.zeros_like(counts), where=totals > 0)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
    for i, j in np.argwhere(counts > 0):
        text = f"{shares[i, j]:.0f}\n({counts[i, j]:.0f})" if few else f"{counts[i, j]:.0f}"
        colour = "white" if shares[i, j] > 55 else INK
        ax.text(j, i, text, ha="center", va="center", fontsize=font - 1.2, color=colour, linespacing=0.95)
    ax.set_xticks(np.arange(len(counts) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(counts) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="#dddddd", linewidth=0.4)
    ax.tick_params(which="both", length=0)
    return image


def draw_scores(
    scores: pd.DataFrame,
    *,
    measures: Sequence[Measure],
    title: str = "",
) -> Figure:
    """Dot plot: a panel per measure, a line per system, best on top, with the 95 % intervals.

    Parameters
    ----------
    scores : DataFrame
        ``score_table`` of ``asc_bench.scoring.frames``. Rows with an incomplete sentence are left out.
    measures : sequence of Measure
        Panels in order; the first sorts the systems. Those that no system has are left out.
    title : str
        Figure title; may have several lines.
    """
    any_backend()
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    whole = scores[(scores["incomplete"] == "") & scores["value"].notna()]
    panels = [m for m in measures if (whole["measure"] == m.name).any()]
    first = whole[whole["measure"] == panels[0].name] if panels else whole
    upwards = panels[0].higher_is_better if panels else True
    systems = [str(s) for s in first.sort_values("value", ascending=upwards, kind="stable")["system"]]
    names = [plain(s) for s in systems]
    label_in = 0.068 * max(map(len, names), default=8) + 0.3
    n_panels = max(len(panels), 1)
    n_rows = math.ceil(n_panels / _PANELS_IN_A_ROW)
    n_columns = math.ceil(n_panels / n_rows)
    width_in = label_in + 1.9 * n_columns
    lines = title_lines(title, width_in)
    height_in = n_rows * (0.8 + 0.24 * max(len(systems), 2)) + LINE_IN * len(lines)
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = list(figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).flat)
    for ax in axes[n_panels:]:
        ax.remove()
    alike: dict[tuple[str, bool], Axes] = {}
    for ax, measure in zip(axes, panels, strict=False):
        rows = whole[whole["measure"] == measure.name].set_index("system").reindex(systems)
        scale = 100 if measure.unit == "percent" else 1
        # Only what can be compared has a common axis.
        first_alike = alike.setdefault((measure.unit, measure.higher_is_better), ax)
        if first_alike is not ax:
            ax.sharex(first_alike)
        value, low, high = (scale * rows[c].to_numpy(dtype=float) for c in ("value", "low", "high"))
        places = np.arange(len(systems))
        ax.hlines(places, low, high, color=_BLUE, linewidth=1.4)
        ax.plot(value, places, "o", color=_BLUE, markersize=5)
        ax.set_title(plain(measure.name), fontsize=9, color=INK)
        ax.set_xlabel(_axis_label(measure), fontsize=8, color=INK)
        ax.grid(axis="x", color="#e5e5e5", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        ax.tick_params(axis="both", length=0, labelsize=8, colors=INK)
        ax.tick_params(axis="x", labelbottom=True)
        ax.spines[["top", "right", "left"]].set_visible(False)
    axes[0].set_yticks(range(len(systems)), names)
    axes[0].set_ylim(-0.6, max(len(systems), 1) - 0.4)
    if not panels:
        axes[0].text(0.5, 0.5, "no score", transform=axes[0].transAxes, ha="center", va="center")
    if title:
        figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    return figure


def _axis_label(measure: Measure) -> str:
    """Statistic, unit and, where it is not the usual one, direction."""
    unit = "" if measure.unit == "ratio" else f", {measure.unit}"
    direction = "" if measure.higher_is_better else "\n(lower is better)"
    return plain(measure.scored_by.name.replace("-", " ")) + unit + direction


def save_figure(figure: Figure, path_stem: Path) -> tuple[Path, Path]:
    """Write a figure as PNG (200 dots per inch) and SVG, the same bytes for the same figure.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    written = []
    for kind in ("png", "svg"):
        path = path_stem.with_name(f"{path_stem.name}.{kind}")
        write_atomic(path, figure_bytes(figure, kind))
        written.append(path)
    return written[0], written[1]


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """The image file as bytes; ``kind`` is ``png`` or ``svg``."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    # Without a fixed salt and date two equal figures would differ as SVG files.
    with rc_context({"svg.hashsalt": "asc-bench"}):
        figure.savefig(
            buffer,
            format=kind,
            dpi=DPI,
            bbox_inches="tight",
            pad_inches=0.05,
            metadata={"Date": None} if kind == "svg" else {"Software": None},
        )
    return buffer.getvalue()


def title_lines(title: str, width_in: float) -> list[str]:
    """A figure's title, wrapped to its width; each line takes ``LINE_IN`` of its height."""
    # A letter is about half as wide as the type is high, and there are 72 points to the inch.
    letters = int(width_in * 72 / (0.55 * TITLE_PT))
    return [part for line in title.splitlines() for part in wrap(plain(line), letters)]


def plain(text: str) -> str:
    """Foreign text as one line that matplotlib shows as it is."""
    # Between two dollar signs matplotlib would read a formula, and fail where it is none.
    return one_line(text, limit=160).replace("$", r"\$")
