"""What killed processes leave half-written: removed by the next one, and never while somebody is writing it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from asc_bench.files import STALE_S, locked, temporary_beside, write_atomic
from asc_bench.runs.store import ResultsStore
from tests.unit.made_runs import made_bench, publish, specs_of


@pytest.mark.parametrize("has_lock", [True, False])
def test_a_half_written_run_goes_as_soon_as_nobody_holds_it(tmp_path: Path, has_lock: bool) -> None:
    store, bench = ResultsStore(tmp_path), made_bench()
    spec, other = (specs_of(bench, name)[0] for name in ("logmel-svm", "sb-cnn"))
    publish(store, bench, other)
    left = temporary_beside(store.runs / spec.folder)
    left.mkdir(parents=True)
    (left / "predictions.parquet").touch()
    if has_lock:
        with store.lock(spec):
            store.sweep()
            assert left.is_dir()
    store.sweep()
    assert not left.exists()
    assert store.load(other) is not None


def test_a_writer_removes_what_was_left_of_the_same_file_an_hour_ago(tmp_path: Path) -> None:
    path = tmp_path / "results[1].md"
    old, fresh, foreign = (temporary_beside(p) for p in (path, path, tmp_path / "results1.md"))
    for left in (old, fresh, foreign):
        left.touch()
    then = time.time() - STALE_S - 60
    for left in (old, foreign):
        os.utime(left, (then, then))
    write_atomic(path, "whole")
    assert path.read_text() == "whole"
    assert not old.exists()
    assert fresh.exists() and foreign.exists()


def test_sweeping_waits_for_no_lock(tmp_path: Path) -> None:
    store = ResultsStore(tmp_path)
    spec = specs_of(made_bench(), "logmel-svm")[0]
    left = temporary_beside(store.runs / spec.folder)
    left.mkdir(parents=True)
    with locked(tmp_path / "locks" / f"{spec.key[:24]}.lock"):
        started = time.monotonic()
        store.sweep()
        assert time.monotonic() - started < 5
    assert left.exists()
