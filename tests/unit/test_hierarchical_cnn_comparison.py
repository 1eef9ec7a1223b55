"""Tables III and IV: which systems stand where, and numbers that share a place."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd
import pytest
from asc_bench.proposed.hierarchical_cnn_comparison import SYSTEMS, Table3, Table4, _costs

from asc_bench.registry import systems
from asc_bench.reporting.paper_table import paper_table
from asc_bench.reporting.published import published_values
from asc_bench.reporting.setting import Setting


def test_every_system_of_the_tables_is_registered() -> None:
    assert set(SYSTEMS.values()) <= set(systems().found)
    assert len(SYSTEMS) == 12


def test_the_published_numbers_are_those_of_table_4() -> None:
    cells = Table4().cells()
    assert len(cells) == 24
    printed = {}
    for cell in cells:
        assert cell.published is not None
        printed[cell.variant, cell.measure] = published_values(cell.published)[cell.measure]
    assert printed["hierarchical-cnn", "fine top-1"] == 86.20
    assert printed["vggish-svm", "fine top-3"] == 88.22
    assert printed["proposed2", "fine top-3"] == 93.53


def setting() -> Setting:
    manifest = {
        "protocol": "merged",
        "protocol_title": "Merged",
        "protocol_version": 1,
        "dataset": "d",
        "synthetic": False,
        "budget": "paper",
        "repeat": 0,
        "started": "2026-11-22T00:00:00+00:00",
    }
    return Setting.of([manifest])


def test_numbers_of_one_place_stand_together() -> None:
    def row(measure: str, value: float, published: float, status: str = "") -> dict[str, object]:
        return {
            "": "accuracy",
            "group": "",
            "column": "A",
            "variant": "a",
            "measure": measure,
            "value": value,
            "low": math.nan,
            "high": math.nan,
            "published": published,
            "flaw": "",
            "given_device": False,
            "status": status,
            "reason": "",
        }

    cells = pd.DataFrame([row("top-1", 0.5, 0.8), row("top-3", 0.75, 0.9)])
    table = paper_table(cells, setting(), title="T", row_titles=("",), best_of="top-1", best_means="best")
    assert [row[1:] for row in table.rows] == [("50.0 (75.0)",), ("80.0 (90.0)",)]
    absent = pd.DataFrame([row("top-1", math.nan, 0.8, "not run"), row("top-3", math.nan, math.nan, "not run")])
    table = paper_table(absent, setting(), title="T", row_titles=("",), best_of="top-1", best_means="best")
    assert [row[1:] for row in table.rows] == [("–",), ("80.0",)]


def test_costs_are_means_over_runs_and_time_counts_every_predicted_clip() -> None:
    def run(n_parameters: int | None, predict_s: float, n_clips: int) -> SimpleNamespace:
        return SimpleNamespace(
            manifest={
                "n_parameters": n_parameters,
                "n_multiply_adds": 3_000_000,
                "durations_s": {"predict": predict_s},
            },
            predictions=pd.DataFrame(
                {"split": ["test"] * (2 * n_clips), "clip_id": [f"c{i}" for i in range(n_clips)] * 2}
            ),
        )

    found = _costs([run(1_000_000, 1.0, 10), run(2_000_000, 2.0, 5)])  # type: ignore[list-item]
    assert found["parameters, M"] == 1.5 and found["multiply-adds per clip, M"] == 3.0
    assert found["ms per clip"] == pytest.approx(200.0)
    assert math.isnan(_costs([run(None, 1.0, 1)])["parameters, M"])  # type: ignore[list-item]


def test_characteristics_come_from_the_cards() -> None:
    labels = {cell.row for cell in Table3().cells()}
    assert ("Proposed", systems().get("hierarchical-cnn").card.input) in labels
