from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from asc_bench.errors import StoreError
from asc_bench.reporting.segment_tables import (
    segment_classes_table,
    segment_pairs_table,
    segment_table,
    write_segment_report,
)
from asc_bench.scoring.decisions import segment_runs
from asc_bench.scoring.segment_scores import SegmentScores, segment_scores
from tests.unit.reporting_frames import HOSTILE
from tests.unit.segment_factory import LABELS, run_of

DETECTION, TAGGING = "subtask B, detection, 1 s segments", "subtask A, tagging"


@pytest.fixture(scope="module")
def scores() -> SegmentScores:
    runs = [
        run_of("good", noise=0.55, seed=1),
        run_of("bad", noise=0.9, seed=2),
        run_of("short", noise=0.5, seed=3, n_clips=20),
    ]
    return segment_scores(segment_runs(runs, LABELS), LABELS, n_resamples=100, expected={"testing": {"": 24}})


def test_the_two_subtasks_stand_apart(scores: SegmentScores) -> None:
    grid = segment_table(scores, title="AudioSet", notes=["Synthetic."])
    assert grid.groups() == [(DETECTION, 4), (TAGGING, 4)]
    assert [title for _, title in grid.columns] == ["ER", "F", "P", "R", "F1", "P", "R", "macro F1"]
    assert [line.labels[0] for line in grid.lines] == ["good", "bad", "short"]
    assert grid.notes[0] == "Synthetic."
    assert set(grid.lines[2].cells) == {"inc."}
    text = grid.to_text()
    assert "short, 20/24 in testing: incomplete" in text and "Test clips (locations): 24 (12)." in text
    assert "F (detection) and F1 (tagging) are different measures" in text
    assert rf"\multicolumn{{4}}{{c}}{{{DETECTION}}} & \multicolumn{{4}}{{c}}{{{TAGGING}}}" in grid.to_latex()


def test_cells_are_the_values_and_the_best_is_marked(scores: SegmentScores) -> None:
    grid = segment_table(scores, title="AudioSet")
    by_measure = scores.scores[scores.scores["system"] == "good"].set_index(["level", "measure"])
    er, f1 = by_measure.loc[("detection", "error_rate")], by_measure.loc[("tagging", "f1")]
    good, bad, short = grid.lines
    assert good.cells[0] == f"{er['value']:.2f} [{er['low']:.2f}, {er['high']:.2f}]"
    assert good.cells[4] == f"{100 * f1['value']:.1f} [{100 * f1['low']:.1f}, {100 * f1['high']:.1f}]"
    # The best error rate is the lowest one, of all others it is the highest.
    error_rates = [float(line.cells[0].split()[0]) for line in (good, bad)]
    assert error_rates[0] < error_rates[1] and 0 in good.best and 0 not in bad.best
    for j in range(1, 8):
        printed = [float(line.cells[j].split()[0]) for line in (good, bad)]
        assert [j in line.best for line in (good, bad)] == [value == max(printed) for value in printed]
    assert not short.best


def test_classes(scores: SegmentScores) -> None:
    grid = segment_classes_table(scores, title="AudioSet")
    assert grid.groups() == [(DETECTION, 5), (TAGGING, 4)]
    assert [line.labels for line in grid.lines][:4] == [
        ("good", "Train horn"),
        ("", "Screaming"),
        ("", "Car"),
        ("bad", "Train horn"),
    ]
    first = scores.classes.iloc[0]
    assert grid.lines[0].cells[:2] == (str(first["n_reference"]), f"{first['error_rate']:.2f}")


def test_what_is_not_defined_is_a_dash(scores: SegmentScores) -> None:
    classes = scores.classes.assign(error_rate=float("nan"))
    grid = segment_classes_table(SegmentScores(scores.scores, classes, scores.pairs, False), title="AudioSet")
    assert {line.cells[1] for line in grid.lines} == {"–"}


def test_pairs(scores: SegmentScores) -> None:
    table = segment_pairs_table(scores, title="AudioSet")
    assert [row[0] for row in table.rows] == ["detection ER", "detection F", "tagging F1"]
    assert [row[1:3] for row in table.rows[:2]] == [("good", "bad")] * 2
    assert all(row[4:6] == ("24", "12") for row in table.rows)
    difference = scores.pairs["difference"].tolist()
    assert table.rows[0][3].startswith(f"−{-difference[0]:.2f} [−")
    assert table.rows[1][3].startswith(f"+{100 * difference[1]:.1f} [")
    alone = SegmentScores(scores.scores, scores.classes, scores.pairs.iloc[:0], False)
    assert "There is no pair to test." in segment_pairs_table(alone, title="AudioSet").to_text()


def test_the_report(scores: SegmentScores, tmp_path: Path) -> None:
    text = write_segment_report(tmp_path / "report", "AudioSet", scores, ["Synthetic."])
    assert text.startswith("AudioSet\n") and "pairwise tests" in text
    written = sorted(path.name for path in (tmp_path / "report").iterdir())
    assert written == sorted(
        f"{n}.{s}" for n in ("results", "classes", "significance") for s in ("md", "tex", "csv")
    )
    read = pd.read_csv(tmp_path / "report" / "results.csv", keep_default_na=True)
    assert read["value"].tolist()[:8] == pytest.approx(scores.scores["value"].tolist()[:8])
    for name in ("results", "classes", "significance"):
        for suffix in ("md", "tex"):
            assert "Synthetic." in (tmp_path / "report" / f"{name}.{suffix}").read_text()


def test_foreign_names_do_no_harm(tmp_path: Path) -> None:
    runs = [run_of(HOSTILE, noise=0.5, seed=1), run_of("a", noise=0.6, seed=2)]
    hostile = segment_scores(segment_runs(runs, LABELS), LABELS, n_resamples=20)
    text = write_segment_report(tmp_path, f"{HOSTILE}\udcff", hostile, [HOSTILE])
    assert "\x1b" not in text and "\u202e" not in text
    assert "<script" not in (tmp_path / "results.md").read_text()


def test_a_folder_that_cannot_be_written(scores: SegmentScores, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match="taken"):
        write_segment_report(tmp_path / "taken", "AudioSet", scores)
