"""``asc-bench figure``: a published figure drawn again from runs of our own."""

from __future__ import annotations

from typing import Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.cut import CONTEXT

__all__ = ["CONTEXT", "command"]


def command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Such as caa-net/fig5; without a name, all are listed.")] = "",
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    synthetic: options.Synthetic = False,
    synthetic_size: options.SyntheticSize = "small",
    synthetic_seed: options.SyntheticSeed = 0,
    sources: options.Sources = "",
    repeats: options.Repeats = 1,
    jobs: options.Jobs = 1,
    backend: options.Backend = "loky",
    scheduler: options.Scheduler = "",
    threads: options.Threads = 0,
    device: options.Device = "auto",
    only: options.Only = "",
    force: options.Force = False,
    dry_run: options.DryRun = False,
    keep_weights: options.KeepWeights = False,
    data: options.Data = None,
    cache: options.Cache = None,
    results: options.Results = options.RESULTS,
    quiet: options.Quiet = False,
) -> None:
    """Draw a published figure again, or a part of it; runs that it needs and that are not stored are made.

    The figure's own parameters are options too (`asc-bench figure` lists them).
    """
    from asc_bench.cli.cut import find, listing, own_options
    from asc_bench.cli.screen import Screen
    from asc_bench.cli.work import carry_out, conclude, orders
    from asc_bench.experiment.drawn import asked_parts, draw_figure
    from asc_bench.experiment.variant import parse_variants
    from asc_bench.registry import figures

    arguments = [*([name] if name else []), *context.args]
    if not arguments:
        typer.echo(listing(figures()))
        return
    item, cut = find(figures(), arguments, own_options(context))
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
        jobs=jobs,
        backend=backend,
        scheduler=scheduler,
        threads=threads,
        device=device,
        only=only,
        force=force,
        dry_run=dry_run,
        keep_weights=keep_weights or item.needs_weights,
        data=data,
        cache=cache,
        results=results,
    )
    parts = asked_parts(item, cut)
    with Screen(quiet=quiet) as screen:
        work = carry_out(
            order,
            screen,
            item.protocol,
            parse_variants(",".join(part.variant for part in parts)),
            heading=item.name,
        )
        if work is None:
            return
        with screen.phase("figure") as progress:
            progress(0.0, "drawing")
            tag = work.bench.tagged(order.selection, order.augmentation)
            folder = results / "figures" / item.name / tag / budget
            written = draw_figure(item, parts, work, order.settings, folder, cut=cut, progress=progress)
    if written:
        typer.echo("\n".join(str(path) for path in written))
    else:
        typer.echo(f"{item.name}: no run is done, so nothing is drawn", err=True)
    conclude(work)
