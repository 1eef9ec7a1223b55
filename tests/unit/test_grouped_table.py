"""Grouped tables as text, Markdown and LaTeX, against what was written by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest

from asc_bench.errors import ConfigError
from asc_bench.reporting.table import Table
from tests.unit.reporting_frames import HOSTILE

GROUPED = Table(
    "Accuracy",
    ("net", "pool", "A", "avg", "A", "avg"),
    (("cnn", "max", "60.0", "55.5", "–", "100.0"), ("", "published", "61.1", "50.4‡", "7.0", "8.5")),
    ("Percent.",),
    subtitle="DCASE",
    n_labels=2,
    groups=("joint", "joint", "told †", "told †"),
    bold=frozenset({(0, 5)}),
    bold_means="best of two",
)

TEXT = """\
Accuracy
DCASE

                 joint       told †
net pool          A   avg    A    avg
-------------------------------------
cnn max        60.0 55.5     – 100.0*
    published  61.1 50.4‡  7.0   8.5

* best of two.
Percent.
"""


def test_text_stands_in_columns_with_the_digits_below_each_other() -> None:
    assert GROUPED.to_text() == TEXT


def test_a_group_with_a_long_name_makes_room_for_it() -> None:
    table = Table("t", ("net", "A", "A"), (("x", "1", "2"),), groups=("a very long name", "b"))
    heading, _, _, row = table.to_text().splitlines()[2:6]
    assert heading.index("a very long name") + len("a very long name") == row.index("1") + 1
    assert heading.index(" b") + 1 == row.index("2")


def test_long_notes_are_wrapped_for_the_terminal() -> None:
    table = Table("t", ("n", "A"), (("x", "1"),), ("word " * 60,), groups=("",))
    lines = table.to_text().splitlines()
    assert max(map(len, lines)) <= 118
    assert lines[2] == "n  A"


def test_markdown_names_the_group_before_the_column_and_sets_the_best_in_bold() -> None:
    markdown = GROUPED.to_markdown()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if "|" in line]
    assert rows[0] == ["net", "pool", "joint A", "joint avg", "told † A", "told † avg"]
    assert rows[2] == ["cnn", "max", "60.0", "55.5", "–", "**100.0**"]
    assert "- Bold: best of two." in markdown


def test_latex_spans_the_groups_and_escapes_everything() -> None:
    latex = GROUPED.to_latex()
    assert r" &  & \multicolumn{2}{c}{joint} & \multicolumn{2}{c}{told $\dagger$} \\" in latex
    assert r"\cmidrule(lr){3-4}\cmidrule(lr){5-6}" in latex
    assert r"cnn & max & 60.0 & 55.5 & -- & \textbf{100.0} \\" in latex
    assert r"50.4$\ddagger$" in latex
    hostile = Table(HOSTILE, (HOSTILE, HOSTILE), ((HOSTILE, HOSTILE),), (HOSTILE,), groups=(HOSTILE,))
    for text in (hostile.to_latex(), hostile.to_text(), hostile.to_markdown()):
        assert "\x1b" not in text
        assert "\u202e" not in text
    starred = Table("t", ("n", "A"), (("*x", "1"),), groups=("",))
    assert "{}*x & 1" in starred.to_latex()
    body = hostile.to_latex().split(r"\toprule")[1]
    assert "_#$~^" not in body
    assert r"\_\#\$" in body


def test_html_spans_the_groups_and_csv_names_them_before_the_column() -> None:
    html = GROUPED.to_html()
    assert '<tr><th></th><th></th><th colspan="2">joint</th><th colspan="2">told †</th></tr>' in html
    assert "<strong>100.0</strong>" in html
    assert GROUPED.to_csv().splitlines()[0] == "net,pool,joint A,joint avg,told † A,told † avg"


def test_every_column_behind_the_labels_needs_a_heading() -> None:
    with pytest.raises(ConfigError, match="table 't': 2 headings for 2 columns, of which 1 name the row"):
        Table("t", ("n", "A"), (("x", "1"),), groups=("a", "b"))


def test_listing_papers_imports_nothing_heavy() -> None:
    code = (
        "import sys; from asc_bench.papers.registry import figures, reproductions; "
        "assert 'caa-net/table2' in reproductions().names(), reproductions().unavailable; "
        "assert {'caa-net/fig5', 'caa-net/fig6'} <= set(figures().names()), figures().unavailable; "
        "heavy = {'torch', 'sklearn', 'librosa', 'matplotlib', 'scipy.stats'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
