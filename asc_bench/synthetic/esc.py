"""Five seconds of an ESC class: the parts of the class, bent by the source recording, played once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from asc_bench.data.seeds import generator
from asc_bench.data.signals import (
    CONTROL_RATE_HZ,
    Curve,
    Wave,
    curve_db,
    fluctuation,
    from_db,
    harmonics,
    n_control,
    noise,
    with_envelope,
)
from asc_bench.errors import ConfigError
from asc_bench.synthetic.events import between
from asc_bench.synthetic.ingredients import Calls, Drone, Part, Wash
from asc_bench.synthetic.recipes import esc_classes
from asc_bench.synthetic.sounds import Range, add_at, burst, glide, ring

_LEVEL_DB = -22.0
_PEAK = 0.98


def synthesise_esc(
    category: str, *, source_seed: int, take_seed: int, duration_s: float = 5.0, sample_rate_hz: int = 44100
) -> Wave:
    """Make one clip of an ESC class.

    Parameters
    ----------
    category : str
        A class name of ESC-50.
    source_seed : int
        Identifies the source recording: pitch, colour, pace, background, level.
    take_seed : int
        Identifies the take.
    duration_s : float
        Length in seconds.
    sample_rate_hz : int
        Sample rate in Hz.

    Returns
    -------
    float32 ndarray, shape (round(duration_s * sample_rate_hz),)
        Below 1 in absolute value. Where a source has no background, digital silence fills the gaps, as in
        the original.

    Raises
    ------
    ConfigError
        For an unknown class.
    """
    if category not in esc_classes():
        raise ConfigError(f"ESC class {category!r} is not one of {sorted(esc_classes())}")
    n = round(duration_s * sample_rate_hz)
    source = generator("source", category, source_seed)
    take = generator("take", category, source_seed, take_seed)
    colour = tuple((hz, float(source.normal(0.0, 2.5))) for hz in (60.0, 250.0, 1000.0, 4000.0, 12000.0))
    total = np.zeros(n, dtype=np.float32)
    for part in esc_classes()[category]:
        total += part_wave(source, take, part, colour, n, sample_rate_hz)
    if source.random() < 0.4:
        floor: Curve = ((30, 0), (float(source.uniform(500, 8000)), -10), (16000, -40))
        total += np.float32(from_db(source.uniform(-36, -20))) * noise(take, floor, n, sample_rate_hz)
    total *= np.float32(from_db(_LEVEL_DB + source.normal(0.0, 4.0)))
    peak = float(np.max(np.abs(total), initial=0.0))
    return total * np.float32(_PEAK / peak) if peak > _PEAK else total


def part_wave(
    source: np.random.Generator,
    take: np.random.Generator,
    part: Part,
    colour: Curve,
    n: int,
    sample_rate_hz: int,
) -> Wave:
    """One part of a sound, ``n`` samples long; ``colour`` is the curve that its source adds."""
    gain = np.float32(from_db(part.level_db + source.normal(0.0, 2.0)))
    if isinstance(part, Calls):
        return gain * _calls(source, take, part, colour, n, sample_rate_hz)
    points = n_control(n, sample_rate_hz)
    curve = _coloured(part.curve, colour)
    if isinstance(part, Wash):
        wave = noise(take, curve, n, sample_rate_hz)
        gusts = 10.0 ** (part.wander_db * fluctuation(take, points, part.wander_s) / 20.0)
    else:
        wave = _drone(source, take, part, curve, n, sample_rate_hz)
        gusts = np.ones(points)
    if part.am_hz is not None:
        gusts *= _strokes(source, take, part.am_hz, part.am_depth, points)
    return gain * with_envelope(wave, gusts, sample_rate_hz)


def _drone(
    source: np.random.Generator,
    take: np.random.Generator,
    part: Drone,
    curve: Curve,
    n: int,
    sample_rate_hz: int,
) -> Wave:
    points = n_control(n, sample_rate_hz)
    base_hz = between(source, *part.f0_hz)
    log_f0 = part.wander * fluctuation(take, points, part.wander_s)
    if part.sweep_hz is not None:
        seconds = np.arange(points) / CONTROL_RATE_HZ
        rate_hz, start = between(source, *part.sweep_hz), take.uniform(0, 2 * np.pi)
        log_f0 = log_f0 + part.sweep * np.sin(2 * np.pi * rate_hz * seconds + start)
    orders = np.arange(1, max(2, int(14000.0 / base_hz)))
    amplitudes = 10.0 ** ((curve_db(curve, orders * base_hz) + source.normal(0.0, 3.0, len(orders))) / 20.0)
    return harmonics(take, amplitudes, base_hz * np.exp(log_f0), n, sample_rate_hz)


def _strokes(
    source: np.random.Generator, take: np.random.Generator, am_hz: Range, depth: float, points: int
) -> npt.NDArray[np.float64]:
    phase = 2 * np.pi * between(source, *am_hz) * np.arange(points) / CONTROL_RATE_HZ
    phase = phase + 0.3 * fluctuation(take, points, 1.0) + take.uniform(0, 2 * np.pi)
    return (1.0 - depth) + depth * np.square(np.sin(phase / 2))


def _calls(
    source: np.random.Generator,
    take: np.random.Generator,
    part: Calls,
    colour: Curve,
    n: int,
    sample_rate_hz: int,
) -> Wave:
    target = np.zeros(n, dtype=np.float32)
    every_s, length_s = between(source, *part.every_s), between(source, *part.length_s)
    hz = between(source, *part.hz)
    bend = [ratio * float(np.exp(source.normal(0.0, 0.08))) for ratio in part.bend]
    curve = _coloured(part.curve, colour)
    seconds = float(take.uniform(0.0, min(every_s, 0.5)))
    for _ in range(int(take.integers(part.count[0], part.count[1] + 1))):
        snippet = call_wave(take, part, curve, length_s * between(take, 0.85, 1.18), hz, bend, sample_rate_hz)
        add_at(target, snippet, round(seconds * sample_rate_hz), take.uniform(0.6, 1.0))
        seconds += every_s * (1.0 + part.jitter * take.uniform(-1.0, 1.0))
    return target


def call_wave(
    take: np.random.Generator,
    part: Calls,
    curve: Curve,
    length_s: float,
    hz: float,
    bend: list[float],
    sample_rate_hz: int,
) -> Wave:
    """One call, with a largest absolute sample of 1."""
    hz *= between(take, 0.95, 1.05)
    if part.kind == "burst":
        return burst(take, sample_rate_hz, curve, duration_s=length_s)
    if part.kind == "ring":
        return ring(take, sample_rate_hz, [hz * ratio for ratio in bend], duration_s=length_s)
    return glide(
        take,
        sample_rate_hz,
        [hz * ratio for ratio in bend],
        duration_s=length_s,
        timbre=curve,
        vibrato=part.vibrato,
        breath=part.breath,
    )


def _coloured(curve: Curve, colour: Curve) -> Curve:
    """The sum of two curves, on the points of the first."""
    extra = curve_db(colour, np.array([hz for hz, _ in curve]))
    return tuple((hz, db + float(e)) for (hz, db), e in zip(curve, extra, strict=True))
