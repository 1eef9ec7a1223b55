"""What the fifty classes of ESC-50 are made of: noise, drones, and calls that repeat.

A few numbers per class: enough that classes are learnt by colour, pitch and rhythm, and that kin (rain and
sea, dog and rooster, the engines) are mistaken for each other now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from asc_bench.data.signals import Curve
from asc_bench.synthetic.ingredients import Calls, Drone, Part, Wash

LOW: Curve = ((20, -6), (80, 0), (250, -8), (1200, -30), (8000, -60))
MID: Curve = ((100, -20), (500, 0), (1500, -2), (4000, -18), (14000, -40))
HIGH: Curve = ((400, -30), (2000, -8), (5000, 0), (10000, -3), (18000, -14))
BROAD: Curve = ((60, -14), (300, -3), (2000, 0), (8000, -4), (18000, -14))
PINK: Curve = ((20, 0), (20000, -30))
WOOD: Curve = ((80, -8), (300, 0), (1200, -10), (5000, -32))
CLICK: Curve = ((500, -20), (2500, 0), (7000, -4), (16000, -14))
OPEN: Curve = ((150, -8), (800, 0), (1400, -3), (3000, -12), (9000, -42))
NASAL: Curve = ((150, -2), (350, 0), (900, -12), (2400, -8), (7000, -40))
SHRILL: Curve = ((300, -10), (1200, -2), (3000, 0), (4500, -6), (12000, -36))

ESC_CLASSES: Mapping[str, tuple[Part, ...]] = MappingProxyType(
    {
        "dog": (Calls("voice", (0.12, 0.3), (0.35, 1.2), (1, 6), OPEN, (250, 600), (0.8, 1.3, 0.7), 0.4),),
        "rooster": (
            Calls(
                "voice",
                (0.9, 1.8),
                (2.2, 4.0),
                (1, 2),
                SHRILL,
                (450, 800),
                (0.7, 1.1, 1.3, 1.2, 0.6),
                0.2,
                0.03,
            ),
        ),
        "pig": (Calls("voice", (0.15, 0.5), (0.3, 0.9), (3, 9), NASAL, (90, 220), (1.0, 1.3, 0.9), 1.2),),
        "cow": (Calls("voice", (1.0, 2.0), (2.0, 4.0), (1, 2), NASAL, (110, 220), (0.8, 1.1, 1.0, 0.8), 0.15),),
        "frog": (Calls("voice", (0.1, 0.3), (0.3, 0.8), (4, 12), OPEN, (180, 500), (0.9, 1.1), 0.3, 0.12),),
        "cat": (Calls("voice", (0.5, 1.1), (1.2, 2.5), (1, 3), SHRILL, (400, 800), (0.8, 1.3, 0.9), 0.08, 0.02),),
        "hen": (
            Calls(
                "voice",
                (0.08, 0.25),
                (0.2, 0.6),
                (6, 18),
                SHRILL,
                (300, 650),
                (0.9, 1.2, 0.9),
                0.4,
                jitter=0.4,
            ),
        ),
        "insects": (
            Drone((150, 320), HIGH, wander=0.08, wander_s=0.4, am_hz=(3, 9), am_depth=0.5),
            Wash(HIGH, -12),
        ),
        "sheep": (Calls("voice", (0.6, 1.2), (1.2, 2.6), (1, 3), NASAL, (220, 420), (1.0, 1.05, 0.95), 0.2, 0.08),),
        "crow": (Calls("voice", (0.25, 0.5), (0.5, 1.1), (2, 6), OPEN, (350, 600), (1.0, 1.1, 0.9), 0.9),),
        "rain": (
            Wash(BROAD, wander_db=0.8),
            Calls("burst", (0.01, 0.03), (0.02, 0.1), (40, 120), CLICK, jitter=0.9, level_db=4),
        ),
        "sea_waves": (Wash(BROAD, wander_db=6, wander_s=2.5), Wash(LOW, -6, 4, 2.5)),
        "crackling_fire": (
            Wash(PINK, -10),
            Calls("burst", (0.006, 0.03), (0.03, 0.3), (20, 90), CLICK, jitter=0.95, level_db=14),
        ),
        "crickets": (
            Calls(
                "voice",
                (0.03, 0.06),
                (0.06, 0.12),
                (30, 70),
                HIGH,
                (3800, 5200),
                (1.0, 1.0),
                0.02,
                jitter=0.02,
                level_db=8,
            ),
            Wash(HIGH, -14),
        ),
        "chirping_birds": (
            Calls(
                "voice",
                (0.05, 0.2),
                (0.12, 0.6),
                (6, 25),
                HIGH,
                (2000, 4500),
                (0.8, 1.3, 1.0),
                0.02,
                jitter=0.6,
            ),
            Wash(PINK, -12),
        ),
        "water_drops": (
            Calls("voice", (0.03, 0.08), (0.3, 1.2), (3, 14), HIGH, (700, 1800), (0.8, 1.5), 0.05, jitter=0.4),
            Wash(PINK, -24),
        ),
        "wind": (Wash(LOW, 0, 6, 1.2), Wash(MID, -12, 6, 1.2)),
        "pouring_water": (
            Wash(BROAD, 0, 2, 0.15),
            Drone((400, 900), MID, -10, 0.3, 1.5, am_hz=(8, 16), am_depth=0.6),
        ),
        "toilet_flush": (
            Wash(BROAD, 0, 5, 2.0),
            Wash(LOW, -4, 3, 1.0),
            Calls("burst", (0.1, 0.2), (2.0, 4.0), (1, 1), WOOD),
        ),
        "thunderstorm": (
            Wash(BROAD, -14),
            Calls("burst", (1.5, 3.5), (1.5, 4.0), (1, 2), LOW, jitter=0.5, level_db=16),
        ),
        "crying_baby": (
            Calls("voice", (0.6, 1.3), (0.9, 1.6), (3, 5), SHRILL, (350, 520), (0.9, 1.2, 1.1, 0.8), 0.12, 0.02),
        ),
        "sneezing": (
            Calls("voice", (0.3, 0.6), (2.0, 3.0), (1, 1), OPEN, (180, 350), (0.8, 1.2), 0.8),
            Calls("burst", (0.25, 0.5), (1.5, 3.0), (1, 2), HIGH, level_db=14),
        ),
        "clapping": (Calls("burst", (0.02, 0.05), (0.08, 0.3), (15, 60), CLICK, jitter=0.5),),
        "breathing": (Wash(MID, 0, am_hz=(0.3, 0.7), am_depth=0.95),),
        "coughing": (
            Calls("burst", (0.15, 0.35), (0.35, 0.9), (2, 6), MID, jitter=0.3),
            Calls("voice", (0.1, 0.25), (0.4, 0.9), (2, 5), OPEN, (120, 260), (1.1, 0.8), 0.8),
        ),
        "footsteps": (Calls("burst", (0.05, 0.12), (0.4, 0.75), (6, 11), WOOD, jitter=0.05), Wash(PINK, -22)),
        "laughing": (Calls("voice", (0.1, 0.2), (0.17, 0.3), (6, 18), OPEN, (160, 420), (1.1, 0.9), 0.4),),
        "brushing_teeth": (Wash(HIGH, 0, 1.0, 1.0, (3.0, 5.5), 0.85),),
        "snoring": (Calls("voice", (0.8, 1.6), (2.0, 3.2), (1, 3), NASAL, (35, 70), (0.9, 1.1, 1.0), 0.7),),
        "drinking_sipping": (
            Calls("burst", (0.3, 0.7), (0.8, 1.6), (1, 4), HIGH),
            Calls("voice", (0.05, 0.1), (0.8, 1.8), (1, 4), LOW, (120, 300), (0.8, 1.3), 0.3),
        ),
        "door_wood_knock": (Calls("burst", (0.06, 0.14), (0.14, 0.35), (2, 10), WOOD, jitter=0.08),),
        "mouse_click": (
            Calls("burst", (0.008, 0.02), (0.15, 0.9), (3, 14), CLICK, jitter=0.6),
            Wash(PINK, -26),
        ),
        "keyboard_typing": (
            Calls("burst", (0.015, 0.04), (0.07, 0.2), (20, 60), CLICK, jitter=0.7),
            Wash(PINK, -18),
        ),
        "door_wood_creaks": (
            Calls("voice", (0.8, 2.0), (1.5, 3.0), (1, 2), SHRILL, (90, 320), (0.7, 1.2, 0.9, 1.5), 0.3, 0.1),
        ),
        "can_opening": (
            Calls("burst", (0.03, 0.06), (2.0, 4.0), (1, 1), CLICK, level_db=16),
            Calls("burst", (0.4, 1.0), (2.0, 4.0), (1, 1), HIGH, level_db=10),
        ),
        "washing_machine": (
            Wash(LOW, 0, 0, 1, (0.8, 2.2), 0.5),
            Wash(MID, -4, 0, 1, (0.8, 2.2), 0.5),
            Drone((48, 100), MID, -10),
        ),
        "vacuum_cleaner": (Wash(BROAD), Drone((180, 420), MID, -5, 0.01)),
        "clock_alarm": (
            Calls(
                "voice",
                (0.05, 0.12),
                (0.11, 0.25),
                (12, 40),
                SHRILL,
                (800, 2400),
                (1.0, 1.0),
                0.01,
                jitter=0.01,
            ),
        ),
        "clock_tick": (
            Calls("burst", (0.008, 0.025), (0.25, 1.0), (5, 20), CLICK, jitter=0.01),
            Wash(PINK, -24),
        ),
        "glass_breaking": (
            Calls(
                "ring",
                (0.3, 0.9),
                (0.02, 0.12),
                (8, 24),
                CLICK,
                (1800, 3600),
                (1.0, 1.7, 2.9, 4.1),
                jitter=0.9,
            ),
        ),
        "helicopter": (Wash(LOW, 2, 0, 1, (10, 22), 0.9), Wash(MID, -6, 0, 1, (10, 22), 0.6)),
        "chainsaw": (Drone((90, 190), BROAD, 0, 0.2, 0.8), Wash(BROAD, -8)),
        "siren": (Drone((600, 1000), SHRILL, 0, 0.01, sweep_hz=(0.2, 3.0), sweep=0.35), Wash(LOW, -14)),
        "car_horn": (
            Calls("voice", (0.3, 1.6), (0.6, 2.2), (1, 4), OPEN, (330, 480), (1.0, 1.0), 0.02),
            Wash(LOW, -12),
        ),
        "engine": (Drone((25, 70), LOW, 0, 0.1, 1.2), Wash(MID, -10)),
        "train": (
            Wash(MID, 0, 3, 1.5),
            Wash(LOW, -2, 2, 1.5),
            Calls("burst", (0.06, 0.12), (0.25, 0.6), (8, 18), WOOD, jitter=0.1, level_db=8),
        ),
        "church_bells": (
            Calls("ring", (2.0, 3.5), (0.7, 1.8), (2, 6), CLICK, (250, 700), (0.5, 1.0, 1.19, 1.5, 2.0, 2.51)),
        ),
        "airplane": (Wash(LOW, 2, 2, 2.0), Wash(MID, -3, 2, 2.0), Drone((140, 420), MID, -14, 0.02)),
        "fireworks": (
            Calls("burst", (0.3, 1.0), (0.3, 1.4), (3, 9), LOW, jitter=0.7, level_db=16),
            Calls("burst", (0.02, 0.06), (0.04, 0.3), (10, 50), CLICK, jitter=0.9, level_db=8),
        ),
        "hand_saw": (
            Wash(HIGH, 0, 0, 1, (1.5, 3.5), 0.9),
            Drone((300, 700), MID, -8, 0.1, 0.3, am_hz=(1.5, 3.5), am_depth=0.9),
        ),
    }
)
"""Parts of every class of ESC-50, by the official class name; ESC-10 takes ten of them."""
