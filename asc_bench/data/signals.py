"""Sounds without a beginning: coloured noise, engines, talk in a crowd, and the slow changes of their level.

Noise is drawn in the frequency domain and brought to time by one inverse transform. Whatever is slow or
smooth (levels over time, responses over frequency) is computed at few points and drawn out linearly, which is
what makes the synthesiser fast enough to be used without thinking.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Wave = npt.NDArray[np.float32]
Curve = Sequence[tuple[float, float]]
"""Points (frequency in Hz, level in dB), joined by straight lines over log frequency."""

CONTROL_RATE_HZ = 100
"""Rate at which levels and pitches that change over time are computed."""

_GRID_HZ = 4.8
_TABLE_SIZE = 4096


def from_db(level_db: float) -> float:
    """Amplitude factor of a level in dB."""
    return float(10.0 ** (level_db / 20.0))


def stretch(points: npt.NDArray[np.floating], hop: int, n: int) -> Wave:
    """Join points that lie ``hop`` samples apart by straight lines.

    Parameters
    ----------
    points : ndarray, shape (n_points,)
        Values at samples 0, hop, 2 hop, ...; at least ``ceil(n / hop) + 1`` of them.
    hop : int
        Distance of two points in samples.
    n : int
        Length of the result in samples.

    Returns
    -------
    float32 ndarray, shape (n,)
    """
    needed = -(-n // hop) + 1
    if len(points) < needed:
        raise ValueError(f"{n} samples at hop {hop} need {needed} points, got {len(points)}")
    start = points[: needed - 1].astype(np.float32)
    step = np.diff(points[:needed]).astype(np.float32) / np.float32(hop)
    lines = start[:, None] + step[:, None] * np.arange(hop, dtype=np.float32)
    return np.asarray(lines, dtype=np.float32).reshape(-1)[:n]


def control_hop(sample_rate_hz: int) -> int:
    """Samples from one control point to the next."""
    return max(1, round(sample_rate_hz / CONTROL_RATE_HZ))


def n_control(n: int, sample_rate_hz: int) -> int:
    """Control points that ``stretch`` needs for ``n`` samples."""
    return -(-n // control_hop(sample_rate_hz)) + 1


def with_envelope(wave: Wave, envelope: npt.NDArray[np.floating], sample_rate_hz: int) -> Wave:
    """Multiply a sound by an amplitude given at the control rate."""
    return wave * stretch(envelope, control_hop(sample_rate_hz), len(wave))


def curve_db(curve: Curve, frequency_hz: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Level of a curve at given frequencies, in dB; constant beyond its ends."""
    points = sorted(curve)
    log_hz = np.log2(np.maximum(frequency_hz, 1.0))
    levels = np.interp(log_hz, np.log2([hz for hz, _ in points]), [db for _, db in points])
    return np.asarray(levels, dtype=np.float64)


def response(curves: Sequence[Curve], n: int, sample_rate_hz: int) -> Wave:
    """Amplitude response of several curves in series, over the bins of an ``n``-point real transform.

    Returns
    -------
    float32 ndarray, shape (n // 2 + 1,)
    """
    n_bins = n // 2 + 1
    hop = max(1, round(_GRID_HZ * n / sample_rate_hz))
    grid_hz = np.arange(-(-n_bins // hop) + 1) * (hop * sample_rate_hz / n)
    total_db = np.sum([curve_db(curve, grid_hz) for curve in curves], axis=0)
    return stretch(10.0 ** (total_db / 20.0), hop, n_bins)


def noise_spectrum(rng: np.random.Generator, gain: Wave, n: int) -> npt.NDArray[np.complex64]:
    """Real transform, of ``n`` points, of Gaussian noise of unit RMS with the shape of ``gain``."""
    drawn = rng.standard_normal(2 * len(gain), dtype=np.float32).view(np.complex64)
    gain = gain.copy()
    gain[0] = 0.0
    power = float(np.mean(np.square(gain))) or 1.0
    return drawn * (gain * np.float32(np.sqrt(n / 2.0 / power)))


def to_time(spectrum: npt.NDArray[np.complex64], n: int) -> Wave:
    """Inverse real transform, as float32."""
    from scipy import fft

    return np.asarray(fft.irfft(spectrum, n), dtype=np.float32)


def noise(rng: np.random.Generator, curve: Curve, n: int, sample_rate_hz: int) -> Wave:
    """Gaussian noise of unit RMS whose spectrum follows a curve."""
    from scipy import fft

    size = fft.next_fast_len(n, real=True)
    return to_time(noise_spectrum(rng, response([curve], size, sample_rate_hz), size), size)[:n]


def fluctuation(rng: np.random.Generator, n_points: int, period_s: float) -> npt.NDArray[np.float64]:
    """Smooth Gaussian wander of unit deviation at the control rate, turning about every ``period_s``."""
    width = max(3, round(period_s * CONTROL_RATE_HZ))
    kernel = np.hanning(width + 2)
    wander = np.convolve(rng.standard_normal(n_points + len(kernel) - 1), kernel, mode="valid")
    return wander / float(np.sqrt(np.sum(np.square(kernel))))


def passes(
    rng: np.random.Generator, n_points: int, *, per_10_s: float, width_s: float, peak_db: float
) -> npt.NDArray[np.float64]:
    """Level in dB of sources that come near, pass and go, over a floor of 0 dB, at the control rate.

    A source at constant speed has a pressure of ``1 / sqrt(1 + (t / w)^2)``; ``width_s`` is ``w``, the
    distance of its path divided by its speed. Passes may begin before the clip and end after it.
    """
    seconds = np.arange(n_points) / CONTROL_RATE_HZ
    length_s = seconds[-1] + 2 * width_s
    power = np.ones(n_points)
    for _ in range(rng.poisson(per_10_s * length_s / 10.0)):
        nearest_s = rng.uniform(-width_s, length_s - width_s)
        width = width_s * rng.uniform(0.6, 1.6)
        power += 10.0 ** ((peak_db + rng.normal(0.0, 3.0)) / 10.0) / (1.0 + ((seconds - nearest_s) / width) ** 2)
    return 10.0 * np.log10(power)


def syllables(rng: np.random.Generator, n_points: int, *, depth: float) -> npt.NDArray[np.float64]:
    """Amplitude of running speech at the control rate: syllables of 0.1 to 0.3 s in phrases with pauses.

    ``depth`` from 0 (so many talkers that nothing is left of the rhythm) to 1 (one talker).
    """
    amplitude = np.zeros(n_points)
    at = int(rng.integers(-20, 20))
    while at < n_points:
        length = int(rng.integers(10, 30))
        bump = np.hanning(length + 2) * rng.uniform(0.4, 1.0)
        left, right = max(at, 0), min(at + len(bump), n_points)
        if right > left:
            amplitude[left:right] += bump[left - at : right - at]
        at += round(length * 0.8) + (int(rng.integers(20, 80)) if rng.random() < 0.12 else 0)
    return (1.0 - depth) * 0.5 + depth * amplitude


def harmonics(
    rng: np.random.Generator,
    amplitudes: npt.NDArray[np.floating],
    f0_hz: npt.NDArray[np.floating],
    n: int,
    sample_rate_hz: int,
) -> Wave:
    """Periodic sound of unit RMS with a fundamental that changes over time.

    Parameters
    ----------
    rng : Generator
        Gives the phases of the harmonics.
    amplitudes : ndarray, shape (n_harmonics,)
        Amplitude of each harmonic, the fundamental first. Those above half the sample rate are left out.
    f0_hz : ndarray
        Fundamental at the control rate.
    n, sample_rate_hz : int
        Length in samples and sample rate.
    """
    from scipy import fft

    n_audible = max(1, min(len(amplitudes), int(0.45 * sample_rate_hz / max(float(np.max(f0_hz)), 1.0))))
    spectrum = np.zeros(_TABLE_SIZE // 2 + 1, dtype=np.complex128)
    spectrum[1 : n_audible + 1] = amplitudes[:n_audible] * np.exp(2j * np.pi * rng.random(n_audible))
    table = fft.irfft(spectrum)
    table = (table / np.sqrt(np.mean(np.square(table)))).astype(np.float32)
    track = stretch(f0_hz, control_hop(sample_rate_hz), n)
    phase = np.cumsum(track, dtype=np.float64) * (_TABLE_SIZE / sample_rate_hz)
    return np.asarray(table[phase.astype(np.int64) % _TABLE_SIZE], dtype=np.float32)
