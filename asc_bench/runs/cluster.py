"""The workers of a dask cluster as a pool: one run at a time for each, none on the machine that planned them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from asc_bench.bench.bench import Bench
from asc_bench.bench.host import package_versions
from asc_bench.errors import ConfigError
from asc_bench.files import writing
from asc_bench.names import count
from asc_bench.runs.heartbeat import Monitor
from asc_bench.runs.job import Job, PackedBench, examine, perform_elsewhere
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.pools import Killed, Outcome
from asc_bench.runs.settings import Planner, Settings, Workers
from asc_bench.runs.store import ResultsStore

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 10.0
"""How long a scheduler may take to answer."""
WORKERS_S = 60.0
"""How long a scheduler may be without any worker: a batch system may be starting them."""
POLL_S = 1.0
_LOST = (OSError, TimeoutError, asyncio.CancelledError, concurrent.futures.CancelledError)
"""What dask raises where the scheduler or a connection to it is gone."""

_log = logging.getLogger("asc_bench")


@dataclass(frozen=True)
class Worker:
    """A worker as the scheduler knows it."""

    address: str
    host: str


class Cluster:
    """Runs go to dask workers as futures; where these run, with which code and files, is compared first.

    A run belongs to one worker, so that it is known which was computed on a worker that is gone. Workers that come
    later are used as well.

    Parameters
    ----------
    specs : sequence of RunSpec
        Everything that will be submitted.
    bench, store, settings
        As in `run_once`; device and threads are chosen on each worker.
    workers : Workers
        With the scheduler's address; without one a cluster is made on this machine.
    monitor : Monitor
        Told which workers there are.
    """

    def __init__(
        self,
        specs: Sequence[RunSpec],
        bench: Bench,
        store: ResultsStore,
        settings: Settings,
        workers: Workers,
        monitor: Monitor,
    ) -> None:
        self._specs, self._store, self._settings, self._workers = specs, store, settings, workers
        self._content = PackedBench.of(bench)
        self._planner = Planner.this(settings)
        self._monitor = monitor
        self._idle: dict[str, Worker] = {}
        self._examined: dict[str, Mapping[str, Any]] = {}
        self._asked: dict[str, Any] = {}
        self._begun = False
        self._probes: list[Job] = []
        self._running: dict[Any, tuple[RunSpec, Worker]] = {}
        self._left = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._client = stack.enter_context(_client(self._workers))
            self._token = stack.enter_context(_token(self._store))
            # A task, and not data that are sent: it is run again where the worker is gone that held its result.
            self._packed = self._client.submit(
                _itself, self._content, key=f"asc-bench-{self._content.number}", pure=False
            )
            self._examine()
            self._left = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(*_LOST):
            self._client.cancel(list(self._running))  # type: ignore[no-untyped-call]
        self._left.__exit__(kind, error, traceback)

    def has_room(self) -> bool:
        """See `Pool`; waits for a worker while none computes.

        Raises
        ------
        ConfigError
            If there is none for a minute that can compute these runs, or the scheduler does not answer any more.
        """
        deadline = time.monotonic() + WORKERS_S
        while not self._idle and not self._running:
            self._look()
            if not self._idle and time.monotonic() > deadline:
                raise ConfigError(
                    f"{self._name} has had no worker that can compute these runs for {WORKERS_S:.0f} s; {_AGAIN}"
                )
        return bool(self._idle)

    def submit(self, spec: RunSpec, *, wait: bool) -> None:
        """See `Pool`."""
        _, worker = self._idle.popitem()
        job = self._job(spec, wait=wait)
        future = self._client.submit(
            perform_elsewhere, self._packed, job, key=_key(spec.title), workers=[worker.address], pure=False
        )
        self._running[future] = spec, worker

    def next(self) -> tuple[RunSpec, Outcome]:
        """See `Pool`.

        Raises
        ------
        ConfigError
            If the scheduler does not answer any more, or a worker would compute other numbers.
        """
        while True:
            self._wait_for(self._running)
            there = self._look()
            for future, (spec, worker) in self._running.items():
                if future.done():
                    del self._running[future]
                    return spec, self._outcome(future, spec, worker)
                if worker.address not in there:
                    future.cancel()
                    del self._running[future]
                    return spec, Killed(worker.host)

    def _wait_for(self, futures: Iterable[Any]) -> None:
        """A second at most, until one of them is done."""
        from distributed import wait

        with contextlib.suppress(*_LOST):  # whoever asks for the result meets it
            wait(list(futures), timeout=POLL_S, return_when="FIRST_COMPLETED")  # type: ignore[no-untyped-call]

    def _look(self) -> dict[str, Worker]:
        """Find out which workers are there and idle; those that are new are examined first."""
        there = self._there()
        for address in there.keys() - self._examined.keys() - self._asked.keys():
            self._asked[address] = self._ask(address)
        if self._asked and not self._running:
            self._wait_for(self._asked.values())
        elif not self._running:
            time.sleep(POLL_S)
        for address, future in list(self._asked.items()):
            if address not in there:
                future.cancel()
                del self._asked[address]
            elif future.done():
                del self._asked[address]
                self._examined[address] = facts = _answer(future)
                if self._begun and facts["fault"]:
                    _log.warning("worker %s has joined and is left out: %s", address, facts["fault"])
        busy = {worker.address for future, (_, worker) in self._running.items() if not future.done()}
        able = {address for address, facts in self._examined.items() if not facts["fault"]}
        self._idle = {a: worker for a, worker in there.items() if a in able and a not in busy}
        return there

    def _ask(self, address: str) -> Any:
        """Let a worker say whether it can compute these runs."""
        return self._client.submit(
            examine, self._packed, self._probes, key=_key("examine"), workers=[address], pure=False
        )

    def _job(self, spec: RunSpec, *, wait: bool = False) -> Job:
        return Job.of(spec, self._store, self._settings, self._planner, wait=wait, token=self._token)

    @property
    def _name(self) -> str:
        return f"the dask scheduler at {self._workers.scheduler or 'this machine'}"

    def _outcome(self, future: Any, spec: RunSpec, worker: Worker) -> Outcome:
        from distributed import KilledWorker

        try:
            run = future.result()
        except KilledWorker:
            return Killed(worker.host)
        except _LOST as error:
            raise ConfigError(f"{self._name} has lost {spec.title}; {_AGAIN}") from error
        # The folder as it is called here.
        return run if run is None else replace(run, folder=self._store.runs / spec.folder)

    def _there(self) -> dict[str, Worker]:
        """Workers that the scheduler has, by address."""
        try:
            known: Mapping[str, Mapping[str, Any]] = self._client.scheduler_info(n_workers=-1)["workers"]
        except _LOST as error:
            raise ConfigError(f"{self._name} does not answer any more; {_AGAIN}") from error
        return {
            address: Worker(address, str(facts.get("host", address)))
            for address, facts in known.items()
            if facts.get("status") != "closing"
        }

    def _examine(self) -> None:
        """Compare code, plug-ins, recordings and the folder of results on every worker before the first run."""
        there = self._wait_for_workers()
        self._require_package(there)
        distinct = {(spec.variant, spec.budget): spec for spec in reversed(self._specs)}
        self._probes = [self._job(spec) for spec in distinct.values()]
        while self._look() and self._asked:
            pass
        found = self._examined
        faults = {address: facts["fault"] for address, facts in found.items() if facts["fault"]}
        if faults:
            shown = "\n".join(f"  {address} ({found[address]['host']}): {f}" for address, f in faults.items())
            raise ConfigError(f"{len(faults)} of {len(found)} workers cannot compute these runs:\n{shown}")
        self._begun = True
        hosts = Counter(str(facts["host"]) for facts in found.values())
        self._planner = replace(self._planner, n_workers=tuple(sorted(hosts.items())))
        named = ", ".join(f"{host} ({n})" for host, n in sorted(hosts.items()))
        self._monitor.say(f"{count(len(found), 'dask worker')} on {count(len(hosts), 'machine')}: {named}")
        _warn_of_versions(found)

    def _wait_for_workers(self) -> dict[str, Worker]:
        deadline = time.monotonic() + WORKERS_S
        if not self._there():
            self._monitor.say(f"waiting up to {WORKERS_S:.0f} s for workers of {self._name}")
        while not (there := self._there()):
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"{self._name} has no workers. Start some, such as: "
                    f"dask worker {self._workers.scheduler} --nthreads 1"
                )
            time.sleep(POLL_S)
        return there

    def _require_package(self, there: Mapping[str, Worker]) -> None:
        import importlib.metadata

        here = package_versions()["asc-bench"]
        answers = self._client.run(importlib.metadata.version, "asc-bench", on_error="return", workers=list(there))
        for address, answer in answers.items():
            if answer != here:
                state = f"asc-bench {answer}" if isinstance(answer, str) else "no asc-bench"
                raise ConfigError(f"worker {address} has {state}, this machine has {here}: install the same there")


_AGAIN = "what is stored is kept, and the same command computes the rest"


def _answer(future: Any) -> Mapping[str, Any]:
    """What `examine` found; a fault if it could not even begin."""
    try:
        answer: Mapping[str, Any] = future.result()
    except Exception as error:  # noqa: BLE001 - whatever the worker's Python raises is why it cannot
        return {"host": "", "fault": f"{type(error).__name__}: {error}", "versions": {}}
    return answer


def _itself(packed: PackedBench) -> PackedBench:
    return packed


def _key(title: str) -> str:
    """A name for dask's dashboard, and a number: the same run may be submitted again."""
    return f"{title}-{uuid.uuid4().hex}"


@contextlib.contextmanager
def _token(store: ResultsStore) -> Iterator[Path]:
    """A file in the folder of results: a worker that sees it writes where this machine reads."""
    path = store.root.absolute() / "locks" / f"planner-{uuid.uuid4().hex}"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _client(workers: Workers) -> Iterator[Client]:
    """A connection to the scheduler; raises ConfigError where there is none."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ConfigError("--backend dask needs the extra: pip install 'asc-bench[dask]'") from error
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_dask())
        if workers.scheduler:
            try:
                client = Client(workers.scheduler, timeout=CONNECT_S)  # type: ignore[no-untyped-call]
            except (OSError, TimeoutError, ValueError) as error:
                raise ConfigError(
                    f"no dask scheduler answers at {workers.scheduler!r} within {CONNECT_S:.0f} s ({error}). Start "
                    "one with `dask scheduler`, which prints its address"
                ) from error
        else:
            cluster = LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers.n_jobs, threads_per_worker=1, memory_limit=0, dashboard_address=":0"
            )
            stack.callback(cluster.close)
            client = Client(cluster)  # type: ignore[no-untyped-call]
        stack.callback(client.close)
        yield client


@contextlib.contextmanager
def _quiet_dask() -> Iterator[None]:
    """Keep dask from reporting lost connections as tracebacks: they are told in a sentence."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _warn_of_versions(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Tell of libraries whose release differs: the last bits of numbers may, too; manifests hold all versions."""
    here = package_versions()
    for address, facts in found.items():
        there = facts["versions"].items()
        other = [f"{name} {version} (here {here[name]})" for name, version in there if here[name] != version]
        if other:
            _log.warning("worker %s has other versions: %s", address, ", ".join(other))
