"""Recipes of scenes, of ESC classes, of task 4's sounds and of materials: from tables, or drawn from palettes.

A scene of the merged taxonomy that has no recipe of its own draws one from the palette of its coarse class, always
the same by its name, and adds a resonance of its own. Classes of one coarse class are therefore similar, and more
easily mistaken for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from asc_bench.data.seeds import generator
from asc_bench.data.signals import Curve
from asc_bench.errors import ConfigError
from asc_bench.synthetic.events import between
from asc_bench.synthetic.ingredients import Happening, Layer, Material, Motor, Palette, Part, Recipe, Rhythm, Sound
from asc_bench.synthetic.resources import curves, read_table


@cache
def scenes() -> Mapping[str, Recipe]:
    """The ten scenes of the TUT and TAU urban sets."""
    return read_table("scenes.toml", Recipe)


@cache
def esc_classes() -> Mapping[str, tuple[Part, ...]]:
    """Parts of every class of ESC-50 by its official name, in the official order; ESC-10 takes ten of them."""
    return read_table("esc50.toml", tuple[Part, ...])


@cache
def task4_sounds() -> Mapping[str, Sound]:
    """The 17 sounds of DCASE 2017 task 4 by label, in the official order within Warning and within Vehicle."""
    return read_table("task4.toml", Sound)


@cache
def materials() -> Mapping[str, Material]:
    """The 17 materials of Greatest Hits by name, in the order of the layout."""
    return read_table("materials.toml", Material)


@cache
def palettes() -> Mapping[str, Palette]:
    """What scenes without a recipe of their own are drawn from, by coarse class of the merged taxonomy."""
    return read_table("palettes.toml", Palette)


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
    if fine in scenes():
        return scenes()[fine]
    if coarse not in palettes():
        raise ConfigError(f"there are no scenes in the coarse class {coarse!r}, only in {', '.join(palettes())}")
    palette = palettes()[coarse]
    rng = generator("merged recipe", fine, coarse)
    reverberation_s = between(rng, *palette.rt60_s)
    motors: tuple[Motor, ...] = ()
    if palette.motor_hz is not None:
        pitch_hz = between(rng, *palette.motor_hz)
        motors = (Motor((0.8 * pitch_hz, 1.25 * pitch_hz), float(rng.uniform(-10, -3)), -5.0, 0.1),)
    chosen = rng.choice(len(palette.curves), size=3, replace=False)
    layers = tuple(_layer(rng, palette.curves[int(i)]) for i in chosen)
    happenings = tuple(
        Happening(palette.events[int(i)], between(rng, 0.4, 3.0), float(rng.uniform(9, 14)))
        for i in rng.choice(len(palette.events), size=4, replace=False)
    )
    return Recipe(
        palette.level_db + float(rng.uniform(-3, 3)),
        (0.8 * reverberation_s, 1.25 * reverberation_s),
        float(rng.uniform(0.15, 0.6)),
        (*layers, Layer(_resonance(rng), float(rng.uniform(-12, -6)))),
        happenings,
        motors,
    )


def _layer(rng: np.random.Generator, curve: Curve) -> Layer:
    level_db = float(rng.uniform(-10, -1))
    if curve in (curves()["murmur"], curves()["bright_murmur"]):
        return Layer(curve, level_db, "talk", float(rng.uniform(0.3, 0.8)))
    rhythms: tuple[Rhythm, ...] = ("steady", "wander", "passes")
    rhythm = rhythms[int(rng.integers(3))]
    return Layer(curve, level_db, rhythm, float(rng.uniform(2, 8)), float(rng.uniform(0.7, 2.5)), per_10_s=1.0)


def _resonance(rng: np.random.Generator) -> Curve:
    """A hump somewhere between 150 Hz and 5 kHz, which a room or a machine adds."""
    hz = between(rng, 150.0, 5000.0)
    return ((hz / 4, -30), (hz / 1.4, -6), (hz, 0), (hz * 1.4, -6), (hz * 4, -30))
