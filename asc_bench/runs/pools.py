"""Processes of this machine that compute runs, and what becomes of a run whose process is killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

from joblib.externals.loky import (
    FIRST_COMPLETED,
    BrokenProcessPool,
    Future,
    ProcessPoolExecutor,
    wait,
)

from asc_bench.bench.bench import Bench
from asc_bench.bench.host import host_name
from asc_bench.interrupts import deaf_children
from asc_bench.printable import printable_warnings
from asc_bench.runs.heartbeat import HEARTBEAT, Heartbeat
from asc_bench.runs.job import Job, PackedBench, perform
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Planner, Progress, Settings
from asc_bench.runs.store import ResultsStore, StoredRun


@dataclass(frozen=True)
class Killed:
    """What became of a run whose process is gone."""

    where: str


Outcome = StoredRun | Killed | None
"""None if another process computes the run."""


class Pool(Protocol):
    """Computes runs, one for each of its workers at a time."""

    def __enter__(self) -> Self:
        """Start the workers."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop what this started; what they compute then is lost but for its checkpoints."""

    def has_room(self) -> bool:
        """Whether a worker waits for a run."""

    def submit(self, spec: RunSpec, *, wait: bool) -> None:
        """Give a worker a run; with ``wait`` it waits for another process that computes it."""

    def next(self) -> tuple[RunSpec, Outcome]:
        """Wait for a run to end. Raises what stops the whole command."""


class ThisProcess:
    """Computes one run after the other, here.

    Parameters
    ----------
    bench, store, settings
        As in `run_once`.
    progress : callable
        Given the run, and then as its progress callback.
    """

    def __init__(
        self, bench: Bench, store: ResultsStore, settings: Settings, progress: Callable[[RunSpec], Progress]
    ) -> None:
        self._bench, self._store, self._settings, self._progress = bench, store, settings, progress
        self._next: tuple[RunSpec, bool] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def has_room(self) -> bool:
        """See `Pool`."""
        return self._next is None

    def submit(self, spec: RunSpec, *, wait: bool) -> None:
        """See `Pool`."""
        self._next = spec, wait

    def next(self) -> tuple[RunSpec, Outcome]:
        """See `Pool`."""
        assert self._next is not None
        (spec, wait), self._next = self._next, None
        heartbeat, shown = Heartbeat(self._store.scratch(spec) / HEARTBEAT), self._progress(spec)

        def report(fraction: float, text: str) -> None:
            shown(fraction, text)
            heartbeat(fraction, text)

        # Shown only: until it is locked, the folder of its heartbeat may be that of another process.
        shown(0.0, "starting")
        return spec, run_once(spec, self._bench, self._store, self._settings, report, wait=wait)


class Processes:
    """Processes of this machine, each with a device.

    Each is a pool of its own, so that it is known which run was computed in a process that is killed, and the
    others are not disturbed.

    Parameters
    ----------
    bench, store
        As in `run_once`.
    settings : Settings
        With the threads of each process.
    devices : sequence of str
        One for each process.
    """

    def __init__(self, bench: Bench, store: ResultsStore, settings: Settings, devices: Sequence[str]) -> None:
        self._packed, self._store, self._settings = PackedBench.of(bench), store, settings
        self._planner = Planner.this(settings)
        self._idle: list[_Slot] = [_Slot(device, settings.n_threads) for device in reversed(devices)]
        self._running: dict[Future[StoredRun | None], tuple[RunSpec, _Slot]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for slot in (*self._idle, *(slot for _, slot in self._running.values())):
            slot.executor.shutdown(wait=True, kill_workers=True)

    def has_room(self) -> bool:
        """See `Pool`."""
        return bool(self._idle)

    def submit(self, spec: RunSpec, *, wait: bool) -> None:
        """See `Pool`."""
        slot = self._idle.pop()
        settings = replace(self._settings, device=slot.device)
        job = Job.of(spec, self._store, settings, self._planner, wait=wait)
        with deaf_children():  # it may be the first one, which starts the process
            future = slot.executor.submit(perform, self._packed, job)
        self._running[future] = spec, slot

    def next(self) -> tuple[RunSpec, Outcome]:
        """See `Pool`."""
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        future = done.pop()
        spec, slot = self._running.pop(future)
        try:
            outcome: Outcome = future.result()
        except BrokenProcessPool:
            slot.executor.shutdown(wait=True, kill_workers=True)
            slot, outcome = _Slot(slot.device, self._settings.n_threads), Killed(host_name())
        self._idle.append(slot)
        return spec, outcome


class _Slot:
    """One process and its device."""

    def __init__(self, device: str, n_threads: int) -> None:
        self.device = device
        # Libraries that are loaded later read these; those that are there already are limited for each run.
        names = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
        environment = {f"{name}_NUM_THREADS": str(n_threads) for name in names}
        # Its standard error is the terminal of the command.
        self.executor = ProcessPoolExecutor(max_workers=1, env=environment, initializer=printable_warnings)
