"""A table in the width of a terminal: which columns are shown, and how long names are wrapped."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

DEFAULT_WIDTH = 100
"""Columns of a terminal where none is there to be asked, as in a pipe."""
MIN_WIDTH = 40
"""A narrower terminal is written to as if it had so many."""
_GAP = 2
_NAME_SHARE = (0.4, 0.5)
"""Of the width, for the names of a row: one of them, or several."""
_BREAKS = re.compile(r"(?<=[\[(,+|-])")
"""A name is broken behind these, so that its parts stay whole."""


def display_width(text: str) -> int:
    """Columns that a text takes on a terminal: two for wide East Asian characters and emoji, none for accents.

    Examples
    --------
    >>> display_width("68.0"), display_width("広場"), display_width("e\u0301")
    (4, 4, 1)
    """
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def wrapped(text: str, width: int, *, indent: str = "") -> list[str]:
    """A sentence as lines of at most ``width`` columns, all but the first indented; a longer word is cut."""
    return _filled(text.split(" "), width, indent=indent, joint=" ")


def wrapped_name(name: str, width: int) -> list[str]:
    """A name as lines of at most ``width`` columns, nothing left out: broken behind brackets, commas and hyphens.

    Lines but the first are indented by two blanks; joined without these they are the name.
    """
    return _filled(_BREAKS.split(name), width, indent="  ", joint="")


def _filled(parts: Sequence[str], width: int, *, indent: str, joint: str) -> list[str]:
    lines = [""]
    for part in parts:
        start = indent if len(lines) > 1 else ""
        between = joint if lines[-1] != start else ""
        if lines[-1] != start and display_width(lines[-1] + between + part) > width:
            lines.append(indent)
            between = ""
        lines[-1] += between
        for character in part:
            if display_width(lines[-1] + character) > width and lines[-1].strip():
                lines.append(indent)
            lines[-1] += character
    return lines


def fitted(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    keep: Sequence[str],
    *,
    width: int,
    n_labels: int = 1,
    apart: int | None = None,
) -> tuple[list[str], list[str]]:
    """Lines of a table of at most ``width`` columns, and the titles of the columns that had no room.

    Parameters
    ----------
    columns : sequence of str
        Titles, in the order in which they are shown.
    rows : sequence of sequences of str
        One cell per column each.
    keep : sequence of str
        Titles of the columns behind those that name the row, the most important first. They are taken in this order
        as long as they fit; the first is always taken, and the first that does not fit is left out with all behind.
    width : int
        Columns of the terminal.
    n_labels : int
        Leading columns that name the row. They are always shown; they take two fifths of the width, several of
        them half, and longer names are wrapped.
    apart : int, optional
        Index of the first row that stands below a rule of its own. Such rows without any cell to show are left out.
    """
    share = int(_NAME_SHARE[n_labels > 1] * width) // n_labels
    labels = [[wrapped_name(row[i], share) for i in range(n_labels)] for row in rows]
    label_widths = [
        max([display_width(columns[i]), *(display_width(line) for row in labels for line in row[i])])
        for i in range(n_labels)
    ]
    left = width - sum(label_widths) - _GAP * (n_labels - 1)
    shown: list[int] = []
    headings: dict[int, list[str]] = {}
    widths: dict[int, int] = {}
    for title in keep:
        j = columns.index(title)
        cells = max([1, *(display_width(row[j]) for row in rows)])
        headings[j] = _heading(title, cells)
        widths[j] = max(cells, *map(display_width, headings[j]))
        if shown and left < _GAP + widths[j]:
            break
        left -= _GAP + widths[j]
        shown.append(j)
    missing = [title for title in columns[n_labels:] if columns.index(title) not in shown]
    shown.sort()

    def lines_of(names: Sequence[Sequence[str]], cells: Sequence[Sequence[str]], *, bottom: bool) -> list[str]:
        height = max(len(block) for block in (*names, *cells))
        blocks = [_padded(block, height, bottom=bottom) for block in (*names, *cells)]
        sizes = [*((size, False) for size in label_widths), *((widths[j], True) for j in shown)]
        return [
            (" " * _GAP)
            .join(_aligned(block[i], size, right=right) for block, (size, right) in zip(blocks, sizes, strict=True))
            .rstrip()
            for i in range(height)
        ]

    rule = (" " * _GAP).join("-" * size for size in (*label_widths, *(widths[j] for j in shown)))
    lines = lines_of([[title] for title in columns[:n_labels]], [headings[j] for j in shown], bottom=True)
    lines.append(rule)
    ruled = False
    for i, (names, row) in enumerate(zip(labels, rows, strict=True)):
        if apart is not None and i >= apart:
            if all(row[j] in ("", "–") for j in shown):
                continue
            if not ruled and i:
                lines.append(rule)
            ruled = True
        lines += lines_of(names, [[row[j]] for j in shown], bottom=False)
    return lines, missing


def _heading(title: str, cells: int) -> list[str]:
    """A title in lines that are no wider than the cells, but for words that are."""
    words = title.split(" ")
    return wrapped(title, max(cells, *map(display_width, words)))


def _padded(block: Sequence[str], height: int, *, bottom: bool) -> list[str]:
    empty = [""] * (height - len(block))
    return [*empty, *block] if bottom else [*block, *empty]


def _aligned(text: str, width: int, *, right: bool) -> str:
    room = " " * (width - display_width(text))
    return room + text if right else text + room
