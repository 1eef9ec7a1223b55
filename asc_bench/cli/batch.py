"""``asc-bench run --slurm FILE`` and ``--collect``: runs as jobs of a cluster, and what has become of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from asc_bench.cli.printing import echo

if TYPE_CHECKING:
    from asc_bench.experiment import Experiment
    from asc_bench.runs.work import Work
    from asc_bench.screen import Screen


def submit(experiment: Experiment, screen: Screen, work: Work, file: Path, *, dry_run: bool) -> None:
    """Give what is neither stored nor under way to Slurm, or print the script.

    Raises
    ------
    ConfigError
        For a faulty file, or if Slurm is not there.
    IncompleteDataError
        If the data set lacks files.
    StoreError
        If the folder of results cannot be written.
    """
    from asc_bench.experiment import refuse_incomplete
    from asc_bench.names import count
    from asc_bench.runs.slurm import SlurmOptions, script, submitted
    from asc_bench.runs.slurm import submit as submit_runs
    from asc_bench.runs.work import prepare

    slurm = SlurmOptions.read(file)
    refuse_incomplete(work.bench)
    jobs = submitted(experiment.store)
    under_way = {spec.key for spec in work.todo if spec.key in jobs and jobs[spec.key].alive}
    # A fusion needs its members' predictions and no time: it is made when results are collected.
    own = [spec for spec in work.todo if spec.key not in under_way and not spec.members]
    left = [spec for spec in own if all(_done(work, teacher.key) for teacher in spec.teachers)]
    screen.say(work.summary() + (f", {len(under_way)} of them submitted before" if under_way else ""))
    if dry_run:
        n_jobs = -(-len(left) // slurm.runs_per_job)
        echo(script(slurm, experiment.store))
        screen.say(f"{count(len(left), 'run')} would be submitted in {count(n_jobs, 'job')}")
        return
    if waiting := len(own) - len(left):
        screen.say(f"{count(waiting, 'run')} wait for teachers: submit again (--slurm) once these are stored")
    if not left:
        return
    force = experiment.force or experiment.strict_code
    prepare(work, experiment.store, experiment.settings, lambda _, __: None, force=force, features=False)
    given = submit_runs(left, work.bench, experiment.store, experiment.settings, slurm)
    first, last = next(iter(given)), list(given)[-1]
    named = first if first == last else f"{first} to {last}"
    echo(f"{count(len(left), 'run')} submitted in {count(len(given), 'job')}: {named}")
    screen.say("The same command with --collect in the place of --slurm makes the tables of what is there.")


def collect(experiment: Experiment, screen: Screen, work: Work) -> Work:
    """Make fusions whose members are stored, and say what has become of the other runs."""
    from dataclasses import replace

    from asc_bench.names import count
    from asc_bench.runs.slurm import submitted

    screen.say(work.summary())
    ready = [spec for spec in work.todo if spec.members and all(_done(work, member.key) for member in spec.members)]
    if ready:
        done = experiment.compute(replace(work, todo=tuple(ready)), screen)
        work = replace(done, todo=tuple(spec for spec in work.todo if spec not in ready))
    jobs = submitted(experiment.store)
    waiting = [spec for spec in work.todo if spec.key in jobs and jobs[spec.key].alive]
    lost = [spec for spec in work.todo if spec.key not in work.stored]  # a failed run is stored, and in the table
    ended = [spec for spec in lost if spec.key in jobs and not jobs[spec.key].alive]
    n_never = sum(spec.key not in jobs and not spec.members for spec in lost)
    states = Counter(jobs[spec.key].state.lower() for spec in waiting)
    if waiting:
        screen.say(f"{count(len(waiting), 'run')} under way: {', '.join(f'{n} {s}' for s, n in states.items())}")
    if n_never:
        screen.say(f"{count(n_never, 'run')} never submitted (--slurm)")
    for spec in ended:
        job = jobs[spec.key]
        words = job.last_words or "Its log is empty:"
        screen.say(f"  no result  {spec.title}: job {job.id} is {job.state}. {words} ({job.log})")
    if ended:
        screen.say("Submit again (--slurm) to begin these once more; what they stored of their training is used.")
    return work


def _done(work: Work, key: str) -> bool:
    return key in work.stored and work.stored[key].done
