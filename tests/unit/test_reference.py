"""The committed reference tables say what the committed predictions say, and nothing in them is stale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, recall_score

from asc_bench.bench.source import Source
from asc_bench.budget import Budget
from asc_bench.registry import protocols
from asc_bench.reporting.report_figures import FigureChoice
from asc_bench.reporting.report_runs import report
from asc_bench.runs.plan import plan
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.runs.variant import parse_variants
from tests.real_data import real_esc10

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
TABLES = sorted((REFERENCE / "tables").glob("*/quick/**/results.csv"))
WANTED = "split == 'test' and level == 'fine'"
ESC10 = [path for path in TABLES if "esc10-esc-10" in path.parts]


def runs() -> list[StoredRun]:
    """Those of ESC-10, without the teachers that were trained on parts of a fold."""
    return list(ResultsStore(REFERENCE).iterate("esc10-esc-10"))


@pytest.mark.parametrize("table", ESC10, ids=lambda path: path.parent.name)
def test_every_score_follows_from_the_predictions(table: Path) -> None:
    classes = protocols().get("esc10").labels.fine
    rows = pd.read_csv(table)
    rows = rows[rows["value"].notna() & rows["status"].isna()]
    assert set(rows["measure"]) == {"accuracy", "log loss", "Brier", "ECE"}
    folds = 2 if table.parent.name == "fold1-fold2" else 5
    stored = runs()
    for row in rows.to_dict("records"):
        own = [run for run in stored if run.manifest["key"] in row["runs"].split()]
        assert {run.manifest["variant"] for run in own} == {row["system"]}
        repeats = sorted({run.manifest["repeat"] for run in own})
        assert len(repeats) == row["n_repeats"] and len(own) == folds * len(repeats)
        of_repeats = []
        for repeat in repeats:
            frames = [run.predictions.query(WANTED) for run in own if run.manifest["repeat"] == repeat]
            test = pd.concat(frames)
            label = np.array([classes.index(name) for name in test["label"]])
            chances = np.stack(test["probabilities"].to_list()).astype(float)
            chances /= chances.sum(axis=1, keepdims=True)
            of_repeats.append({
                "accuracy": np.mean([recall_score(f["label"], f["predicted"], average="macro") for f in frames]),
                "log loss": log_loss(label, chances, labels=range(len(classes))),
                "Brier": ((chances - np.eye(len(classes))[label]) ** 2).sum(axis=1).mean(),
                "ECE": row["value"],
            })  # fmt: skip
            assert row["n"] == len(test) == 80 * folds
        oracle = pd.DataFrame(of_repeats).mean()
        assert row["value"] == pytest.approx(oracle[row["measure"]], abs=1e-6), (row["system"], row["measure"])
        assert row["low"] - 1e-12 <= row["value"] <= row["high"] + 1e-12


def test_every_stored_run_is_whole_and_in_a_table() -> None:
    manifests = list((REFERENCE / "runs").rglob("manifest.json"))
    stored = list(ResultsStore(REFERENCE).iterate())
    assert len(stored) == len(manifests) > 0 and not (REFERENCE / "quarantine").exists()
    listed = {key for path in TABLES for text in pd.read_csv(path)["runs"].dropna() for key in text.split()}
    # Teachers of whole folds keep weights, which are not committed: the runs here are others of equal predictions.
    asked = [run.manifest["teachers"] for run in stored if run.manifest.get("teachers", {}).get("n_parts")]
    teachers = {digest for how in asked for teacher in how["systems"].values() for digest in teacher["runs"]}
    assert {run.manifest["key"] for run in stored if run.manifest["digest"] not in teachers - listed} <= listed
    assert listed <= {run.manifest["key"] for run in stored}
    assert teachers <= {run.manifest["digest"] for run in stored}


def test_scores_of_probabilities_can_be_left_out(tmp_path: Path) -> None:
    figures = FigureChoice.of("none")
    text = report(protocols().get("esc10")(), runs(), tmp_path, probability_scores=False, figures=figures).text
    assert "log loss" not in text and set(pd.read_csv(tmp_path / "results.csv")["measure"]) == {"accuracy"}


def test_nothing_names_the_machine_or_its_folders() -> None:
    for path in (REFERENCE / "runs").rglob("manifest.json"):
        text = path.read_text(encoding="utf-8")
        assert json.loads(text)["host"]["name"] == "" and '"/' not in text, path


def test_nothing_is_stale() -> None:
    """The present code, planned on the real recordings, asks for just these runs."""
    root = real_esc10().parent
    bench = Source(roots=(root,)).bench("esc10", lambda fraction, text: None)
    stored = runs()
    variants = parse_variants(",".join(sorted({run.manifest["variant"] for run in stored})))
    repeats = sorted({run.manifest["repeat"] for run in stored})
    specs = plan(bench, variants, budget=Budget.QUICK, repeats=repeats)
    absent = {str(spec.variant) for spec in specs if spec.refusal}  # an encoder whose package is not installed here
    planned = {spec.key for spec in specs}
    assert {run.manifest["key"] for run in stored if run.manifest["variant"] not in absent} <= planned


def test_no_picture_is_committed() -> None:
    ignored = (Path(__file__).parents[2] / ".gitignore").read_text(encoding="utf-8")
    for ending in ("png", "svg", "pdf"):
        assert f"/results/*/**/tables/**/*.{ending}" in ignored
