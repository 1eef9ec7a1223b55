"""Tables of multi-label runs: detection and tagging side by side and never mixed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from asc_bench.data.tags import DETECTION, SEGMENT_S, TAGGING
from asc_bench.files import write_atomic
from asc_bench.reporting.grid import Grid, Line
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import MINUS, MISSING, decimals, p_value, percent, points, with_interval
from asc_bench.scoring.segment_resampling import LOWER_IS_BETTER, MEASURES, Place
from asc_bench.scoring.segment_scores import SegmentScores

GROUPS = {DETECTION: f"subtask B, detection, {SEGMENT_S:g} s segments", TAGGING: "subtask A, tagging"}
"""Headings of the two groups of columns."""

_TITLES = {
    "error_rate": "ER",
    "f_score": "F",
    "f1": "F1",
    "precision": "P",
    "recall": "R",
    "macro_f1": "macro F1",
    "n_reference": "n",
}
_WITH_INTERVAL = frozenset({"error_rate", "f_score", "f1"})
_CLASS_COLUMNS = {
    DETECTION: ("n_reference", "error_rate", "f_score", "precision", "recall"),
    TAGGING: ("n_reference", "f_score", "precision", "recall"),
}
_UNITS = "ER: error rate, lower is better, may exceed 1. F, F1, P (precision) and R (recall) in percent."
_NOT_ONE_PAIR = (
    "F (detection) and F1 (tagging) are different measures: the one counts segments, the other whole clips."
)

Row = Mapping[str, Any]


def segment_table(scores: SegmentScores, *, title: str, notes: Sequence[str] = ()) -> Grid:
    """One line per system, the lowest error rate first; incomplete systems below, without a number.

    Parameters
    ----------
    scores : SegmentScores
        From ``segment_scores`` of ``asc_bench.scoring``.
    title : str
        Of the setting: protocol, data and budget.
    notes : sequence of str
        Further sentences, such as what a reader must know before any number.
    """
    rows = _by_system(scores.scores)
    ranked = sorted(rows, key=lambda name: (_sortable(rows[name][DETECTION, "error_rate"]["value"]), name))
    best = _best(rows)
    lines = tuple(
        Line(
            labels=(name,),
            cells=tuple(_cell(rows[name][place]) for place in MEASURES),
            best=frozenset(j for j, place in enumerate(MEASURES) if name in best[place]),
        )
        for name in ranked
    )
    return Grid(
        titles=(title,),
        row_titles=("system",),
        columns=tuple((GROUPS[level], _TITLES[name]) for level, name in MEASURES),
        lines=lines,
        best_means="best of the column",
        notes=(*notes, *_notes(scores)),
    )


def segment_classes_table(scores: SegmentScores, *, title: str, notes: Sequence[str] = ()) -> Grid:
    """One line per system and class, in the order of the label space. Parameters as in `segment_table`."""
    places = [(level, name) for level, names in _CLASS_COLUMNS.items() for name in names]
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for record in _records(scores.classes):
        found.setdefault((str(record["system"]), str(record["label"])), {})[str(record["level"])] = record
    lines, before = [], ""
    for (system, label), by_level in found.items():
        cells = tuple(_class_cell(by_level[level], name) for level, name in places)
        lines.append(Line(labels=("" if system == before else system, label), cells=cells))
        before = system
    return Grid(
        titles=(f"{title}: by class",),
        row_titles=("system", "class"),
        columns=tuple(
            (GROUPS[level], "F1" if (level, name) == (TAGGING, "f_score") else _TITLES[name])
            for level, name in places
        ),
        lines=tuple(lines),
        notes=(
            *notes,
            _UNITS,
            "n: segments of the reference that hold the class (detection), or clips (tagging). The error rate of "
            "one class has no substitutions, so the overall one is not the mean of these.",
            f"{MISSING}: not defined, because the class is not in the reference or was never found.",
        ),
    )


def segment_pairs_table(scores: SegmentScores, *, title: str, notes: Sequence[str] = ()) -> Table:
    """One row per measure and pair of systems. Parameters as in `segment_table`."""
    rows = []
    for row in _records(scores.pairs):
        spelt = _difference if row["measure"] in LOWER_IS_BETTER else _points
        rows.append(
            (
                f"{row['level']} {_TITLES[str(row['measure'])]}",
                str(row["system_a"]),
                str(row["system_b"]),
                with_interval(row["difference"], row["low"], row["high"], spelt),
                f"{row['n']:,}",
                f"{row['n_locations']:,}",
                p_value(row["p_bootstrap"]),
                p_value(row["p_bootstrap_holm"]),
            )
        )
    told = (
        "A is the better system of each pair. Differences of ER are ER, all others are in points. In brackets: "
        "95 % interval of the paired bootstrap over locations.",
        "Bootstrap: two-sided, paired, resamples whole locations and assumes only that these are independent. "
        "Holm: corrected for all pairs of one measure. This is the one to quote.",
    )
    return Table(
        f"{title}: pairwise tests",
        ("measure", "system A", "system B", "A − B", "n", "n_locations", "p bootstrap", "p bootstrap, Holm"),
        tuple(rows),
        (*notes, *(told if rows else ("There is no pair to test.",))),
    )


def write_segment_report(folder: Path, title: str, scores: SegmentScores, notes: Sequence[str] = ()) -> str:
    """Write the tables of multi-label runs and return those to print.

    Parameters
    ----------
    folder : Path
        Made if it is not there. ``results``, ``classes`` and ``significance`` are written as ``.md``, ``.tex`` and
        ``.csv``; the CSV files are the tidy frames with every digit.
    title, scores, notes
        As in `segment_table`.

    Returns
    -------
    str
        Results, and the pairwise tests if there is a pair, as text.

    Raises
    ------
    StoreError
        If a file cannot be written; its message names it.
    """
    results = segment_table(scores, title=title, notes=notes)
    pairs = segment_pairs_table(scores, title=title, notes=notes)
    files: tuple[tuple[str, Grid | Table, pd.DataFrame], ...] = (
        ("results", results, scores.scores),
        ("classes", segment_classes_table(scores, title=title, notes=notes), scores.classes),
        ("significance", pairs, scores.pairs),
    )
    for name, table, frame in files:
        for suffix, text in (
            ("md", table.to_markdown()),
            ("tex", table.to_latex()),
            ("csv", frame.to_csv(index=False)),
        ):
            write_atomic(folder / f"{name}.{suffix}", text)
    return results.to_text() + (f"\n{pairs.to_text()}" if pairs.rows else "")


def _records(frame: pd.DataFrame) -> list[Row]:
    return [{str(key): value for key, value in record.items()} for record in frame.to_dict("records")]


def _by_system(scores: pd.DataFrame) -> dict[str, dict[Place, Row]]:
    found: dict[str, dict[Place, Row]] = {}
    for record in _records(scores):
        found.setdefault(str(record["system"]), {})[str(record["level"]), str(record["measure"])] = record
    return found


def _sortable(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _speller(measure: str) -> Callable[[float], str]:
    return decimals if measure in LOWER_IS_BETTER else percent


def _cell(row: Row) -> str:
    if row["incomplete"]:
        return "inc."
    name = str(row["measure"])
    spelt = _speller(name)
    return (
        with_interval(row["value"], row["low"], row["high"], spelt)
        if name in _WITH_INTERVAL
        else spelt(row["value"])
    )


def _class_cell(row: Row, name: str) -> str:
    return f"{row[name]:,}" if name == "n_reference" else _speller(name)(row[name])


def _threshold(row: Mapping[Place, Row], level: str) -> str:
    one = next(own for place, own in row.items() if place[0] == level)
    extremes = (one["threshold_low"], one["threshold_high"])
    low, high = (decimals(value) if math.isfinite(value) else "never" for value in extremes)
    return low if low == high else f"{low}–{high}"


def _best(rows: Mapping[str, Mapping[Place, Row]]) -> dict[Place, frozenset[str]]:
    """Systems with the best printed value of each measure, where at least two can be compared."""
    found = {}
    for place in MEASURES:
        digits = 2 if place[1] in LOWER_IS_BETTER else 3
        printed = {name: round(row[place]["value"], digits) for name, row in rows.items()}
        rivals = {name: value for name, value in printed.items() if not math.isnan(value)}
        if len(rivals) < 2:
            found[place] = frozenset[str]()
            continue
        top = (min if place[1] in LOWER_IS_BETTER else max)(rivals.values())
        found[place] = frozenset(name for name, value in rivals.items() if value == top)
    return found


def _notes(scores: SegmentScores) -> list[str]:
    table = scores.scores
    scored = table[table["incomplete"] == ""]
    notes = [_UNITS, _NOT_ONE_PAIR]
    if scored["low"].notna().any():
        notes.append("In brackets: 95 % percentile interval of a bootstrap over locations.")
    counts = dict.fromkeys(f"{n:,} ({m:,})" for n, m in zip(scored["n"], scored["n_locations"], strict=True))
    if counts:
        notes.append(f"Test clips (locations): {' or '.join(counts)}.")
    rows = _by_system(scored)
    if rows:
        told = (f"{name} {', '.join(_threshold(row, level) for level in GROUPS)}" for name, row in rows.items())
        spread = "lowest to highest over runs" + " and classes" * scores.per_class
        notes.append(
            f"{'A threshold for each class' if scores.per_class else 'One threshold for all classes'}, chosen for "
            "the highest F (F1) on validation clips, whose segments have the weak labels of the clip. Detection, "
            f"tagging ({spread}): {'; '.join(told)}."
        )
    if (scored["n_repeats"] > 1).any():
        notes.append("Several seeds: means over the seeds.")
    notes += [f"inc.: {s}, {g}." for s, g in _gaps(table).items()]
    return notes


def _gaps(table: pd.DataFrame) -> dict[str, str]:
    gaps = table[table["incomplete"] != ""].drop_duplicates("system")
    return dict(zip(gaps["system"], gaps["incomplete"], strict=True))


def _difference(value: float) -> str:
    shown = decimals(abs(value))
    if float(shown) == 0:
        return shown
    return (MINUS if value < 0 else "+") + shown


def _points(value: float) -> str:
    return points(100 * value)
