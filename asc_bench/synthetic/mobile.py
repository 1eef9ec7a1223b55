"""The two mobile sets of TUT and TAU: ten scenes in cities, some of them on three devices at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asc_bench.data.computed import Contents, delimited, write_whole
from asc_bench.data.devices.devices import apply_device
from asc_bench.data.encode import wav_bytes, wav_size
from asc_bench.data.seeds import VERSION, generator, seed_of
from asc_bench.data.signals import Wave
from asc_bench.synthetic.scenes import synthesise_scene
from asc_bench.synthetic.sizes import MobilePart, Share, Size, in_turn

DEVICES = ("a", "b", "c")
SAMPLE_RATE_HZ = 44100
CLIP_S = 10.0
_BITS = 24


@dataclass(frozen=True)
class Instant:
    """Ten seconds of a mobile set, recorded on one or three devices side by side."""

    part: str
    scene: str
    city: str
    location: int
    segment: int
    devices: tuple[str, ...]

    @property
    def identifier(self) -> str:
        """City and location, as in ``meta.csv``."""
        return f"{self.city}-{self.location}"

    def file_name(self, device: str) -> str:
        """Path below the data set's folder."""
        return f"audio/{self.scene}-{self.identifier}-{self.segment}-{device}.wav"


@dataclass(frozen=True)
class _Job:
    """All clips of one location."""

    layout: str
    seed: int
    instants: tuple[Instant, ...]

    def __call__(self, folder: Path) -> None:
        for instant in self.instants:
            absent = [d for d in instant.devices if not (folder / instant.file_name(d)).exists()]
            if not absent:
                continue
            clean = instant_waveform(instant, layout=self.layout, seed=self.seed)
            for device in absent:
                heard = record_instant(clean, instant, device, layout=self.layout, seed=self.seed)
                write_whole(
                    folder / instant.file_name(device),
                    wav_bytes(heard, sample_rate_hz=SAMPLE_RATE_HZ, bits=_BITS),
                )


def instant_waveform(instant: Instant, *, layout: str, seed: int) -> Wave:
    """What is to be heard at an instant, before any device."""
    place = (VERSION, seed, layout, instant.scene, instant.identifier)
    return synthesise_scene(
        instant.scene,
        location_seed=seed_of("location", *place),
        clip_seed=seed_of("segment", *place, instant.segment),
        duration_s=CLIP_S,
        sample_rate_hz=SAMPLE_RATE_HZ,
    )


def record_instant(clean: Wave, instant: Instant, device: str, *, layout: str, seed: int) -> Wave:
    """The same instant as one device hears it."""
    rng = generator("device", VERSION, seed, layout, instant.scene, instant.identifier, instant.segment, device)
    return apply_device(clean, sample_rate_hz=SAMPLE_RATE_HZ, device=device, rng=rng)


def plan_mobile(parts: Sequence[MobilePart]) -> tuple[Instant, ...]:
    """Every instant of a mobile set; locations are numbered through, and so are segments."""
    instants: list[Instant] = []
    n_locations = 0
    scenes = list(parts[0].shares)
    for part in parts:
        for index, scene in enumerate(scenes):
            for spot, n_segments, n_parallel in _spots(part.shares[scene]):
                city = part.cities[(index + spot) % len(part.cities)]
                for segment in range(n_segments):
                    devices = DEVICES if segment < n_parallel else DEVICES[:1]
                    instants.append(Instant(part.name, scene, city, n_locations, len(instants), devices))
                n_locations += 1
    return tuple(instants)


def _spots(share: Share) -> Iterator[tuple[int, int, int]]:
    """Number, segments and parallel segments of every location."""
    n_segments, n_parallel = in_turn(share.n_clips, share.n_locations), in_turn(share.n_parallel, share.n_locations)
    return zip(range(share.n_locations), n_segments, n_parallel, strict=True)


def mobile_counts(instants: Iterable[Instant]) -> dict[str, object]:
    """Clip counts of a mobile set as its marker states them."""
    counted: Counter[tuple[str, str]] = Counter()
    for instant in instants:
        counted.update((instant.part, device.upper()) for device in instant.devices)
    heard = sorted({device for _, device in counted})
    fold = {part: {device: counted[part, device] for device in heard} for part in ("train", "test")}
    return {"n_clips": counted.total(), "folds": {"fold1": fold}}


def tut_2018(size: Size, seed: int) -> Contents:
    """TUT Urban Acoustic Scenes 2018 Mobile: lists without a header."""
    return _contents("tut-urban-2018-mobile", plan_mobile(size.tut_2018), seed, suffix=".txt", header=False)


def tau_2019(size: Size, seed: int) -> Contents:
    """TAU Urban Acoustic Scenes 2019 Mobile: lists with a header."""
    return _contents("tau-urban-2019-mobile", plan_mobile(size.tau_2019), seed, suffix=".csv", header=True)


def _contents(layout: str, instants: Sequence[Instant], seed: int, *, suffix: str, header: bool) -> Contents:
    by_location: dict[int, list[Instant]] = defaultdict(list)
    for instant in instants:
        by_location[instant.location].append(instant)
    n_clips = sum(len(instant.devices) for instant in instants)
    return Contents(
        jobs=tuple(_Job(layout, seed, tuple(group)) for group in by_location.values()),
        texts=list_texts(instants, suffix=suffix, header=header),
        n_bytes=n_clips * wav_size(round(CLIP_S * SAMPLE_RATE_HZ), bits=_BITS),
        facts={"counts": mobile_counts(instants)},
    )


def list_texts(
    instants: Iterable[Instant], *, suffix: str, header: bool, label_of: Mapping[str, str] | None = None
) -> tuple[tuple[str, str], ...]:
    """``meta.csv`` and the three files of fold 1; labels are the scenes unless a map of them is given."""
    meta: list[tuple[str, ...]] = [("filename", "scene_label", "identifier", "source_label")]
    head = [("filename", "scene_label")] if header else []
    labelled: dict[str, list[tuple[str, ...]]] = {part: list(head) for part in ("train", "test", "unused")}
    for instant in instants:
        label = label_of[instant.scene] if label_of else instant.scene
        for device in instant.devices:
            file_name = instant.file_name(device)
            meta.append((file_name, label, instant.identifier, device))
            labelled[instant.part].append((file_name, label))
    fold = "evaluation_setup/fold1_"
    return (
        ("meta.csv", delimited(meta, "\t")),
        (f"{fold}train{suffix}", delimited(labelled["train"], "\t")),
        (f"{fold}evaluate{suffix}", delimited(labelled["test"], "\t")),
        (f"{fold}test{suffix}", delimited([row[:1] for row in labelled["test"]], "\t")),
    )
