"""The front end of VGGish: log-mel examples of 0.96 s, exactly as the released code computes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import DataError
from asc_bench.features.frontends import FrontEnd, LogMel

SAMPLE_RATE_HZ = 16_000
N_FRAMES, N_BANDS = 96, 64
WINDOW, HOP, N_FFT = 400, 160, 512
LOW_HZ, HIGH_HZ = 125.0, 7_500.0

EXAMPLE_SAMPLES = WINDOW + (N_FRAMES - 1) * HOP
"""Samples of one example: 15,600, the last frame whole."""


@dataclass(frozen=True, kw_only=True)
class VggishExamples(FrontEnd):
    """Examples of 96 frames by 64 mel bands that do not overlap; what is left at the end of a clip is dropped.

    16 kHz, windows of 25 ms every 10 ms without padding, a periodic Hann window, magnitudes, and ``ln(x + 0.01)``.
    The 64 triangles lie between 125 and 7,500 Hz. Their sides are straight over the mel scale of the HTK formula,
    not over frequency as in librosa. A clip shorter than one example, of which the released code makes none, is
    filled up with silence to make one.

    Source: github.com/tensorflow/models, research/audioset/vggish (``mel_features.py``, ``vggish_params.py``).
    """

    numerics_version: ClassVar[int | None] = 1
    axes: ClassVar[tuple[str, ...]] = ("examples", "frames", "mel bands")

    sample_rate_hz: int = field(default=SAMPLE_RATE_HZ, init=False)

    def shape(self, duration_s: float) -> tuple[int, ...]:
        """``(n_examples, 96, 64)``: 5 examples for 5 s, 10 for 10 s, 31 for 30 s."""
        n_samples = round(duration_s * self.sample_rate_hz)
        if n_samples < 1:
            raise DataError(f"too short: {n_samples} samples, at least 1 is needed")
        n_frames = 1 + (max(n_samples, EXAMPLE_SAMPLES) - WINDOW) // HOP
        return n_frames // N_FRAMES, N_FRAMES, N_BANDS

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Transform one mono waveform, shape (n_samples,), in [-1, 1].

        Raises
        ------
        DataError
            If it is empty, not mono, not floating point or not finite.
        """
        if waveform.ndim == 1 and 0 < len(waveform) < EXAMPLE_SAMPLES:
            waveform = np.pad(waveform, (0, EXAMPLE_SAMPLES - len(waveform)))
        frames = _log_mel()(waveform)
        n_examples = len(frames) // N_FRAMES
        return frames[: n_examples * N_FRAMES].reshape(n_examples, N_FRAMES, N_BANDS)


@dataclass(frozen=True, kw_only=True)
class _VggishLogMel(LogMel):
    """Log-mel frames with the triangles of the released code."""

    numerics_version: ClassVar[int | None] = 1

    def mel_filters(self) -> npt.NDArray[np.float32]:
        return _filters()


@cache
def _log_mel() -> _VggishLogMel:
    return _VggishLogMel(
        sample_rate_hz=SAMPLE_RATE_HZ,
        n_fft=N_FFT,
        window_length=WINDOW,
        hop_length=HOP,
        n_mels=N_BANDS,
        fmin_hz=LOW_HZ,
        fmax_hz=HIGH_HZ,
        power=1.0,
        mel_scale="htk",
        mel_norm=None,
        centre=False,
        floor=0.01,
    )


@cache
def _filters() -> npt.NDArray[np.float32]:
    """Triangles of height 1, shape (257, 64), with straight sides over the mel scale; none hears the mean."""
    bins = _mel(np.linspace(0.0, SAMPLE_RATE_HZ / 2, 1 + N_FFT // 2))[:, np.newaxis]
    edges = np.linspace(_mel(LOW_HZ), _mel(HIGH_HZ), N_BANDS + 2)
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    filters = np.maximum(0.0, np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak)))
    filters[0] = 0.0
    single = np.ascontiguousarray(filters, dtype=np.float32)
    single.setflags(write=False)  # every caller shares it
    return single


def _mel(frequency_hz: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1127.0 * np.log(1.0 + np.asarray(frequency_hz) / 700.0)
