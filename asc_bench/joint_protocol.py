"""Several protocols as one, whose primary measure is the mean of theirs: for tables of runs that are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asc_bench.data.manifest import Dataset
from asc_bench.errors import ConfigError
from asc_bench.protocol import Fold, Protocol, Reference

MEAN = "mean"


class JointProtocol(Protocol):
    """Protocols with the same test clips, each a fold by its ``part``; it has no training clips of its own.

    Since each part is a stratum of the same clips, a resampled location is resampled in all parts at once.

    Parameters
    ----------
    name : str
        Of the set, as ``Protocol.mean_of`` of its members.
    members : sequence of Protocol
        In the order of the columns.

    Raises
    ------
    ConfigError
        If members have other labels, or a primary measure with strata of its own.
    """

    def __init__(self, name: str, members: Sequence[Protocol]) -> None:
        first = members[0]
        self.name, self.parts = name, tuple(member.part for member in members)
        self.title = f"{name}, mean of {len(members)} protocols ({', '.join(self.parts)})"
        self.version = max(member.version for member in members)
        self.datasets, self.labels, self.clip_duration_s = first.datasets, first.labels, first.clip_duration_s
        primary = first.measures[0]
        for member in members:
            if member.labels != first.labels or member.measures[0] != primary or primary.strata:
                raise ConfigError(f"{member.name} has other labels or measures than {first.name}: no mean of them")
        self.measures = (
            replace(primary, name=MEAN, strata="fold", of=self.parts),
            *(replace(primary, name=part, strata="fold", of=(part,)) for part in self.parts),
        )
        self.references = _references(members, primary.name)
        self.published_note = first.published_note
        self.notes = f"{MEAN}: of the {primary.name} of {', '.join(member.name for member in members)}."

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """Raises ConfigError: each member has its own."""
        raise ConfigError(f"{self.name} stands for several protocols, each with folds of its own: run those")


def _references(members: Sequence[Protocol], measure: str) -> tuple[Reference, ...]:
    """Published numbers of the members' measure, by system; their mean where there is one for each member."""
    found: dict[str, dict[str, Reference]] = {}
    for member in members:
        for reference in member.references:
            if measure in reference.values:
                found.setdefault(reference.title, {})[member.part] = reference
    joint = []
    for title, by_part in found.items():
        values = {part: float(reference.values[measure]) for part, reference in by_part.items()}
        if len(values) == len(members):
            values = {MEAN: sum(values.values()) / len(values), **values}
        sources = dict.fromkeys(reference.source for reference in by_part.values())
        joint.append(Reference(title, values, "; ".join(sources)))
    return tuple(joint)
