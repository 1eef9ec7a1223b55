"""Ten seconds of a scene at a location: the recipe, bent by the location, played once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asc_bench.data.seeds import generator
from asc_bench.data.signals import (
    Curve,
    Wave,
    control_hop,
    fluctuation,
    from_db,
    harmonics,
    n_control,
    noise_spectrum,
    passes,
    response,
    stretch,
    syllables,
    to_time,
)
from asc_bench.errors import ConfigError
from asc_bench.synthetic.events import EVENTS, between
from asc_bench.synthetic.ingredients import Happening, Layer, Motor, Recipe
from asc_bench.synthetic.recipes import scenes
from asc_bench.synthetic.sounds import add_at

LAYER_SPREAD_DB = 1.2
EVENT_SPREAD_DB = 2.0
LEVEL_SPREAD_DB = 1.5
COLOUR_SPREAD_DB = 0.8
TILT_SPREAD_DB = 0.4
CLIP_SPREAD_DB = 0.8
"""Standard deviations over the locations (the last: over the clips of one), in dB; the tilt per octave."""

_COLOUR_HZ = (40.0, 120.0, 350.0, 1000.0, 2800.0, 7000.0, 16000.0)


@dataclass(frozen=True, eq=False)
class _Place:
    """A location: the scene's recipe with everything drawn that stays the same from clip to clip."""

    level_db: float
    colour: Curve
    layers: tuple[tuple[Layer, Curve, float], ...]
    motors: tuple[tuple[Motor, npt.NDArray[np.float64], float, float], ...]
    happenings: tuple[tuple[Happening, float, float, float], ...]
    hum: tuple[tuple[float, float], ...]
    wet: float
    tail: Wave


def synthesise_scene(
    scene: str,
    *,
    location_seed: int,
    clip_seed: int,
    duration_s: float = 10.0,
    sample_rate_hz: int = 44100,
    recipe: Recipe | None = None,
) -> Wave:
    """Make one clip of a scene, as an ideal microphone at the spot would hear it.

    Parameters
    ----------
    scene : str
        One of the ten scenes of ``recipes.scenes()``; with a recipe any name.
    location_seed : int
        Identifies the recording spot: levels, colour, reverberation, rates and pitches of its events.
    clip_seed : int
        Identifies the moment.
    duration_s : float
        Length in seconds.
    sample_rate_hz : int
        Sample rate in Hz.
    recipe : Recipe, optional
        What the scene is made of, where it is none of ``recipes.scenes()``.

    Returns
    -------
    float32 ndarray, shape (round(duration_s * sample_rate_hz),)
        Full scale is 1; a loud event may exceed it, as before a recorder's limiter.

    Raises
    ------
    ConfigError
        For an unknown scene, or a length or rate out of range.
    """
    if recipe is None and scene not in scenes():
        raise ConfigError(f"scene {scene!r} is not one of {sorted(scenes())}")
    if not (0.1 <= duration_s <= 600.0 and 8000 <= sample_rate_hz <= 192000):
        raise ConfigError(
            f"a scene of {duration_s} s at {sample_rate_hz} Hz: give 0.1 to 600 s and 8000 to 192000 Hz"
        )
    place = _draw_place(generator("place", scene, location_seed), recipe or scenes()[scene], sample_rate_hz)
    rng = generator("moment", scene, location_seed, clip_seed)
    return _play(rng, place, round(duration_s * sample_rate_hz), sample_rate_hz)


def _draw_place(rng: np.random.Generator, recipe: Recipe, sample_rate_hz: int) -> _Place:
    tilt_db = rng.normal(0.0, TILT_SPREAD_DB)
    colour = tuple(
        (hz, tilt_db * float(np.log2(hz / 1000.0)) + float(rng.normal(0.0, COLOUR_SPREAD_DB))) for hz in _COLOUR_HZ
    )
    layers = tuple(
        (layer, _shifted(rng, layer.curve), layer.level_db + float(rng.normal(0.0, LAYER_SPREAD_DB)))
        for layer in recipe.layers
        if rng.random() < layer.presence
    )
    motors = tuple(
        (
            motor,
            _orders(rng, motor),
            between(rng, *motor.f0_hz),
            motor.level_db + float(rng.normal(0.0, LAYER_SPREAD_DB)),
        )
        for motor in recipe.motors
        if rng.random() < motor.presence
    )
    happenings = tuple(
        (
            happening,
            happening.per_10_s * float(np.exp(rng.normal(0.0, 0.5))),
            happening.peak_db + float(rng.normal(0.0, EVENT_SPREAD_DB)),
            float(rng.random()),
        )
        for happening in recipe.happenings
        if rng.random() < 0.8
    )
    hum = tuple((float(rng.uniform(45.0, 400.0)), float(rng.normal(-24.0, 5.0))) for _ in range(rng.integers(0, 5)))
    return _Place(
        level_db=recipe.level_db + float(rng.normal(0.0, LEVEL_SPREAD_DB)),
        colour=colour,
        layers=layers,
        motors=motors,
        happenings=happenings,
        hum=hum,
        wet=float(np.clip(recipe.wet * rng.uniform(0.6, 1.3), 0.0, 0.9)),
        tail=_reverberation(rng, between(rng, *recipe.rt60_s), sample_rate_hz),
    )


def _shifted(rng: np.random.Generator, curve: Curve) -> Curve:
    """The same curve, moved along the frequency axis by up to about half an octave."""
    factor = float(2.0 ** rng.normal(0.0, 0.12))
    return tuple((hz * factor, db) for hz, db in curve)


def _orders(rng: np.random.Generator, motor: Motor) -> npt.NDArray[np.float64]:
    order = np.arange(1, motor.n_orders + 1)
    return 10.0 ** ((motor.slope_db * np.log2(order) + rng.normal(0.0, 5.0, motor.n_orders)) / 20.0)


def _reverberation(rng: np.random.Generator, rt60_s: float, sample_rate_hz: int) -> Wave:
    """Diffuse tail of unit energy: noise in two bands, the upper one (air, surfaces) dying twice as fast."""
    n = max(64, round(rt60_s * sample_rate_hz))
    seconds = np.arange(n, dtype=np.float32) / np.float32(sample_rate_hz)
    rate = np.float32(6.9 / rt60_s)
    white = rng.standard_normal(n, dtype=np.float32)
    dark = np.convolve(white, np.hanning(18).astype(np.float32) / 8.5, mode="same").astype(np.float32)
    tail = dark * np.exp(-rate * seconds) + (white - dark) * np.exp(-2 * rate * seconds)
    return np.asarray(tail / np.sqrt(np.sum(np.square(tail))), dtype=np.float32)


def _play(rng: np.random.Generator, place: _Place, n: int, sample_rate_hz: int) -> Wave:
    from scipy import fft

    points = n_control(n, sample_rate_hz)
    steady: npt.NDArray[np.complex64] = np.zeros(n // 2 + 1, dtype=np.complex64)
    total = np.zeros(n, dtype=np.float32)
    for layer, curve, level_db in place.layers:
        gain = response([curve, place.colour], n, sample_rate_hz)
        spectrum = noise_spectrum(rng, gain, n)
        loudness = from_db(level_db + rng.normal(0.0, CLIP_SPREAD_DB))
        if layer.rhythm == "steady":
            steady += np.float32(loudness) * spectrum
        else:
            envelope = loudness * _envelope(rng, layer, points)
            total += to_time(spectrum, n) * stretch(envelope, control_hop(sample_rate_hz), n)
    for motor, orders, f0_hz, level_db in place.motors:
        pitch = f0_hz * np.exp(motor.wander * fluctuation(rng, points, 2.5))
        loudness = from_db(level_db + rng.normal(0.0, CLIP_SPREAD_DB))
        total += np.float32(loudness) * harmonics(rng, orders, pitch, n, sample_rate_hz)
    for hz, level_db in place.hum:
        # A tone on a bin of the transform costs nothing; bins are 0.1 Hz apart in ten seconds.
        steady[round(hz * n / sample_rate_hz)] += (
            from_db(level_db) * n / np.sqrt(2.0) * np.exp(2j * np.pi * rng.random())
        )
    dry = _events(rng, place, n, sample_rate_hz)
    if dry is not None:
        # Circular: the tail of the end sounds in the beginning, as of something that went before.
        room = np.float32(place.wet) * fft.rfft(_fitted(place.tail, n)) + np.float32(1.0 - place.wet)
        steady += fft.rfft(dry) * room * response([place.colour], n, sample_rate_hz)
    total += to_time(steady, n)
    return total * np.float32(from_db(place.level_db + rng.normal(0.0, CLIP_SPREAD_DB)))


def _envelope(rng: np.random.Generator, layer: Layer, points: int) -> npt.NDArray[np.float64]:
    if layer.rhythm == "wander":
        return 10.0 ** (layer.depth * fluctuation(rng, points, layer.period_s) / 20.0)
    if layer.rhythm == "passes":
        level_db = passes(rng, points, per_10_s=layer.per_10_s, width_s=layer.period_s, peak_db=layer.depth)
        return 10.0 ** (level_db / 20.0)
    return syllables(rng, points, depth=layer.depth) + syllables(rng, points, depth=layer.depth)


def _events(rng: np.random.Generator, place: _Place, n: int, sample_rate_hz: int) -> Wave | None:
    duration_s = n / sample_rate_hz
    target = np.zeros(n, dtype=np.float32)
    happened = False
    for happening, per_10_s, peak_db, habit in place.happenings:
        for _ in range(rng.poisson(per_10_s * duration_s / 10.0)):
            snippet = EVENTS[happening.event](rng, sample_rate_hz, habit)
            at = int(rng.integers(-len(snippet) // 2, n))
            add_at(target, snippet, at, from_db(peak_db + rng.normal(0.0, EVENT_SPREAD_DB)))
            happened = True
    return target if happened else None


def _fitted(wave: Wave, n: int) -> Wave:
    return np.pad(wave[:n], (0, max(0, n - len(wave))))
