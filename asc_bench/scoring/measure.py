"""One number of a table, as a protocol defines it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
