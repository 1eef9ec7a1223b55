"""Perceptually weighted mel spectrogram: weighting and logarithm first, mel bands last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.features.spectral import SpectralFrontEnd


@dataclass(frozen=True, kw_only=True)
class PerceptualMel(SpectralFrontEnd):
    """Mel-weighted sums of the A-weighted decibels of a power spectrogram, time first: (n_frames, n_mels).

    Unlike a log-mel spectrogram it sums over logarithms, so that quiet bins count as much as loud ones.
    The defaults are the processor "d18": 5 s are 216 frames of 256 bands.

    Attributes
    ----------
    amin : float
        Least power; keeps silence finite.
    top_db : float
        Before the weighting no bin is further than this below the loudest one of the clip.

    References
    ----------
    https://github.com/kkoutini/cpjku_dcase19, audioprocessors.py, which follows M. Dorfer et al., "Acoustic scene
    classification with fully convolutional neural networks and i-vectors", DCASE 2018.
    """

    numerics_version: ClassVar[int | None] = 1

    sample_rate_hz: int = 22_050
    n_fft: int = 2_048
    window_length: int = 2_048
    hop_length: int = 512
    n_mels: int = 256
    fmin_hz: float = 0.0
    fmax_hz: float = 11_025.0
    pad: Literal["constant", "reflect"] = "reflect"
    amin: float = 1e-10
    top_db: float = 80.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("amin", "top_db"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"PerceptualMel: {name} is {getattr(self, name)}, must be above 0")

    def transform(self, magnitudes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """See ``SpectralFrontEnd.transform``."""
        import librosa

        frequencies_hz = librosa.fft_frequencies(sr=self.sample_rate_hz, n_fft=self.n_fft)
        # The weight of 0 Hz is minus infinity decibels, which librosa limits to -80 after a warning.
        with np.errstate(divide="ignore"):
            decibels = librosa.perceptual_weighting(
                np.square(magnitudes), frequencies_hz, kind="A", ref=1.0, amin=self.amin, top_db=self.top_db
            )
        bands: npt.NDArray[np.float64] = self.mel_filters() @ decibels
        return bands
