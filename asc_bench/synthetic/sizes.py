"""How many clips a stand-in has: four sizes of every layout, the largest with the official numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from asc_bench.synthetic.recipes import SCENES

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
        How many of the clips exist on device B, and on device C, too.
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
    """A size of the stand-ins.

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


# Recalled, not verified; they add up to the published 3,026.
_LITIS_RECORDINGS = {
    "avion": 23,
    "busystreet": 143,
    "bus": 192,
    "cafe": 120,
    "car": 243,
    "hallgare": 269,
    "kidgame": 145,
    "market": 276,
    "metro-paris": 139,
    "metro-rouen": 249,
    "poolhall": 155,
    "quietstreet": 90,
    "hall": 88,
    "restaurant": 133,
    "ruepietonne": 122,
    "shop": 203,
    "train-ter": 164,
    "train-tgv": 147,
    "tubestation": 125,
}


# Official 2019 fold: scene, train clips and locations, test clips and locations, unused clips and locations.
_OFFICIAL_2019 = (
    ("airport", 911, 25, 421, 12, 108, 3),
    ("bus", 928, 46, 415, 20, 97, 5),
    ("metro", 902, 41, 433, 20, 105, 6),
    ("metro_station", 897, 37, 435, 17, 108, 3),
    ("park", 946, 27, 386, 11, 108, 3),
    ("public_square", 945, 28, 387, 12, 108, 3),
    ("shopping_mall", 896, 24, 441, 10, 103, 2),
    ("street_pedestrian", 924, 29, 429, 14, 87, 3),
    ("street_traffic", 942, 27, 402, 12, 96, 4),
    ("tram", 894, 41, 436, 21, 110, 8),
)
_CLIPS_PER_SCENE_AND_CITY = 144


def _alike(share: Share) -> dict[str, Share]:
    return dict.fromkeys(sorted(SCENES), share)


def _parts_2018(train: Share, test: Share) -> tuple[MobilePart, ...]:
    return (
        MobilePart("train", CITIES_2018, _alike(train)),
        MobilePart("test", CITIES_2018, _alike(test)),
    )


def _parts_2019(train: Share, test: Share, test_unseen: Share, unused: Share) -> tuple[MobilePart, ...]:
    return (
        MobilePart("train", CITIES_2019, _alike(train)),
        MobilePart("test", CITIES_2019, _alike(test)),
        MobilePart("test", (UNSEEN_CITY_2019,), _alike(test_unseen)),
        MobilePart("unused", (UNSEEN_CITY_2019,), _alike(unused)),
    )


def _full_2018() -> tuple[MobilePart, ...]:
    """Official totals: 6,122 train and 2,518 test clips of device A, 864 of every scene."""
    train, test = {}, {}
    for index, scene in enumerate(sorted(SCENES)):
        n_train = 613 if index < 2 else 612
        train[scene] = Share(n_train, 22, 54)
        test[scene] = Share(6 * _CLIPS_PER_SCENE_AND_CITY - n_train, 10, 18)
    return MobilePart("train", CITIES_2018, train), MobilePart("test", CITIES_2018, test)


def _full_2019() -> tuple[MobilePart, ...]:
    """Official clips and locations of every scene; what is not unused of Milan is in the test part."""
    train, test, unseen, unused = {}, {}, {}, {}
    for scene, n_train, train_spots, n_test, test_spots, n_unused, unused_spots in _OFFICIAL_2019:
        n_unseen = _CLIPS_PER_SCENE_AND_CITY - n_unused
        train[scene] = Share(n_train, train_spots, 54)
        test[scene] = Share(n_test - n_unseen, test_spots - 2, 48)
        unseen[scene] = Share(n_unseen, 2, 6)
        unused[scene] = Share(n_unused, unused_spots, 0)
    return (
        MobilePart("train", CITIES_2019, train),
        MobilePart("test", CITIES_2019, test),
        MobilePart("test", (UNSEEN_CITY_2019,), unseen),
        MobilePart("unused", (UNSEEN_CITY_2019,), unused),
    )


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "tiny": Size(
            _parts_2018(Share(3, 3, 3), Share(1, 1, 1)),
            _parts_2019(Share(3, 3, 3), Share(1, 1, 1), Share(1, 1, 1), Share(1, 1, 0)),
            esc_clips=2,
            litis=dict.fromkeys(_LITIS_RECORDINGS, Places(3, 3)),
            tut_2017_development=Places(4, 4),
            tut_2017_evaluation=Places(1, 1),
            dares=(Places(3, 3),) * 4,
            task4=Task4(34, 10, 4),
            greatest_hits=Hits(12, 6, 3),
        ),
        "small": Size(
            _parts_2018(Share(18, 6, 3), Share(9, 3, 6)),
            _parts_2019(Share(18, 6, 3), Share(6, 2, 4), Share(3, 1, 2), Share(1, 1, 0)),
            esc_clips=4,
            litis=dict.fromkeys(_LITIS_RECORDINGS, Places(5, 5)),
            tut_2017_development=Places(16, 8),
            tut_2017_evaluation=Places(6, 3),
            dares=(Places(3, 3),) * 13,
            task4=Task4(200, 60, 20),
            greatest_hits=Hits(30, 10, 4),
        ),
        "medium": Size(
            _parts_2018(Share(90, 18, 9), Share(45, 9, 27)),
            _parts_2019(Share(90, 18, 9), Share(30, 6, 18), Share(15, 3, 9), Share(5, 1, 0)),
            esc_clips=6,
            litis=dict.fromkeys(_LITIS_RECORDINGS, Places(30, 10)),
            tut_2017_development=Places(96, 16),
            tut_2017_evaluation=Places(36, 8),
            dares=(Places(3, 3),) * 26,
            task4=Task4(1000, 200, 100),
            greatest_hits=Hits(120, 40, 4),
        ),
        "full": Size(
            _full_2018(),
            _full_2019(),
            esc_clips=8,
            litis={label: Places(n, max(3, n // 8)) for label, n in _LITIS_RECORDINGS.items()},
            tut_2017_development=Places(312, 24),
            tut_2017_evaluation=Places(108, 12),
            dares=(*(Places(5, 5),) * 19, *(Places(4, 4),) * 7),
            # All of either would take 47 GB, and 3 GB with many overlapping clips.
            task4=Task4(5117, 488, 1103),
            greatest_hits=Hits(731, 242, 4),
        ),
    }
)
"""Sizes by name.

``small``, the default: about 450 clips of a mobile set, 1,000 of ESC-50, 200 of ESC-10; 95 recordings of LITIS
Rouen, 330 of TUT Acoustic Scenes 2017, 39 of DARES-G1; 280 clips of DCASE 2017 task 4; 40 recordings of Greatest
Hits with 8 actions each. ``full`` has the official numbers but for a tenth of the training clips of task 4, and 8
actions in a recording of Greatest Hits instead of about 48.
"""
