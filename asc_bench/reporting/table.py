"""A table as text, Markdown, LaTeX, CSV or HTML."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import groupby, pairwise
from textwrap import wrap

from asc_bench.errors import ConfigError
from asc_bench.names import near, slug
from asc_bench.reporting.layout import DEFAULT_WIDTH, display_width, wrapped
from asc_bench.reporting.text import latex, markdown, one_line

BEST = "*"
DEVICE = "†"
FLAWED = "‡"
MARKS = BEST + DEVICE + FLAWED
"""What may stand behind a number of a grouped table."""
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
    subtitle : str
        Second line of the caption.
    n_labels : int
        Leading columns that name the row.
    groups : tuple of str
        Heading above each column behind the labels; neighbours with one heading stand under it together, as papers
        print them: text is narrow, with an asterisk behind what is bold, and LaTeX spans the page. Empty for a
        table without headings.
    bold_means : str
        What bold says, a note of its own where there is any.

    Raises
    ------
    ConfigError
        If a row has another number of cells than there are columns, or if not every column behind the labels has
        a heading.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    bold: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    apart: int | None = None
    subtitle: str = ""
    n_labels: int = 1
    groups: tuple[str, ...] = ()
    bold_means: str = ""

    def __post_init__(self) -> None:
        if self.groups and len(self.groups) != len(self.columns) - self.n_labels:
            raise ConfigError(
                f"table {self.title!r}: {len(self.groups)} headings for {len(self.columns)} columns, of which "
                f"{self.n_labels} name the row; give one for each of the others"
            )
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ConfigError(
                    f"table {self.title!r}: row {i} has {len(row)} cells, {len(self.columns)} columns"
                )
        for name in ("title", "subtitle", "bold_means"):
            object.__setattr__(self, name, one_line(getattr(self, name)))
        for name in ("columns", "notes", "groups"):
            object.__setattr__(self, name, tuple(map(one_line, getattr(self, name))))
        object.__setattr__(self, "rows", tuple(tuple(map(one_line, row)) for row in self.rows))

    def with_columns(self, names: Sequence[str]) -> Table:
        """Some of its columns, in this order, behind those that name the row.

        Raises
        ------
        ConfigError
            For a column that it does not have, with the near names.
        """
        titles = self.columns[self.n_labels :]
        for name in names:
            if name not in titles:
                raise ConfigError(f"table {self.title!r} has no column {name!r}{near(name, titles)}")
        return self._cut([titles.index(name) for name in names])

    def _cut(self, places: Sequence[int]) -> Table:
        """Columns at these places behind those that name the row."""
        kept = [*range(self.n_labels), *(self.n_labels + j for j in places)]
        return replace(
            self,
            columns=tuple(self.columns[j] for j in kept),
            rows=tuple(tuple(row[j] for j in kept) for row in self.rows),
            groups=tuple(self.groups[j - self.n_labels] for j in kept[self.n_labels :]) if self.groups else (),
            bold=frozenset((i, kept.index(j)) for i, j in self.bold if j in kept),
        )

    @property
    def caption(self) -> str:
        """Title and subtitle in one line."""
        return ". ".join(filter(None, (self.title, self.subtitle)))

    def spans(self) -> list[tuple[str, int]]:
        """Headings with the number of columns below each."""
        return [(name, len(list(same))) for name, same in groupby(self.groups)]

    def _flat_columns(self) -> tuple[str, ...]:
        """Column titles where a format knows no headings: these stand before the columns' own."""
        if not self.groups:
            return self.columns
        values = zip(self.groups, self.columns[self.n_labels :], strict=True)
        return (*self.columns[: self.n_labels], *(f"{group} {title}".strip() for group, title in values))

    def _all_notes(self, mark: str) -> list[str]:
        return [*([f"{mark} {self.bold_means}."] if self.bold and self.bold_means else []), *self.notes]

    def _numeric(self, column: int) -> bool:
        cells = [row[column] for row in self.rows]
        return column >= self.n_labels and all(_NUMBER_LIKE.match(c) and not _is_sentence(c) for c in cells)

    def to_text(self, width: int = DEFAULT_WIDTH) -> str:
        """For the terminal: title, table, notes. Sentences in cells are wrapped.

        A table with headings is at most ``width`` columns wide: what has no room beside stands below, heading by
        heading, with the names of the rows again. Other tables take what they need.
        """
        if self.groups:
            return _grouped_text(self, width)
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
        titles = [line for line in (self.title, self.subtitle) if line]
        notes = self._all_notes("Bold:")
        return "\n".join([*titles, "", body, *([""] if notes else []), *notes]) + "\n"

    def to_markdown(self) -> str:
        """GitHub-flavoured Markdown: title in bold, pipe table, notes as a list."""
        from tabulate import tabulate

        cells = [
            [f"**{markdown(cell)}**" if (i, j) in self.bold else markdown(cell) for j, cell in enumerate(row)]
            for i, row in enumerate(self.rows)
        ]
        body = tabulate(
            cells,
            headers=[markdown(c) for c in self._flat_columns()],
            tablefmt="pipe",
            disable_numparse=True,
            colalign=["right" if self._numeric(i) else "left" for i in range(len(self.columns))],
        )
        notes = [f"- {markdown(note)}" for note in self._all_notes("Bold:")]
        return "\n".join([f"**{markdown(self.caption)}**", "", body, *([""] if notes else []), *notes]) + "\n"

    def to_latex(self) -> str:
        """A ``table`` float for the booktabs package, ``table*`` with headings; every string is escaped."""
        # Written here and not by tabulate: its booktabs format escapes the commands for bold type as well.
        wide = [any(_is_sentence(row[j]) for row in self.rows) for j in range(len(self.columns))]
        layout = "".join(r"p{0.3\linewidth}" if w else "r" if self._numeric(j) else "l" for j, w in enumerate(wide))
        if self.groups:
            layout = "l" * self.n_labels + "r" * len(self.groups)
        kind = "table*" if self.groups else "table"
        lines = [
            "% needs \\usepackage{booktabs}",
            rf"\begin{{{kind}}}",
            r"\centering" + (r"\small\setlength{\tabcolsep}{3pt}" if self.groups else ""),
            rf"\caption{{{latex(self.caption)}}}",
            rf"\label{{tab:{slug(self.caption)}}}",
            rf"\begin{{tabular}}{{{layout}}}",
            r"\toprule",
            *(_latex_headings(self) if any(self.groups) else ()),
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
        lines += [rf"\par\smallskip\footnotesize {latex(note)}" for note in self._all_notes("Bold:")]
        return "\n".join([*lines, rf"\end{{{kind}}}"]) + "\n"

    def to_csv(self) -> str:
        """The cells as printed, without title and notes."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self._flat_columns(), *self.rows])
        return text.getvalue()

    def to_html(self) -> str:
        """A ``figure`` element; every string is escaped."""
        kind = [' class="number"' if self._numeric(j) else "" for j in range(len(self.columns))]
        lines = [f"<figure><figcaption>{escape(self.caption)}</figcaption>", '<div class="scroll"><table>']
        lines.append("<thead>")
        if any(self.groups):
            headings = "".join(f'<th colspan="{n}">{escape(name)}</th>' for name, n in self.spans())
            lines.append(f"<tr>{'<th></th>' * self.n_labels}{headings}</tr>")
        lines.append("<tr>")
        lines += [f"<th{kind[j]}>{escape(column)}</th>" for j, column in enumerate(self.columns)]
        lines.append("</tr></thead><tbody>")
        for i, row in enumerate(self.rows):
            lines.append('<tr class="apart">' if i == self.apart else "<tr>")
            for j, cell in enumerate(row):
                text = f"<strong>{escape(cell)}</strong>" if (i, j) in self.bold else escape(cell)
                lines.append(f"<td{kind[j]}>{text}</td>")
            lines.append("</tr>")
        lines.append("</tbody></table></div>")
        notes = self._all_notes("Bold:")
        if notes:
            lines += ['<ul class="notes">', *(f"<li>{escape(note)}</li>" for note in notes), "</ul>"]
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


def _latex_headings(table: Table) -> tuple[str, str]:
    rules, start = [], table.n_labels + 1
    for _, n in table.spans():
        rules.append(rf"\cmidrule(lr){{{start}-{start + n - 1}}}")
        start += n
    names = [rf"\multicolumn{{{n}}}{{c}}{{{latex(name)}}}" for name, n in table.spans()]
    return _latex_row([*[""] * table.n_labels, *names]), "".join(rules)


def _grouped_text(table: Table, width: int) -> str:
    """Title, the table in blocks that are narrow enough, notes with their second lines indented."""
    blocks = ["\n".join(_block(table._cut(places))) for places in _places(table, width)]
    captions = [line for text in (table.title, table.subtitle) if text for line in wrapped(text, width)]
    notes = [line for note in table._all_notes(BEST) for line in wrapped(note, width, indent="  ")]
    return "\n".join([*captions, "", "\n\n".join(blocks), *([""] if notes else []), *notes]) + "\n"


def _places(table: Table, width: int) -> list[list[int]]:
    """Columns behind the labels, divided into blocks that fit: between headings, or inside one that is too wide."""

    def fits(places: Sequence[int]) -> bool:
        return max(map(display_width, _block(table._cut(places)))) <= width

    blocks: list[list[int]] = [[]]
    start = 0
    for _, n in table.spans():
        under = list(range(start, start + n))
        start += n
        for places in [under] if fits(under) else [[j] for j in under]:
            if blocks[-1] and not fits(blocks[-1] + places):
                blocks.append([])
            blocks[-1] += places
    return blocks


def _block(table: Table) -> list[str]:
    """Lines with one blank between columns, two between headings, an asterisk behind what is bold."""
    n_labels = table.n_labels
    labels = [row[:n_labels] for row in table.rows]
    cells = [
        [cell + BEST * ((i, j) in table.bold) for j, cell in enumerate(row)][n_labels:]
        for i, row in enumerate(table.rows)
    ]
    titles = table.columns[n_labels:]
    # A column with a mark keeps room for it in every row, so that the digits stand below each other.
    for j in range(len(titles)):
        n_marks = [len(row[j]) - len(row[j].rstrip(MARKS)) for row in cells]
        for row, n in zip(cells, n_marks, strict=True):
            row[j] += " " * (max(n_marks) - n)
    widths = [max(map(len, [title, *(row[j] for row in cells)])) for j, title in enumerate(titles)]
    gaps = [1 if a == b and a else 2 for a, b in pairwise(table.groups)] + [0]
    heading, start = "", 0
    for name, n in table.spans():
        between = sum(gaps[start : start + n - 1])
        # Every heading has room above its columns.
        widths[start] += max(0, len(name) - between - sum(widths[start : start + n]))
        heading += name.center(between + sum(widths[start : start + n])) + " " * gaps[start + n - 1]
        start += n
    label_widths = [max(map(len, [table.columns[i], *(row[i] for row in labels)])) for i in range(n_labels)]

    def joined(names: Sequence[str], values: Sequence[str]) -> str:
        left = " ".join(name.ljust(width) for name, width in zip(names, label_widths, strict=True))
        right = "".join(v.rjust(w) + " " * g for v, w, g in zip(values, widths, gaps, strict=True))
        return f"{left}  {right}".rstrip()

    body = [joined(names, row) for names, row in zip(labels, cells, strict=True)]
    header = [joined(table.columns[:n_labels], titles)]
    if any(table.groups):
        header.insert(0, (" " * (sum(label_widths) + n_labels + 1) + heading).rstrip())
    rule = "-" * max(map(len, [*header, *body]))
    return [*header, rule, *body]
