"""Log-mel spectrogram of CP-JKU's systems since 2022: pre-emphasis, Kaldi's mel filters, a fixed normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.features.frontends import LogMel, MelNorm, MelScale, Waveform

_SHIFT, _SCALE = 4.5, 5.0
"""``(ln(x + floor) + 4.5) / 5`` is what the source calls fast normalisation."""


@dataclass(frozen=True, kw_only=True)
class KaldiLogMel(LogMel):
    """Log-mel spectrogram with Kaldi's filters, normalised by two constants, time first: (n_frames, n_mels).

    Kaldi's triangles are of height 1 on the HTK scale; their sides are straight on the mel axis, those of librosa
    and torchaudio on the frequency axis. There is no other scale or norm. The defaults are those of the CP-JKU
    systems of DCASE 2023, where a second is 64 frames of 256 bands.

    Attributes
    ----------
    pre_emphasis : float
        ``y[t] = x[t + 1] - pre_emphasis x[t]``, so that a clip loses one sample; 0 leaves the samples as they are.

    References
    ----------
    https://github.com/fschmid56/cpjku_dcase23, models/mel.py; ``torchaudio.compliance.kaldi.get_mel_banks``.
    """

    numerics_version: ClassVar[int | None] = 1

    sample_rate_hz: int = 32_000
    n_fft: int = 4_096
    window_length: int = 3_072
    hop_length: int = 500
    n_mels: int = 256
    fmin_hz: float = 0.0
    fmax_hz: float = 16_000.0
    symmetric_window: bool = True
    mel_scale: MelScale = "htk"
    mel_norm: MelNorm = None
    pad: Literal["constant", "reflect"] = "reflect"
    floor: float = 1e-5
    pre_emphasis: float = 0.97

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.pre_emphasis <= 1:
            raise ConfigError(f"KaldiLogMel: pre_emphasis is {self.pre_emphasis}, must be between 0 and 1")
        if self.mel_scale != "htk" or self.mel_norm is not None:
            raise ConfigError(
                f"KaldiLogMel: mel_scale is {self.mel_scale!r} and mel_norm {self.mel_norm!r}, but Kaldi's bands "
                "are of the HTK scale and have no norm; leave both out"
            )
        if self.n_fft % 2:
            raise ConfigError(f"KaldiLogMel: n_fft is {self.n_fft}, must be even")

    def shape(self, duration_s: float) -> tuple[int, ...]:
        """``(n_frames, n_mels)``."""
        n_samples = round(duration_s * self.sample_rate_hz) - (1 if self.pre_emphasis else 0)
        return super().shape(n_samples / self.sample_rate_hz)

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Transform one mono waveform, shape (n_samples,), in [-1, 1]. Raises as ``LogMel`` does."""
        samples = Waveform(sample_rate_hz=self.sample_rate_hz)(waveform)
        if self.pre_emphasis:
            samples = samples[1:] - np.float32(self.pre_emphasis) * samples[:-1]
        bands = super().__call__(samples)
        bands += np.float32(_SHIFT)
        bands /= np.float32(_SCALE)
        return bands

    def mel_filters(self) -> npt.NDArray[np.float32]:
        """Mel matrix, shape (1 + n_fft // 2, n_mels); half the sample rate has no weight in any band."""
        return kaldi_filters(self.sample_rate_hz, self.n_fft, self.n_mels, self.fmin_hz, self.fmax_hz)


def _mel(frequency_hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return 1_127.0 * np.log1p(np.asarray(frequency_hz, dtype=np.float64) / 700.0)


@cache
def kaldi_filters(
    sample_rate_hz: int, n_fft: int, n_mels: int, fmin_hz: float, fmax_hz: float
) -> npt.NDArray[np.float32]:
    """Kaldi's mel matrix, shape (1 + n_fft // 2, n_mels); see ``KaldiLogMel``."""
    edges = np.linspace(_mel(fmin_hz), _mel(fmax_hz), n_mels + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    bins = _mel(np.arange(n_fft // 2) * (sample_rate_hz / n_fft))[:, None]
    triangles = np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre)).clip(min=0.0)
    filters = np.concatenate([triangles, np.zeros((1, n_mels))]).astype(np.float32)
    filters.setflags(write=False)  # every caller shares it
    return filters
