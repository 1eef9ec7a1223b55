"""Tables of pairs of systems and of single runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import difference_in, p_value, with_interval, z_value
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.student import TOO_FEW

Pair = Mapping[str, Any]


NOT_DEFINED = "not defined"

_COLUMNS: tuple[tuple[str, Callable[[Pair, Measure], str]], ...] = (
    ("system A", lambda row, measure: str(row["system_a"])),
    ("system B", lambda row, measure: str(row["system_b"])),
    ("A − B", lambda row, measure: _difference(row, measure)),
    ("n", lambda row, measure: f"{row['n']:,}"),
    ("n_locations", lambda row, measure: f"{row['n_locations']:,}"),
    ("z as published", lambda row, measure: _of_proportions(z_value, row["z_published"], measure)),
    ("p as published", lambda row, measure: _of_proportions(p_value, row["p_published"], measure)),
    ("z stratified", lambda row, measure: _of_proportions(z_value, row["z_stratified"], measure)),
    ("p stratified", lambda row, measure: _of_proportions(p_value, row["p_stratified"], measure)),
    ("only A right", lambda row, measure: _of_proportions(_clips, row["only_a"], measure)),
    ("only B right", lambda row, measure: _of_proportions(_clips, row["only_b"], measure)),
    ("p McNemar", lambda row, measure: _of_proportions(p_value, row["p_mcnemar"], measure)),
    ("p bootstrap", lambda row, measure: _of_locations(row["p_bootstrap"], row)),
    ("p bootstrap, Holm", lambda row, measure: adjusted_p(row)),
)

_OF_PROPORTIONS = (
    "As published: one-tailed two-proportion z-test that takes the score for one proportion of n clips, "
    "clips for independent and the systems for scored on different clips. None of this holds.",
    "Stratified: the same one-tailed test with the strata of the measure (devices or folds) kept apart; "
    "clips and systems are still taken for independent.",
    "McNemar: exact, two-sided, paired, on clips that one system alone gets right (first seed). Tests "
    "accuracy over clips, not the mean over classes, and takes clips for independent.",
)


def significance_text_table(
    significance: pd.DataFrame,
    manifests: Sequence[Manifest],
    *,
    measures: Sequence[Measure],
    notes: Sequence[str] = (),
) -> Table:
    """One row per measure and pair of systems, with every test beside the others.

    Parameters
    ----------
    significance : DataFrame
        ``significance_table`` of ``asc_bench.scoring.frames``.
    manifests : sequence of mapping
        The runs, for the title.
    measures : sequence of Measure
        Those whose differences are tested.
    notes : sequence of str
        Further sentences.
    """
    setting = Setting.of(manifests)
    by_name = {measure.name: measure for measure in measures}
    several = len(measures) > 1
    rows = []
    for row in significance.to_dict("records"):
        pair = {str(key): value for key, value in row.items()}
        measure = by_name[str(pair["measure"])]
        rows.append((*((measure.name,) if several else ()), *(cell(pair, measure) for _, cell in _COLUMNS)))
    names = ", ".join(by_name)
    in_points = [m.name for m in measures if m.unit == "percent"]
    points_of = "" if not in_points else f" Differences of {', '.join(in_points)} are in points." if several else ""
    undefined = [m.name for m in measures if not m.proportion]
    explained = (
        f"A is better than B in {names}. In brackets: 95 % interval of the paired bootstrap.{points_of}",
        *(_OF_PROPORTIONS if any(m.proportion for m in measures) else ()),
        *([f"{NOT_DEFINED}: tests of proportions do not apply to {', '.join(undefined)}."] if undefined else []),
        "Bootstrap: two-sided, paired, resamples whole recording locations and assumes only that these are "
        "independent; Student's t, with the degrees of freedom that the locations have (dof in significance.csv). "
        "Holm: corrected for all pairs of one measure in this table. This is the one to quote.",
    )
    few = list(dict.fromkeys(str(m) for m in significance.loc[significance["dof"] == 0, "measure"]))
    if few:
        explained += (
            f"{TOO_FEW.capitalize()}: a scene was recorded at a single location, so that nothing is known of how "
            f"{', '.join(few)} would vary at other places.",
        )
    unit = " (points)" if not several and in_points else ""
    titles = [title + (unit if title == "A − B" else "") for title, _ in _COLUMNS]
    return Table(
        f"{setting.title}: pairwise tests",
        (*(("measure",) if several else ()), *titles),
        tuple(rows),
        (*setting.caveats, *(explained if rows else ("There is no pair to test.",)), *notes),
    )


def equivalence_notes(significance: pd.DataFrame, *, measures: Sequence[Measure]) -> list[str]:
    """For each pair, how probable it is that one system is better by more than is practically none.

    Parameters are those of `significance_text_table`. Without a region of equivalence there is no note.
    """
    units = {measure.name: measure.unit for measure in measures}
    notes = []
    for row in significance.to_dict("records"):
        if not math.isnan(row["p_better"]):
            unit = units[row["measure"]]
            size = 100 * row["rope"] if unit == "percent" else row["rope"]
            margin = f"{size:g}" + ("" if unit != "percent" else " point" if size == 1 else " points")
            notes.append(
                f"Probability that {row['system_a']} is better than {row['system_b']} by more than {margin}: "
                f"{p_value(row['p_better'])}; that they differ by no more: {p_value(row['p_equivalent'])}."
            )
    return notes


def _difference(row: Pair, measure: Measure) -> str:
    return with_interval(row["difference"], row["low"], row["high"], partial(difference_in, unit=measure.unit))


def adjusted_p(row: Pair) -> str:
    """The p-value to quote, corrected for all pairs of one measure, as it is printed."""
    return _of_locations(row["p_bootstrap_holm"], row)


def _of_locations(p: float, row: Pair) -> str:
    return TOO_FEW if row["dof"] == 0 else p_value(p)


def _of_proportions(formatted: Callable[[float], str], value: float, measure: Measure) -> str:
    return formatted(value) if measure.proportion else NOT_DEFINED


def _clips(n: float) -> str:
    return f"{int(n):,}"
