"""Confusion matrices as a figure: all classes, or where these are many, the coarse ones that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.labels import LabelSpace
from asc_bench.reporting.figures import INK, LINE_IN, SCREEN, TITLE_PT, FigureStyle, any_backend, plain, title_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_FEW_CLASSES = 20
"""Up to here a cell has room for its percentage above its count."""
MANY_CLASSES = 30
"""Beyond, coarse classes are drawn where there are some, and the worst confusions stand in a table."""
_BAR_IN = 0.8
_NARROWEST_CELL_IN = 0.1
_WRITTEN_IN = 0.15
"""Width of a cell in which a percentage is legible."""
_SMALLEST_PT = 5.0


def draw_confusions(frames: Mapping[str, pd.DataFrame], *, title: str = "", style: FigureStyle = SCREEN) -> Figure:
    """One panel per confusion matrix; colour is the share of the true class, cells carry the clip counts.

    A class that no clip of any panel has or was given is left out, and the title says how many are. In a width
    for print, panels stand in as many columns as have room, and cells carry what is legible in them.

    Parameters
    ----------
    frames : mapping
        Panel title (a device) to counts, rows true, columns predicted, the same classes in all.
    title : str
        Figure title; may have several lines.
    style : FigureStyle
        Width and titles.

    Raises
    ------
    ConfigError
        If there is no panel, or if a frame is not square over one list of classes.
    """
    any_backend()
    from matplotlib.figure import Figure

    frames, classes, left_out = _shown(frames)
    title = "\n".join(filter(None, (title if style.titles else "", left_out)))
    few = len(classes) <= _FEW_CLASSES
    font = 7.0 if few else 5.5
    label_in = 0.0085 * font * max(map(len, classes)) + 0.3
    if style.width_in is None:
        cell_in = 0.28 if few else 0.19
        n_columns = len(frames) if few else 1
    else:
        n_columns, cell_in = _fitted(len(frames), len(classes), style.width_in - label_in - _BAR_IN)
        font = min(font, max(72 * cell_in / 1.15, _SMALLEST_PT))
    n_rows = -(-len(frames) // n_columns)
    side_in = cell_in * len(classes)
    width_in = style.width(max(label_in + n_columns * (side_in + 0.15) + _BAR_IN, 3.0))
    lines = title_lines(title, width_in)
    height_in = n_rows * (side_in + 0.3) + label_in + LINE_IN * (len(lines) + 0.5)
    # Cells are square: in a width that is given, the room that they leave must not part titles and panels.
    figure = Figure(figsize=(width_in, height_in), layout="constrained" if style.width_in is None else "compressed")
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    axes = list(grid.flat)
    for ax in axes[len(frames) :]:
        ax.remove()
    axes = axes[: len(frames)]
    written = _wording(few=few, cell_in=cell_in if style.width_in else None)
    for ax, (name, frame) in zip(axes, frames.items(), strict=True):
        image = _draw_matrix(ax, frame.to_numpy(dtype=float), written, font=font)
        ax.set_title(plain(name), fontsize=font + 2, color=INK)
    shown = [plain(c) for c in classes]
    for i, ax in enumerate(axes):
        ax.set_xticks(range(len(classes)), shown, rotation=90, fontsize=font)
        ax.set_yticks(range(len(classes)), shown, fontsize=font)
        if i + n_columns >= len(axes):
            ax.tick_params(axis="x", labelbottom=True)
            ax.set_xlabel("predicted", fontsize=font + 1)
        if i % n_columns == 0:
            ax.set_ylabel("true", fontsize=font + 1)
    bar = figure.colorbar(image, ax=axes, shrink=0.6 if n_rows == 1 else 0.3, aspect=30, pad=0.01)
    bar.set_label("percent of the true class" + (" (clips)" if written == "both" else ""), fontsize=font + 1)
    bar.ax.tick_params(labelsize=font)
    if lines:
        figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    return figure


def coarse_counts(frames: Mapping[str, pd.DataFrame], labels: LabelSpace) -> dict[str, pd.DataFrame]:
    """Matrices of fine classes summed to those of the coarse classes; frames of other classes stay as they are."""
    summed = {}
    for name, frame in frames.items():
        if [str(c) for c in frame.index] != list(labels.fine):
            summed[name] = frame
            continue
        to_coarse = np.zeros((len(labels.fine), len(labels.coarse)), dtype=int)
        to_coarse[np.arange(len(labels.fine)), labels.coarse_of] = 1
        counts = to_coarse.T @ frame.to_numpy() @ to_coarse
        summed[name] = pd.DataFrame(counts, index=list(labels.coarse), columns=list(labels.coarse))
    return summed


def _shown(frames: Mapping[str, pd.DataFrame]) -> tuple[Mapping[str, pd.DataFrame], list[str], str]:
    """The matrices of the classes that occur, these classes, and a sentence if others were left out."""
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
    if not 0 < n_left_out < len(classes):
        return frames, classes, ""
    return (
        {name: frame.loc[occurs, occurs] for name, frame in frames.items()},
        [name for name, there in zip(classes, occurs, strict=True) if there],
        f"Not shown: {n_left_out} of {len(classes)} classes, neither true nor predicted in these clips.",
    )


def _fitted(n_panels: int, n_classes: int, room_in: float) -> tuple[int, float]:
    """Columns of panels in which names stay legible, and the side of a cell, for a width that is given."""
    n_columns = min(n_panels, max(int(room_in / (_NARROWEST_CELL_IN * n_classes + 0.15)), 1))
    if n_columns < n_panels <= 3:
        n_columns = 1  # else a hole would be left
    cell_in = max(room_in / n_columns - 0.15, 0.5) / n_classes
    return n_columns, min(cell_in, 0.4)


def _wording(*, few: bool, cell_in: float | None) -> str:
    """What stands in a cell: ``both``, ``counts``, ``percent`` or nothing."""
    if cell_in is None:
        return "both" if few else "counts"
    return "percent" if cell_in >= _WRITTEN_IN else ""


def _draw_matrix(ax: Axes, counts: npt.NDArray[np.float64], written: str, *, font: float) -> AxesImage:
    totals = counts.sum(axis=1, keepdims=True)
    # A class without a test clip has no percentages: its row stays empty.
    shares = np.divide(100 * counts, totals, out=np.zeros_like(counts), where=totals > 0)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
    for i, j in np.argwhere(counts > 0) if written else ():
        count, share = f"{counts[i, j]:.0f}", f"{shares[i, j]:.0f}"
        text = {"both": f"{share}\n({count})", "counts": count, "percent": share}[written]
        colour = "white" if shares[i, j] > 55 else INK
        ax.text(j, i, text, ha="center", va="center", fontsize=font - 1.2, color=colour, linespacing=0.95)
    ax.set_xticks(np.arange(len(counts) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(counts) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="#dddddd", linewidth=0.4)
    ax.tick_params(which="both", length=0)
    return image
