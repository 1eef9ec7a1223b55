"""The results page of stored runs: seeds, tracebacks and recalls as they were stored."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from asc_bench.bench import keys
from asc_bench.bench.keys import package_digest
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.page import html_page
from asc_bench.reporting.report import text_files
from asc_bench.runs.store import TRACEBACK, ResultsStore
from asc_bench.scoring.frames import repeat_table, score_table
from asc_bench.scoring.measure import Measure
from asc_bench.stored_results import load_results
from tests.unit.made_predictions import clips_of, frame_of, guesses, stacked
from tests.unit.made_runs import made_bench, publish, specs_of
from tests.unit.page_parts import Page


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    """Two seeds of one system, 7 and 9 of ten clips of each class right, and one that failed."""
    found, bench = ResultsStore(tmp_path), made_bench()
    for spec, n_right in zip(specs_of(bench, "sb-cnn", repeats=(0, 1)), (7, 9), strict=True):
        publish(found, bench, spec, n_right=n_right)
    publish(found, bench, specs_of(bench, "logmel-svm")[0], error="line 7\nno memory")
    return found


def evaluated(store: ResultsStore) -> Evaluation:
    return load_results(store.root, "dcase2018", budget="paper").evaluation


def test_seeds_recalls_and_tracebacks_of_stored_runs(store: ResultsStore) -> None:
    made = evaluated(store)
    data = Page(html_page(made, files={})).data
    good, bad = data["systems"]
    assert [(repeat, text) for repeat, _, text in good["seeds"]["average"]] == [(0, "70.0"), (1, "90.0")]
    assert [value for _, value, _ in good["seeds"]["average"]] == pytest.approx([0.7, 0.9])
    assert good["scores"]["average"]["text"].startswith("80.0 [")
    recalls = made.recalls()
    assert set(recalls["device"]) == {"", "A", "B", "C"}
    assert recalls["recall"].tolist() == pytest.approx([0.8] * len(recalls))
    assert not bad["scored"]
    assert [entry["traceback"] for entry in data["failures"]] == ["line 7\nno memory"]


def test_a_traceback_that_is_gone_costs_nothing_else(store: ResultsStore) -> None:
    (path,) = store.runs.rglob(TRACEBACK)
    run = next(run for run in store.iterate() if run.folder == path.parent)
    assert run.traceback == "line 7\nno memory"
    path.unlink()
    assert run.traceback == ""
    assert [run.traceback for run in store.iterate() if run.done] == ["", ""]


def test_values_of_repeats_are_those_behind_the_mean() -> None:
    clips = clips_of()
    seeds = [frame_of(clips, guesses(clips, accuracy, seed)) for seed, accuracy in enumerate((0.5, 0.7, 0.9))]
    frame = stacked({"several": seeds, "single": seeds[0]})
    wanted = Measure("recall")
    found = repeat_table(frame, [wanted])
    right = [pd.Series(list(s["predicted"] == s["label"])).groupby(list(s["label"])).mean().mean() for s in seeds]
    assert found["system"].tolist() == ["several"] * 3, "of a single seed there is nothing behind the score"
    assert found["repeat"].tolist() == [0, 1, 2]
    assert found["value"].tolist() == pytest.approx(right)
    row = score_table(frame, [wanted]).iloc[0]
    assert found["value"].mean() == pytest.approx(row["value"])
    assert found["value"].std() == pytest.approx(row["sd_repeats"])
    assert repeat_table(frame, [wanted], systems=["single"]).empty


def test_files_hold_what_the_page_shows_of_stored_runs(store: ResultsStore) -> None:
    files = text_files(evaluated(store))
    assert files["seeds.csv"].splitlines()[0] == "system,measure,repeat,value"
    assert "@misc{sb-cnn," in files["references.bib"]


def test_another_script_or_style_makes_another_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "paged_reports"
    package.mkdir()
    for name in ("__init__.py", "page.js", "notes.txt"):
        (package / name).write_text("")
    monkeypatch.setattr(keys, "_source", lambda module: package / "__init__.py")
    first = package_digest("paged_reports")
    (package / "notes.txt").write_text("changed")
    assert package_digest("paged_reports") == first
    (package / "page.js").write_text("changed")
    assert package_digest("paged_reports") != first
