"""``asc-bench run``: from the command to the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo, echo_report
from asc_bench.cli.shared import Running, takes

if TYPE_CHECKING:
    from asc_bench.runs.work import Work


@takes(Running)
def command(
    context: typer.Context,
    systems: options.Systems = "all",
    folds: options.Folds = "",
    reference: Annotated[str, typer.Option(help="Compare every system with this; else with the best.")] = "",
    probability_scores: options.ProbabilityScores = True,
    table: options.Table = "",
    slurm: options.Slurm = None,
    collect: options.Collect = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="A YAML file of commands in place of all options: docs/howto/study.md."),
    ] = None,
    *,
    given: Running,
) -> None:
    """Run systems under a protocol, or on a folder of your own, and write the tables.

    What is stored already is not computed again: the same command goes on where it stopped. How runs are spread
    over the GPUs of a machine and over a cluster: docs/scaling.md. The name of a set of protocols, such as
    dcase2024, runs all of them and writes the table of their mean.
    """
    from asc_bench.cli import study
    from asc_bench.registry import protocol_set

    if config is not None:
        return study.carry_out(config, context, dry_run=given.dry_run, quiet=given.quiet)

    members = protocol_set(given.protocol)
    if not members:
        return _run(systems, folds, reference, probability_scores, table, slurm, collect, given)
    failed: typer.Exit | None = None
    for member in members:
        one = replace(given, protocol=member.name)
        try:
            _run(systems, folds, reference, probability_scores, table, slurm, collect, one)
        except typer.Exit as exit_:
            failed = exit_
        if slurm is None and not given.dry_run:
            echo("\n")
    if slurm is None and not given.dry_run:
        _report_set(systems, table, reference, probability_scores, given)
    if failed is not None:
        raise failed
    return None


def _report_set(systems: str, table: str, reference: str, probability_scores: bool, given: Running) -> None:
    """The joint table of a set of protocols, from what is stored by now."""
    from asc_bench.results import tables_folder
    from asc_bench.runs.variant import variants_of
    from asc_bench.stored_results import stored_results

    found = stored_results(
        given.results,
        given.protocol,
        budget=given.budget,
        systems=",".join(map(str, variants_of(systems))),
        synthetic=given.synthetic,
        selection=options.selection(given.as_published, given.hold_out),
        augment=given.augment,
        unofficial_split=given.unofficial_split,
        unofficial_files=given.unofficial_files,
    )
    size = given.synthetic_size if given.synthetic else ""
    for data, results in found.items():
        sizes = {str(run.manifest.get("synthetic_size") or "") for run in results.runs}
        if size and sizes != {size}:
            continue
        folder = tables_folder(given.results, data, given.budget, table or systems)
        report = replace(results, folder=folder).report(
            reference=reference or None, probability_scores=probability_scores
        )
        echo(report.text)
        if not given.quiet:
            echo(f"\nTables, figures and report: {report.folder}", err=True)


def _run(
    systems: str,
    folds: str,
    reference: str,
    probability_scores: bool,
    table: str,
    slurm: Path | None,
    collect: bool,
    given: Running,
) -> None:
    """One protocol."""
    from asc_bench.cli import batch
    from asc_bench.cli.work import carry_out, conclude, experiment_of
    from asc_bench.errors import ConfigError
    from asc_bench.runs.variant import variants_of
    from asc_bench.screen import Screen

    asked, variants = given.chosen(), variants_of(systems)
    experiment = experiment_of(given, folds=folds)
    if slurm is not None and collect:
        raise ConfigError("--slurm submits runs, --collect makes tables of what is stored; give one of them")
    if slurm is not None and (given.jobs > 1 or given.scheduler or given.backend != "loky"):
        raise ConfigError(
            "--jobs, --backend and --scheduler do not go with --slurm, whose file says how many go side by side"
        )
    with Screen(quiet=given.quiet) as screen:
        if slurm is not None or collect:
            bench = experiment.bench(asked, screen)
            found = experiment.survey(bench, experiment.plan(bench, variants))
            if slurm is not None:
                return batch.submit(experiment, screen, found, slurm, dry_run=given.dry_run)
            work: Work | None = batch.collect(experiment, screen, found)
        else:
            work = carry_out(experiment, screen, asked, variants, dry_run=given.dry_run)
        if work is None:
            return None
        if collect and not work.runs:
            screen.say("Nothing is stored yet: there is no table.")
            return conclude(work.unfinished, len(work.wanted))
        with screen.phase("tables") as progress:
            progress(0.0, "resampling recording locations")
            report = experiment.results(work, table or systems).report(
                reference=reference or None, probability_scores=probability_scores
            )
    echo_report(report)
    if not given.quiet:
        echo(f"\nTables, figures and report: {report.folder}", err=True)
    return conclude(work.unfinished, len(work.wanted))
