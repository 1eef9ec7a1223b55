"""One number of a table: a statistic, and the clips, strata and classes over which it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from asc_bench.errors import ConfigError
from asc_bench.labels import COARSE, FINE, LabelSpace
from asc_bench.names import near
from asc_bench.scoring.detection import DETECTION_STATISTICS
from asc_bench.scoring.open_set import OpenSetRate, UnknownDetection
from asc_bench.scoring.statistic import (
    Accuracy,
    Agreement,
    BrierScore,
    CalibrationError,
    LogLoss,
    Statistic,
    Unit,
    find_statistic,
)
from asc_bench.scoring.tagging import TAGGING_STATISTICS

Strata = Literal["", "device", "fold", "source", "city", "scene", "known"]
Average = Literal["macro", "clips"]
Clusters = Literal["scene", "any"]
Aggregate = Literal["", "recording"]

STATISTICS: dict[str, Statistic] = {
    statistic.name: statistic
    for statistic in (
        Accuracy(),
        Agreement(),
        LogLoss(),
        BrierScore(),
        CalibrationError(),
        UnknownDetection(),
        OpenSetRate(),
        *DETECTION_STATISTICS,
        *TAGGING_STATISTICS,
    )
}
"""Statistics that a measure may name."""


@dataclass(frozen=True)
class Measure:
    """One number of a table: the mean over strata of a statistic, by default of the top-k accuracy.

    Attributes
    ----------
    name : str
        Column title, such as ``A`` or ``average``.
    strata : {"", "device", "fold", "source", "city", "scene", "known"}
        The column whose values are the strata; ``""`` takes all clips as one. ``known`` tells clips of known scenes
        from those of the scene ``unknown``, by the strata ``known`` and ``unknown``.
    of : tuple of str
        The strata that count, in order; empty for all that occur.
    pooled : bool
        The clips of the strata in ``of`` count as those of one.
    average : {"macro", "clips"}
        Within a stratum: mean over classes of the statistic of the clips of each class, or the statistic of all
        clips of the stratum.
    level : str
        Label level; of multi-label predictions ``detection`` or ``tagging``.
    top_k : int
        Of the accuracy: a clip is right if its label is among the k most probable classes (ties: lower class
        index first).
    derived : LabelSpace, optional
        Take the coarse classes from the fine prediction, mapped by this label space: a coarse class ranks by
        the most probable of its fine classes, so that the first one is that of the predicted fine class.
    statistic : str or Statistic
        One of `STATISTICS` by name, or a statistic of one's own. ``agreement`` compares no truth: a clip counts
        if the predicted coarse class is the one derived from the predicted fine class; it needs ``derived`` and
        both levels.
    clusters : {"scene", "any"}
        What is resampled for intervals and tests: the locations of each scene by themselves, as data sets are
        recorded by scene, or all locations alike, where a location holds clips of many classes.
    aggregate : {"", "recording"}
        ``recording`` scores recordings that were cut into clips, as the data set's ``recording_id`` tells, each as
        recorded by one device: by the geometric mean of the probabilities of its clips. One recording is one
        observation, of which tables count so many.
    group : str
        Measures of a group stand in a table of their own, one row per system and group, under the part of
        the name before ``", group"``.

    Raises
    ------
    ConfigError
        For an unknown statistic, stratum, average or cluster (with the near names), and settings that contradict
        each other.

    Examples
    --------
    >>> Measure("average", strata="device", of=("a", "b", "c")).higher_is_better
    True
    >>> Measure("log loss", average="clips", statistic="log-loss").unit
    'nats'
    """

    name: str
    strata: Strata = ""
    of: tuple[str, ...] = ()
    average: Average = "macro"
    level: str = FINE
    top_k: int = 1
    derived: LabelSpace | None = None
    statistic: str | Statistic = "accuracy"
    clusters: Clusters = "scene"
    group: str = ""
    pooled: bool = False
    aggregate: Aggregate = ""

    def __post_init__(self) -> None:
        choices = (("strata", Strata), ("average", Average), ("clusters", Clusters), ("aggregate", Aggregate))
        for attribute, known in choices:
            self._check_choice(attribute, get_args(known))
        statistic = self._found
        accuracy = isinstance(statistic, Accuracy)
        if self.top_k < 1:
            raise ConfigError(f"measure {self.name!r}: top_k is {self.top_k}, must be at least 1")
        if self.top_k > 1 and not accuracy:
            raise ConfigError(f"measure {self.name!r}: top_k is of the accuracy, not of {statistic.name!r}")
        if self.pooled and not self.of:
            raise ConfigError(f"measure {self.name!r}: pooled is of the strata in `of`, and there are none")
        if self.derived is not None and not self.derived.coarse:
            raise ConfigError(
                f"measure {self.name!r}: nothing can be derived in a label space without coarse classes"
            )
        if isinstance(statistic, Agreement) and self.derived is None:
            raise ConfigError(f"measure {self.name!r}: an agreement needs the label space that maps fine to coarse")
        if self.derived is not None and not accuracy and not isinstance(statistic, Agreement):
            raise ConfigError(
                f"measure {self.name!r}: {statistic.name!r} needs probabilities of the coarse classes, and derived "
                "classes have none; leave `derived` out"
            )
        if statistic.over == "segments" and (self.strata or self.average != "clips" or self.clusters != "any"):
            raise ConfigError(
                f"measure {self.name!r}: {statistic.name!r} pools all clips, whose locations hold many classes; "
                'set strata="", average="clips" and clusters="any"'
            )
        if self.aggregate and (self.derived is not None or statistic.over == "segments"):
            raise ConfigError(
                f"measure {self.name!r}: clips of a recording are averaged by their probabilities, which derived "
                "classes and segments do not have; leave `aggregate` out"
            )
        if self.group and not self.name.endswith(f", {self.group}"):
            raise ConfigError(
                f"measure {self.name!r} of the group {self.group!r}: its name must end in ', {self.group}'"
            )

    def _check_choice(self, attribute: str, known: Sequence[str]) -> None:
        value = getattr(self, attribute)
        if value not in known:
            raise ConfigError(f"measure {self.name!r}: there is no {attribute} {value!r}{near(str(value), known)}")

    @cached_property
    def _found(self) -> Statistic:
        if isinstance(self.statistic, Statistic):
            return self.statistic
        try:
            return find_statistic(self.statistic, STATISTICS)
        except ConfigError as error:
            raise ConfigError(f"measure {self.name!r}: {error}") from None

    @property
    def scored_by(self) -> Statistic:
        """The statistic itself, with this measure's ``top_k``."""
        return Accuracy(self.top_k) if isinstance(self._found, Accuracy) else self._found

    @property
    def unit(self) -> Unit:
        """Unit of the values: ``percent`` are fractions that tables print times one hundred."""
        return self._found.unit

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is the better one."""
        return self._found.higher_is_better

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value there can be."""
        return self._found.bounds

    @property
    def proportion(self) -> bool:
        """Whether tests of proportions (z, McNemar) have a meaning."""
        return self._found.proportion

    @property
    def column(self) -> str:
        """Name without its group."""
        return self.name.removesuffix(f", {self.group}") if self.group else self.name

    @property
    def needs_probabilities(self) -> bool:
        """Whether the predicted class of each clip is not enough."""
        return self.top_k > 1 or bool(self.aggregate) or not isinstance(self._found, Accuracy | Agreement)

    @property
    def levels(self) -> tuple[str, ...]:
        """Label levels that a system must have predicted."""
        if isinstance(self._found, Agreement):
            return FINE, COARSE
        return (FINE,) if self.derived else (self.level,)


PROBABILITY_MEASURES = (
    Measure("log loss", average="clips", statistic="log-loss"),
    Measure("Brier", average="clips", statistic="brier"),
    Measure("ECE", average="clips", statistic="calibration-error"),
)
"""How good the probabilities of the fine classes are, over all test clips alike: shown beside a protocol's own
measures wherever probabilities are stored, and never primary."""

_SEGMENT_TITLES = {
    "detection-error-rate": "detection error rate",
    "detection-f-score": "detection F-score",
    "detection-precision": "detection precision",
    "detection-recall": "detection recall",
    "tagging-f1": "tagging F1",
    "tagging-precision": "tagging precision",
    "tagging-recall": "tagging recall",
    "tagging-macro-f1": "tagging macro F1",
}

SEGMENT_MEASURES = tuple(
    Measure(title, average="clips", level=name.partition("-")[0], statistic=name, clusters="any")
    for name, title in _SEGMENT_TITLES.items()
)
"""Measures of multi-label protocols: error rate and F-score of segments, F1 of tags. The first is primary."""

COMPARED_SEGMENTS = tuple(
    m for m in SEGMENT_MEASURES if m.name in ("detection error rate", "detection F-score", "tagging F1")
)
"""Measures by which pairs of systems are compared there."""
