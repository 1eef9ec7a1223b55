"""``asc-bench figure``: a published figure drawn again from runs of our own."""

from __future__ import annotations

from typing import Annotated

import typer

from asc_bench.cli.cut import CONTEXT
from asc_bench.cli.printing import echo
from asc_bench.cli.shared import Training, takes

__all__ = ["CONTEXT", "command"]


@takes(Training)
def command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Such as caa-net/fig5; without a name, all are listed.")] = "",
    *,
    given: Training,
) -> None:
    """Draw a published figure again, or a part of it; runs that it needs and that are not stored are made.

    The figure's own parameters are options too (`asc-bench figure` lists them).
    """
    from asc_bench.cli.cut import find, listing, own_options
    from asc_bench.cli.work import carry_out, conclude, experiment_of
    from asc_bench.papers.draw_figure import asked_parts, draw_figure
    from asc_bench.papers.registry import figures
    from asc_bench.runs.variant import parse_variants
    from asc_bench.screen import Screen

    arguments = [*([name] if name else []), *context.args]
    if not arguments:
        echo(listing(figures()))
        return
    item, cut = find(figures(), arguments, own_options(context))
    experiment = experiment_of(given, keep_weights=item.needs_weights)
    parts = asked_parts(item, cut)
    with Screen(quiet=given.quiet) as screen:
        work = carry_out(
            experiment,
            screen,
            item.protocol,
            parse_variants(",".join(part.variant for part in parts)),
            heading=item.name,
            dry_run=given.dry_run,
        )
        if work is None:
            return
        with screen.phase("figure") as progress:
            progress(0.0, "drawing")
            tag = work.bench.tagged(experiment.selection, experiment.augmentation)
            folder = given.results / "figures" / item.name / tag / given.budget
            written = draw_figure(item, parts, work, experiment.settings, folder, cut=cut, progress=progress)
    if written:
        echo("\n".join(str(path) for path in written))
    else:
        echo(f"{item.name}: no run is done, so nothing is drawn", err=True)
    conclude(work.unfinished, len(work.wanted))
