"""Is one system better than another? The paired bootstrap for multi-label predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from asc_bench.data.tags import DETECTION, TAGGING
from asc_bench.errors import DataError
from asc_bench.scoring.decisions import SegmentRun, SystemCounts, system_counts
from asc_bench.scoring.frames import SIGNIFICANT
from asc_bench.scoring.segment_resampling import LOWER_IS_BETTER, defined, mean_values, resampled_measures
from asc_bench.scoring.significance import holm, paired_bootstrap

COMPARED = ((DETECTION, "error_rate"), (DETECTION, "f_score"), (TAGGING, "f1"))
"""Measures by which pairs of systems are compared."""

PAIR_COLUMNS = (
    "level",
    "measure",
    "system_a",
    "system_b",
    "difference",
    "low",
    "high",
    "n",
    "n_locations",
    "p_bootstrap",
    "p_bootstrap_holm",
)


def segment_pair_table(runs: Sequence[SegmentRun], *, n_resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Paired bootstrap of all pairs of systems, by each measure of `COMPARED`.

    Parameters
    ----------
    runs : sequence of SegmentRun
        Of systems that are complete.
    n_resamples : int
        Resamples, at least. More are drawn for very many pairs, as in ``significance_table``.
    seed : int
        Of the resamples, which are the same for all systems.

    Returns
    -------
    DataFrame
        One row per measure and pair, the best systems first, columns `PAIR_COLUMNS`. ``system_a`` is the better
        one (lower error rate, higher F-score; equal values: by name). ``p_bootstrap`` is two-sided;
        ``p_bootstrap_holm`` corrects it for the pairs of the same measure.

    Raises
    ------
    ConfigError
        If ``n_resamples`` is below 1.
    DataError
        If systems were scored on different clips, or against different references.
    """
    systems = system_counts(runs) if runs else {}
    _refuse_difference(systems)
    n_pairs = len(systems) * (len(systems) - 1) // 2
    if not n_pairs:
        return pd.DataFrame(columns=list(PAIR_COLUMNS))
    n_resamples = max(n_resamples, math.ceil(2 * n_pairs / SIGNIFICANT))
    observed = {name: mean_values(counts, np.ones((1, len(counts.clips)))) for name, counts in systems.items()}
    resampled = {name: resampled_measures(c, n_resamples=n_resamples, seed=seed) for name, c in systems.items()}
    clips = next(iter(systems.values())).clips
    tables = []
    for place in COMPARED:
        sign = 1 if place[1] in LOWER_IS_BETTER else -1
        value = {name: float(values[place][0]) for name, values in observed.items()}
        scored = [name for name in systems if not math.isnan(value[name])]
        ranked = sorted(scored, key=lambda name: (sign * value[name], name))
        rows = []
        for a, b in combinations(ranked, 2):
            drawn_a, drawn_b = resampled[a], resampled[b]
            differences = defined(drawn_a[place] - drawn_b[place]) if drawn_a and drawn_b else None
            result = paired_bootstrap(value[a] - value[b], differences)
            rows.append(
                {
                    "level": place[0],
                    "measure": place[1],
                    "system_a": a,
                    "system_b": b,
                    "difference": result.difference,
                    "low": result.low,
                    "high": result.high,
                    "n": len(clips),
                    "n_locations": clips["location"].nunique(),
                    "p_bootstrap": result.p,
                }
            )
        table = pd.DataFrame(rows, columns=list(PAIR_COLUMNS[:-1]))
        tables.append(table.assign(p_bootstrap_holm=holm(table["p_bootstrap"].to_numpy(float))))
    return pd.concat(tables, ignore_index=True)


def _refuse_difference(systems: Mapping[str, SystemCounts]) -> None:
    names = list(systems)
    for other in names[1:]:
        a, b = systems[names[0]], systems[other]
        if not a.clips.equals(b.clips):
            raise DataError(
                f"{names[0]!r} was scored on {len(a.clips)} test clips, {other!r} on {len(b.clips)}, and they are "
                "not the same ones; complete the runs, or compare runs of one data set"
            )
        for one, two in ((a.detection[0], b.detection[0]), (a.tagging[0], b.tagging[0])):
            unlike = (one.n_reference != two.n_reference).any(axis=1)
            if unlike.any():
                clip = a.clips["clip_id"].iloc[int(unlike.argmax())]
                raise DataError(
                    f"{names[0]!r} and {other!r} have different references of {int(unlike.sum())} clips, such as "
                    f"{clip!r}; their runs were made from different versions of the data"
                )
