"""A table as text, Markdown, LaTeX, CSV or HTML."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from html import escape
from textwrap import wrap

from asc_bench.errors import ConfigError
from asc_bench.reporting.text import latex, markdown, one_line
from asc_bench.slugs import slug

_NUMBER_LIKE = re.compile(r"[-+−–<>≤]?\s?\d|–\Z|\Z")
_WIDE = 44
"""Characters in a line of a sentence; sentences are wrapped in text and in paragraph columns in LaTeX."""


@dataclass(frozen=True)
class Table:
    """Cells as they are to be read, and the marks that only some formats can show.

    Every string becomes one line of printable characters, whatever its source.

    Attributes
    ----------
    title : str
        Caption.
    columns : tuple of str
        Column titles.
    rows : tuple of tuples of str
        One cell per column each.
    notes : tuple of str
        Sentences below the table.
    bold : set of (row, column)
        Cells set in bold in Markdown, LaTeX and HTML.
    apart : int or None
        Index of the first row that stands below a rule of its own.

    Raises
    ------
    ConfigError
        If a row has another number of cells than there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    bold: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    apart: int | None = None

    def __post_init__(self) -> None:
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ConfigError(
                    f"table {self.title!r}: row {i} has {len(row)} cells, {len(self.columns)} columns"
                )
        object.__setattr__(self, "title", one_line(self.title))
        object.__setattr__(self, "columns", tuple(map(one_line, self.columns)))
        object.__setattr__(self, "rows", tuple(tuple(map(one_line, row)) for row in self.rows))
        object.__setattr__(self, "notes", tuple(map(one_line, self.notes)))

    def _numeric(self, column: int) -> bool:
        cells = [row[column] for row in self.rows]
        return column > 0 and all(_NUMBER_LIKE.match(c) and not _is_sentence(c) for c in cells)

    def to_text(self) -> str:
        """For the terminal: title, table, notes. Sentences in cells are wrapped."""
        from tabulate import SEPARATING_LINE, tabulate

        # Wrapped here: tabulate's own wrapping takes "2,878" for a number and fails.
        rows: list[list[str] | str] = [[_wrapped(cell) for cell in row] for row in self.rows]
        if self.apart is not None and 0 < self.apart < len(rows):
            rows.insert(self.apart, SEPARATING_LINE)
        body = tabulate(
            rows,
            headers=self.columns,
            tablefmt="simple",
            disable_numparse=True,
            colalign=["right" if self._numeric(i) else "left" for i in range(len(self.columns))],
        )
        return "\n".join([self.title, "", body, *([""] if self.notes else []), *self.notes]) + "\n"

    def to_markdown(self) -> str:
        """GitHub-flavoured Markdown: title in bold, pipe table, notes as a list."""
        from tabulate import tabulate

        cells = [
            [f"**{markdown(cell)}**" if (i, j) in self.bold else markdown(cell) for j, cell in enumerate(row)]
            for i, row in enumerate(self.rows)
        ]
        body = tabulate(
            cells,
            headers=[markdown(c) for c in self.columns],
            tablefmt="pipe",
            disable_numparse=True,
            colalign=["right" if self._numeric(i) else "left" for i in range(len(self.columns))],
        )
        notes = [f"- {markdown(note)}" for note in self.notes]
        return "\n".join([f"**{markdown(self.title)}**", "", body, *([""] if notes else []), *notes]) + "\n"

    def to_latex(self) -> str:
        """A ``table`` float for the booktabs package, with caption and label; every string is escaped."""
        # Written here and not by tabulate: its booktabs format escapes the commands for bold type as well.
        wide = [any(_is_sentence(row[j]) for row in self.rows) for j in range(len(self.columns))]
        layout = "".join(r"p{0.3\linewidth}" if w else "r" if self._numeric(j) else "l" for j, w in enumerate(wide))
        lines = [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex(self.title)}}}",
            rf"\label{{tab:{slug(self.title)}}}",
            rf"\begin{{tabular}}{{{layout}}}",
            r"\toprule",
            _latex_row([latex(c) for c in self.columns]),
            r"\midrule",
        ]
        for i, row in enumerate(self.rows):
            if i == self.apart and i > 0:
                lines.append(r"\midrule")
            lines.append(
                _latex_row(
                    [
                        rf"\textbf{{{latex(cell)}}}" if (i, j) in self.bold else latex(cell)
                        for j, cell in enumerate(row)
                    ]
                )
            )
        lines += [r"\bottomrule", r"\end{tabular}"]
        lines += [rf"\par\smallskip\footnotesize {latex(note)}" for note in self.notes]
        return "\n".join([*lines, r"\end{table}"]) + "\n"

    def to_csv(self) -> str:
        """The cells as printed, without title and notes."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.rows])
        return text.getvalue()

    def to_html(self) -> str:
        """A ``figure`` element; every string is escaped."""
        kind = [' class="number"' if self._numeric(j) else "" for j in range(len(self.columns))]
        lines = [f"<figure><figcaption>{escape(self.title)}</figcaption>", '<div class="scroll"><table>']
        lines.append("<thead><tr>")
        lines += [f"<th{kind[j]}>{escape(column)}</th>" for j, column in enumerate(self.columns)]
        lines.append("</tr></thead><tbody>")
        for i, row in enumerate(self.rows):
            lines.append('<tr class="apart">' if i == self.apart else "<tr>")
            for j, cell in enumerate(row):
                text = f"<strong>{escape(cell)}</strong>" if (i, j) in self.bold else escape(cell)
                lines.append(f"<td{kind[j]}>{text}</td>")
            lines.append("</tr>")
        lines.append("</tbody></table></div>")
        if self.notes:
            lines += ['<ul class="notes">', *(f"<li>{escape(note)}</li>" for note in self.notes), "</ul>"]
        return "\n".join([*lines, "</figure>"]) + "\n"


def _is_sentence(cell: str) -> bool:
    # A long name is no sentence: it has to stay whole to be copied.
    return len(cell) > _WIDE and cell.count(" ") > 2


def _wrapped(cell: str) -> str:
    return "\n".join(wrap(cell, _WIDE)) if _is_sentence(cell) else cell


def _latex_row(cells: list[str]) -> str:
    # "\\" takes a "[" or "*" that follows it, even on the next line, for an argument of its own.
    first = "{}" + cells[0] if cells[0][:1] in {"[", "*"} else cells[0]
    return " & ".join([first, *cells[1:]]) + r" \\"
