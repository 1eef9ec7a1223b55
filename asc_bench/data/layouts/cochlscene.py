"""CochlScene (Jeong and Park, APSIPA 2022): 13 scenes recorded by 831 people with their phones.

There are no lists: the folders are the official parts, ``{Train,Val,Test}/{Class}``, and clips are named
``{Class}_user{4 digits}_{8 digits of the recording}_{3 digits}.wav``. The unit of independence is the user, who
stands in one part only. 7,573 and 7,687 clips for validation and test were counted in public lists.
Guesses, as no copy could be looked into: that these lists are the official parts, of which it was counted that they
share no user; 76,115 clips in all, as recalled from the data set's page, which leaves
60,855 for training; and one format for all files, that of a single public one (882 kB: 44.1 kHz, 16 bit, mono).
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from asc_bench.data.foreign import is_side_car
from asc_bench.data.layouts.base import OfficialLayout
from asc_bench.data.layouts.counts import Counts
from asc_bench.data.manifest import Dataset, Split
from asc_bench.errors import DataError

CLASSES = (
    "Bus",
    "Cafe",
    "Car",
    "CrowdedIndoor",
    "Elevator",
    "Kitchen",
    "Park",
    "ResidentialArea",
    "Restaurant",
    "Restroom",
    "Street",
    "Subway",
    "SubwayStation",
)
PARTS = ("Train", "Val", "Test")
VALIDATION = "Val"

_BY_HAND = "zip -s 0 CochlScene.zip --out whole.zip && unzip whole.zip -d DIR"
"""The archive comes in pieces, which Python and plain unzip cannot open."""

_NAME = re.compile(r"(?P<scene>[A-Za-z]+)_(?P<user>user[0-9]{4})_(?P<recording>[0-9]{8})_[0-9]{3}\.wav")


def part_of(path: str) -> str:
    """Official part of a clip, one of ``PARTS``, by the folder of its file."""
    return Path(path).parts[-3]


@dataclass(frozen=True, kw_only=True)
class CochlSceneLayout(OfficialLayout):
    """One fold; its training clips are those of ``Train`` and of ``Val``, which a protocol takes apart again."""

    def read(self, root: Path) -> Dataset:
        """See ``Layout.read``."""
        root = root.absolute()
        absent = [part for part in PARTS if not (root / part).is_dir()]
        if absent:
            raise DataError(_incomplete(root, absent))
        found: dict[str, Path] = {}
        rows = []
        for part in PARTS:
            for path in _sounds(root / part):
                row = _clip(path, self.clip_duration_s)
                if path.stem in found:
                    raise DataError(f"{path}: this clip is in {found[path.stem].parent}, too")
                found[path.stem] = path
                rows.append(row)
        if not rows:
            raise DataError(f"{root}: no file Class_user0000_00000000_000.wav in {', '.join(PARTS)}")
        clips = pd.DataFrame(rows)
        in_test = clips["path"].map(part_of) == "Test"
        split = Split(
            "fold1", train=tuple(clips.loc[~in_test, "clip_id"]), test=tuple(clips.loc[in_test, "clip_id"])
        )
        return self.dataset(root, clips, [split], file_names={path.name for path in found.values()})


def _sounds(folder: Path) -> list[Path]:
    """Sound files of a part, sorted; folders must be those of the classes."""
    found = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if is_side_car(entry.name) or not entry.is_dir() or entry.name == "__MACOSX":
            continue
        if entry.name not in CLASSES:
            raise DataError(f"{entry.path}: the folder is not one of {', '.join(CLASSES)}")
        inner = sorted(os.scandir(entry.path), key=lambda file: file.name)
        found += [Path(f.path) for f in inner if f.is_file() and not is_side_car(f.name)]
    return found


def _clip(path: Path, duration_s: float) -> dict[str, object]:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise DataError(f"{path}: the file name is not of the form Class_user0000_00000000_000.wav")
    if match["scene"] != path.parent.name:
        raise DataError(f"{path}: the file name says {match['scene']!r}, its folder {path.parent.name!r}")
    return {
        "clip_id": path.stem,
        "path": str(path),
        "duration_s": duration_s,
        "scene": match["scene"],
        "device": "",
        "city": "",
        "location": match["user"],
        # One recording was cut into several clips.
        "recording_id": f"{match['user']}-{match['recording']}",
    }


def _incomplete(root: Path, absent: list[str]) -> str:
    """What is missing, and the command that unpacks the archive in pieces, which Python cannot open."""
    where = shlex.quote(str(root.parent))
    pieces = next((place for place in (root, root.parent) if (place / "CochlScene.z01").is_file()), None)
    lines = [f"{root}: there is no folder {' or '.join(absent)}, a part of CochlScene"]
    if pieces is not None:
        joined = shlex.quote(str(pieces / "whole.zip"))
        archive = shlex.quote(str(pieces / "CochlScene.zip"))
        lines.append("The archive in pieces (CochlScene.z01 to .z05 and .zip) was not unpacked:")
        lines.append(f"  zip -s 0 {archive} --out {joined} && unzip {joined} -d {where}")
    else:
        lines.append("Get all of CochlScene.z01 to .z05 and .zip from https://zenodo.org/record/7080122, then:")
        lines.append(f"  {_BY_HAND.replace('DIR', where)}")
    return "\n".join(lines)


COCHLSCENE = CochlSceneLayout(
    name="cochlscene",
    title="CochlScene",
    folders=("CochlScene",),
    homepage="https://zenodo.org/record/7080122",
    licence="see the page of the data set",
    archives=None,
    by_hand=_BY_HAND,
    clip_duration_s=10.0,
    scenes=CLASSES,
    landmarks=PARTS,
    unit="user",
    counts=Counts(n_clips=76_115, folds={"fold1": {"train": {"": 60_855 + 7_573}, "test": {"": 7_687}}}),
)
