"""Recording devices: what they do to a sound on its way to the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from asc_bench.data.signals import Curve, Wave, from_db, stretch
from asc_bench.errors import ConfigError, DataError

DEVICES_VERSION = 1
"""Version of what the devices do. Raise it with every change that moves a sample."""

_BLOCK_S = 0.01
_LIMIT = 0.7


@dataclass(frozen=True)
class Device:
    """A microphone with its pre-amplifier and its processing.

    Attributes
    ----------
    response_db : curve
        Level over frequency of capsule, case and voicing.
    gain_db : float
        Gain before the compressor.
    noise_db : float
        RMS of the self-noise of the capsule, in dB re full scale, before gain and response.
    threshold_db : float
        Level in dB re full scale above which the compressor acts.
    ratio : float
        Compression ratio above the threshold; 1 is none.
    attack_s, release_s : float
        Time constants of the compressor.
    """

    response_db: Curve
    gain_db: float
    noise_db: float
    threshold_db: float
    ratio: float
    attack_s: float
    release_s: float


DEVICES: Mapping[str, Device] = MappingProxyType(
    {
        "a": Device(
            ((20, -2), (40, 0), (1000, 0), (8000, 0.5), (15000, 0), (20000, -2)),
            0.0, -84.0, 0.0, 1.0, 0.01, 0.1,
        ),
        "b": Device(
            ((20, -16), (60, -8), (130, -3), (250, 0), (800, 0), (2200, 1.5), (3800, 3.5), (6500, 1),
             (10000, -1.5), (14000, -5), (18000, -18)),
            2.0, -74.0, -26.0, 2.0, 0.02, 0.4,
        ),
        "c": Device(
            ((20, -9), (50, -4), (90, -1), (200, 0), (700, -1), (1300, -2), (3000, 0),
             (5500, 2.5), (9000, 1.5), (12500, -2), (16500, -8), (20000, -22)),
            -1.5, -78.0, -30.0, 1.6, 0.05, 1.0,
        ),
    }
)  # fmt: skip
"""Devices of the mobile sets: ``a`` a recorder of high quality, ``b`` and ``c`` phones.

The curves are invented in the manner of phones (low cut against handling and wind noise, a presence peak, a
steep end), not measured from the models that the data sets name.
"""


SIMULATED: Mapping[str, Device] = MappingProxyType(
    {
        "s1": Device(
            ((20, -20), (90, -9), (220, -2), (500, 0), (1600, 2), (3200, 5), (5200, 1), (8000, -5), (12000, -20)),
            1.0, -72.0, -30.0, 3.0, 0.01, 0.3,
        ),
        "s2": Device(
            ((20, -6), (60, -1), (120, 2), (400, 1), (1000, -2), (2600, -4), (6000, -3), (9000, -9), (15000, -24)),
            -2.0, -76.0, -24.0, 2.0, 0.03, 0.6,
        ),
        "s3": Device(
            ((20, -24), (150, -12), (350, -4), (900, 0), (2000, 1), (4500, 3), (9000, 4), (14000, 0), (19000, -14)),
            2.0, -70.0, -28.0, 2.5, 0.02, 0.5,
        ),
        "s4": Device(
            ((20, -14), (80, -6), (200, 1), (450, 3), (900, -3), (2200, 0), (4000, -6), (7000, -14), (11000, -30)),
            0.0, -68.0, -32.0, 4.0, 0.005, 0.2,
        ),
        "s5": Device(
            ((20, -30), (200, -16), (500, -5), (1200, 2), (2400, 6), (3600, 2), (10000, -12), (16000, -28)),
            3.0, -66.0, -26.0, 3.0, 0.01, 0.8,
        ),
        "s6": Device(
            ((20, -3), (50, 3), (110, 5), (300, 0), (800, -5), (1800, -8), (4200, -2), (8000, -10), (13000, -26)),
            -3.0, -64.0, -34.0, 5.0, 0.005, 0.4,
        ),
    }
)  # fmt: skip
"""Devices of the sets of 2020 and later, in whose place the organisers filtered and compressed recordings of ``a``.

Their responses were not published; these are invented, and farther from ``a`` than ``b`` and ``c`` are.
"""


def apply_device(waveform: Wave, *, sample_rate_hz: int, device: str, rng: np.random.Generator) -> Wave:
    """Record a sound with a device: self-noise, response, gain, compressor, limiter.

    Parameters
    ----------
    waveform : float32 ndarray, shape (n_samples,)
        Sound at the microphone, full scale 1. Synthesised or recorded.
    sample_rate_hz : int
        Sample rate in Hz.
    device : str
        A key of ``DEVICES`` or of ``SIMULATED``.
    rng : Generator
        Gives the self-noise, so that devices beside each other have noise of their own.

    Returns
    -------
    float32 ndarray, shape (n_samples,)
        Below 1 in absolute value.

    Raises
    ------
    ConfigError
        For an unknown device.
    DataError
        For a waveform that is empty, not one-dimensional, or holds a NaN or an infinity.
    """
    known = {**DEVICES, **SIMULATED}
    if device not in known:
        raise ConfigError(f"device {device!r} is not one of {sorted(known)}")
    wave = np.asarray(waveform, dtype=np.float32)
    if wave.ndim != 1 or not len(wave):
        raise DataError(f"apply_device: expected samples in one dimension, got shape {wave.shape}")
    if not np.isfinite(wave).all():
        raise DataError(f"apply_device: sample {int(np.argmin(np.isfinite(wave)))} of the waveform is not finite")
    return _recorded(wave, known[device], sample_rate_hz, rng)


def _recorded(wave: Wave, device: Device, sample_rate_hz: int, rng: np.random.Generator) -> Wave:
    from scipy import signal

    noise = rng.standard_normal(len(wave), dtype=np.float32) * np.float32(from_db(device.noise_db))
    taps = fir(device.response_db, sample_rate_hz) * np.float32(from_db(device.gain_db))
    heard = signal.oaconvolve(wave + noise, taps, mode="full")
    start = len(taps) // 2
    heard = np.asarray(heard[start : start + len(wave)], dtype=np.float32)
    if device.ratio > 1.0:
        heard = heard * _compression(heard, device, sample_rate_hz)
    return _limited(heard)


def fir(curve: Curve, sample_rate_hz: int, n_taps: int = 1023) -> Wave:
    """Linear-phase filter of a curve; odd length, so that its delay is whole samples."""
    from scipy import signal

    nyquist_hz = sample_rate_hz / 2.0
    grid_hz = np.linspace(0.0, nyquist_hz, 513)
    levels = np.interp(np.log2(np.maximum(grid_hz, 1.0)), np.log2([hz for hz, _ in curve]), [db for _, db in curve])
    taps = signal.firwin2(n_taps, grid_hz, 10.0 ** (levels / 20.0), fs=sample_rate_hz)
    return np.asarray(taps, dtype=np.float32)


def _compression(wave: Wave, device: Device, sample_rate_hz: int) -> Wave:
    """Gain of the compressor for every sample, from the level in blocks of 10 ms."""
    hop = max(1, round(_BLOCK_S * sample_rate_hz))
    n_blocks = -(-len(wave) // hop)
    blocks = np.pad(wave, (0, n_blocks * hop - len(wave))).reshape(n_blocks, hop)
    level_db = 10.0 * np.log10(np.mean(np.square(blocks), axis=1) + 1e-12)
    wanted_db = -np.maximum(level_db - device.threshold_db, 0.0) * (1.0 - 1.0 / device.ratio)
    smooth_db = _attack_and_release(wanted_db, _BLOCK_S / device.attack_s, _BLOCK_S / device.release_s)
    gain = 10.0 ** (np.append(smooth_db, smooth_db[-1]) / 20.0)
    return stretch(gain, hop, len(wave))


def _attack_and_release(
    wanted_db: npt.NDArray[np.floating], attack: float, release: float
) -> npt.NDArray[np.float64]:
    down, up = 1.0 - float(np.exp(-attack)), 1.0 - float(np.exp(-release))
    now = float(wanted_db[0])
    smooth = np.empty(len(wanted_db))
    for index, wanted in enumerate(wanted_db.tolist()):
        now += (down if wanted < now else up) * (wanted - now)
        smooth[index] = now
    return smooth


def _limited(wave: Wave) -> Wave:
    """Leave samples up to the limit as they are and bend those above it softly towards 1."""
    loud = np.abs(wave) > _LIMIT
    if loud.any():
        over = (np.abs(wave[loud]) - _LIMIT) / (1.0 - _LIMIT)
        wave[loud] = np.sign(wave[loud]) * (_LIMIT + (1.0 - _LIMIT) * np.tanh(over) * np.float32(0.9999))
    return wave
