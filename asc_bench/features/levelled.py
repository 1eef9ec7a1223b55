"""Log-mel spectrogram of a recording that is brought to one level first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.features.frontends import LogMel, Waveform


@dataclass(frozen=True, kw_only=True)
class LevelledLogMel(LogMel):
    """As ``LogMel``, of samples without their mean and divided by ``max|x| + head_room``.

    Attributes
    ----------
    head_room : float
        Keeps silence finite, and very quiet recordings quiet.
    """

    numerics_version: ClassVar[int | None] = 1

    head_room: float = 0.005

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.head_room > 0:
            raise ConfigError(
                f"levelled log-mel: head_room is {self.head_room}, must be above 0 or silence becomes infinite"
            )

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Level and transform one mono waveform, shape (n_samples,). Raises as ``LogMel`` does."""
        samples = Waveform(sample_rate_hz=self.sample_rate_hz)(waveform).astype(np.float64)
        samples -= samples.mean()
        levelled = samples / (np.abs(samples).max() + self.head_room)
        return super().__call__(levelled.astype(np.float32))
