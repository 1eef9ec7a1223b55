"""The frames that reporting renders: scores with intervals, and comparisons of systems, for every measure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from asc_bench.errors import ConfigError, DataError
from asc_bench.names import near
from asc_bench.scoring.bootstrap import resampled_values
from asc_bench.scoring.completeness import Expected, completeness
from asc_bench.scoring.decisions import runs_by_system, test_clips
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.rows import (
    Predictions,
    Rows,
    by_system,
    clip_rows,
    counted_predictions,
    lacking_levels,
    refuse_unpaired,
    segment_rows,
)
from asc_bench.scoring.significance import (
    holm,
    mcnemar_exact,
    paired_bootstrap,
    stratified_z,
    two_proportion_z,
)
from asc_bench.scoring.student import location_interval, locations_of

SCORE_COLUMNS = (
    "system",
    "measure",
    "value",
    "low",
    "high",
    "n",
    "n_locations",
    "n_repeats",
    "sd_repeats",
    "incomplete",
)
SIGNIFICANCE_COLUMNS = (
    "measure",
    "system_a",
    "system_b",
    "difference",
    "low",
    "high",
    "n",
    "n_locations",
    "dof",
    "z_published",
    "p_published",
    "z_stratified",
    "p_stratified",
    "only_a",
    "only_b",
    "p_mcnemar",
    "p_bootstrap",
    "p_bootstrap_holm",
    "rope",
    "p_better",
    "p_equivalent",
)
REPEAT_COLUMNS = ("system", "measure", "repeat", "value")
SIGNIFICANT = 0.05
ROPE_OF_PERCENT = 0.01
"""Differences of percent measures up to one point are practically none, unless another region is asked for."""
_NO_VALUE = dict.fromkeys(("value", "low", "high", "sd_repeats"), math.nan)
_NO_PROPORTION = dict.fromkeys(
    ("z_published", "p_published", "z_stratified", "p_stratified", "only_a", "only_b", "p_mcnemar"), math.nan
)


def score_table(
    predictions: Predictions,
    measures: Sequence[Measure],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    expected: Expected | None = None,
) -> pd.DataFrame:
    """Every measure of every system on the test split, with its 95 % interval over recording locations.

    Parameters
    ----------
    predictions : DataFrame or sequence of SegmentRun
        From ``stack_runs``, or from ``segment_runs`` where clips have several labels.
    measures : sequence of Measure
        In the order wanted.
    n_resamples, seed : int
        Of ``location_interval``.
    expected : mapping of fold to mapping of device to int, optional
        Test clips of the protocol. A system with any gap gets NaN for every number, and the gaps in
        ``incomplete``.

    Returns
    -------
    DataFrame
        One row per system (in order of appearance) and measure, columns `SCORE_COLUMNS`. ``value, low, high``
        are in the unit of the measure, percent as fractions; ``n`` counts clips (not repeats); with several
        repeats ``value`` is their mean, ``low`` and ``high`` bound that mean, and ``sd_repeats`` is their sample
        standard deviation (NaN if there is one). ``incomplete`` is empty or sentences separated by semicolons. A
        measure of a level that a system does not predict is NaN, its ``n`` is 0.

    Raises
    ------
    ConfigError, DataError
        As ``clip_rows`` and ``segment_rows``: clips that occur twice, strata without clips, repeats on different
        clips.
    """
    rows = []
    for system, own in _by_system(predictions).items():
        repeats, gaps = repeats_and_gaps(own, expected)
        for wanted in measures:
            if lacking_levels(own, wanted):
                numbers = {"n": 0, "n_locations": 0} | _NO_VALUE
            else:
                numbers = _without_score(own, wanted) if gaps else _scored(own, wanted, n_resamples, seed)
            row = {"system": system, "measure": wanted.name, "n_repeats": repeats, "incomplete": gaps}
            rows.append(row | numbers)
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def repeat_table(
    predictions: Predictions, measures: Sequence[Measure], *, systems: Sequence[str] = ()
) -> pd.DataFrame:
    """Every measure of every repeat of systems that have several: the values behind a mean of `score_table`.

    Parameters
    ----------
    predictions, measures
        As in `score_table`.
    systems : sequence of str
        Some of them; leave out those that are incomplete.

    Returns
    -------
    DataFrame
        Columns `REPEAT_COLUMNS`; percent as fractions. Measures that a system does not predict are left out.
    """
    rows = []
    for system, own in _by_system(predictions).items():
        repeats = _repeats(own)
        if len(repeats) < 2 or (systems and system not in systems):
            continue
        for wanted in measures:
            if not lacking_levels(own, wanted):
                of_measure = _rows(own, wanted)
                rows += [(system, wanted.name, r, of_measure.value(i)) for i, r in enumerate(repeats)]
    return pd.DataFrame(rows, columns=list(REPEAT_COLUMNS))


def significance_table(
    predictions: Predictions,
    measures: Measure | Sequence[Measure],
    *,
    reference: str | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    rope: float | None = None,
) -> pd.DataFrame:
    """Comparisons of systems by some measures: all pairs, or every system against a reference.

    Parameters
    ----------
    predictions : DataFrame or sequence of SegmentRun
        As in `score_table`; leave out systems that are incomplete.
    measures : Measure or sequence of Measure
        What is compared; systems for which a measure is not defined are left out of it.
    reference : str, optional
        A system of the predictions.
    n_resamples, seed : int
        Of the paired bootstrap; the resamples are the same for all systems.
    rope : float, optional
        Differences up to this size, in the unit of the measure (percent as fractions), are practically none. By
        default `ROPE_OF_PERCENT` for percent measures, and none for others.

    Returns
    -------
    DataFrame
        One row per measure and pair, the best systems first, columns `SIGNIFICANCE_COLUMNS`. ``system_a`` is the
        better one (equal values: by name), so ``difference``, a - b in the unit of the measure, is not negative
        where higher is better, and not positive where lower is; the one-tailed ``p_published`` and
        ``p_stratified``, for a above b, are not above one half. ``only_a, only_b, p_mcnemar`` count clips of the
        first repeat; everything else averages the repeats. All of these are NaN for a measure that is no
        proportion of clips. ``p_mcnemar`` and ``p_bootstrap`` are two-sided; ``p_bootstrap_holm`` corrects
        ``p_bootstrap`` for the pairs of the same measure in this table. ``p_better`` is the probability that a is
        better than b by more than ``rope``, ``p_equivalent`` that they differ by no more. ``low, high`` and what
        comes from the bootstrap are NaN where there are too few locations (``dof`` is 0: a scene has a single one).

    Raises
    ------
    ConfigError
        If the reference is not a system of the predictions, or ``rope`` is negative.
    DataError
        If systems were not scored on the same clips, and as ``clip_rows``.
    """
    systems = _by_system(predictions)
    if reference is not None and reference not in systems:
        raise ConfigError(f"reference system {reference!r} is not among the systems{near(reference, systems)}")
    asked = (measures,) if isinstance(measures, Measure) else measures
    tables = []
    for wanted in asked:
        rows = {name: _rows(own, wanted) for name, own in systems.items()}
        tables.append(_pair_table(rows, wanted, reference, n_resamples, seed, rope))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(SIGNIFICANCE_COLUMNS))


def tied_with_best(
    predictions: Predictions, measure: Measure, *, n_resamples: int = 2000, seed: int = 0
) -> frozenset[str]:
    """The best system and all that do not differ from it significantly: paired bootstrap, Holm, 5 %.

    Only the best one where there are too few locations to tell. All pairs are corrected for, not just those with
    the best, because which system is the best was read off the same clips. Parameters and errors are those of
    `significance_table`.
    """
    table = significance_table(predictions, measure, n_resamples=n_resamples, seed=seed)
    return tied_in(table) or frozenset(_by_system(predictions))


def tied_in(table: pd.DataFrame) -> frozenset[str]:
    """As `tied_with_best`, from a ``significance_table`` of all pairs by one measure; empty if that is."""
    if table.empty:
        return frozenset()
    best = table["system_a"].iloc[0]
    tied = table[(table["system_a"] == best) & (table["p_bootstrap_holm"] > SIGNIFICANT)]
    return frozenset([best, *tied["system_b"]])


def _by_system(predictions: Predictions) -> Mapping[str, Predictions]:
    return by_system(predictions) if isinstance(predictions, pd.DataFrame) else runs_by_system(predictions)


def _rows(own: Predictions, wanted: Measure) -> Rows:
    return clip_rows(own, wanted) if isinstance(own, pd.DataFrame) else segment_rows(own, wanted)


def _repeats(own: Predictions) -> list[int]:
    found = own["repeat"] if isinstance(own, pd.DataFrame) else (run.repeat for run in own)
    return sorted({int(repeat) for repeat in found})


def repeats_and_gaps(own: Predictions, expected: Expected | None) -> tuple[int, str]:
    """How many repeats one system has, and what is missing of its test clips."""
    if isinstance(own, pd.DataFrame):
        gaps = completeness(expected, own) if expected is not None else ()
        return own["repeat"].nunique(), "; ".join(gaps)
    if expected is None:
        return len({run.repeat for run in own}), ""
    # Tables of multi-label clips name no devices.
    by_fold = {fold: {"": sum(devices.values())} for fold, devices in expected.items()}
    return len({run.repeat for run in own}), "; ".join(completeness(by_fold, test_clips(own)))


def _without_score(own: Predictions, wanted: Measure) -> dict[str, float]:
    there = _counted(own, wanted)
    n_locations = len(there[["scene", "location"]].drop_duplicates())
    return {"n": len(there[["fold", "clip_id"]].drop_duplicates()), "n_locations": n_locations} | _NO_VALUE


def _counted(own: Predictions, wanted: Measure) -> pd.DataFrame:
    """Clips that are there, whatever is missing."""
    if not isinstance(own, pd.DataFrame):
        return test_clips(own).assign(scene="")
    try:
        return counted_predictions(own, wanted)
    except DataError:
        # A stratum that is missing altogether: nothing of the measure is there to be counted.
        return pd.DataFrame(columns=["fold", "clip_id", "scene", "location"])


def _scored(own: Predictions, wanted: Measure, n_resamples: int, seed: int) -> dict[str, float]:
    rows = _rows(own, wanted)
    low, high = location_interval(rows, n_resamples=n_resamples, seed=seed)
    by_repeat = [rows.value(repeat) for repeat in range(len(rows.sums))]
    return {
        "value": float(np.mean(by_repeat)),
        "low": low,
        "high": high,
        "n": len(rows.clips),
        "n_locations": rows.n_locations,
        "sd_repeats": float(np.std(by_repeat, ddof=1)) if len(by_repeat) > 1 else math.nan,
    }


def _pair_table(
    rows: Mapping[str, Rows],
    wanted: Measure,
    reference: str | None,
    n_resamples: int,
    seed: int,
    rope: float | None,
) -> pd.DataFrame:
    value = {name: own.value() for name, own in rows.items()}
    sign = -1 if wanted.higher_is_better else 1
    scored = [name for name in rows if not math.isnan(value[name])]
    ranked = sorted(scored, key=lambda name: (sign * value[name], name))
    pairs = [pair for pair in combinations(ranked, 2) if reference is None or reference in pair]
    if not pairs:
        return pd.DataFrame(columns=list(SIGNIFICANCE_COLUMNS))
    refuse_unpaired({name: rows[name] for name in ranked})
    clips, locations = rows[ranked[0]].clips, locations_of(rows[ranked[0]])
    none = np.empty(0)
    resampled = {
        n: none if locations.too_few else resampled_values(rows[n], n_resamples=n_resamples, seed=seed)
        for n in ranked
    }
    if rope is None:
        rope = ROPE_OF_PERCENT if wanted.unit == "percent" else math.nan
    found = []
    for a, b in pairs:
        bootstrap = paired_bootstrap(
            value[a] - value[b],
            resampled[a] - resampled[b],
            locations,
            disagreement=disagreement(rows[a], rows[b]) if wanted.proportion else None,
            rope=rope,
        )
        better = bootstrap.p_above if wanted.higher_is_better else bootstrap.p_below
        found.append(
            {
                "measure": wanted.name,
                "system_a": a,
                "system_b": b,
                "difference": bootstrap.difference,
                "low": bootstrap.low,
                "high": bootstrap.high,
                "n": len(clips),
                "n_locations": locations.n,
                "dof": locations.dof,
                **(_proportion_tests(rows[a], rows[b]) if wanted.proportion else _NO_PROPORTION),
                "p_bootstrap": bootstrap.p,
                "rope": rope,
                "p_better": better,
                "p_equivalent": bootstrap.p_within,
            }
        )
    table = pd.DataFrame(found)
    if wanted.proportion:
        table = table.astype({"only_a": int, "only_b": int})
    tested = table["p_bootstrap"].notna()
    table.loc[tested, "p_bootstrap_holm"] = holm(table.loc[tested, "p_bootstrap"].to_numpy(float))
    return table.reindex(columns=list(SIGNIFICANCE_COLUMNS))


def disagreement(a: Rows, b: Rows) -> float:
    """Share of clips, weighted as in the measure, on which one of two systems is right and the other wrong.

    With repeats it is the mean squared difference of how often each is right.
    """
    return float(a.clip_weights() @ np.square(a.sums[:, :, 1].mean(axis=0) - b.sums[:, :, 1].mean(axis=0)))


def _proportion_tests(a: Rows, b: Rows) -> dict[str, float]:
    """The tests that take clips for independent, each right or wrong."""
    n = len(a.clips)
    published = two_proportion_z(a.value(), b.value(), n, n)
    n_by_stratum = a.clips.groupby("stratum").size().reindex(list(a.strata)).tolist()
    stratified = stratified_z(a.values().tolist(), b.values().tolist(), n_by_stratum)
    right_a, right_b = a.sums[0, :, 1] > 0, b.sums[0, :, 1] > 0
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return {
        "z_published": published.z,
        "p_published": published.p,
        "z_stratified": stratified.z,
        "p_stratified": stratified.p,
        "only_a": only_a,
        "only_b": only_b,
        "p_mcnemar": mcnemar_exact(only_a, only_b),
    }
