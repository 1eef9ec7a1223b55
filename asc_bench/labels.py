"""Label spaces: the scenes a protocol asks for, and the coarse classes above them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, DataError

FINE = "fine"
COARSE = "coarse"

UNKNOWN_SCENE = "unknown"
"""Label, in protocols of open sets, of clips whose scene is none of the known ones; the last of the label space."""


@dataclass(frozen=True)
class LabelSpace:
    """Fine classes (scenes), optional coarse classes, and the map between them.

    Attributes
    ----------
    fine : tuple of str
        Scene names in the order of the probability columns.
    coarse : tuple of str
        Coarse class names, empty where the protocol has one level only.
    coarse_of : tuple of int
        For each fine class the index of its coarse class; empty where ``coarse`` is.
    """

    fine: tuple[str, ...]
    coarse: tuple[str, ...] = ()
    coarse_of: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, classes in ((FINE, self.fine), (COARSE, self.coarse)):
            if len(set(classes)) != len(classes):
                raise ConfigError(f"{name} classes repeat: {classes}")
        if len(self.fine) < 2:
            raise ConfigError(f"a label space needs at least two fine classes, got {self.fine}")
        if self.coarse and len(self.coarse_of) != len(self.fine):
            raise ConfigError(f"{len(self.fine)} fine classes but {len(self.coarse_of)} coarse assignments")
        if set(self.coarse_of) != set(range(len(self.coarse))):
            raise ConfigError("every coarse class needs at least one fine class, and no index beyond them")

    @classmethod
    def from_map(cls, fine_to_coarse: Mapping[str, str], coarse: Iterable[str] = ()) -> LabelSpace:
        """Build a two-level space from ``{scene: coarse}``, in the mapping's order."""
        coarse_names = tuple(coarse) or tuple(dict.fromkeys(fine_to_coarse.values()))
        unknown = sorted(set(fine_to_coarse.values()) - set(coarse_names))
        if unknown:
            raise ConfigError(f"coarse classes {unknown} are not among {list(coarse_names)}")
        return cls(
            fine=tuple(fine_to_coarse),
            coarse=coarse_names,
            coarse_of=tuple(coarse_names.index(c) for c in fine_to_coarse.values()),
        )

    @property
    def levels(self) -> tuple[str, ...]:
        """``("fine",)`` or ``("fine", "coarse")``."""
        return (FINE, COARSE) if self.coarse else (FINE,)

    def classes(self, level: str) -> tuple[str, ...]:
        """Class names of one level."""
        if level not in self.levels:
            raise ConfigError(f"label level {level!r} is not one of {self.levels}")
        return self.fine if level == FINE else self.coarse

    @cached_property
    def _fine_index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.fine)}

    def encode(self, scenes: Iterable[str]) -> npt.NDArray[np.int64]:
        """Turn scene names into indices of ``fine``.

        Raises
        ------
        DataError
            For a scene outside the label space.
        """
        try:
            return np.array([self._fine_index[s] for s in scenes], dtype=np.int64)
        except KeyError as error:
            raise DataError(f"scene {error.args[0]!r} is not one of {list(self.fine)}") from None

    def to_coarse(self, fine: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Coarse indices of fine indices."""
        return np.asarray(self.coarse_of, dtype=np.int64)[fine]
