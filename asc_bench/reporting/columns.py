"""The columns of the results table beside its measures: a new one is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asc_bench.reporting.outcome import Outcome
from asc_bench.reporting.setting import Manifest
from asc_bench.reporting.text import MISSING, difference_in, in_unit, quantity, seconds
from asc_bench.scoring.measure import Measure


@dataclass(frozen=True)
class Row:
    """What a cell may be made of.

    Attributes
    ----------
    outcome : Outcome
        Runs and scores of the system.
    primary : Measure
        The measure that the table is sorted by.
    published : float or None
        Published value of the primary measure, as printed (percent for percent).
    """

    outcome: Outcome
    primary: Measure
    published: float | None


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
    """

    title: Callable[[Measure], str]
    cell: Callable[[Row], str]
    optional: bool = False


def in_print(value: float, measure: Measure) -> float:
    """A score as papers print it: percent for fractions."""
    return 100 * value if measure.unit == "percent" else value


def printed_value(value: float, measure: Measure) -> str:
    """A published value, with the digits of our own."""
    return in_unit(value / 100 if measure.unit == "percent" else value, measure.unit)


def beside(row: Row) -> str:
    """Measured minus published value of the primary measure."""
    score = row.outcome.score(row.primary.name)
    if row.published is None or not score:
        return MISSING
    difference = in_print(score["value"], row.primary) - row.published
    return difference_in(difference / 100 if row.primary.unit == "percent" else difference, row.primary.unit)


def _deviation(row: Row) -> str:
    score = row.outcome.score(row.primary.name)
    return in_unit(score["sd_repeats"], row.primary.unit) if score and row.outcome.n_repeats > 1 else MISSING


def _count(key: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        score = row.outcome.score(row.primary.name)
        return f"{score[key]:,}" if score else MISSING

    return cell


def _largest(key: str) -> Callable[[Row], str]:
    return lambda row: largest(row.outcome.manifests, key)


def largest(manifests: Sequence[Manifest], key: str) -> str:
    """The largest value of the runs, marked where they differ."""
    values = {m[key] for m in manifests if m.get(key) is not None}
    if not values:
        return MISSING
    return ("≤ " if len(values) > 1 else "") + quantity(max(values))


COLUMNS = (
    Column(
        lambda primary: f"{primary.name}, published",
        lambda row: MISSING if row.published is None else printed_value(row.published, row.primary),
        optional=True,
    ),
    Column(lambda primary: "difference", beside, optional=True),
    Column(lambda primary: "SD over seeds", _deviation, optional=True),
    Column(lambda primary: "n", _count("n")),
    Column(lambda primary: "n_locations", _count("n_locations")),
    Column(lambda primary: "parameters", _largest("n_parameters")),
    Column(lambda primary: "MACs", _largest("n_multiply_adds")),
    Column(lambda primary: "train time (s)", lambda row: seconds(row.outcome.train_s)),
    Column(lambda primary: "status", lambda row: row.outcome.status, optional=True),
)
