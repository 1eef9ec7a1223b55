"""``verify`` finds every change of a stored number, wherever it stands, and changes nothing itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from asc_bench.errors import StoreError
from asc_bench.registry import protocols
from asc_bench.reporting import report as report_module
from asc_bench.runs.runner import skipped
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import MANIFEST, PREDICTIONS, ResultsStore
from asc_bench.stored_results import load_results
from asc_bench.verification import Finding, verify
from tests.unit.made_runs import made_bench, publish, specs_of


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Results of two systems and their table; without figures, which take seconds."""
    folder = tmp_path_factory.mktemp("results")
    store, bench = ResultsStore(folder), made_bench()
    for name, n_right in (("logmel-svm", 7), ("sb-cnn", 9)):
        publish(store, bench, specs_of(bench, name)[0], n_right=n_right)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_module, "figures_of", lambda evaluation, choice: {})
        load_results(folder, "dcase2018", budget="paper").report()
        yield folder


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    return Path(shutil.copytree(written, tmp_path / "results"))


def faults(root: Path) -> list[Finding]:
    return [finding for finding in verify(root) if finding.state != "verified"]


def one(root: Path, name: str) -> Path:
    return next(iter(sorted(root.rglob(name))))


def test_what_was_stored_is_verified_and_left_alone(root: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}
    assert [(f.what, f.state) for f in verify(root)] == [("run", "verified")] * 2 + [("table", "verified")]
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in root.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    "name", ["results.md", "results.tex", "results.txt", "significance.md", "significance.tex"]
)
def test_a_digit_of_a_printed_table(root: Path, name: str) -> None:
    path = one(root, name)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if "sb-cnn" in line and any(c.isdigit() for c in line))
    digit = next(i for i, c in reversed(list(enumerate(lines[at]))) if c.isdigit())
    lines[at] = lines[at][:digit] + str((int(lines[at][digit]) + 1) % 10) + lines[at][digit + 1 :]
    path.write_text("".join(lines), encoding="utf-8")
    (found,) = faults(root)
    assert found.state == "wrong" and found.what == "table"
    assert found.text.startswith(f"{name}: this row does not follow from the predictions: ")


@pytest.mark.parametrize("name", ["results.csv", "significance.csv"])
def test_a_number_of_a_csv_file(root: Path, name: str) -> None:
    path = one(root, name)
    text = path.read_text(encoding="utf-8")
    cell = next(c for c in text.splitlines()[1].split(",") if c.startswith(("0.", "-0.")))
    path.write_text(text.replace(cell, "0.123456", 1), encoding="utf-8")
    (found,) = faults(root)
    assert found.text.startswith(f"{name}: line ")
    assert found.text.endswith(f"0.123456 stands there, {float(cell)} follows from the predictions")


def test_a_missing_row_and_an_unreadable_file(root: Path) -> None:
    path = one(root, "results.md")
    whole = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line for line in whole.splitlines() if "sb-cnn" not in line), encoding="utf-8")
    assert "this row is missing" in faults(root)[0].text
    path.unlink()
    assert "results.md cannot be read" in faults(root)[0].text


def test_predictions_that_were_changed_stay_where_they_are(root: Path) -> None:
    path = one(root, PREDICTIONS)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    run, table = faults(root)
    assert (run.what, run.state, run.text) == ("run", "wrong", f"{PREDICTIONS} was changed")
    assert table.state == "wrong" and "is not there or damaged" in table.text
    assert path.exists() and not (root / "quarantine").exists()


def test_a_manifest_that_was_changed_and_a_run_that_is_gone(root: Path) -> None:
    path = one(root, MANIFEST)
    manifest = json.loads(path.read_bytes())
    path.write_text(json.dumps(manifest | {"seed": manifest["seed"] + 1}), encoding="utf-8")
    assert faults(root)[0].text == "ValueError: the manifest was changed"
    shutil.rmtree(path.parent)
    (found,) = faults(root)
    assert found.what == "table" and "one of 1, is not there or damaged" in found.text


def test_another_version_of_the_protocol_is_not_verified(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols().get("dcase2018"), "version", 99)
    (found,) = faults(root)
    assert found.state == "not verified" and "this asc-bench has version 99" in found.text


def test_rows_in_another_order(root: Path) -> None:
    path = one(root, "results.md")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    first, second = (i for i, line in enumerate(lines) if line.startswith(("| sb-cnn", "| logmel-svm")))
    lines[first], lines[second] = lines[second], lines[first]
    path.write_text("".join(lines), encoding="utf-8")
    assert "its rows stand in another order" in faults(root)[0].text


def test_a_made_up_row(root: Path) -> None:
    path = one(root, "results.csv")
    header, first, *_ = lines = path.read_text(encoding="utf-8").splitlines()
    of = dict(zip(header.split(","), first.split(","), strict=True)) | {"system": "mine", "runs": ""}
    path.write_text("\n".join([*lines, ",".join(of.values())]) + "\n", encoding="utf-8")
    (found,) = faults(root)
    assert (found.state, found.text) == ("wrong", "results.csv: a score of mine stands there, and no run")


@pytest.mark.parametrize("column", ["value", "system", "runs"])
def test_a_table_without_a_column_is_wrong_and_ends_nothing(root: Path, column: str) -> None:
    path = one(root, "results.csv")
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    (found,) = faults(root)
    assert (found.what, found.state) == ("table", "wrong")
    assert found.text == f"it cannot be read: KeyError: '{column}'"


def test_a_table_of_an_earlier_version_has_no_file_of_costs(root: Path) -> None:
    one(root, "pareto.csv").unlink()
    assert faults(root) == []
    path = one(root, "pareto.md")
    path.write_text(path.read_text(encoding="utf-8").replace("sb-cnn", "mla"), encoding="utf-8")
    (found,) = faults(root)
    assert found.text.startswith("pareto.md: this row does not follow from the predictions: ")


def test_a_table_with_a_skipped_system_is_verified_in_its_csv_files(root: Path) -> None:
    """Nothing is stored of it."""
    whole, bench = load_results(root, "dcase2018", budget="paper"), made_bench()
    spec = replace(specs_of(bench, "mla")[0], refusal="it does not suit")
    replace(whole, runs=(*whole.runs, skipped(spec, bench, Settings(cache=root)))).report()
    (found,) = faults(root)
    assert found.state == "not verified"
    assert "printed tables also show mla, skipped" in found.text


def test_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run is stored there"):
        list(verify(tmp_path))
