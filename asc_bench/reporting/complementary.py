"""The table of how far systems are right on different clips."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import percent


def complementarity_table(
    pairs: pd.DataFrame, manifests: Sequence[Manifest], *, measure: str, oracle: float
) -> Table:
    """One row per pair.

    Parameters
    ----------
    pairs : DataFrame
        ``complementarity`` of ``asc_bench.scoring.complementarity``.
    manifests : sequence of mapping
        The runs, for the title.
    measure : str
        The measure that says what right means.
    oracle : float
        Share of clips on which one system at least is right.
    """
    setting = Setting.of(manifests)
    rows = [
        (
            str(row["system_a"]),
            str(row["system_b"]),
            f"{row['n']:,}",
            *(percent(row[name]) for name in ("both", "only_a", "only_b", "neither", "oracle")),
        )
        for row in pairs.to_dict("records")
    ]
    return Table(
        f"{setting.title}: complementarity",
        ("system A", "system B", "n", "both right", "only A right", "only B right", "neither", "oracle"),
        tuple(rows),
        (
            *setting.caveats,
            f"Percent of test clips, all alike, by {measure}; exactly one is right on the sum of the two middle "
            "columns. Oracle: always follows a member that is right.",
            f"Oracle over all members: {percent(oracle)}.",
        ),
    )
