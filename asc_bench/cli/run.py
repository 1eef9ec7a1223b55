"""``asc-bench run``: from the command to the table."""

from __future__ import annotations

from typing import Annotated

import typer

from asc_bench.cli import options


def command(
    protocol: options.Protocol,
    systems: options.Systems = "all",
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    synthetic: options.Synthetic = False,
    synthetic_size: options.SyntheticSize = "small",
    synthetic_seed: options.SyntheticSeed = 0,
    sources: options.Sources = "",
    repeats: options.Repeats = 1,
    folds: options.Folds = "",
    jobs: options.Jobs = 1,
    backend: options.Backend = "loky",
    scheduler: options.Scheduler = "",
    threads: options.Threads = 0,
    device: options.Device = "auto",
    only: options.Only = "",
    force: options.Force = False,
    dry_run: options.DryRun = False,
    keep_weights: options.KeepWeights = False,
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
    from asc_bench.cli.work import carry_out, conclude, orders
    from asc_bench.experiment.variant import parse_variants

    variants = parse_variants(systems)
    order = orders(
        budget=budget,
        as_published=as_published,
        hold_out=hold_out,
        augment=augment,
        synthetic=synthetic,
        synthetic_size=synthetic_size,
        synthetic_seed=synthetic_seed,
        sources=sources,
        repeats=repeats,
        folds=folds,
        jobs=jobs,
        backend=backend,
        scheduler=scheduler,
        threads=threads,
        device=device,
        only=only,
        force=force,
        dry_run=dry_run,
        keep_weights=keep_weights,
        data=data,
        cache=cache,
        results=results,
    )
    with Screen(quiet=quiet) as screen:
        work = carry_out(order, screen, protocol, variants)
        if work is None:
            return
        with screen.phase("tables") as progress:
            from asc_bench.experiment.summary import report as write_report

            progress(0.0, "resampling recording locations")
            report = write_report(
                work.bench.protocol,
                work.runs,
                options.tables_folder(results, work.bench.tagged(order.selection, order.augmentation), budget),
                folds=order.folds,
                reference=reference or None,
            )
    typer.echo(report.text)
    if not quiet:
        typer.echo(f"\nTables, figures and report: {report.folder}", err=True)
    conclude(work)
