"""What a command does once and not once for each run: counted, since times differ from machine to machine."""

from __future__ import annotations

import ctypes
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl

from asc_bench.api import Card, Clips, Context, FrontEnd, LabelledClips, LogMel, System
from asc_bench.bench import bench as bench_module
from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.experiment import Unwatched
from asc_bench.features import cache as cache_module
from asc_bench.runs import job
from asc_bench.runs.job import PackedBench
from asc_bench.runs.parallel import execute
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.settings import Settings, Workers, limit_threads
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.variant import variant_of
from asc_bench.training.device import choose_device
from tests.reliability.helpers import PLUGINS

FRONT_END = LogMel(
    sample_rate_hz=8_000, n_fft=256, window_length=256, hop_length=4_000, n_mels=16, fmin_hz=0.0, fmax_hz=4_000.0
)


class Uniform(System):
    """Equal probabilities."""

    card = Card(name="uniform", title="Uniform", citation="none: a test double", year=2026, input="log-mel")

    def front_end(self) -> FrontEnd:
        return FRONT_END

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        pass

    def predict(self, clips: Clips) -> np.ndarray:
        return np.full((len(clips), len(self.task.labels.fine)), 1 / len(self.task.labels.fine))


@pytest.fixture
def fresh(bench: Bench) -> Bench:
    """A bench that nothing is known of yet."""
    return replace(bench)


def specs_of(bench: Bench, n: int) -> list[RunSpec]:
    return plan(bench, [variant_of(Uniform)], budget=Budget.SMOKE, repeats=range(n))


def counted(monkeypatch: pytest.MonkeyPatch, counts: Counter[str], module: object, name: str) -> None:
    real: Callable[..., object] = getattr(module, name)

    def counting(*args: object, **kwargs: object) -> object:
        counts[name] += 1
        return real(*args, **kwargs)

    monkeypatch.setattr(module, name, counting)


def test_the_clip_table_is_read_for_features_once_for_all_runs(
    fresh: Bench, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    counted(monkeypatch, counts, bench_module, "content_digest")
    counted(monkeypatch, counts, bench_module, "feature_array")
    runs = execute(specs_of(fresh, 5), fresh, ResultsStore(tmp_path), Settings(cache), Workers(), Unwatched())
    assert [run.manifest["status"] for run in runs] == ["done"] * 5
    assert counts == {"content_digest": 1, "feature_array": 5}


def test_code_of_a_front_end_that_was_edited_meanwhile_is_seen(
    fresh: Bench, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fresh.features(FRONT_END, cache=cache)
    assert fresh.features(FRONT_END, cache=cache).key == before.key
    monkeypatch.setattr(cache_module, "_source_digest", lambda module: "edited")
    assert fresh.features(FRONT_END, cache=cache).key != before.key


def test_a_bench_is_packed_once_for_all_workers_and_unpacked_once_in_each(
    fresh: Bench, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packings: list[object] = []
    dumps = job.cloudpickle.dumps
    monkeypatch.setattr(job.cloudpickle, "dumps", lambda value: packings.append(value) or dumps(value))
    runs = execute(specs_of(fresh, 6), fresh, ResultsStore(tmp_path), Settings(cache), Workers(2), Unwatched())
    assert [run.manifest["status"] for run in runs] == ["done"] * 6, runs[0].manifest
    assert [value for value in packings if isinstance(value, Bench)] == [fresh]
    # Each job brings the bytes anew, as these do.
    packed = PackedBench.of(fresh)
    first, second = (pickle.loads(pickle.dumps(packed)).bench for _ in range(2))
    assert first is second and first is not fresh
    assert first.folds == fresh.folds and first.clips.equals(fresh.clips)
    assert PackedBench.of(fresh).bench is not first, "workers serve several commands"


def test_thread_pools_are_searched_for_once_and_again_after_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    counts: Counter[str] = Counter()
    counted(monkeypatch, counts, threadpoolctl, "ThreadpoolController")
    monkeypatch.setitem(sys.modules, "asc_bench_test_first", os)
    try:
        for _ in range(3):
            limit_threads(1)
        assert counts["ThreadpoolController"] == 1
        # One that a system raised meanwhile is lowered again, without a search.
        threadpoolctl.threadpool_limits(2)
        limit_threads(1)
        assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {1}
        counts.clear()
        monkeypatch.setitem(sys.modules, "asc_bench_test_second", os)
        limit_threads(1)
        assert counts["ThreadpoolController"] == 1
    finally:
        threadpoolctl.threadpool_limits(max(before))


def test_only_folders_of_runs_in_progress_are_looked_into(tmp_path: Path, fresh: Bench) -> None:
    store = ResultsStore(tmp_path)
    assert store.in_progress() == []
    spec, _ = specs_of(fresh, 2)
    store.scratch(spec).mkdir(parents=True)
    assert store.in_progress() == [store.scratch(spec)]


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    monkeypatch.setattr(Path, "exists", lambda path: not str(path).startswith("/dev/"))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    yield


@pytest.mark.usefixtures("no_driver")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch is asked")
def test_without_a_driver_there_is_no_gpu_and_torch_is_not_asked() -> None:
    assert choose_device("auto") == "cpu"
    assert "torch" not in sys.modules


@pytest.mark.skipif(Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists(), reason="there is a GPU")
def test_a_command_without_networks_never_imports_torch(tmp_path: Path, cache: Path) -> None:
    code = f"""
import sys
import asc_bench
results = asc_bench.run("dcase2018", "toy-a", synthetic=True, synthetic_size="tiny", budget="smoke", progress=False,
                        cache={str(cache)!r}, results={str(tmp_path)!r})
assert [run.done for run in results.runs] == [True], results.runs
print([name for name in ("torch", "torchaudio") if name in sys.modules])
"""
    environment = {**os.environ, "ASC_BENCH_PLUGINS": str(PLUGINS)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, timeout=300
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
