"""The table of measures that belong to a part of the test clips, such as one of several sources."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from asc_bench.reporting.outcome import outcomes
from asc_bench.reporting.results import units
from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import MISSING, SOURCE_ONLY, in_unit, with_interval
from asc_bench.scoring.measure import Measure

Groups = Mapping[str, Mapping[str, Measure]]
"""Group to column title to measure."""


def groups_table(
    scores: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    groups: Groups,
    by: str,
    primary: Measure,
    source_only: Mapping[str, float] | None = None,
    intervals: bool = True,
) -> Table | None:
    """One row per system and group; None where there is no group or no score.

    Parameters
    ----------
    scores, manifests
        As in ``results_table``.
    groups : mapping
        Group to column title to measure, in the order wanted.
    by : str
        What the groups are, a word for the column title.
    primary : Measure
        Measure that systems are sorted by.
    source_only : mapping
        As in ``results_table``; rows of their own below a rule.
    intervals : bool
        Whether scores are shown with theirs.

    Raises
    ------
    ConfigError
        As ``results_table``.
    """
    ranked = [outcome for outcome in outcomes(scores, manifests, [primary]) if outcome.scored]
    if not groups or not ranked:
        return None
    columns = list(dict.fromkeys(column for names in groups.values() for column in names))
    rows = []
    for outcome in ranked:
        for group, names in groups.items():
            found = {column: outcome.score(measure.name) for column, measure in names.items()}
            counted = next((score for score in found.values() if score), None)
            cells = [_cell(found.get(column), names.get(column), intervals=intervals) for column in columns]
            counts = [f"{counted[key]:,}" if counted else MISSING for key in ("n", "n_locations")]
            rows.append((outcome.system, group, *cells, *counts))
    apart = len(rows)
    if source_only:
        for group, names in groups.items():
            guessed = [names.get(column) for column in columns]
            cells = [in_unit(source_only.get(m.name, math.nan), m.unit) if m else MISSING for m in guessed]
            rows.append((SOURCE_ONLY, group, *cells, MISSING, MISSING))
    setting = Setting.of(manifests)
    measures = [measure for names in groups.values() for measure in names.values()]
    return Table(
        f"{setting.title}: by {by}",
        ("system", by, *columns, "n", "n_locations"),
        tuple(rows),
        (
            *setting.caveats,
            f"{units(measures)}{', with 95 % intervals over locations' if intervals else ''}, of the test clips of "
            f"each {by} alone.",
        ),
        apart=apart if apart < len(rows) else None,
    )


def _cell(score: Mapping[str, Any] | None, measure: Measure | None, *, intervals: bool) -> str:
    if score is None or measure is None:
        return MISSING
    if not intervals:
        return in_unit(score["value"], measure.unit)
    return with_interval(score["value"], score["low"], score["high"], lambda v: in_unit(v, measure.unit))
