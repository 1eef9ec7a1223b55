"""Table V of the hierarchical CNN, transfer to two targets, as a user types it, inside this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from asc_bench.proposed import hierarchical_cnn
from sklearn.metrics import balanced_accuracy_score

from asc_bench import registry
from asc_bench.runs.store import ResultsStore, StoredRun
from tests.e2e.inside import Cli, inside

HITS = "greatest-hits"
SMALL = ("--synthetic", "--synthetic-size", "tiny", "--budget", "smoke")


@pytest.fixture(scope="module")
def cli(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """One folder for all tests."""
    with inside(tmp_path_factory.mktemp("table5"), cache) as (run, _):
        yield run


def cells(text: str, name: str) -> list[str]:
    """Of the first line about a model."""
    return next(line for line in text.splitlines() if line.startswith(f"{name} ")).removeprefix(name).split()


def runs_of(results: str) -> dict[str, StoredRun]:
    found = ResultsStore(Path(results)).iterate(f"{HITS}-*", "smoke")
    return {run.manifest["variant"]: run for run in found}


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hierarchical CNN of two channels, after one step."""
    network = registry.systems().get("hierarchical-cnn")
    whole = network.training_plan
    layers = {name: [replace(x, width=16) for x in its] for name, its in hierarchical_cnn.PIPELINES.items()}
    monkeypatch.setattr(network, "training_plan", lambda self: replace(whole(self), iterations=1))
    monkeypatch.setattr(hierarchical_cnn, "PIPELINES", layers)


TABLE = ("reproduce", "hierarchical-cnn/table5", *SMALL, "--sources", "dares-g1", "--threads", "1")
MODELS = {"retrain": "retrained", "finetune": "pre-trained with fine tuning"}
MODELS |= {"svm": "pre-trained embedding+SVM", "lr": "pre-trained embedding+LR"}


def table(results: str, part: str = "") -> pd.DataFrame:
    (path,) = Path(results, "reproductions", "hierarchical-cnn", "table5").glob(f"*/smoke/{part}table.csv")
    return pd.read_csv(path)


def test_a_part_of_the_published_table_is_run(cli: Cli, narrow: None) -> None:
    # Narrowed networks go by the names of whole ones, so their runs lie apart.
    planned = cli(*TABLE, "--results", "narrow", "--dry-run")
    assert planned.returncode == 0 and "hierarchical-cnn/table5, 16 cells" in planned.stdout + planned.stderr
    assert not Path("narrow").exists()
    done = cli(*TABLE, "--results", "narrow", "--variant", "finetune,svm", "--target", HITS)
    assert done.returncode == 0, done.stderr
    assert "hierarchical-cnn/table5, 4 of 16 cells" in done.stderr
    assert "4 of 4 cells measured" in done.stdout and "synthetic (tiny), smoke budget" in done.stdout
    assert "75.2" not in done.stdout, "published numbers do not stand beside those of synthetic datasets"
    assert "This part of the table, with intervals:" in done.stderr
    found = table("narrow", "part/")
    assert [*zip(found["model"], found["column"], strict=True)] == [
        (MODELS[variant], column) for variant in ("finetune", "svm") for column in ("Top-1", "Top-3")
    ]
    for variant in ("finetune", "svm"):
        (run,) = (r for v, r in runs_of("narrow").items() if ("svm" in v) == (variant == "svm"))
        rows = run.predictions.query("split == 'test' and level == 'fine'")
        top_1 = 100 * balanced_accuracy_score(rows["label"], rows["predicted"])
        assert float(cells(done.stdout, MODELS[variant])[0]) == pytest.approx(top_1, abs=0.051)
    wrong = cli(*TABLE, "--target", "audioset")
    assert wrong.returncode == 2 and "'audioset'; did you mean 'audioset-dcase2017'" in " ".join(
        wrong.stderr.split()
    )


@pytest.mark.slow
def test_the_whole_published_table_is_run(cli: Cli) -> None:
    done = cli(*TABLE, "--results", "whole")
    assert done.returncode == 0, done.stderr
    assert "16 of 16 cells measured" in done.stdout
    for name in MODELS.values():
        assert len([float(cell) for cell in cells(done.stdout, name)]) == 4
    found = table("whole")
    assert len(found) == 16 and found["value"].notna().all() and found["published"].isna().all()
    again = cli(*TABLE, "--results", "whole")
    assert again.stdout == done.stdout and "to compute" in again.stderr
    assert set(re.findall(r"(\d+) to compute", again.stderr)) == {"0"}
