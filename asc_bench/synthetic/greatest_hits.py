"""Synthetic Greatest Hits: the material decides what resonates, the action how it is set in motion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from asc_bench.data.computed import Contents, delimited, write_whole
from asc_bench.data.encode import wav_bytes, wav_size
from asc_bench.data.seeds import VERSION, generator
from asc_bench.data.signals import CONTROL_RATE_HZ, Curve, Wave, from_db, n_control, noise, with_envelope
from asc_bench.synthetic.events import between
from asc_bench.synthetic.ingredients import Material
from asc_bench.synthetic.recipes import materials
from asc_bench.synthetic.sizes import Hits, Size
from asc_bench.synthetic.sounds import add_at, burst, ring, unit_peak

LAYOUT = "greatest-hits"
SAMPLE_RATE_HZ = 48000
_BITS = 16
ACTIONS = ("hit", "scratch")
_FIRST_S, _EVERY_S, _REST_S = 0.6, 1.7, 0.6
_NOTHING_EVERY = 3
"""One recording of three has a line for something that is no hit or scratch of a material."""


@dataclass(frozen=True)
class Action:
    """One line of a list of times; without a material or an action nothing is to be heard."""

    onset_s: float
    material: str
    action: str
    reaction: str


@dataclass(frozen=True)
class Recording:
    """Some materials, each hit and scratched."""

    part: str
    name: str
    actions: tuple[Action, ...]

    @property
    def length_s(self) -> float:
        """Long enough for the last action."""
        return _FIRST_S + _EVERY_S * len(self.actions) + _REST_S


@dataclass(frozen=True)
class _Job:
    """One recording."""

    seed: int
    recording: Recording

    def __call__(self, folder: Path) -> None:
        path = folder / f"{self.recording.name}_denoised.wav"
        if not path.exists():
            wave = recording_waveform(self.recording, seed=self.seed)
            write_whole(path, wav_bytes(wave, sample_rate_hz=SAMPLE_RATE_HZ, bits=_BITS))


def plan_recordings(hits: Hits, seed: int) -> tuple[Recording, ...]:
    """Every recording; the materials take turns, so that each list has them all about equally often."""
    recordings = []
    names = _names()
    for part, n in (("train", hits.n_train), ("test", hits.n_test)):
        for index in range(n):
            every = list(materials())
            first = index * hits.n_materials
            chosen = [every[(first + i) % len(every)] for i in range(hits.n_materials)]
            recordings.append(Recording(part, next(names), _actions(chosen, part, index, seed)))
    return tuple(recordings)


def _names() -> Iterator[str]:
    """Dates and times, some of them with a number as where a recording was cut into several."""
    at, index = datetime(2015, 2, 16, 16, 49, 6), 0  # noqa: DTZ001 - a file name of local time, no moment
    while True:
        yield f"{at:%Y-%m-%d-%H-%M-%S}" + (f"-{index % 5}" if index % 5 else "")
        at, index = at + timedelta(seconds=67), index + 1


def _actions(names: list[str], part: str, index: int, seed: int) -> tuple[Action, ...]:
    rng = generator("actions", VERSION, seed, LAYOUT, part, index)
    pairs = [(material, action) for material in names for action in ACTIONS]
    actions = []
    for turn, chosen in enumerate(rng.permutation(len(pairs))):
        material, action = pairs[int(chosen)]
        onset_s = round(_FIRST_S + _EVERY_S * turn + float(rng.uniform(-0.15, 0.15)), 6)
        actions.append(Action(onset_s, material, action, materials()[material].reaction))
    if index % _NOTHING_EVERY == 0:
        actions.append(Action(round(_FIRST_S + _EVERY_S * len(pairs), 6), "None", "None", "None"))
    return tuple(actions)


def recording_waveform(recording: Recording, *, seed: int) -> Wave:
    """Samples of a recording.

    Returns
    -------
    float32 ndarray, shape (n_samples,)
        Below 1 in absolute value. What is left of the noise lies about 50 dB below the actions.
    """
    name = (VERSION, seed, LAYOUT, recording.name)
    room = generator("room", *name)
    n = round(recording.length_s * SAMPLE_RATE_HZ)
    hum: Curve = ((60, 0), (float(room.uniform(200, 900)), -6), (12000, float(room.uniform(-45, -25))))
    total = np.float32(from_db(room.uniform(-50, -34))) * noise(room, hum, n, SAMPLE_RATE_HZ)
    tilt: Curve = ((100, float(room.normal(0, 2))), (2000, 0.0), (12000, float(room.normal(0, 4))))
    for index, action in enumerate(recording.actions):
        if action.material not in materials():
            continue
        thing = generator("thing", *name, action.material)
        hand = generator("hand", *name, index)
        wave = action_waveform(action, tilt, thing=thing, hand=hand)
        add_at(total, wave, round(action.onset_s * SAMPLE_RATE_HZ), from_db(float(hand.normal(-6, 4))))
    peak = float(np.max(np.abs(total)))
    return total * np.float32(from_db(float(room.uniform(-9, -1))) / peak)


def action_waveform(action: Action, tilt: Curve, *, thing: np.random.Generator, hand: np.random.Generator) -> Wave:
    """Sound of one action, from its onset on, with a largest absolute sample of 1.

    Parameters
    ----------
    action : Action
        Material and action.
    tilt : curve
        What the room and the distance do to noise.
    thing : Generator
        Gives the resonances: those of one thing are the same for all that is done to it.
    hand : Generator
        Gives what differs between two strokes.
    """
    material = materials()[action.material]
    base_hz = between(thing, *material.hz)
    partials_hz = [base_hz * ratio * float(np.exp(thing.normal(0.0, 0.04))) for ratio in material.ratios]
    decay_s = between(thing, *material.decay_s)
    curve = tuple((hz, db + _level(tilt, hz)) for hz, db in material.curve)
    act = _hit if action.action == "hit" else _scratch
    return unit_peak(act(hand, material, curve, partials_hz, decay_s))


def _level(curve: Curve, hz: float) -> float:
    return float(np.interp(np.log(hz), np.log([x for x, _ in curve]), [db for _, db in curve]))


def _hit(
    rng: np.random.Generator, material: Material, curve: Curve, partials_hz: list[float], decay_s: float
) -> Wave:
    """An impact, what it makes ring, and what it sets off."""
    total = np.zeros(round(1.5 * SAMPLE_RATE_HZ), dtype=np.float32)
    dull = burst(rng, SAMPLE_RATE_HZ, curve, duration_s=between(rng, 0.03, 0.06) + 0.5 * decay_s)
    add_at(total, dull, 0, 1.0 - 0.8 * material.ringing)
    if material.ringing:
        body = ring(rng, SAMPLE_RATE_HZ, partials_hz, duration_s=decay_s, roll_off=between(rng, 0.6, 0.8))
        add_at(total, body, 0, material.ringing)
    for _ in range(material.grains):
        grain = burst(rng, SAMPLE_RATE_HZ, curve, duration_s=between(rng, 0.008, 0.03))
        add_at(total, grain, round(rng.exponential(0.12) * SAMPLE_RATE_HZ), between(rng, 0.1, 0.5))
    return total


def _scratch(
    rng: np.random.Generator, material: Material, curve: Curve, partials_hz: list[float], decay_s: float
) -> Wave:
    """A stick that is drawn over the surface: noise that catches again and again, and rings a little."""
    n = round(between(rng, 0.45, 1.0) * SAMPLE_RATE_HZ)
    points = n_control(n, SAMPLE_RATE_HZ)
    seconds = np.arange(points) / CONTROL_RATE_HZ
    stroke = np.sin(np.pi * np.linspace(0.08, 1.0, points)) ** 0.7
    catches = 1.0 + 0.6 * np.sin(2 * np.pi * between(rng, 9, 28) * seconds + rng.uniform(0, 2 * np.pi))
    total = with_envelope(noise(rng, curve, n, SAMPLE_RATE_HZ), stroke * catches, SAMPLE_RATE_HZ)
    for start_s in rng.uniform(0.0, n / SAMPLE_RATE_HZ, 6 + material.grains):
        touch = burst(rng, SAMPLE_RATE_HZ, curve, duration_s=between(rng, 0.01, 0.03))
        if material.ringing:
            touch = np.float32(material.ringing) * ring(
                rng, SAMPLE_RATE_HZ, partials_hz, duration_s=0.5 * decay_s, roll_off=0.7
            )
        add_at(total, touch, round(float(start_s) * SAMPLE_RATE_HZ), between(rng, 0.5, 2.0))
    return total


def greatest_hits(size: Size, seed: int) -> Contents:
    """Sounds and times in one folder, and the two lists of recordings."""
    recordings = plan_recordings(size.greatest_hits, seed)
    lists = [(f"{r.name}_times.txt", delimited((_line(action) for action in r.actions), " ")) for r in recordings]
    lists += [
        (f"{part}.txt", delimited([(r.name,) for r in recordings if r.part == part], " "))
        for part in ("train", "test")
    ]
    n_of_part = {
        part: sum(a.material in materials() for r in recordings if r.part == part for a in r.actions)
        for part in ("train", "test")
    }
    return Contents(
        jobs=tuple(_Job(seed, recording) for recording in recordings),
        texts=tuple(lists),
        n_bytes=sum(wav_size(round(r.length_s * SAMPLE_RATE_HZ), bits=_BITS) for r in recordings),
        facts={
            "counts": {
                "n_clips": sum(n_of_part.values()),
                "folds": {"official": {part: {"": n} for part, n in n_of_part.items()}},
            }
        },
    )


def _line(action: Action) -> tuple[str, str, str, str]:
    return f"{action.onset_s:.6f}", action.material, action.action, action.reaction
