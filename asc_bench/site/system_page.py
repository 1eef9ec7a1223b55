"""What the page of a system shows: its card, its scores on all tables, its settings and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asc_bench.registry import systems
from asc_bench.reporting.published import published_numbers
from asc_bench.reporting.system_facts import row_named, settings_of, table_named
from asc_bench.reporting.text import MISSING, one_line
from asc_bench.runs.made_elsewhere import MADE_ELSEWHERE
from asc_bench.site.boards import Board
from asc_bench.site.folders import ResultsFolder
from asc_bench.site.index_page import address_of, conditions, measure_in_words, system_of, unsound


def system_content(name: str, boards: Sequence[Board], folders: Sequence[ResultsFolder]) -> dict[str, Any]:
    """Everything that the page of a system shows.

    Parameters
    ----------
    name : str
        Of the system, without settings.
    boards : sequence of Board
        All tables of the site.
    folders : sequence of ResultsFolder
        All that the site is made of.
    """
    cls = systems().found.get(name)
    shown = [
        (board, place, row)
        for board in boards
        for place, (outcome, row) in enumerate(zip(board.outcomes, board.rows, strict=True), start=1)
        if system_of(outcome) == name
    ]
    doubted = unsound(folders)
    manifests = [m for board, place, _ in shown for m in board.outcomes[place - 1].manifests]
    return {
        "name": one_line(name),
        "title": cls.card.title if cls else one_line(name),
        "card": None if cls is None else _card(cls.card),
        "elsewhere": _origin(manifests),
        "results": [_result(board, place, row) for board, place, row in shown],
        "doubts": {
            label: doubted[label]
            for label in dict.fromkeys(board.origins.get(row["name"], "") for board, _, row in shown)
            if label in doubted
        },
        "synthetic": any(board.setting.synthetic for board, *_ in shown),
        "published": [entry for board, _, row in shown for entry in _published(board, row)],
        "settings": [] if cls is None else _settings(cls),
        "variants": _variants(manifests),
        "numbers": [] if cls is None else _numbers(cls),
    }


def _card(card: Any) -> dict[str, Any]:
    cited = card.citation if str(card.year) in card.citation else f"{card.citation} ({card.year})"
    return {"source": cited, "input": card.input, "guesses": list(card.guesses)}


def _origin(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Where predictions that were made elsewhere come from; empty for a system that was run here."""
    found = [m[MADE_ELSEWHERE] for m in manifests if MADE_ELSEWHERE in m]
    stated = dict.fromkeys(one_line(f"{k}: {v}") for origin in found for k, v in origin.items())
    return ", ".join(stated) if stated else "not stated" if found else ""


def _result(board: Board, place: int, row: Mapping[str, Any]) -> dict[str, Any]:
    primary = board.evaluation.measures[0]
    score = row["scores"].get(primary.name)
    return {
        "address": f"../{address_of(board)}",
        "title": board.setting.protocol_title,
        "conditions": conditions(board.setting),
        "synthetic": board.setting.synthetic,
        "variant": one_line(row["marked"]),
        "measure": measure_in_words(primary),
        "score": score["text"] if score else MISSING,
        "sd": score["texts"].get("sd_repeats", MISSING) if score else MISSING,
        "place": f"{place} of {sum(o.scored for o in board.outcomes)}" if score else MISSING,
        "costs": [row["costs"][key]["text"] for key in ("n_parameters", "macs", "train_s")],
        "status": row["status"],
    }


def _published(board: Board, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "address": f"../{address_of(board)}",
            "title": board.setting.protocol_title,
            "conditions": conditions(board.setting),
            "variant": one_line(row["name"]),
            "measure": measure_in_words(measure),
            **row["scores"][measure.name]["published"],
        }
        for measure in board.evaluation.all_measures
        if "published" in row["scores"].get(measure.name, {})
    ]


def _settings(cls: Any) -> list[tuple[str, str, str]]:
    return [
        (
            setting.name,
            "required" if setting.required else str(setting.default) if setting.default != "" else "empty",
            setting.kind,
        )
        for setting in settings_of(cls)
    ]


def _variants(manifests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Settings in which what was run differs: columns, and a row for each variant."""
    params = {str(m["variant"]): {k: str(v) for k, v in (m.get("params") or {}).items()} for m in manifests}
    names = dict.fromkeys(name for given in params.values() for name in given)
    columns = [name for name in names if len({given.get(name) for given in params.values()}) > 1]
    rows = [
        (one_line(variant), [one_line(given.get(name, MISSING)) or "empty" for name in columns])
        for variant, given in params.items()
    ]
    return {"columns": columns, "rows": rows if columns else []}


def _numbers(cls: Any) -> list[dict[str, str]]:
    """Every published number that its card names."""
    return [
        {
            "protocol": number.protocol,
            "measure": number.measure,
            "printed": number.printed,
            "row": row_named(number, cls),
            "table": table_named(number),
        }
        for number in published_numbers(cls.card)
    ]
