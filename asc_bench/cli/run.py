"""``asc-bench run``: from the command to the table."""

from __future__ import annotations

from typing import Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.shared import Training, takes


@takes(Training)
def command(
    protocol: options.Protocol,
    systems: options.Systems = "all",
    folds: options.Folds = "",
    reference: Annotated[str, typer.Option(help="Compare every system with this one; else all pairs.")] = "",
    probability_scores: options.ProbabilityScores = True,
    *,
    given: Training,
) -> None:
    """Run systems under a protocol and write the tables.

    What is stored already is not computed again: the same command goes on where it stopped.
    """
    from asc_bench.cli.screen import Screen
    from asc_bench.cli.work import carry_out, conclude, orders
    from asc_bench.runs.variant import parse_variants

    variants = parse_variants(systems)
    order = orders(given, folds=folds)
    with Screen(quiet=given.quiet) as screen:
        work = carry_out(order, screen, protocol, variants)
        if work is None:
            return
        with screen.phase("tables") as progress:
            from asc_bench.reporting.report_runs import report as write_report

            progress(0.0, "resampling recording locations")
            report = write_report(
                work.bench.protocol,
                work.runs,
                options.tables_folder(
                    given.results,
                    work.bench.tagged(order.selection, order.augmentation),
                    given.budget,
                    order.folds,
                ),
                folds=order.folds,
                reference=reference or None,
                probability_scores=probability_scores,
            )
    typer.echo(report.text)
    if not given.quiet:
        typer.echo(f"\nTables, figures and report: {report.folder}", err=True)
    conclude(work)
