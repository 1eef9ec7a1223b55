"""The contract of a protocol: data sets, folds, label space, measures and what was published under it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

import pandas as pd

from asc_bench.data.manifest import Dataset
from asc_bench.errors import ConfigError
from asc_bench.labels import COARSE, FINE, LabelSpace


@dataclass(frozen=True)
class Measure:
    """One number of a table: the mean over strata of the top-k accuracy, or of an agreement, within each stratum.

    Attributes
    ----------
    name : str
        Column title, such as ``A`` or ``average``.
    strata : {"", "device", "fold", "source"}
        The column whose values are the strata; ``""`` takes all clips as one.
    of : tuple of str
        The strata that count, in order; empty for all that occur.
    average : {"macro", "clips"}
        Within a stratum: mean over classes of the class accuracies, or accuracy over clips.
    level : str
        Label level.
    top_k : int
        A clip is right if its label is among the k most probable classes (ties: lower class index first).
    derived : LabelSpace, optional
        Take the coarse classes from the fine prediction, mapped by this label space: a coarse class ranks by
        the most probable of its fine classes, so that the first one is that of the predicted fine class.
    kind : {"accuracy", "agreement"}
        ``agreement`` compares no truth: a clip counts if the predicted coarse class is the one derived from
        the predicted fine class. It needs ``derived`` and both levels.
    clusters : {"scene", "any"}
        What is resampled for intervals and tests: the locations of each scene by themselves, as data sets are
        recorded by scene, or all locations alike, where a location holds clips of many classes.
    group : str
        Measures of a group stand in a table of their own, one row per system and group, under the part of
        the name before ``", group"``.
    """

    name: str
    strata: Literal["", "device", "fold", "source"] = ""
    of: tuple[str, ...] = ()
    average: Literal["macro", "clips"] = "macro"
    level: str = FINE
    top_k: int = 1
    derived: LabelSpace | None = None
    kind: Literal["accuracy", "agreement"] = "accuracy"
    clusters: Literal["scene", "any"] = "scene"
    group: str = ""

    def __post_init__(self) -> None:
        if self.derived is not None and not self.derived.coarse:
            raise ConfigError(
                f"measure {self.name!r}: nothing can be derived in a label space without coarse classes"
            )
        if self.kind == "agreement" and self.derived is None:
            raise ConfigError(f"measure {self.name!r}: an agreement needs the label space that maps fine to coarse")
        if self.group and not self.name.endswith(f", {self.group}"):
            raise ConfigError(
                f"measure {self.name!r} of the group {self.group!r}: its name must end in ', {self.group}'"
            )

    @property
    def column(self) -> str:
        """Name without its group."""
        return self.name.removesuffix(f", {self.group}") if self.group else self.name

    @property
    def levels(self) -> tuple[str, ...]:
        """Label levels that a system must have predicted."""
        if self.kind == "agreement":
            return FINE, COARSE
        return (FINE,) if self.derived else (self.level,)


@dataclass(frozen=True)
class Fold:
    """One train/validation/test division, by clip id."""

    name: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """A published number that belongs to the protocol and to no system here (humans, a challenge baseline)."""

    title: str
    values: Mapping[str, float]
    """Measure name to percent."""
    source: str


class Protocol(ABC):
    """Base of every protocol. A subclass lives in ``protocols/``, one file each."""

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised whenever a change here would change a number; part of every run key."""
    datasets: ClassVar[tuple[str, ...]]
    """Layout names, any one of which will do; the first found is used. If there are ``sources``, those of all."""
    sources: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    """Sources that are joined, each with the layouts that it consists of; empty for a protocol on one data set.

    Any part of them may be chosen. ``clips`` and ``folds`` are then given the joined data set, see
    ``asc_bench.data.joined``."""
    views: ClassVar[tuple[str, ...]] = ()
    """Waveforms that a joined binaural clip is given as, of ``asc_bench.data.views.VIEWS``: examples of their own
    in training, and one mean prediction in the end. If empty, it is mixed down to one."""
    labels: ClassVar[LabelSpace]
    multi_label: ClassVar[bool] = False
    """Whether a clip has several labels (see ``asc_bench.data.tags``), weak ones for training and strong ones for
    testing. Scores are error rates and F-scores of segments then, and ``measures`` is empty."""
    clip_duration_s: ClassVar[float]
    measures: ClassVar[tuple[Measure, ...]]
    """The first is the primary one: systems are compared by it."""
    references: ClassVar[tuple[Reference, ...]] = ()
    notes: ClassVar[str] = ""

    def clips(self, dataset: Dataset) -> pd.DataFrame:
        """Clip table of this protocol; by default the data set's own, with ``coarse`` from the label space.

        Raises
        ------
        DataError
            For a label that the protocol does not know.
        """
        table = dataset.clips.copy()
        if self.labels.coarse:
            fine = self.labels.encode(table["scene"])
            table["coarse"] = [self.labels.coarse[i] for i in self.labels.to_coarse(fine)]
        return table

    @classmethod
    def measures_on(cls, sources: Sequence[str]) -> tuple[Measure, ...]:
        """Measures that have a meaning on these sources: those by source, only of these; all the others."""
        return tuple(m for m in cls.measures if m.strata != "source" or not sources or set(m.of) <= set(sources))

    @abstractmethod
    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """Official folds, each with a validation split cut from its training split.

        Raises
        ------
        DataError
            If the data set's lists contradict the protocol.
        """
