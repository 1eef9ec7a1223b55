"""``asc-bench report``: tables and figures again, from stored runs alone."""

from __future__ import annotations

from typing import Annotated

import typer

from asc_bench.cli import options


def command(
    protocol: options.Protocol,
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    systems: Annotated[str, typer.Option("--systems", "-s", help="Globs over stored systems.")] = "*",
    synthetic: options.Synthetic = False,
    folds: options.Folds = "",
    reference: Annotated[str, typer.Option(help="Compare every system with this one; else all pairs.")] = "",
    probability_scores: options.ProbabilityScores = True,
    results: options.Results = options.RESULTS,
) -> None:
    """Write the tables again, from stored runs alone.

    Takes the newest run of every system stored for the protocol; the recordings are not needed.
    """
    from asc_bench.stored_results import stored_results

    found = stored_results(
        results,
        protocol,
        budget=budget,
        systems=systems,
        folds=options.split(folds),
        synthetic=synthetic,
        selection=options.selection(as_published, hold_out),
        augment=augment,
    )
    for stored in found.values():
        written = stored.report(reference=reference or None, probability_scores=probability_scores)
        typer.echo(written.text)
        typer.echo(f"\nTables, figures and report: {written.folder}", err=True)
