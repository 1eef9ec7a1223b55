"""CochlScene: 13 scenes recorded by people, each of whom is in one part only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asc_bench.data.computed import Contents, write_whole
from asc_bench.data.devices.devices import apply_device
from asc_bench.data.encode import wav_bytes, wav_size
from asc_bench.data.layouts.cochlscene import PARTS
from asc_bench.data.seeds import VERSION, generator, seed_of
from asc_bench.synthetic.recipes import scene_recipe
from asc_bench.synthetic.scenes import synthesise_scene
from asc_bench.synthetic.sizes import Places, Size, in_turn

SCENES: Mapping[str, tuple[str, str]] = {
    "Bus": ("bus", "Vehicle"),
    "Cafe": ("cafe", "Public places"),
    "Car": ("car", "Vehicle"),
    "CrowdedIndoor": ("crowded_indoor", "Public places"),
    "Elevator": ("elevator", "Public places"),
    "Kitchen": ("kitchen", "Domestic"),
    "Park": ("park", "Outdoor"),
    "ResidentialArea": ("residential_area", "Outdoor"),
    "Restaurant": ("restaurant", "Public places"),
    "Restroom": ("restroom", "Public places"),
    "Street": ("street_pedestrian", "Outdoor"),
    "Subway": ("metro", "Vehicle"),
    "SubwayStation": ("metro_station", "Public places"),
}
"""Fine and coarse class, in the merged taxonomy, of every scene."""

_LAYOUT = "cochlscene"
_CLIP_S, _SAMPLE_RATE_HZ, _BITS = 10.0, 44_100, 16
_USER_DEVICES = ("b", "c")
"""People record with phones of two kinds."""


@dataclass(frozen=True)
class _Job:
    """All clips of one user."""

    seed: int
    clips: tuple[tuple[str, int, int, str], ...]

    def __call__(self, folder: Path) -> None:
        for scene, user, take, name in self.clips:
            if (folder / name).exists():
                continue
            place = (VERSION, self.seed, _LAYOUT, scene, user)
            clean = synthesise_scene(
                scene,
                recipe=scene_recipe(*SCENES[scene]),
                location_seed=seed_of("location", *place),
                clip_seed=seed_of("segment", *place, take),
                duration_s=_CLIP_S,
                sample_rate_hz=_SAMPLE_RATE_HZ,
            )
            rng = generator("device", *place, take)
            device = _USER_DEVICES[user % len(_USER_DEVICES)]
            heard = apply_device(clean, sample_rate_hz=_SAMPLE_RATE_HZ, device=device, rng=rng)
            write_whole(folder / name, wav_bytes(heard, sample_rate_hz=_SAMPLE_RATE_HZ, bits=_BITS))


def cochlscene(size: Size, seed: int) -> Contents:
    """Folders of the three parts; the amounts of training clips are those of TUT Acoustic Scenes 2017."""
    train = size.tut_2017_development
    tenth = Places(max(2, train.n_recordings // 8), max(2, train.n_places // 8))
    clips: list[tuple[str, int, int, str]] = []
    counts: dict[str, int] = {}
    first_user = 1
    for part, places in zip(PARTS, (train, tenth, tenth), strict=True):
        before = len(clips)
        for scene in SCENES:
            for spot, n_takes in enumerate(in_turn(places.n_recordings, places.n_places)):
                user = first_user + spot
                for take in range(n_takes):
                    name = f"{scene}_user{user:04d}_{14_000_000 + len(clips):08d}_{take:03d}.wav"
                    clips.append((scene, user, take, f"{part}/{scene}/{name}"))
        counts[part] = len(clips) - before
        first_user += places.n_places
    by_user: dict[int, list[tuple[str, int, int, str]]] = {}
    for clip in clips:
        by_user.setdefault(clip[1], []).append(clip)
    fold = {"train": {"": counts["Train"] + counts["Val"]}, "test": {"": counts["Test"]}}
    return Contents(
        jobs=tuple(_Job(seed, tuple(its)) for its in by_user.values()),
        texts=(),
        n_bytes=len(clips) * wav_size(round(_CLIP_S * _SAMPLE_RATE_HZ), bits=_BITS),
        facts={"counts": {"n_clips": len(clips), "folds": {"fold1": fold}}},
    )
