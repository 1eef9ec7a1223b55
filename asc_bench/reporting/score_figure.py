"""Scores with their intervals as figures: every measure of every system, and each recording device by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from asc_bench.reporting.figures import (
    BLUE,
    INK,
    LETTER_IN,
    LINE_IN,
    ROW_IN,
    SCREEN,
    TEXT_PT,
    TITLE_PT,
    FigureStyle,
    any_backend,
    bare,
    plain,
    row_places,
    shown_name,
    title_lines,
    width_of,
    within,
)
from asc_bench.scoring.measure import Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS_IN_A_ROW = 5
_PANEL_IN = 1.9
_NARROWEST_PANEL_IN = 0.95
_NARROWEST_BARS_IN = 0.5
_PALE_BLUE = "#9ecae1"


def draw_scores(
    scores: pd.DataFrame,
    *,
    measures: Sequence[Measure],
    title: str = "",
    style: FigureStyle = SCREEN,
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
    style : FigureStyle
        Width and titles.
    """
    return _panels(scores, measures=measures, title=title, style=style)


def draw_devices(
    scores: pd.DataFrame,
    *,
    measures: Sequence[Measure],
    primary: Measure,
    chance: Mapping[str, float],
    title: str = "",
    style: FigureStyle = SCREEN,
) -> Figure:
    """Bars: a panel per device, a bar per system from zero on, with the 95 % intervals and what chance gives.

    Parameters
    ----------
    scores, title, style
        As in `draw_scores`.
    measures : sequence of Measure
        One for each device.
    primary : Measure
        Sorts the systems.
    chance : mapping
        Measure name to the score of guessing, where that is known.
    """
    return _panels(scores, measures=measures, sorts=primary, bars=True, chance=chance, title=title, style=style)


def _panels(
    scores: pd.DataFrame,
    *,
    measures: Sequence[Measure],
    title: str,
    style: FigureStyle,
    sorts: Measure | None = None,
    bars: bool = False,
    chance: Mapping[str, float] | None = None,
) -> Figure:
    any_backend()
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    whole = scores[(scores["incomplete"] == "") & scores["value"].notna()]
    panels = [m for m in measures if (whole["measure"] == m.name).any()]
    by = sorts or (panels[0] if panels else None)
    first = whole[whole["measure"] == by.name] if by else whole
    upwards = by.higher_is_better if by else True
    systems = [str(s) for s in first.sort_values("value", ascending=upwards, kind="stable")["system"]]
    names = [shown_name(s, style.name_letters()) for s in systems]
    n_panels = max(len(panels), 1)
    label_in = width_of(names) + 0.3
    in_a_row = _PANELS_IN_A_ROW
    if style.width_in is not None:
        narrowest_in = _NARROWEST_BARS_IN if bars else _NARROWEST_PANEL_IN
        in_a_row = max(int((style.width_in - label_in) / narrowest_in), 1)
    n_rows = math.ceil(n_panels / in_a_row)
    n_columns = math.ceil(n_panels / n_rows)
    width_in = style.width(label_in + _PANEL_IN * n_columns)
    lines = title_lines(title, width_in) if style.titles else []
    middles, n_high = row_places(names)
    row_in = 0.24 if style.width_in is None else ROW_IN
    height_in = n_rows * (0.8 + row_in * max(n_high, 2)) + LINE_IN * len(lines)
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
        places = np.array(middles)
        if bars:
            ax.barh(places, value, height=0.7, color=_PALE_BLUE, edgecolor=INK, linewidth=0.4)
            ax.hlines(places, low, high, color=INK, linewidth=1.1)
        else:
            ax.hlines(places, low, high, color=BLUE, linewidth=1.4)
            ax.plot(value, places, "o", color=BLUE, markersize=5 if style.width_in is None else 4)
        if chance and measure.name in chance:
            ax.axvline(scale * chance[measure.name], color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
        heading = plain(measure.name if sorts is None else measure.column)
        ax.set_title(heading, fontsize=TITLE_PT if style.width_in is None else TEXT_PT, color=INK)
        if not bars:
            letters = 60 if style.width_in is None else int((width_in - label_in) / n_columns / LETTER_IN)
            ax.set_xlabel(axis_label(measure, letters=letters), fontsize=TEXT_PT, color=INK)
        bare(ax)
        n_ticks = 6 if style.width_in is None else max(int((width_in - label_in) / n_columns / 0.35), 2)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=min(n_ticks, 6), steps=[1, 2, 5, 10]))
    axes[0].set_yticks(middles, names)
    axes[0].set_ylim(*within(names))
    if bars and by:
        figure.supxlabel(axis_label(by), fontsize=TEXT_PT, color=INK)
    if not panels:
        axes[0].text(0.5, 0.5, "no score", transform=axes[0].transAxes, ha="center", va="center")
    if lines:
        figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    return figure


def axis_label(measure: Measure, *, letters: int = 60) -> str:
    """Statistic, unit and, where it is not the usual one, direction; a long one in lines of so many letters."""
    unit = "" if measure.unit == "ratio" else f", {measure.unit}"
    direction = "" if measure.higher_is_better else "\n(lower is better)"
    return "\n".join(wrap(plain(measure.scored_by.name.replace("-", " ")) + unit, letters)) + direction


def named_label(measure: Measure, *, joint: str = ": ") -> str:
    """The name of a measure and its `axis_label`; one of the two where they say the same."""
    label = axis_label(measure)
    same = measure.name == measure.scored_by.name.replace("-", " ")
    return label if same else plain(measure.name) + joint + label
