"""Kaldi's log-mel filterbank, which most audio transformers read, with a fixed normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, DataError
from asc_bench.features.frontends import FrontEnd, Waveform
from asc_bench.features.kaldi_mel import kaldi_filters

_FULL_SCALE = 2.0**15
"""Kaldi reads samples of 16 bits as integers."""

_LEAST = float(np.finfo(np.float32).eps)
"""Power that Kaldi takes the logarithm of where a band has less."""

_PRE_EMPHASIS = 0.97
_WINDOW_POWER = 0.85
_FRAMES_PER_BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class KaldiFbank(FrontEnd):
    """Kaldi's ``fbank`` without dither, shifted and scaled by two constants, time first: (n_frames, n_mels).

    Of each frame by itself the mean is subtracted, neighbouring samples are subtracted (0.97, the sample before the
    first one being equal to it), and a window follows that is a symmetric Hann window to the power of 0.85. Frames
    lie inside the clip; what is left at its end is dropped. The defaults are those of BEATs, with which 10 s are
    998 frames.

    Attributes
    ----------
    window_length, hop_length : int
        In samples; the Fourier transform has the next power of two.
    n_mels : int
        Number of mel bands between ``fmin_hz`` and ``fmax_hz``.
    shift, scale : float
        ``(ln(power) - shift) / scale``, of samples times 2^15.

    References
    ----------
    ``torchaudio.compliance.kaldi.fbank``; github.com/microsoft/unilm, beats/BEATs.py, for the constants.
    """

    numerics_version: ClassVar[int | None] = 1
    axes: ClassVar[tuple[str, ...]] = ("frames", "mel bands")

    sample_rate_hz: int = 16_000
    window_length: int = 400
    hop_length: int = 160
    n_mels: int = 128
    fmin_hz: float = 20.0
    fmax_hz: float = 8_000.0
    shift: float = 15.41663
    scale: float = 2 * 6.55582

    def __post_init__(self) -> None:
        for name in ("sample_rate_hz", "hop_length", "n_mels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"KaldiFbank: {name} is {getattr(self, name)}, must be at least 1")
        if self.window_length < 2:
            raise ConfigError(f"KaldiFbank: window_length is {self.window_length}, must be at least 2")
        if not 0 <= self.fmin_hz < self.fmax_hz <= self.sample_rate_hz / 2:
            raise ConfigError(
                f"KaldiFbank: bands from {self.fmin_hz} to {self.fmax_hz} Hz do not lie between 0 and "
                f"{self.sample_rate_hz / 2} Hz, half the sample rate"
            )
        if not self.scale > 0:
            raise ConfigError(f"KaldiFbank: scale is {self.scale}, must be above 0")

    @property
    def n_fft(self) -> int:
        """Points of the Fourier transform."""
        return 1 << (self.window_length - 1).bit_length()

    def shape(self, duration_s: float) -> tuple[int, ...]:
        """``(n_frames, n_mels)``.

        Raises
        ------
        DataError
            If a clip is shorter than a window.
        """
        return self._n_frames(round(duration_s * self.sample_rate_hz)), self.n_mels

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Transform one mono waveform, shape (n_samples,), in [-1, 1]; double precision up to the mel bands.

        Raises
        ------
        DataError
            If it is shorter than a window, not mono, not floating point or not finite.
        """
        from scipy import fft

        samples = Waveform(sample_rate_hz=self.sample_rate_hz)(waveform).astype(np.float64) * _FULL_SCALE
        n_frames = self._n_frames(len(samples))
        every = np.lib.stride_tricks.sliding_window_view(samples, self.window_length)[:: self.hop_length]
        window = _window(self.window_length)
        filters = kaldi_filters(self.sample_rate_hz, self.n_fft, self.n_mels, self.fmin_hz, self.fmax_hz)
        bands = np.empty((n_frames, self.n_mels), dtype=np.float32)
        for first in range(0, n_frames, _FRAMES_PER_BLOCK):
            block = slice(first, first + _FRAMES_PER_BLOCK)
            frames = every[block] - every[block].mean(axis=1, keepdims=True)
            before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
            spectrum = fft.rfft((frames - _PRE_EMPHASIS * before) * window, n=self.n_fft, axis=1, workers=1)
            power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
            np.matmul(power, filters, out=bands[block])
        np.log(np.maximum(bands, np.float32(_LEAST), out=bands), out=bands)
        bands -= np.float32(self.shift)
        bands /= np.float32(self.scale)
        return bands

    def _n_frames(self, n_samples: int) -> int:
        if n_samples < self.window_length:
            raise DataError(f"too short: {n_samples} samples, at least {self.window_length} are needed")
        return 1 + (n_samples - self.window_length) // self.hop_length


@cache
def _window(length: int) -> npt.NDArray[np.float64]:
    """Kaldi's window, named after Daniel Povey."""
    window: npt.NDArray[np.float64] = np.hanning(length) ** _WINDOW_POWER
    window.setflags(write=False)  # every caller shares it
    return window
