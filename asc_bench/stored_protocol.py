"""Protocols that are registered nowhere, kept with their results: what tables need to be made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from asc_bench.data.manifest import Dataset
from asc_bench.errors import ConfigError
from asc_bench.labels import LabelSpace
from asc_bench.limits import Limits
from asc_bench.protocol import Fold, Protocol, Reference
from asc_bench.scoring.measure import Measure

DEFINITION = "protocol_definition"
"""Entry of a manifest."""


def definition(protocol: Protocol) -> dict[str, Any] | None:
    """What tables need of a protocol, as JSON; None if a measure has a statistic of its own, which is code."""
    if any(not isinstance(measure.statistic, str) for measure in protocol.measures):
        return None
    return {
        "name": protocol.name,
        "title": protocol.title,
        "version": protocol.version,
        "labels": asdict(protocol.labels),
        "multi_label": protocol.multi_label,
        "clip_duration_s": protocol.clip_duration_s,
        "measures": [asdict(measure) for measure in protocol.measures],
        "references": [
            {"title": r.title, "values": dict(r.values), "source": r.source} for r in protocol.references
        ],
        "limits": asdict(protocol.limits) if protocol.limits else None,
        "published_note": protocol.published_note,
        "notes": protocol.notes,
    }


class StoredProtocol(Protocol):
    """A protocol as it was when its runs were stored; it has no data set.

    Parameters
    ----------
    stored : mapping
        From `definition`.
    """

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self.name = str(stored["name"])
        self.title = str(stored["title"])
        self.version = int(stored["version"])
        self.datasets = ()
        self.labels = _labels(stored["labels"])
        self.multi_label = bool(stored["multi_label"])
        self.clip_duration_s = float(stored["clip_duration_s"])
        self.measures = tuple(_measure(entry) for entry in stored["measures"])
        self.references = tuple(Reference(**entry) for entry in stored["references"])
        self.limits = Limits(**stored["limits"]) if stored.get("limits") else None
        self.published_note = str(stored.get("published_note", ""))  # older ones have none
        self.notes = str(stored["notes"])

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """Raises ConfigError: folds were not stored."""
        raise ConfigError(f"the folds of {self.name} are not stored with its results; give the protocol itself")


def _labels(entry: Mapping[str, Any]) -> LabelSpace:
    return LabelSpace(**{name: tuple(values) for name, values in entry.items()})


def _measure(entry: Mapping[str, Any]) -> Measure:
    derived = entry["derived"]
    return Measure(**{**entry, "of": tuple(entry["of"]), "derived": _labels(derived) if derived else None})
