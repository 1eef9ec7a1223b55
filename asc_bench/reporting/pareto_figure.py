"""Scores against costs: a panel for each cost, and the line of the systems that no other one beats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asc_bench.reporting.columns import in_print
from asc_bench.reporting.figures import (
    BLUE,
    INK,
    LETTER_IN,
    LINE_IN,
    ORANGE,
    SCREEN,
    TEXT_PT,
    TITLE_PT,
    FigureStyle,
    any_backend,
    plain,
    title_lines,
    width_of,
)
from asc_bench.reporting.pareto import Cost
from asc_bench.reporting.score_figure import named_label
from asc_bench.scoring.measure import Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_IN = (2.4, 2.2)
_PRINTED_HIGH_IN = 1.75
_NARROWEST_PANEL_IN = 1.9
_KEY_LINE_IN = 0.145
_MOST_NUMBERED = 30
_STEPS = ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
_UNITS = ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"), (1, ""))
_SIDES = np.array([2, 6, 14, 10, 0, 8, 4, 12, 1, 3, 5, 7]) * np.pi / 8
_AROUND = np.stack([np.cos(_SIDES), np.sin(_SIDES)], axis=1)
"""Sides of a point where its number may stand, those that are tried first to begin with."""
_MISTAKEN = 8.0
_FARTHER_PT = np.array([7.0, 10.0, 14.0, 19.0])
_Numbers = npt.NDArray[np.float64]


def draw_pareto(
    scores: Mapping[str, Mapping[str, Any]],
    costs: Sequence[Cost],
    *,
    measure: Measure,
    title: str = "",
    style: FigureStyle = SCREEN,
) -> Figure:
    """A panel per cost, on a logarithmic axis; systems are numbered as the key below says, best first.

    Of more than 30 systems only those are numbered that are not dominated at some cost.

    Parameters
    ----------
    scores : mapping
        System to its row of the score table, best first.
    costs : sequence of Cost
        At least one. A system whose amount is not known is named below the key.
    measure : Measure
        Whose scores these are.
    title : str
        Figure title; may have several lines.
    style : FigureStyle
        Width and titles.
    """
    any_backend()
    from matplotlib.figure import Figure

    on_a_front = frozenset().union(*(cost.front for cost in costs))
    numbers = {
        system: i
        for i, system in enumerate(scores, start=1)
        if len(scores) <= _MOST_NUMBERED or system in on_a_front
    }
    n_columns = len(costs)
    if style.width_in is not None:
        n_columns = max(min(n_columns, int(style.width_in / _NARROWEST_PANEL_IN)), 1)
    if n_columns < len(costs):
        n_columns = 1
    n_rows = -(-len(costs) // n_columns)
    width_in = style.width(0.5 + _PANEL_IN[0] * n_columns)
    key = _key_lines(numbers, costs, width_in, n_others=len(scores) - len(numbers))
    key_in = _KEY_LINE_IN * max(len(column) for column in key) + 0.08
    lines = title_lines(title, width_in) if style.titles else []
    panel_in = _PANEL_IN[1] if style.width_in is None else _PRINTED_HIGH_IN
    height_in = panel_in * n_rows + key_in + LINE_IN * len(lines)
    figure = Figure(figsize=(width_in, height_in))
    share = key_in / height_in
    figure.set_layout_engine("constrained", rect=(0, share, 1, 1 - share))
    axes = list(figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).flat)
    for i, (ax, cost) in enumerate(zip(axes, costs, strict=True)):
        _draw_cost(ax, scores, cost, measure)
        if i % n_columns == 0:
            ax.set_ylabel(named_label(measure, joint="\n"), fontsize=TEXT_PT, color=INK)
    for j, column in enumerate(key):
        left_in = 0.05 + width_in * j / len(key)
        for i, (number, text) in enumerate(column):
            y = share - (0.04 + _KEY_LINE_IN * (i + 0.7)) / height_in
            indented_in = left_in + (0.2 if number else 0.0)
            for part, at_in, side in ((number, left_in + 0.14, "right"), (text, indented_in, "left")):
                figure.text(at_in / width_in, y, part, ha=side, fontsize=TEXT_PT, color=INK)
    if lines:
        figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    figure.draw_without_rendering()
    for ax, cost in zip(axes, costs, strict=True):
        points = {
            s: np.array([cost.amounts[s], *(in_print(row[name], measure) for name in ("value", "low", "high"))])
            for s, row in scores.items()
        }
        _number(ax, cost, points, numbers, figure.dpi / 72)
    return figure


def _draw_cost(ax: Axes, scores: Mapping[str, Mapping[str, Any]], cost: Cost, measure: Measure) -> None:
    known = [system for system in scores if system not in cost.unknown]
    amounts = [cost.amounts[system] for system in known]
    for system, amount in zip(known, amounts, strict=True):
        value, low, high = (in_print(scores[system][name], measure) for name in ("value", "low", "high"))
        on_front = system in cost.front
        colour = ORANGE if on_front else BLUE
        ax.vlines(amount, low, high, color=colour, linewidth=0.8, alpha=0.6)
        ax.plot(
            amount, value, "D" if on_front else "o", color=colour, markersize=4.5,
            markerfacecolor=colour if on_front else "white", zorder=3.5 if on_front else 3,
        )  # fmt: skip
    front = sorted((cost.amounts[s], in_print(scores[s]["value"], measure)) for s in cost.front)
    ax.step(*zip(*front, strict=True), where="post", color=ORANGE, linewidth=1.0, zorder=1)
    _logarithmic(ax, amounts)
    ax.set_xlabel(plain(cost.title), fontsize=TEXT_PT, color=INK)
    ax.tick_params(axis="both", which="both", length=2, labelsize=TEXT_PT, colors=INK, labelleft=True)
    ax.grid(color="#e5e5e5", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _logarithmic(ax: Axes, amounts: Sequence[float]) -> None:
    """A logarithmic axis with few round ticks; what costs nothing stands left of them."""
    from matplotlib.ticker import FixedLocator, NullLocator

    positive = [amount for amount in amounts if amount > 0]
    low, high = (min(positive), max(positive)) if positive else (1.0, 1.0)
    if len(positive) < len(amounts):
        ax.set_xscale("symlog", linthresh=low, linscale=0.5)
    else:
        ax.set_xscale("log")
    margin = max((high / low) ** 0.08, 1.3)
    ax.set_xlim(low / margin if len(positive) == len(amounts) else -0.3 * low, high * margin)
    ticks = _round_numbers(low / margin, high * margin)
    ticks = [*([0.0] if len(positive) < len(amounts) else []), *ticks]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(ticks, [_short(tick) for tick in ticks])


def _round_numbers(low: float, high: float, *, most: int = 4) -> list[float]:
    """At most so many round numbers within the limits, in steps as fine as that allows."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in _STEPS:
        found = [s * 10.0**k for k in powers for s in steps if low <= s * 10.0**k <= high]
        if len(found) <= most:
            break
    return found[:: max(-(-len(found) // most), 1)]


def _short(number: float) -> str:
    for factor, unit in _UNITS:
        if number >= factor:
            return f"{number / factor:g}{unit}"
    return f"{number:g}"


def _number(ax: Axes, cost: Cost, points: Mapping[str, _Numbers], numbers: Mapping[str, int], dot: float) -> None:
    """Number the points, best first, each on the side where its number covers the least.

    Parameters
    ----------
    ax : Axes
        Of a figure that was laid out.
    cost : Cost
        Its panel.
    points : mapping
        System to its amount, score and interval.
    numbers : mapping
        System to its number; others get none.
    dot : float
        Pixels of a point of type.
    """
    known = {s: p for s, p in points.items() if not math.isnan(p[0])}
    pixels = {s: ax.transData.transform([(p[0], y) for y in p[1:]]) for s, p in known.items()}
    taken = [_box(*p[0], *p[0], pad=3.2 * dot) for p in pixels.values()]
    taken += [_box(*p[1], *p[2], pad=0.7 * dot) for p in pixels.values() if not np.isnan(p).any()]
    front = sorted(tuple(pixels[s][0]) for s in cost.front)
    for (x, y), (next_x, next_y) in pairwise(front):
        taken += [_box(x, y, next_x, y, pad=dot), _box(next_x, y, next_x, next_y, pad=dot)]
    window = ax.get_window_extent()
    inside = np.array([window.x0, window.y0, window.x1, window.y1])
    for system, number in numbers.items():
        if system not in known:
            continue
        x, y = pixels[system][0]
        half = np.array([36 * LETTER_IN * 0.95 * len(str(number)), 0.36 * TEXT_PT])
        middles = _AROUND[None] * (_FARTHER_PT[:, None, None] + np.array([half[0] - 2, 0]))
        middles = middles.reshape(-1, 2)
        boxes = np.hstack([middles - half, middles + half]) * dot + np.array([x, y, x, y])
        outside = 4 * half.prod() * dot**2 - _common(boxes, inside)
        covered = sum(_common(boxes, other) for other in taken) + 2 * outside
        away = np.linalg.norm(middles, axis=1) * dot
        others = [p[0] for s, p in pixels.items() if s != system]
        nearest = np.min([np.linalg.norm(middles * dot + (x, y) - p, axis=1) for p in others] or [away], axis=0)
        # Nearer to another point, it would be taken for that one's number.
        mistaken = np.maximum(1.15 * away - nearest, 0)
        best = int(np.argmin(covered + 0.2 * away + _MISTAKEN * dot * mistaken))
        taken.append(boxes[best])
        ax.annotate(
            str(number), tuple(known[system][:2]), xytext=tuple(middles[best]), textcoords="offset points",
            ha="center", va="center_baseline", fontsize=TEXT_PT, color=INK, zorder=4, annotation_clip=False,
            in_layout=False,
        )  # fmt: skip


def _box(x: float, y: float, other_x: float, other_y: float, *, pad: float) -> _Numbers:
    """The box of two corners, widened: left, bottom, right, top."""
    return np.array([min(x, other_x) - pad, min(y, other_y) - pad, max(x, other_x) + pad, max(y, other_y) + pad])


def _common(boxes: _Numbers, other: _Numbers) -> _Numbers:
    """Area that each of some boxes has in common with another one."""
    sides = np.minimum(boxes[:, 2:], other[2:]) - np.maximum(boxes[:, :2], other[:2])
    return np.asarray(sides.clip(min=0).prod(axis=1))


def _key_lines(
    numbers: Mapping[str, int], costs: Sequence[Cost], width_in: float, *, n_others: int
) -> list[list[tuple[str, str]]]:
    """Columns of the key: numbers with their systems, and below the first what has no number or no amount."""
    entries = [(str(number), plain(system)) for system, number in numbers.items()]
    longest_in = width_of([system for _, system in entries]) + 0.4
    n_columns = max(min(int(width_in / longest_in), len(entries), 4), 1)
    n_rows = -(-len(entries) // n_columns)
    columns = [entries[j * n_rows : (j + 1) * n_rows] for j in range(n_columns)]
    for cost in costs:
        if cost.unknown:
            named = [str(numbers[system]) for system in cost.unknown if system in numbers]
            n_more = len(cost.unknown) - len(named)
            unknown = ", ".join([*named, *([f"{n_more} without a number"] if n_more else [])])
            columns[0].append(("", f"{plain(cost.title)} not known: {unknown}"))
    if n_others:
        columns[0].append(("", f"{n_others} further systems have no number; all stand in pareto.md"))
    return columns
