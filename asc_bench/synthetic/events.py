"""What happens in a scene: steps, birds, chimes, doors, rails, horns.

Each event is a function of a generator, the sample rate and the *habit* of its location, a number from 0 to
1: the ground that is walked on, the pitch of this line's door chime, the birds of this park. Events of one
location share it, so that a location is recognised by its sounds as real ones are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from asc_bench.data.signals import Wave
from asc_bench.synthetic.sounds import add_at, burst, glide, ring, talk, unit_peak, whistle

Event = Callable[[np.random.Generator, int, float], Wave]

FULL_BAND = ((20.0, 0.0), (20000.0, 0.0))
LOUDSPEAKER_BAND = ((150.0, -30.0), (450.0, 0.0), (3200.0, 3.0), (5500.0, -30.0))


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw from a log-uniform range of positive numbers."""
    return float(low * (high / low) ** rng.random())


def train_of(snippets: list[Wave], starts_s: list[float], gains: list[float], sample_rate_hz: int) -> Wave:
    """Put snippets one after the other (or over each other) into one event."""
    ends = [round(s * sample_rate_hz) + len(w) for s, w in zip(starts_s, snippets, strict=True)]
    total = np.zeros(max(ends), dtype=np.float32)
    for start, wave, gain in zip(starts_s, snippets, gains, strict=True):
        add_at(total, wave, round(start * sample_rate_hz), gain)
    return unit_peak(total)


def footstep(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Heel and sole; habit 0 is soft ground, 1 is stone."""
    centre_hz = 250.0 * 12.0**habit * between(rng, 0.85, 1.2)
    heel = burst(rng, sample_rate_hz, [(centre_hz / 3, -12), (centre_hz, 0), (centre_hz * 4, -24)], duration_s=0.07)
    sole = burst(
        rng,
        sample_rate_hz,
        [(800, -20), (3000 + 3000 * habit, 0), (16000, -15)],
        duration_s=0.12,
        attack_s=0.02,
    )
    return train_of([heel, sole], [0.0, 0.05], [1.0, 0.25], sample_rate_hz)


def walker(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Someone who walks by: four to nine steps, nearest in the middle."""
    n_steps = int(rng.integers(4, 10))
    pace_s = between(rng, 0.42, 0.62)
    starts = [i * pace_s + float(rng.normal(0, 0.012)) for i in range(n_steps)]
    starts = [s - min(starts) for s in starts]
    gains = list(1.0 / np.sqrt(1.0 + np.linspace(-2, 2, n_steps) ** 2) * rng.uniform(0.8, 1.0, n_steps))
    return train_of([footstep(rng, sample_rate_hz, habit) for _ in starts], starts, gains, sample_rate_hz)


def bird(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """A call of two to seven chirps, repeated alike as birds do."""
    low_hz = 2000.0 + 2500.0 * habit
    shape = [between(rng, low_hz, low_hz * 1.8) for _ in range(int(rng.integers(2, 4)))]
    length_s = between(rng, 0.04, 0.16)
    n_chirps = int(rng.integers(2, 8))
    chirps = [
        whistle(rng, sample_rate_hz, [hz * between(rng, 0.97, 1.03) for hz in shape], duration_s=length_s)
        for _ in range(n_chirps)
    ]
    gap_s = length_s * between(rng, 1.2, 2.2)
    return train_of(chirps, [i * gap_s for i in range(n_chirps)], [1.0] * n_chirps, sample_rate_hz)


def chime(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """The notes before an announcement; their pitch and number belong to the place."""
    base_hz = 420.0 * 2.0**habit
    steps = (4, 7, 12)[: 2 + round(habit)] if habit < 0.6 else (12, 7)
    notes = [
        ring(
            rng,
            sample_rate_hz,
            [base_hz * 2 ** (s / 12) * k for k in (1, 2, 3)],
            duration_s=1.0,
            roll_off=0.35,
        )
        for s in steps
    ]
    return train_of(notes, [0.45 * i for i in range(len(notes))], [1.0] * len(notes), sample_rate_hz)


def announcement(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Loudspeaker voice."""
    return talk(
        rng,
        sample_rate_hz,
        duration_s=rng.uniform(1.8, 3.5),
        f0_hz=120.0 + 100.0 * habit,
        band=LOUDSPEAKER_BAND,
    )


def talker(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Someone near who talks; high voices are commoner where the habit is high."""
    f0_hz = between(rng, 170, 240) if rng.random() < 0.25 + 0.5 * habit else between(rng, 90, 140)
    return talk(rng, sample_rate_hz, duration_s=rng.uniform(0.8, 2.2), f0_hz=f0_hz, band=FULL_BAND)


def child(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """A child's shout."""
    f0_hz = between(rng, 350, 600)
    timbre = [(300, -6), (900 + 300 * habit, 0), (2800, -6), (4200, -10), (9000, -45)]
    bend = [f0_hz, f0_hz * between(rng, 1.1, 1.5), f0_hz * between(rng, 0.7, 1.0)]
    return glide(
        rng, sample_rate_hz, bend, duration_s=rng.uniform(0.3, 0.8), timbre=timbre, vibrato=0.02, breath=0.1
    )


def door_beep(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Closing doors: equal beeps of the place's own pitch and rate."""
    pitch_hz, gap_s = 900.0 * 3.0**habit, 0.14 + 0.2 * (1.0 - habit)
    n_beeps = int(rng.integers(3, 7))
    beep = whistle(rng, sample_rate_hz, [pitch_hz, pitch_hz], duration_s=0.55 * gap_s)
    return train_of([beep] * n_beeps, [i * gap_s for i in range(n_beeps)], [1.0] * n_beeps, sample_rate_hz)


def till_beep(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """A till or a ticket gate: one short tone."""
    pitch_hz = 1800.0 * 1.6**habit
    return whistle(rng, sample_rate_hz, [pitch_hz, pitch_hz], duration_s=0.09)


def rail_joint(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Two axles over a joint, two bogies apart."""
    axle_s = 0.11 + 0.12 * habit
    curve = [(60, -4), (180 + 250 * habit, 0), (1500, -8), (6000, -28)]
    clacks = [burst(rng, sample_rate_hz, curve, duration_s=0.1) for _ in range(4)]
    starts = [0.0, axle_s, 5 * axle_s, 6 * axle_s]
    return train_of(clacks, starts, list(rng.uniform(0.5, 1.0, 4)), sample_rate_hz)


def squeal(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Wheel flange or brake: a wavering high tone with overtones."""
    pitch_hz = 1400.0 * 2.6**habit * between(rng, 0.95, 1.05)
    track = [pitch_hz * between(rng, 0.97, 1.03) for _ in range(6)]
    timbre = [(pitch_hz, 0), (pitch_hz * 2, -8), (pitch_hz * 3, -14), (18000, -40)]
    return glide(
        rng, sample_rate_hz, track, duration_s=rng.uniform(0.5, 2.0), timbre=timbre, breath=0.3, attack_s=0.25
    )


def air_hiss(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Pneumatic door or brake that lets go."""
    curve = [(300, -25), (2500 + 2500 * habit, 0), (16000, -8)]
    return burst(rng, sample_rate_hz, curve, duration_s=rng.uniform(0.4, 1.2), attack_s=0.03)


def thud(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """A door, a pothole, a case put down."""
    return burst(rng, sample_rate_hz, [(30, -3), (70 + 60 * habit, 0), (900, -28)], duration_s=0.25, attack_s=0.005)


def car_horn(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Two horns a third apart."""
    low_hz = 330.0 * 1.4**habit
    timbre = [(300, -4), (1200, 0), (2800, -3), (9000, -35)]
    length_s = rng.uniform(0.2, 0.9)
    horns = [
        glide(rng, sample_rate_hz, [hz, hz], duration_s=length_s, timbre=timbre) for hz in (low_hz, low_hz * 1.25)
    ]
    return train_of(horns, [0.0, 0.0], [1.0, 0.9], sample_rate_hz)


def bell(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Church or clock bell with the partials of a bell: hum, prime, tierce, quint, nominal."""
    strike_hz = 300.0 * 2.5**habit
    partials = [strike_hz * k for k in (0.5, 1.0, 1.19, 1.5, 2.0, 2.51, 3.01)]
    return ring(rng, sample_rate_hz, partials, duration_s=3.0, roll_off=0.8)


def tram_bell(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Warning gong of a tram: two or three quick strokes."""
    strike_hz = 900.0 * 1.5**habit
    stroke = ring(rng, sample_rate_hz, [strike_hz * k for k in (1.0, 2.41, 3.9)], duration_s=0.5)
    n_strokes = int(rng.integers(2, 4))
    return train_of([stroke] * n_strokes, [0.16 * i for i in range(n_strokes)], [1.0] * n_strokes, sample_rate_hz)


def bark(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """A dog, one to three times."""
    f0_hz = 260.0 * 2.4**habit
    timbre = [(200, -6), (700 + 500 * habit, 0), (1900, -8), (8000, -40)]
    barks = [
        glide(
            rng,
            sample_rate_hz,
            [f0_hz * 0.8, f0_hz * between(rng, 1.1, 1.4), f0_hz * 0.7],
            duration_s=between(rng, 0.12, 0.22),
            timbre=timbre,
            breath=0.5,
        )
        for _ in range(int(rng.integers(1, 4)))
    ]
    starts = [0.35 * i for i in range(len(barks))]
    return train_of(barks, starts, [1.0] * len(barks), sample_rate_hz)


def suitcase(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Small hard wheels over joints in the floor."""
    length_s, joints_per_s = rng.uniform(1.5, 3.0), 7.0 + 12.0 * habit
    curve = [(200, -12), (1100 + 900 * habit, 0), (7000, -18)]
    clicks = [burst(rng, sample_rate_hz, curve, duration_s=0.05) for _ in range(6)]
    starts = list(np.arange(0.0, length_s, 1.0 / joints_per_s))
    near = 1.0 / np.sqrt(1.0 + np.linspace(-2.5, 2.5, len(starts)) ** 2)
    gains = list(near * rng.uniform(0.5, 1.0, len(starts)))
    chosen = [clicks[int(i)] for i in rng.integers(0, len(clicks), len(starts))]
    return train_of(chosen, starts, gains, sample_rate_hz)


def melody(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Background music: a few plucked notes of one scale."""
    base_hz = 220.0 * 2.0**habit
    n_notes = int(rng.integers(4, 9))
    scale = (0, 2, 4, 7, 9, 12)
    pitches = [base_hz * 2 ** (scale[int(i)] / 12) for i in rng.integers(0, len(scale), n_notes)]
    notes = [
        ring(rng, sample_rate_hz, [hz * k for k in (1, 2, 3, 4)], duration_s=0.6, roll_off=0.5) for hz in pitches
    ]
    beat_s = 0.2 + 0.15 * habit
    return train_of(notes, [beat_s * i for i in range(n_notes)], [1.0] * n_notes, sample_rate_hz)


def clatter(rng: np.random.Generator, sample_rate_hz: int, habit: float) -> Wave:
    """Crockery, keys, a shutter: two to five bright strokes."""
    n_strokes = int(rng.integers(2, 6))
    strokes = [
        ring(
            rng,
            sample_rate_hz,
            [between(rng, 1800, 3500) * k for k in (1, 1.7, 2.9)],
            duration_s=0.05 + 0.1 * habit,
        )
        for _ in range(n_strokes)
    ]
    starts = list(np.cumsum(rng.uniform(0.03, 0.2, n_strokes)))
    return train_of(strokes, starts, list(rng.uniform(0.3, 1.0, n_strokes)), sample_rate_hz)


EVENTS: Mapping[str, Event] = MappingProxyType(
    {
        event.__name__: event
        for event in (
            air_hiss, announcement, bark, bell, bird, car_horn, chime, child, clatter, door_beep, footstep,
            melody, rail_joint, squeal, suitcase, talker, thud, till_beep, tram_bell, walker,
        )
    }
)  # fmt: skip
"""Every event of the scenes by name."""
