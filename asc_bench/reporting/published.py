"""Published numbers, read from the tables in ``results/published``."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

from asc_bench.errors import ConfigError
from asc_bench.registry import systems
from asc_bench.systems.base import Card, Params, Published

_NAMES_THE_MEASURE = ("device", "dataset", "level", "top_k", "metric", "measure")
_VALUES = ("accuracy", "value")
_AVERAGE = "average"
_AVERAGES_ONLY = frozenset({"caanet_table1"})
"""Tables whose single number is the mean over devices, though no column says so."""

TOLERANCE_POINTS = 0.15
"""How far a printed average may lie from the mean of its printed devices: twice 0.05 for the rounding of
both, and a little more."""


def published_values(published: Published) -> dict[str, float]:
    """Look up what a paper printed.

    A column ``device`` names the measure by its value (``A``, ``B``, ``C``, ``average``). Otherwise the
    columns ``dataset``, ``level``, ``top_k``, ``metric`` and ``measure`` do, as far as the table has them
    (``fine top-1``). A single number of a table without any of these is ``accuracy``.

    Returns
    -------
    dict
        Measure name to the printed number, in percent for accuracies.

    Raises
    ------
    ConfigError
        For an unknown table or column, if no row is left, or if more than one system's rows are.
    """
    return {name: _number(published.table, row) for name, row in _by_measure(published).items()}


@dataclass(frozen=True, kw_only=True)
class PublishedNumber:
    """One number of a system's card, and where it was printed.

    Attributes
    ----------
    protocol, measure : str
        What it is of; measures as in ``published_values``.
    printed : str
        As it was printed, in percent for accuracies.
    value : float
        The same as a number.
    entry : Published
        Table, row and settings.
    source : str
        Publication, where the table names one for each row; empty where it is that of the card.
    """

    protocol: str
    measure: str
    printed: str
    value: float
    entry: Published
    source: str


def published_numbers(card: Card, *, protocol: str = "", params: Params | None = None) -> list[PublishedNumber]:
    """Every published number that a card names, in its order.

    Parameters
    ----------
    card : Card
        Of a system.
    protocol : str
        Those of this protocol only; empty for all.
    params : Params, optional
        Those of these settings only.
    """
    return [
        PublishedNumber(
            protocol=entry.protocol,
            measure=measure,
            printed=row[_value_column(row)],
            value=_number(entry.table, row),
            entry=entry,
            source=row.get("source", ""),
        )
        for entry in card.published
        if protocol in ("", entry.protocol) and (params is None or same_settings(entry, asdict(params)))
        for measure, row in _by_measure(entry).items()
    ]


def same_settings(entry: Published, params: Mapping[str, object]) -> bool:
    """Whether a published number is of these settings, as far as its table names settings."""
    return all(str(params.get(k, v)) == v for k, v in {**entry.where, **entry.when}.items())


def _by_measure(published: Published) -> dict[str, dict[str, str]]:
    """Its rows, by the name of the measure."""
    columns, rows = _read(published.table)
    chosen = _select(published.table, columns, rows, published.where)
    found: dict[str, dict[str, str]] = {}
    for row in chosen:
        named = [row[c] if c != "top_k" else f"top-{row[c]}" for c in _NAMES_THE_MEASURE if c in columns]
        name = _AVERAGE if published.table in _AVERAGES_ONLY else " ".join(named) or "accuracy"
        if name in found:
            keys = " or ".join(c for c in _keys(columns) if c not in published.where)
            raise ConfigError(
                f"published table {published.table}: {len(chosen)} rows match {dict(published.where)}, "
                f"more than one for {name!r}; {f'add {keys}' if keys else 'the table repeats itself'}"
            )
        found[name] = row
    return found


def _value_column(row: Mapping[str, str]) -> str:
    return next(c for c in _VALUES if c in row)


def contradiction(table: str, where: Mapping[str, str]) -> str | None:
    """Say so if a printed average is not the mean of the devices printed beside it.

    Parameters
    ----------
    table, where : as in ``Published``

    Returns
    -------
    str or None
        One sentence, or None where the numbers agree or the table prints no devices.
    """
    columns, _ = _read(table)
    if "device" not in columns:
        return None
    values = published_values(Published("", table, where))
    devices = {name: value for name, value in values.items() if name != _AVERAGE}
    if _AVERAGE not in values or len(devices) < 2:
        return None
    mean = sum(devices.values()) / len(devices)
    if abs(mean - values[_AVERAGE]) <= TOLERANCE_POINTS:
        return None
    printed = ", ".join(f"{name} {value:.1f}" for name, value in devices.items())
    return (
        f"{table}, {' / '.join(where.values())}: the printed average is {values[_AVERAGE]:.1f}, "
        f"the mean of the printed devices ({printed}) is {mean:.1f}."
    )


def published_by_variant(protocol: str, manifests: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Published percent by variant and measure."""
    values: dict[str, dict[str, float]] = {}
    for variant, entry in _published_entries(protocol, manifests):
        values.setdefault(variant, {}).update(published_values(entry))
    return values


def contradictions_of(protocol: str, manifests: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What is wrong in the published rows that these runs are set beside."""
    found = [contradiction(entry.table, entry.where) for _, entry in _published_entries(protocol, manifests)]
    return tuple(dict.fromkeys(text for text in found if text))


def _published_entries(protocol: str, manifests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Published]]:
    """What the cards name for this protocol and the settings of these runs."""
    for manifest in manifests:
        if manifest["system"] in systems().found:
            params = manifest["params"]
            for entry in systems().get(manifest["system"]).card.published:
                if entry.protocol == protocol and same_settings(entry, params):
                    yield manifest["variant"], entry


def contradictions(table: str) -> tuple[str, ...]:
    """All sentences of ``contradiction`` for the rows of one table, in its order."""
    columns, rows = _read(table)
    keys = _keys(columns)
    systems = dict.fromkeys(tuple(row[key] for key in keys) for row in rows)
    found = (contradiction(table, dict(zip(keys, system, strict=True))) for system in systems)
    return tuple(sentence for sentence in found if sentence)


def _keys(columns: list[str]) -> list[str]:
    """Columns that tell systems apart."""
    return [c for c in columns if c not in {*_NAMES_THE_MEASURE, *_VALUES, "source"}]


def _read(table: str) -> tuple[list[str], list[dict[str, str]]]:
    files = {
        file.name.removesuffix(".csv"): file
        for file in resources.files("asc_bench.published").iterdir()
        if file.name.endswith(".csv")
    }
    if table not in files:
        near = difflib.get_close_matches(table, files, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no published table {table!r}; {hint}there are {', '.join(sorted(files))}")
    text = files[table].read_text(encoding="utf-8")
    reader = csv.DictReader(io.StringIO(text), strict=True)
    rows = list(reader)
    return list(reader.fieldnames or ()), rows


def _select(
    table: str, columns: list[str], rows: list[dict[str, str]], where: Mapping[str, str]
) -> list[dict[str, str]]:
    unknown = [c for c in where if c not in columns]
    if unknown:
        raise ConfigError(f"published table {table}: no column {unknown[0]!r}; there are {', '.join(columns)}")
    for column, wanted in where.items():
        left = [row for row in rows if row[column] == wanted]
        if not left:
            present = ", ".join(dict.fromkeys(row[column] for row in rows))
            raise ConfigError(
                f"published table {table}: no row for {dict(where)}; {column} {wanted!r} is not one of {present}"
            )
        rows = left
    return rows


def _number(table: str, row: Mapping[str, str]) -> float:
    column = _value_column(row)
    try:
        return float(row[column])
    except (TypeError, ValueError):
        raise ConfigError(f"published table {table}: {column} is {row[column]!r} in {dict(row)}") from None
