"""The runs of a command, computed one after the other or side by side."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace

from asc_bench.bench.bench import Bench
from asc_bench.runs.heartbeat import Monitor, watching
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.pools import Killed, Pool, Processes, ThisProcess
from asc_bench.runs.runner import lost
from asc_bench.runs.settings import Progress, Settings, Workers
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.wrapper import WrapperSystem
from asc_bench.training.device import choose_devices
from asc_bench.training.precision import choose_precision

ATTEMPTS = 2
"""How often a run is begun whose process is killed."""


def execute(
    specs: Sequence[RunSpec],
    bench: Bench,
    store: ResultsStore,
    settings: Settings,
    workers: Workers,
    monitor: Monitor,
) -> list[StoredRun]:
    """Compute runs, each after those that it needs; those that another process holds are waited for in the end.

    A run whose process is killed, as by a system that is out of memory, is begun once more; then it has failed.

    Parameters
    ----------
    specs : sequence of RunSpec
        Which runs.
    bench, store
        As in `run_once`.
    settings : Settings
        Device and threads as they were asked for: they are chosen where a run is computed.
    workers : Workers
        How many runs go side by side, and on what.
    monitor : Monitor
        Informed of each run.

    Returns
    -------
    list of StoredRun
        In the order of ``specs``; failed ones included.

    Raises
    ------
    ConfigError
        For a device, a scheduler or workers that there are not, or workers that would compute other numbers.
    DataError
        If a worker on another machine does not see the same recordings.
    StoreError
        If results or features cannot be written.
    """
    results: dict[str, StoredRun] = {}
    attempts: Counter[str] = Counter()
    queue, held = Queue(specs), list[RunSpec]()
    n_running, wait, last = 0, False, None
    with _pool(specs, bench, store, settings, workers, monitor) as pool, watching(specs, store, monitor):
        while queue.left or held or n_running:
            if not queue.ready and not n_running:
                queue.ready.extend(held)
                held, wait = [], True
            while queue.ready and pool.has_room():
                pool.submit(queue.ready.popleft(), wait=wait)
                n_running += 1
            spec, outcome = pool.next()
            n_running -= 1
            if outcome is None:
                held.append(spec)
                monitor.progress(spec, 0.0, "already running in another process")
                continue
            if isinstance(outcome, Killed):
                attempts[spec.key] += 1
                if attempts[spec.key] < ATTEMPTS:
                    monitor.say(f"  again   {spec.title}: its process on {outcome.where} was killed")
                    queue.ready.append(spec)
                    continue
                outcome = lost(spec, bench, store, settings, where=outcome.where, attempts=ATTEMPTS)
            last = results[spec.key] = outcome.sharing(last)
            queue.finished(spec)
            monitor.finished(spec, last)
    return [results[spec.key] for spec in specs]


class Queue:
    """Runs to compute; one that needs others of the same command is ready once they are finished.

    Parameters
    ----------
    specs : sequence of RunSpec
        All of them, once each.
    """

    def __init__(self, specs: Sequence[RunSpec]) -> None:
        keys = {spec.key for spec in specs}
        self.ready: deque[RunSpec] = deque()
        self._needs: dict[str, set[str]] = {}
        self._needed_by: dict[str, list[RunSpec]] = {}
        for spec in specs:
            needs = {needed.key for needed in spec.needs} & keys
            if not needs:
                self.ready.append(spec)
            else:
                self._needs[spec.key] = needs
            for key in needs:
                self._needed_by.setdefault(key, []).append(spec)

    @property
    def left(self) -> bool:
        """Whether there are runs that were not taken from ``ready``."""
        return bool(self.ready or self._needs)

    def finished(self, spec: RunSpec) -> None:
        """Note that a run is stored, done or failed."""
        for waiting in self._needed_by.pop(spec.key, ()):
            self._needs[waiting.key].discard(spec.key)
            if not self._needs[waiting.key]:
                del self._needs[waiting.key]
                self.ready.append(waiting)


def _trains_network(spec: RunSpec) -> bool:
    return issubclass(spec.variant.system, TorchSystem | WrapperSystem)


def _pool(
    specs: Sequence[RunSpec],
    bench: Bench,
    store: ResultsStore,
    settings: Settings,
    workers: Workers,
    monitor: Monitor,
) -> Pool:
    devices = ("auto",) if workers.scheduler else choose_devices(settings.device, workers.n_jobs)
    if settings.precision is None and not workers.scheduler and any(map(_trains_network, specs)):
        # Decided once for all runs on this machine; workers elsewhere decide for theirs.
        settings = replace(settings, precision=choose_precision(devices[0]))
    if workers.backend == "dask":
        from asc_bench.runs.cluster import Cluster

        return Cluster(specs, bench, store, settings, workers, monitor)
    n_jobs = min(max(workers.n_jobs, len(devices)), len(specs))
    if n_jobs == 1:
        alone = replace(settings, device=devices[0]).here(n_sharing=workers.n_jobs)

        def progress(spec: RunSpec) -> Progress:
            return lambda fraction, text: monitor.progress(spec, fraction, text)

        return ThisProcess(bench, store, alone, progress)
    shared = replace(settings, device=devices[0]).here(n_sharing=max(workers.n_jobs, len(devices)))
    return Processes(bench, store, shared, [devices[index % len(devices)] for index in range(n_jobs)])
