"""Background noise: four synthesised street and park backgrounds, and the mixing of Salamon and Bello.

The source mixes in recordings of scenes. Here the noise is synthesised: in a benchmark of scenes a recording
of another scene would bring that scene's label with it, no protocol has recordings that belong to no class,
and noise that is no clip cannot leak from a validation or test split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.features.frontends import Waveform

WEIGHTS = (0.1, 0.5)
"""The share of the noise is drawn uniformly between these (muda's defaults, used by the source)."""

_CONTROL_HZ = 100.0


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Gaussian noise of a spectrum, louder and softer at a pace.

    Attributes
    ----------
    curve_db : tuple of (float, float)
        Frequency in Hz and spectral density in dB, linear over the logarithm of the frequency.
    pace_hz : float
        Highest frequency of the fluctuation of the level.
    swing_db : float
        Standard deviation of that fluctuation.
    """

    curve_db: tuple[tuple[float, float], ...]
    pace_hz: float
    swing_db: float


NOISES: Mapping[str, Noise] = MappingProxyType(
    {
        "workers": Noise(
            curve_db=((50, -18), (200, -9), (1_000, 0), (4_000, -2), (10_000, -12), (20_000, -30)),
            pace_hz=12.0,
            swing_db=7.0,
        ),
        "traffic": Noise(
            curve_db=((30, 0), (120, 0), (500, -12), (1_000, -14), (4_000, -28), (20_000, -50)),
            pace_hz=0.5,
            swing_db=4.0,
        ),
        "people": Noise(
            curve_db=((80, -15), (200, -3), (500, 0), (1_500, -8), (4_000, -18), (20_000, -45)),
            pace_hz=5.0,
            swing_db=4.0,
        ),
        "park": Noise(
            curve_db=((30, 0), (150, -14), (600, -24), (3_000, -24), (6_000, -26), (20_000, -44)),
            pace_hz=1.0,
            swing_db=3.0,
        ),
    }
)
"""In the manner of the four recordings of the source: street workers, street traffic, street people, park."""


def noise(scene: str, *, n_samples: int, sample_rate_hz: int, seed: int) -> npt.NDArray[np.float32]:
    """Synthesise a background of unit peak.

    Parameters
    ----------
    scene : str
        A key of ``NOISES``.
    n_samples : int
        Length.
    sample_rate_hz : int
        Sample rate.
    seed : int
        The same seed gives the same noise.

    Returns
    -------
    float32 array, shape (n_samples,)

    Raises
    ------
    ConfigError
        For an unknown scene.
    """
    from scipy import fft

    if scene not in NOISES:
        raise ConfigError(f"noise: scene {scene!r} is not one of {', '.join(NOISES)}")
    kind, rng = NOISES[scene], np.random.default_rng(seed)
    # A length that factors well: the transform of a prime takes several times as long.
    n_fft = fft.next_fast_len(n_samples, real=True)
    spectrum = fft.rfft(rng.standard_normal(n_fft, dtype=np.float32))
    frequency_hz = fft.rfftfreq(n_fft, 1.0 / sample_rate_hz)
    octaves = np.log2(np.maximum(frequency_hz, 1.0))
    curve_db = np.interp(octaves, np.log2([hz for hz, _ in kind.curve_db]), [db for _, db in kind.curve_db])
    spectrum *= (10.0 ** (curve_db / 20.0)).astype(np.float32)
    spectrum[0] = 0.0
    sound = fft.irfft(spectrum, n_fft)[:n_samples]
    sound = sound * _swell(kind, rng, n_samples, sample_rate_hz)
    return np.asarray(sound / max(float(np.max(np.abs(sound))), 1e-30), dtype=np.float32)


def _swell(kind: Noise, rng: np.random.Generator, n_samples: int, sample_rate_hz: int) -> npt.NDArray[np.float32]:
    """Factor of the level at every sample: low-passed noise in dB, interpolated."""
    from scipy import signal

    seconds = np.arange(0.0, n_samples / sample_rate_hz + 1.0 / _CONTROL_HZ, 1.0 / _CONTROL_HZ)
    settling = int(4 * _CONTROL_HZ / kind.pace_hz)
    low = signal.butter(2, kind.pace_hz, fs=_CONTROL_HZ, output="sos")
    slow = signal.sosfilt(low, rng.standard_normal(len(seconds) + settling))[settling:]
    # The filter's own power, not this draw's: a short clip may be in one swell from end to end.
    response = signal.sosfreqz(low, 4_096)[1]
    swell_db = kind.swing_db * slow / np.sqrt(np.mean(np.abs(response) ** 2))
    factor = np.interp(np.arange(n_samples) / sample_rate_hz, seconds, 10.0 ** (swell_db / 20.0))
    return np.asarray(factor, dtype=np.float32)


def add_background(
    waveform: npt.NDArray[np.float32], noise: npt.NDArray[np.float32], *, weight: float
) -> npt.NDArray[np.float32]:
    """Mix ``(1 - weight) x + weight y``, the noise first brought to the peak of the recording.

    muda brings both to a peak of 1. This is the same mixture at the recording's own level.

    Parameters
    ----------
    waveform, noise : float32 arrays, shape (n_samples,)
        Recording and noise, at one sample rate.
    weight : float
        Share of the noise, 0 to 1.

    Returns
    -------
    float32 array, shape (n_samples,)
        Its peak is never above the recording's.

    Raises
    ------
    ConfigError
        If the weight is not between 0 and 1, or the lengths differ.
    DataError
        If one is empty, not mono or not finite.
    """
    if not 0.0 <= weight <= 1.0:
        raise ConfigError(f"add_background: weight is {weight}, must lie between 0 and 1")
    checked = Waveform(sample_rate_hz=1)
    x, y = checked(waveform), checked(noise)
    if len(x) != len(y):
        raise ConfigError(f"add_background: {len(x)} samples of the recording, but {len(y)} of noise")
    peak_x, peak_y = float(np.max(np.abs(x))), float(np.max(np.abs(y)))
    level = peak_x / peak_y if peak_y > 0.0 else 0.0
    return np.asarray(np.float32(1.0 - weight) * x + np.float32(weight * level) * y, dtype=np.float32)
