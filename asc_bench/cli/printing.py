"""Where the command line prints: no other module of ``cli`` writes to the terminal."""

from __future__ import annotations

import io
import shutil
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from asc_bench.printable import DEGRADED, encodable, printable, printable_warnings
from asc_bench.reporting.layout import DEFAULT_WIDTH, MIN_WIDTH, wrapped

if TYPE_CHECKING:
    from asc_bench.reporting.brief import BriefTable
    from asc_bench.reporting.report_runs import Report
    from asc_bench.reporting.table import Table

_WIDEST, _NARROWEST = 60, 10
"""Characters of a column of a table, but the first."""


def echo(text: object = "", *, err: bool = False) -> None:
    """Print text on stdout, or stderr, with whatever would steer the terminal made visible."""
    print(printable(text), file=sys.stderr if err else sys.stdout, flush=True)


def terminal_width() -> int:
    """Columns of the terminal, or what ``COLUMNS`` says; 100 where the output is no terminal."""
    return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns


def text_table(rows: Sequence[tuple[str, ...]], headers: tuple[str, ...], *, numbers: Sequence[str] = ()) -> str:
    """A table as wide as the terminal at most, with the columns ``numbers`` to the right."""
    from tabulate import tabulate

    return tabulate(
        rows,
        headers=headers,
        tablefmt="simple",
        disable_numparse=True,
        maxcolwidths=column_widths([headers, *rows], terminal_width()),
        colalign=["right" if title in numbers else "left" for title in headers] if rows else None,
    )


def column_widths(rows: Sequence[tuple[str, ...]], width: int) -> list[int]:
    """How wide each column may be, so that all fit: that of names stays whole, and the widest give way."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[1:] = [min(size, _WIDEST) for size in widths[1:]]
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths[1:], default=0) > _NARROWEST:
        widest = widths.index(max(widths[1:]), 1)
        widths[widest] -= 1
    return widths


def echo_report(report: Report) -> None:
    """Print the tables of a report, as wide as the terminal."""
    echo_brief(report.brief)


def echo_brief(tables: Sequence[BriefTable]) -> None:
    """Print tables, as wide as the terminal."""
    echo("\n\n".join(table.text(terminal_width(), as_shown) for table in tables))


def echo_pair(tests: Table) -> None:
    """Print every test of a single pair, one below the other, and all that is to be known of them."""
    width = max(terminal_width(), MIN_WIDTH)
    titles = [as_shown(title) for title in tests.columns]
    first = max(map(len, titles)) + 2
    lines = [
        line
        for row in tests.rows
        for title, cell in zip(titles, row, strict=True)
        for line in wrapped(title.ljust(first) + as_shown(cell), width, indent=" " * first)
    ]
    notes = [line for note in tests.notes for line in wrapped(as_shown(note), width, indent="  ")]
    echo("\n".join([*wrapped(as_shown(tests.caption), width), "", *lines, "", *notes, ""]))


def as_shown(text: str) -> str:
    """What stdout makes of a text: nothing that steers it, and simpler characters where it has none of these."""
    return encodable(printable(text), getattr(sys.stdout, "encoding", None) or "utf-8")


def guard_terminal() -> None:
    """Let warnings and tracebacks steer no terminal, and write what its encoding lacks as simpler characters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=DEGRADED)
    sys.excepthook = _traceback
    printable_warnings()


def _traceback(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    echo("".join(traceback.format_exception(kind, error, where)).rstrip(), err=True)
