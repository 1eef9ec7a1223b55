"""How many clips a synthetic dataset has: four sizes of every layout, the largest with the official numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TypeVar

from asc_bench.errors import DataError
from asc_bench.synthetic.recipes import scenes
from asc_bench.synthetic.resources import read_table

T = TypeVar("T")

CITIES_2018 = ("barcelona", "helsinki", "london", "paris", "stockholm", "vienna")
CITIES_2019 = ("barcelona", "helsinki", "lisbon", "london", "lyon", "paris", "prague", "stockholm", "vienna")
UNSEEN_CITY_2019 = "milan"
"""In the 2019 set Milan has clips in the test part and clips in no part, and none to train on."""


@dataclass(frozen=True)
class Share:
    """One scene's clips in one part of a mobile set.

    Attributes
    ----------
    n_clips : int
        Clips of device A.
    n_locations : int
        Recording spots that they come from, in nearly equal numbers.
    n_parallel : int
        How many clips there are of each other device that the part has; in the sets of 2018 and 2019 of the same
        instants.
    """

    n_clips: int
    n_locations: int
    n_parallel: int


@dataclass(frozen=True)
class MobilePart:
    """A part of a mobile set: ``train``, ``test`` or ``unused``, its cities, and a share for every scene."""

    name: str
    cities: tuple[str, ...]
    shares: Mapping[str, Share]


@dataclass(frozen=True)
class Places:
    """Recordings of one label, in nearly equal numbers from so many places."""

    n_recordings: int
    n_places: int


@dataclass(frozen=True)
class Task4:
    """Clips in each part of DCASE 2017 task 4."""

    n_training: int
    n_testing: int
    n_evaluation: int


@dataclass(frozen=True)
class Hits:
    """Recordings of Greatest Hits in its two lists, each with as many materials, hit and scratched in turn."""

    n_train: int
    n_test: int
    n_materials: int


@dataclass(frozen=True)
class Size:
    """A size of the synthetic datasets.

    Attributes
    ----------
    tut_2018, tau_2019 : tuple of MobilePart
        The parts of the two mobile sets.
    esc_clips : int
        ESC clips of each class and fold.
    litis : mapping
        Recordings of LITIS Rouen by label.
    tut_2017_development, tut_2017_evaluation : Places
        Recordings of each label.
    dares : tuple of Places
        Recordings of DARES-G1, label by label; the smaller sizes have some of its labels only.
    task4 : Task4
        Clips of DCASE 2017 task 4.
    greatest_hits : Hits
        Recordings of Greatest Hits.
    tau_mobile : mapping or None
        Share of every scene in the parts ``train``, ``test`` and ``unused`` of the mobile sets of 2020 and 2022, in
        recordings of ten seconds; None for the official numbers.
    """

    tut_2018: tuple[MobilePart, ...]
    tau_2019: tuple[MobilePart, ...]
    esc_clips: int
    litis: Mapping[str, Places]
    tut_2017_development: Places
    tut_2017_evaluation: Places
    dares: tuple[Places, ...]
    task4: Task4
    greatest_hits: Hits
    tau_mobile: Mapping[str, Share] | None = None


def in_turn(total: int, n: int) -> list[int]:
    """Share out ``total`` among ``n``: each gets its turn before any gets more."""
    return [total // n + (index < total % n) for index in range(n)]


@dataclass(frozen=True)
class _Labels:
    """So many labels of a data set, each with as many recordings and places."""

    n_labels: int
    n_recordings: int
    n_places: int


@dataclass(frozen=True)
class _Entry:
    """A ``Size`` as ``sizes.toml`` has it: mobile sets by part and scene, DARES-G1 without repetition."""

    tut_2018: Mapping[str, Mapping[str, Share]]
    tau_2019: Mapping[str, Mapping[str, Share]]
    esc_clips: int
    litis: Mapping[str, Places]
    tut_2017_development: Places
    tut_2017_evaluation: Places
    dares: tuple[_Labels, ...]
    task4: Task4
    greatest_hits: Hits
    tau_mobile: Mapping[str, Share] | None = None


_PARTS_2018 = {"train": ("train", CITIES_2018), "test": ("test", CITIES_2018)}
_PARTS_2019 = {
    "train": ("train", CITIES_2019),
    "test": ("test", CITIES_2019),
    "test_unseen": ("test", (UNSEEN_CITY_2019,)),
    "unused": ("unused", (UNSEEN_CITY_2019,)),
}
"""Name and cities of every part in ``sizes.toml``."""

_PARTS_TAU = ("train", "test", "unused")


@cache
def sizes() -> Mapping[str, Size]:
    """Sizes by name, from ``tiny`` to ``full``, which has the official numbers where that is sensible.

    Raises
    ------
    DataError
        If ``sizes.toml`` lacks a part, a scene or a label of a size.
    """
    entries: Mapping[str, _Entry] = read_table("sizes.toml", _Entry)
    labels = tuple(entries["full"].litis)
    return MappingProxyType({name: _size(entry, labels, f"sizes.toml: {name}") for name, entry in entries.items()})


def _size(entry: _Entry, litis_labels: Iterable[str], where: str) -> Size:
    return Size(
        tut_2018=_mobile(entry.tut_2018, _PARTS_2018, f"{where}.tut_2018"),
        tau_2019=_mobile(entry.tau_2019, _PARTS_2019, f"{where}.tau_2019"),
        esc_clips=entry.esc_clips,
        litis=_of_each(entry.litis, litis_labels, f"{where}.litis", every="every_label"),
        tut_2017_development=entry.tut_2017_development,
        tut_2017_evaluation=entry.tut_2017_evaluation,
        dares=tuple(Places(d.n_recordings, d.n_places) for d in entry.dares for _ in range(d.n_labels)),
        task4=entry.task4,
        greatest_hits=entry.greatest_hits,
        tau_mobile=entry.tau_mobile and _of_each(entry.tau_mobile, _PARTS_TAU, f"{where}.tau_mobile"),
    )


def _mobile(
    shares: Mapping[str, Mapping[str, Share]], parts: Mapping[str, tuple[str, tuple[str, ...]]], where: str
) -> tuple[MobilePart, ...]:
    by_part = _of_each(shares, parts, where)
    return tuple(
        MobilePart(name, cities, _of_each(by_part[key], sorted(scenes()), f"{where}.{key}", every="every_scene"))
        for key, (name, cities) in parts.items()
    )


def _of_each(table: Mapping[str, T], names: Iterable[str], where: str, *, every: str = "") -> Mapping[str, T]:
    """The entry of each name, in the order of the names; a lone key ``every`` stands for all of them."""
    if set(table) == {every}:
        return dict.fromkeys(names, table[every])
    if set(table) != set(names):
        raise DataError(f"{where}: there is {', '.join(table)}, where there should be {', '.join(names)}")
    return {name: table[name] for name in names}
