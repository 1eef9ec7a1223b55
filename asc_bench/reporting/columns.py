"""The columns of the results table beside its measures, printed and in CSV: a new one is one entry here."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from asc_bench.limits import DEFAULT_PRECISION, Limits, Quantity
from asc_bench.reporting.outcome import Outcome
from asc_bench.reporting.setting import Manifest
from asc_bench.reporting.text import MISSING, difference_in, in_unit, milliseconds, quantity, seconds, watt_hours
from asc_bench.scoring.measure import Measure


@dataclass(frozen=True)
class Row:
    """What a cell may be made of.

    Attributes
    ----------
    outcome : Outcome
        Runs and scores of the system.
    measure : Measure
        Of the row; in the printed table the measure that it is sorted by.
    published : float or None
        Published value of the measure, as printed (percent for percent).
    limits : Limits or None
        Of the protocol.
    """

    outcome: Outcome
    measure: Measure
    published: float | None
    limits: Limits | None = None


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    title : callable
        From the primary measure.
    cell : callable
        Text from a row; ``MISSING`` where there is nothing to say.
    optional : bool
        Leave the column out where every cell is ``MISSING`` or empty.
    key : str
        Name of the column in CSV; empty for one that is only printed.
    value : callable, optional
        What stands there, at full precision: percent as fractions, NaN where there is nothing to say.
    where_known : bool
        Leave the column out of CSV, too, where no row has a value.
    """

    title: Callable[[Measure], str]
    cell: Callable[[Row], str]
    optional: bool = False
    key: str = ""
    value: Callable[[Row], object] | None = None
    where_known: bool = False


def in_print(value: float, measure: Measure) -> float:
    """A score as papers print it: percent for fractions."""
    return 100 * value if measure.unit == "percent" else value


def printed_value(value: float, measure: Measure) -> str:
    """A published value, with the digits of our own."""
    return in_unit(value / 100 if measure.unit == "percent" else value, measure.unit)


def beside(row: Row) -> str:
    """Measured minus published value."""
    score = row.outcome.score(row.measure.name)
    if row.published is None or not score:
        return MISSING
    difference = in_print(score["value"], row.measure) - row.published
    return difference_in(difference / 100 if row.measure.unit == "percent" else difference, row.measure.unit)


def _deviation(row: Row) -> str:
    score = row.outcome.score(row.measure.name)
    return in_unit(score["sd_repeats"], row.measure.unit) if score and row.outcome.n_repeats > 1 else MISSING


def _count(key: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        score = row.outcome.score(row.measure.name)
        return f"{score[key]:,}" if score else MISSING

    return cell


def _score(key: str) -> Callable[[Row], object]:
    return lambda row: (row.outcome.score(row.measure.name) or {}).get(key, math.nan)


def _most(key: str) -> Callable[[Row], object]:
    return lambda row: max((m[key] for m in row.outcome.manifests if m.get(key) is not None), default=math.nan)


def _published(row: Row) -> float:
    if row.published is None:
        return math.nan
    return row.published / 100 if row.measure.unit == "percent" else row.published


def _train_s(row: Row) -> float:
    return math.nan if row.outcome.train_s is None else row.outcome.train_s


def _clip_cell(row: Row) -> str:
    outcome = row.outcome
    total, parts = (
        outcome.inference_ms(),
        (outcome.inference_ms("front_end_ms"), outcome.inference_ms("predict_ms")),
    )
    return MISSING if total is None else f"{milliseconds(total)} ({' + '.join(map(milliseconds, parts))})"


def _clip_time(title: str, key: str, part: str, cell: Callable[[Row], str] = lambda row: MISSING) -> Column:
    """A column of the time of one clip; without a cell it is in CSV only."""

    return _where_known(title, key, lambda outcome: outcome.inference_ms(part), cell)


def _where_known(
    title: str,
    key: str,
    known: Callable[[Outcome], float | None],
    cell: Callable[[Row], str] = lambda row: MISSING,
) -> Column:
    """A column that is left out where no run has a value; without a cell it is in CSV only."""

    def value(row: Row) -> float:
        found = known(row.outcome)
        return math.nan if found is None else found

    return Column(lambda primary: title, cell, optional=True, key=key, value=value, where_known=True)


def _largest(key: str) -> Callable[[Row], str]:
    return lambda row: largest(row.outcome.manifests, key)


def over_limits(outcome: Outcome, limits: Limits | None) -> tuple[Quantity, ...]:
    """Quantities of which a run of the system is over its limit."""
    if limits is None:
        return ()
    over = {q for m in outcome.manifests for q in limits.exceeded(m, precision=predicts_in(m))}
    return tuple(quantity for quantity in limits.values() if quantity in over)


def predicts_in(manifest: Manifest) -> str:
    """Precision of the arithmetic at test, in which the numbers of a system are counted."""
    return str((manifest.get("facts") or {}).get("test_precision", DEFAULT_PRECISION))


def _as_limited(quantity: Quantity) -> Callable[[Row], list[int]]:
    """Different values in the runs, of what the protocol limits or sizes; none without limits."""

    def values(row: Row) -> list[int]:
        if row.limits is None:
            return []
        counted = {row.limits.count(m, precision=predicts_in(m))[quantity] for m in row.outcome.manifests}
        return sorted(n for n in counted if n is not None)

    return values


def _limited_cell(quantity: Quantity) -> Callable[[Row], str]:
    return lambda row: _top(_as_limited(quantity)(row))


def _limited_value(quantity: Quantity) -> Callable[[Row], object]:
    return lambda row: max(_as_limited(quantity)(row), default=math.nan)


def largest(manifests: Sequence[Manifest], key: str) -> str:
    """The largest value of the runs, marked where they differ."""
    return _top({m[key] for m in manifests if m.get(key) is not None})


def _top(values: Collection[float]) -> str:
    if not values:
        return MISSING
    return ("≤ " if len(values) > 1 else "") + quantity(max(values))


CLIP_TIME = "ms per clip"
"""Title of the column of the time that one clip takes."""
ENERGY = "energy (Wh)"
"""Title of the column of the energy that a run takes."""

COLUMNS = (
    Column(
        lambda primary: f"{primary.name}, published",
        lambda row: MISSING if row.published is None else printed_value(row.published, row.measure),
        optional=True,
        key="published",
        value=_published,
    ),
    Column(lambda primary: "difference", beside, optional=True),
    Column(
        lambda primary: "SD over seeds", _deviation, optional=True, key="sd_repeats", value=_score("sd_repeats")
    ),
    Column(lambda primary: "n", _count("n"), key="n", value=_score("n")),
    Column(lambda primary: "n_locations", _count("n_locations"), key="n_locations", value=_score("n_locations")),
    Column(lambda primary: "parameters", _largest("n_parameters"), key="n_parameters", value=_most("n_parameters")),
    Column(
        lambda primary: "bytes", _limited_cell("bytes"), optional=True, key="n_bytes", value=_limited_value("bytes")
    ),
    Column(lambda primary: "MACs", _largest("n_multiply_adds"), key="macs", value=_most("n_multiply_adds")),
    Column(
        lambda primary: "MACs (DCASE)",
        _limited_cell("MACs (DCASE)"),
        optional=True,
        key="macs_dcase",
        value=_most("n_macs_dcase"),
    ),
    Column(
        lambda primary: "train time (s)", lambda row: seconds(row.outcome.train_s), key="train_s", value=_train_s
    ),
    _clip_time(CLIP_TIME, "clip_ms", "total_ms", _clip_cell),
    _clip_time("ms of the front end", "clip_front_end_ms", "front_end_ms"),
    _clip_time("ms of the prediction", "clip_predict_ms", "predict_ms"),
    _where_known(ENERGY, "energy_wh", Outcome.energy, lambda row: watt_hours(row.outcome.energy())),
    _where_known("grams of carbon dioxide", "co2_g", lambda outcome: outcome.energy("co2_g")),
    Column(
        lambda primary: "status",
        lambda row: row.outcome.status,
        optional=True,
        key="status",
        value=lambda row: row.outcome.status,
    ),
)
