"""The frames that reporting renders: scores with intervals, and comparisons of systems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.scoring.accuracy import (
    clip_scores,
    lacking_levels,
    measure,
    measured_rows,
    stratum_accuracies,
)
from asc_bench.scoring.bootstrap import can_resample, n_locations, resampled_values
from asc_bench.scoring.completeness import Expected, completeness
from asc_bench.scoring.intervals import scores_interval
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.pairing import by_system, first_repeat, side_by_side
from asc_bench.scoring.significance import (
    compare_resampled,
    holm,
    mcnemar_exact,
    stratified_z,
    two_proportion_z,
)

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
    "system_a",
    "system_b",
    "difference",
    "low",
    "high",
    "n",
    "n_locations",
    "z_published",
    "p_published",
    "z_stratified",
    "p_stratified",
    "only_a",
    "only_b",
    "p_mcnemar",
    "p_bootstrap",
    "p_bootstrap_holm",
)
SIGNIFICANT = 0.05
_NO_VALUE = dict.fromkeys(("value", "low", "high", "sd_repeats"), math.nan)


def score_table(
    predictions: pd.DataFrame,
    measures: Sequence[Measure],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    expected: Expected | None = None,
) -> pd.DataFrame:
    """Every measure of every system on the test split, with its 95 % interval over recording locations.

    Parameters
    ----------
    predictions : DataFrame
        From ``stack_runs``.
    measures : sequence of Measure
        In the order wanted.
    n_resamples, seed : int
        Of `location_bootstrap`.
    expected : mapping of fold to mapping of device to int, optional
        Test clips of the protocol. A system with any gap gets NaN for every number, and the gaps in
        ``incomplete``.

    Returns
    -------
    DataFrame
        One row per system (in order of appearance) and measure, columns `SCORE_COLUMNS`. ``value, low, high``
        are in 0 to 1; ``n`` counts clips (not repeats); ``sd_repeats`` is the sample standard deviation over
        repeats (NaN if there is one); ``incomplete`` is empty or sentences separated by semicolons. A measure
        of a level that a system does not predict is NaN, its ``n`` is 0.

    Raises
    ------
    ConfigError, DataError
        As ``clip_scores``: clips that occur twice, strata without clips, repeats on different clips.
    """
    rows = []
    for system, frame in by_system(predictions).items():
        gaps = "; ".join(completeness(expected, frame)) if expected is not None else ""
        for wanted in measures:
            if lacking_levels(frame, wanted):
                numbers = {"n": 0, "n_locations": 0} | _NO_VALUE
            else:
                numbers = _without_score(frame, wanted) if gaps else _scored(frame, wanted, n_resamples, seed)
            row = {"system": system, "measure": wanted.name, "n_repeats": frame["repeat"].nunique()}
            rows.append(row | {"incomplete": gaps} | numbers)
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _without_score(predictions: pd.DataFrame, wanted: Measure) -> dict[str, float]:
    rows = measured_rows(predictions, wanted)
    there = {"n": len(rows[["fold", "clip_id"]].drop_duplicates()), "n_locations": n_locations(rows)}
    return there | _NO_VALUE


def _scored(predictions: pd.DataFrame, wanted: Measure, n_resamples: int, seed: int) -> dict[str, float]:
    scores = clip_scores(predictions, wanted)
    low, high = scores_interval(scores, wanted, n_resamples=n_resamples, seed=seed)
    repeats = [frame for _, frame in predictions.groupby("repeat")]
    by_repeat = [measure(frame, wanted) for frame in repeats] if len(repeats) > 1 else []
    return {
        "value": float(stratum_accuracies(scores, wanted).mean()),
        "low": low,
        "high": high,
        "n": len(scores),
        "n_locations": n_locations(scores),
        "sd_repeats": float(np.std(by_repeat, ddof=1)) if by_repeat else math.nan,
    }


def significance_table(
    predictions: pd.DataFrame,
    measure: Measure,
    *,
    reference: str | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Comparisons of systems by one measure: all pairs, or every system against a reference.

    Parameters
    ----------
    predictions : DataFrame
        From ``stack_runs``; leave out systems that are incomplete.
    measure : Measure
        What is compared.
    reference : str, optional
        A system of the frame.
    n_resamples : int
        Resamples of the paired bootstrap, at least. More are drawn for very many pairs, so that the smallest
        possible p-value, ``1 / (n_resamples + 1)``, stays below 5 % after Holm's correction.
    seed : int
        Of the resamples, which are the same for all systems.

    Returns
    -------
    DataFrame
        One row per pair, the best systems first, columns `SIGNIFICANCE_COLUMNS`. ``system_a`` is the one with
        the higher value (equal values: by name), so ``difference`` is not negative, and the one-tailed
        ``p_published`` and ``p_stratified``, for a above b, are not above one half. ``only_a, only_b,
        p_mcnemar`` count clips of the first repeat; everything else averages the repeats per clip.
        ``p_mcnemar`` and ``p_bootstrap`` are two-sided; ``p_bootstrap_holm`` corrects ``p_bootstrap`` for the
        rows of this table.

    Raises
    ------
    ConfigError
        If the reference is not a system of the frame.
    DataError
        If systems were not scored on the same clips, and as ``clip_scores``.
    """
    frames = by_system(predictions)
    if reference is not None and reference not in frames:
        raise ConfigError(f"reference system {reference!r} is not one of {sorted(frames)}")
    scores = {name: clip_scores(frame, measure) for name, frame in frames.items()}
    values = {name: float(stratum_accuracies(s, measure).mean()) for name, s in scores.items()}
    ranked = sorted(scores, key=lambda name: (-values[name], name))
    pairs = [pair for pair in combinations(ranked, 2) if reference is None or reference in pair]
    clips, correct = side_by_side({name: scores[name] for name in ranked})
    _, first = side_by_side({name: clip_scores(first_repeat(frames[name]), measure) for name in ranked})
    _, resampled = resampled_values(
        clips,
        correct,
        measure,
        n_resamples=max(n_resamples, math.ceil(2 * len(pairs) / SIGNIFICANT)),
        seed=seed,
    )
    strata = {name: stratum_accuracies(s, measure) for name, s in scores.items()}
    n_by_stratum = clips.groupby("stratum").size().reindex(strata[ranked[0]].index).tolist()
    rows = []
    for a, b in pairs:
        i, j = ranked.index(a), ranked.index(b)
        bootstrap = compare_resampled(
            values[a] - values[b], resampled[:, i] - resampled[:, j] if can_resample(clips) else None
        )
        published = two_proportion_z(values[a], values[b], len(clips), len(clips))
        stratified = stratified_z(strata[a].tolist(), strata[b].tolist(), n_by_stratum)
        only_a, only_b = (int((first[:, x] > first[:, y]).sum()) for x, y in ((i, j), (j, i)))
        rows.append(
            {
                "system_a": a,
                "system_b": b,
                "difference": bootstrap.difference,
                "low": bootstrap.low,
                "high": bootstrap.high,
                "n": len(clips),
                "n_locations": n_locations(clips),
                "z_published": published.z,
                "p_published": published.p,
                "z_stratified": stratified.z,
                "p_stratified": stratified.p,
                "only_a": only_a,
                "only_b": only_b,
                "p_mcnemar": mcnemar_exact(only_a, only_b),
                "p_bootstrap": bootstrap.p,
            }
        )
    table = pd.DataFrame(rows, columns=list(SIGNIFICANCE_COLUMNS[:-1]))
    return table.assign(p_bootstrap_holm=holm(table["p_bootstrap"].to_numpy(float)))


def tied_with_best(
    predictions: pd.DataFrame, measure: Measure, *, n_resamples: int = 2000, seed: int = 0
) -> frozenset[str]:
    """The best system and all that cannot be told from it: paired bootstrap, Holm over all pairs, 5 %.

    All pairs are corrected for, not just those with the best, because which system is the best was read off
    the same clips. Parameters and errors are those of `significance_table`.
    """
    table = significance_table(predictions, measure, n_resamples=n_resamples, seed=seed)
    if table.empty:
        return frozenset(by_system(predictions))
    best = table["system_a"].iloc[0]
    tied = table[(table["system_a"] == best) & (table["p_bootstrap_holm"] > SIGNIFICANT)]
    return frozenset([best, *tied["system_b"]])
