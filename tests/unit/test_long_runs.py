"""Two thousand runs in one process: neither memory nor open files grow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asc_bench.runs.store import StoredRun
from tests.benchmarks.long_runs import Growth, Sample, growth, sampled


def test_growth_is_counted_from_the_warm_process_and_passes_over_files_that_are_just_written() -> None:
    samples = [Sample(100, 50_000, 0, 5, 0)]
    samples += [
        Sample(n, 90_000 + 2 * n, 1_000, 16 + (n % 300 == 0), 20 + n % 200 // 100) for n in range(200, 2100, 100)
    ]
    assert growth(samples) == Growth(2.0, 0.0, 0, 0)
    assert growth(samples).too_much == []


def test_what_grew_too_much_is_said() -> None:
    samples = [Sample(n, 9 * n, 3 * n, 10 + n // 1000, 20 + n // 500) for n in range(100, 2100, 100)]
    assert growth(samples).too_much == [
        "memory grew by 9.0 KiB a run, not 8.0",
        "that of workers by 3.0, not 2.0",
        "1 more files are open",
        "3 more files of workers are open",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_two_thousand_runs_leave_memory_and_open_files_as_they_were(tmp_path: Path, n_jobs: int) -> None:
    pytest.importorskip("psutil")
    samples = sampled(2000, n_jobs, tmp_path)
    assert [sample.n_runs for sample in samples] == list(range(100, 2100, 100))
    assert growth(samples).too_much == []


def test_what_manifests_have_in_common_is_held_once_and_nothing_is_changed() -> None:
    def run(**own: object) -> StoredRun:
        parts = {"host": {"name": "a" * 9, "n_cores": 2}, "expected": {"fold1": {"A": 30}}, "folds": ["f1", "f2"]}
        return StoredRun(Path("x"), json.loads(json.dumps({**parts, **own})))

    first, second = run(seed=1, durations_s={"fit": 0.0}), run(seed=2, durations_s={"fit": 0})
    shared = second.sharing(first)
    assert json.dumps(shared.manifest) == json.dumps(second.manifest), "0 is not 0.0"
    for name in ("host", "expected", "folds"):
        assert shared.manifest[name] is first.manifest[name] is not second.manifest[name]
    assert shared.manifest["durations_s"] is not first.manifest["durations_s"]
    assert second.sharing(None) is second
    fewer = StoredRun(Path("x"), {"host": {"n_cores": 2}})
    assert fewer.sharing(first).manifest == {"host": {"n_cores": 2}}
