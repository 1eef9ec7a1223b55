"""What the page shows of each system: scores, seeds, costs, settings and card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from asc_bench.reporting.cards import SystemCard
from asc_bench.reporting.columns import COLUMNS, Row, beside, over_limits, printed_value
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.outcome import Outcome
from asc_bench.reporting.results import inside_interval, marked_name, measured
from asc_bench.reporting.text import in_unit
from asc_bench.scoring.measure import Measure

_COSTS = ("n_parameters", "macs", "train_s", "clip_ms")
"""Keys of columns that accuracy is set against."""


def system_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """One entry per system, best first, those without a score last; the order is that of the printed table."""
    letters = evaluation.letters
    seeds = _seeds(evaluation)
    # Read off all manifests, so once and not for each score.
    published = evaluation.published if evaluation.setting.comparable else {}
    return [
        {
            "name": outcome.system,
            "system": str(outcome.manifests[0]["system"]),
            "marked": marked_name(
                outcome,
                tied=place > 0 and outcome.scored and outcome.system in evaluation.tied,
                over=bool(over_limits(outcome, evaluation.limits)),
            ),
            "letters": letters.get(outcome.system, ""),
            "tied": outcome.scored and outcome.system in evaluation.tied,
            "status": outcome.status,
            "scored": outcome.scored,
            "needs_device": _needs_device(outcome),
            "n_repeats": outcome.n_repeats,
            "scores": {
                measure.name: _score(
                    outcome, measure, evaluation, published.get(outcome.system, {}).get(measure.name)
                )
                for measure in evaluation.all_measures
                if outcome.score(measure.name)
            },
            "seeds": seeds.get(outcome.system, {}),
            "costs": _costs(outcome, evaluation.measures[0]),
            "settings": {str(k): str(v) for k, v in (outcome.manifests[0].get("params") or {}).items()},
            "card": _card(evaluation.cards.get(str(outcome.manifests[0]["system"]))),
        }
        for place, outcome in enumerate(evaluation.outcomes)
    ]


def finite(value: float) -> float | None:
    """A number for JSON; None for NaN and infinity, which JSON lacks."""
    return float(value) if math.isfinite(value) else None


def _score(outcome: Outcome, measure: Measure, evaluation: Evaluation, known: float | None) -> dict[str, Any]:
    """One score; ``known`` is the published value of the measure."""
    score = outcome.scores[measure.name]
    row = Row(outcome, measure, known)
    # Without its interval where the printed tables leave it out as well.
    shown = evaluation.intervals is None or measure.name in evaluation.intervals or measure.group
    cells = {column.key: column.cell(row) for column in COLUMNS if column.key in ("sd_repeats", "n", "n_locations")}
    found: dict[str, Any] = {
        "value": finite(score["value"]),
        "low": finite(score["low"]) if shown else None,
        "high": finite(score["high"]) if shown else None,
        "text": measured(score, measure, None if measure.group else evaluation.intervals),
        "short": in_unit(score["value"], measure.unit),
        "n": int(score["n"]),
        "n_locations": int(score["n_locations"]),
        "sd": finite(score["sd_repeats"]),
        "texts": cells,
    }
    if known is not None:
        found["published"] = {
            "value": known / 100 if measure.unit == "percent" else known,
            "text": printed_value(known, measure),
            "difference": beside(row),
            "measured": measured(score, measure, None),
            "inside": inside_interval(score, known, measure),
        }
    return found


def _costs(outcome: Outcome, primary: Measure) -> dict[str, Any]:
    row = Row(outcome, primary, None)
    found = {}
    for column in COLUMNS:
        if column.key in _COSTS and column.value is not None:
            value = column.value(row)
            number = finite(float(value)) if isinstance(value, int | float) else None
            found[column.key] = {"value": number, "text": column.cell(row)}
    return found


def _seeds(evaluation: Evaluation) -> Mapping[str, Mapping[str, list[list[Any]]]]:
    """System to measure to repeats, each with its value and the value's text."""
    units = {measure.name: measure.unit for measure in evaluation.all_measures}
    found: dict[str, dict[str, list[list[Any]]]] = {}
    for row in evaluation.by_repeat.to_dict("records"):
        name, value = str(row["measure"]), float(row["value"])
        if not math.isnan(value):
            points = found.setdefault(str(row["system"]), {}).setdefault(name, [])
            points.append([int(row["repeat"]), value, in_unit(value, units[name])])
    return found


def _needs_device(outcome: Outcome) -> str:
    uses = {str(m["needs_device"]) for m in outcome.manifests if m.get("needs_device")}
    return next((use for use in ("test", "training", "no") if use in uses), "")


def _card(card: SystemCard | None) -> dict[str, Any] | None:
    if card is None:
        return None
    return {
        "title": card.title,
        "citation": card.citation,
        "year": card.year,
        "input": card.input,
        "guesses": list(card.guesses),
    }
