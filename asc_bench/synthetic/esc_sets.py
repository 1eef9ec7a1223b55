"""Which clips a stand-in has, before any is made: names, places, folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asc_bench.synthetic.recipes import esc_classes
from asc_bench.synthetic.sizes import MobilePart, Share

DEVICES = ("a", "b", "c")
N_FOLDS = 5

ESC10_FOLDERS = (
    ("001 - Dog bark", "dog"),
    ("002 - Rain", "rain"),
    ("003 - Sea waves", "sea_waves"),
    ("004 - Baby cry", "crying_baby"),
    ("005 - Clock tick", "clock_tick"),
    ("006 - Person sneeze", "sneezing"),
    ("007 - Helicopter", "helicopter"),
    ("008 - Chainsaw", "chainsaw"),
    ("009 - Rooster", "rooster"),
    ("010 - Fire crackling", "crackling_fire"),
)
"""Folders of the old ESC-10, and the names of their classes in ESC-50."""

_ESC10 = frozenset(category for _, category in ESC10_FOLDERS)


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
class EscClip:
    """One clip of ESC-50 or ESC-10."""

    category: str
    fold: int
    source: int
    take: str

    @property
    def target(self) -> int:
        """Class number in ESC-50."""
        return list(esc_classes()).index(self.category)

    @property
    def in_esc10(self) -> bool:
        """Whether the class is one of ESC-10."""
        return self.category in _ESC10


def plan_mobile(parts: Sequence[MobilePart]) -> tuple[Instant, ...]:
    """Every instant of a mobile set; locations are numbered through, and so are segments."""
    instants: list[Instant] = []
    n_locations = 0
    scenes = list(parts[0].shares)
    for part in parts:
        for index, scene in enumerate(scenes):
            share = part.shares[scene]
            for spot, n_segments, n_parallel in _spots(share):
                city = part.cities[(index + spot) % len(part.cities)]
                for segment in range(n_segments):
                    devices = DEVICES if segment < n_parallel else DEVICES[:1]
                    instants.append(Instant(part.name, scene, city, n_locations, len(instants), devices))
                n_locations += 1
    return tuple(instants)


def _spots(share: Share) -> Iterable[tuple[int, int, int]]:
    """Number, segments and parallel segments of every location; each gets its turn before any gets more."""
    for spot in range(share.n_locations):
        yield (
            spot,
            _turns(share.n_clips, share.n_locations, spot),
            _turns(share.n_parallel, share.n_locations, spot),
        )


def _turns(total: int, n: int, index: int) -> int:
    return total // n + (index < total % n)


def plan_esc(categories: Iterable[str], n_clips: int) -> tuple[EscClip, ...]:
    """Every clip of an ESC set: ``n_clips`` of each class and fold, some two of them takes of one source."""
    classes = list(esc_classes())
    clips: list[EscClip] = []
    for category in categories:
        target = classes.index(category)
        for fold in range(1, N_FOLDS + 1):
            first = 100_000 + 37 * 8 * (target * N_FOLDS + fold)
            # From three clips on a source with two takes is in every class and fold, else in a third of them.
            doubled = n_clips >= 3 or (target + fold) % 3 == 0
            for index in range(n_clips):
                source = first + 37 * (0 if doubled and index == 1 else index)
                clips.append(EscClip(category, fold, source, "B" if doubled and index == 1 else "A"))
    return tuple(clips)


def mobile_counts(instants: Iterable[Instant]) -> dict[str, object]:
    """Clip counts of a mobile set as its marker states them."""
    counted: Counter[tuple[str, str]] = Counter()
    for instant in instants:
        counted.update((instant.part, device.upper()) for device in instant.devices)
    fold = {part: {d.upper(): counted[part, d.upper()] for d in DEVICES} for part in ("train", "test")}
    return {"n_clips": counted.total(), "folds": {"fold1": fold}}


def esc_counts(clips: Sequence[EscClip]) -> dict[str, object]:
    """Clip counts of an ESC set as its marker states them."""
    tested = Counter(clip.fold for clip in clips)
    folds = {
        f"fold{number}": {"train": {"": len(clips) - tested[number]}, "test": {"": tested[number]}}
        for number in range(1, N_FOLDS + 1)
    }
    return {"n_clips": len(clips), "folds": folds}
