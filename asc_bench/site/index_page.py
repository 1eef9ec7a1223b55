"""What the index shows: the tables there are, every system on every one of them, and the folders behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asc_bench.reporting.outcome import Outcome
from asc_bench.reporting.results import measured
from asc_bench.reporting.setting import Setting
from asc_bench.reporting.text import MISSING, in_unit, one_line
from asc_bench.scoring.measure import Measure
from asc_bench.site.boards import Board
from asc_bench.site.folders import ResultsFolder

_UNITS = {"percent": "percent", "nats": "nats", "ratio": "ratio"}


def index_content(
    boards: Sequence[Board], folders: Sequence[ResultsFolder], systems: Mapping[str, str]
) -> dict[str, Any]:
    """Everything that the index shows.

    Parameters
    ----------
    boards : sequence of Board
        In the order of the index.
    folders : sequence of ResultsFolder
        All that the site is made of.
    systems : mapping
        Name of a system to the address of its page.
    """
    return {
        "boards": [_board(board, systems) for board in boards],
        "columns": [_column(board) for board in boards],
        "rows": _across(boards, systems, unsound(folders)),
        "folders": [_folder(folder) for folder in folders],
        "n_systems": len(systems),
    }


def address_of(board: Board) -> str:
    """Address of the page of a table, seen from the index."""
    return f"protocols/{board.name}.html"


def conditions(setting: Setting) -> str:
    """Data, budget, seeds, selection and so on, as titles of tables say them."""
    return setting.title.removeprefix(f"{setting.protocol_title}: ")


def dates(setting_first: str, setting_last: str) -> str:
    """One day, or the first and the last one."""
    if not setting_first:
        return MISSING
    return setting_first if setting_first == setting_last else f"{setting_first} to {setting_last}"


def measure_in_words(measure: Measure) -> str:
    """Name and unit of a measure."""
    return f"{measure.name} ({_UNITS.get(measure.unit, measure.unit)})"


def score_text(board: Board, outcome: Outcome, measure: Measure) -> str:
    """A score as the table of results prints it."""
    return measured(outcome.score(measure.name), measure, board.evaluation.intervals)


def _board(board: Board, systems: Mapping[str, str]) -> dict[str, Any]:
    setting, primary = board.setting, board.evaluation.measures[0]
    best = next((o for o in board.outcomes if o.score(primary.name)), None)
    tied = [o for o in board.outcomes if o is not best and o.scored and o.system in board.evaluation.tied]
    return {
        "address": address_of(board),
        "title": setting.protocol_title,
        "conditions": conditions(setting),
        "synthetic": setting.synthetic,
        "n": len(board.outcomes),
        "n_unscored": sum(not o.scored for o in board.outcomes),
        "measure": measure_in_words(primary),
        "best": "" if best is None else best.system,
        "best_address": "" if best is None else systems[system_of(best)],
        "best_text": MISSING if best is None else score_text(board, best, primary),
        "n_tied": len(tied) if best else 0,
        "dates": dates(setting.first, setting.last),
        "folders": ", ".join(board.folders),
    }


def system_of(outcome: Outcome) -> str:
    """Name of the system of an outcome, without settings."""
    return str(outcome.manifests[0]["system"])


def _column(board: Board) -> dict[str, Any]:
    primary = board.evaluation.measures[0]
    return {
        "address": address_of(board),
        "name": board.setting.protocol,
        "conditions": conditions(board.setting),
        "synthetic": board.setting.synthetic,
        "measure": measure_in_words(primary),
        "higher": primary.higher_is_better,
        "folders": ", ".join(board.folders),
    }


def unsound(folders: Sequence[ResultsFolder]) -> dict[str, str]:
    """Folders that do not verify as a whole, with what is wrong."""
    return {folder.label: folder.state for folder in folders if folder.faults}


def _across(
    boards: Sequence[Board], systems: Mapping[str, str], doubted: Mapping[str, str]
) -> list[dict[str, Any]]:
    """A row for each system with settings, by name; cells in the order of the boards, None where it has no run."""
    by_board = [{outcome.system: outcome for outcome in board.outcomes} for board in boards]
    names: dict[str, str] = {}
    origins = {name: label for board in boards for name, label in board.origins.items()}
    for outcomes in by_board:
        names |= {name: system_of(outcome) for name, outcome in outcomes.items()}
    return [
        {
            "name": one_line(name),
            "address": systems[names[name]],
            "doubted": origins.get(name) in doubted,
            "cells": [_cell(board, outcomes.get(name)) for board, outcomes in zip(boards, by_board, strict=True)],
        }
        for name in sorted(names, key=lambda name: (names[name], name))
    ]


def _cell(board: Board, outcome: Outcome | None) -> dict[str, Any] | None:
    if outcome is None:
        return None
    primary = board.evaluation.measures[0]
    score = outcome.score(primary.name)
    if score is None:
        return {"text": "no score", "value": "", "best": False, "tied": False, "status": outcome.status}
    first = next(o for o in board.outcomes if o.score(primary.name))
    # As the printed tables mark them: all that print the same best value.
    best = in_unit(score["value"], primary.unit) == in_unit(first.scores[primary.name]["value"], primary.unit)
    return {
        "text": score_text(board, outcome, primary),
        "value": repr(float(score["value"])),
        "best": best,
        "tied": outcome is not first and outcome.system in board.evaluation.tied,
        "status": "",
    }


def _folder(folder: ResultsFolder) -> dict[str, Any]:
    manifests = [run.manifest for run in folder.runs]
    hosts = [m.get("host") or {} for m in manifests]
    started = sorted(str(m["started"])[:10] for m in manifests if m.get("started"))
    return {
        "label": folder.label,
        "state": folder.state,
        "sound": not folder.faults,
        "n_runs": len(manifests),
        "systems": len({str(m["variant"]) for m in manifests}),
        "dates": dates(started[0], started[-1]) if started else MISSING,
        "machines": _different(host.get("gpu") or host.get("processor") for host in hosts),
        "versions": _different((m.get("versions") or {}).get("asc-bench") for m in manifests),
    }


def _different(values: Any) -> str:
    return ", ".join(dict.fromkeys(one_line(v) for v in values if v)) or MISSING
