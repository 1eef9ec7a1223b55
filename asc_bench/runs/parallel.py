"""Runs one after the other or side by side, with what a watcher needs to know on the way."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import cloudpickle
import joblib
from joblib.externals.loky import get_reusable_executor

from asc_bench.bench.bench import Bench
from asc_bench.bench.host import n_cores
from asc_bench.errors import ConfigError
from asc_bench.interrupts import undisturbed
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.transfer.system import TransferredSystem
from asc_bench.training.precision import choose_precision

Backend = Literal["loky", "dask"]

HEARTBEAT = "progress.txt"
POLL_S = 0.5


class Monitor(Protocol):
    """Told what happens while runs are computed."""

    def progress(self, spec: RunSpec, fraction: float, text: str) -> None:
        """``fraction`` of this run is done."""

    def finished(self, spec: RunSpec, run: StoredRun) -> None:
        """This run is stored, done or failed."""


@dataclass(frozen=True)
class Workers:
    """How many runs go side by side, and on what.

    Attributes
    ----------
    n_jobs : int
        Runs at a time.
    backend : {"loky", "dask"}
        joblib backend for more than one; dask needs ``asc-bench[dask]`` and uses ``scheduler`` or a local cluster.
    n_threads : int
        Threads of each run; 0 shares the cores evenly.
    scheduler : str
        Address of a dask scheduler.
    """

    n_jobs: int = 1
    backend: Backend = "loky"
    n_threads: int = 0
    scheduler: str = ""

    @property
    def threads_each(self) -> int:
        """Threads that one run may use."""
        return self.n_threads or max(1, n_cores() // self.n_jobs)


def execute(
    specs: Sequence[RunSpec],
    bench: Bench,
    store: ResultsStore,
    settings: Settings,
    workers: Workers,
    monitor: Monitor,
) -> list[StoredRun]:
    """Compute runs; those that another process holds are left to the end and then waited for.

    Returns
    -------
    list of StoredRun
        In the order of ``specs``; failed ones included.
    """
    settings = replace(settings, n_threads=workers.threads_each)
    if settings.precision is None and not workers.scheduler and any(map(_trains_network, specs)):
        # Decided once for all runs on this machine; workers elsewhere decide for theirs.
        settings = replace(settings, precision=choose_precision(settings.device))
    results: dict[str, StoredRun] = {}
    held: list[RunSpec] = []
    run_all = _serial if workers.n_jobs == 1 or len(specs) == 1 else _side_by_side
    for wait in (False, True):
        todo, held = (held if wait else list(specs)), []
        if not todo:
            break
        for spec, run in run_all(todo, bench, store, settings, workers, monitor, wait):
            if run is None:
                held.append(spec)
                monitor.progress(spec, 0.0, "another process is at it")
            else:
                results[spec.key] = run
                monitor.finished(spec, run)
    return [results[spec.key] for spec in specs]


def _trains_network(spec: RunSpec) -> bool:
    return issubclass(spec.variant.system, TorchSystem | TransferredSystem)


Outcomes = Iterator[tuple[RunSpec, StoredRun | None]]


def _serial(
    specs: Sequence[RunSpec], bench: Bench, store: ResultsStore, settings: Settings, _: Workers, monitor: Monitor,
    wait: bool,
) -> Outcomes:  # fmt: skip
    for spec in specs:
        heartbeat = Heartbeat(store.scratch(spec) / HEARTBEAT)

        def report(fraction: float, text: str, spec: RunSpec = spec, beat: Heartbeat = heartbeat) -> None:
            monitor.progress(spec, fraction, text)
            beat(fraction, text)

        report(0.0, "starting")
        yield spec, run_once(spec, bench, store, settings, report, wait=wait)


def _side_by_side(
    specs: Sequence[RunSpec], bench: Bench, store: ResultsStore, settings: Settings, workers: Workers,
    monitor: Monitor, wait: bool,
) -> Outcomes:  # fmt: skip
    with _backend(workers), _watching(specs, store, monitor):
        parallel = joblib.Parallel(n_jobs=workers.n_jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs")
        # A front end of a plug-in could not be unpickled there; the runner asks the system for it anyway.
        portable = [replace(spec, front_end=None) for spec in specs]
        packed = PackedBench.of(bench)
        jobs = (
            joblib.delayed(undisturbed)(_work, i, spec, packed, store, settings, wait)
            for i, spec in enumerate(portable)
        )
        for i, run in parallel(jobs):
            yield specs[i], run
    if workers.backend == "loky" and any(_own_code(spec) for spec in specs):
        # Its workers stay for the next call, with the modules that they imported: these may be edited before it.
        get_reusable_executor().shutdown(wait=True)


def _own_code(spec: RunSpec) -> bool:
    """Whether its key holds files of code, which somebody edits."""
    numerics = spec.parts["numerics"]
    return isinstance(numerics, Mapping) and any("code" in part for part in numerics.values())


def _work(
    index: int, spec: RunSpec, packed: PackedBench, store: ResultsStore, settings: Settings, wait: bool
) -> tuple[int, StoredRun | None]:
    heartbeat = Heartbeat(store.scratch(spec) / HEARTBEAT)
    return index, run_once(spec, packed.bench, store, settings, heartbeat, wait=wait)


@dataclass(frozen=True)
class PackedBench:
    """A bench on its way to workers: packed once, and unpacked once by each of them, however many runs it does.

    What a bench keeps of its clip table is then there for all runs of a worker.
    """

    number: str
    """Tells it from those of other commands, which the same workers may serve."""
    content: bytes = field(repr=False, compare=False)

    @classmethod
    def of(cls, bench: Bench) -> PackedBench:
        """Pack a bench; a protocol that was typed in a notebook goes with it."""
        return cls(uuid.uuid4().hex, cloudpickle.dumps(bench))

    @property
    def bench(self) -> Bench:
        """The bench, the same one for every job of a command."""
        return _unpacked(self)


@lru_cache(maxsize=1)
def _unpacked(packed: PackedBench) -> Bench:
    bench: Bench = cloudpickle.loads(packed.content)  # packed by the process that started this one
    return bench


class Heartbeat:
    """A progress callback that leaves its last word in a small file, at most twice a second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = 0.0

    def __call__(self, fraction: float, text: str) -> None:
        now = time.monotonic()
        if now - self._last >= POLL_S and self.path.parent.exists():
            self._last = now
            self.path.write_text(f"{fraction:.4f} {text}", encoding="utf-8", errors="backslashreplace")


def read_heartbeat(path: Path) -> tuple[float, str] | None:
    """What a run in progress said last, or None."""
    try:
        fraction, _, text = path.read_text(encoding="utf-8", errors="replace").partition(" ")
        return float(fraction), text
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def _watching(specs: Sequence[RunSpec], store: ResultsStore, monitor: Monitor) -> Iterator[None]:
    stop = threading.Event()
    by_folder = {store.scratch(spec): spec for spec in specs}

    def watch() -> None:
        while not stop.wait(POLL_S):
            # Only runs in progress have a folder there.
            for folder in store.in_progress():
                beat = read_heartbeat(folder / HEARTBEAT) if folder in by_folder else None
                if beat is not None:
                    monitor.progress(by_folder[folder], *beat)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def _backend(workers: Workers) -> Iterator[None]:
    if workers.backend == "loky":
        with joblib.parallel_config(backend="loky", inner_max_num_threads=workers.threads_each):
            yield
        return
    with _dask_client(workers) as _, joblib.parallel_config(backend="dask"):
        yield


def _dask_client(workers: Workers) -> Any:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ConfigError("--backend dask needs the extra: pip install 'asc-bench[dask]'") from error
    if workers.scheduler:
        return Client(workers.scheduler)  # type: ignore[no-untyped-call]
    return Client(
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers.n_jobs, threads_per_worker=1, dashboard_address=None
        )
    )
