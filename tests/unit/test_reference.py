"""The committed reference tables say what the committed predictions say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from asc_bench.registry import protocols
from asc_bench.runs.store import ResultsStore, StoredRun

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
TABLES = sorted(REFERENCE.glob("tables/*/*/**/results.csv"))


def place_of(table: Path) -> tuple[str, str, list[str]]:
    """Data tag, budget and folds of a table, from its folder; no folds for all."""
    tag, budget, *folds = table.parent.relative_to(REFERENCE / "tables").parts
    return tag.partition("-from-")[0], budget, folds[0].split("-") if folds else []


def runs_of(table: Path) -> dict[str, list[StoredRun]]:
    tag, budget, folds = place_of(table)
    found: dict[str, list[StoredRun]] = {}
    for run in ResultsStore(REFERENCE).iterate(tag, budget):
        if run.done and (not folds or run.manifest["fold"] in folds):
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


def of_levels(test: pd.DataFrame, measure: str) -> tuple[float, int]:
    """A measure of the protocol ``merged``, by hand: value and number of clips."""
    name, _, source = measure.partition(", ")
    test = test[test["source"] == source] if source else test
    level, _, top = name.rpartition(" top-")
    clips = test[test["level"] == ("coarse" if level == "coarse" else "fine")]
    if name == "heads agree":
        heads = test.pivot(index="clip_id", columns="level", values="predicted")
        return float((heads["fine"].map(COARSE_OF) == heads["coarse"]).mean()), len(heads)
    labels = MERGED.labels
    ranks = np.argsort(-np.stack(clips["probabilities"]), axis=1, kind="stable")
    names = np.array(labels.coarse if level == "coarse" else labels.fine)[ranks]
    truth = clips["label"]
    if level == "coarse from fine":
        truth = truth.map(COARSE_OF)
        names = np.array([list(dict.fromkeys(COARSE_OF[fine] for fine in row)) for row in names])
    hit = (names[:, : int(top)] == truth.to_numpy()[:, None]).any(axis=1)
    return float(pd.Series(hit).groupby(truth.to_numpy()).mean().mean()), len(clips)


MERGED = protocols().get("merged")()
COARSE_OF = {
    fine: MERGED.labels.coarse[c] for fine, c in zip(MERGED.labels.fine, MERGED.labels.coarse_of, strict=True)
}


@pytest.mark.parametrize("table", TABLES, ids=lambda p: "-".join(p.parent.relative_to(REFERENCE / "tables").parts))
def test_every_accuracy_follows_from_the_predictions(table: Path) -> None:
    rows = pd.read_csv(table)
    rows = rows[rows["value"].notna()]
    assert len(rows) >= 4
    runs = runs_of(table)
    for row in rows.to_dict("records"):
        frames = [run.predictions.assign(fold=run.manifest["fold"]) for run in runs[row["system"]]]
        test = pd.concat(frames)
        test = test[test["split"] == "test"]
        if runs[row["system"]][0].manifest["protocol"] == MERGED.name:
            value, n = of_levels(test, row["measure"])
        else:
            parts = strata(test[test["level"] == "fine"], row["measure"])
            scores = [recall_score(part["label"], part["predicted"], average="macro") for part in parts]
            value, n = float(np.mean(scores)), sum(map(len, parts))
        assert value == pytest.approx(row["value"], abs=1e-12), row["measure"]
        assert n == row["n"]
        assert row["low"] - 1e-12 <= row["value"] <= row["high"] + 1e-12


@pytest.mark.parametrize("table", TABLES, ids=lambda p: "-".join(p.parent.relative_to(REFERENCE / "tables").parts))
def test_every_table_is_of_real_recordings_or_says_synthetic(table: Path) -> None:
    for runs in runs_of(table).values():
        for run in runs:
            text = table.with_suffix(".md").read_text().lower()
            assert not run.manifest["synthetic"] or "synthetic" in text
