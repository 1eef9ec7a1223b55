"""Base of the front ends that work on a whole centred short-time Fourier transform, by librosa."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, DataError
from asc_bench.features.frontends import FrontEnd, Waveform


@dataclass(frozen=True, kw_only=True)
class SpectralFrontEnd(FrontEnd):
    """Mel bands of something made of the magnitudes of all frames together, time first.

    A subclass gives ``transform``. ``LogMel`` treats each frame alone and is faster where that will do.

    Attributes
    ----------
    n_fft, window_length, hop_length : int
        In samples; ``n_fft`` is even. Hann windows; those shorter than ``n_fft`` are padded with zeros.
    n_mels : int
        Number of mel bands (Slaney's formula, triangles of equal area) between ``fmin_hz`` and ``fmax_hz``.
    pad : {"constant", "reflect"}
        What lies beyond the ends: frame ``t`` is centred on sample ``t * hop_length``.
    """

    numerics_version: ClassVar[int | None] = 1
    axes: ClassVar[tuple[str, ...]] = ("frames", "mel bands")

    n_fft: int
    window_length: int
    hop_length: int
    n_mels: int
    fmin_hz: float
    fmax_hz: float
    pad: Literal["constant", "reflect"] = "constant"

    def __post_init__(self) -> None:
        name = type(self).__name__
        for field in ("sample_rate_hz", "window_length", "hop_length", "n_mels"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{name}: {field} is {getattr(self, field)}, must be at least 1")
        if self.n_fft % 2 or self.window_length > self.n_fft:
            raise ConfigError(
                f"{name}: n_fft is {self.n_fft}, must be even and at least window_length, {self.window_length}"
            )
        if not 0 <= self.fmin_hz < self.fmax_hz <= self.sample_rate_hz / 2:
            raise ConfigError(
                f"{name}: bands from {self.fmin_hz} to {self.fmax_hz} Hz do not lie between 0 and "
                f"{self.sample_rate_hz / 2} Hz, half the sample rate"
            )
        if self.pad not in ("constant", "reflect"):
            raise ConfigError(f"{name}: pad is {self.pad!r}, not one of ('constant', 'reflect')")

    @abstractmethod
    def transform(self, magnitudes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Magnitudes, shape (1 + n_fft // 2, n_frames), to bands, shape (n_mels, n_frames)."""

    def shape(self, duration_s: float) -> tuple[int, ...]:
        """``(n_frames, n_mels)``."""
        n_samples = round(duration_s * self.sample_rate_hz)
        self._check_length(n_samples)
        return 1 + n_samples // self.hop_length, self.n_mels

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Transform one mono waveform, shape (n_samples,), in [-1, 1]; double precision inside.

        Raises
        ------
        DataError
            If it is too short, not mono, not floating point or not finite.
        """
        import librosa

        samples = Waveform(sample_rate_hz=self.sample_rate_hz)(waveform).astype(np.float64)
        self._check_length(len(samples))
        spectrum = librosa.stft(
            samples,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            win_length=self.window_length,
            window="hann",
            center=True,
            pad_mode=self.pad,
        )
        return np.ascontiguousarray(self.transform(np.abs(spectrum)).T, dtype=np.float32)

    def mel_filters(self) -> npt.NDArray[np.float64]:
        """Mel matrix, shape (n_mels, 1 + n_fft // 2)."""
        return _mel_filters(self.sample_rate_hz, self.n_fft, self.n_mels, self.fmin_hz, self.fmax_hz)

    def _check_length(self, n_samples: int) -> None:
        # A reflection cannot be longer than what it reflects.
        least = max(self.window_length, self.n_fft // 2 + 1)
        if n_samples < least:
            raise DataError(f"too short: {n_samples} samples, at least {least} are needed")


@cache
def _mel_filters(
    sample_rate_hz: int, n_fft: int, n_mels: int, fmin_hz: float, fmax_hz: float
) -> npt.NDArray[np.float64]:
    import librosa.filters

    filters: npt.NDArray[np.float64] = librosa.filters.mel(
        sr=sample_rate_hz, n_fft=n_fft, n_mels=n_mels, fmin=fmin_hz, fmax=fmax_hz, dtype=np.float64
    )
    filters.setflags(write=False)  # every caller shares it
    return filters
