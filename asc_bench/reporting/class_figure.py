"""Recall of each class by system, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.reporting.figures import (
    INK,
    LINE_IN,
    ROW_IN,
    SCREEN,
    TEXT_PT,
    TITLE_PT,
    FigureStyle,
    any_backend,
    plain,
    row_places,
    shown_name,
    title_lines,
    width_of,
    within,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FEW_CLASSES = 20
"""Beyond, classes are the rows: a page is higher than wide."""
_CELL_IN = 0.3
_ROW_IN = 0.165
_BAR_IN = 0.75
_WRITTEN_IN = 0.2
"""Width of a cell in which a percentage is legible."""
_SMALLEST_PT = 5.0


def draw_recalls(
    recalls: pd.DataFrame,
    *,
    systems: Sequence[str],
    title: str = "",
    style: FigureStyle = SCREEN,
) -> Figure:
    """Percent of the clips of each class that each system recognised; empty where a class has no test clip.

    Parameters
    ----------
    recalls : DataFrame
        ``Evaluation.recalls`` over all devices; every system with the same classes.
    systems : sequence of str
        Best first.
    title : str
        Figure title; may have several lines.
    style : FigureStyle
        Width and titles.

    Raises
    ------
    ConfigError
        If a system has no recall, or one of other classes than the first.
    """
    any_backend()
    from matplotlib.figure import Figure

    table = _by_system(recalls, systems)
    many = table.shape[1] > _FEW_CLASSES
    names = [shown_name(system, style.name_letters()) for system in table.index]
    classes = [plain(str(label)) for label in table.columns]
    rows, columns = (classes, names) if many else (names, classes)
    # From the bottom up.
    middles, n_high = row_places(rows[::-1])
    across, n_wide = row_places(columns)
    label_in, below_in = width_of(rows) + 0.1, width_of(columns) + 0.1
    written_in = _CELL_IN * len(columns) if many or style.width_in is None else 0.0
    width_in = style.width(label_in + max(written_in, ROW_IN * n_wide) + _BAR_IN)
    column_in = max(width_in - label_in - _BAR_IN, 0.5) / len(columns)
    lines = title_lines(title, width_in) if style.titles else []
    height_in = _ROW_IN * n_high + below_in + 0.15 + LINE_IN * len(lines)
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    ax = figure.subplots()
    shown = 100 * (table.to_numpy().T if many else table.to_numpy())[::-1]
    edges = [_edges(side) for side in (columns, rows[::-1])]
    image = ax.pcolormesh(
        *edges, np.ma.masked_invalid(shown), cmap="cividis", vmin=0, vmax=100, edgecolors="white", linewidth=0.4
    )
    if column_in >= _WRITTEN_IN:
        for i, j in np.argwhere(~np.isnan(shown)):
            colour = "white" if shown[i, j] < 50 else INK
            ax.text(
                across[j], middles[i], f"{shown[i, j]:.0f}", ha="center", va="center", fontsize=TEXT_PT - 1,
                color=colour,
            )  # fmt: skip
    narrow_pt = max(min(TEXT_PT, 72 * column_in * len(columns) / n_wide / 1.1), _SMALLEST_PT)
    ax.set_xticks(across, columns, rotation=90, fontsize=narrow_pt)
    ax.set_yticks(middles, rows[::-1], fontsize=TEXT_PT)
    ax.tick_params(length=0, colors=INK)
    ax.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=ax, aspect=30, pad=0.02)
    bar.set_label("recall, percent", fontsize=TEXT_PT)
    bar.ax.tick_params(labelsize=TEXT_PT, length=2)
    bar.outline.set_visible(False)
    if lines:
        figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    return figure


def _edges(names: Sequence[str]) -> list[float]:
    """Between the rows of some names, and at both ends."""
    edges = [within(names)[0] + 0.1]
    for middle in row_places(names)[0]:
        edges.append(2 * middle - edges[-1])
    return edges


def _by_system(recalls: pd.DataFrame, systems: Sequence[str]) -> pd.DataFrame:
    """Systems in rows, classes in columns, in their order; classes without any test clip are left out."""
    found = {}
    for system in systems:
        own = recalls[recalls["system"] == system].set_index("label")["recall"]
        if own.empty:
            raise ConfigError(f"figure of classes: {system!r} has no recall")
        found[system] = own
    first, *others = found.values()
    for system, own in zip(list(found)[1:], others, strict=True):
        if list(own.index) != list(first.index):
            raise ConfigError(f"figure of classes: {system!r} has other classes than {systems[0]!r}")
    return pd.DataFrame(found).T.dropna(axis="columns", how="all")
