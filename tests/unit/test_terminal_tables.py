"""What the terminal shows of a report, at several widths: which columns, which names, which comparisons."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from asc_bench.printable import encodable
from asc_bench.reporting.brief import from_json, to_json
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.layout import display_width, fitted, wrapped, wrapped_name
from asc_bench.reporting.terminal import brief_tables
from asc_bench.scoring.measure import PROBABILITY_MEASURES, Measure
from tests.unit.reporting_frames import failed, manifest, scores, significance

LONG = "transfer[system=sb-cnn,source=esc10-synthetic-tiny,variant=lr,mode=closed_form]"
REASON = "no training clips of device 'Z': " + "the table of the clips names A, B and C, " * 5 + "and none is left"
MEASURES = [Measure("average"), Measure("A"), Measure("B"), *PROBABILITY_MEASURES]
VALUES = {
    "caa-net": {m.name: 0.68 for m in MEASURES},
    "sb-cnn": {m.name: 0.62 for m in MEASURES},
    LONG: {m.name: 0.5 for m in MEASURES},
}
PAIRS = {
    ("caa-net", "sb-cnn"): (0.06, 0.01, 0.11, 0.03),
    ("caa-net", LONG): (0.18, 0.1, 0.26, 0.0001),
    ("sb-cnn", LONG): (0.12, -0.02, 0.26, 0.2),
}


def evaluation(**changes: object) -> Evaluation:
    import pandas as pd

    pairs = pd.concat(
        significance(a, b, difference=d, low=low, high=high, p_bootstrap_holm=p)
        for (a, b), (d, low, high, p) in PAIRS.items()
    )
    refused = failed("picky") | {"status": "skipped", "error": {"type": "", "message": REASON}}
    arguments: dict[str, object] = {
        "scores": scores(VALUES),
        "significance": pairs,
        "manifests": [*(manifest(s) for s in VALUES), refused],
        "measures": MEASURES,
        "tied": {"caa-net", "sb-cnn"},
    }
    return Evaluation(**(arguments | changes))  # type: ignore[arg-type]


def printed(width: int, shown_as: object = str, **changes: object) -> str:
    tables = brief_tables(evaluation(**changes))
    return "\n\n".join(table.text(width, shown_as) for table in tables)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_line_is_wider_than_the_terminal(width: int, encoding: str) -> None:
    text = printed(width, lambda text: encodable(text, encoding))
    assert text.isascii() == (encoding == "ascii")
    assert max(map(cell_len, text.splitlines())) <= width


def test_columns_go_in_the_stated_order_and_are_named() -> None:
    order = ["average", "A", "B", "log loss", "Brier", "ECE", "parameters", "MACs", "train time (s)", "n"]
    order.append("n_locations")
    numbers = []
    for width in range(40, 161, 4):
        table, below = printed(width).split("\n\n", 2)[1:]
        rule = next(line for line in table.splitlines() if line.startswith("--"))
        n_shown = rule.count("  ")
        missing = re.search(r"Not shown: (.*?)\. All", " ".join(below.split()))
        named = set(missing[1].split(", ")) if missing else set()
        assert named == set(order) - set(order[:n_shown]), width
        numbers.append(n_shown)
    assert numbers[0] >= 1 and numbers[-1] >= 10
    assert "Not shown" not in printed(240) and "results.md" in printed(240)


def test_interval_of_the_main_measure_alone() -> None:
    (row,) = (line for line in printed(160).splitlines() if line.startswith("caa-net "))
    assert row.split()[:6] == ["caa-net", "68.0", "[65.9,", "69.9]", "68.0", "68.0"]


@pytest.mark.parametrize("name", [LONG, "n" * 90, "広場" * 30, "fusion[members=a+b[jitter=0.5]]", "x"])
@pytest.mark.parametrize("width", [7, 24, 40])
def test_a_wrapped_name_is_the_whole_name(name: str, width: int) -> None:
    lines = wrapped_name(name, width)
    assert max(map(cell_len, lines)) <= width
    assert lines[0] + "".join(line.removeprefix("  ") for line in lines[1:]) == name
    assert all(line.startswith("  ") for line in lines[1:])


@pytest.mark.parametrize("text", ["68.0 [65.9, 69.9]", "広場", "e\u0301tat", "≈†–", "👩 a", ""])
def test_display_width_is_that_of_another_library(text: str) -> None:
    assert display_width(text) == cell_len(text)


def test_sentences_lose_no_word_and_wide_characters_count_twice() -> None:
    assert wrapped("広場 広場 ab", 9, indent="  ") == ["広場 広場", "  ab"]
    assert wrapped("aaa bbb", 3) == ["aaa", "bbb"]
    assert " ".join("".join(wrapped(REASON, 50, indent="")).split()) != ""
    assert " ".join(wrapped(REASON, 50)) == REASON
    lines, missing = fitted(["system", "広場"], [["a", "1"]], ["広場"], width=40)
    assert missing == [] and [cell_len(line) for line in lines[:2]] == [12, 12]


def test_why_a_system_has_no_score_is_said_in_full() -> None:
    for width in (60, 100):
        assert f"picky: skipped: {REASON}" in " ".join(printed(width).split())
    (status,) = evaluation().tidy().query("system == 'picky' and measure == 'average'")["status"]
    assert status == f"skipped: {REASON}"


def test_a_line_for_each_system_against_the_best() -> None:
    table = brief_tables(evaluation())[1]
    assert table.title == "Difference to caa-net (best) in average, in points"
    assert table.rows == (("sb-cnn", "−6.0 [−11.0, −1.0]", "0.030"), (LONG, "−18.0 [−26.0, −10.0]", "< 0.001"))
    assert "3 pairs" in table.notes[0]


def test_a_line_for_each_system_against_the_reference_whichever_side_of_the_pair_it_is_on() -> None:
    pairs = evaluation().significance
    asked = pairs[(pairs["system_a"] == "sb-cnn") | (pairs["system_b"] == "sb-cnn")]
    table = brief_tables(evaluation(significance=asked, reference="sb-cnn"))[1]
    assert table.title.startswith("Difference to sb-cnn (reference)")
    assert table.rows == (("caa-net", "+6.0 [+1.0, +11.0]", "0.030"), (LONG, "−12.0 [−26.0, +2.0]", "0.200"))


def test_too_few_locations_are_said_instead_of_intervals() -> None:
    bare = evaluation().significance.assign(low=math.nan, high=math.nan, p_bootstrap_holm=math.nan, dof=0.0)
    table = brief_tables(evaluation(significance=bare, scores=scores(VALUES, low=math.nan, high=math.nan)))[1]
    assert [row[1:] for row in table.rows] == [("−6.0", "–"), ("−18.0", "–")]
    assert table.notes[0] == "Too few locations for intervals and p."


def test_the_notes_are_few_and_of_one_line_at_100_columns() -> None:
    synthetic = {"synthetic": True, "synthetic_size": "tiny", "budget": "smoke"}
    runs = [manifest(s, **synthetic) for s in VALUES]
    first = printed(100, manifests=runs).split("\n\n\n")[0]
    notes = first.strip().split("\n\n")[-1].splitlines()
    assert len(notes) <= 7 and not any(line.startswith(" ") for line in notes[:-1])
    assert "say nothing about any system" in notes[0] and "Smoke budget" in notes[1]
    assert "Lower is better: log loss, Brier, ECE" in first


def test_published_rows_go_with_the_column_that_they_are_made_of() -> None:
    rows = [["mine", "1.0", "2.0"], ["theirs (published)", "–", "3.0"]]
    wide, _ = fitted(["system", "a", "printed"], rows, ["a", "printed"], width=60, apart=1)
    assert wide[-1].split() == ["theirs", "(published)", "3.0"] or wide[-1].endswith("3.0")
    narrow, missing = fitted(["system", "a", "p" * 50], rows, ["a", "p" * 50], width=60, apart=1)
    assert missing == ["p" * 50] and not any("theirs" in line for line in narrow)


def test_what_is_stored_is_printed_again(tmp_path: Path) -> None:
    tables = brief_tables(evaluation())
    (tmp_path / "terminal.json").write_text(to_json(tables), encoding="utf-8")
    again = from_json(tmp_path / "terminal.json")
    assert [t.text(70) for t in again] == [t.text(70) for t in tables]


def test_lists_give_way_in_their_widest_columns() -> None:
    from asc_bench.cli.printing import column_widths

    rows = [("n" * 20, "t" * 90, "x" * 30, "")]
    assert column_widths(rows, 200) == [20, 60, 30, 0], "as wide as before where there is room"
    assert column_widths(rows, 100) == [20, 44, 30, 0]
    assert column_widths(rows, 60) == [20, 17, 17, 0]
    assert column_widths(rows, 30) == [20, 10, 10, 0], "names stay whole"
