"""What ``run``, ``reproduce`` and ``figure`` share: their options, the plan on the screen, the computing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from asc_bench.cli import options
from asc_bench.cli.shared import Computing, Training

if TYPE_CHECKING:
    from asc_bench.bench.augmentation import Augmentation
    from asc_bench.bench.bench import Bench, Selection
    from asc_bench.bench.source import Source
    from asc_bench.budget import Budget
    from asc_bench.cli.screen import Screen
    from asc_bench.runs.parallel import Workers
    from asc_bench.runs.plan import RunSpec
    from asc_bench.runs.settings import Settings
    from asc_bench.runs.store import ResultsStore
    from asc_bench.runs.variant import Variant
    from asc_bench.runs.work import Work


@dataclass(frozen=True, kw_only=True)
class Orders:
    """How a command is to work, from its options."""

    source: Source
    budget: Budget
    selection: Selection
    augmentation: Augmentation | None
    repeats: int
    folds: Sequence[str]
    store: ResultsStore
    settings: Settings
    workers: Workers
    only: str
    force: bool
    strict_code: bool
    dry_run: bool


def orders(given: Computing, *, folds: str = "", keep_weights: bool = False) -> Orders:
    """Check the options.

    Parameters
    ----------
    given : Computing
        Those that verbs share.
    folds : str
        Separated by commas; all if empty.
    keep_weights : bool
        Keep them whatever the options say.

    Raises
    ------
    ConfigError
        For a value that there is not, with the near ones.
    """
    from asc_bench.bench.bench import Selection
    from asc_bench.runs.parallel import Workers
    from asc_bench.runs.settings import Settings
    from asc_bench.runs.store import ResultsStore

    options.one_of("--only", given.only, ("", "missing", "failed"))
    options.one_of("--backend", given.backend, ("loky", "dask"))
    training = given if isinstance(given, Training) else None
    source = options.source(
        given.data, given.cache, given.synthetic, given.synthetic_size, given.synthetic_seed, given.sources
    )
    return Orders(
        source=source,
        budget=options.budget(given.budget),
        selection=options.selection(training.as_published, training.hold_out) if training else Selection.OWN,
        augmentation=options.augmentation(training.augment) if training else None,
        repeats=given.repeats,
        folds=options.split(folds),
        store=ResultsStore(given.results),
        settings=Settings(
            cache=source.cache_folder,
            device=given.device,
            keep_weights=keep_weights or bool(training and training.keep_weights),
        ),
        workers=Workers(given.jobs, given.backend, given.threads, given.scheduler),  # type: ignore[arg-type] # checked
        only=given.only,
        force=given.force,
        strict_code=given.strict_code,
        dry_run=given.dry_run,
    )


def carry_out(
    order: Orders,
    screen: Screen,
    protocol: str,
    variants: Sequence[Variant],
    *,
    wanted: Callable[[RunSpec], bool] = lambda spec: True,
    heading: str = "",
) -> Work | None:
    """Plan, say so, and compute what is not stored; None after ``--dry-run``.

    Parameters
    ----------
    order : Orders
        The options.
    screen : Screen
        Where progress is shown.
    protocol : str
        Its name.
    variants : sequence of Variant
        All systems that are shown.
    wanted : callable
        Which of their runs are to be computed.
    heading : str
        What the command makes of the runs; ``--dry-run`` prints it.

    Raises
    ------
    Exit
        With code 1 if the data set lacks files.
    """
    from asc_bench.runs.plan import plan

    with screen.phase("recordings") as progress:
        bench = order.source.bench(protocol, progress)
    specs = plan(
        bench,
        variants,
        budget=order.budget,
        repeats=range(order.repeats),
        folds=order.folds,
        selection=order.selection,
        augmentation=order.augmentation,
    )
    return carry_out_on(order, screen, bench, specs, wanted=wanted, heading=heading)


def carry_out_on(
    order: Orders,
    screen: Screen,
    bench: Bench,
    specs: Sequence[RunSpec],
    *,
    wanted: Callable[[RunSpec], bool] = lambda spec: True,
    heading: str = "",
) -> Work | None:
    """Do what ``carry_out`` does with runs that are planned already."""
    from asc_bench.runs.work import compute, prepare, survey

    work = survey(
        specs,
        bench,
        order.store,
        order.settings,
        wanted=wanted,
        only=order.only,
        force=order.force,
        strict_code=order.strict_code,
    )
    told = _told(work, heading)
    if order.dry_run:
        (typer.echo if heading else screen.say)(told)
        _print_plan(work)
        return None
    screen.say(told)
    if bench.faults():
        _refuse(work)
    if not work.todo:
        return work
    with screen.phase("features") as progress:
        settings = prepare(work, order.store, order.settings, progress, force=order.force or order.strict_code)
    screen.expect(len(work.todo))
    return compute(work, order.store, settings, order.workers, screen)


def conclude(work: Work) -> None:
    """Exit with code 1 if a wanted run failed or is missing."""
    if work.unfinished:
        typer.echo(f"{len(work.unfinished)} of {len(work.wanted)} runs failed or are missing", err=True)
        raise typer.Exit(1)


def count(n: int, thing: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def _told(work: Work, heading: str) -> str:
    bench = work.bench
    kind = " (SYNTHETIC dataset)" if bench.dataset.synthetic else ""
    counted = (
        count(len({str(s.variant) for s in work.wanted}), "system"),
        count(len({s.fold for s in work.wanted}), "fold"),
        count(len(work.wanted), "run"),
    )
    return (
        f"{heading}{': ' if heading else ''}{bench.protocol.name} on {bench.dataset.name}{kind}: "
        f"{', '.join(counted)}; {len(work.wanted) - len(work.todo)} stored or skipped, {len(work.todo)} to compute"
    )


def _print_plan(work: Work) -> None:
    for spec in work.wanted:
        run = work.stored.get(spec.key)
        state = "to do" if run is None else run.manifest["status"]
        typer.echo(f"{state:7} {spec.key[:12]}  {spec.title}")


def _refuse(work: Work) -> None:
    bench = work.bench
    typer.echo(f"{bench.protocol.name}: incomplete, so nothing is run and no score is given:", err=True)
    for fault in bench.faults():
        typer.echo(f"  {fault}", err=True)
    for dataset in bench.dataset.parts or (bench.dataset,):
        if not dataset.complete:
            typer.echo(f"To repair the data set: asc-bench prepare {dataset.name} --download", err=True)
    raise typer.Exit(1)
