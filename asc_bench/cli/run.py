"""``asc-bench run``: from the command to the table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asc_bench.cli.screen import Screen
    from asc_bench.experiment.parallel import Workers
    from asc_bench.experiment.plan import Bench, RunSpec
    from asc_bench.experiment.runner import Settings
    from asc_bench.experiment.store import ResultsStore, StoredRun


def command(
    protocol: options.Protocol,
    systems: options.Systems = "all",
    budget: options.BudgetName = "quick",
    synthetic: options.Synthetic = False,
    synthetic_size: options.SyntheticSize = "small",
    synthetic_seed: options.SyntheticSeed = 0,
    repeats: options.Repeats = 1,
    folds: options.Folds = "",
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Runs side by side.", min=1)] = 1,
    backend: Annotated[str, typer.Option(help="loky or dask, for more than one job.")] = "loky",
    scheduler: Annotated[str, typer.Option(help="Address of a dask scheduler; a local cluster if empty.")] = "",
    threads: Annotated[int, typer.Option(help="Threads of each run; 0 shares the cores.", min=0)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    only: Annotated[str, typer.Option(help="missing or failed: leave the other runs alone.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Compute again what is stored.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    reference: Annotated[str, typer.Option(help="Compare every system with this one; else all pairs.")] = "",
    data: options.Data = None,
    cache: options.Cache = None,
    results: options.Results = options.RESULTS,
    quiet: options.Quiet = False,
) -> None:
    """Run systems under a protocol and write the tables.

    What is stored already is not computed again: the same command goes on where it stopped.
    """
    from asc_bench.cli.screen import Screen
    from asc_bench.experiment.parallel import Workers
    from asc_bench.experiment.plan import plan
    from asc_bench.experiment.runner import Settings, skipped
    from asc_bench.experiment.store import ResultsStore
    from asc_bench.experiment.variant import parse_variants

    variants = parse_variants(systems)
    chosen_budget = options.budget(budget)
    options.one_of("--only", only, ("", "missing", "failed"))
    options.one_of("--backend", backend, ("loky", "dask"))
    source = options.source(data, cache, synthetic, synthetic_size, synthetic_seed)
    workers = Workers(jobs, backend, threads, scheduler)  # type: ignore[arg-type] # checked above
    with Screen(quiet=quiet) as screen:
        with screen.phase("recordings") as progress:
            bench = source.bench(protocol, progress)
        specs = plan(bench, variants, budget=chosen_budget, repeats=range(repeats), folds=options.split(folds))
        store = ResultsStore(results)
        settings = Settings(cache=source.cache_folder, device=device)
        refused = {s.key: skipped(s, bench, settings) for s in specs if s.refusal}
        kept = {} if force else {s.key: run for s in specs if (run := store.load(s)) is not None}
        stored = kept | refused
        todo = _select(specs, stored, only)
        _announce(screen, bench, specs, stored, todo)
        if dry_run:
            _print_plan(specs, stored)
            return
        if bench.faults():
            _refuse(bench)
        if todo:
            if force:
                store.forget(specs)
            stored |= _compute(screen, todo, bench, store, settings, workers)
        with screen.phase("tables") as progress:
            from asc_bench.experiment.summary import report as write_report

            progress(0.0, "resampling recording locations")
            report = write_report(
                bench.protocol,
                [stored[s.key] for s in specs if s.key in stored],
                options.tables_folder(results, bench.tag, budget),
                folds=options.split(folds),
                reference=reference or None,
            )
    typer.echo(report.text)
    if not quiet:
        typer.echo(f"\nTables, figures and report: {report.folder}", err=True)
    left = [s for s in specs if not s.refusal and (s.key not in stored or not stored[s.key].done)]
    if left:
        typer.echo(f"{len(left)} of {len(specs)} runs failed or are missing", err=True)
        raise typer.Exit(1)


def _select(specs: Sequence[RunSpec], stored: dict[str, StoredRun], only: str) -> list[RunSpec]:
    missing = [s for s in specs if s.key not in stored]
    failed = [s for s in specs if s.key in stored and stored[s.key].manifest["status"] == "failed"]
    if only == "missing":
        return missing
    return failed if only == "failed" else [s for s in specs if s in missing or s in failed]


def _compute(
    screen: Screen,
    todo: Sequence[RunSpec],
    bench: Bench,
    store: ResultsStore,
    settings: Settings,
    workers: Workers,
) -> dict[str, StoredRun]:
    from asc_bench.experiment.parallel import execute
    from asc_bench.experiment.source import fill_cache, front_ends
    from asc_bench.training.device import choose_device

    settings = replace(settings, device=choose_device(settings.device))
    store.sweep()
    with screen.phase("features") as progress:
        fill_cache(bench, front_ends(todo), settings.cache, progress)
    screen.expect(len(todo))
    runs = execute(todo, bench, store, settings, workers, screen)
    return {spec.key: run for spec, run in zip(todo, runs, strict=True)}


def _announce(
    screen: Screen,
    bench: Bench,
    specs: Sequence[RunSpec],
    stored: dict[str, StoredRun],
    todo: Sequence[RunSpec],
) -> None:
    kind = " (SYNTHETIC stand-in)" if bench.dataset.synthetic else ""
    counted = (
        _count(len({str(s.variant) for s in specs}), "system"),
        _count(len({s.fold for s in specs}), "fold"),
        _count(len(specs), "run"),
    )
    screen.say(
        f"{bench.protocol.name} on {bench.dataset.name}{kind}: {', '.join(counted)}; "
        f"{len(specs) - len(todo)} stored or skipped, {len(todo)} to compute"
    )


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def _print_plan(specs: Sequence[RunSpec], stored: dict[str, StoredRun]) -> None:
    for spec in specs:
        run = stored.get(spec.key)
        state = "to do" if run is None else run.manifest["status"]
        typer.echo(f"{state:7} {spec.key[:12]}  {spec.title}")


def _refuse(bench: Bench) -> None:
    typer.echo(f"{bench.protocol.name}: incomplete, so nothing is run and no score is given:", err=True)
    for fault in bench.faults():
        typer.echo(f"  {fault}", err=True)
    typer.echo(f"Mend the data set with: asc-bench prepare {bench.dataset.name} --download", err=True)
    raise typer.Exit(1)
