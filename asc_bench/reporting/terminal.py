"""From an evaluation to the tables of the terminal: results, groups, and one difference for each system."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from asc_bench.names import count
from asc_bench.reporting.brief import BriefTable
from asc_bench.reporting.columns import CLIP_TIME, ENERGY, over_limits
from asc_bench.reporting.outcome import Outcome, outcomes
from asc_bench.reporting.results import clip_time_note, computed_on, energy_note
from asc_bench.reporting.setting import SMOKE, SYNTHETIC, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.teachers import teacher_notes
from asc_bench.reporting.text import MISSING, SOURCE_ONLY, difference_in, p_value, with_interval
from asc_bench.scoring.measure import PROBABILITY_MEASURES, Measure

if TYPE_CHECKING:
    from asc_bench.reporting.evaluation import Evaluation

_SHORT = {
    SYNTHETIC: "Synthetic dataset: these numbers say nothing about any system on real recordings.",
    SMOKE: "Smoke budget: systems are narrowed and barely trained, and comparable with nothing.",
}
_STATUS = "status"
_TIME = "train time (s)"
_LAST = ("parameters", "MACs", _TIME, CLIP_TIME, ENERGY, "n", "n_locations")
"""Columns that go first where there is no room, from the right."""


def brief_tables(evaluation: Evaluation) -> tuple[BriefTable, ...]:
    """What the terminal shows: the results, their groups where there are some, and a comparison by measure."""
    compared = evaluation.compared or evaluation.measures[:1]
    ranked = outcomes(evaluation.scores, evaluation.manifests, evaluation.measures)
    tables = [_results(evaluation, ranked, compared)]
    groups = evaluation.by_group(intervals=False)
    if groups is not None:
        tables.append(BriefTable.of_table(groups, n_labels=2, complete_in="results.md"))
    if len(evaluation.significance):
        tables += [_differences(evaluation, measure) for measure in compared]
    return tuple(table for table in tables if table.rows)


def _results(evaluation: Evaluation, ranked: Sequence[Outcome], compared: Sequence[Measure]) -> BriefTable:
    table = evaluation.results(intervals={m.name for m in compared})
    setting, measures = evaluation.setting, evaluation.measures
    remarks: list[str] = []
    columns, rows = table.columns, table.rows
    if _STATUS in columns:
        at = columns.index(_STATUS)
        remarks = [f"{row[0]}: {row[at]}" for row in rows if row[at] not in ("", MISSING)]
        columns, rows = _without(columns, at), tuple(_without(row, at) for row in rows)
    names = [m.name for m in measures]
    probable = {m.name for m in PROBABILITY_MEASURES}
    own = [name for name in names if name not in probable]
    loss = [name for name in names if name in probable]
    between = [c for c in columns[1:] if c not in (*names, *_LAST)]  # published, difference, SD over seeds
    keep = [*own, *loss[:1], *between, *loss[1:], *(c for c in _LAST if c in columns)]
    hosts = ", ".join(computed_on(ranked))
    notes_of = {
        _TIME: f"Train time: mean over runs, on {hosts}." if hosts else "",
        CLIP_TIME: clip_time_note(ranked),
        ENERGY: energy_note(ranked),
    }
    return BriefTable(
        table.caption,
        columns,
        rows,
        tuple(keep),
        apart=table.apart,
        remarks=tuple(remarks),
        notes=(*_caveats(setting), *_facts(evaluation, ranked, measures[0])),
        notes_of={title: note for title, note in notes_of.items() if note},
        units={m.name: {"nats": "in nats", "ratio": "as a ratio"}[m.unit] for m in measures if m.unit != "percent"},
        lower=tuple(m.name for m in measures if not m.higher_is_better),
        complete_in="results.md",
    )


def _without(cells: tuple[str, ...], at: int) -> tuple[str, ...]:
    return (*cells[:at], *cells[at + 1 :])


def _caveats(setting: Setting) -> list[str]:
    return [_SHORT.get(sentence, sentence) for sentence in setting.caveats]


def _facts(evaluation: Evaluation, ranked: Sequence[Outcome], primary: Measure) -> list[str]:
    """What brackets and marks mean."""
    notes = []
    scored = [o for o in ranked if o.scored]
    of_primary = [score for o in scored if (score := o.score(primary.name))]
    if of_primary:
        counts = dict.fromkeys((int(s["n"]), int(s["n_locations"])) for s in of_primary)
        clips = " or ".join(f"{n:,} at {count(places, 'location')}" for n, places in counts)
        bare = all(math.isnan(score["low"]) for score in of_primary)
        brackets = (
            "Too few locations for intervals and tests."
            if bare
            else "In brackets: 95 % interval over recording locations."
        )
        notes.append(f"{brackets} Test clips: {clips}.")
    marks = []
    if any(o.system in evaluation.tied for o in scored[1:]):
        marks.append("≈ not significantly different from the best system.")
    if any(o.given_device for o in ranked):
        marks.append("† given the recording device.")
    if any(o.made_elsewhere for o in ranked):
        marks.append("§ predictions made elsewhere.")
    if any(over_limits(o, evaluation.limits) for o in ranked):
        marks.append("¶ over a limit of the challenge.")
    if evaluation.source_only:
        marks.append(f"{SOURCE_ONLY[0].upper()}{SOURCE_ONLY[1:]}: no audio.")
    if marks:
        notes.append(" ".join(marks))
    return [*notes, *teacher_notes(ranked)]


def pairs_table(tests: Table, setting: Setting, measure: Measure) -> BriefTable:
    """All pairs with every test, as far as there is room, the one to quote first.

    Parameters
    ----------
    tests : Table
        ``significance_text_table`` of one measure.
    setting : Setting
        What the runs share.
    measure : Measure
        What is compared.
    """
    first = [title for title in tests.columns if title.startswith("A − B") or title == "p bootstrap, Holm"]
    first += ["n_locations", "n", "p bootstrap"]
    return BriefTable(
        f"{tests.caption} of {measure.name}",
        tests.columns,
        tests.rows,
        (*first, *(title for title in tests.columns[2:] if title not in first)),
        n_labels=2,
        notes=(
            *_caveats(setting),
            "A is better than B. In brackets: 95 % interval of the paired bootstrap over locations.",
        ),
        complete_in="significance.md beside results.md",
    )


def _differences(evaluation: Evaluation, measure: Measure) -> BriefTable:
    """Every system against the reference, or else against the best by this measure."""
    pairs = evaluation.significance[evaluation.significance["measure"] == measure.name]
    there = {*pairs["system_a"], *pairs["system_b"]}
    by_measure = outcomes(evaluation.scores, evaluation.manifests, [measure])
    ranked = [o.system for o in by_measure if o.system in there and o.scored]
    reference = evaluation.reference or next(iter(ranked), "")
    rows = [(system, *_cells(pairs, system, reference, measure)) for system in ranked if system != reference]
    known = f"95 % interval in brackets; p: paired bootstrap over locations, Holm for {count(len(pairs), 'pair')}."
    explained = "Too few locations for intervals and p." if (pairs["dof"] == 0).all() else known
    what = "reference" if evaluation.reference else "best"
    in_points = ", in points" if measure.unit == "percent" else ""
    return BriefTable(
        f"Difference to {reference} ({what}) in {measure.name}{in_points}",
        ("system", "difference", "p"),
        tuple(rows),
        ("difference", "p"),
        notes=(explained, "All tests of all pairs: significance.md, or `asc-bench compare`."),
    )


def _cells(pairs: pd.DataFrame, system: str, reference: str, measure: Measure) -> tuple[str, str]:
    """The difference of a system to the reference with its interval, and p; whichever of both is the better one."""
    for sign, a, b in ((1, system, reference), (-1, reference, system)):
        found = pairs[(pairs["system_a"] == a) & (pairs["system_b"] == b)]
        if len(found):
            row = found.iloc[0]
            low, high = sorted((sign * row["low"], sign * row["high"]))
            signed = partial(difference_in, unit=measure.unit)
            return with_interval(sign * row["difference"], low, high, signed), p_value(row["p_bootstrap_holm"])
    return MISSING, MISSING
