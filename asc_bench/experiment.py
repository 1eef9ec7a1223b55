"""From a protocol and systems to finished runs: recordings, plan, what is stored, and computing the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack, get_args

from asc_bench.bench.augmentation import Augmentation
from asc_bench.bench.bench import Bench, Selection
from asc_bench.bench.completeness import incomplete, suggestion
from asc_bench.bench.source import Source
from asc_bench.budget import Budget
from asc_bench.errors import ConfigError
from asc_bench.joint_results import joined
from asc_bench.plain_values import paths, texts
from asc_bench.registry import ProtocolLike, protocol_set
from asc_bench.results import Results, tables_folder
from asc_bench.run_options import Options, complete, one_of
from asc_bench.runs.durations import TimeLeft, expectation, stored_durations
from asc_bench.runs.energy import check_country
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.settings import Backend, Settings, Workers
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.trackers import check_trackers
from asc_bench.runs.variant import SystemLike, Variant, variants_of
from asc_bench.runs.work import Work, compute, prepare, survey
from asc_bench.screen import Unwatched, Watcher, screen
from asc_bench.synthetic import sizes
from asc_bench.training.device import choose_devices, uses_gpu
from asc_bench.training.precision import ARITHMETICS, asked_for


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """How runs are planned, computed and stored: all but the protocol and the systems.

    Attributes
    ----------
    source : Source
        Where recordings come from.
    budget : Budget
        How long each system may train.
    store : ResultsStore
        Where runs are kept.
    settings : Settings
        Cache, device and whether weights are kept.
    selection : Selection
        What may be chosen on which clips.
    augmentation : Augmentation, optional
        Deformed copies of the training clips to train on as well.
    repeats : int
        Repeats of every run, each with a seed of its own.
    folds : tuple of str
        Fold names; empty for all.
    workers : Workers
        How many runs go side by side.
    only : {"", "missing", "failed"}
        Leave the other runs alone.
    force : bool
        Compute again what is stored.
    strict_code : bool
        Compute again what other code computed, whatever it declares.
    """

    source: Source
    budget: Budget = Budget.QUICK
    store: ResultsStore
    settings: Settings
    selection: Selection = Selection.OWN
    augmentation: Augmentation | None = None
    repeats: int = 1
    folds: tuple[str, ...] = ()
    workers: Workers = field(default_factory=Workers)
    only: str = ""
    force: bool = False
    strict_code: bool = False

    @classmethod
    def of(cls, **options: Unpack[Options]) -> Experiment:
        """Make one from plain values.

        Raises
        ------
        ConfigError
            For an option or a value that there is not, with the near ones, or a value of the wrong type.
        """
        given = complete(options)
        cache = given["cache"]
        if min(given["repeats"], given["n_jobs"]) < 1:
            raise ConfigError(
                f"repeats is {given['repeats']}, n_jobs is {given['n_jobs']}; both must be at least 1"
            )
        if given["n_threads"] < 0:
            raise ConfigError(f"n_threads is {given['n_threads']}, but must be 0 (share the cores) or more")
        source = Source(
            roots=paths(given["data"]),
            synthetic=given["synthetic"],
            synthetic_size=one_of("synthetic_size", given["synthetic_size"], sizes()),
            synthetic_seed=given["synthetic_seed"],
            cache=None if cache is None else Path(cache),
            sources=texts(given["sources"]),
            allow_missing_training=given["allow_missing_training"],
            unofficial_split=given["unofficial_split"],
            unofficial_files=given["unofficial_files"],
        )
        backend = one_of("backend", given["backend"], get_args(Backend))
        return cls(
            source=source,
            budget=Budget(one_of("budget", given["budget"], list(Budget))),
            store=ResultsStore(Path(given["results"])),
            settings=Settings(
                cache=source.cache_folder,
                device=given["device"],
                n_threads=given["n_threads"],
                keep_weights=given["keep_weights"],
                precision=asked_for(one_of("precision", given["precision"], ("auto", *ARITHMETICS))),
                measure_inference=given["measure_inference"],
                energy=check_country(given["energy"]),
                log=check_trackers(texts(given["log"])),
            ),
            selection=Selection(one_of("selection", given["selection"], list(Selection))),
            augmentation=Augmentation.parse(str(given["augment"])) if given["augment"] else None,
            repeats=given["repeats"],
            folds=texts(given["folds"]),
            workers=Workers(given["n_jobs"], "dask" if given["scheduler"] else backend, given["scheduler"]),
            only=one_of("only", given["only"], ("", "missing", "failed")),
            force=given["force"],
            strict_code=given["strict_code"],
        )

    def bench(self, protocol: ProtocolLike, watcher: Watcher | None = None) -> Bench:
        """A protocol applied to its recordings, every file of which is checked; raises as ``Source.bench``."""
        with (watcher or Unwatched()).phase("recordings") as progress:
            return self.source.bench(protocol, progress)

    def plan(self, bench: Bench, variants: Iterable[Variant]) -> list[RunSpec]:
        """Every run of some systems; raises as `plan` of ``asc_bench.runs.plan``."""
        return plan(
            bench,
            variants,
            budget=self.budget,
            repeats=range(self.repeats),
            folds=self.folds,
            selection=self.selection,
            augmentation=self.augmentation,
        )

    def survey(
        self, bench: Bench, specs: Sequence[RunSpec], *, wanted: Callable[[RunSpec], bool] = lambda spec: True
    ) -> Work:
        """What is stored of some runs, and which of the wanted ones are left to compute."""
        return survey(
            specs,
            bench,
            self.store,
            self.settings,
            wanted=wanted,
            only=self.only,
            force=self.force,
            strict_code=self.strict_code,
        )

    def compute(self, work: Work, watcher: Watcher | None = None) -> Work:
        """Compute what is left.

        Returns
        -------
        Work
            As it stands then. Runs that failed are among its runs, with their error in the manifest.

        Raises
        ------
        IncompleteDataError
            If the data set lacks files: no score comes from it, so nothing is run.
        StoreError
            If results or features cannot be written.
        """
        refuse_incomplete(work.bench)
        if not work.todo:
            return work
        if not self.workers.scheduler:
            choose_devices(self.settings.device, self.workers.n_jobs)  # a GPU that is not there is said first
        watcher = watcher or Unwatched()
        with watcher.phase("features") as progress:
            prepare(
                work,
                self.store,
                self.settings,
                progress,
                force=self.force or self.strict_code,
                features=not self.workers.scheduler,
            )
        watcher.expect(TimeLeft(work.todo, self._known(work), self._n_jobs()))
        return compute(work, self.store, self.settings, self.workers, watcher)

    def expectation(self, work: Work) -> str:
        """A sentence on how long the runs that are left will take, by stored ones."""
        if work.todo and self.workers.scheduler:
            return f"Time: unknown, since {self.workers.scheduler} decides how many runs go side by side."
        return expectation(work.todo, self._known(work), self._n_jobs())

    def _known(self, work: Work) -> dict[str, float]:
        gpu = uses_gpu(self.settings.device)
        return stored_durations(work.todo, self.store, gpu=gpu)

    def _n_jobs(self) -> int:
        """Runs side by side on this machine: with ``cuda:*`` one on each GPU, however few jobs were asked for."""
        asked, device = self.workers.n_jobs, self.settings.device
        with suppress(ConfigError):  # of a GPU that is not there whoever computes will tell
            return asked if self.workers.scheduler else max(asked, len(choose_devices(device, asked)))
        return asked

    def results(self, work: Work, table: str) -> Results:
        """What is there of some runs; their tables lie below the folder of results, under the name of the set."""
        tag = work.bench.tagged(self.selection, self.augmentation)
        return Results(
            protocol=work.bench.protocol,
            runs=tuple(work.runs),
            folder=tables_folder(self.store.root, tag, str(self.budget), table, self.folds),
            folds=self.folds,
            unfinished=tuple(spec.title for spec in work.unfinished),
        )


def run(
    protocol: ProtocolLike,
    systems: SystemLike | Iterable[SystemLike] = "all",
    *,
    table: str = "",
    progress: bool = True,
    **options: Unpack[Options],
) -> Results:
    """Run systems under a protocol. What is stored already is not computed again.

    Parameters
    ----------
    protocol : str, Protocol or type
        By name, or one of your own; it need not be registered. By the name of a set, such as ``dcase2024``, all of
        its protocols are run, and the results are those of their mean.
    systems : str, System, type or variant, or several of them
        Names, globs and ``name[setting=value]``, separated by commas; classes and instances that need not be
        registered; what `get_system` gives.
    table : str
        Name of this set of systems: `Results.report` writes its tables into a folder of this name. By default made
        of the systems' own names.
    progress : bool
        Show progress.
    **options
        Those of `Options`, such as ``budget``, ``data``, ``repeats`` and ``n_jobs``.

    Returns
    -------
    Results
        All runs, failed ones too.

    Raises
    ------
    ConfigError
        For an unknown name or value, with the near ones.
    DataError
        If recordings are not found, broken or incomplete.
    StoreError
        If results cannot be written.

    Examples
    --------
    >>> import asc_bench
    >>> results = asc_bench.run(  # doctest: +SKIP
    ...     "esc10", ["logmel-svm", asc_bench.get_system("sb-cnn", bn=True)], data="/data", repeats=3
    ... )
    >>> results.scores()  # doctest: +SKIP
    """
    experiment, variants = Experiment.of(**options), variants_of(systems)
    if members := protocol_set(protocol):
        if experiment.folds:
            raise ConfigError(f"{protocol} is the mean of {len(members)} protocols: folds are those of one of them")
        return joined(str(protocol), {cls(): _run(cls, experiment, variants, table, progress) for cls in members})
    return _run(protocol, experiment, variants, table, progress)


def _run(
    protocol: ProtocolLike, experiment: Experiment, variants: Sequence[Variant], table: str, progress: bool
) -> Results:
    """One protocol."""
    with screen(quiet=not progress) as watcher:
        bench = experiment.bench(protocol, watcher)
        work = experiment.survey(bench, experiment.plan(bench, variants))
        watcher.say(work.summary())
        if work.todo:
            watcher.say(experiment.expectation(work))
        return experiment.results(experiment.compute(work, watcher), table or named(variants))


def named(variants: Iterable[Variant]) -> str:
    """A name for the tables of some systems."""
    return ",".join(str(variant) for variant in variants)


def refuse_incomplete(bench: Bench) -> None:
    """Refuse a data set that no score may come from.

    Raises
    ------
    IncompleteDataError
        With every fault, and how to repair it.
    """
    if not bench.dataset.complete:
        raise incomplete(bench.protocol.name, bench.dataset, *suggestion(bench.dataset, bench.folds))
