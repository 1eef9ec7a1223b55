"""Tables of pairs of systems and of single runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from asc_bench.reporting.setting import Manifest, Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import MISSING, p_value, points, seconds, z_value


def significance_text_table(
    significance: pd.DataFrame, manifests: Sequence[Manifest], *, measure: str, notes: Sequence[str] = ()
) -> Table:
    """One row per pair of systems, with every test beside the others.

    Parameters
    ----------
    significance : DataFrame
        ``significance_table`` of ``asc_bench.scoring.frames``; differences are fractions.
    manifests : sequence of mapping
        The runs, for the title.
    measure : str
        The measure whose difference is tested.
    notes : sequence of str
        Further sentences.
    """
    setting = Setting.of(manifests)
    columns = (
        "system A",
        "system B",
        "A − B (points)",
        "n",
        "n_locations",
        "z as published",
        "p as published",
        "z stratified",
        "p stratified",
        "only A right",
        "only B right",
        "p McNemar",
        "p bootstrap",
        "p bootstrap, Holm",
    )
    rows = []
    for row in significance.to_dict("records"):
        interval = f" [{points(100 * row['low'])}, {points(100 * row['high'])}]" if row["low"] == row["low"] else ""
        rows.append(
            (
                str(row["system_a"]),
                str(row["system_b"]),
                points(100 * row["difference"]) + interval,
                f"{row['n']:,}",
                f"{row['n_locations']:,}",
                z_value(row["z_published"]),
                p_value(row["p_published"]),
                z_value(row["z_stratified"]),
                p_value(row["p_stratified"]),
                f"{row['only_a']:,}",
                f"{row['only_b']:,}",
                p_value(row["p_mcnemar"]),
                p_value(row["p_bootstrap"]),
                p_value(row["p_bootstrap_holm"]),
            )
        )
    assumptions = (
        f"A scores higher than B in {measure}. In brackets: 95 % interval of the paired bootstrap.",
        "As published: one-tailed two-proportion z-test that takes the score for one proportion of n clips, "
        "clips for independent and the systems for scored on different clips. None of this holds.",
        "Stratified: the same one-tailed test with the strata of the measure (devices or folds) kept apart; "
        "clips and systems are still taken for independent.",
        "McNemar: exact, two-sided, paired, on clips that one system alone gets right (first seed). Tests "
        "accuracy over clips, not the mean over classes, and takes clips for independent.",
        "Bootstrap: two-sided, paired, resamples whole recording locations and assumes only that these are "
        "independent. Holm: corrected for all pairs of this table. This is the one to quote.",
    )
    return Table(
        f"{setting.title}: pairwise tests",
        columns,
        tuple(rows),
        (*setting.caveats, *(assumptions if rows else ("There is no pair to test.",)), *notes),
    )


def per_run_table(manifests: Sequence[Manifest]) -> Table:
    """One row per run: what became of it, how long it took and what memory it needed."""
    setting = Setting.of(manifests)
    rows = []
    for m in sorted(manifests, key=lambda m: (str(m["variant"]), str(m["fold"]), int(m["repeat"]))):
        took: Mapping[str, Any] = m.get("durations_s") or {}
        error: Mapping[str, Any] = m.get("error") or {}
        peak = m.get("peak_memory_bytes")
        rows.append(
            (
                str(m["variant"]),
                str(m["fold"]),
                str(m["repeat"]),
                str(m["status"]),
                *(seconds(took.get(phase)) for phase in ("features", "fit", "predict")),
                MISSING if peak is None else f"{peak / 2**20:,.0f}",
                f"{error.get('type', '')}: {error.get('message', '')}" if error else "",
            )
        )
    titles = ("system", "fold", "repeat", "status", "features s", "fit s", "predict s", "peak MiB", "error")
    return Table(f"{setting.title}: runs", titles, tuple(rows), (setting.provenance,))
