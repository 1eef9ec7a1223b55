"""Synthetic DCASE 2017 task 4: sounds placed where the strong truth says, on a background of their own."""

from __future__ import annotations

import base64
import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asc_bench.data.computed import Contents, delimited, write_whole
from asc_bench.data.encode import wav_bytes, wav_size
from asc_bench.data.seeds import VERSION, generator, seed_of
from asc_bench.data.signals import Curve, Wave, from_db, n_control, noise, with_envelope
from asc_bench.synthetic.esc import call_wave, part_wave
from asc_bench.synthetic.events import between
from asc_bench.synthetic.ingredients import Calls
from asc_bench.synthetic.recipes import task4_sounds
from asc_bench.synthetic.sizes import Size
from asc_bench.synthetic.sounds import add_at

LAYOUT = "audioset-dcase2017"
SAMPLE_RATE_HZ = 44100
_BITS = 16
CLIP_S = 10.0
_EDGE_S, _GAP_S = 0.02, 0.6
_PEAK = 0.98
_UNHEARD_EVERY, _UNHEARD_FIRST = 8, 3
"""One clip of eight has a label that is not to be heard in it: a row from 0 to 0 in the strong truth."""


@dataclass(frozen=True)
class Placed:
    """An event: a label from a time to another one, in seconds after the start of its clip."""

    label: str
    onset_s: float
    offset_s: float


@dataclass(frozen=True)
class Clip:
    """Ten seconds of a video; ``labels`` has more than the ``events`` where one is not to be heard."""

    part: str
    video: str
    start_s: int
    labels: tuple[str, ...]
    events: tuple[Placed, ...]

    @property
    def name(self) -> str:
        """File name as the lists write it, without the leading Y."""
        return f"{self.video}_{self.start_s:.3f}_{self.start_s + CLIP_S:.3f}.wav"

    @property
    def file_name(self) -> str:
        """Path below the data set's folder."""
        return f"audio/{self.part}/Y{self.name}"


@dataclass(frozen=True)
class _Job:
    """One clip."""

    seed: int
    clip: Clip

    def __call__(self, folder: Path) -> None:
        path = folder / self.clip.file_name
        if not path.exists():
            wave = clip_waveform(self.clip, seed=self.seed)
            write_whole(path, wav_bytes(wave, sample_rate_hz=SAMPLE_RATE_HZ, bits=_BITS))


def plan_task4(size: Size, seed: int) -> tuple[Clip, ...]:
    """Every clip with its labels and its events: each label in turn, and half of the time others with it."""
    share = size.task4
    n_of_part = {"training": share.n_training, "testing": share.n_testing, "evaluation": share.n_evaluation}
    return tuple(_clip(part, index, seed) for part, n in n_of_part.items() for index in range(n))


def _clip(part: str, index: int, seed: int) -> Clip:
    name = (VERSION, seed, LAYOUT, part, index)
    rng = generator("labels", *name)
    every = list(task4_sounds())
    # As in AudioSet, a car is the commonest companion.
    weights = np.array([6.0 if label == "Car" else 1.0 for label in every])
    n_labels = 1 + int(rng.random() < 0.5) + int(rng.random() < 0.1)
    chosen = [every[index % len(every)]]
    while len(chosen) < n_labels:
        label = every[int(rng.choice(len(every), p=weights / weights.sum()))]
        if label not in chosen:
            chosen.append(label)
    heard = chosen[:-1] if index % _UNHEARD_EVERY == _UNHEARD_FIRST else chosen
    events = tuple(event for label in heard for event in _events(label, generator("events", *name, label)))
    video = base64.urlsafe_b64encode(seed_of("video", *name).to_bytes(16, "big"))[:11].decode()
    # Ids that begin with a hyphen or a Y are what readers of these lists stumble over.
    first = {0: "-", 1: "Y"}.get(index % 5, video[0])
    start_s = 10 * int(rng.integers(0, 30))
    return Clip(part, first + video[1:], start_s, tuple(label for label in every if label in chosen), events)


def _events(label: str, rng: np.random.Generator) -> Iterable[Placed]:
    """Events of one label, which do not overlap: each in its own stretch of the clip."""
    sound = task4_sounds()[label]
    n_events = int(rng.integers(sound.n_events[0], sound.n_events[1] + 1))
    stretch_s = CLIP_S / n_events
    for index in range(n_events):
        length_s = min(between(rng, *sound.length_s), 0.9 * stretch_s)
        onset_s = stretch_s * index + rng.uniform(0.0, stretch_s - length_s)
        yield Placed(label, round(onset_s, 3), min(round(onset_s + length_s, 3), CLIP_S))


def clip_waveform(clip: Clip, *, seed: int) -> Wave:
    """Samples of a clip.

    Returns
    -------
    float32 ndarray, shape (441000,)
        Below 1 in absolute value. Every event is heard from its onset to its offset.
    """
    name = (VERSION, seed, LAYOUT, clip.video)
    video = generator("background", *name)
    n = round(CLIP_S * SAMPLE_RATE_HZ)
    slope_db = float(video.uniform(-45, -15))
    curve: Curve = ((40, 0), (float(video.uniform(200, 2000)), float(video.uniform(-8, 4))), (16000, slope_db))
    total = noise(video, curve, n, SAMPLE_RATE_HZ)
    colour: Curve = tuple((hz, float(video.normal(0.0, 2.5))) for hz in (60.0, 400.0, 2500.0, 12000.0))
    for label in dict.fromkeys(event.label for event in clip.events):
        # One siren, one car: its events sound alike. How loud it is over the background differs from clip to clip.
        gain = from_db(float(generator("level", *name, label).uniform(2, 16)))
        for index, event in enumerate(e for e in clip.events if e.label == label):
            wave = event_waveform(
                event, colour, source=seed_of("source", *name), take=seed_of("take", *name, index)
            )
            add_at(total, wave, round(event.onset_s * SAMPLE_RATE_HZ), gain)
    total *= np.float32(from_db(float(video.normal(-30.0, 4.0))))
    peak = float(np.max(np.abs(total)))
    return total * np.float32(_PEAK / peak) if peak > _PEAK else total


def event_waveform(event: Placed, colour: Curve, *, source: int, take: int) -> Wave:
    """Samples of one event, of unit RMS and as long as it lasts."""
    sound = task4_sounds()[event.label]
    n = round((event.offset_s - event.onset_s) * SAMPLE_RATE_HZ)
    # The same seeds for each label alone: a label sounds the same whatever other labels its clip has.
    its_source, its_take = generator("sound", event.label, source), generator("sound", event.label, take)
    total = np.zeros(n, dtype=np.float32)
    for part in sound.parts:
        if isinstance(part, Calls):
            total += np.float32(from_db(part.level_db - 12.0)) * _calls(its_source, its_take, part, n)
        else:
            total += part_wave(its_source, its_take, part, colour, n, SAMPLE_RATE_HZ)
    if sound.passing:
        seconds = np.linspace(-2.5, 2.5, n_control(n, SAMPLE_RATE_HZ))
        total = with_envelope(total, 1.0 / np.sqrt(1.0 + np.square(seconds)), SAMPLE_RATE_HZ)
    ramp = np.minimum(np.arange(n), np.arange(n)[::-1]) / (_EDGE_S * SAMPLE_RATE_HZ)
    total *= np.minimum(ramp, 1.0).astype(np.float32)
    return total / np.float32(np.sqrt(np.mean(np.square(total))))


def _calls(source: np.random.Generator, take: np.random.Generator, part: Calls, n: int) -> Wave:
    """Calls spread evenly over ``n`` samples; the first begins them and the last ends them."""
    lasts_s = n / SAMPLE_RATE_HZ
    every_s, length_s = between(source, *part.every_s), min(between(source, *part.length_s), lasts_s)
    hz = between(source, *part.hz)
    n_calls = 1 + int((lasts_s - length_s) / every_s)
    if part.kind == "voice":
        # No long silence between two calls or after the only one: an event is heard from its onset to its offset.
        length_s = max(length_s, (lasts_s - (n_calls - 1) * _GAP_S) / n_calls)
    starts_s = np.linspace(0.0, lasts_s - length_s, n_calls)
    starts_s[1:-1] += part.jitter * every_s * take.uniform(-0.5, 0.5, max(0, n_calls - 2))
    target = np.zeros(n, dtype=np.float32)
    for start_s in starts_s:
        snippet = call_wave(take, part, part.curve, length_s, hz, list(part.bend), SAMPLE_RATE_HZ)
        add_at(target, snippet, round(float(start_s) * SAMPLE_RATE_HZ), float(take.uniform(0.8, 1.0)))
    return target


def task4(size: Size, seed: int) -> Contents:
    """Recordings in folders by part, two download lists, three weak truths and two strong ones."""
    by_part: dict[str, list[Clip]] = defaultdict(list)
    clips = plan_task4(size, seed)
    for clip in clips:
        by_part[clip.part].append(clip)
    n_training = len(by_part["training"])
    lists = []
    for part, its in by_part.items():
        released = part == "evaluation"
        folder, end = ("groundtruth_release/", "\r\n") if released else ("", "\n")
        lists.append((f"{folder}groundtruth_weak_label_{part}_set.csv", _truth(_weak(its), end)))
        if part != "training":
            lists.append((f"{folder}groundtruth_strong_label_{part}_set.csv", _truth(_strong(its), end)))
        if not released:
            lists.append((f"{part}_set.csv", _download_list(its)))
    return Contents(
        jobs=tuple(_Job(seed, clip) for clip in clips),
        texts=tuple(lists),
        n_bytes=len(clips) * wav_size(round(CLIP_S * SAMPLE_RATE_HZ), bits=_BITS),
        facts={
            "counts": {
                "n_clips": len(clips),
                "folds": {
                    part: {"train": {"": n_training}, "test": {"": len(its)}}
                    for part, its in by_part.items()
                    if part != "training"
                },
            }
        },
    )


Rows = Iterable[tuple[str, str, str, str]]


def _weak(clips: Sequence[Clip]) -> Rows:
    """Label by label; times are those of the clip in its video."""
    for label in task4_sounds():
        for clip in clips:
            if label in clip.labels:
                yield clip.name, f"{clip.start_s:.3f}", f"{clip.start_s + CLIP_S:.3f}", label


def _strong(clips: Sequence[Clip]) -> Rows:
    """Label by label; times are those of the event in its clip, and 0 where nothing is to be heard."""
    for label in task4_sounds():
        for clip in clips:
            if label in clip.labels:
                its = [event for event in clip.events if event.label == label] or [Placed(label, 0.0, 0.0)]
                for event in its:
                    yield clip.name, f"{event.onset_s:.3f}", f"{event.offset_s:.3f}", label


def _truth(rows: Rows, end: str) -> str:
    return delimited(rows, "\t").replace("\n", end)


def _download_list(clips: Sequence[Clip]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    for clip in clips:
        ids = ",".join(task4_sounds()[label].ontology_id for label in clip.labels)
        times = (f"{clip.start_s:.3f}", f"{clip.start_s + CLIP_S:.3f}")
        writer.writerow((clip.video, *times, ",".join(clip.labels), ids))
    return text.getvalue()
