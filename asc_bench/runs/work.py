"""What a command asks for, what is stored of it, and computing the rest."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asc_bench.bench.augmentation import Augmentation
from asc_bench.bench.bench import Bench
from asc_bench.bench.host import n_cores
from asc_bench.errors import StoreError
from asc_bench.features.frontends import FrontEnd
from asc_bench.names import count
from asc_bench.runs.heartbeat import Monitor
from asc_bench.runs.parallel import execute
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.runner import skipped
from asc_bench.runs.settings import Progress, Settings, Workers
from asc_bench.runs.store import ResultsStore, StoredRun

_log = logging.getLogger("asc_bench")


@dataclass(frozen=True)
class Work:
    """Runs of a command, and what is there of them.

    Attributes
    ----------
    bench : Bench
        Protocol and data.
    specs : tuple of RunSpec
        All that are shown.
    wanted : tuple of RunSpec
        Those of them that are to be computed where they are not stored, and the members of fusions and teachers of
        distillations among them.
    stored : mapping
        By run key: finished, failed and skipped runs.
    todo : tuple of RunSpec
        What is left to compute.
    """

    bench: Bench
    specs: tuple[RunSpec, ...]
    wanted: tuple[RunSpec, ...]
    stored: Mapping[str, StoredRun]
    todo: tuple[RunSpec, ...]

    @property
    def runs(self) -> list[StoredRun]:
        """What is there, in the order of ``specs``."""
        return [self.stored[s.key] for s in self.specs if s.key in self.stored]

    @property
    def unfinished(self) -> list[RunSpec]:
        """Wanted runs that failed or are missing; a system that refuses its task has none."""
        return [s for s in self.wanted if not s.refusal and (s.key not in self.stored or not self._done(s))]

    def summary(self) -> str:
        """How many systems, folds and runs there are, and how many of these are left to compute."""
        kind = " (SYNTHETIC dataset)" if self.bench.dataset.synthetic else ""
        counted = (
            count(len({str(s.variant) for s in self.wanted}), "system"),
            count(len({s.fold for s in self.wanted if s.part is None}), "fold"),
            count(len(self.wanted), "run"),
        )
        return (
            f"{self.bench.protocol.name} on {self.bench.dataset.name}{kind}: {', '.join(counted)}; "
            f"{len(self.wanted) - len(self.todo)} stored or skipped, {len(self.todo)} to compute"
        )

    def by_variant(self) -> dict[str, list[StoredRun | None]]:
        """Every run of a variant, None for one that is missing; variants in the order of ``specs``."""
        runs: dict[str, list[StoredRun | None]] = {}
        for spec in self.specs:
            runs.setdefault(str(spec.variant), []).append(self.stored.get(spec.key))
        return runs

    def _done(self, spec: RunSpec) -> bool:
        return self.stored[spec.key].done


def survey(
    specs: Sequence[RunSpec],
    bench: Bench,
    store: ResultsStore,
    settings: Settings,
    *,
    wanted: Callable[[RunSpec], bool] = lambda spec: True,
    only: str = "",
    force: bool = False,
    strict_code: bool = False,
) -> Work:
    """Look up what is stored.

    Parameters
    ----------
    specs : sequence of RunSpec
        All runs that are shown.
    bench, store, settings
        As in ``run_once``.
    wanted : callable
        Which of them are to be computed; the others are shown if they are stored.
    only : {"", "missing", "failed"}
        Leave the failed or the missing ones alone.
    force : bool
        Take no wanted run for stored.
    strict_code : bool
        Take no wanted run for stored that other code computed, whatever ``numerics_version`` says.
    """
    chosen = tuple(with_members(s for s in specs if wanted(s)))
    keys = {s.key for s in chosen}
    stored = {s.key: skipped(s, bench, settings) for s in specs if s.refusal}
    for spec in with_members(specs):
        if spec.key in stored or (force and spec.key in keys):
            continue
        run = store.load(spec, with_weights=(settings.keep_weights or spec.keeps_weights) and spec.key in keys)
        stale = run is not None and (not settings.accept(run.manifest) or (strict_code and code_changed(run, spec)))
        if run is None or (stale and spec.key in keys):
            continue
        stored[spec.key] = run
    states = {s.key: str(stored[s.key].manifest["status"]) if s.key in stored else "missing" for s in chosen}
    left = ("missing", "failed") if not only else (only,)
    return Work(bench, tuple(specs), chosen, stored, tuple(s for s in chosen if states[s.key] in left))


def code_changed(run: StoredRun, spec: RunSpec) -> bool:
    """Whether a stored run was computed by other code than the present one, its declared numerics being equal."""
    return run.manifest.get("code") not in (None, spec.code)


def prepare(
    work: Work,
    store: ResultsStore,
    settings: Settings,
    progress: Callable[[float, str], None],
    *,
    force: bool = False,
    features: bool = True,
) -> None:
    """Clear the way for what is left to compute, and fill the feature cache.

    Parameters
    ----------
    work : Work
        From ``survey``.
    store, settings
        As in ``run_once``.
    progress : callable
        Told how far the features are.
    force : bool
        Remove the stored runs first.
    features : bool
        Whether to fill the cache; other machines compute features where they need them.

    Raises
    ------
    StoreError
        If results or features cannot be written, or results cannot be locked.
    """
    store.require_locks()
    if force:
        store.forget(work.todo)
    store.sweep()
    if features:
        augmentation = next((spec.augmentation for spec in work.todo), None)
        fill_cache(work.bench, front_ends(work.todo), settings.cache, progress, augmentation=augmentation)


def compute(work: Work, store: ResultsStore, settings: Settings, workers: Workers, monitor: Monitor) -> Work:
    """Compute what is left, and return the work as it stands then. Parameters are those of ``execute``."""
    runs = execute(work.todo, work.bench, store, settings, workers, monitor)
    fresh = {spec.key: run for spec, run in zip(work.todo, runs, strict=True)}
    return replace(work, stored={**work.stored, **fresh}, todo=())


def with_members(specs: Iterable[RunSpec]) -> list[RunSpec]:
    """Every run once, what it needs before it: members of a fusion, teachers; of one that is refused none."""
    found: dict[str, RunSpec] = {}
    for spec in specs:
        for one in (*with_members(() if spec.refusal else spec.needs), spec):
            known = found.setdefault(one.key, one)
            if one.keeps_weights and not known.keeps_weights:
                found[one.key] = replace(known, keeps_weights=True)
    return list(found.values())


def front_ends(specs: Iterable[RunSpec]) -> list[FrontEnd]:
    """The distinct front ends of some runs, in order."""
    return list(dict.fromkeys(spec.front_end for spec in specs if spec.front_end and not spec.refusal))


def fill_cache(
    bench: Bench,
    ends: Sequence[FrontEnd],
    cache: Path,
    progress: Progress,
    *,
    augmentation: Augmentation | None = None,
) -> None:
    """Compute every feature array that is not cached yet, with ``augmentation`` that of the copies too."""
    tables: dict[Augmentation | None, int] = {None: len(bench.waveforms)}
    if augmentation:
        tables[augmentation] = len(bench.copies(augmentation)[0])
    n_rows = len(ends) * sum(tables.values())
    n_done = 0
    for front_end, (copies, n_of_table) in itertools.product(ends, tables.items()):

        def step(fraction: float, text: str, n_done: int = n_done, n: int = n_of_table) -> None:
            progress((n_done + fraction * n) / n_rows, text)

        n_done += n_of_table
        try:
            bench.features(front_end, cache=cache, n_jobs=n_cores(), augmentation=copies, progress=step)
        except (Exception, SystemExit) as error:
            if isinstance(error, StoreError) and error.is_below(cache):
                raise
            _log.warning("%s failed, and so will the systems that need it: %s", front_end, error)
