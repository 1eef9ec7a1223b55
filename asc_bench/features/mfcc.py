"""Mel-frequency cepstral coefficients with their first and second derivatives in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.features.frontends import LogMel


@dataclass(frozen=True, kw_only=True)
class Mfcc(LogMel):
    """Orthonormal DCT-II of a log-mel spectrogram, time first: float32 of shape (n_frames, 3 n_coefficients).

    The coefficients from the 0th on come first, then their slopes, then their curvatures: those of the line and of
    the parabola that fit best over ``delta_width`` frames. At the ends the first and last frame are repeated.

    Attributes
    ----------
    n_coefficients : int
        At most ``n_mels``.
    delta_width : int
        Odd number of frames, at least 3.
    """

    numerics_version: ClassVar[int | None] = 1
    axes: ClassVar[tuple[str, ...]] = ("frames", "coefficients")

    n_coefficients: int
    delta_width: int = 9

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.n_coefficients <= self.n_mels:
            raise ConfigError(f"mfcc: n_coefficients is {self.n_coefficients}, not in 1 to n_mels, {self.n_mels}")
        if self.delta_width < 3 or self.delta_width % 2 == 0:
            raise ConfigError(f"mfcc: delta_width is {self.delta_width}, must be odd and at least 3")

    def shape(self, duration_s: float) -> tuple[int, ...]:
        """``(n_frames, 3 n_coefficients)``."""
        n_frames, _ = super().shape(duration_s)
        return n_frames, 3 * self.n_coefficients

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Transform one mono waveform; see ``LogMel``."""
        import librosa
        from scipy import fft

        bands = super().__call__(waveform).astype(np.float64)
        static = fft.dct(bands, type=2, norm="ortho", axis=1)[:, : self.n_coefficients]
        derivatives = [
            librosa.feature.delta(static, width=self.delta_width, order=order, axis=0, mode="nearest")
            for order in (1, 2)
        ]
        return np.concatenate([static, *derivatives], axis=1).astype(np.float32)
