"""Table VII: its cells, the published numbers, and values that are no percentages and may be undefined."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asc_bench.proposed.hierarchical_cnn_table7 import Table7

from asc_bench.analysis.embedded_runs import Embedded
from asc_bench.api import Cell, Reproduction
from asc_bench.papers import cluster_scores as clustered
from asc_bench.papers.cluster_scores import cluster_scores, measure_name
from asc_bench.papers.fill_table import Filled, reproduce, table_cells
from asc_bench.papers.table import Finished
from asc_bench.reporting.published import published_values
from asc_bench.reporting.text import decimals
from asc_bench.runs.runner import skipped
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.work import Work, survey
from tests.unit.made_runs import SETTINGS, made_bench, made_predictions, specs_of

PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "hierarchical_table7.csv"


def whole(work: Work) -> list[Filled]:
    return [Filled(table_cells(Distances()), work)]


def test_every_published_number_stands_in_one_cell() -> None:
    with PUBLISHED.open() as file:
        printed = {(r["variant"], f"{r['level']} {r['metric']}"): float(r["value"]) for r in csv.DictReader(file)}
    cells = table_cells(Table7())
    mine = {
        (cell.row[0].lower(), cell.measure): published_values(cell.published)[cell.measure]
        for cell in cells
        if cell.published
    }
    assert mine == printed and len(printed) == 8 and len(cells) == 16
    assert {cell.variant for cell in cells} == {"hierarchical-cnn", "hierarchical-cnn[labels=fine]"}
    expected = {measure_name(x, m, s) for x in ("coarse", "fine") for m in ("ICD", "ICCD") for s in ("raw", "unit")}
    assert {cell.measure for cell in cells} == expected


def test_the_contradiction_of_the_published_numbers_is_told() -> None:
    (remark,) = Table7().remarks()
    assert "the coarse ICCD (3.92) is 3.9 times the fine one (1.01)" in remark and "Compare the order" in remark
    assert any("never saw the coarse classes" in note for note in Table7().notes)


@pytest.mark.parametrize(
    ("value", "shown"), [(6.1234, "6.12"), (0.27, "0.27"), (0.0, "0.00"), (0.00123, "0.00123"), (math.nan, "–")]
)
def test_small_distances_keep_their_figures(value: float, shown: str) -> None:
    assert decimals(value) == shown


class Distances(Reproduction):
    """A table of two numbers that are no percentages."""

    name = "toy/distances"
    title = "Toy distances"
    protocol = "dcase2018"
    row_titles = ("model",)
    in_percent = False
    needs_weights = True
    undefined = False

    def cells(self) -> list[Cell]:
        return [
            Cell(at={}, row=(v,), column=("", m), variant=v, measure=m)
            for v in ("logmel-svm", "sb-cnn")
            for m in ("near", "far")
        ]

    def measured(self, finished: Finished) -> pd.DataFrame:
        far = math.nan if self.undefined else 12.345
        row = {"low": math.nan, "high": math.nan, "n": 3, "n_locations": 3, "n_repeats": 1, "sd_repeats": math.nan}
        row |= {"incomplete": "", "reason": "all of them are zero"}
        return pd.DataFrame(
            [
                {"system": v, "measure": m, "value": x, **row}
                for v in finished.runs
                for m, x in (("near", 0.5), ("far", far))
            ]
        )


@pytest.fixture
def work(tmp_path: Path):
    """A run of each system, the second one without its weights."""
    bench, store = made_bench(synthetic=True), ResultsStore(tmp_path / "results")
    specs = [*specs_of(bench, "logmel-svm"), *specs_of(bench, "sb-cnn")]
    for spec in specs:
        manifest = {
            k: v for k, v in skipped(spec, bench, SETTINGS).manifest.items() if k not in ("digest", "error")
        }
        manifest |= {"status": "done", "needs_device": "no", "durations_s": {"fit": 1.0}}
        weights = None
        if spec.variant.name == "logmel-svm":
            weights = tmp_path / "weights"
            weights.mkdir()
            (weights / "one.json").write_text("{}")
        frame = made_predictions(bench, dict.fromkeys("ABC", 5))
        store.publish(spec, manifest, predictions=frame, labels=bench.protocol.labels, weights=weights)
    return survey(specs, bench, store, SETTINGS)


def test_values_of_another_kind_are_shown_as_they_are(work, tmp_path: Path) -> None:
    done = reproduce(Distances(), whole(work), tmp_path / "out", cut={}, settings=SETTINGS)
    text = done.shown.to_text()
    assert re.search(r"^logmel-svm +0\.50 +12\.3[45]$", text, re.MULTILINE), text
    assert re.search(r"^sb-cnn +– +–$", text, re.MULTILINE), text
    assert "2 of 4 cells measured" in text and "Percent" not in text
    frame = pd.read_csv(done.folder / "table.csv")
    assert list(frame["status"].fillna("")) == ["", "", "not run", "not run"]
    assert "interval" not in (done.folder / "table.md").read_text()


def test_what_is_undefined_says_why(work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Distances, "undefined", True)
    done = reproduce(Distances(), whole(work), tmp_path / "out", cut={}, settings=SETTINGS)
    text = done.shown.to_text()
    assert re.search(r"^logmel-svm +0\.50 +undef\.$", text, re.MULTILINE), text
    assert "1 of 4 cells measured" in text and "logmel-svm: all of them are zero." in text


def test_networks_are_measured_alone_and_averaged(work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run, _) = work.runs
    bench = work.bench
    rng = np.random.default_rng(0)
    test = bench.select(bench.folds[0].test)
    vectors = rng.normal(size=(3, len(test), 4)).astype(np.float32)
    runs = [replace(run, manifest={**run.manifest, "repeat": r}) for r in range(3)]
    given = iter(vectors * np.array([1, 10, 100])[:, None, None])
    monkeypatch.setattr(clustered, "rebuilt", lambda run, bench, device: None)
    monkeypatch.setattr(
        clustered,
        "embedded",
        lambda system, bench, fold, settings: Embedded(fold="fold1", split="test", clips=test, vectors=next(given)),
    )
    found = cluster_scores(
        Finished(runs={"logmel-svm": runs}, bench=bench, settings=SETTINGS, folder=tmp_path / "out")
    ).set_index("measure")
    alone = []
    for factor, x in zip((1, 10, 100), vectors, strict=True):
        by_scene = [factor * x[(test["scene"] == s).to_numpy()].astype(float) for s in test["scene"].unique()]
        # Each difference with itself is zero, so that the sum over all ordered pairs is divided by n (n - 1).
        inside = [np.linalg.norm(g[:, None] - g, axis=2).sum() / (len(g) * (len(g) - 1)) for g in by_scene]
        alone.append(np.mean(inside))
    assert found.loc["fine ICD", "value"] == pytest.approx(np.mean(alone))
    assert found.loc["fine ICD", "sd_repeats"] == pytest.approx(np.std(alone, ddof=1))
    assert found.loc["fine ICD", "n"] == len(test) and found.loc["fine ICD", "n_repeats"] == 3
    assert 0 < found.loc["fine ICD, unit", "value"] < 2
