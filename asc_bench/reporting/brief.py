"""What the terminal shows of a report: few columns, a line for each comparison, short notes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asc_bench.reporting.layout import MIN_WIDTH, fitted, wrapped
from asc_bench.reporting.table import Table

EXPLAINED = "docs/notes.md"
"""Where the words of the short notes are explained."""
_NOTE_WIDTH = 100


@dataclass(frozen=True)
class BriefTable:
    """One table of the terminal, before it is known how wide that is.

    Attributes
    ----------
    title : str
        Above the table.
    columns, rows, n_labels, apart
        As in ``asc_bench.reporting.table.Table``.
    keep : tuple of str
        Columns behind the labels, those that stay longest first.
    remarks : tuple of str
        Lines below the table, such as why a system has no score.
    notes : tuple of str
        Short sentences.
    notes_of : mapping
        Column title to a sentence that is shown with this column only.
    units : mapping
        Column title to the unit of a score that is not percent.
    lower : tuple of str
        Columns in which lower is better.
    complete_in : str
        The file that has every column; empty where a wider window alone has them.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    keep: tuple[str, ...]
    n_labels: int = 1
    apart: int | None = None
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    notes_of: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    lower: tuple[str, ...] = ()
    complete_in: str = ""

    @classmethod
    def of_table(cls, table: Table, *, n_labels: int, complete_in: str, notes: Sequence[str] = ()) -> BriefTable:
        """A table all of whose columns are of interest in the order in which they stand."""
        return cls(
            table.caption,
            table.columns,
            table.rows,
            keep=table.columns[n_labels:],
            n_labels=n_labels,
            apart=table.apart,
            notes=tuple(notes),
            complete_in=complete_in,
        )

    def text(self, width: int, shown_as: Callable[[str], str] = str) -> str:
        """In at most ``width`` columns.

        Parameters
        ----------
        width : int
            At least 40 are taken.
        shown_as : callable
            What a terminal of few characters makes of a text; this may be longer.
        """
        width = max(width, MIN_WIDTH)
        titles = {title: shown_as(title) for title in self.columns}
        lines, missing = fitted(
            list(titles.values()),
            [[shown_as(cell) for cell in row] for row in self.rows],
            [titles[title] for title in self.keep],
            width=width,
            n_labels=self.n_labels,
            apart=self.apart,
        )
        there = [title for title in self.columns if titles[title] not in missing]
        notes = [*self.notes, *self._of_units(there), *(self.notes_of[t] for t in there if t in self.notes_of)]
        lacking = f"Not shown: {', '.join(missing)}. " if missing else ""
        if self.complete_in:
            notes.append(f"{lacking}All columns, full notes: {self.complete_in}; terms: {EXPLAINED}.")
        elif lacking:
            notes.append(f"{lacking}Widen the window.")
        remarks = [line for text in self.remarks for line in wrapped(shown_as(text), width, indent="  ")]
        below = [line for note in notes for line in wrapped(shown_as(note), min(width, _NOTE_WIDTH), indent="  ")]
        parts = [wrapped(shown_as(self.title), width), lines, remarks, below]
        return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

    def _of_units(self, there: Sequence[str]) -> list[str]:
        units = [f"{title} {self.units[title]}" for title in there if title in self.units]
        lower = [title for title in there if title in self.lower]
        sentences = [
            f"Percent, but {', '.join(units)}." if units else "",
            f"Lower is better: {', '.join(lower)}." if lower else "",
        ]
        return [" ".join(filter(None, sentences))] if any(sentences) else []


def to_json(tables: Sequence[BriefTable]) -> str:
    """For the folder of the report, so that the same report is printed again without scoring anything."""
    return json.dumps([dataclasses.asdict(table) for table in tables], indent=1, ensure_ascii=False) + "\n"


def from_json(path: Path) -> tuple[BriefTable, ...]:
    """What `to_json` wrote."""
    return tuple(_read(values) for values in json.loads(path.read_bytes()))


def _read(values: Mapping[str, object]) -> BriefTable:
    given = {key: _tuples(value) for key, value in values.items()}
    return BriefTable(**given)  # type: ignore[arg-type] # as it was written


def _tuples(value: object) -> object:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
