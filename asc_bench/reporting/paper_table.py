"""A published table run again: every measured number with the published one below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from asc_bench.reporting.setting import Setting
from asc_bench.reporting.table import DEVICE, FLAWED, Table
from asc_bench.reporting.text import MISSING, decimals, percent, with_interval

PUBLISHED = "published"
_SHORT = {"not run": MISSING, "failed": "fail", "skipped": "skip", "incomplete": "inc.", "undefined": "undef."}
_LEGEND = {
    "not run": "not run",
    "failed": "a run failed",
    "skipped": "the system refuses this task",
    "incomplete": "test clips are missing, so there is no score",
    "undefined": "this number does not exist for what was computed",
}

Row = Mapping[str, Any]


def paper_table(
    cells: pd.DataFrame,
    setting: Setting,
    *,
    title: str,
    row_titles: Sequence[str],
    best_of: str,
    best_means: str,
    notes: Sequence[str] = (),
    intervals: bool = False,
    in_percent: bool = True,
) -> Table:
    """Lay the cells out as the paper does.

    Parameters
    ----------
    cells : DataFrame
        One row per cell, in the order of the paper: the columns ``row_titles``, ``group``, ``column``,
        ``variant``, ``measure``, ``value``, ``low``, ``high`` and ``published`` (fractions if ``in_percent``, which
        may also be a column, cell by cell),
        ``given_device`` (whether the system uses the device label at test time), ``status`` (empty where there is a
        value, else ``not run``, ``failed``, ``skipped``, ``incomplete`` or ``undefined``), ``reason`` (a
        sentence) and ``flaw`` (how the published number disagrees with others, or empty). Several rows of one
        place stand together, the later ones in brackets.
    setting : Setting
        Of the runs.
    title : str
        Of the published table.
    row_titles : sequence of str
        As in ``Reproduction``.
    best_of : str
        Measure whose best value in each row is marked; none is if empty.
    best_means : str
        What the mark says.
    notes : sequence of str
        Further sentences.
    intervals : bool
        Show the 95 % interval behind each value.
    in_percent : bool
        Whether values are fractions, to be shown in percent; else they have two decimals.
    """
    cells = cells if "in_percent" in cells else cells.assign(in_percent=in_percent)
    columns = list(dict.fromkeys(zip(cells["group"], cells["column"], strict=True)))
    by_row: dict[tuple[str, ...], dict[tuple[str, str], list[Row]]] = {}
    for record in cells.to_dict("records"):
        label = tuple(str(record[t]) for t in row_titles)
        place = by_row.setdefault(label, {}).setdefault((record["group"], record["column"]), [])
        place.append({str(k): v for k, v in record.items()})
    marked_whole = [_all_given_device(cells, column) for column in columns]
    rows: list[tuple[str, ...]] = []
    bold: set[tuple[int, int]] = set()
    for label, found in by_row.items():
        row = [found.get(column, []) for column in columns]
        texts = tuple(
            _together([_measured(c, intervals, marked=not marked_whole[j]) for c in place])
            for j, place in enumerate(row)
        )
        best = _best([p[0] if p else None for p in row], best_of)
        bold |= {(len(rows), len(label) + j) for j in best}
        rows.append((*label, *texts))
        printed = tuple(
            _together([_formatted(c)(c["published"]) + FLAWED * bool(c["flaw"]) for c in place]) for place in row
        )
        if setting.comparable and any(text not in ("", MISSING) for text in printed):
            rows.append((*[""] * (len(label) - 1), PUBLISHED, *printed))
    headed = _headed(columns, marked_whole)
    return Table(
        title,
        (*row_titles, *(column for _, column in headed)),
        tuple(rows),
        subtitle=setting.title,
        n_labels=len(row_titles),
        groups=tuple(group for group, _ in headed),
        bold=frozenset(bold),
        bold_means=f"{best_means}, of those measured",
        notes=(
            *setting.caveats,
            *_notes(cells, setting, intervals=intervals, in_percent=in_percent),
            *notes,
            setting.provenance,
        ),
    )


def _all_given_device(cells: pd.DataFrame, column: tuple[str, str]) -> bool:
    """Whether every system of a column uses the device label at test time: then its title bears the mark."""
    scored = cells[(cells["group"] == column[0]) & (cells["column"] == column[1]) & cells["value"].notna()]
    return bool(len(scored)) and bool(scored["given_device"].all())


def _headed(columns: Sequence[tuple[str, str]], marked_whole: Sequence[bool]) -> tuple[tuple[str, str], ...]:
    groups = {group for group, _ in columns}
    whole = {
        g for g in groups if g and all(t for (group, _), t in zip(columns, marked_whole, strict=True) if group == g)
    }
    return tuple(
        (f"{group} {DEVICE}", title) if group in whole else (group, f"{title} {DEVICE}" if marked else title)
        for (group, title), marked in zip(columns, marked_whole, strict=True)
    )


def _together(texts: Sequence[str]) -> str:
    """Numbers of one place: the first, and the others in brackets behind it unless none is there."""
    first, others = "".join(texts[:1]), [text for text in texts[1:] if text != MISSING]
    return f"{first} ({', '.join(others)})" if others else first


def _formatted(cell: Row) -> Callable[[float], str]:
    return percent if cell["in_percent"] else decimals


def _measured(cell: Row, intervals: bool, *, marked: bool) -> str:
    if cell["status"]:
        return _SHORT[cell["status"]]
    formatted = _formatted(cell)
    value = cell["value"]
    text = with_interval(value, cell["low"], cell["high"], formatted) if intervals else formatted(value)
    return f"{text}{DEVICE}" if marked and cell["given_device"] else text


def _best(row: Sequence[Row | None], best_of: str) -> frozenset[int]:
    """Columns of the highest printed value, where at least two can be compared."""
    rivals = [(j, c) for j, c in enumerate(row) if c and c["measure"] == best_of and not c["status"]]
    printed = {j: round(100 * cell["value"], 1) for j, cell in rivals}
    return frozenset(j for j, v in printed.items() if len(printed) > 1 and v == max(printed.values()))


def _notes(cells: pd.DataFrame, setting: Setting, *, intervals: bool, in_percent: bool) -> list[str]:
    scored = cells[cells["status"] == ""]
    notes = [f"{'Percent. ' if in_percent else ''}{len(scored)} of {len(cells)} cells measured."]
    if intervals and scored["low"].notna().any():
        notes[0] += " In brackets: 95 % interval of a bootstrap over recording locations."
    if scored["given_device"].any():
        notes.append(f"{DEVICE} uses the recording-device label at test time.")
    notes += [f"{_SHORT[s]} {meaning}." for s, meaning in _LEGEND.items() if (cells["status"] == s).any()]
    beside = scored[scored["published"].notna() & scored["low"].notna()]
    if setting.comparable and len(beside):
        inside = int(((beside["low"] <= beside["published"]) & (beside["published"] <= beside["high"])).sum())
        notes.append(
            "The published number lies inside the 95 % interval of the measured one in "
            f"{inside} of {len(beside)} cells."
        )
    if setting.comparable:
        flaws = dict.fromkeys(str(flaw) for flaw in cells["flaw"] if flaw)
        notes += [f"{FLAWED} The published numbers disagree: {flaw}" for flaw in flaws]
    troubled = cells[cells["reason"] != ""]
    reasons = dict.fromkeys(f"{v}: {r}" for v, r in zip(troubled["variant"], troubled["reason"], strict=True))
    return [*notes, *(f"{text.rstrip('.')}." for text in reasons)]
