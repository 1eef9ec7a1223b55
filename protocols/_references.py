"""Published numbers that belong to a protocol and to no system here."""

from __future__ import annotations

import csv
from importlib import resources

from asc_bench.api import Reference


class PublishedReferences:
    """Rows of ``results/published/{table}.csv`` as references, one for each system, read when they are asked for.

    Parameters
    ----------
    *tables : str
        With the columns ``system``, ``source`` and either ``accuracy``, or ``measure`` and ``value``.
    where : str
        Values that columns of the rows must have.
    """

    def __init__(self, *tables: str, **where: str) -> None:
        self.tables, self.where = tables, where

    def __get__(self, instance: object, owner: type) -> tuple[Reference, ...]:
        values: dict[tuple[str, str], dict[str, float]] = {}
        for table in self.tables:
            path = resources.files("asc_bench.published") / f"{table}.csv"
            with path.open(encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    if all(row[column] == value for column, value in self.where.items()):
                        its = values.setdefault((row["system"], row["source"]), {})
                        its[row.get("measure", "accuracy")] = float(row.get("value") or row["accuracy"])
        return tuple(Reference(system, its, source) for (system, source), its in values.items())
