"""Log-mel spectrogram at another rate than that of the recordings, with torchaudio's resampling in between."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, gcd
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.features.frontends import FrontEnd, LogMel, Waveform

_ZERO_CROSSINGS = 6
_ROLL_OFF = 0.99
"""Of ``torchaudio.functional.resample``: half the length of the filter, and its edge in halves of the rate."""


@dataclass(frozen=True, kw_only=True)
class ResampledLogMel(FrontEnd):
    """A log-mel spectrogram of samples that are brought to its rate as ``torchaudio.functional.resample`` does it.

    Recordings are decoded at ``sample_rate_hz``. The filter is short, six zero crossings of a sinc, and so passes
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
        samples = Waveform(sample_rate_hz=self.sample_rate_hz)(waveform)
        return self.inner(sinc_resampled(samples, self.sample_rate_hz, self.inner.sample_rate_hz))


def sinc_resampled(waveform: npt.NDArray[np.float32], from_hz: int, to_hz: int) -> npt.NDArray[np.float32]:
    """Samples at another rate, shape (ceil(n_samples * to_hz / from_hz),), by a Hann-windowed sinc.

    Source: the defaults of https://docs.pytorch.org/audio/stable/generated/torchaudio.functional.resample.html
    """
    from scipy.signal import upfirdn

    if from_hz == to_hz:
        return waveform
    up, down = to_hz // gcd(from_hz, to_hz), from_hz // gcd(from_hz, to_hz)
    filtered = upfirdn(_taps(up, down), waveform.astype(np.float64), up=up, down=down)
    first = _delay(up, down)
    return filtered[first : first + ceil(len(waveform) * up / down)].astype(np.float32)


def _reach(up: int, down: int) -> int:
    """Taps on either side of the middle one, at the rate that both others divide."""
    return int(_ZERO_CROSSINGS * up * down / (_ROLL_OFF * min(up, down)))


def _delay(up: int, down: int) -> int:
    """Output samples by which the filter is late: a whole number, for which the taps are preceded by zeros."""
    return ceil(_reach(up, down) / down)


@cache
def _taps(up: int, down: int) -> npt.NDArray[np.float64]:
    reach, edge = _reach(up, down), _ROLL_OFF * min(up, down)
    crossings = np.arange(-reach, reach + 1) * edge / (up * down)
    window = np.cos(np.pi * crossings / (2 * _ZERO_CROSSINGS)) ** 2
    taps = np.sinc(crossings) * window * edge / down
    late = np.concatenate([np.zeros(_delay(up, down) * down - reach), taps])
    late.setflags(write=False)  # every caller shares it
    return late
