"""Scores of each class of multi-label runs, as a table, and what a reader must know of their thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from asc_bench.data.tags import DETECTION, SEGMENT_S, TAGGING
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import MISSING, decimals, percent
from asc_bench.scoring.classes import threshold_range
from asc_bench.scoring.decisions import SegmentRun, runs_by_system

_COLUMNS = (
    (DETECTION, "n_reference", "n"),
    (DETECTION, "error_rate", "ER"),
    (DETECTION, "f_score", "F"),
    (DETECTION, "precision", "P"),
    (DETECTION, "recall", "R"),
    (TAGGING, "n_reference", "n"),
    (TAGGING, "f_score", "F1"),
    (TAGGING, "precision", "P"),
    (TAGGING, "recall", "R"),
)


def classes_table(classes: pd.DataFrame, *, title: str, notes: Sequence[str] = ()) -> Table:
    """One row per system and class, in the order of the label space.

    Parameters
    ----------
    classes : DataFrame
        ``class_table`` of ``asc_bench.scoring.classes``.
    title : str
        Caption.
    notes : sequence of str
        Further sentences.
    """
    found = classes.set_index(["system", "label", "level"])
    rows = []
    for system, label in dict.fromkeys(zip(classes["system"], classes["label"], strict=True)):
        cells = [_cell(name, found.loc[(system, label, level), name]) for level, name, _ in _COLUMNS]
        rows.append((str(system), str(label), *cells))
    return Table(
        title,
        ("system", "class", *(f"{level} {short}" for level, _, short in _COLUMNS)),
        tuple(rows),
        (
            *notes,
            "ER: error rate, lower is better, may exceed 1. F, F1, P (precision) and R (recall) in percent.",
            f"n: segments of {SEGMENT_S:g} s of the reference that hold the class (detection), or clips (tagging). "
            "The error rate of one class has no substitutions, so the overall one is not the mean of these.",
            f"{MISSING}: not defined, because the class is not in the reference or was never found.",
        ),
    )


def threshold_notes(runs: Sequence[SegmentRun]) -> tuple[str, ...]:
    """Sentences on what F and F1 count, and on the thresholds of each system."""
    per_class = any(run.per_class for run in runs)
    ranges = [
        f"{system} {', '.join(_range(own, level) for level in (DETECTION, TAGGING))}"
        for system, own in runs_by_system(runs).items()
    ]
    return (
        "F (detection) and F1 (tagging) are different measures: the one counts segments, the other whole clips.",
        f"{'A threshold for each class' if per_class else 'One threshold for all classes'}, chosen for the highest "
        "F (F1) on validation clips, whose segments have the weak labels of the clip. Detection, tagging (lowest "
        f"to highest over runs{' and classes' if per_class else ''}): {'; '.join(ranges)}.",
    )


def _cell(name: str, value: float) -> str:
    if name == "n_reference":
        return f"{int(value):,}"
    return decimals(value) if name == "error_rate" else percent(value)


def _range(runs: Sequence[SegmentRun], level: str) -> str:
    low, high = (decimals(value) if math.isfinite(value) else "never" for value in threshold_range(runs, level))
    return low if low == high else f"{low}–{high}"
