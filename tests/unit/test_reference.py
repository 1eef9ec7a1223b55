"""The committed reference tables say what the committed predictions say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from asc_bench.experiment.store import ResultsStore, StoredRun

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
TABLES = sorted(REFERENCE.glob("tables/*/*/results.csv"))


def runs_of(table: Path) -> dict[str, list[StoredRun]]:
    found: dict[str, list[StoredRun]] = {}
    for run in ResultsStore(REFERENCE).iterate(table.parents[1].name, table.parent.name):
        if run.done:
            found.setdefault(str(run.manifest["variant"]), []).append(run)
    return found


def test_there_is_a_reference() -> None:
    assert TABLES


DEVICES = {"A": ["A"], "B": ["B"], "C": ["C"], "B/C": ["B", "C"], "average": ["A", "B", "C"]}


def strata(clips: pd.DataFrame, measure: str) -> list[pd.DataFrame]:
    """Folds for plain accuracy; else the devices that the measure is the mean over."""
    if measure == "accuracy":
        return [part for _, part in clips.groupby("fold")]
    return [clips[clips["device"] == device] for device in DEVICES[measure]]


@pytest.mark.parametrize("table", TABLES, ids=lambda p: "-".join(p.parts[-3:-1]))
def test_every_accuracy_follows_from_the_predictions(table: Path) -> None:
    rows = pd.read_csv(table)
    rows = rows[rows["value"].notna()]
    assert len(rows) >= 4
    runs = runs_of(table)
    for row in rows.to_dict("records"):
        frames = [run.predictions.assign(fold=run.manifest["fold"]) for run in runs[row["system"]]]
        clips = pd.concat(frames)
        clips = clips[(clips["split"] == "test") & (clips["level"] == "fine")]
        parts = strata(clips, row["measure"])
        scores = [recall_score(part["label"], part["predicted"], average="macro") for part in parts]
        assert np.mean(scores) == pytest.approx(row["value"], abs=1e-12)
        assert sum(map(len, parts)) == row["n"]
        assert row["low"] < row["value"] < row["high"]


@pytest.mark.parametrize("table", TABLES, ids=lambda p: "-".join(p.parts[-3:-1]))
def test_every_table_is_of_real_recordings_or_says_synthetic(table: Path) -> None:
    for runs in runs_of(table).values():
        for run in runs:
            text = table.with_suffix(".md").read_text().lower()
            assert not run.manifest["synthetic"] or "synthetic" in text
