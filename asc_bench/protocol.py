"""The contract of a protocol: data sets, folds, label space, measures and what was published under it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from asc_bench.data.layouts import Layout
from asc_bench.data.manifest import Dataset
from asc_bench.labels import LabelSpace
from asc_bench.limits import Limits
from asc_bench.scoring.measure import SEGMENT_MEASURES, Measure


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
    """Base of every protocol. A subclass lives in ``protocols/``, one file each.

    Attributes are set in the class, or in an instance where they depend on the data, as those of a folder of
    one's own do.
    """

    name: str
    title: str
    version: int = 1
    """Raised whenever a change here would change a number; part of every run key."""
    datasets: tuple[str | Layout, ...]
    """Layouts by name, or as they are, any one of which will do; the first found is used. If there are ``sources``,
    those of all."""
    sources: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """Sources that are joined, each with the layouts that it consists of; empty for a protocol on one data set.

    Any part of them may be chosen. ``clips`` and ``folds`` are then given the joined data set, see
    ``asc_bench.data.joined``."""
    views: tuple[str, ...] = ()
    """Waveforms that a joined binaural clip is given as, of ``asc_bench.data.views.VIEWS``: examples of their own
    in training, and one mean prediction in the end. If empty, it is mixed down to one."""
    labels: LabelSpace
    multi_label: bool = False
    """Whether a clip has several labels (see ``asc_bench.data.tags``), weak ones for training and strong ones for
    testing. The scores are ``SEGMENT_MEASURES`` then, such as error rates, and ``measures`` is empty."""
    clip_duration_s: float
    keeps_locations: bool = True
    """Whether no recording location is on two sides of a fold, which is asserted; false for one that divides the
    clips of a location."""
    devices: tuple[str, ...] = ()
    """Recording devices of the official training clips, sorted, for what is said without data; runs take those of
    the clips."""
    hides_unseen_devices: bool = False
    """Whether a system that is given the device at test time sees those that are not trained on as
    ``UNKNOWN_DEVICE``, all alike. If not, there may be no test clips of such devices."""
    measures: tuple[Measure, ...]
    """The first is the primary one: systems are compared by it."""
    limits: Limits | None = None
    """Of the challenge, on size and cost. Tables mark the systems that are over them; all of them run."""
    references: tuple[Reference, ...] = ()
    published_note: str = ""
    """What to know of published numbers: a sentence below every table that shows some."""
    notes: str = ""
    mean_of: str = ""
    """Name of the set of protocols whose mean primary measure ranks systems, such as ``dcase2024``; empty for one
    that counts alone. Protocols of a set test the same clips; ``report`` and ``run`` take its name as well."""
    part: str = ""
    """What this protocol is called in the table of its set, such as ``5 %``."""

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

    def measures_on(self, sources: Sequence[str]) -> tuple[Measure, ...]:
        """Measures that have a meaning on these sources: those by source, only of these; all the others."""
        if self.multi_label:
            return SEGMENT_MEASURES
        return tuple(m for m in self.measures if m.strata != "source" or not sources or set(m.of) <= set(sources))

    @abstractmethod
    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        """Official folds, each with a validation split cut from its training split.

        Raises
        ------
        DataError
            If the data set's lists contradict the protocol.
        """


def dataset_names(protocol: Protocol | type[Protocol]) -> tuple[str, ...]:
    """Names of the data sets of a protocol, any one of which will do."""
    return tuple(layout if isinstance(layout, str) else layout.name for layout in protocol.datasets)
