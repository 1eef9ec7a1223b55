"""The TAU Mobile sets of 2020 and 2022: nine devices, three of which are only tested; the second set in seconds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asc_bench.data.computed import Contents, delimited, write_whole
from asc_bench.data.encode import wav_bytes, wav_size
from asc_bench.data.layouts.counts import WHOLE, cells_of, locations_of
from asc_bench.data.layouts.tau_mobile import DEVICES, PERCENTAGES, SECONDS
from asc_bench.synthetic.mobile import CLIP_S, SAMPLE_RATE_HZ, Instant, instant_waveform, record_instant
from asc_bench.synthetic.recipes import scenes
from asc_bench.synthetic.sizes import CITIES_2019, UNSEEN_CITY_2019, Share, Size, in_turn

CITIES = (*CITIES_2019, UNSEEN_CITY_2019)
"""All of them in training and in the test, unlike in 2019."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "train": DEVICES[:6],
    "test": DEVICES,
    "unused": (DEVICES[0], *DEVICES[6:]),
}
"""Devices of each part. Clips in no part were made where test clips were."""

_BITS = 24
_WORLD = "tau-2020-mobile"
"""The set in seconds has the very recordings of the other one."""

ByScene = Mapping[str, Mapping[str, int]]
"""Recordings by scene and device."""


@dataclass(frozen=True)
class Amounts:
    """How much of a TAU Mobile set there is.

    Attributes
    ----------
    recordings : mapping
        By part, scene and device.
    locations : mapping
        By part and scene.
    listed : mapping
        In the training list of each percentage, by scene and device.
    """

    recordings: Mapping[str, ByScene]
    locations: Mapping[str, Mapping[str, int]]
    listed: Mapping[int, ByScene]


@dataclass(frozen=True)
class _Job:
    """All clips of one location."""

    seed: int
    instants: tuple[Instant, ...]
    in_seconds: bool

    def __call__(self, folder: Path) -> None:
        for instant in self.instants:
            files = {device: file_names(instant, device, in_seconds=self.in_seconds) for device in instant.devices}
            absent = [d for d, names in files.items() if not all((folder / name).exists() for name in names)]
            if not absent:
                continue
            clean = instant_waveform(instant, layout=_WORLD, seed=self.seed)
            for device in absent:
                heard = record_instant(clean, instant, device, layout=_WORLD, seed=self.seed)
                n_samples = len(heard) // len(files[device])
                for index, name in enumerate(files[device]):
                    cut = heard[index * n_samples : (index + 1) * n_samples]
                    write_whole(folder / name, wav_bytes(cut, sample_rate_hz=SAMPLE_RATE_HZ, bits=_BITS))


def file_names(instant: Instant, device: str, *, in_seconds: bool) -> list[str]:
    """Files of one recording: a single one, or ten of one second."""
    whole = instant.file_name(device)
    if not in_seconds:
        return [whole]
    stem = whole.removesuffix(f"-{device}.wav")
    return [f"{stem}-{second}-{device}.wav" for second in range(SECONDS)]


def amounts(shares: Mapping[str, Share] | None) -> Amounts:
    """The amounts of a size: the official ones if it states none, else the same for every scene.

    Of small sizes, each device has at least one recording of every scene in every training list.
    """
    if shares is None:
        return _official()
    each = {
        part: {device: shares[part].n_clips if device == "A" else shares[part].n_parallel for device in devices}
        for part, devices in PARTS.items()
    }
    listed = {
        percentage: {device: max(1, round(percentage * n / 100)) for device, n in each["train"].items()}
        for percentage in PERCENTAGES
    }
    return Amounts(
        {part: dict.fromkeys(sorted(scenes()), its) for part, its in each.items()},
        {part: dict.fromkeys(sorted(scenes()), shares[part].n_locations) for part in PARTS},
        {percentage: dict.fromkeys(sorted(scenes()), its) for percentage, its in listed.items()},
    )


def _official() -> Amounts:
    in_tens, in_ones = cells_of("tau-2020-mobile"), cells_of("tau-2022-mobile")
    lists = {part: dict(in_tens["fold1", part]) for part in ("train", "test")}
    used = Counter(lists["train"]) + Counter(lists["test"])
    lists["unused"] = {cell: n - used[cell] for cell, n in in_tens[WHOLE].items()}
    places = {part: locations_of("tau-2020-mobile")["fold1", part] for part in ("train", "test")}
    at = {part: _most(cells) for part, cells in places.items()}
    return Amounts(
        {part: _nested(cells, PARTS[part]) for part, cells in lists.items()},
        {**at, "unused": at["test"]},
        {
            percentage: _nested(in_ones[f"split{percentage}", "train"], PARTS["train"], SECONDS)
            for percentage in PERCENTAGES
        },
    )


def _nested(cells: Mapping[tuple[str, str], int], devices: Sequence[str], unit: int = 1) -> ByScene:
    return {scene: {d: cells.get((scene, d), 0) // unit for d in devices} for scene in sorted(scenes())}


def _most(places: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Locations of the device that recorded at most of them."""
    most: dict[str, int] = {}
    for (scene, _), n in places.items():
        most[scene] = max(most.get(scene, 0), n)
    return most


def plan_tau(of: Amounts) -> tuple[Instant, ...]:
    """Every instant of a set, numbered through; locations of unused clips are those of test clips."""
    instants: list[Instant] = []
    n_locations = 0
    first: dict[tuple[str, str], int] = {}
    for part, devices in PARTS.items():
        for index, scene in enumerate(sorted(scenes())):
            n_spots = of.locations[part][scene]
            if part == "unused":
                begin, n_spots = first["test", scene], min(n_spots, of.locations["test"][scene])
            else:
                begin = first[part, scene] = n_locations
                n_locations += n_spots
            for spot, heard in enumerate(_by_spot(of.recordings[part][scene], devices, n_spots, index)):
                for segment in range(max(heard.values())):
                    there = tuple(device.lower() for device, n in heard.items() if segment < n)
                    city = CITIES[(index + spot) % len(CITIES)]
                    instants.append(Instant(part, scene, city, begin + spot, len(instants), there))
    return tuple(instants)


def _by_spot(
    n_recordings: Mapping[str, int], devices: Sequence[str], n_spots: int, index: int
) -> Iterator[dict[str, int]]:
    """Recordings of each device at each location; each device begins with another one."""
    shared = {device: in_turn(n_recordings[device], n_spots) for device in devices}
    for spot in range(n_spots):
        yield {d: shared[d][(spot - _start(index, d)) % n_spots] for d in devices}


def _start(index: int, device: str) -> int:
    """Location that a device begins with; which devices meet there differs from scene to scene."""
    number = DEVICES.index(device)
    return index * (number + 1) + number * number // 3


def listed(instants: Sequence[Instant], of: Amounts, percentage: int) -> list[tuple[Instant, str]]:
    """Recordings of the training list of a percentage, each an instant and a device; the lists are nested."""
    order: dict[tuple[str, str], list[tuple[int, int, Instant]]] = defaultdict(list)
    seen: Counter[tuple[int, str]] = Counter()
    first: dict[str, int] = {}
    for instant in (i for i in instants if i.part == "train"):
        spot = instant.location - first.setdefault(instant.scene, instant.location)
        index = sorted(scenes()).index(instant.scene)
        n_spots = of.locations["train"][instant.scene]
        for device in instant.devices:
            turn = (spot - _start(index, device.upper())) % n_spots
            order[instant.scene, device].append((seen[instant.location, device], turn, instant))
            seen[instant.location, device] += 1
    chosen = {
        (instant.segment, device)
        for (scene, device), its in order.items()
        for *_, instant in sorted(its, key=lambda entry: entry[:2])[: of.listed[percentage][scene][device.upper()]]
    }
    return [(i, d) for i in instants if i.part == "train" for d in i.devices if (i.segment, d) in chosen]


def tau_2020(size: Size, seed: int) -> Contents:
    """TAU Urban Acoustic Scenes 2020 Mobile."""
    return _contents(size, seed, in_seconds=False)


def tau_2022(size: Size, seed: int) -> Contents:
    """TAU Urban Acoustic Scenes 2022 Mobile, with the training lists of 2024 and 2025."""
    return _contents(size, seed, in_seconds=True)


def _contents(size: Size, seed: int, *, in_seconds: bool) -> Contents:
    of = amounts(size.tau_mobile)
    instants = plan_tau(of)
    by_location: dict[int, list[Instant]] = defaultdict(list)
    for instant in instants:
        by_location[instant.location].append(instant)
    recordings = [(instant, device) for instant in instants for device in instant.devices]

    def rows(chosen: Sequence[tuple[Instant, str]], *, whole: bool = False) -> list[tuple[str, ...]]:
        return [
            (name, i.scene, *((i.identifier, device) if whole else ()))
            for i, device in chosen
            for name in file_names(i, device, in_seconds=in_seconds)
        ]

    train, test = ([r for r in recordings if r[0].part == part] for part in ("train", "test"))
    lists = {"fold1": train}
    if in_seconds:
        lists |= {f"split{percentage}": listed(instants, of, percentage) for percentage in PERCENTAGES}
    head, setup = ("filename", "scene_label"), "evaluation_setup/fold1_"
    texts = {
        "meta.csv": [(*head, "identifier", "source_label"), *rows(recordings, whole=True)],
        f"{setup}train.csv": [head, *rows(train)],
        f"{setup}evaluate.csv": [head, *rows(test)],
        f"{setup}test.csv": [head[:1], *(row[:1] for row in rows(test))],
        **{f"{name}.csv": [head, *rows(its)] for name, its in lists.items() if name != "fold1"},
    }
    n_files = len(recordings) * (SECONDS if in_seconds else 1)
    n_samples = round(CLIP_S * SAMPLE_RATE_HZ) // (SECONDS if in_seconds else 1)
    folds = {
        name: {"train": _counted(rows(its, whole=True)), "test": _counted(rows(test, whole=True))}
        for name, its in lists.items()
    }
    return Contents(
        jobs=tuple(_Job(seed, tuple(group), in_seconds) for group in by_location.values()),
        texts=tuple((name, delimited(table, "\t")) for name, table in texts.items()),
        n_bytes=n_files * wav_size(n_samples, bits=_BITS),
        facts={"counts": {"n_clips": n_files, "folds": folds}},
    )


def _counted(rows: Sequence[tuple[str, ...]]) -> dict[str, int]:
    counted = Counter(row[-1].upper() for row in rows)
    return {device: counted[device] for device in DEVICES if counted[device]}
