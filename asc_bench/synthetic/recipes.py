"""What the ten scenes are made of. Levels are in dB relative to the level of the scene.

Neighbours share their ingredients on purpose (bus, tram and metro all roll; airport and mall both murmur), so
that telling them apart needs more than the loudest layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from asc_bench.data.signals import Curve
from asc_bench.synthetic.ingredients import Happening, Layer, Motor, Recipe

RUMBLE: Curve = ((15, -20), (40, 0), (90, 0), (250, -18), (1000, -45), (8000, -80))
ROLLING: Curve = ((60, -20), (250, -4), (600, 0), (1200, -5), (4000, -24), (16000, -50))
RAILS: Curve = ((100, -24), (400, -6), (1000, 0), (2200, -4), (5000, -16), (16000, -40))
TYRES: Curve = ((40, -12), (120, -6), (900, 0), (2000, -6), (6000, -22), (16000, -42))
VENTILATION: Curve = ((25, -6), (100, 0), (400, -8), (2000, -22), (10000, -44))
MURMUR: Curve = (
    (120, -18),
    (350, -3),
    (600, 0),
    (1100, -6),
    (1800, -6),
    (3000, -13),
    (7000, -32),
    (16000, -55),
)
BRIGHT_MURMUR: Curve = ((200, -20), (450, -4), (800, 0), (1400, -2), (2600, -5), (4500, -16), (16000, -46))
CITY: Curve = ((25, -4), (70, 0), (300, -8), (1000, -14), (4000, -32), (16000, -60))
LEAVES: Curve = ((300, -26), (1500, -10), (4500, 0), (9000, -3), (16000, -12))
WIND: Curve = ((15, 0), (40, -1), (120, -14), (500, -34), (4000, -70))
FOUNTAIN: Curve = ((150, -22), (700, -8), (2000, 0), (6000, -2), (12000, -8), (20000, -20))
RUSTLE: Curve = ((200, -18), (1200, -6), (3500, 0), (8000, -6), (18000, -22))

SCENES: Mapping[str, Recipe] = MappingProxyType(
    {
        "airport": Recipe(
            -33.0,
            (1.0, 2.4),
            0.6,
            (
                Layer(VENTILATION, -3),
                Layer(MURMUR, -4, "talk", 0.35),
                Layer(RUSTLE, -20, "wander", 3.0),
                Layer(RUMBLE, -8, "passes", 8.0, 3.0, 0.7, presence=0.5),
            ),
            (
                Happening("announcement", 0.7, 12),
                Happening("chime", 0.4, 10),
                Happening("suitcase", 1.4, 11),
                Happening("walker", 1.6, 12),
                Happening("talker", 2.0, 12),
                Happening("till_beep", 0.7, 8),
                Happening("thud", 0.8, 14),
            ),
        ),
        "shopping_mall": Recipe(
            -32.0,
            (0.7, 1.9),
            0.5,
            (
                Layer(VENTILATION, -6),
                Layer(MURMUR, -4, "talk", 0.4),
                Layer(BRIGHT_MURMUR, -7, "talk", 0.5),
                Layer(RUSTLE, -17, "wander", 3.0),
            ),
            (
                Happening("melody", 1.2, 9),
                Happening("walker", 2.2, 12),
                Happening("talker", 2.4, 12),
                Happening("child", 0.6, 12),
                Happening("till_beep", 1.2, 9),
                Happening("clatter", 1.4, 10),
                Happening("announcement", 0.2, 10),
            ),
        ),
        "metro_station": Recipe(
            -30.0,
            (1.2, 2.8),
            0.7,
            (
                Layer(VENTILATION, -4),
                Layer(RUMBLE, -6, "passes", 10.0, 3.0, 0.7),
                Layer(ROLLING, -14, "passes", 12.0, 2.0, 0.7),
                Layer(MURMUR, -7, "talk", 0.5),
            ),
            (
                Happening("door_beep", 0.8, 10),
                Happening("announcement", 0.6, 12),
                Happening("squeal", 0.6, 10),
                Happening("walker", 1.8, 12),
                Happening("talker", 1.0, 10),
                Happening("air_hiss", 0.5, 10),
                Happening("suitcase", 0.3, 9),
            ),
        ),
        "metro": Recipe(
            -25.0,
            (0.15, 0.35),
            0.3,
            (
                Layer(RUMBLE, -1, "wander", 2.0, 2.0),
                Layer(ROLLING, -3, "wander", 3.5, 2.5),
                Layer(VENTILATION, -8),
                Layer(MURMUR, -15, "talk", 0.6),
            ),
            (
                Happening("rail_joint", 2.6, 10),
                Happening("squeal", 0.7, 9),
                Happening("door_beep", 0.35, 8),
                Happening("announcement", 0.4, 9),
                Happening("talker", 0.8, 8),
                Happening("thud", 1.0, 12),
            ),
            (Motor((180.0, 520.0), -14, -6, 0.12, presence=0.8),),
        ),
        "tram": Recipe(
            -28.0,
            (0.15, 0.35),
            0.3,
            (
                Layer(RUMBLE, -9, "wander", 2.0, 2.0),
                Layer(RAILS, -5, "wander", 3.5, 2.5),
                Layer(VENTILATION, -6),
                Layer(MURMUR, -12, "talk", 0.6),
                Layer(CITY, -12, "passes", 6.0, 1.5, 1.0),
            ),
            (
                Happening("rail_joint", 1.8, 10),
                Happening("tram_bell", 0.4, 9),
                Happening("squeal", 0.6, 10),
                Happening("door_beep", 0.35, 8),
                Happening("announcement", 0.4, 10),
                Happening("talker", 1.2, 10),
                Happening("thud", 1.0, 12),
            ),
            (Motor((120.0, 420.0), -12, -6, 0.15, presence=0.9),),
        ),
        "bus": Recipe(
            -27.0,
            (0.12, 0.3),
            0.3,
            (
                Layer(RUMBLE, -5, "wander", 2.5, 1.5),
                Layer(TYRES, -8, "wander", 2.0, 2.5),
                Layer(VENTILATION, -6),
                Layer(MURMUR, -12, "talk", 0.6),
                Layer(CITY, -14, "passes", 6.0, 1.0, 1.2),
            ),
            (
                Happening("air_hiss", 0.7, 11),
                Happening("till_beep", 0.7, 8),
                Happening("thud", 1.4, 14),
                Happening("talker", 1.2, 10),
                Happening("announcement", 0.35, 10),
                Happening("clatter", 1.0, 8),
                Happening("door_beep", 0.2, 8),
            ),
            (Motor((24.0, 55.0), -2, -5, 0.1),),
        ),
        "park": Recipe(
            -41.0,
            (0.2, 0.5),
            0.1,
            (
                Layer(CITY, -4, "wander", 1.5, 2.0),
                Layer(LEAVES, -10, "wander", 4.0, 1.5),
                Layer(WIND, -7, "wander", 5.0, 0.7, presence=0.7),
                Layer(MURMUR, -16, "talk", 0.8, presence=0.6),
            ),
            (
                Happening("bird", 4.0, 12),
                Happening("walker", 0.8, 12),
                Happening("bark", 0.4, 14),
                Happening("child", 0.4, 10),
                Happening("talker", 0.6, 10),
            ),
        ),
        "public_square": Recipe(
            -35.0,
            (0.4, 1.1),
            0.25,
            (
                Layer(CITY, -4, "passes", 6.0, 2.5, 0.8),
                Layer(MURMUR, -7, "talk", 0.5),
                Layer(FOUNTAIN, -14, "wander", 1.0, 0.5, presence=0.5),
                Layer(WIND, -9, "wander", 5.0, 0.7, presence=0.6),
                Layer(TYRES, -12, "passes", 8.0, 2.0, 0.6),
            ),
            (
                Happening("bird", 1.4, 10),
                Happening("bell", 0.25, 10),
                Happening("walker", 1.6, 12),
                Happening("talker", 1.8, 12),
                Happening("child", 0.7, 12),
                Happening("bark", 0.2, 12),
                Happening("clatter", 0.5, 9),
            ),
        ),
        "street_pedestrian": Recipe(
            -34.0,
            (0.4, 1.0),
            0.3,
            (
                Layer(CITY, -5, "passes", 6.0, 2.0, 0.8),
                Layer(MURMUR, -5, "talk", 0.55),
                Layer(TYRES, -12, "passes", 8.0, 1.5, 0.7),
                Layer(WIND, -11, "wander", 5.0, 0.7, presence=0.5),
                Layer(RUSTLE, -18, "wander", 3.0),
            ),
            (
                Happening("walker", 3.2, 14),
                Happening("talker", 2.8, 13),
                Happening("suitcase", 0.5, 10),
                Happening("child", 0.4, 11),
                Happening("bird", 0.5, 8),
                Happening("clatter", 0.9, 10),
                Happening("car_horn", 0.1, 8),
            ),
        ),
        "street_traffic": Recipe(
            -26.0,
            (0.4, 1.0),
            0.2,
            (
                Layer(CITY, -3, "passes", 6.0, 1.5, 1.5),
                Layer(TYRES, -4, "passes", 9.0, 0.9, 2.0),
                Layer(WIND, -10, "wander", 5.0, 0.7, presence=0.6),
                Layer(MURMUR, -18, "talk", 0.8, presence=0.6),
            ),
            (
                Happening("car_horn", 0.4, 11),
                Happening("walker", 0.9, 8),
                Happening("talker", 0.5, 8),
                Happening("air_hiss", 0.25, 9),
                Happening("squeal", 0.2, 7),
                Happening("thud", 0.6, 12),
            ),
            (Motor((28.0, 75.0), -12, -5, 0.12, presence=0.8),),
        ),
    }
)
"""The ten scenes of the TUT and TAU urban sets, kin beside kin."""
