"""The urban sets of device A: binaural ones of 2018, 2019 and 2020 (three classes), and the open set of 2019."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asc_bench.data.computed import Contents, delimited, write_whole
from asc_bench.data.devices.devices import apply_device
from asc_bench.data.encode import wav_bytes, wav_size
from asc_bench.data.layouts.tut_mobile import COARSE_OF_SCENE
from asc_bench.data.seeds import VERSION, generator, seed_of
from asc_bench.data.signals import Wave
from asc_bench.labels import UNKNOWN_SCENE
from asc_bench.synthetic.mobile import CLIP_S, Instant, list_texts, mobile_counts, plan_mobile
from asc_bench.synthetic.recipes import scene_recipe, scenes
from asc_bench.synthetic.scenes import synthesise_scene
from asc_bench.synthetic.sizes import CITIES_2019, MobilePart, Size, in_turn

DEVICE = "a"
_BITS = 24
_SIDE = 0.35
"""Share of the difference signal of a binaural recording."""

HIDDEN = {
    "train": (("restaurant", "Public places"), ("beach", "Nature"), ("home", "Domestic")),
    "test": (("library", "Public places"), ("beach", "Nature"), ("car", "Vehicle")),
}
"""Fine and coarse class, in the merged taxonomy, of what unknown clips are; most of the test is new."""

_UNKNOWN_PER_KNOWN = {"train": 1105 / 9185, "test": 345 / 4185}
_CLIPS_A_PLACE = 8


@dataclass(frozen=True)
class Gear:
    """World that the sounds are taken from, and how they were recorded."""

    world: str
    sample_rate_hz: int = 48_000
    binaural: bool = True


@dataclass(frozen=True)
class _Job:
    """All clips of one location."""

    gear: Gear
    seed: int
    instants: tuple[Instant, ...]
    hidden: tuple[str, str] | None

    def __call__(self, folder: Path) -> None:
        for instant in self.instants:
            path = folder / instant.file_name(DEVICE)
            if not path.exists():
                wave = recorded(instant, self.gear, seed=self.seed, hidden=self.hidden)
                write_whole(path, wav_bytes(wave, sample_rate_hz=self.gear.sample_rate_hz, bits=_BITS))


def recorded(instant: Instant, gear: Gear, *, seed: int, hidden: tuple[str, str] | None = None) -> Wave:
    """Samples of an instant as device A hears it.

    Parameters
    ----------
    instant : Instant
        Part, scene and place.
    gear : Gear
        World, rate and channels.
    seed : int
        Of the data set.
    hidden : (str, str), optional
        Fine and coarse class of an unknown scene.

    Returns
    -------
    float32 array, shape (n_samples,) or, if binaural, (n_samples, 2)
        Left and right are the sum and the difference of two takes at the place, the second one weaker.
    """
    place = (VERSION, seed, gear.world, instant.scene, instant.identifier)
    recipe = scene_recipe(*hidden) if hidden else scenes()[instant.scene]
    heard = []
    for channel in ("mid", "side") if gear.binaural else ("mid",):
        clean = synthesise_scene(
            instant.scene,
            recipe=recipe,
            location_seed=seed_of("location", *place),
            clip_seed=seed_of("segment", *place, instant.segment, channel),
            duration_s=CLIP_S,
            sample_rate_hz=gear.sample_rate_hz,
        )
        rng = generator("device", *place, instant.segment, channel)
        heard.append(apply_device(clean, sample_rate_hz=gear.sample_rate_hz, device=DEVICE, rng=rng))
    if not gear.binaural:
        return heard[0]
    mid, side = heard[0], np.float32(_SIDE) * heard[1]
    return np.asarray(np.clip(np.stack([mid + side, mid - side], axis=1), -0.999, 0.999), dtype=np.float32)


def urban_2018(size: Size, seed: int) -> Contents:
    """TUT Urban Acoustic Scenes 2018: lists without a header."""
    return _contents(Gear("tut-urban-2018"), _of_device_a(size.tut_2018), seed, suffix=".txt", header=False)


def urban_2019(size: Size, seed: int) -> Contents:
    """TAU Urban Acoustic Scenes 2019."""
    return _contents(Gear("tau-urban-2019"), _of_device_a(size.tau_2019), seed)


def three_class(size: Size, seed: int) -> Contents:
    """TAU Urban Acoustic Scenes 2020 3Class: the recordings of 2019 with other labels."""
    return _contents(Gear("tau-urban-2019"), _of_device_a(size.tau_2019), seed, label_of=COARSE_OF_SCENE)


def openset(size: Size, seed: int) -> Contents:
    """TAU Urban Acoustic Scenes 2019 Openset: scenes of 2019 on one channel, and unknown ones."""
    known = _of_device_a(size.tau_2019)
    unknown, hidden = _unknown(known)
    gear = Gear("tau-urban-2019", sample_rate_hz=44_100, binaural=False)
    contents = _contents(gear, (*known, *unknown), seed, hidden=hidden)
    rows = [(i.file_name(DEVICE), hidden[i.location][0]) for i in unknown]
    told = ("meta_unknown.csv", delimited([("filename", "scene_label_original"), *rows], "\t"))
    return replace(contents, texts=(*contents.texts, told))


def _of_device_a(parts: Sequence[MobilePart]) -> tuple[Instant, ...]:
    alone = [
        replace(part, shares={scene: replace(share, n_parallel=0) for scene, share in part.shares.items()})
        for part in parts
    ]
    return plan_mobile(alone)


def _unknown(known: Sequence[Instant]) -> tuple[list[Instant], dict[int, tuple[str, str]]]:
    """Unknown clips in the official proportion to known ones, at two places of every hidden scene at least."""
    instants: list[Instant] = []
    hidden: dict[int, tuple[str, str]] = {}
    segment, location = len(known), 1 + max(instant.location for instant in known)
    for part, kinds in HIDDEN.items():
        n_clips = round(_UNKNOWN_PER_KNOWN[part] * sum(instant.part == part for instant in known))
        n_places = max(2 * len(kinds), n_clips // _CLIPS_A_PLACE)
        for spot, n_here in enumerate(in_turn(max(n_clips, n_places), n_places)):
            hidden[location] = kinds[spot % len(kinds)]
            for _ in range(n_here):
                city = CITIES_2019[spot % len(CITIES_2019)]
                instants.append(Instant(part, UNKNOWN_SCENE, city, location, segment, (DEVICE,)))
                segment += 1
            location += 1
    return instants, hidden


def _contents(
    gear: Gear,
    instants: Sequence[Instant],
    seed: int,
    *,
    suffix: str = ".csv",
    header: bool = True,
    label_of: Mapping[str, str] | None = None,
    hidden: Mapping[int, tuple[str, str]] | None = None,
) -> Contents:
    by_location: dict[int, list[Instant]] = defaultdict(list)
    for instant in instants:
        by_location[instant.location].append(instant)
    n_samples = round(CLIP_S * gear.sample_rate_hz)
    return Contents(
        jobs=tuple(_Job(gear, seed, tuple(its), (hidden or {}).get(place)) for place, its in by_location.items()),
        texts=list_texts(instants, suffix=suffix, header=header, label_of=label_of),
        n_bytes=len(instants) * wav_size(n_samples, bits=_BITS, n_channels=2 if gear.binaural else 1),
        facts={"counts": mobile_counts(instants)},
    )
