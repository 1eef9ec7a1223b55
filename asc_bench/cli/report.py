"""``asc-bench report``: tables and figures again, from stored runs alone."""

from __future__ import annotations

from typing import Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo, echo_report


def command(
    protocol: options.Protocol,
    budget: options.BudgetName = "quick",
    as_published: options.AsPublished = False,
    hold_out: options.HoldOut = False,
    augment: options.Augment = "",
    systems: Annotated[
        str, typer.Option("--systems", "-s", help="Names and globs over stored systems, for a table of their own.")
    ] = "",
    synthetic: options.Synthetic = False,
    unofficial_split: options.UnofficialSplit = False,
    unofficial_files: options.UnofficialFiles = False,
    folds: options.Folds = "",
    reference: Annotated[str, typer.Option(help="Compare every system with this; else with the best.")] = "",
    probability_scores: options.ProbabilityScores = True,
    figures: Annotated[
        str,
        typer.Option(
            help="default, all, none, or some of scores, ranks, pareto, devices, confusion, classes and "
            "learning-curves."
        ),
    ] = "default",
    figure_width: Annotated[
        str,
        typer.Option(
            help="For print: one-column (3.5 in), two-columns (7.16 in) or inches; letters keep their size, and "
            "figures come as PDF too."
        ),
    ] = "",
    titles: Annotated[bool, typer.Option("--titles/--no-titles", help="Titles above figures.")] = True,
    results: options.Results = options.RESULTS,
) -> None:
    """Write the tables again, from stored runs alone; the recordings are not needed.

    Each table is made again of the systems that it was made of, with their newest runs; with --folds, in a folder
    below its own. With --systems another table is made; so is one of all stored systems where there is none yet.
    """
    from pathlib import Path

    from asc_bench.reporting.figures import FigureStyle
    from asc_bench.reporting.report_figures import FigureChoice
    from asc_bench.stored_results import require_folds, stored_results, stored_tables

    # Refused before anything is read.
    FigureChoice.of(figures, style=FigureStyle.of(figure_width))
    chosen = options.selection(as_published, hold_out)
    some_folds = options.split(folds)
    tables = (
        []
        if systems
        else list(
            stored_tables(
                Path(results),
                protocol,
                budget=budget,
                folds=some_folds,
                synthetic=synthetic,
                selection=chosen,
                augment=augment,
                unofficial_split=unofficial_split,
                unofficial_files=unofficial_files,
            )
        )
    )
    if reference:
        tables = [table for table in tables if reference in table[0].systems]
    if not tables:
        stored = stored_results(
            Path(results),
            protocol,
            budget=budget,
            systems=systems or "*",
            folds=some_folds,
            synthetic=synthetic,
            selection=chosen,
            augment=augment,
            unofficial_split=unofficial_split,
            unofficial_files=unofficial_files,
        )
        tables = [(found, None, True) for found in stored.values()]
    for found, *_ in tables:
        require_folds(found)
    for found, compared_with, with_probabilities in tables:
        report = found.report(
            reference=reference or compared_with,
            probability_scores=probability_scores and with_probabilities,
            figures=figures,
            figure_width=figure_width,
            titles=titles,
        )
        echo_report(report)
        echo(f"\nTables, figures and report: {report.folder}", err=True)
