"""Scores against what systems cost: which systems no other one beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from asc_bench.limits import Limits
from asc_bench.reporting.columns import COLUMNS, Column, Row
from asc_bench.reporting.outcome import Outcome
from asc_bench.reporting.results import computed_on, measured, units
from asc_bench.reporting.setting import Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import MISSING, quantity
from asc_bench.scoring.measure import Measure

_MACS, _MACS_DCASE, _PARAMETERS, _BYTES, _TRAIN_S = "macs", "macs_dcase", "n_parameters", "n_bytes", "train_s"
_MIXED = "; times of different machines do not compare"
PARETO_COLUMNS = ("system", "measure", "value", "low", "high", "cost", "amount", "non_dominated")


@dataclass(frozen=True)
class Cost:
    """One thing that systems cost, and which of them no other one beats at it.

    Attributes
    ----------
    title : str
        As the table of results calls it.
    amounts : dict
        System to its amount; NaN where that is not known.
    texts : dict
        System to its amount as it is printed.
    front : frozenset of str
        The systems that no other one dominates, among those whose amount is known.
    """

    title: str
    amounts: dict[str, float]
    texts: dict[str, str]
    front: frozenset[str]

    @property
    def unknown(self) -> list[str]:
        """Systems whose amount is not known, in the order of the table."""
        return [system for system, amount in self.amounts.items() if math.isnan(amount)]


def non_dominated(costs: Sequence[float], scores: Sequence[float], *, higher_is_better: bool = True) -> list[bool]:
    """Whether no other point costs no more and scores no worse, and is better in one of the two.

    Points that are equal in both do not dominate each other.

    Raises
    ------
    ValueError
        If there are not as many scores as costs, or a number is NaN.

    Examples
    --------
    >>> non_dominated([1, 2, 2, 3], [0.5, 0.7, 0.7, 0.6])
    [True, True, True, False]
    """
    signed = [score if higher_is_better else -score for score in scores]
    points = list(zip(costs, signed, strict=True))
    if any(math.isnan(number) for point in points for number in point):
        raise ValueError("a cost or a score is NaN: nothing can be said of which points dominate which")
    front: set[tuple[float, float]] = set()
    best = -math.inf
    # The cheapest first, of equally cheap ones the best: each stands on the front that beats all before it.
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if score > best:
            front.add((cost, score))
            best = score
    return [point in front for point in points]


def costs_of(ranked: Sequence[Outcome], primary: Measure, limits: Limits | None) -> list[Cost]:
    """Multiply-accumulates, size and training time of the scored systems, as far as any is known.

    Multiply-accumulates are those of the DCASE rule where all systems that have a count have that one, and size is
    in bytes where the protocol limits size: amounts of different rules are never set beside each other.
    """
    scored = [outcome for outcome in ranked if outcome.score(primary.name)]
    columns = {column.key: column for column in COLUMNS}
    amounts = {
        key: {o.system: _amount(columns[key], Row(o, primary, None, limits)) for o in scored}
        for key in (_MACS, _MACS_DCASE, _PARAMETERS, _BYTES, _TRAIN_S)
    }

    def known(key: str) -> set[str]:
        return {system for system, amount in amounts[key].items() if not math.isnan(amount)}

    chosen = (
        _MACS_DCASE if known(_MACS_DCASE) >= known(_MACS) else _MACS,
        _BYTES if known(_BYTES) >= known(_PARAMETERS) else _PARAMETERS,
        _TRAIN_S,
    )
    found = []
    for key in chosen:
        systems = [o for o in scored if o.system in known(key)]
        if not systems:
            continue
        values = [float((o.score(primary.name) or {})["value"]) for o in systems]
        on_front = non_dominated(
            [amounts[key][o.system] for o in systems], values, higher_is_better=primary.higher_is_better
        )
        found.append(
            Cost(
                columns[key].title(primary),
                amounts[key],
                {o.system: _text(columns[key], Row(o, primary, None, limits)) for o in scored},
                frozenset(o.system for o, there in zip(systems, on_front, strict=True) if there),
            )
        )
    return found


def pareto_frame(ranked: Sequence[Outcome], primary: Measure, costs: Sequence[Cost]) -> pd.DataFrame:
    """One row per cost and scored system, columns `PARETO_COLUMNS`; no verdict where the amount is not known."""
    rows = [
        (
            outcome.system,
            primary.name,
            *(float(score[name]) for name in ("value", "low", "high")),
            cost.title,
            cost.amounts[outcome.system],
            None if outcome.system in cost.unknown else outcome.system in cost.front,
        )
        for cost in costs
        for outcome in ranked
        if (score := outcome.score(primary.name))
    ]
    return pd.DataFrame(rows, columns=list(PARETO_COLUMNS))


def pareto_table(ranked: Sequence[Outcome], primary: Measure, costs: Sequence[Cost], setting: Setting) -> Table:
    """One row per scored system, best first: its score, what it costs, and at which costs no other one beats it."""
    scored = [outcome for outcome in ranked if outcome.score(primary.name)]
    rows, bold = [], set()
    for i, outcome in enumerate(scored):
        on_front = [cost.title for cost in costs if outcome.system in cost.front]
        bold |= {(i, 2 + j) for j, cost in enumerate(costs) if outcome.system in cost.front}
        rows.append(
            (
                outcome.system,
                measured(outcome.score(primary.name), primary, None),
                *(cost.texts[outcome.system] for cost in costs),
                ", ".join(on_front) or MISSING,
            )
        )
    unknown = [f"{cost.title}: {', '.join(cost.unknown)}" for cost in costs if cost.unknown]
    unscored = [outcome.system for outcome in ranked if not outcome.score(primary.name)]
    hosts = computed_on(scored)
    return Table(
        f"{setting.title}: scores and costs",
        ("system", primary.name, *(cost.title for cost in costs), "not dominated"),
        tuple(rows),
        (
            *setting.caveats,
            f"{units([primary])}, with 95 % intervals over locations.",
            "Not dominated: no other system costs no more and scores no worse, and is better in one of the two. "
            "Only the scores themselves are compared: significance.md says which of them differ.",
            *([f"Not known, so compared with no other system: {'; '.join(unknown)}."] if unknown else []),
            *([f"Without a score: {', '.join(unscored)}."] if unscored else []),
            *([f"Train time: mean over runs, on {', '.join(hosts)}{_MIXED * (len(hosts) > 1)}."] if hosts else []),
        ),
        bold=frozenset(bold),
        bold_means="not dominated",
    )


def _amount(column: Column, row: Row) -> float:
    value = column.value(row) if column.value else math.nan
    return float(value) if isinstance(value, int | float) else math.nan


def _text(column: Column, row: Row) -> str:
    """As the table of results prints it; a count that it leaves out where nothing is limited is printed alike."""
    cell = column.cell(row)
    return cell if cell != MISSING else quantity(_amount(column, row))
