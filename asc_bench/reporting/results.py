"""The table of results, and every measure beside its published number."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from asc_bench.limits import Limits
from asc_bench.protocol import Reference
from asc_bench.reporting.columns import (
    CLIP_TIME,
    COLUMNS,
    ENERGY,
    Row,
    beside,
    in_print,
    over_limits,
    printed_value,
)
from asc_bench.reporting.outcome import Outcome, outcomes
from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.teachers import teacher_notes
from asc_bench.reporting.text import MISSING, SOURCE_ONLY, in_unit, with_interval
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.student import TOO_FEW

PublishedValues = Mapping[str, Mapping[str, float]]
"""Values as printed (percent for percent) by variant and measure name."""

_SOURCE_ONLY_MEANS = (
    f"{SOURCE_ONLY[0].upper()}{SOURCE_ONLY[1:]}: predicts, for each clip, the training-set class frequencies of "
    "its source data set, without using audio. A system that is no better may have learnt the sources and no scene."
)
_UNITS = {
    "percent": "Percent",
    "nats": "{names} in nats",
    "ratio": "{names} as a plain ratio",
}


def results_table(
    scores: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    measures: Sequence[Measure],
    published: PublishedValues,
    references: Sequence[Reference] = (),
    tied: Collection[str] = (),
    notes: Sequence[str] = (),
    source_only: Mapping[str, float] | None = None,
    intervals: Collection[str] | None = None,
    limits: Limits | None = None,
) -> Table:
    """One row per system, best first; failed and incomplete ones below, without a score.

    Parameters
    ----------
    scores : DataFrame
        ``score_table`` of ``asc_bench.scoring.frames``; ``system`` is the variant.
    manifests : sequence of mapping
        One per run, of one protocol, data set and budget.
    measures : sequence of Measure
        In the order of the columns; systems are sorted by the first.
    published : mapping
        Variant to measure name to value as printed. Left out for synthetic data and the smoke budget.
    references : sequence of Reference
        Published numbers that belong to no system here: rows of their own below a rule, left out likewise.
    tied : collection of str
        Variants that do not differ significantly from the best.
    notes : sequence of str
        Further sentences, such as contradictions in the published table.
    source_only : mapping
        Measure name to ``source_alone`` of ``asc_bench.scoring``: a row below a rule.
    intervals : collection of str, optional
        Measures that are shown with their interval; all if None.
    limits : Limits, optional
        On size and cost, which systems are held against.

    Raises
    ------
    ConfigError
        If there is no run, if no measure is named, if runs cannot share a table, or if scores name a system
        without a run.
    """
    setting = Setting.of(manifests)
    ranked = outcomes(scores, manifests, measures)
    primary = measures[0]
    sign = -1 if primary.higher_is_better else 1
    shown = sorted(references, key=lambda r: sign * r.values.get(primary.name, 0.0)) if setting.comparable else []
    titles = [column.title(primary) for column in COLUMNS]
    printed_title, difference_title = titles[0], titles[1]
    rows: list[dict[str, str]] = []
    for place, outcome in enumerate(ranked):
        known = published.get(outcome.system, {}).get(primary.name) if setting.comparable else None
        row = Row(outcome, primary, known, limits)
        alike = place > 0 and outcome.scored and outcome.system in tied
        rows.append(
            {
                "system": marked_name(outcome, tied=alike, over=bool(over_limits(outcome, limits))),
                **{m.name: measured(outcome.score(m.name), m, intervals) for m in measures},
                **{title: column.cell(row) for title, column in zip(titles, COLUMNS, strict=True)},
            }
        )
    filled = {title for title in titles for row in rows if row[title] not in ("", MISSING)}
    if source_only:
        guessed = {m.name: in_unit(source_only.get(m.name, math.nan), m.unit) for m in measures}
        rows.append({"system": SOURCE_ONLY, **guessed, "status": ""})
    for reference in shown:
        value = reference.values.get(primary.name)
        if value is not None:
            filled.add(printed_title)
        printed = MISSING if value is None else printed_value(value, primary)
        rows.append({"system": f"{reference.title} (published)", printed_title: printed, "status": ""})
    if printed_title in filled:
        filled.add(difference_title)
    kept = [t for t, column in zip(titles, COLUMNS, strict=True) if t in filled or not column.optional]
    columns = ("system", *(m.name for m in measures), *kept)
    return Table(
        setting.title,
        columns,
        tuple(tuple(row.get(title, MISSING) for title in columns) for row in rows),
        (
            *_notes(setting, ranked, measures, tied),
            *(limit_notes(ranked, limits) if limits else ()),
            *([f"Difference: measured minus published{_in_points(primary)}."] if printed_title in filled else []),
            *(f"{r.title}: {r.source.rstrip('.')}." for r in shown),
            *([_SOURCE_ONLY_MEANS] if source_only else []),
            *notes,
            setting.provenance,
        ),
        bold=_best(ranked, measures),
        apart=len(ranked) if shown or source_only else None,
    )


def published_table(
    scores: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    measures: Sequence[Measure],
    published: PublishedValues,
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
            printed = published.get(outcome.system, {}).get(measure.name)
            if printed is not None:
                score = outcome.score(measure.name)
                difference = beside(Row(outcome, measure, printed))
                cells = measured(score, measure, None), printed_value(printed, measure), difference
                rows.append((outcome.system, measure.name, *cells, inside_interval(score, printed, measure)))
    apart = len(rows)
    for reference in references:
        name = f"{reference.title} (published)"
        for measure in measures:
            if measure.name in reference.values:
                printed_text = printed_value(reference.values[measure.name], measure)
                rows.append((name, measure.name, MISSING, printed_text, MISSING, MISSING))
    if not rows:
        return None
    return Table(
        f"{setting.title}: beside the published numbers",
        ("system", "measure", "measured", "published", "difference", "published inside the interval"),
        tuple(rows),
        (
            *setting.caveats,
            f"{units(measures)}; differences are measured minus published. The interval is that of the measured "
            "value alone: the published one has an error of its own.",
            *(f"{r.title}: {r.source.rstrip('.')}." for r in references),
            *notes,
        ),
        apart=apart if apart < len(rows) else None,
    )


def measured(score: Mapping[str, Any] | None, measure: Measure, intervals: Collection[str] | None) -> str:
    """A score as it is printed, with its interval if ``intervals`` names the measure or is None."""
    if not score:
        return MISSING
    if intervals is not None and measure.name not in intervals:
        return in_unit(score["value"], measure.unit)
    return with_interval(score["value"], score["low"], score["high"], lambda v: in_unit(v, measure.unit))


def inside_interval(score: Mapping[str, Any] | None, printed: float, measure: Measure) -> str:
    """Whether a published value, as printed, lies inside the interval of the measured one."""
    if not score or math.isnan(score["low"]):
        return MISSING
    return "yes" if in_print(score["low"], measure) <= printed <= in_print(score["high"], measure) else "no"


def marked_name(outcome: Outcome, *, tied: bool, over: bool) -> str:
    """A system with the signs that notes explain."""
    marks = (" †", outcome.given_device), (" §", outcome.made_elsewhere), (" ¶", over), (" ≈", tied)
    return outcome.system + "".join(mark for mark, holds in marks if holds)


def limit_notes(ranked: Sequence[Outcome], limits: Limits) -> list[str]:
    """What the limits are, who is over them, and who was not checked."""
    named = {o.system: over for o in ranked if (over := over_limits(o, limits))}
    rule = f"Limits of the challenge: {limits}, in the precision that a system predicts in."
    notes = [f"{rule} {limits.remark}".strip()]
    if named:
        listed = "; ".join(f"{system} ({', '.join(quantities)})" for system, quantities in named.items())
        notes.append(f"¶ over a limit, which no system was held to: {listed}.")
    lacking = [
        o.system
        for o in ranked
        if any(m["status"] == "done" and limits.unknown(m) for m in o.manifests) and o.system not in named
    ]
    if lacking:
        notes.append(f"Not checked against every limit, as not all was counted: {', '.join(lacking)}.")
    return notes


def energy_note(ranked: Sequence[Outcome]) -> str:
    """How the energy was found; empty if it is known of no run."""
    methods = dict.fromkeys(method for o in ranked for method in o.energy_by)
    return f"{ENERGY}: mean over runs, by {'; '.join(methods)}." if methods else ""


def _best(ranked: Sequence[Outcome], measures: Sequence[Measure]) -> frozenset[tuple[int, int]]:
    """Cells of the best printed value of each measure, where at least two systems have one."""
    cells = set()
    for column, measure in enumerate(measures, start=1):
        printed = {
            i: in_unit(s["value"], measure.unit) for i, o in enumerate(ranked) if (s := o.score(measure.name))
        }
        values = {i: float(text) for i, text in printed.items() if text != MISSING}
        if len(values) > 1:
            top = (max if measure.higher_is_better else min)(values.values())
            cells |= {(i, column) for i, value in values.items() if value == top}
    return frozenset(cells)


def _notes(
    setting: Setting, ranked: Sequence[Outcome], measures: Sequence[Measure], tied: Collection[str]
) -> list[str]:
    notes = list(setting.caveats)
    if any(o.scored for o in ranked):
        notes.append(
            f"{units(measures)}. In brackets: 95 % interval over recording locations (bootstrap, Student's t). "
            f"Test clips (locations): {'; '.join(_counts(ranked, measures))}."
        )
    few = [m.name for m in measures if _too_few(ranked, m)]
    if few:
        notes.append(
            f"{TOO_FEW.capitalize()} for an interval of {', '.join(few)}, and for marks of systems that do not "
            "differ: a scene was recorded at a single location."
        )
    lower = [m.name for m in measures if not m.higher_is_better]
    if lower:
        notes.append(f"Lower is better: {', '.join(lower)}.")
    if any(o.scored and o.system in tied for o in ranked[1:]):
        notes.append(
            "≈ not significantly different from the best system (paired bootstrap over locations, Holm-adjusted "
            "p > 0.05)."
        )
    if any(o.given_device for o in ranked):
        notes.append("† uses the recording-device label at test time.")
    if any(o.made_elsewhere for o in ranked):
        notes.append(
            "§ predictions made elsewhere: how the system was trained, and what was chosen on which clips, is not "
            "known here."
        )
    if any(o.n_repeats > 1 for o in ranked):
        notes.append(
            f"SD over seeds: standard deviation of {measures[0].name} between seeds on the same test clips"
            f"{_in_points(measures[0])}."
        )
    notes += teacher_notes(ranked)
    hosts = computed_on(ranked)
    if hosts:
        notes.append(
            f"MACs: multiply-accumulate operations per clip. Train time: mean over runs, on {', '.join(hosts)}."
        )
    return [*notes, *filter(None, (clip_time_note(ranked), energy_note(ranked)))]


def clip_time_note(ranked: Sequence[Outcome]) -> str:
    """What the times of a clip are; empty if no run was timed."""
    processors = dict.fromkeys(name for o in ranked for name in o.timed_on)
    if not processors:
        return ""
    return (
        f"{CLIP_TIME}: processor time of a single clip on one core of "
        f"{', '.join(processors)}, with that of front end + prediction in brackets; medians over clips, means over "
        "runs."
    )


def computed_on(ranked: Sequence[Outcome]) -> list[str]:
    """What the runs that are done were computed on."""
    done = [m for o in ranked for m in o.manifests if m["status"] == "done" and "made_elsewhere" not in m]
    return list(dict.fromkeys(_computed_on(m) for m in done))


def _computed_on(manifest: Mapping[str, Any]) -> str:
    host, n = manifest.get("host", {}), manifest.get("n_threads", "?")
    device = host.get("gpu") or manifest.get("device", "?")
    return f"{device} with {n} {'thread' if n == 1 else 'threads'}"


def _too_few(ranked: Sequence[Outcome], measure: Measure) -> bool:
    found = [s for o in ranked if (s := o.score(measure.name)) and not math.isnan(s["value"])]
    return bool(found) and all(math.isnan(s["low"]) for s in found)


def _in_points(measure: Measure) -> str:
    return ", in points" if measure.unit == "percent" else ""


def units(measures: Sequence[Measure]) -> str:
    """What unit the numbers have, naming those that are not percent."""
    names: dict[str, dict[str, None]] = {}
    for measure in measures:
        names.setdefault(measure.unit, {})[measure.column] = None
    texts = [text.format(names=", ".join(names[unit])) for unit, text in _UNITS.items() if unit in names]
    return "; ".join(texts)


def _counts(ranked: Sequence[Outcome], measures: Sequence[Measure]) -> list[str]:
    """Test clips and locations; measures on the same ones are not repeated."""
    found: dict[str, list[str]] = {}
    for measure in measures:
        counts = dict.fromkeys(f"{s['n']:,} ({s['n_locations']:,})" for o in ranked if (s := o.score(measure.name)))
        if counts:
            found.setdefault(" or ".join(counts), []).append(measure.name)
    return [f"{', '.join(names)} {text}" for text, names in found.items()]
