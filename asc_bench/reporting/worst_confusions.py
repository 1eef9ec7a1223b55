"""The confusions that happen most often: what a matrix of many classes would hide."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from asc_bench.labels import LabelSpace
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import MISSING, percent

WORST_COLUMNS = ("system", "true", "predicted", "n", "share", "same_coarse")
N_WORST = 10
"""Of each system."""


def worst_confusions(
    matrices: Mapping[str, pd.DataFrame], labels: LabelSpace | None, *, n: int = N_WORST
) -> pd.DataFrame:
    """The pairs of different classes that most clips fall into, of each system.

    Parameters
    ----------
    matrices : mapping
        System to counts, rows true, columns predicted.
    labels : LabelSpace, optional
        Whose coarse classes say whether a confusion stays within one.
    n : int
        Pairs of each system at most; of equal counts first the one that takes more of its true class, then by name.

    Returns
    -------
    DataFrame
        Columns `WORST_COLUMNS`: ``n`` clips, those of every repeat counted, ``share`` of the true class (a
        fraction), and ``same_coarse``, None where the classes have no coarse ones.
    """
    coarse = {}
    if labels is not None and labels.coarse:
        coarse = {name: labels.coarse[c] for name, c in zip(labels.fine, labels.coarse_of, strict=True)}
    rows = []
    for system, frame in matrices.items():
        counts = frame.to_numpy()
        totals = counts.sum(axis=1)
        names = [str(name) for name in frame.index]
        wrong = [
            (int(counts[i, j]), float(counts[i, j] / totals[i]), names[i], names[j])
            for i, j in np.argwhere(counts > 0)
            if i != j
        ]
        for count, share, true, predicted in sorted(wrong, key=lambda r: (-r[0], -r[1], r[2], r[3]))[:n]:
            same = coarse[true] == coarse[predicted] if {true, predicted} <= set(coarse) else None
            rows.append((system, true, predicted, count, share, same))
    return pd.DataFrame(rows, columns=list(WORST_COLUMNS))


def worst_table(frame: pd.DataFrame, *, title: str) -> Table:
    """The confusions as they are printed."""
    with_coarse = bool(frame["same_coarse"].notna().any())
    rows = []
    for system, true, predicted, count, share, same in frame.itertuples(index=False):
        within = () if not with_coarse else (MISSING if same is None else "yes" if same else "no",)
        rows.append((system, true, predicted, f"{count:,}", percent(share), *within))
    return Table(
        title,
        ("system", "true", "predicted", "n", "share", *(["same coarse class"] if with_coarse else [])),
        tuple(rows),
        (
            f"Of each system the {N_WORST} pairs of classes that most test clips fall into; clips of every repeat "
            "are counted. Share: percent of the clips of the true class. confusions.csv holds every pair.",
        ),
    )
