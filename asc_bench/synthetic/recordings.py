"""Synthetic scene sets of the merged taxonomy: LITIS Rouen, TUT Acoustic Scenes 2016 and 2017, and DARES-G1."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asc_bench.data.computed import Contents, delimited, write_whole
from asc_bench.data.devices.devices import apply_device
from asc_bench.data.encode import wav_bytes, wav_size
from asc_bench.data.seeds import VERSION, generator, seed_of
from asc_bench.data.signals import Wave
from asc_bench.data.taxonomy import taxonomy
from asc_bench.synthetic.recipes import scene_recipe
from asc_bench.synthetic.scenes import synthesise_scene
from asc_bench.synthetic.sizes import Places, Size, in_turn

_SIDE = 0.35
"""Share of the difference signal of a binaural recording."""
_PAUSED = 0.06
"""Share of the LITIS recordings that end in five seconds of digital silence."""
_N_DIVISIONS, _N_FOLDS = 20, 4


@dataclass(frozen=True)
class Recording:
    """One file: a label at a place, which sounds alike in all its takes."""

    label: str
    place: int
    take: int
    file_name: str


@dataclass(frozen=True)
class Gear:
    """How a set was recorded."""

    taxonomy_name: str
    duration_s: float
    sample_rate_hz: int
    bits: int
    binaural: bool
    device: str
    pauses: bool = False


LITIS = Gear("litis_rouen", 30.0, 22050, 16, binaural=False, device="c", pauses=True)
TUT = Gear("dcase2017", 10.0, 44100, 24, binaural=True, device="a")
TUT_2016 = replace(TUT, duration_s=30.0)
DARES = Gear("dares_g1_presumed", 60.0, 22050, 16, binaural=True, device="")


@dataclass(frozen=True)
class _Job:
    """All recordings of one place."""

    layout: str
    seed: int
    gear: Gear
    recordings: tuple[Recording, ...]

    def __call__(self, folder: Path) -> None:
        for recording in self.recordings:
            path = folder / recording.file_name
            if not path.exists():
                wave = recorded(recording, self.gear, layout=self.layout, seed=self.seed)
                write_whole(path, wav_bytes(wave, sample_rate_hz=self.gear.sample_rate_hz, bits=self.gear.bits))


def recorded(recording: Recording, gear: Gear, *, layout: str, seed: int) -> Wave:
    """Samples of a recording.

    Returns
    -------
    float32 ndarray, shape (n_samples,) or, if binaural, (n_samples, 2)
        Left and right are the sum and the difference of two takes at the place, the second one weaker.
    """
    place = (VERSION, seed, layout, recording.label, recording.place)
    heard = [
        _heard(recording, gear, place, channel) for channel in (("mid", "side") if gear.binaural else ("mid",))
    ]
    if gear.binaural:
        mid, side = heard[0], np.float32(_SIDE) * heard[1]
        wave = np.stack([mid + side, mid - side], axis=1)
    else:
        wave = heard[0]
    if gear.pauses and generator("pause", *place, recording.take).random() < _PAUSED:
        wave[-round(5 * gear.sample_rate_hz) :] = 0.0
    return np.clip(wave, -0.999, 0.999, out=wave)


def _heard(recording: Recording, gear: Gear, place: tuple[str | int, ...], channel: str) -> Wave:
    fine, coarse = _classes(gear.taxonomy_name)[recording.label]
    clean = synthesise_scene(
        fine,
        recipe=scene_recipe(fine, coarse),
        location_seed=seed_of("location", *place),
        clip_seed=seed_of("segment", *place, recording.take, channel),
        duration_s=gear.duration_s,
        sample_rate_hz=gear.sample_rate_hz,
    )
    if not gear.device:
        return clean
    rng = generator("device", *place, recording.take, channel)
    return apply_device(clean, sample_rate_hz=gear.sample_rate_hz, device=gear.device, rng=rng)


def _classes(taxonomy_name: str) -> dict[str, tuple[str, str]]:
    """Fine and coarse class by label of a source, in the order of the taxonomy."""
    table = taxonomy()
    own = table[table["source_dataset"] == taxonomy_name]
    return {
        str(label): (str(fine), str(coarse))
        for label, fine, coarse in own[["source_label", "fine_label", "coarse_label"]].itertuples(index=False)
    }


def litis_rouen(size: Size, seed: int) -> Contents:
    """Flat wave files, the relation of files and ids, and twenty divisions by place."""
    numbers: dict[str, int] = defaultdict(int)
    recordings = []
    for label in _classes(LITIS.taxonomy_name):
        for place, take in _takes(size.litis[label]):
            numbers[label] += 1
            recordings.append(Recording(label, place, take, f"data_rouen/{label}{numbers[label]}.wav"))
    ids = {recording: number for number, recording in enumerate(recordings, start=1)}
    learn: list[list[str]] = []
    test: list[list[str]] = []
    folds = {}
    for division in range(1, _N_DIVISIONS + 1):
        places = {label: _tested(label, its, division, seed) for label, its in size.litis.items()}
        tested = [r for r in recordings if r.place in places[r.label]]
        of_test = set(tested)
        trained = [r for r in recordings if r not in of_test]
        for lines, its in ((learn, trained), (test, tested)):
            lines.append([f"{ids[r]:.7e}" for r in its])
        folds[f"split{division}"] = {"train": {"": len(trained)}, "test": {"": len(tested)}}
    relation = [(Path(r.file_name).name, str(number)) for r, number in ids.items()]
    return _contents(
        "litis-rouen",
        seed,
        LITIS,
        recordings,
        lists=(
            ("relation_wav_examples.txt", delimited(relation, "\t")),
            ("fold3026-matrices_Learn.txt", delimited(learn, "   ")),
            ("fold3026-matrices_Test.txt", delimited(test, "   ")),
        ),
        folds=folds,
    )


def _tested(label: str, places: Places, division: int, seed: int) -> frozenset[int]:
    """About a fifth of the places of a label, one at least."""
    rng = generator("litis division", seed, label, division)
    n_tested = max(1, round(0.2 * places.n_places))
    return frozenset(int(p) for p in rng.choice(places.n_places, size=n_tested, replace=False))


def tut_2016_development(size: Size, seed: int) -> Contents:
    """``meta.txt`` without places, which only file names have, and four folds; a quarter of the takes of 2017."""
    its = size.tut_2017_development
    places = Places(max(its.n_places, its.n_recordings // 4), its.n_places)
    return _tut("tut-2016-development", places, seed, TUT_2016, n_columns=2)


def tut_2017_development(size: Size, seed: int) -> Contents:
    """``meta.txt`` and four folds; every place is tested once."""
    return _tut("tut-2017-development", size.tut_2017_development, seed, TUT, n_columns=3)


def _tut(layout: str, places: Places, seed: int, gear: Gear, *, n_columns: int) -> Contents:
    length_s = round(gear.duration_s)
    recordings = [
        Recording(
            label,
            place,
            take,
            f"audio/{_identifier(index, place)}_{length_s * take}_{length_s * (take + 1)}.wav",
        )
        for index, label in enumerate(_classes(gear.taxonomy_name))
        for place, take in _takes(places)
    ]
    meta = [(r.file_name, r.label, _identifier_of(r))[:n_columns] for r in recordings]
    lists = [("meta.txt", delimited(meta, "\t"))]
    folds = {}
    for fold in range(1, _N_FOLDS + 1):
        tested = [r for r in recordings if r.place % _N_FOLDS == fold - 1]
        trained = [r for r in recordings if r.place % _N_FOLDS != fold - 1]
        name = f"evaluation_setup/fold{fold}_"
        lists += [
            (f"{name}train.txt", delimited([(r.file_name, r.label) for r in trained], "\t")),
            (f"{name}evaluate.txt", delimited([(r.file_name, r.label) for r in tested], "\t")),
            (f"{name}test.txt", delimited([(r.file_name,) for r in tested], "\t")),
        ]
        folds[f"fold{fold}"] = {"train": {"": len(trained)}, "test": {"": len(tested)}}
    return _contents(layout, seed, gear, recordings, lists=lists, folds=folds)


def tut_2017_evaluation(size: Size, seed: int) -> Contents:
    """``meta.txt`` with places of its own, and file names that are mere numbers."""
    own = [
        (label, place, take)
        for label in _classes(TUT.taxonomy_name)
        for place, take in _takes(size.tut_2017_evaluation)
    ]
    recordings = [Recording(*its, f"audio/{number}.wav") for number, its in enumerate(own, start=1)]
    index = {label: i for i, label in enumerate(_classes(TUT.taxonomy_name))}
    rows = [(r.file_name, r.label, _identifier(index[r.label], 500 + r.place)) for r in recordings]
    lists = (
        ("meta.txt", delimited(rows, "\t")),
        ("evaluation_setup/evaluate.txt", delimited([row[:2] for row in rows], "\t")),
        ("evaluation_setup/test.txt", delimited([row[:1] for row in rows], "\t")),
    )
    return _contents("tut-2017-evaluation", seed, TUT, recordings, lists=lists, folds={})


def _identifier(index: int, place: int) -> str:
    """Location id such as ``b003``: a letter for the label, three digits for the place."""
    return f"{chr(ord('a') + index)}{place:03d}"


def _identifier_of(recording: Recording) -> str:
    return Path(recording.file_name).stem.partition("_")[0]


def dares_g1(size: Size, seed: int) -> Contents:
    """Recordings of a minute and their manifest; every place was recorded once."""
    labels = list(_classes(DARES.taxonomy_name))
    spread = [labels[i * len(labels) // len(size.dares)] for i in range(len(size.dares))]
    recordings = [
        Recording(label, place, take, f"audio/{label}-{place:02d}.wav")
        for label, places in zip(spread, size.dares, strict=True)
        for place, take in _takes(places)
    ]
    rows = [(r.file_name, r.label, f"{r.label}-{r.place:02d}") for r in recordings]
    manifest = delimited([("filename", "label", "group"), *rows], ",")
    return _contents("dares-g1", seed, DARES, recordings, lists=(("manifest.csv", manifest),), folds={})


def _takes(places: Places) -> Iterator[tuple[int, int]]:
    """Place and take of every recording."""
    for place, n_takes in enumerate(in_turn(places.n_recordings, places.n_places)):
        for take in range(n_takes):
            yield place, take


def _contents(
    layout: str,
    seed: int,
    gear: Gear,
    recordings: Sequence[Recording],
    *,
    lists: Sequence[tuple[str, str]],
    folds: dict[str, dict[str, dict[str, int]]],
) -> Contents:
    by_place: dict[tuple[str, int], list[Recording]] = defaultdict(list)
    for recording in recordings:
        by_place[recording.label, recording.place].append(recording)
    n_samples, n_channels = round(gear.duration_s * gear.sample_rate_hz), 2 if gear.binaural else 1
    return Contents(
        jobs=tuple(_Job(layout, seed, gear, tuple(its)) for its in by_place.values()),
        texts=tuple(lists),
        n_bytes=len(recordings) * wav_size(n_samples, bits=gear.bits, n_channels=n_channels),
        facts={"counts": {"n_clips": len(recordings), "folds": folds}},
    )
