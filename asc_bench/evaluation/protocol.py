"""The contract of a protocol: data sets, folds, label space, measures and what was published under it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import pandas as pd

from asc_bench.data.manifest import Dataset
from asc_bench.labels import FINE, LabelSpace


@dataclass(frozen=True)
class Measure:
    """One number of a table: the mean over strata of the top-k accuracy within each stratum.

    Attributes
    ----------
    name : str
        Column title, such as ``A`` or ``average``.
    strata : {"", "device", "fold"}
        The column whose values are the strata; ``""`` takes all clips as one.
    of : tuple of str
        The strata that count, in order; empty for all that occur.
    average : {"macro", "clips"}
        Within a stratum: mean over classes of the class accuracies, or accuracy over clips.
    level : str
        Label level.
    top_k : int
        A clip is right if its label is among the k most probable classes (ties: lower class index first).
    """

    name: str
    strata: Literal["", "device", "fold"] = ""
    of: tuple[str, ...] = ()
    average: Literal["macro", "clips"] = "macro"
    level: str = FINE
    top_k: int = 1


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
    """Layout names, any one of which will do; the first found is used."""
    labels: ClassVar[LabelSpace]
    clip_duration_s: ClassVar[float]
    measures: ClassVar[tuple[Measure, ...]]
    """The first is the primary one: systems are compared by it."""
    references: ClassVar[tuple[Reference, ...]] = ()
    notes: ClassVar[str] = ""

    def clips(self, dataset: Dataset) -> pd.DataFrame:
        """Clip table of this protocol; by default the data set's own, with ``coarse`` from the label space."""
        table = dataset.clips.copy()
        if self.labels.coarse:
            fine = self.labels.encode(table["scene"])
            table["coarse"] = [self.labels.coarse[i] for i in self.labels.to_coarse(fine)]
        return table

    @abstractmethod
    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """Official folds, each with a validation split cut from its training split.

        Raises
        ------
        DataError
            If the data set's lists contradict the protocol.
        """
