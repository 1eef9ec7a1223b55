"""``asc-bench reproduce``: a published table run again, every measured number above the published one."""

from __future__ import annotations

from typing import Annotated

import typer

from asc_bench.cli.cut import CONTEXT
from asc_bench.cli.printing import echo, terminal_width
from asc_bench.cli.shared import Training, takes

__all__ = ["CONTEXT", "command"]


@takes(Training)
def command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Such as caa-net/table2; without a name, all are listed.")] = "",
    *,
    given: Training,
) -> None:
    """Run a published table again, or a part of it.

    The table's own parameters are options too (`asc-bench reproduce` lists them): --topology atrous
    --pooling att,max computes and prints these cells; the files hold all that is stored of the table.
    """
    from asc_bench.cli.cut import find, listing, own_options
    from asc_bench.cli.transfer import transferred
    from asc_bench.cli.work import carry_out, conclude, experiment_of
    from asc_bench.papers.fill_table import Filled, asked, reproduce, table_cells
    from asc_bench.papers.registry import reproductions
    from asc_bench.papers.table import TransferTable
    from asc_bench.reporting.layout import MIN_WIDTH
    from asc_bench.runs.variant import parse_variants
    from asc_bench.screen import Screen

    arguments = [*([name] if name else []), *context.args]
    if not arguments:
        echo(listing(reproductions()))
        return
    item, cut = find(reproductions(), arguments, own_options(context))
    experiment = experiment_of(given, keep_weights=item.needs_weights)
    cells = table_cells(item)
    shown = asked(item, cells, cut)
    wanted = {cell.variant for cell in shown}
    part = "" if len(shown) == len(cells) else f" of {len(cells)}"
    heading = f"{item.name}, {len(shown)}{part} cells"
    partly = isinstance(item, TransferTable) and bool(part)
    with Screen(quiet=given.quiet) as screen:
        if isinstance(item, TransferTable):
            filled, tag = transferred(
                experiment, screen, item, shown, budget=given.budget, heading=heading, dry_run=given.dry_run
            )
        else:
            work = carry_out(
                experiment,
                screen,
                item.protocol,
                parse_variants(",".join(cell.variant for cell in cells)),
                wanted=lambda spec: str(spec.variant) in wanted,
                heading=heading,
                dry_run=given.dry_run,
            )
            filled = [Filled(cells, work)] if work else []
            tag = work.bench.tagged(experiment.selection, experiment.augmentation) if work else ""
        if given.dry_run:
            return
        with screen.phase("table") as progress:
            progress(0.0, "resampling recording locations")
            folder = given.results / "reproductions" / item.name / tag / given.budget
            # Targets that were not asked for are not even looked up, so a part must not replace the whole.
            folder = folder / "part" if partly else folder
            written = reproduce(item, filled, folder, cut=cut, settings=experiment.settings)
    echo(written.shown.to_text(max(terminal_width(), MIN_WIDTH)))
    if not given.quiet:
        what = "This part of the table" if partly else "The whole table"
        what += ", with intervals" if written.intervals else ""
        echo(f"{what}: {written.folder}/table.md .csv .tex", err=True)
    for done in filled:
        conclude(done.work.unfinished, len(done.work.wanted))
