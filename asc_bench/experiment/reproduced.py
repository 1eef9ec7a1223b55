"""A published table filled from stored runs, and its files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from asc_bench.errors import ConfigError
from asc_bench.experiment.paper import Cut, described, inside
from asc_bench.experiment.reproduction import Cell, Reproduction
from asc_bench.experiment.scored import scored
from asc_bench.experiment.store import StoredRun
from asc_bench.experiment.variant import parse_variants
from asc_bench.experiment.work import Work
from asc_bench.files import write_atomic
from asc_bench.reporting.grid import Grid
from asc_bench.reporting.outcome import Outcome, outcomes
from asc_bench.reporting.paper_table import paper_grid
from asc_bench.reporting.published import contradiction, published_values
from asc_bench.reporting.setting import Setting
from asc_bench.reporting.text import one_line

NUMBERS = ("value", "low", "high", "n", "n_locations", "n_repeats", "sd_repeats")


@dataclass(frozen=True)
class Reproduced:
    """What was written, and the text for the terminal."""

    folder: Path
    text: str


def table_cells(item: Reproduction) -> list[Cell]:
    """Every cell, with its variant spelt as everywhere else."""
    cells = item.cells()
    spelt = {text: str(variant) for text in {c.variant for c in cells} for variant in parse_variants(text)}
    return [replace(cell, variant=spelt[cell.variant]) for cell in cells]


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


def reproduce(item: Reproduction, work: Work, folder: Path, *, cut: Cut) -> Reproduced:
    """Fill the table, write it whole, and give the part that was asked for as text.

    Parameters
    ----------
    item : Reproduction
        The published table.
    work : Work
        Runs of all its cells, as far as they are there; at least one is.
    folder : Path
        Where ``table.md``, ``table.csv`` and ``table.tex`` go; they hold every cell, whatever the cut.
    cut : mapping
        What the text shows.
    """
    cells = table_cells(item)
    setting = Setting.of([run.manifest for run in work.runs])
    frame = _frame(item, cells, work, folder, setting)
    write_atomic(folder / "table.csv", frame.to_csv(index=False))
    write_atomic(folder / "table.md", _grid(item, frame, setting, intervals=True).to_markdown())
    write_atomic(folder / "table.tex", _grid(item, frame, setting).to_latex())
    part = frame[[inside(cell.at, cut) for cell in cells]]
    return Reproduced(folder, _grid(item, part, setting).to_text())


def _grid(item: Reproduction, frame: pd.DataFrame, setting: Setting, *, intervals: bool = False) -> Grid:
    return paper_grid(
        frame,
        setting,
        title=item.title,
        row_titles=item.row_titles,
        best_of=item.best_of,
        best_means=item.best_means,
        notes=(*item.notes, *(item.remarks() if setting.comparable else ())),
        intervals=intervals,
    )


def _frame(item: Reproduction, cells: Sequence[Cell], work: Work, folder: Path, setting: Setting) -> pd.DataFrame:
    """One row per cell: labels, score, published number, what came of its runs, and the setting."""
    protocol = work.bench.protocol
    runs = work.by_variant()
    whole = {v: [r for r in its if r] for v, its in runs.items() if all(r is not None and r.done for r in its)}
    scores = scored(protocol, whole, folder)
    found = outcomes(scores, [run.manifest for run in work.runs], [m.name for m in protocol.measures])
    by_variant = {outcome.system: outcome for outcome in found}
    rows = []
    for cell in cells:
        outcome = by_variant.get(cell.variant)
        status, reason = _state(runs[cell.variant], outcome)
        score: Mapping[str, Any] = (outcome.score(cell.measure) if outcome and not status else None) or {}
        beside = cell.published if setting.comparable else None
        rows.append(
            {
                **dict(zip(item.row_titles, cell.row, strict=True)),
                "group": cell.column[0],
                "column": cell.column[1],
                "variant": cell.variant,
                "measure": cell.measure,
                **{name: score.get(name, math.nan) for name in NUMBERS},
                "published": _fraction(published_values(beside)[cell.measure]) if beside else math.nan,
                "flaw": (contradiction(beside.table, beside.where) if beside else None) or "",
                "told": bool(outcome and outcome.given_device),
                "status": status,
                "reason": reason,
                "protocol": setting.protocol,
                "protocol_version": setting.protocol_version,
                "dataset": setting.dataset,
                "synthetic": setting.synthetic,
                "synthetic_size": setting.synthetic_size,
                "budget": setting.budget,
                "selection": setting.selection,
                "runs": " ".join(str(run.manifest["key"]) for run in runs[cell.variant] if run),
            }
        )
    return pd.DataFrame(rows).astype(dict.fromkeys(("n", "n_locations", "n_repeats"), "Int64"))


def _fraction(percent: float) -> float:
    """Without the noise of a division: 69.9 becomes 0.699."""
    return round(percent / 100, 6)


def _state(runs: Sequence[StoredRun | None], outcome: Outcome | None) -> tuple[str, str]:
    """Why a system has no score, in a word and in a sentence; both empty if it has one."""
    there = [run for run in runs if run is not None]
    statuses = {str(run.manifest["status"]) for run in there}
    if outcome is not None and statuses & {"failed", "skipped"}:
        return "failed" if "failed" in statuses else "skipped", outcome.status
    if len(there) < len(runs):
        return "not run", f"{len(there)} of {len(runs)} runs are stored" if there else ""
    if outcome is not None and outcome.incomplete:
        return "incomplete", one_line(outcome.incomplete)
    return "", ""
