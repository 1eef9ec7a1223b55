"""Sounds with a beginning and an end, from which the events of scenes and of ESC classes are put together.

Every function returns a snippet whose largest absolute sample is 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asc_bench.data.signals import (
    CONTROL_RATE_HZ,
    Curve,
    Wave,
    curve_db,
    harmonics,
    n_control,
    noise,
    syllables,
    with_envelope,
)

Range = tuple[float, float]


def unit_peak(wave: Wave) -> Wave:
    """Scale to a largest absolute sample of 1; silence stays silence."""
    peak = float(np.max(np.abs(wave), initial=0.0))
    return wave / np.float32(peak) if peak > 0.0 else wave


def n_samples(duration_s: float, sample_rate_hz: int) -> int:
    """Whole samples of a duration, at least 8."""
    return max(8, round(duration_s * sample_rate_hz))


def add_at(target: Wave, snippet: Wave, at: int, gain: float) -> None:
    """Add a snippet in place, at a sample that may lie before the beginning; what sticks out is cut off."""
    left, right = max(at, 0), min(at + len(snippet), len(target))
    if right > left:
        target[left:right] += snippet[left - at : right - at] * np.float32(gain)


def decay(n: int, sample_rate_hz: int, *, attack_s: float, decay_s: float) -> Wave:
    """Amplitude that rises linearly, then falls by 60 dB in ``decay_s`` seconds, and ends in zero."""
    seconds = np.arange(n, dtype=np.float32) / np.float32(sample_rate_hz)
    fall = np.exp(np.float32(-6.9 / max(decay_s, 1e-3)) * np.maximum(seconds - np.float32(attack_s), 0))
    rise = np.minimum(seconds / np.float32(max(attack_s, 1e-4)), 1)
    n_fade = min(n, max(2, n // 20))
    envelope = rise * fall
    envelope[-n_fade:] *= np.linspace(1, 0, n_fade, dtype=np.float32)
    return np.asarray(envelope, dtype=np.float32)


def burst(
    rng: np.random.Generator, sample_rate_hz: int, curve: Curve, *, duration_s: float, attack_s: float = 0.002
) -> Wave:
    """Noise that starts at once and dies away: steps, knocks, hisses, splashes."""
    n = n_samples(duration_s, sample_rate_hz)
    envelope = decay(n, sample_rate_hz, attack_s=attack_s, decay_s=duration_s)
    return unit_peak(noise(rng, curve, n, sample_rate_hz) * envelope)


def ring(
    rng: np.random.Generator,
    sample_rate_hz: int,
    partials_hz: Sequence[float],
    *,
    duration_s: float,
    roll_off: float = 0.7,
) -> Wave:
    """Struck body: partials of any ratio, the higher ones weaker and dying sooner."""
    n = n_samples(duration_s, sample_rate_hz)
    seconds = np.arange(n, dtype=np.float32) / np.float32(sample_rate_hz)
    total = np.zeros(n, dtype=np.float32)
    lowest_hz = min(partials_hz)
    for index, hz in enumerate(partials_hz):
        if hz < 0.45 * sample_rate_hz:
            envelope = decay(n, sample_rate_hz, attack_s=0.002, decay_s=duration_s * (lowest_hz / hz) ** 0.7)
            phase = np.float32(2 * np.pi * hz) * seconds + np.float32(rng.uniform(0, 2 * np.pi))
            total += np.float32(roll_off**index) * envelope * np.sin(phase)
    return unit_peak(total)


def glide(
    rng: np.random.Generator,
    sample_rate_hz: int,
    f0_points_hz: Sequence[float],
    *,
    duration_s: float,
    timbre: Curve,
    vibrato: float = 0.0,
    breath: float = 0.0,
    attack_s: float = 0.02,
    hold: bool = True,
) -> Wave:
    """Voice, whistle, horn or cry: harmonics under a fixed timbre, their fundamental moving through points.

    Parameters
    ----------
    rng : Generator
    sample_rate_hz : int
    f0_points_hz : sequence of float
        Fundamental at equal distances in time, joined over log frequency.
    duration_s : float
    timbre : curve
        Level in dB over frequency: the formants.
    vibrato : float
        Depth of a 5 to 8 Hz vibrato, relative to the fundamental.
    breath : float
        RMS of noise with the same timbre, relative to the voice.
    attack_s : float
        Rise time.
    hold : bool
        Whether the level holds until the end, or dies away from the attack on.
    """
    n = n_samples(duration_s, sample_rate_hz)
    points = n_control(n, sample_rate_hz)
    place = np.linspace(0.0, len(f0_points_hz) - 1.0, points)
    f0_hz = np.exp2(np.interp(place, np.arange(len(f0_points_hz)), np.log2(f0_points_hz)))
    if vibrato:
        seconds = np.arange(points) / CONTROL_RATE_HZ
        f0_hz *= 1.0 + vibrato * np.sin(2 * np.pi * rng.uniform(5.0, 8.0) * seconds)
    middle_hz = float(np.exp2(np.mean(np.log2(f0_hz))))
    orders = np.arange(1, max(2, int(12000.0 / middle_hz)))
    amplitudes = 10.0 ** (curve_db(timbre, orders * middle_hz) / 20.0)
    wave = harmonics(rng, amplitudes, f0_hz, n, sample_rate_hz)
    if breath:
        wave = wave + np.float32(breath) * noise(rng, timbre, n, sample_rate_hz)
    if hold:
        ramp = np.linspace(0.0, duration_s, n, dtype=np.float32)
        edge = np.minimum(ramp, ramp[::-1]) / np.float32(max(attack_s, 1e-3))
        return unit_peak(wave * np.minimum(edge, 1))
    return unit_peak(wave * decay(n, sample_rate_hz, attack_s=attack_s, decay_s=duration_s))


def whistle(
    rng: np.random.Generator,
    sample_rate_hz: int,
    f0_points_hz: Sequence[float],
    *,
    duration_s: float,
    attack_s: float = 0.01,
) -> Wave:
    """Pure tone that moves through given points."""
    lone = ((min(f0_points_hz) * 1.01, 0.0), (max(f0_points_hz) * 1.9, -60.0))
    return glide(rng, sample_rate_hz, f0_points_hz, duration_s=duration_s, timbre=lone, attack_s=attack_s)


def talk(rng: np.random.Generator, sample_rate_hz: int, *, duration_s: float, f0_hz: float, band: Curve) -> Wave:
    """One talker: a gliding voice with a drawn vowel, cut into syllables, heard through a band."""
    vowel_hz = (rng.uniform(300, 750), rng.uniform(900, 2200), rng.uniform(2400, 3000))
    dip_db = -14.0
    timbre = [(80.0, -6.0)]
    for index, hz in enumerate(vowel_hz):
        timbre += [(hz * 0.75, dip_db - 6 * index), (hz, -5.0 * index), (hz * 1.3, dip_db - 6 * index)]
    timbre.append((6000.0, -45.0))
    shaped = [(hz, db + float(curve_db(band, np.array([hz]))[0])) for hz, db in timbre]
    melody = f0_hz * np.exp2(rng.normal(0.0, 0.15, size=max(2, round(duration_s * 4))))
    wave = glide(
        rng, sample_rate_hz, list(melody), duration_s=duration_s, timbre=shaped, breath=0.12, attack_s=0.05
    )
    rhythm = syllables(rng, n_control(len(wave), sample_rate_hz), depth=1.0)
    return unit_peak(with_envelope(wave, rhythm, sample_rate_hz))
