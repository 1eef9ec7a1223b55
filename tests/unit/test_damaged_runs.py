"""Stored runs whose files were changed: found before they are used, and not by a list of what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from asc_bench.errors import StoreError
from asc_bench.runs import store as store_module
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.store import MANIFEST, PREDICTIONS, ResultsStore
from asc_bench.stored_results import load_results
from tests.unit.made_runs import made_bench, publish, specs_of

RIGHT, DAMAGED = "logmel-svm", "sb-cnn"


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    """Two runs; the predictions of one of them were cut."""
    store, bench = ResultsStore(tmp_path), made_bench()
    for name, n_right in ((RIGHT, 7), (DAMAGED, 9)):
        (spec,) = specs_of(bench, name)
        run = publish(store, bench, spec, n_right=n_right)
        if name == DAMAGED:
            path = run.folder / PREDICTIONS
            path.write_bytes(path.read_bytes()[:-100])
    return store


def spec_of(name: str) -> RunSpec:
    (spec,) = specs_of(made_bench(), name)
    return spec


def put_aside(store: ResultsStore) -> list[str]:
    folder = store.root / "quarantine"
    return sorted(path.name.partition("-fold1")[0] for path in folder.iterdir()) if folder.is_dir() else []


def test_a_list_trusts_manifests_and_opens_no_predictions(
    store: ResultsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(path: Path) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(store_module, "_sha256", opened)
    assert {run.manifest["variant"] for run in store.iterate()} == {RIGHT, DAMAGED}
    assert len(load_results(store.root, "dcase2018", budget="paper").runs) == 2
    listed = store.load(spec_of(DAMAGED), whole=False)
    assert listed is not None and listed.done
    assert put_aside(store) == []


def test_a_list_puts_a_changed_manifest_aside(store: ResultsStore, caplog: pytest.LogCaptureFixture) -> None:
    path = store.runs / spec_of(RIGHT).folder / MANIFEST
    path.write_text(path.read_text().replace('"status": "done"', '"status": "fine"'))
    assert [run.manifest["variant"] for run in store.iterate()] == [DAMAGED]
    assert put_aside(store) == [RIGHT]
    assert "damaged result put aside" in caplog.text and "the manifest was changed" in caplog.text


def test_a_run_is_never_reused_without_its_files_being_compared(
    store: ResultsStore, caplog: pytest.LogCaptureFixture
) -> None:
    assert store.load(spec_of(RIGHT)) is not None
    assert store.load(spec_of(DAMAGED)) is None
    assert put_aside(store) == [DAMAGED]
    assert f"{PREDICTIONS} was changed); it will be computed again" in caplog.text


def test_a_report_leaves_a_damaged_run_out_and_puts_it_aside(
    store: ResultsStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    results = load_results(store.root, "dcase2018", budget="paper")
    text = results.report(tmp_path / "tables", figures="none").text
    assert put_aside(store) == [DAMAGED]
    assert f"{PREDICTIONS} was changed); it will be computed again" in caplog.text
    assert RIGHT in text and DAMAGED not in text
    (score,) = results.scores(["average"])["value"]
    assert score == pytest.approx(0.7)
    # The next report finds one run, and the tables that were just made of it.
    stamp = (tmp_path / "tables" / "report.json").stat().st_mtime_ns
    alone = load_results(store.root, "dcase2018", budget="paper")
    assert [run.manifest["variant"] for run in alone.runs] == [RIGHT]
    assert alone.report(tmp_path / "tables", figures="none").text == text
    assert (tmp_path / "tables" / "report.json").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("lost", [False, True])
def test_predictions_that_are_not_those_stored_are_not_given_out(
    store: ResultsStore, caplog: pytest.LogCaptureFixture, lost: bool
) -> None:
    run = next(run for run in store.iterate() if run.manifest["variant"] == DAMAGED)
    if lost:
        (run.folder / PREDICTIONS).unlink()
    with pytest.raises(StoreError, match="the stored run was damaged and put aside; compute it again"):
        _ = run.predictions
    assert put_aside(store) == [DAMAGED]
    assert ("No such file" if lost else "was changed") in caplog.text


def test_frames_and_comparisons_leave_a_damaged_run_out(store: ResultsStore) -> None:
    results = load_results(store.root, "dcase2018", budget="paper")
    assert set(results.predictions()["system"]) == {RIGHT}
    assert put_aside(store) == [DAMAGED]
    assert len(load_results(store.root, "dcase2018", budget="paper").compare()) == 0
