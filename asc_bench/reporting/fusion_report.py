"""The report of some fusions: beside their members, and how far these complement each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from asc_bench.files import write_atomic
from asc_bench.names import slug
from asc_bench.reporting.brief import BriefTable
from asc_bench.reporting.report_runs import Report, report
from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import percent
from asc_bench.runs.work import Work
from asc_bench.scoring.complementarity import complementarity, right_answers
from asc_bench.scoring.predictions import stack_runs


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
    pairs = BriefTable.of_table(table, n_labels=2, complete_in="complementarity.md", notes=table.notes[-1:])
    return Report(folder, f"{written.text}\n\n{table.to_text()}", (*written.brief, pairs))


def complementarity_table(
    pairs: pd.DataFrame, manifests: Sequence[Manifest], *, measure: str, oracle: float
) -> Table:
    """One row per pair.

    Parameters
    ----------
    pairs : DataFrame
        ``complementarity`` of ``asc_bench.scoring.complementarity``.
    manifests : sequence of mapping
        The runs, for the title.
    measure : str
        The measure that says what right means.
    oracle : float
        Share of clips on which one system at least is right.
    """
    setting = Setting.of(manifests)
    rows = [
        (
            str(row["system_a"]),
            str(row["system_b"]),
            f"{row['n']:,}",
            *(percent(row[name]) for name in ("both", "only_a", "only_b", "neither", "oracle")),
        )
        for row in pairs.to_dict("records")
    ]
    return Table(
        f"{setting.title}: complementarity",
        ("system A", "system B", "n", "both right", "only A right", "only B right", "neither", "oracle"),
        tuple(rows),
        (
            *setting.caveats,
            f"Percent of test clips, all alike, by {measure}; exactly one is right on the sum of the two middle "
            "columns. Oracle: always follows a member that is right.",
            f"Oracle over all members: {percent(oracle)}.",
        ),
    )
