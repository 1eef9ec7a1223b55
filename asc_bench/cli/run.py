"""``asc-bench run``: from the command to the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo, echo_report
from asc_bench.cli.shared import Running, takes

if TYPE_CHECKING:
    from asc_bench.runs.work import Work


@takes(Running)
def command(
    systems: options.Systems = "all",
    folds: options.Folds = "",
    reference: Annotated[str, typer.Option(help="Compare every system with this; else with the best.")] = "",
    probability_scores: options.ProbabilityScores = True,
    table: options.Table = "",
    slurm: options.Slurm = None,
    collect: options.Collect = False,
    *,
    given: Running,
) -> None:
    """Run systems under a protocol, or on a folder of your own, and write the tables.

    What is stored already is not computed again: the same command goes on where it stopped. How runs are spread
    over the GPUs of a machine and over a cluster: docs/scaling.md.
    """
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
