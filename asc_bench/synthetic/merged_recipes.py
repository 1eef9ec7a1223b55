"""Recipes of the scenes in the merged taxonomy that have none of their own: drawn from the class's name.

Each coarse class has a palette; a fine class draws from it, always the same by its name, and adds a resonance of
its own. Classes of one coarse class are therefore kin, and more easily mistaken for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import numpy as np

from asc_bench.data.seeds import generator
from asc_bench.data.signals import Curve
from asc_bench.errors import ConfigError
from asc_bench.synthetic.events import between
from asc_bench.synthetic.ingredients import Happening, Layer, Motor, Recipe
from asc_bench.synthetic.recipes import (
    BRIGHT_MURMUR,
    CITY,
    FOUNTAIN,
    LEAVES,
    MURMUR,
    RAILS,
    ROLLING,
    RUMBLE,
    RUSTLE,
    SCENES,
    TYRES,
    VENTILATION,
    WIND,
)
from asc_bench.synthetic.sounds import Range

_TALK = (MURMUR, BRIGHT_MURMUR)

_PALETTES: Mapping[str, tuple[tuple[Curve, ...], tuple[str, ...], Range, Range, float]] = MappingProxyType(
    {
        "Vehicle": (
            (RUMBLE, ROLLING, RAILS, TYRES, VENTILATION),
            ("rail_joint", "thud", "squeal", "door_beep", "announcement", "talker", "air_hiss"),
            (0.12, 0.4),
            (20.0, 400.0),
            -26.0,
        ),
        "Outdoor": (
            (CITY, TYRES, MURMUR, WIND, LEAVES),
            ("walker", "talker", "car_horn", "bird", "child", "bark", "bell", "suitcase"),
            (0.3, 1.0),
            (0.0, 0.0),
            -33.0,
        ),
        "Public places": (
            (VENTILATION, MURMUR, BRIGHT_MURMUR, RUSTLE, RUMBLE),
            ("chime", "announcement", "till_beep", "melody", "clatter", "suitcase", "walker", "talker", "child"),
            (0.4, 2.4),
            (0.0, 0.0),
            -32.0,
        ),
        "Nature": (
            (LEAVES, WIND, FOUNTAIN, RUSTLE),
            ("bird", "walker", "bark", "child"),
            (0.15, 0.5),
            (0.0, 0.0),
            -38.0,
        ),
        "Domestic": (
            (VENTILATION, RUSTLE, MURMUR),
            ("clatter", "thud", "talker", "melody", "walker", "till_beep"),
            (0.25, 0.6),
            (0.0, 0.0),
            -40.0,
        ),
    }
)
"""Coarse class to noises, events, reverberation in s, motor pitch in Hz (0: no motor) and level in dB."""


@cache
def scene_recipe(fine: str, coarse: str) -> Recipe:
    """What a scene of the merged taxonomy sounds like.

    Parameters
    ----------
    fine, coarse : str
        A fine class that a scene label is mapped to, and its coarse class.

    Raises
    ------
    ConfigError
        For a coarse class that holds single events and no scenes.
    """
    if fine in SCENES:
        return SCENES[fine]
    if coarse not in _PALETTES:
        raise ConfigError(f"there are no scenes in the coarse class {coarse!r}, only in {', '.join(_PALETTES)}")
    curves, events, rt60_s, motor_hz, level_db = _PALETTES[coarse]
    rng = generator("merged recipe", fine, coarse)
    reverberation_s = between(rng, *rt60_s)
    motors: tuple[Motor, ...] = ()
    if motor_hz[0]:
        pitch_hz = between(rng, *motor_hz)
        motors = (Motor((0.8 * pitch_hz, 1.25 * pitch_hz), float(rng.uniform(-10, -3)), -5.0, 0.1),)
    chosen = rng.choice(len(curves), size=3, replace=False)
    layers = tuple(_layer(rng, curves[int(i)]) for i in chosen)
    happenings = tuple(
        Happening(events[int(i)], between(rng, 0.4, 3.0), float(rng.uniform(9, 14)))
        for i in rng.choice(len(events), size=4, replace=False)
    )
    return Recipe(
        level_db + float(rng.uniform(-3, 3)),
        (0.8 * reverberation_s, 1.25 * reverberation_s),
        float(rng.uniform(0.15, 0.6)),
        (*layers, Layer(_resonance(rng), float(rng.uniform(-12, -6)))),
        happenings,
        motors,
    )


def _layer(rng: np.random.Generator, curve: Curve) -> Layer:
    level_db = float(rng.uniform(-10, -1))
    if curve in _TALK:
        return Layer(curve, level_db, "talk", float(rng.uniform(0.3, 0.8)))
    rhythm = ("steady", "wander", "passes")[int(rng.integers(3))]
    return Layer(curve, level_db, rhythm, float(rng.uniform(2, 8)), float(rng.uniform(0.7, 2.5)), per_10_s=1.0)


def _resonance(rng: np.random.Generator) -> Curve:
    """A hump somewhere between 150 Hz and 5 kHz, which a room or a machine adds."""
    hz = between(rng, 150.0, 5000.0)
    return ((hz / 4, -30), (hz / 1.4, -6), (hz, 0), (hz * 1.4, -6), (hz * 4, -30))
