"""The joint table of DCASE 2024: the mean of five protocols, with locations resampled in all five at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from sklearn.metrics import balanced_accuracy_score
from typer.testing import CliRunner

from asc_bench.api import ConfigError
from asc_bench.cli.main import build_app
from asc_bench.experiment import run
from asc_bench.joint_protocol import JointProtocol
from asc_bench.registry import protocol_set, protocols
from asc_bench.reporting.report_runs import evaluate
from asc_bench.results import Results
from asc_bench.runs.store import ResultsStore
from asc_bench.stored_results import load_results
from tests.unit.made_runs import made_bench, publish, specs_of

PERCENTAGES = (5, 10, 25, 50, 100)
PARTS = tuple(f"{p} %" for p in PERCENTAGES)


def store(root: Path, variant: str, n_right: dict[int, int]) -> None:
    for percentage, n in n_right.items():
        bench = made_bench(f"dcase2024-{percentage}")
        for spec in specs_of(bench, variant):
            publish(ResultsStore(root), bench, spec, n_right=n)


def test_members_are_in_the_order_of_their_training_lists() -> None:
    assert [cls.name for cls in protocol_set("dcase2024")] == [f"dcase2024-{p}" for p in PERCENTAGES]
    assert [cls.part for cls in protocol_set("dcase2024")] == list(PARTS)
    assert protocol_set("dcase2024-5") == ()
    assert protocol_set("") == ()


def test_the_mean_is_that_of_the_five_accuracies(tmp_path: Path) -> None:
    store(tmp_path, "logmel-svm", {5: 3, 10: 4, 25: 5, 50: 6, 100: 9})
    results = load_results(tmp_path, "dcase2024", budget="paper")
    scores = results.scores().set_index("measure")
    assert scores.loc[list(PARTS), "value"].tolist() == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.9])
    frame = results.predictions()
    by_part = [balanced_accuracy_score(its["label"], its["predicted"]) for _, its in frame.groupby("fold")]
    assert len(by_part) == 5
    assert scores.loc["mean", "value"] == pytest.approx(np.mean(by_part)) == pytest.approx(0.54)
    text = results.table()
    assert text.startswith("dcase2024, mean of 5 protocols (5 %, 10 %, 25 %, 50 %, 100 %): tau-2022-mobile")
    baseline = next(line for line in text.splitlines() if line.startswith("DCASE 2024 baseline (published)"))
    assert "49.6" in baseline.split()
    beside = results.evaluation.beside_published()
    assert beside is not None
    printed = {row[1]: row[3] for row in beside.rows if row[0] == "DCASE 2024 baseline (published)"}
    assert printed == dict(zip(("mean", *PARTS), ("49.6", "42.4", "45.3", "50.3", "53.2", "57.0"), strict=True))


def test_a_location_is_resampled_in_all_five_at_once(tmp_path: Path) -> None:
    """Right on the same clips in all five, a system is no surer in the mean than in one of them."""
    store(tmp_path, "logmel-svm", dict.fromkeys(PERCENTAGES, 5))
    scores = load_results(tmp_path, "dcase2024", budget="paper").scores().set_index("measure")
    for bound in ("low", "high"):
        one = scores.loc["25 %", bound]
        assert one != 0.5
        assert scores.loc["mean", bound] == pytest.approx(one, abs=2e-3)
    assert scores.loc["mean", "n_locations"] == scores.loc["25 %", "n_locations"]


def test_a_system_that_lacks_a_protocol_has_no_mean(tmp_path: Path) -> None:
    store(tmp_path, "logmel-svm", dict.fromkeys(PERCENTAGES, 5))
    store(tmp_path, "bc-resnet-mod", {5: 9, 10: 9, 25: 9, 100: 9})
    results = load_results(tmp_path, "dcase2024", budget="paper")
    scores = results.scores().set_index(["system", "measure"])
    lacking = scores.loc["bc-resnet-mod"]
    assert lacking["value"].isna().all()
    assert all("50 %" in sentence for sentence in lacking["incomplete"])
    assert scores.loc["logmel-svm"]["value"].notna().all()
    assert "incomplete" in next(line for line in results.table().splitlines() if line.startswith("bc-resnet-mod"))
    message = (
        r"bc-resnet-mod has no score \(0/100 on device A, 50 %: incomplete, and 2 more\): complete its runs, or"
    )
    with pytest.raises(ConfigError, match=f"^{message} leave it out"):
        results.comparison("bc-resnet-mod", "logmel-svm")
    with pytest.raises(ConfigError, match=f"^the reference {message} take another one"):
        results.compare("bc-resnet-mod")
    with pytest.raises(ConfigError, match=f"^the reference {message} take another one"):
        evaluate(results.protocol, results.runs, reference="bc-resnet-mod")


def test_what_a_set_of_protocols_cannot_do_is_said(tmp_path: Path) -> None:
    store(tmp_path, "logmel-svm", {5: 3})
    with pytest.raises(ConfigError, match="dcase2024 is the mean of 5 protocols: folds are those of one"):
        load_results(tmp_path, "dcase2024", budget="paper", folds="fold1")
    with pytest.raises(ConfigError, match=r"holds no run of dcase2024-5 at budget smoke"):
        load_results(tmp_path, "dcase2024", budget="smoke")
    other = protocols().get("dcase2020")()
    with pytest.raises(ConfigError, match="dcase2021 has other labels or measures than dcase2020: no mean of them"):
        JointProtocol("both", [other, protocols().get("dcase2021")()])
    with pytest.raises(ConfigError, match="stands for several protocols, each with folds of its own"):
        JointProtocol("one", [other]).folds(None)  # type: ignore[arg-type]


def test_run_takes_a_set_of_protocols_and_ends_with_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one of them fails, the others are run all the same, and the exit code says so."""
    asked = []

    def one(*arguments: object) -> None:
        name = str(arguments[-1].protocol)  # type: ignore[attr-defined]
        asked.append(name)
        if name == "dcase2024-50":
            raise typer.Exit(1)
        store(tmp_path, "logmel-svm", {int(name.rpartition("-")[2]): 5})

    monkeypatch.setattr("asc_bench.cli.run._run", one)
    monkeypatch.setattr("asc_bench.reporting.report_runs.write_report", lambda *_: [])
    command = ["run", "-p", "dcase2024", "-s", "logmel-svm", "--budget", "paper", "--results", str(tmp_path)]
    ran = CliRunner().invoke(build_app(), command)
    assert asked == [f"dcase2024-{p}" for p in PERCENTAGES]
    assert ran.exit_code == 1
    assert "dcase2024, mean of 5 protocols" in ran.stdout
    assert "incomplete" in ran.stdout
    asked.clear()
    CliRunner().invoke(build_app(), [*command, "--dry-run"])
    assert len(asked) == 5


def test_run_in_python_gives_the_results_of_the_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(tmp_path, "logmel-svm", {5: 3, 10: 4, 25: 5, 50: 6, 100: 9})
    stored = load_results(tmp_path, "dcase2024", budget="paper", systems="logmel-svm")

    def one(protocol: type, *arguments: object) -> Results:
        return replace(load_results(tmp_path, protocol, budget="paper", systems="logmel-svm"), unfinished=("x",))

    monkeypatch.setattr("asc_bench.experiment._run", one)
    found = run("dcase2024", "logmel-svm")
    assert found.folder == stored.folder
    assert [r.manifest["fold"] for r in found.runs] == list(PARTS)
    assert found.protocol.measures == stored.protocol.measures
    assert found.unfinished == ("x",) * 5
    with pytest.raises(ConfigError, match="dcase2024 is the mean of 5 protocols: folds are those of one of them"):
        run("dcase2024", "logmel-svm", folds="fold1")


def test_the_list_of_protocols_names_the_set() -> None:
    lines = CliRunner().invoke(build_app(), ["list", "protocols"]).stdout.splitlines()
    # The name of the set stands in the next line.
    noted = [line.split()[0] for line in lines if line.endswith("one of the set")]
    assert sorted(noted) == sorted(f"dcase2024-{p}" for p in PERCENTAGES)
