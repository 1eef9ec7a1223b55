"""A table whose columns stand in groups, as papers print them: narrow text, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from textwrap import wrap

from asc_bench.reporting.table import Table
from asc_bench.reporting.text import latex, one_line
from asc_bench.slugs import slug

WIDTH = 118
"""Characters in a line of text; a terminal of 120 columns shows it whole."""
BEST = "*"
TOLD = "†"
FLAWED = "‡"
MARKS = BEST + TOLD + FLAWED
"""What may stand behind a number."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a grid.

    Attributes
    ----------
    labels : tuple of str
        One for each of ``Grid.row_titles``.
    cells : tuple of str
        One for each column.
    best : frozenset of int
        Columns whose cell is marked.
    """

    labels: tuple[str, ...]
    cells: tuple[str, ...]
    best: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Cells as they are to be read; every string becomes one line of printable characters.

    Attributes
    ----------
    titles : tuple of str
        Lines of the caption.
    row_titles : tuple of str
        Titles of the columns of labels.
    columns : tuple of (str, str)
        Group and title of every column; neighbours of one group stand under one heading.
    lines : tuple of Line
        Rows.
    best_means : str
        What the mark of ``Line.best`` says.
    notes : tuple of str
        Sentences below.
    """

    titles: tuple[str, ...]
    row_titles: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    best_means: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "titles", _clean(self.titles))
        object.__setattr__(self, "row_titles", _clean(self.row_titles))
        object.__setattr__(
            self, "columns", tuple((one_line(group), one_line(title)) for group, title in self.columns)
        )
        lines = (Line(labels=_clean(x.labels), cells=_clean(x.cells), best=x.best) for x in self.lines)
        object.__setattr__(self, "lines", tuple(lines))
        object.__setattr__(self, "notes", _clean(self.notes))

    def groups(self) -> list[tuple[str, int]]:
        """Headings with the number of columns below each."""
        return [(name, len(list(same))) for name, same in groupby(group for group, _ in self.columns)]

    def to_text(self) -> str:
        """For the terminal: one blank between columns, two between groups, an asterisk behind the best."""
        cells = [[cell + BEST * (j in line.best) for j, cell in enumerate(line.cells)] for line in self.lines]
        # A column with a mark keeps room for it in every line, so that the digits stand below each other.
        for j in range(len(self.columns)):
            n_marks = [len(row[j]) - len(row[j].rstrip(MARKS)) for row in cells]
            for row, n in zip(cells, n_marks, strict=True):
                row[j] += " " * (max(n_marks) - n)
        titles = [title for _, title in self.columns]
        widths = [max(map(len, [titles[j], *(row[j] for row in cells)])) for j in range(len(self.columns))]
        gaps = [1 if a[0] == b[0] and a[0] else 2 for a, b in pairwise(self.columns)] + [0]
        widths = self._widened(widths, gaps)
        label_widths = [
            max(map(len, [title, *(line.labels[i] for line in self.lines)]))
            for i, title in enumerate(self.row_titles)
        ]

        def joined(labels: Sequence[str], values: Sequence[str]) -> str:
            left = " ".join(label.ljust(width) for label, width in zip(labels, label_widths, strict=True))
            parts = (v.rjust(w) + " " * g for v, w, g in zip(values, widths, gaps, strict=True))
            return f"{left}  {''.join(parts)}".rstrip()

        body = [joined(line.labels, row) for line, row in zip(self.lines, cells, strict=True)]
        header = [joined(self.row_titles, titles)]
        if any(group for group, _ in self.columns):
            header.insert(0, self._heading(widths, gaps, sum(label_widths) + len(label_widths) + 1))
        rule = "-" * max(map(len, [*header, *body]))
        texts = [part for text in self.titles for part in wrap(text, WIDTH)]
        notes = [part for note in self._notes(BEST) for part in wrap(note, WIDTH, subsequent_indent="  ")]
        return "\n".join([*texts, "", *header, rule, *body, *([""] if notes else []), *notes]) + "\n"

    def to_markdown(self) -> str:
        """GitHub-flavoured Markdown, which knows no groups: their names stand before the columns' own."""
        return Table(
            ". ".join(self.titles),
            (*self.row_titles, *(f"{group} {title}".strip() for group, title in self.columns)),
            tuple((*line.labels, *line.cells) for line in self.lines),
            tuple(self._notes("Bold:")),
            bold=frozenset((i, j + len(self.row_titles)) for i, line in enumerate(self.lines) for j in line.best),
        ).to_markdown()

    def to_latex(self) -> str:
        """A ``table*`` float for the booktabs package; every string is escaped."""
        n_labels = len(self.row_titles)
        rows = [self._latex_line([latex(t) for t in (*self.row_titles, *(title for _, title in self.columns))])]
        if any(group for group, _ in self.columns):
            rows = [*self._latex_groups(n_labels), *rows]
        lines = [
            "% needs \\usepackage{booktabs}",
            r"\begin{table*}",
            r"\centering\small\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{latex('. '.join(self.titles))}}}",
            rf"\label{{tab:{slug('. '.join(self.titles))}}}",
            rf"\begin{{tabular}}{{{'l' * n_labels}{'r' * len(self.columns)}}}",
            r"\toprule",
            *rows,
            r"\midrule",
        ]
        for line in self.lines:
            cells = [
                rf"\textbf{{{latex(cell)}}}" if j in line.best else latex(cell) for j, cell in enumerate(line.cells)
            ]
            lines.append(self._latex_line([*(latex(label) for label in line.labels), *cells]))
        lines += [r"\bottomrule", r"\end{tabular}"]
        lines += [rf"\par\smallskip\footnotesize {latex(note)}" for note in self._notes("Bold:")]
        return "\n".join([*lines, r"\end{table*}"]) + "\n"

    def _notes(self, mark: str) -> list[str]:
        marked = any(line.best for line in self.lines)
        return [*([f"{mark} {self.best_means}."] if marked else []), *self.notes]

    def _widened(self, widths: list[int], gaps: list[int]) -> list[int]:
        """Widths under which every group is at least as wide as its name."""
        widths, start = list(widths), 0
        for name, n in self.groups():
            taken = sum(widths[start : start + n]) + sum(gaps[start : start + n - 1])
            widths[start] += max(0, len(name) - taken)
            start += n
        return widths

    def _heading(self, widths: list[int], gaps: list[int], indent: int) -> str:
        text, start = " " * indent, 0
        for name, n in self.groups():
            width = sum(widths[start : start + n]) + sum(gaps[start : start + n - 1])
            text += name.center(width) + " " * gaps[start + n - 1]
            start += n
        return text.rstrip()

    def _latex_groups(self, n_labels: int) -> Iterable[str]:
        yield self._latex_line(
            [""] * n_labels + [rf"\multicolumn{{{n}}}{{c}}{{{latex(name)}}}" for name, n in self.groups()]
        )
        rules, start = [], n_labels + 1
        for _, n in self.groups():
            rules.append(rf"\cmidrule(lr){{{start}-{start + n - 1}}}")
            start += n
        yield "".join(rules)

    @staticmethod
    def _latex_line(cells: Sequence[str]) -> str:
        # "\\" takes a "[" or "*" that follows it, even on the next line, for an argument of its own.
        first = "{}" + cells[0] if cells[0][:1] in {"[", "*"} else cells[0]
        return " & ".join([first, *cells[1:]]) + r" \\"


def _clean(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(one_line, texts))
