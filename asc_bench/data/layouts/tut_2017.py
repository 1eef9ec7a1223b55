"""TUT Acoustic Scenes 2016 and 2017 (Task 1 of DCASE 2016 and 2017): binaural, 44.1 kHz, 24 bit, 30 s and 10 s.

``meta.txt`` is tab separated and has no header: file, label, recording location. Clips of the development sets
are named ``{location}_{start s}_{end s}.wav``; in 2016 the location is only there, as published. One label,
``cafe/restaurant``, holds a slash and is never used as a path. Six clips of 2017 stand in the test parts of two of
the four development folds. Clips of each fold: tests of dcase_util 0.2.20. Whether the folds of either year keep
clips of one location together is not known: where they do not, it is said, and nothing is refused.

Guesses, as no copy of the evaluation set of 2017 could be looked into: its ``meta.txt`` may lack the third column,
and its file names say nothing. Without locations, all evaluation clips of a scene count as one location, so that
no place can be on both sides of a split. ``error.txt`` (passages with recording errors) is not read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from asc_bench.data.layouts.base import OfficialLayout
from asc_bench.data.layouts.counts import Counts
from asc_bench.data.layouts.listing import Row, check_file_name, check_once, files_in, read_rows
from asc_bench.data.manifest import Dataset, Split

SCENES = (
    "beach",
    "bus",
    "cafe/restaurant",
    "car",
    "city_center",
    "forest_path",
    "grocery_store",
    "home",
    "library",
    "metro_station",
    "office",
    "park",
    "residential_area",
    "train",
    "tram",
)

N_FOLDS = 4
_COLUMNS = ("filename", "scene_label", "identifier")
_NAME = re.compile(r"audio/(?P<stem>[^/]+)\.wav")
_TIMED = re.compile(r"audio/(?P<location>[a-z][0-9]+)_(?P<start>[0-9]+)_(?P<end>[0-9]+)\.wav")
_LICENCE = "Tampere University licence: non-commercial scientific use, with attribution"


@dataclass(frozen=True, kw_only=True)
class Tut2017Layout(OfficialLayout):
    """One of the sets.

    Attributes
    ----------
    n_folds : int
        0 for the evaluation set, which is not divided.
    identified : bool
        Whether ``meta.txt`` has the recording location for certain.
    """

    n_folds: int
    identified: bool = True

    def read(self, root: Path) -> Dataset:
        """See ``Layout.read``."""
        root = root.absolute()
        rows = read_rows(root / "meta.txt", columns=_COLUMNS, header=False, optional=0 if self.identified else 1)
        check_once(rows)
        clips = pd.DataFrame([self._clip(row, root) for row in rows])
        scene_of_file = dict(zip((row.values[0] for row in rows), clips["scene"], strict=True))
        folder = root / "evaluation_setup"
        splits = [self._fold(folder, number, scene_of_file) for number in range(1, self.n_folds + 1)]
        return self.dataset(root, clips, splits, file_names=files_in(root / "audio"))

    def _clip(self, row: Row, root: Path) -> dict[str, object]:
        file_name, scene, *identifier = row.values
        check_file_name(row, file_name)
        match = _NAME.fullmatch(file_name)
        if match is None:
            raise row.error(f"file name {file_name!r} is not of the form audio/name.wav")
        if scene not in self.scenes:
            raise row.error(f"scene {scene!r} is not one of {', '.join(self.scenes)}")
        if identifier and not identifier[0]:
            raise row.error(f"{file_name!r} has an empty recording location")
        timed = _TIMED.fullmatch(file_name)
        if self.n_folds:
            if timed is None:
                raise row.error(f"file name {file_name!r} is not of the form audio/location_start_end.wav")
            if identifier and timed["location"] != identifier[0]:
                raise row.error(
                    f"identifier is {identifier[0]!r}, but the file name {file_name!r} says {timed['location']!r}"
                )
        named = timed["location"] if self.n_folds and timed else f"unknown, {scene}"
        return {
            "clip_id": match["stem"],
            "path": f"{root}/{file_name}",
            "duration_s": self.clip_duration_s,
            "scene": scene,
            "device": "",
            "city": "",
            "location": identifier[0] if identifier else named,
            "recording_id": match["stem"],
        }

    def _fold(self, folder: Path, number: int, scene_of_file: dict[str, str]) -> Split:
        train, evaluate = (
            self._labelled(folder / f"fold{number}_{part}.txt", scene_of_file) for part in ("train", "evaluate")
        )
        test = read_rows(folder / f"fold{number}_test.txt", columns=("filename",), header=False)
        check_once(test)
        evaluated = {row.values[0] for row in evaluate}
        for row in test:
            if row.values[0] not in evaluated:
                raise row.error(f"{row.values[0]!r} is not in fold{number}_evaluate.txt, the labelled twin")
        if len(test) != len(evaluated):
            missing = min(evaluated - {row.values[0] for row in test})
            raise test[0].error(f"{missing!r} of fold{number}_evaluate.txt, the labelled twin, is missing here")
        trained = {row.values[0]: row for row in train}
        for row in test:
            if row.values[0] in trained:
                raise trained[row.values[0]].error(f"{row.values[0]!r} is in train and in test")
        return Split(f"fold{number}", train=_ids(train), test=_ids(test))

    def _labelled(self, path: Path, scene_of_file: dict[str, str]) -> list[Row]:
        rows = read_rows(path, columns=("filename", "scene_label"), header=False)
        check_once(rows)
        for row in rows:
            file_name, scene = row.values
            if file_name not in scene_of_file:
                raise row.error(f"{file_name!r} is not in meta.txt")
            if scene != scene_of_file[file_name]:
                raise row.error(f"{file_name!r} is {scene!r} here and {scene_of_file[file_name]!r} in meta.txt")
        return rows


def _ids(rows: list[Row]) -> tuple[str, ...]:
    return tuple(Path(row.values[0]).stem for row in rows)


def _folds(train: Sequence[int], test: Sequence[int]) -> dict[str, dict[str, dict[str, int]]]:
    clips = zip(train, test, strict=True)
    return {f"fold{i}": {"train": {"": n}, "test": {"": m}} for i, (n, m) in enumerate(clips, start=1)}


TUT_2016_DEVELOPMENT = Tut2017Layout(
    name="tut-2016-development",
    title="TUT Acoustic Scenes 2016, development",
    folders=("TUT-acoustic-scenes-2016-development",),
    homepage="https://zenodo.org/record/45739",
    licence=_LICENCE,
    archives="TUT-acoustic-scenes-2016-development",
    clip_duration_s=30.0,
    scenes=SCENES,
    landmarks=("meta.txt",),
    counts=Counts(n_clips=1170, folds=_folds((880, 880, 872, 878), (290, 290, 298, 292))),
    n_folds=N_FOLDS,
    identified=False,
    # Whether places are kept together in all four folds is not known.
    independent=False,
    binaural=True,
)

TUT_2017_DEVELOPMENT = Tut2017Layout(
    name="tut-2017-development",
    title="TUT Acoustic Scenes 2017, development",
    folders=("TUT-acoustic-scenes-2017-development",),
    homepage="https://zenodo.org/record/400515",
    licence=_LICENCE,
    archives="TUT-acoustic-scenes-2017-development",
    clip_duration_s=10.0,
    scenes=SCENES,
    landmarks=("meta.txt",),
    counts=Counts(
        n_clips=4680,
        folds=_folds((3510, 3507, 3507, 3510), (1170, 1173, 1173, 1170)),
        per_scene={"": 312},
    ),
    n_folds=N_FOLDS,
    # Six clips are tested in two folds; whether places are kept together in all four is not known.
    independent=False,
    binaural=True,
)

TUT_2017_EVALUATION = Tut2017Layout(
    name="tut-2017-evaluation",
    title="TUT Acoustic Scenes 2017, evaluation",
    folders=("TUT-acoustic-scenes-2017-evaluation",),
    homepage="https://zenodo.org/record/1040168",
    licence=_LICENCE,
    archives="TUT-acoustic-scenes-2017-evaluation",
    clip_duration_s=10.0,
    scenes=SCENES,
    landmarks=("meta.txt",),
    counts=Counts(n_clips=1620, folds={}, per_scene={"": 108}),
    n_folds=0,
    identified=False,
    binaural=True,
)
