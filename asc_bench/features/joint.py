"""Several front ends as one, for systems that read a clip in more than one way."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.features.frontends import FrontEnd


@dataclass(frozen=True, kw_only=True)
class JointFrontEnd(FrontEnd):
    """The features of all parts of a clip, each flattened, one after the other; ``split`` takes them apart.

    Attributes
    ----------
    parts : tuple of FrontEnd
        At the same rate.
    """

    numerics_version: ClassVar[int | None] = 1
    axes: ClassVar[tuple[str, ...]] = ("values of all parts",)

    parts: tuple[FrontEnd, ...]

    def __post_init__(self) -> None:
        rates = {part.sample_rate_hz for part in self.parts}
        if rates != {self.sample_rate_hz}:
            raise ConfigError(
                f"joint front end: its rate is {self.sample_rate_hz} Hz, those of its parts are {sorted(rates)}"
            )

    def key(self) -> dict[str, object]:
        """Keys of the parts: their settings alone would not tell which front ends they are."""
        return {"front_end": type(self).__name__, "parts": [part.key() for part in self.parts]}

    def shape(self, duration_s: float) -> tuple[int, ...]:
        """``(sum of the parts' sizes,)``."""
        return (sum(prod(part.shape(duration_s)) for part in self.parts),)

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Transform one mono waveform, shape (n_samples,), in [-1, 1], in all ways."""
        return np.concatenate([part(waveform).ravel() for part in self.parts])

    def split(self, features: npt.NDArray[np.float32], *, duration_s: float) -> tuple[npt.NDArray[np.float32], ...]:
        """Features of several clips, shape (n_clips, size), as one array ``(n_clips, *shape)`` for each part.

        These are views: nothing is read from a memory-mapped file.

        Raises
        ------
        ConfigError
            If clips of this duration have features of another size.
        """
        if features.ndim != 2 or features.shape[1:] != self.shape(duration_s):
            raise ConfigError(
                f"joint front end: clips of {duration_s:g} s have features of shape {self.shape(duration_s)}, "
                f"got {features.shape[1:]}"
            )
        found, first = [], 0
        for part in self.parts:
            shape = part.shape(duration_s)
            found.append(features[:, first : first + prod(shape)].reshape(len(features), *shape))
            first += prod(shape)
        return tuple(found)
