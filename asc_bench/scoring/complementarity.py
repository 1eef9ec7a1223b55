"""How far systems are right on different clips: what fusing them could gain at most."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from asc_bench.errors import DataError
from asc_bench.scoring.measure import Measure

COMPLEMENTARITY_COLUMNS = ("system_a", "system_b", "n", "both", "only_a", "only_b", "neither", "oracle")
"""``n`` counts clips, once for each repeat; the others are shares of them. ``oracle`` is the accuracy of an oracle
who always follows a system that is right."""


def complementarity(predictions: pd.DataFrame, measure: Measure, *, systems: Sequence[str]) -> pd.DataFrame:
    """Compare the systems pair by pair, over all clips alike, whatever the measure averages over.

    Parameters
    ----------
    predictions : DataFrame
        Stacked runs, as ``stack_runs`` gives them; only their test clips count.
    measure : Measure
        Its level, and the number of classes among which the right one must be.
    systems : sequence of str
        In the order wanted.

    Returns
    -------
    DataFrame
        The columns of ``COMPLEMENTARITY_COLUMNS``, one row per pair.

    Raises
    ------
    DataError
        If systems were not scored on the same clips.
    """
    right = right_answers(predictions, measure, systems=systems)
    rows = []
    for a, b in combinations(systems, 2):
        both, either = right[a] & right[b], right[a] | right[b]
        only_a, only_b = right[a] & ~right[b], right[b] & ~right[a]
        shares = [float(x.mean()) for x in (both, only_a, only_b, ~either, either)]
        rows.append((a, b, len(right), *shares))
    return pd.DataFrame(rows, columns=list(COMPLEMENTARITY_COLUMNS))


def right_answers(predictions: pd.DataFrame, measure: Measure, *, systems: Sequence[str]) -> pd.DataFrame:
    """Whether each system is right: booleans, a row per fold, repeat and clip, a column per system.

    Raises
    ------
    DataError
        If systems were not scored on the same clips.
    """
    chosen = predictions[(predictions["split"] == "test") & (predictions["level"] == measure.level)]
    chosen = chosen[chosen["system"].isin(systems)]
    right = chosen.assign(right=chosen["label_rank"] <= measure.top_k).pivot(
        index=["fold", "repeat", "clip_id"], columns="system", values="right"
    )
    absent = [name for name in systems if name not in right.columns or right[name].isna().any()]
    if absent:
        raise DataError(
            f"{absent[0]!r} was not scored with {measure.level} classes on all clips that the others were; "
            "complete its runs"
        )
    return right[list(systems)].astype(bool)
