"""Log-mel spectrogram at another rate than that of the recordings, with torchaudio's resampling in between."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.features.frontends import FrontEnd, LogMel, Waveform


@dataclass(frozen=True, kw_only=True)
class ResampledLogMel(FrontEnd):
    """A log-mel spectrogram of samples that ``torchaudio.functional.resample`` brings to its rate.

    Recordings are decoded at ``sample_rate_hz``. Its filter is short, six zero crossings of a sinc, and so passes
    less of the last tenth below half the new rate, and mirrors more of what lies above it, than the one that
    decodes. Networks of authors who resample so have learnt from such bands.

    Attributes
    ----------
    inner : LogMel
        Its own rate is the one to resample to.
    """

    numerics_version: ClassVar[int | None] = 1
    axes: ClassVar[tuple[str, ...]] = LogMel.axes

    inner: LogMel

    @property
    def frame_rate_hz(self) -> float | None:
        """That of the spectrogram."""
        return self.inner.frame_rate_hz

    def key(self) -> dict[str, object]:
        """Class name, rate, and the key of the spectrogram."""
        return {
            "front_end": type(self).__name__,
            "sample_rate_hz": self.sample_rate_hz,
            "inner": self.inner.key(),
        }

    def shape(self, duration_s: float) -> tuple[int, ...]:
        """``(n_frames, n_mels)``."""
        n_samples = ceil(round(duration_s * self.sample_rate_hz) * self.inner.sample_rate_hz / self.sample_rate_hz)
        return self.inner.shape(n_samples / self.inner.sample_rate_hz)

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Resample and transform one mono waveform, shape (n_samples,), in [-1, 1]. Raises as ``LogMel`` does."""
        import torch

        from asc_bench.features.torchaudio_import import torchaudio

        samples = torch.from_numpy(Waveform(sample_rate_hz=self.sample_rate_hz)(waveform))
        resampled = torchaudio().functional.resample(samples, self.sample_rate_hz, self.inner.sample_rate_hz)
        return self.inner(resampled.numpy())
