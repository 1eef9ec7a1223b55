"""What the verbs share that compute runs: their options as an experiment, the plan on the screen, the exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from asc_bench.cli import options
from asc_bench.cli.printing import echo
from asc_bench.cli.shared import Computing, Training

if TYPE_CHECKING:
    from asc_bench.bench.bench import Bench
    from asc_bench.experiment import Experiment
    from asc_bench.registry import ProtocolLike
    from asc_bench.runs.plan import RunSpec
    from asc_bench.runs.variant import Variant
    from asc_bench.runs.work import Work
    from asc_bench.screen import Screen


def experiment_of(given: Computing, *, folds: str = "", keep_weights: bool = False) -> Experiment:
    """Check the options.

    Parameters
    ----------
    given : Computing
        Those that verbs share.
    folds : str
        Separated by commas; all if empty.
    keep_weights : bool
        Keep them whatever the options say.

    Raises
    ------
    ConfigError
        For a value that there is not, with the near ones.
    """
    from asc_bench.errors import ConfigError
    from asc_bench.experiment import Experiment

    if given.scheduler == "":  # such as a variable that is not set
        raise ConfigError("--scheduler is empty: give the address of a dask scheduler, such as tcp://HOST:8786")
    training = given if isinstance(given, Training) else Training()
    return Experiment.of(
        budget=given.budget,
        folds=options.split(folds),
        repeats=given.repeats,
        selection=options.selection(training.as_published, training.hold_out),
        augment=training.augment,
        n_jobs=given.jobs,
        backend=given.backend,
        scheduler=given.scheduler or "",
        n_threads=given.threads,
        device=given.device,
        precision=given.precision,
        data=given.data,
        synthetic=given.synthetic,
        synthetic_size=given.synthetic_size,
        synthetic_seed=given.synthetic_seed,
        sources=options.split(given.sources),
        allow_missing_training=given.allow_missing_training,
        unofficial_split=given.unofficial_split,
        unofficial_files=given.unofficial_files,
        cache=given.cache,
        results=given.results,
        keep_weights=keep_weights or training.keep_weights,
        measure_inference=training.measure_inference,
        energy=training.energy,
        log=options.split(training.log),
        only=given.only,
        force=given.force,
        strict_code=given.strict_code,
    )


def carry_out(
    experiment: Experiment,
    screen: Screen,
    protocol: ProtocolLike,
    variants: Sequence[Variant],
    *,
    wanted: Callable[[RunSpec], bool] = lambda spec: True,
    heading: str = "",
    dry_run: bool = False,
) -> Work | None:
    """Plan, say so, and compute what is not stored; None after ``--dry-run``.

    Parameters
    ----------
    experiment : Experiment
        The options.
    screen : Screen
        Where progress is shown.
    protocol : str, Protocol or type
        What the systems are run under.
    variants : sequence of Variant
        All systems that are shown.
    wanted : callable
        Which of their runs are to be computed.
    heading : str
        What the command makes of the runs; with ``dry_run`` it is printed.
    dry_run : bool
        Print the plan and compute nothing.

    Raises
    ------
    IncompleteDataError
        If the data set lacks files.
    """
    bench = experiment.bench(protocol, screen)
    specs = experiment.plan(bench, variants)
    return carry_out_on(experiment, screen, bench, specs, wanted=wanted, heading=heading, dry_run=dry_run)


def carry_out_on(
    experiment: Experiment,
    screen: Screen,
    bench: Bench,
    specs: Sequence[RunSpec],
    *,
    wanted: Callable[[RunSpec], bool] = lambda spec: True,
    heading: str = "",
    dry_run: bool = False,
) -> Work | None:
    """Do what ``carry_out`` does with runs that are planned already."""
    work = experiment.survey(bench, specs, wanted=wanted)
    summary = f"{heading}: {work.summary()}" if heading else work.summary()
    if dry_run:
        (echo if heading else screen.say)(summary)
        screen.say(experiment.expectation(work))
        list_runs(work)
        return None
    screen.say(summary)
    if work.todo:
        screen.say(experiment.expectation(work))
    return experiment.compute(work, screen)


def list_runs(work: Work) -> None:
    """Print what would be computed, what is stored, and in full why systems are skipped or failed."""
    reasons: dict[str, list[str]] = {}
    for spec in work.wanted:
        run = work.stored.get(spec.key)
        state = "to do" if run is None else str(run.manifest["status"])
        echo(f"{state:7} {spec.key[:12]}  {spec.title}")
        if run is not None and not run.done:
            error = run.manifest["error"]
            why = ": ".join(filter(None, (error["type"], error["message"])))
            reasons.setdefault(f"{state}: {why}", []).append(str(spec.variant))
    for why, systems in reasons.items():
        echo(f"{', '.join(dict.fromkeys(systems))}: {why}")


def conclude(unfinished: Sequence[object], n_wanted: int) -> None:
    """Exit with code 1 if a wanted run failed or is missing."""
    if unfinished:
        echo(f"{len(unfinished)} of {n_wanted} runs failed or are missing", err=True)
        raise typer.Exit(1)
