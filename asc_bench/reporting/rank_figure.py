"""Systems by rank with their intervals, and bars that join those that do not differ significantly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asc_bench.errors import ConfigError
from asc_bench.reporting.figures import (
    BLUE,
    INK,
    LINE_IN,
    ROW_IN,
    SCREEN,
    TEXT_PT,
    TITLE_PT,
    FigureStyle,
    any_backend,
    bare,
    row_places,
    shown_name,
    title_lines,
    width_of,
    within,
)
from asc_bench.reporting.letters import letter
from asc_bench.reporting.score_figure import named_label
from asc_bench.scoring.measure import Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GROUP_IN = 0.13
_LEGIBLE_IN = 0.09
"""Between two bars, so that the letters above them do not touch."""
_MOST_OF_GROUPS = 0.5
"""Of the width that names leave, for the bars."""


def draw_ranks(
    scores: Mapping[str, Mapping[str, Any]],
    groups: Sequence[frozenset[str]],
    *,
    measure: Measure,
    chance: float | None = None,
    title: str = "",
    style: FigureStyle = SCREEN,
) -> Figure:
    """A line per system, best on top, and a bar for each group of systems of which no two differ.

    What a critical-difference diagram shows of many data sets, for one: instead of mean ranks the scores with their
    intervals, and instead of one critical difference the paired test of each pair.

    Parameters
    ----------
    scores : mapping
        System to its row of the score table, best first.
    groups : sequence of frozenset
        From ``asc_bench.reporting.letters.groups``; the same that give the letters of the tables.
    measure : Measure
        Whose scores these are.
    chance : float, optional
        The score of guessing: a dashed line where the axis comes near it.
    title : str
        Figure title; may have several lines.
    style : FigureStyle
        Width and titles.

    Raises
    ------
    ConfigError
        If there is no group, or one holds a system without a score.
    """
    any_backend()
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    systems = list(scores)
    unknown = sorted(set().union(*groups) - set(systems))
    if not groups or unknown:
        raise ConfigError(f"figure of ranks: {f'no score of {unknown[0]!r}' if unknown else 'no group of systems'}")
    names = [shown_name(system, style.name_letters()) for system in systems]
    label_in = width_of(names) + 0.2
    width_in = style.width(label_in + 3.2 + min(_GROUP_IN * len(groups), 3.2))
    room_in = width_in - label_in
    groups_in = min(_GROUP_IN * len(groups) + 0.1, _MOST_OF_GROUPS * room_in)
    lines = title_lines(title, width_in) if style.titles else []
    # From the bottom up.
    middles, n_rows = row_places(names[::-1])
    height_in = 0.75 + ROW_IN * n_rows + LINE_IN * len(lines)
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    ax, bars = figure.subplots(1, 2, sharey=True, width_ratios=(room_in - groups_in, groups_in))
    scale = 100 if measure.unit == "percent" else 1
    places = dict(zip(systems, middles[::-1], strict=True))
    best = groups[0]
    lows, highs = [], []
    for system, score in scores.items():
        value, low, high = (scale * float(score[name]) for name in ("value", "low", "high"))
        ax.hlines(places[system], low, high, color=BLUE, linewidth=1.4)
        filled = BLUE if system in best else "white"
        ax.plot(value, places[system], "o", markersize=5, color=BLUE, markerfacecolor=filled)
        lows.append(value if math.isnan(low) else low)
        highs.append(value if math.isnan(high) else high)
    if chance is not None:
        _chance_line(ax, scale * chance, min(lows), max(highs))
    bare(ax)
    n_ticks = min(max(int((room_in - groups_in) / 0.35), 3), 7)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=n_ticks, steps=[1, 2, 5, 10]))
    ax.set_xlabel(named_label(measure), fontsize=TEXT_PT, color=INK)
    ax.set_yticks(list(places.values()), names)
    ax.set_ylim(*within(names[::-1]))
    _draw_groups(bars, groups, places, room_in=groups_in)
    if lines:
        figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    return figure


def _draw_groups(
    ax: Axes, groups: Sequence[frozenset[str]], places: Mapping[str, float], *, room_in: float
) -> None:
    """A line from the first to the last system of each group, a dot at each of its systems: it may pass others."""
    apart_in = room_in / len(groups)
    legible = apart_in >= _LEGIBLE_IN
    width, size = min(1.2, 0.3 * 72 * apart_in), min(4.0, 0.6 * 72 * apart_in)
    for i, group in enumerate(groups):
        at = sorted(places[system] for system in group)
        ax.plot([i, i], [at[0], at[-1]], color=INK, linewidth=width, solid_capstyle="butt")
        ax.plot([i] * len(at), at, "o", color=INK, markersize=size, markeredgewidth=0)
        if legible:
            ax.annotate(
                letter(i), (i, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=TEXT_PT,
                color=INK,
            )  # fmt: skip
    ax.set_xlim(-0.7, len(groups) - 0.3)
    ax.set_xticks([])
    ax.tick_params(axis="both", length=0, labelleft=False)
    ax.spines[:].set_visible(False)


def _chance_line(ax: Axes, chance: float, low: float, high: float) -> None:
    """Only where it costs no more than a third of the axis."""
    span = max(high - low, 1e-9)
    if low - span / 2 <= chance <= high + span / 2:
        ax.axvline(chance, color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
