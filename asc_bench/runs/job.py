"""A run on its way to the process that computes it, and what that process makes sure of before it does."""

from __future__ import annotations

import platform
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import cloudpickle

from asc_bench.bench.bench import Bench
from asc_bench.bench.elsewhere import found_here
from asc_bench.bench.host import host_name, package_versions
from asc_bench.bench.keys import changed_parts
from asc_bench.errors import AscBenchError, ConfigError, StoreError
from asc_bench.runs.heartbeat import HEARTBEAT, Heartbeat
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Planner, Settings
from asc_bench.runs.store import ResultsStore, StoredRun

_ONE_AT_A_TIME = threading.Lock()
"""Seeds, threads and devices belong to a process: a dask worker with several threads computes one run at a time."""


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


@dataclass(frozen=True)
class Job:
    """One run, packed with all that computing it takes but the bench.

    Attributes
    ----------
    content : bytes
        The packed `RunSpec`; systems that are registered nowhere go with it.
    store : Path
        Folder of results, absolute.
    settings : Settings
        Device and threads as they were asked for, or as they were shared out.
    planner : Planner
        Where it was planned.
    wait : bool
        Wait for another process that computes the run.
    token : Path, optional
        A file that the planner wrote: who sees it sees its results.
    """

    content: bytes = field(repr=False)
    store: Path
    settings: Settings
    planner: Planner
    wait: bool = False
    token: Path | None = None

    @classmethod
    def of(
        cls,
        spec: RunSpec,
        store: ResultsStore,
        settings: Settings,
        planner: Planner,
        *,
        wait: bool = False,
        token: Path | None = None,
    ) -> Job:
        """Pack a run."""
        # A front end of a plug-in could not be unpickled there; the runner asks the system for it anyway.
        teachers = tuple(replace(teacher, front_end=None) for teacher in spec.teachers)
        content = cloudpickle.dumps(replace(spec, front_end=None, teachers=teachers))
        return cls(content, store.root.absolute(), settings, planner, wait, token)

    @property
    def spec(self) -> RunSpec:
        """The run.

        Raises
        ------
        ConfigError
            If its system is not known to this process.
        """
        try:
            spec: RunSpec = cloudpickle.loads(self.content)  # packed by the process that sent it here
        except AscBenchError:
            raise
        except Exception as error:
            raise ConfigError(f"a run cannot be unpacked: {type(error).__name__}: {error}") from error
        return spec


def perform(packed: PackedBench, job: Job) -> StoredRun | None:
    """Compute a run in a process that the planner started on its own machine; parameters, errors as `run_once`."""
    return _run(job.spec, packed.bench, job, job.settings)


def perform_elsewhere(packed: PackedBench, job: Job) -> StoredRun | None:
    """Compute a run in a process that somebody else started, maybe on another machine.

    Raises
    ------
    ConfigError
        If this process would compute other numbers than were planned, or lacks the device.
    DataError
        If it does not see the recordings, or sees others.
    StoreError
        If it does not see the results, or cannot write them or the features.
    """
    with _ONE_AT_A_TIME:
        try:
            bench, settings = _ready(packed, job)
            spec = job.spec
            _refuse_other_numbers(spec, bench)
        except AscBenchError as error:
            raise type(error)(f"worker on {host_name()}: {error}") from error
        return _run(spec, bench, job, settings)


def examine(packed: PackedBench, jobs: Sequence[Job]) -> dict[str, object]:
    """Make sure that this process can compute some runs, without computing any.

    Returns
    -------
    dict
        ``host``: name of the machine; ``fault``: why it cannot, or ``""``; ``versions``: of its packages.
    """
    facts: dict[str, object] = {"host": platform.node(), "fault": "", "versions": package_versions()}
    with _ONE_AT_A_TIME:
        try:
            for job in jobs:
                bench, _ = _ready(packed, job)
                _refuse_other_numbers(job.spec, bench)
        except AscBenchError as error:
            facts["fault"] = str(error)
    return facts


def _run(spec: RunSpec, bench: Bench, job: Job, settings: Settings) -> StoredRun | None:
    store = ResultsStore(job.store)
    heartbeat = Heartbeat(store.scratch(spec) / HEARTBEAT)
    return run_once(spec, bench, store, settings, heartbeat, wait=job.wait)


def _ready(packed: PackedBench, job: Job) -> tuple[Bench, Settings]:
    if job.token is not None and not job.token.exists():
        raise StoreError(
            f"{job.store} is not the folder of results that the planning machine {job.planner.host} sees: name one "
            "on a file system that all machines share (--results)"
        )
    bench = _bench_here(packed, job.planner)
    settings = replace(job.settings, cache=job.planner.cache_here())
    return bench, settings.here(n_sharing=job.planner.n_workers_here)


def _refuse_other_numbers(spec: RunSpec, bench: Bench) -> None:
    """Plan the run once more: code, libraries, files or data of this process may be others."""
    origin = spec.origin
    (again,) = plan(
        spec.bench_in(bench),
        [spec.variant],
        budget=spec.budget,
        repeats=[spec.repeat],
        folds=[spec.fold],
        selection=spec.selection,
        augmentation=spec.augmentation,
        origins=None if origin is None else lambda variant, fold, repeat: origin,
    )
    differing = changed_parts(spec.parts, again.parts)
    if not differing and again.code != spec.code:
        differing = ["code of the harness or of the system"]
    if differing:
        raise ConfigError(
            f"{spec.title} would be another run here than was planned; what differs: {', '.join(differing)}. "
            "Install the same code, libraries and plug-ins on all machines"
        )


@lru_cache(maxsize=1)
def _unpacked(packed: PackedBench) -> Bench:
    bench: Bench = cloudpickle.loads(packed.content)  # packed by the process that started this one
    return bench


@lru_cache(maxsize=1)
def _bench_here(packed: PackedBench, planner: Planner) -> Bench:
    try:
        bench = packed.bench
    except AscBenchError:
        raise
    except Exception as error:
        raise ConfigError(f"the protocol cannot be unpacked: {type(error).__name__}: {error}") from error
    return bench if planner.is_here else found_here(bench, cache=planner.cache_here())
