"""The committed reference tables say what the committed predictions say, and nothing in them is stale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, recall_score

from asc_bench.bench.source import Source
from asc_bench.budget import Budget
from asc_bench.registry import protocols
from asc_bench.reporting.report_runs import report
from asc_bench.runs.plan import plan
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.runs.variant import parse_variants
from tests.real_data import real_esc10

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
TABLE = REFERENCE / "tables" / "esc10-esc-10" / "quick" / "logmel-svm" / "results.csv"


def runs() -> list[StoredRun]:
    return list(ResultsStore(REFERENCE).iterate())


def test_every_score_follows_from_the_predictions() -> None:
    classes = protocols().get("esc10").labels.fine
    rows = pd.read_csv(TABLE)
    rows = rows[rows["value"].notna()]
    assert set(rows["measure"]) == {"accuracy", "log loss", "Brier", "ECE"}
    for row in rows.to_dict("records"):
        own = [run for run in runs() if run.manifest["variant"] == row["system"]]
        frames = [run.predictions.query("split == 'test'").assign(fold=run.manifest["fold"]) for run in own]
        test = pd.concat(frames)
        label = np.array([classes.index(name) for name in test["label"]])
        probabilities = np.stack(test["probabilities"].to_list()).astype(float)
        folds = [recall_score(f["label"], f["predicted"], average="macro") for f in frames]
        oracle = {
            "accuracy": float(np.mean(folds)),
            "log loss": log_loss(label, probabilities, labels=range(len(classes))),
            "Brier": float(((probabilities - np.eye(len(classes))[label]) ** 2).sum(axis=1).mean()),
            "ECE": row["value"],
        }
        assert row["value"] == pytest.approx(oracle[row["measure"]], abs=1e-6), row["measure"]
        assert row["n"] == len(test) == 400
        assert row["low"] - 1e-12 <= row["value"] <= row["high"] + 1e-12


def test_every_stored_run_is_whole_and_in_the_table() -> None:
    manifests = list((REFERENCE / "runs").rglob("manifest.json"))
    assert len(runs()) == len(manifests) > 0 and not (REFERENCE / "quarantine").exists()
    listed = set(" ".join(pd.read_csv(TABLE)["runs"]).split())
    assert {run.manifest["key"] for run in runs()} == listed


def test_scores_of_probabilities_can_be_left_out(tmp_path: Path) -> None:
    settings = {"folds": (), "probability_scores": False}
    text = report(protocols().get("esc10")(), runs(), tmp_path, **settings).text  # type: ignore[arg-type]
    assert "log loss" not in text and set(pd.read_csv(tmp_path / "results.csv")["measure"]) == {"accuracy"}


def test_nothing_is_stale() -> None:
    """The present code, planned on the real recordings, asks for just these runs."""
    root = real_esc10().parent
    bench = Source(roots=(root,)).bench("esc10", lambda fraction, text: None)
    variants = parse_variants(",".join(sorted({run.manifest["variant"] for run in runs()})))
    keys = {spec.key for spec in plan(bench, variants, budget=Budget.QUICK)}
    assert {run.manifest["key"] for run in runs()} == keys


def test_no_picture_is_committed() -> None:
    ignored = (Path(__file__).parents[2] / ".gitignore").read_text(encoding="utf-8")
    for ending in ("png", "svg"):
        assert f"/results/reference/tables/**/*.{ending}" in ignored
