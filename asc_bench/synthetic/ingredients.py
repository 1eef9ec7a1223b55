"""What the recipes of sounds consist of; the keys in ``resources/*.toml`` are the fields of these classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asc_bench.data.signals import Curve
from asc_bench.synthetic.sounds import Range

Rhythm = Literal["steady", "wander", "passes", "talk"]


@dataclass(frozen=True)
class Layer:
    """Noise that is there all the time.

    Attributes
    ----------
    curve : tuple
        Spectrum.
    level_db : float
        Mean level over the locations, in dB relative to the scene.
    rhythm : str
        ``steady``; ``wander`` (slow gusts); ``passes`` (sources that come and go); ``talk`` (syllables).
    depth : float
        dB of wander, dB above the floor of a pass, or the share of syllables from 0 to 1.
    period_s : float
        Time of a gust or half width of a pass.
    per_10_s : float
        Passes in ten seconds.
    presence : float
        Share of the locations that have this layer.
    """

    curve: Curve
    level_db: float
    rhythm: Rhythm = "steady"
    depth: float = 0.0
    period_s: float = 1.0
    per_10_s: float = 0.0
    presence: float = 1.0


@dataclass(frozen=True)
class Motor:
    """Harmonics of an engine or a traction motor; their levels change by ``slope_db`` per octave."""

    f0_hz: Range
    level_db: float
    slope_db: float
    wander: float
    n_orders: int = 40
    presence: float = 1.0


@dataclass(frozen=True)
class Happening:
    """Event of ``events.EVENTS``, its mean number in ten seconds, its peak in dB re the RMS of the scene."""

    event: str
    per_10_s: float
    peak_db: float


@dataclass(frozen=True)
class Recipe:
    """A scene: level in dB re full scale, reverberation (time in s, share of it in events), ingredients."""

    level_db: float
    rt60_s: Range
    wet: float
    layers: tuple[Layer, ...]
    happenings: tuple[Happening, ...]
    motors: tuple[Motor, ...] = ()


@dataclass(frozen=True)
class Palette:
    """What recipes of a coarse class are drawn from: curves, events, ranges, level in dB re full scale."""

    curves: tuple[Curve, ...]
    events: tuple[str, ...]
    rt60_s: Range
    level_db: float
    motor_hz: Range | None = None


@dataclass(frozen=True)
class Wash:
    """Noise that goes on, with gusts (``wander_db``) or strokes (``am_hz``, ``am_depth`` from 0 to 1)."""

    curve: Curve
    level_db: float = 0.0
    wander_db: float = 0.0
    wander_s: float = 1.0
    am_hz: Range | None = None
    am_depth: float = 0.0
    kind: Literal["wash"] = "wash"


@dataclass(frozen=True)
class Drone:
    """Harmonic sound that goes on; its pitch wanders by ``wander`` (log units), or sweeps at ``sweep_hz``."""

    f0_hz: Range
    curve: Curve
    level_db: float = 0.0
    wander: float = 0.03
    wander_s: float = 1.5
    sweep_hz: Range | None = None
    sweep: float = 0.0
    am_hz: Range | None = None
    am_depth: float = 0.0
    kind: Literal["drone"] = "drone"


@dataclass(frozen=True)
class Calls:
    """Short sounds at intervals.

    ``kind`` is ``voice`` (harmonics of ``hz`` along ``bend`` under ``curve``), ``burst`` (noise of ``curve``)
    or ``ring`` (partials of ``bend`` times ``hz``). ``every_s`` counts from start to start and is kept to
    within the share ``jitter``. ``count`` is the least and the largest number of calls.
    """

    kind: Literal["voice", "burst", "ring"]
    length_s: Range
    every_s: Range
    curve: Curve
    count: tuple[int, int] = (1, 1)
    hz: Range = (200.0, 300.0)
    bend: tuple[float, ...] = (1.0, 1.0)
    breath: float = 0.1
    vibrato: float = 0.0
    jitter: float = 0.1
    level_db: float = 12.0


Part = Wash | Drone | Calls


@dataclass(frozen=True)
class Sound:
    """One of the sounds of DCASE 2017 task 4.

    Attributes
    ----------
    ontology_id : str
        Of the label in AudioSet.
    length_s : tuple of float
        Shortest and longest event.
    n_events : tuple of int
        Least and largest number of events in a clip.
    parts : tuple of Part
        Calls are spread evenly over an event, however many their ``count`` says: the first begins with it, the
        last ends with it.
    passing : bool
        Whether the level rises and falls, as that of something that drives by.
    """

    ontology_id: str
    length_s: Range
    n_events: tuple[int, int]
    parts: tuple[Part, ...]
    passing: bool = False


@dataclass(frozen=True)
class Material:
    """What a material of Greatest Hits sounds like.

    Attributes
    ----------
    curve : tuple
        Spectrum of the noise of an impact or of rubbing.
    hz : tuple of float
        Range of the lowest resonance; a thing of this material has one of its own.
    ratios : tuple of float
        Resonances over the lowest one.
    decay_s : tuple of float
        Range of the time in which they die away.
    ringing : float
        Share of the resonances in an impact, from 0 (dull) to 1.
    grains : int
        Small sounds that an impact sets off, such as pebbles.
    reaction : str
        What the lists say of it.
    """

    curve: Curve
    hz: Range = (200.0, 400.0)
    ratios: tuple[float, ...] = (1.0, 2.3)
    decay_s: Range = (0.05, 0.1)
    ringing: float = 0.0
    grains: int = 0
    reaction: str = "static"
