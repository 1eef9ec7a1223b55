"""A published table filled from stored runs, and its files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.files import write_atomic
from asc_bench.papers.item import Cut, described, inside
from asc_bench.papers.table import Cell, Finished, Reproduction
from asc_bench.reporting.outcome import Outcome, outcomes
from asc_bench.reporting.paper_table import paper_table
from asc_bench.reporting.published import contradiction, published_values
from asc_bench.reporting.setting import Setting
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import one_line
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import StoredRun
from asc_bench.runs.variant import parse_variants
from asc_bench.runs.work import Work

NUMBERS = ("value", "low", "high", "n", "n_locations", "n_repeats", "sd_repeats")


@dataclass(frozen=True)
class Reproduced:
    """Where it was written, and the part that was asked for."""

    folder: Path
    shown: Table
    intervals: bool = True
    """Whether any cell has one."""


def table_cells(item: Reproduction) -> list[Cell]:
    """Every cell, with its variant written canonically."""
    cells = item.cells()
    canonical = {text: str(variant) for text in {c.variant for c in cells} for variant in parse_variants(text)}
    return [replace(cell, variant=canonical[cell.variant]) for cell in cells]


def asked(item: Reproduction, cells: Sequence[Cell], cut: Cut) -> list[Cell]:
    """The cells that a cut leaves.

    Raises
    ------
    ConfigError
        If none is left.
    """
    left = [cell for cell in cells if inside(cell.at, cut)]
    if not left:
        raise ConfigError(f"{item.name} has no cell with {described(cut)}")
    return left


@dataclass(frozen=True)
class Filled:
    """Cells of a table that belong to one protocol, and the runs that fill them."""

    cells: Sequence[Cell]
    work: Work


def reproduce(
    item: Reproduction, parts: Sequence[Filled], folder: Path, *, cut: Cut, settings: Settings | None = None
) -> Reproduced:
    """Fill the table, write it whole, and give the part that was asked for.

    Parameters
    ----------
    item : Reproduction
        The published table.
    parts : sequence of Filled
        Its cells, by protocol, and their runs as far as they are there; at least one of each part is.
    folder : Path
        Where ``table.md``, ``table.csv`` and ``table.tex`` go; they hold every cell, whatever the cut.
    cut : mapping
        What the table that is returned shows.
    settings : Settings, optional
        Cache and device, for tables that need the fitted systems; the device may be ``auto``.
    """
    cells = [cell for part in parts for cell in part.cells]
    settings = settings or Settings(cache=folder)
    frames, found = [], []
    for part in parts:
        its = Setting.of([run.manifest for run in part.work.runs])
        place = folder / its.protocol if len(parts) > 1 else folder
        frames.append(_frame(item, part.cells, part.work, place, its, settings))
        found.append(its)
    frame, setting = pd.concat(frames, ignore_index=True), Setting.together(found)
    write_atomic(folder / "table.csv", frame.to_csv(index=False))
    write_atomic(folder / "table.md", _table(item, frame, setting, intervals=True).to_markdown())
    write_atomic(folder / "table.tex", _table(item, frame, setting).to_latex())
    shown = frame[[inside(cell.at, cut) for cell in cells]]
    return Reproduced(folder, _table(item, shown, setting), bool(frame["low"].notna().any()))


def _table(item: Reproduction, frame: pd.DataFrame, setting: Setting, *, intervals: bool = False) -> Table:
    return paper_table(
        frame,
        setting,
        title=item.title,
        row_titles=item.row_titles,
        best_of=item.best_of,
        best_means=item.best_means,
        notes=(*item.notes, *(item.remarks() if setting.comparable else ())),
        intervals=intervals,
        in_percent=item.in_percent,
    )


def _frame(
    item: Reproduction, cells: Sequence[Cell], work: Work, folder: Path, setting: Setting, settings: Settings
) -> pd.DataFrame:
    """One row per cell: labels, score, published number, what came of its runs, and the setting."""
    runs = {variant: _usable(item, its) for variant, its in work.by_variant().items()}
    whole = {v: [r for r in its if r] for v, its in runs.items() if all(r is not None and r.done for r in its)}
    scores = item.measured(Finished(runs=whole, bench=work.bench, settings=settings, folder=folder))
    found = outcomes(scores, [run.manifest for run in work.runs], work.bench.protocol.measures_on(()))
    by_variant = {outcome.system: outcome for outcome in found}
    rows = []
    for cell in cells:
        outcome = by_variant.get(cell.variant)
        status, reason = _state(runs[cell.variant], outcome, with_weights=item.needs_weights)
        score: Mapping[str, Any] = (outcome.score(cell.measure) if outcome and not status else None) or {}
        if not status and not score:
            status, reason = "undefined", _why_undefined(scores, cell)
        beside = cell.published if setting.comparable else None
        rows.append(
            {
                **dict(zip(item.row_titles, cell.row, strict=True)),
                "group": cell.column[0],
                "column": cell.column[1],
                "variant": cell.variant,
                "measure": cell.measure,
                "in_percent": item.in_percent and cell.in_percent,
                **{name: score.get(name, math.nan) for name in NUMBERS},
                "published": _published(item, cell) if beside else math.nan,
                "flaw": (contradiction(beside.table, beside.where) if beside else None) or "",
                "given_device": bool(outcome and outcome.given_device),
                "status": status,
                "reason": reason,
                "protocol": setting.protocol,
                "protocol_version": setting.protocol_version,
                "dataset": setting.dataset,
                "synthetic": setting.synthetic,
                "synthetic_size": setting.synthetic_size,
                "budget": setting.budget,
                "selection": setting.selection,
                "augmentation": setting.augmentation,
                "runs": " ".join(str(run.manifest["key"]) for run in runs[cell.variant] if run),
            }
        )
    return pd.DataFrame(rows).astype(dict.fromkeys(("n", "n_locations", "n_repeats"), "Int64"))


def _usable(item: Reproduction, runs: Sequence[StoredRun | None]) -> list[StoredRun | None]:
    """Runs of a variant; None also for a finished one without weights, where the table needs them."""
    return [None if run and run.done and item.needs_weights and run.weights is None else run for run in runs]


def _published(item: Reproduction, cell: Cell) -> float:
    """As the values are; in percent without the noise of a division: 69.9 becomes 0.699."""
    assert cell.published is not None
    printed = published_values(cell.published)[cell.measure]
    return round(printed / 100, 6) if item.in_percent and cell.in_percent else printed


def _why_undefined(scores: pd.DataFrame, cell: Cell) -> str:
    its = scores[(scores["system"] == cell.variant) & (scores["measure"] == cell.measure)]
    return str(its["reason"].iloc[0]) if len(its) and "reason" in its else ""


def _state(runs: Sequence[StoredRun | None], outcome: Outcome | None, *, with_weights: bool) -> tuple[str, str]:
    """Why a system has no score, in a word and in a sentence; both empty if it has one."""
    there = [run for run in runs if run is not None]
    statuses = {str(run.manifest["status"]) for run in there}
    if outcome is not None and statuses & {"failed", "skipped"}:
        return "failed" if "failed" in statuses else "skipped", outcome.status
    if len(there) < len(runs):
        kept = " with their weights" if with_weights else ""
        return "not run", f"{len(there)} of {len(runs)} runs are stored{kept}" if there else ""
    if outcome is not None and outcome.incomplete:
        return "incomplete", one_line(outcome.incomplete)
    return "", ""
