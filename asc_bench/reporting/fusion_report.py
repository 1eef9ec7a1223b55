"""The report of some fusions: beside their members, and how far these complement each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asc_bench.files import write_atomic
from asc_bench.reporting.complementary import complementarity_table
from asc_bench.reporting.report_runs import Report, report
from asc_bench.runs.work import Work
from asc_bench.scoring.complementarity import complementarity, right_answers
from asc_bench.scoring.predictions import stack_runs
from asc_bench.slugs import slug


def report_fusions(work: Work, place: Path, *, folds: Sequence[str] = ()) -> Report:
    """Write tables of some fusions and their members into a folder of their own.

    Parameters
    ----------
    work : Work
        The fusions and their members, computed.
    place : Path
        The folder is made in here.
    folds : sequence of str
        As in ``report`` of ``asc_bench.reporting.report_runs``.

    Raises
    ------
    DataError
        If members were not scored on the same clips.
    """
    fusions = list(dict.fromkeys(str(spec.variant) for spec in work.specs if spec.members))
    names = list(dict.fromkeys(str(member.variant) for spec in work.specs for member in spec.members))
    folder = place / slug(fusions[0] if len(fusions) == 1 else "-".join(names))
    written = report(work.bench.protocol, work.runs, folder, folds=folds)
    done = [run for run in work.runs if run.done and run.manifest["variant"] in names]
    predictions = stack_runs((run.manifest, run.predictions) for run in done)
    measure = work.bench.protocol.measures[0]
    table = complementarity_table(
        complementarity(predictions, measure, systems=names),
        [run.manifest for run in done],
        measure=measure.name,
        oracle=float(right_answers(predictions, measure, systems=names).any(axis=1).mean()),
    )
    for ending, content in (("md", table.to_markdown()), ("csv", table.to_csv()), ("tex", table.to_latex())):
        write_atomic(folder / f"complementarity.{ending}", content)
    return Report(folder, f"{written.text}\n\n{table.to_text()}")
