import csv
import io
import math
import re

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asc_bench.errors import ConfigError
from asc_bench.limits import Limits
from asc_bench.protocol import Reference
from asc_bench.reporting.comparisons import equivalence_notes, significance_text_table
from asc_bench.reporting.results import published_table, results_table
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import latex, one_line, p_value, points, quantity, seconds
from asc_bench.reporting.tidy import tidy_results
from asc_bench.scoring.measure import Measure
from tests.unit.reporting_frames import HOSTILE, failed, manifest, scores, significance

MEASURES = [Measure("average"), Measure("B")]
CAA = "caa-net[pooling=att]"
NAN = math.nan
REAL = {
    "sb-cnn": {"average": 0.62, "B": 0.57},
    CAA: {"average": 0.6804, "B": 0.55},
    "svm": {"average": 0.5, "B": 0.4},
}
RUNS = [manifest(s) for s in REAL]
HUMANS = Reference("humans", {"average": 95.7}, "Piczak 2015")


def results(frame: pd.DataFrame, runs: list[dict[str, object]], **changes: object) -> Table:
    settings: dict[str, object] = {"measures": MEASURES, "published": {}} | changes
    return results_table(frame, runs, **settings)  # type: ignore[arg-type]


def cells(table: Table, system: str) -> dict[str, str]:
    row = next(r for r in table.rows if r[0].startswith(system))
    return dict(zip(table.columns, row, strict=True))


def test_systems_stand_in_order_of_the_first_measure() -> None:
    assert [r[0] for r in results(scores(REAL), RUNS).rows] == [CAA, "sb-cnn", "svm"]
    assert [r[0] for r in results(scores(REAL), RUNS, measures=[Measure("B")]).rows] == ["sb-cnn", CAA, "svm"]


def test_a_row_says_score_interval_counts_and_costs() -> None:
    row = cells(results(scores(REAL), [*RUNS[:1], manifest(CAA, n_multiply_adds=1_234_567_890), RUNS[2]]), CAA)
    assert row == {
        "system": CAA,
        "average": "68.0 [65.9, 69.9]",
        "B": "55.0 [52.9, 56.9]",
        "n": "2,878",
        "n_locations": "72",
        "parameters": "4.69 M",
        "MACs": "1.23 G",
        "train time (s)": "312",
    }


def test_training_time_is_the_mean_over_runs() -> None:
    runs = [
        manifest("svm", fold=f"fold{i}", durations_s={"features": 0, "fit": s, "predict": 0})
        for i, s in enumerate((2, 7))
    ]
    assert cells(results(scores({"svm": REAL["svm"]}), runs), "svm")["train time (s)"] == "4.5"


def test_published_numbers_stand_beside_real_ones() -> None:
    table = results(scores(REAL), RUNS, published={CAA: {"average": 68.7, "B": 60.0}}, references=[HUMANS])
    row = cells(table, CAA)
    assert (row["average, published"], row["difference"]) == ("68.7", "−0.7")
    assert cells(table, "svm")["average, published"] == "–"
    assert table.rows[-1][0] == "humans (published)"
    assert cells(table, "humans")["average, published"] == "95.7"
    assert cells(table, "humans")["average"] == "–"
    assert table.apart == 3
    assert any("Piczak 2015" in note for note in table.notes)


@pytest.mark.parametrize("change", [{"synthetic": True, "synthetic_size": "small"}, {"budget": "smoke"}])
def test_published_numbers_never_stand_beside_synthetic_or_smoke_ones(change: dict[str, object]) -> None:
    runs = [manifest(s, **change) for s in REAL]
    arguments = {"measures": MEASURES, "published": {CAA: {"average": 68.7}}, "references": [HUMANS]}
    table = results_table(scores(REAL), runs, **arguments)  # type: ignore[arg-type]
    everything = table.to_text() + table.to_csv()
    assert "published" not in everything
    assert "68.7" not in everything
    assert "humans" not in everything
    assert published_table(scores(REAL), runs, **arguments) is None  # type: ignore[arg-type]


def test_the_title_says_what_the_numbers_are() -> None:
    change = {"synthetic": True, "synthetic_size": "small", "budget": "smoke"}
    runs = [manifest(s, repeat=r, **change) for s in REAL for r in (0, 1, 2)]
    table = results(scores(REAL, n_repeats=3, sd_repeats=0.0123), runs)
    assert table.title == "DCASE 2018 Task 1B: tut-urban-2018-mobile, synthetic (small), smoke budget, 3 seeds"
    assert cells(table, CAA)["SD over seeds"] == "1.2"
    assert any("say nothing about any system on real data" in note for note in table.notes)
    assert any("not comparable with anything" in note for note in table.notes)
    assert any("2026-01-03 (UTC)" in note for note in table.notes)
    assert any(
        "interval over recording locations" in n and "average 2,878 (72); B 180 (72)" in n for n in table.notes
    )


def test_a_failed_system_is_a_row_with_its_error() -> None:
    row = cells(results(scores(REAL), [*RUNS, failed("broken")]), "broken")
    assert row["status"] == "failed: ValueError: bad shape (3, 4)"
    assert (row["average"], row["n"], row["parameters"], row["train time (s)"]) == ("–", "–", "–", "–")


def test_one_failed_fold_of_two_is_counted() -> None:
    runs = [*RUNS, manifest("half"), failed("half", fold="fold2")]
    frame = scores(REAL | {"half": {"average": NAN, "B": NAN}})
    assert cells(results(frame, runs), "half")["status"] == "failed (1 of 2 runs): ValueError: bad shape (3, 4)"


def test_an_incomplete_system_has_a_sentence_and_no_score() -> None:
    frame = scores(REAL)
    # Even a value that should not be there stays unseen.
    frame.loc[frame["system"] == CAA, "incomplete"] = "fold1, B: 170 of 180 test clips"
    table = results(frame, RUNS, published={CAA: {"average": 68.0}})
    assert cells(table, CAA)["status"] == "incomplete: fold1, B: 170 of 180 test clips"
    assert [cells(table, CAA)[c] for c in ("average", "B", "n", "difference")] == ["–"] * 4
    assert [r[0] for r in table.rows][-1] == CAA


def test_a_run_that_is_incomplete_hides_the_score_too() -> None:
    runs = [*RUNS[:2], manifest("svm", status="incomplete")]
    row = cells(results(scores(REAL), runs), "svm")
    assert row["average"] == "–"
    assert row["status"].startswith("incomplete")


LIMITS = Limits(n_bytes=128_000, n_macs=30_000_000, remark="Zeros count.", source="rules")
COUNTED: dict[str, object] = {"n_stored": 61_148, "n_macs_dcase": 29_419_156}


def test_a_system_over_a_limit_is_marked_and_a_note_says_of_what() -> None:
    half = {"facts": {"test_precision": "float16"}}
    runs = [
        manifest("sb-cnn", **COUNTED),
        manifest(CAA, **(COUNTED | half)),
        manifest("svm"),
    ]
    table = results(scores(REAL), runs, limits=LIMITS)
    assert cells(table, "sb-cnn")["system"] == "sb-cnn ¶" and cells(table, CAA)["system"] == CAA
    assert [cells(table, s)["bytes"] for s in ("sb-cnn", CAA, "svm")] == ["245 k", "122 k", "–"]
    assert [cells(table, s)["MACs (DCASE)"] for s in ("sb-cnn", "svm")] == ["29.4 M", "–"]
    notes = " ".join(table.notes)
    assert "at most 128,000 bytes and 30,000,000 MACs (DCASE) per clip" in notes and "Zeros count." in notes
    assert "¶ over a limit, which no system was held to: sb-cnn (bytes)." in notes
    assert "Not checked against every limit, as not all was counted: svm." in notes


def test_without_limits_nothing_is_said_of_them() -> None:
    table = results(scores(REAL), [manifest(s, **COUNTED) for s in REAL])
    assert not {"bytes", "MACs (DCASE)"} & set(table.columns)
    assert "limit" not in " ".join(table.notes) and "¶" not in table.to_text()


def test_numbers_of_a_protocol_with_limits_tell_them_in_full() -> None:
    runs = [manifest("sb-cnn", **(COUNTED | {"n_macs_dcase": 30_000_001})), manifest("svm")]
    shown = {name: REAL[name] for name in ("sb-cnn", "svm")}
    frame = tidy_results(scores(shown), runs, measures=MEASURES[:1], published={}, limits=LIMITS)
    first, second = frame.set_index("system").loc["sb-cnn"], frame.set_index("system").loc["svm"]
    assert (first["n_bytes"], first["macs_dcase"]) == (4 * 61_148, 30_000_001)
    assert first["over_limits"] == "bytes, MACs (DCASE)"
    assert math.isnan(second["n_bytes"]) and second["over_limits"] == ""


def test_done_runs_without_any_score_are_told() -> None:
    row = cells(results(scores({}), RUNS[:1]), "sb-cnn")
    assert row["status"] == "incomplete: no score was computed"


def test_marks_for_best_tied_and_told_devices() -> None:
    runs = [manifest("sb-cnn"), manifest(CAA, needs_device="test"), manifest("svm", needs_device="training")]
    table = results(scores(REAL), runs, tied={CAA, "sb-cnn"})
    assert [r[0] for r in table.rows] == [f"{CAA} †", "sb-cnn ≈", "svm"]
    assert table.bold == {(0, 1), (1, 2)}
    assert sum(note.startswith(("†", "≈")) for note in table.notes) == 2
    assert "**68.0 [65.9, 69.9]**" in table.to_markdown()
    assert r"\textbf{57.0 [54.9, 58.9]}" in table.to_latex()
    assert "<strong>57.0 [54.9, 58.9]</strong>" in table.to_html()


def test_every_measure_stands_beside_its_published_number() -> None:
    table = published_table(
        scores(REAL),
        RUNS,
        measures=MEASURES,
        published={CAA: {"average": 68.7, "B": 60.0}},
        references=[HUMANS],
    )
    assert table is not None
    assert table.rows == (
        (CAA, "average", "68.0 [65.9, 69.9]", "68.7", "−0.7", "yes"),
        (CAA, "B", "55.0 [52.9, 56.9]", "60.0", "−5.0", "no"),
        ("humans (published)", "average", "–", "95.7", "–", "–"),
    )


def test_tests_are_told_apart_and_p_values_never_zero() -> None:
    table = significance_text_table(significance(), RUNS, measures=MEASURES[:1])
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["A − B (points)"] == "+3.0 [−1.0, +7.0]"
    assert (row["z as published"], row["p as published"]) == ("2.41", "0.008")
    assert (row["z stratified"], row["p stratified"]) == ("1.24", "0.107")
    assert (row["only A right"], row["only B right"], row["p McNemar"]) == ("300", "214", "< 0.001")
    assert (row["p bootstrap"], row["p bootstrap, Holm"]) == ("0.120", "> 0.999")
    assert len(table.notes) >= 5


def test_too_few_locations_are_said_where_a_p_value_would_stand() -> None:
    lacking = dict.fromkeys(("dof", "low", "high", "p_bootstrap", "p_bootstrap_holm", "p_better"), math.nan)
    found = significance(**(lacking | {"dof": 0.0}))
    table = significance_text_table(found, RUNS, measures=MEASURES[:1])
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["A − B (points)"] == "+3.0"
    assert row["p bootstrap"] == row["p bootstrap, Holm"] == "too few locations"
    assert "Too few locations: a scene was recorded at a single location" in table.to_text()
    assert equivalence_notes(found, measures=MEASURES) == []

    bare = scores(REAL, low=math.nan, high=math.nan)
    text = results_table(bare, RUNS, measures=MEASURES, published={}).to_text()
    assert "Too few locations for an interval of average, B, and for marks of systems" in " ".join(text.split())
    assert "Too few" not in results_table(scores(REAL), RUNS, measures=MEASURES, published={}).to_text()


def test_the_probability_of_a_difference_that_matters_is_said_of_a_pair() -> None:
    (note,) = equivalence_notes(significance(), measures=MEASURES)
    assert note.startswith("Probability that caa-net is better than sb-cnn by more than 1 point: 0.840; ")
    assert note.endswith("that they differ by no more: 0.130.")
    (note,) = equivalence_notes(significance(rope=0.025), measures=MEASURES)
    assert "by more than 2.5 points" in note
    loss = Measure("average", statistic="log-loss", average="clips")
    assert "by more than 0.05: 0.840" in equivalence_notes(significance(rope=0.05), measures=[loss])[0]


def test_no_pair_is_an_empty_table_that_says_so() -> None:
    table = significance_text_table(significance().iloc[:0], RUNS, measures=MEASURES[:1])
    assert "There is no pair to test." in table.to_text()


@pytest.mark.parametrize(
    "change",
    [{"budget": "quick"}, {"synthetic": True}, {"protocol_version": 2}, {"key_parts": {"data": "other"}}],
)
def test_runs_of_different_settings_are_not_mixed(change: dict[str, object]) -> None:
    runs = [
        manifest("sb-cnn", key_parts={"data": "one"}),
        manifest("svm", **({"key_parts": {"data": "one"}} | change)),
    ]
    with pytest.raises(ConfigError, match=r"runs of different \w+ cannot share a table"):
        results(scores({}), runs)


def test_bad_input_is_told() -> None:
    with pytest.raises(ConfigError, match="no run to report"):
        results(scores({}), [])
    with pytest.raises(ConfigError, match=r"scores of 'svm' have no run; there are runs of caa-net.*, sb-cnn"):
        results(scores(REAL), [manifest("sb-cnn"), manifest(CAA)])
    with pytest.raises(ConfigError, match="at least one measure"):
        results(scores(REAL), RUNS, measures=[])
    with pytest.raises(ConfigError, match="row 0 has 1 cells, 2 columns"):
        Table("t", ("a", "b"), (("1",),))
    with pytest.raises(ConfigError, match="'yesterday', not an ISO 8601 time"):
        results(scores({}), [manifest("svm", started="yesterday")])


COMMANDS = {
    r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textless{}": "<",
    r"\textgreater{}": ">", r"\textbar{}": "|", r"\ldots{}": "…", "$-$": "−", r"$\approx$": "≈",
    r"$\leq$": "≤", r"$\geq$": "≥", r"$\times$": "×", r"$\dagger$": "†", r"\S{}": "§", r"\P{}": "¶",
    r"$\ddagger$": "‡", **{"\\" + c: c for c in "&%_#${}"},
}  # fmt: skip


def read_latex(text: str) -> str:
    """What LaTeX would print: known commands are read, a bare special character is an error."""
    pattern = re.compile("|".join(map(re.escape, COMMANDS)))
    assert not re.search(r"[\\&%_#$~^{}]", pattern.sub("", text)), text
    return pattern.sub(lambda m: COMMANDS[m[0]], text)


@given(st.text())
@example("≈≤≥×†‡§…–−<>|~^\\{}")
def test_latex_prints_any_text_as_it_is(text: str) -> None:
    assert read_latex(latex(text)) == text.replace("–", "--")


@pytest.mark.parametrize("first", ["[a]", "*b", HOSTILE])
def test_hostile_cells_keep_the_latex_table_whole(first: str) -> None:
    table = Table(HOSTILE, ("name", "x"), ((first, HOSTILE), ("c", "1.0")), notes=(HOSTILE,))
    lines = table.to_latex().splitlines()
    rows = [line for line in lines if line.endswith(r" \\")]
    assert len(rows) == 3
    for row, source in zip(rows, [("name", "x"), *table.rows], strict=True):
        parts = re.split(r"(?<!\\)&", row.removesuffix(r" \\"))
        assert [read_latex(p.strip().removeprefix("{}")) for p in parts] == list(source)
        # "\\" takes a following "[" or "*" for its argument
        assert not row.startswith(("[", "*"))
    caption = next(line for line in lines if line.startswith(r"\caption"))
    assert read_latex(caption.removeprefix(r"\caption{").removesuffix("}")) == table.title
    assert lines.count(r"\begin{table}") == lines.count(r"\end{table}") == 1
    assert re.fullmatch(r"\\label\{tab:[a-z0-9-]+\}", next(line for line in lines if "label" in line))


def test_csv_round_trips() -> None:
    table = Table("t", ("name", 'a "b", c'), ((HOSTILE, "1,000"), ('"', "")))
    assert [tuple(r) for r in csv.reader(io.StringIO(table.to_csv()))] == [table.columns, *table.rows]


def test_markdown_keeps_its_columns_and_makes_no_link_or_tag() -> None:
    text = Table(HOSTILE, ("a", "b"), ((HOSTILE, "`x`"),)).to_markdown()
    for line in text.splitlines()[2:5]:
        assert len(re.findall(r"(?<!\\)\|", line)) == 3
    assert "<" not in text
    assert "](" not in text
    assert r"\`x\`" in text


def test_text_holds_no_terminal_codes_and_wraps_sentences_only() -> None:
    name, sentence = "n" * 80, "a sentence of many words " * 6
    text = Table(HOSTILE, ("a", "b"), ((name, HOSTILE), ("x", sentence)), notes=(HOSTILE,)).to_text()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert name in text
    assert sentence.strip() not in text


def test_numbers_are_right_aligned() -> None:
    lines = Table("t", ("a", "score"), (("x", "9.0"), ("y", "–"), ("z", "10.0"))).to_text().splitlines()
    assert {len(line) for line in lines[4:]} == {len(lines[2])}


def test_spelling_of_numbers() -> None:
    assert [p_value(p) for p in (0.0, 0.00099, 0.001, 0.107, 0.9996, 1.0, NAN)] == [
        "< 0.001", "< 0.001", "0.001", "0.107", "> 0.999", "> 0.999", "–",
    ]  # fmt: skip
    assert [points(d) for d in (1.25, -0.04, 0.04, -3.0, NAN)] == ["+1.2", "0.0", "0.0", "−3.0", "–"]
    numbers = (0, 999, 999.6, 9994, 9996, 99_960, 999_400, 999_600, 1.5e9, None)
    assert [quantity(n) for n in numbers] == [
        "0", "999", "1.00 k", "9.99 k", "10.0 k", "100 k", "999 k", "1.00 M", "1.50 G", "–",
    ]  # fmt: skip
    assert [seconds(s) for s in (0.04, 99.94, 99.96, 12345.6, None)] == ["0.0", "99.9", "100", "12,346", "–"]
    assert one_line("a\x1b[0m\tb\r\nc" + "d" * 50, limit=10) == "a [0m b c…"


def taught(**changes: object) -> dict[str, object]:
    """What a distilled run's manifest says of its teachers."""
    cost = {"n_parameters": 4_190_000, "n_multiply_adds": None, "fit_s": 10.0, "n_trainings": 1, "runs": ["d"]}
    cost |= {"needs_device": "no", "external": []}
    return {"logits": "in-sample", "n_parts": 0, "systems": {"sb-cnn": cost, "svm": cost | changes}}


def test_the_cost_of_teachers_stands_below_the_table() -> None:
    runs = [
        manifest("sb-cnn", teachers=taught(fit_s=1.0)),
        manifest("sb-cnn", repeat=1, teachers=taught(fit_s=2.0)),
    ]
    table = results(scores(REAL), [*runs, *RUNS[1:]])
    (note,) = [n for n in table.notes if "logits" in n]
    assert note == (
        "sb-cnn was trained on labels and on in-sample logits (of teachers that were trained on these clips as "
        "well) of sb-cnn (4.19 M parameters, train time 10.0 s); svm (4.19 M parameters, train time 1.5 s)."
    )
    assert "Parameters, MACs and train time of a distilled system are those of the student alone." in table.notes
    assert not [n for n in results(scores(REAL), RUNS).notes if "student" in n]

    crossed = taught(n_trainings=5, external=["w.pt"], needs_device="test", n_multiply_adds=2_000)
    crossed |= {"logits": "cross-fitted", "n_parts": 5}
    table = results(scores(REAL), [manifest("sb-cnn", teachers=crossed), *RUNS[1:]])
    (note,) = [n for n in table.notes if "5 groups" in n]
    assert note.endswith(
        "svm (4.19 M parameters, 2.00 k MACs, train time 10.0 s in 5 trainings), which reads w.pt: what that was "
        "trained on is not known here, which is given the recording device."
    )
    undone = results(scores(REAL), [failed("sb-cnn", teachers=None), *RUNS[1:]])
    assert not [n for n in undone.notes if "student" in n]
