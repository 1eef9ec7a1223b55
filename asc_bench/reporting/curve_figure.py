"""Learning curves as a figure: for each system its losses and, beside them, the accuracies on validation clips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING

from asc_bench.reporting.curves import Curve, Points, SystemCurves, mean_points
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
    shown_name,
    title_lines,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_IN = (2.3, 1.6)
_NARROWEST_PANEL_IN = 1.6
_MOST_PANELS_ABREAST = 8
_NARROWEST_IN = 3.8
_NAME_LINE_IN = 0.14
_KEY_LINE_IN = 0.145
_MOST_PARTS = 4
"""Parts of a system, beyond which all of them share their panels."""
_FEW_POINTS = 8
"""Up to so many, they are marked: a single one would not be seen otherwise."""
_MANY_LINES = 10
_MEANS = "Thin lines: single runs. Thick lines: their mean, where all of them have the same steps"
_Dashes = tuple[float, tuple[float, ...]]
_SOLID: _Dashes = (0, ())
_DASHED: _Dashes = (0, (4, 1.6))


@dataclass(frozen=True)
class _Cell:
    """Panels side by side: what they are of, and the curves in them."""

    name: str
    curves: Sequence[Curve]


def draw_curves(
    curves: Mapping[str, SystemCurves],
    *,
    without: Sequence[str] = (),
    title: str = "",
    style: FigureStyle = SCREEN,
) -> Figure:
    """Losses and validation accuracies against steps of the optimiser.

    A system that trains several networks has panels for each of them; more than four share theirs. Where no system
    notes an accuracy in training, there are panels of losses alone.

    Parameters
    ----------
    curves : mapping
        System to its curves, best first; at least one.
    without : sequence of str
        Systems without a history, named below the panels.
    title : str
        Figure title; may have several lines.
    style : FigureStyle
        Width and titles.
    """
    any_backend()
    from matplotlib.figure import Figure

    cells = _cells(curves)
    n_panels = 2 if any(curve.points["validation_accuracy"] for cell in cells for curve in cell.curves) else 1
    n_abreast = min(math.ceil(math.sqrt(len(cells) / n_panels)), _MOST_PANELS_ABREAST // n_panels)
    if style.width_in is not None:
        n_abreast = max(min(n_abreast, int(style.width_in / _NARROWEST_PANEL_IN / n_panels)), 1)
    n_rows = -(-len(cells) // n_abreast)
    width_in = style.width(max(_PANEL_IN[0] * n_panels * n_abreast, _NARROWEST_IN))
    names = [shown_name(cell.name, int(width_in / n_abreast / LETTER_IN) - 2) for cell in cells]
    most_lines = [
        max(name.count("\n") + 1 for name in names[i * n_abreast : (i + 1) * n_abreast]) for i in range(n_rows)
    ]
    heights_in = [_PANEL_IN[1] + _NAME_LINE_IN * n_lines for n_lines in most_lines]
    notes = _notes(curves, without, letters=int(width_in / LETTER_IN))
    key_in = _KEY_LINE_IN * (len(notes) + 1) + 0.1
    lines = title_lines(title, width_in) if style.titles else []
    height_in = sum(heights_in) + key_in + LINE_IN * len(lines)
    figure = Figure(figsize=(width_in, height_in))
    share = key_in / height_in
    figure.set_layout_engine("constrained", rect=(0, share, 1, 1 - share))
    places = figure.subfigures(n_rows, n_abreast, squeeze=False, height_ratios=heights_in).flat
    for i, (cell, name, place) in enumerate(zip(cells, names, places, strict=False)):
        place.suptitle(name, x=0.02, ha="left", fontsize=TEXT_PT, color=INK)
        axes = list(place.subplots(1, n_panels, squeeze=False).flat)
        _draw_cell(axes, cell.curves, lowest=i + n_abreast >= len(cells))
    if lines:
        figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    _draw_key(figure, notes, validated=any(c.points["validation_loss"] for cell in cells for c in cell.curves))
    return figure


def _cells(curves: Mapping[str, SystemCurves]) -> list[_Cell]:
    found = []
    for system, own in curves.items():
        if len(own.parts) == 1:
            found.append(_Cell(system, next(iter(own.parts.values()))))
        elif len(own.parts) <= _MOST_PARTS:
            found += [_Cell(f"{system}: {part}", of_part) for part, of_part in own.parts.items()]
        else:
            together = [curve for of_part in own.parts.values() for curve in of_part]
            found.append(_Cell(f"{system}: {len(own.parts)} trainings a run", together))
    return found


def _draw_cell(axes: Sequence[Axes], curves: Sequence[Curve], *, lowest: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    _draw_lines(axes[0], [c.points["train_loss"] for c in curves], BLUE, _SOLID)
    _draw_lines(axes[0], [c.points["validation_loss"] for c in curves], ORANGE, _DASHED)
    most = max(curve.n_steps for curve in curves)
    unit, n = ("million steps", 1e6) if most >= 1e6 else ("thousand steps", 1e3) if most >= 1e4 else ("steps", 1)
    for ax, label in zip(axes, ("loss", "accuracy, percent"), strict=False):
        ax.set_ylabel(label, fontsize=TEXT_PT, color=INK)
        ax.set_xlabel(unit if lowest or n > 1 else "", fontsize=TEXT_PT, color=INK)
        ax.tick_params(axis="both", length=2, labelsize=TEXT_PT, colors=INK)
        ax.grid(color="#e5e5e5", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xlim(0, 1.03 * most)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10], integer=True))
        ax.xaxis.set_major_formatter(FuncFormatter(partial(_in_units, n)))
        ax.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    if len(axes) == 1:
        return
    scaled = [tuple((step, 100 * v) for step, v in c.points["validation_accuracy"]) for c in curves]
    _draw_lines(axes[1], scaled, ORANGE, _DASHED)
    if not any(scaled):
        axes[1].set(xlabel="", ylabel="", xticks=[], yticks=[])
        axes[1].set_axis_off()
        axes[1].text(
            0.5, 0.5, "no validation\naccuracy noted", transform=axes[1].transAxes, ha="center", va="center",
            fontsize=TEXT_PT, color=INK,
        )  # fmt: skip


def _in_units(unit: float, step: float, _: int | None) -> str:
    return f"{step / unit:g}"


def _draw_lines(ax: Axes, several: Sequence[Points], colour: str, line: _Dashes) -> None:
    """Curves of runs, and their mean; a single run is as thick as a mean."""
    known = [points for points in several if points]
    mean = known[0] if len(known) == 1 else mean_points(known)
    for points in known if len(known) > 1 else []:
        _draw_line(ax, points, colour, line, width=0.6, alpha=0.6 if len(known) <= _MANY_LINES else 0.3)
    if mean:
        _draw_line(ax, mean, colour, line, width=1.6, alpha=1.0)


def _draw_line(ax: Axes, points: Points, colour: str, line: _Dashes, *, width: float, alpha: float) -> None:
    finite = [(step, value if math.isfinite(value) else math.nan) for step, value in points]
    ax.plot(
        *zip(*finite, strict=True), color=colour, linestyle=line, linewidth=width, alpha=alpha,
        marker="o" if len(finite) <= _FEW_POINTS else "", markersize=1.5 + width, zorder=2 + width,
    )  # fmt: skip


def _notes(curves: Mapping[str, SystemCurves], without: Sequence[str], *, letters: int) -> list[str]:
    """Lines below the panels: what thin and thick is, who has no history, and which runs are not shown."""
    texts = []
    if any(len(of_part) > 1 for own in curves.values() for of_part in own.parts.values()) or any(
        len(own.parts) > _MOST_PARTS for own in curves.values()
    ):
        texts.append(f"{_MEANS}.")
    if without:
        texts.append(f"Without a history: {', '.join(map(plain, without))}.")
    cut = [
        f"{plain(system)} {own.n_shown} of {own.n_runs}"
        for system, own in curves.items()
        if own.n_shown < own.n_runs
    ]
    if cut:
        texts.append(f"Runs shown: {', '.join(cut)}.")
    return [line for text in texts for line in wrap(text, letters)]


def _draw_key(figure: Figure, notes: Sequence[str], *, validated: bool) -> None:
    from matplotlib.lines import Line2D

    width_in, height_in = figure.get_size_inches()
    handles = [Line2D([], [], color=BLUE, linestyle=_SOLID, linewidth=1.6, label="training")]
    if validated:
        handles.append(Line2D([], [], color=ORANGE, linestyle=_DASHED, linewidth=1.6, label="validation"))
    top_in = _KEY_LINE_IN * (len(notes) + 1) + 0.04
    legend = figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.05 / width_in, top_in / height_in), ncols=2,
        frameon=False, fontsize=TEXT_PT, labelcolor=INK, borderpad=0, borderaxespad=0, handlelength=2.5,
    )  # fmt: skip
    legend.set_in_layout(False)
    for i, text in enumerate(notes):
        y = (_KEY_LINE_IN * (len(notes) - i - 0.7) + 0.04) / height_in
        figure.text(0.05 / width_in, y, text, ha="left", fontsize=TEXT_PT, color=INK)
