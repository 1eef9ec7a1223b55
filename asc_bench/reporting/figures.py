"""What all figures share: size, titles, names, and files that are the same bytes for the same figure."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

import numpy as np

from asc_bench.errors import ConfigError
from asc_bench.files import write_atomic
from asc_bench.names import near
from asc_bench.reporting.layout import wrapped_name
from asc_bench.reporting.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

DPI = 200
PRINT_DPI = 300
"""Of a PNG file whose width in print is given."""
INK = "#1a1a1a"
BLUE = "#0072B2"
ORANGE = "#D55E00"
"""Of the palette of Okabe and Ito, told apart by all common kinds of colour vision. Where two of them mean
different things, their marks differ as well, so that a print in grey shows it."""
TEXT_PT = 8.0
TITLE_PT = 9.0
LINE_IN = 0.18
KINDS = ("png", "svg", "pdf")
LETTER_IN = 0.6 * TEXT_PT / 72
"""Width of a letter of ``TEXT_PT``, on average."""
WIDTHS_IN = {"one-column": 3.5, "two-columns": 7.16}
"""Of a column and of the page of IEEE journals."""
_PAD_IN = 0.05
_NARROWEST_IN, _WIDEST_IN = 2.0, 30.0
ROW_IN = 0.19
"""Height of a row with a name of one line."""
_FURTHER_LINE = 0.7
"""Of a row, for each further line of its name."""
_NAME_SHARE = 0.42
"""Of the width of a figure, for names at its side."""


@dataclass(frozen=True, kw_only=True)
class FigureStyle:
    """How figures are drawn and written.

    Attributes
    ----------
    width_in : float or None
        Width in print, in inches, kept exactly: type of 8 pt is 8 pt on paper. None for as wide as the content
        wants.
    titles : bool
        Whether a figure has a title; a paper has a caption instead.

    Raises
    ------
    ConfigError
        For a width below 2 or above 30 inches.
    """

    width_in: float | None = None
    titles: bool = True

    def __post_init__(self) -> None:
        if self.width_in is not None and not _NARROWEST_IN <= self.width_in <= _WIDEST_IN:
            raise ConfigError(
                f"figure width is {self.width_in:g} inches, must be {_NARROWEST_IN:g} to {_WIDEST_IN:g}"
            )

    @classmethod
    def of(cls, width: str | float | None = None, *, titles: bool = True) -> FigureStyle:
        """From one of ``WIDTHS_IN`` by name, or a number of inches; by default as wide as the content wants.

        Raises
        ------
        ConfigError
            For another name (with the near ones), and a width that no page has.

        Examples
        --------
        >>> FigureStyle.of("one-column").width_in, FigureStyle.of("5.5").width_in
        (3.5, 5.5)
        """
        if width is None or width == "":
            return cls(titles=titles)
        if isinstance(width, str) and width in WIDTHS_IN:
            return cls(width_in=WIDTHS_IN[width], titles=titles)
        try:
            return cls(width_in=float(width), titles=titles)
        except ValueError:
            raise ConfigError(
                f"figure width is {width!r}, must be a number of inches or a name{near(width, WIDTHS_IN)}"
            ) from None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Files of one figure by their endings; a figure for print is a PDF as well."""
        return KINDS[:2] if self.width_in is None else KINDS

    @property
    def dpi(self) -> int:
        """Dots per inch of a PNG file."""
        return DPI if self.width_in is None else PRINT_DPI

    def width(self, wanted_in: float) -> float:
        """The width in print, or what the content wants."""
        return wanted_in if self.width_in is None else self.width_in

    def name_letters(self) -> int:
        """Letters in a line of a name at the side of a figure."""
        return 60 if self.width_in is None else max(int(_NAME_SHARE * self.width_in / LETTER_IN), 12)


SCREEN = FigureStyle()


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


def save_figure(figure: Figure, path_stem: Path, style: FigureStyle = SCREEN) -> tuple[Path, ...]:
    """Write a figure as PNG and SVG, for print as PDF too, the same bytes for the same figure.

    Its axes stay from then on where they were laid out.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    # Laid out and measured once for all files: that takes as long as to draw it.
    figure.set_dpi(style.dpi)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for ax in figure.axes:
        # The solver's last digits differ from call to call, and SVG names its clipping boxes by all of them.
        ax.set_position(np.round(ax.get_position(original=True).bounds, 9).tolist())
    box = figure.get_tightbbox().padded(_PAD_IN) if style.width_in is None else None
    written = []
    for kind in style.kinds:
        path = path_stem.with_name(f"{path_stem.name}.{kind}")
        write_atomic(path, _image(figure, kind, style, box))
        written.append(path)
    return tuple(written)


def figure_bytes(figure: Figure, kind: str, style: FigureStyle = SCREEN) -> bytes:
    """The image file as bytes; ``kind`` is ``png``, ``svg`` or ``pdf``."""
    return _image(figure, kind, style, "tight" if style.width_in is None else None)


def _image(figure: Figure, kind: str, style: FigureStyle, box: Bbox | Literal["tight"] | None) -> bytes:
    """The part of a figure in a box of inches, all of it if None, as an image file."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    # Without a fixed salt and date two equal figures would differ. Journals refuse fonts of type 3.
    with rc_context({"svg.hashsalt": "asc-bench", "pdf.fonttype": 42}):
        figure.savefig(
            buffer,
            format=kind,
            dpi=style.dpi,
            bbox_inches=box,
            pad_inches=_PAD_IN,
            metadata={
                "png": {"Software": None},
                "svg": {"Date": None},
                "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
            }[kind],
        )
    return buffer.getvalue()


def title_lines(title: str, width_in: float) -> list[str]:
    """A figure's title, wrapped to its width; each line takes ``LINE_IN`` of its height."""
    # A letter is about half as wide as the type is high, and there are 72 points to the inch.
    letters = int(width_in * 72 / (0.55 * TITLE_PT))
    return [part for line in title.splitlines() for part in wrap(plain(line), letters)]


def shown_name(name: str, letters: int) -> str:
    """A name in lines of at most so many letters, as matplotlib shows it as it is."""
    return "\n".join(line.replace("$", r"\$") for line in wrapped_name(one_line(name, limit=160), letters))


def width_of(names: Sequence[str]) -> float:
    """Inches that the longest line of some names takes, about."""
    return LETTER_IN * max((len(line) for name in names for line in name.split("\n")), default=8)


def row_places(names: Sequence[str]) -> tuple[list[float], float]:
    """Where the middles of rows lie, counted in rows of one line from the first, and how many of these all take.

    A name of several lines takes the room of these alone, not of as many rows.
    """
    heights = [1 + _FURTHER_LINE * name.count("\n") for name in names]
    middles = [sum(heights[:i]) + height / 2 - heights[0] / 2 for i, height in enumerate(heights)]
    return middles, sum(heights)


def within(names: Sequence[str]) -> tuple[float, float]:
    """Limits of an axis of rows, from the first to the last."""
    _, n_rows = row_places(names)
    first = -0.5 - _FURTHER_LINE / 2 * (names[0].count("\n") if names else 0)
    return first - 0.1, first + max(n_rows, 1) + 0.1


def plain(text: str) -> str:
    """Foreign text as one line that matplotlib shows as it is."""
    # Between two dollar signs matplotlib would read a formula, and fail where it is none.
    return one_line(text, limit=160).replace("$", r"\$")


def bare(ax: Axes) -> None:
    """Axes with grid lines across the scores, and without a frame."""
    ax.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(axis="both", length=0, labelsize=TEXT_PT, colors=INK)
    ax.tick_params(axis="x", labelbottom=True)
    ax.spines[["top", "right", "left"]].set_visible(False)
