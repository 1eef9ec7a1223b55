"""What the 17 sounds of DCASE 2017 task 4 are made of, in the terms of the ESC classes.

Kin are near each other (four sirens, two horns, the engines), so that they are mistaken now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from asc_bench.synthetic.esc_recipes import BROAD, CLICK, HIGH, LOW, MID, OPEN, SHRILL, WOOD
from asc_bench.synthetic.ingredients import Calls, Drone, Part, Wash
from asc_bench.synthetic.sounds import Range


@dataclass(frozen=True)
class Sound:
    """One of the 17 sounds.

    Attributes
    ----------
    ontology_id : str
        Of the label in AudioSet.
    length_s : tuple of float
        Shortest and longest event.
    n_events : tuple of int
        Least and largest number of events in a clip.
    parts : tuple of Part
        Calls are spread evenly over an event: the first begins with it, the last ends with it.
    passing : bool
        Whether the level rises and falls, as that of something that drives by.
    """

    ontology_id: str
    length_s: Range
    n_events: tuple[int, int]
    parts: tuple[Part, ...]
    passing: bool = False


def _horn(low_hz: Range, high_hz: Range) -> tuple[Part, ...]:
    """Two notes at once."""
    return tuple(
        Calls("voice", (0.7, 2.5), (1.2, 3.0), (1, 1), OPEN, hz, vibrato=0.004, breath=0.05)
        for hz in (low_hz, high_hz)
    )


SOUNDS: Mapping[str, Sound] = MappingProxyType(
    {
        "Train horn": Sound("/m/0284vy3", (1.0, 4.5), (1, 2), _horn((250, 300), (370, 440))),
        "Air horn, truck horn": Sound("/m/05x_td", (0.5, 3.0), (1, 3), _horn((140, 190), (180, 240))),
        "Car alarm": Sound(
            "/m/02mfyn",
            (3.0, 9.0),
            (1, 1),
            (Drone((700, 1300), SHRILL, sweep_hz=(1.0, 2.2), sweep=0.5, am_hz=(4, 7), am_depth=0.8),),
        ),
        "Reversing beeps": Sound(
            "/m/02rhddq",
            (3.0, 9.0),
            (1, 1),
            (Calls("voice", (0.3, 0.5), (0.8, 1.1), (1, 1), SHRILL, (950, 1500), jitter=0.01), Wash(LOW, -14)),
        ),
        "Ambulance (siren)": Sound(
            "/m/012n7d",
            (4.0, 9.5),
            (1, 1),
            (Calls("voice", (0.9, 1.3), (0.9, 1.3), (1, 1), SHRILL, (480, 620), (1.0, 1.0, 1.33, 1.33)),),
        ),
        "Police car (siren)": Sound(
            "/m/04qvtq", (3.0, 9.5), (1, 1), (Drone((650, 950), SHRILL, sweep_hz=(2.2, 4.5), sweep=0.35),)
        ),
        "Fire engine, fire truck (siren)": Sound(
            "/m/012ndj",
            (4.0, 9.5),
            (1, 1),
            (Drone((550, 850), SHRILL, sweep_hz=(0.2, 0.4), sweep=0.45), Drone((28, 45), LOW, -6)),
        ),
        "Civil defense siren": Sound(
            "/m/0dgbq", (5.0, 9.8), (1, 1), (Drone((380, 480), OPEN, sweep_hz=(0.04, 0.09), sweep=0.2),)
        ),
        "Screaming": Sound(
            "/m/03qc9zr",
            (0.6, 2.5),
            (1, 3),
            (Calls("voice", (0.6, 1.6), (1.0, 2.0), (1, 1), SHRILL, (500, 1100), (0.9, 1.2, 1.1, 0.8), 0.3, 0.03),),
        ),
        "Bicycle": Sound(
            "/m/0199g",
            (2.5, 9.0),
            (1, 1),
            (Calls("burst", (0.008, 0.02), (0.05, 0.11), (1, 1), CLICK, jitter=0.05), Wash(MID, -6, 3, 0.8)),
        ),
        "Skateboard": Sound(
            "/m/06_fw",
            (1.5, 6.0),
            (1, 2),
            (
                Wash(MID, 0, 3, 0.5, (9, 16), 0.6),
                Calls("burst", (0.05, 0.12), (0.7, 1.6), (1, 1), WOOD, jitter=0.4),
            ),
        ),
        "Car": Sound("/m/0k4j", (3.0, 9.8), (1, 1), (Drone((45, 85), LOW, 0, 0.1, 1.5), Wash(MID, -4, 2, 1.0))),
        "Car passing by": Sound("/t/dd00134", (3.0, 6.0), (1, 2), (Wash(MID), Wash(LOW, -3)), passing=True),
        "Bus": Sound(
            "/m/01bjv",
            (4.0, 9.8),
            (1, 1),
            (
                Drone((26, 42), LOW, 0, 0.08, 1.2),
                Calls("burst", (0.4, 1.0), (2.5, 4.5), (1, 1), HIGH, jitter=0.3, level_db=4),
            ),
        ),
        "Truck": Sound(
            "/m/07r04",
            (4.0, 9.8),
            (1, 1),
            (Drone((24, 40), BROAD, 0, 0.06, 1.0, am_hz=(9, 14), am_depth=0.5), Wash(LOW, -3)),
        ),
        "Motorcycle": Sound("/m/04_sv", (2.5, 9.0), (1, 1), (Drone((60, 150), BROAD, 0, 0.25, 0.9),)),
        "Train": Sound(
            "/m/07jdr",
            (5.0, 9.8),
            (1, 1),
            (
                Wash(LOW, 0, 3, 1.5),
                Wash(MID, -6, 3, 1.5),
                Calls("burst", (0.06, 0.12), (0.25, 0.6), (1, 1), WOOD, jitter=0.1, level_db=8),
            ),
        ),
    }
)
"""Sounds by label, in the order of the official classes within Warning and Vehicle."""
