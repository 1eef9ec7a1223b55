"""The table of results, and every measure beside its published number."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from asc_bench.protocol import Reference
from asc_bench.reporting.outcome import Outcome, outcomes
from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import (
    FLOOR,
    MISSING,
    percent,
    percent_with_interval,
    points,
    quantity,
    seconds,
)

PublishedPercent = Mapping[str, Mapping[str, float]]
"""Percent by variant and measure name."""

_FLOOR_MEANS = (
    f"{FLOOR[0].upper()}{FLOOR[1:]}: a guess that hears nothing and ranks the classes by the clips of the test "
    "clip's source that may be learnt from. A system that is no better may have learnt the sources and no scene."
)


def results_table(
    scores: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    measures: Sequence[str],
    published: PublishedPercent,
    references: Sequence[Reference] = (),
    tied: Collection[str] = (),
    notes: Sequence[str] = (),
    floor: Mapping[str, float] | None = None,
) -> Table:
    """One row per system, best first; failed and incomplete ones below, without a score.

    Parameters
    ----------
    scores : DataFrame
        ``score_table`` of ``asc_bench.scoring.frames``; values are fractions, ``system`` is the variant.
    manifests : sequence of mapping
        One per run, of one protocol, data set and budget.
    measures : sequence of str
        Measure names in the order of the columns; systems are sorted by the first.
    published : mapping
        Variant to measure name to percent. Left out for synthetic data and the smoke budget.
    references : sequence of Reference
        Published numbers that belong to no system here: rows of their own below a rule, left out likewise.
    tied : collection of str
        Variants that cannot be told from the best.
    notes : sequence of str
        Further sentences, such as contradictions in the published table.
    floor : mapping
        Measure name to ``source_alone`` of ``asc_bench.scoring``: a row below a rule.

    Raises
    ------
    ConfigError
        If there is no run, if runs cannot share a table, or if scores name a system without a run.
    """
    setting = Setting.of(manifests)
    ranked = outcomes(scores, manifests, measures)
    primary = measures[0]
    shown = sorted(references, key=lambda r: -r.values.get(primary, 0.0)) if setting.comparable else []
    printed_title = f"{primary}, published"
    rows = []
    for place, outcome in enumerate(ranked):
        score = outcome.score(primary) or {}
        printed, difference = _beside(score, published.get(outcome.system, {}).get(primary))
        rows.append(
            {
                "system": _marked_name(outcome, tied=place > 0 and outcome.scored and outcome.system in tied),
                **{measure: _measured(outcome.score(measure)) for measure in measures},
                printed_title: printed,
                "difference": difference,
                "sd over seeds": percent(score["sd_repeats"]) if outcome.n_repeats > 1 else MISSING,
                "n": _count(score.get("n")),
                "n_locations": _count(score.get("n_locations")),
                "parameters": _largest(outcome.manifests, "n_parameters"),
                "multiply-adds": _largest(outcome.manifests, "n_multiply_adds"),
                "fit s": seconds(outcome.fit_s),
                "status": outcome.status,
            }
        )
    if floor:
        guessed = {measure: percent(floor.get(measure, math.nan)) for measure in measures}
        rows.append({"system": FLOOR, **guessed, printed_title: MISSING, "status": ""})
    rows += [
        {
            "system": f"{reference.title} (published)",
            printed_title: _beside({}, reference.values.get(primary))[0],
            "status": "",
        }
        for reference in shown
    ]
    beside = setting.comparable and any(row[printed_title] != MISSING for row in rows)
    wanted = {
        printed_title: beside,
        "difference": beside,
        "sd over seeds": any(o.n_repeats > 1 for o in ranked),
        "status": any(o.status for o in ranked),
    }
    columns = tuple(title for title in rows[0] if wanted.get(title, True))
    return Table(
        setting.title,
        columns,
        tuple(tuple(row.get(title, MISSING) for title in columns) for row in rows),
        (
            *_notes(setting, ranked, measures, tied),
            *(["Difference: measured minus published, in points."] if beside else []),
            *(f"{r.title}: {r.source.rstrip('.')}." for r in shown),
            *([_FLOOR_MEANS] if floor else []),
            *notes,
            setting.provenance,
        ),
        bold=_best(ranked, measures),
        apart=len(ranked) if shown or floor else None,
    )


def published_table(
    scores: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    measures: Sequence[str],
    published: PublishedPercent,
    references: Sequence[Reference] = (),
    notes: Sequence[str] = (),
) -> Table | None:
    """Every measure beside its published number; None where nothing is comparable or published.

    Parameters are those of ``results_table``.
    """
    setting = Setting.of(manifests)
    if not setting.comparable:
        return None
    rows = []
    for outcome in outcomes(scores, manifests, measures):
        for measure in measures:
            printed = published.get(outcome.system, {}).get(measure)
            if printed is not None:
                score = outcome.score(measure)
                inside = _inside(score, printed)
                rows.append((outcome.system, measure, _measured(score), *_beside(score, printed), inside))
    apart = len(rows)
    for reference in references:
        name = f"{reference.title} (published)"
        for measure in measures:
            if measure in reference.values:
                printed_text = f"{reference.values[measure]:.1f}"
                rows.append((name, measure, MISSING, printed_text, MISSING, MISSING))
    if not rows:
        return None
    return Table(
        f"{setting.title}: beside the published numbers",
        ("system", "measure", "measured", "published", "difference", "published inside the interval"),
        tuple(rows),
        (
            *setting.caveats,
            "Percent; differences in points, measured minus published. The interval is that of the measured "
            "value alone: the published one has an error of its own.",
            *(f"{r.title}: {r.source.rstrip('.')}." for r in references),
            *notes,
        ),
        apart=apart if apart < len(rows) else None,
    )


def _measured(score: Mapping[str, Any] | None) -> str:
    return percent_with_interval(score["value"], score["low"], score["high"]) if score else MISSING


def _inside(score: Mapping[str, Any] | None, printed: float) -> str:
    if not score or math.isnan(score["low"]):
        return MISSING
    return "yes" if 100 * score["low"] <= printed <= 100 * score["high"] else "no"


def _count(number: int | None) -> str:
    return MISSING if number is None else f"{number:,}"


def _marked_name(outcome: Outcome, *, tied: bool) -> str:
    return outcome.system + (" †" if outcome.given_device else "") + (" ≈" if tied else "")


def _beside(score: Mapping[str, Any] | None, printed: float | None) -> tuple[str, str]:
    """Published number and difference to it."""
    if printed is None:
        return MISSING, MISSING
    return f"{printed:.1f}", points(100 * score["value"] - printed) if score else MISSING


def _largest(manifests: Sequence[Manifest], key: str) -> str:
    values = {m[key] for m in manifests if m.get(key) is not None}
    if not values:
        return MISSING
    return ("≤ " if len(values) > 1 else "") + quantity(max(values))


def _best(ranked: Sequence[Outcome], measures: Sequence[str]) -> frozenset[tuple[int, int]]:
    """Cells of the highest printed value of each measure, where at least two systems have one."""
    cells = set()
    for column, measure in enumerate(measures, start=1):
        printed = {i: round(100 * s["value"], 1) for i, o in enumerate(ranked) if (s := o.score(measure))}
        if len(printed) > 1:
            cells |= {(i, column) for i, value in printed.items() if value == max(printed.values())}
    return frozenset(cells)


def _notes(
    setting: Setting, ranked: Sequence[Outcome], measures: Sequence[str], tied: Collection[str]
) -> list[str]:
    notes = list(setting.caveats)
    if any(o.scored for o in ranked):
        notes.append(
            "Percent. In brackets: 95 % percentile interval of a bootstrap over recording locations. "
            f"Test clips (locations): {'; '.join(_counts(ranked, measures))}."
        )
    if any(o.scored and o.system in tied for o in ranked[1:]):
        notes.append("≈ cannot be told from the best system by the paired bootstrap over locations.")
    if any(o.given_device for o in ranked):
        notes.append("† was told the recording device of every test clip.")
    if any(o.n_repeats > 1 for o in ranked):
        notes.append("sd over seeds: spread of the score between seeds on the same test clips, in points.")
    done = [m for o in ranked for m in o.manifests if m["status"] == "done"]
    hosts = dict.fromkeys(f"{m.get('device', '?')} with {m.get('n_threads', '?')} threads" for m in done)
    if hosts:
        notes.append(f"Multiply-adds per clip. fit s: mean training time of a run on {', '.join(hosts)}.")
    return notes


def _counts(ranked: Sequence[Outcome], measures: Sequence[str]) -> list[str]:
    found = []
    for measure in measures:
        counts = dict.fromkeys(f"{s['n']:,} ({s['n_locations']:,})" for o in ranked if (s := o.score(measure)))
        if counts:
            found.append(f"{measure} {' or '.join(counts)}")
    return found
