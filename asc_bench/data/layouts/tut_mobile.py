"""TUT Urban Acoustic Scenes 2018 Mobile and TAU Urban Acoustic Scenes 2019 Mobile, development sets.

Lists are tab separated whatever their extension. Clips are named ``scene-city-location-segment-device.wav``;
what ``meta.csv`` says of a clip must agree with its name. The fold files of 2018 have no header, those of
2019 have one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from asc_bench.data.layouts.base import OfficialLayout
from asc_bench.data.layouts.counts import Counts
from asc_bench.data.layouts.listing import Row, check_file_name, check_once, files_in, read_rows
from asc_bench.data.manifest import Dataset, Split

COARSE_OF_SCENE = {
    "airport": "indoor",
    "bus": "transportation",
    "metro": "transportation",
    "metro_station": "indoor",
    "park": "outdoor",
    "public_square": "outdoor",
    "shopping_mall": "indoor",
    "street_pedestrian": "outdoor",
    "street_traffic": "outdoor",
    "tram": "transportation",
}
"""The ten scenes in alphabetical order, with the three classes of DCASE 2020 Task 1B."""

DEVICES = ("A", "B", "C")

_META_COLUMNS = ("filename", "scene_label", "identifier", "source_label")
_FILE_NAME = (
    r"audio/(?P<scene>[a-z]+(?:_[a-z]+)*)-(?P<city>[a-z]+)-(?P<location>[0-9]+)-(?P<segment>[0-9]+)"
    r"{second}-(?P<device>[a-z][0-9]*)\.wav"
)
LICENCE = "Tampere University licence: non-commercial scientific use, with attribution"


@dataclass(frozen=True, kw_only=True)
class TutMobileLayout(OfficialLayout):
    """One year's development set; the years differ in the fold files, the devices and the length of the clips.

    Attributes
    ----------
    fold_suffix : str
        Extension of the fold files.
    fold_header : bool
        Whether they start with the column names.
    devices : tuple of str
        As the clip table names them; file names have them in lower case.
    in_seconds : bool
        Whether recordings were published as ten files of one second, numbered before the device.
    """

    fold_suffix: str
    fold_header: bool
    devices: tuple[str, ...] = DEVICES
    in_seconds: bool = False

    def read(self, root: Path) -> Dataset:
        """See ``Layout.read``."""
        root = root.absolute()
        rows = read_rows(root / "meta.csv", columns=_META_COLUMNS)
        check_once(rows)
        clips = pd.DataFrame(self._clips(rows, root))
        scene_of_file = dict(zip((row.values[0] for row in rows), clips["scene"], strict=True))
        fold = self._fold(root / "evaluation_setup", scene_of_file)
        splits = [fold, *self._further_splits(root, fold, scene_of_file)]
        return self.dataset(root, clips, splits, file_names=files_in(root / "audio"))

    def _further_splits(self, root: Path, fold: Split, scene_of_file: dict[str, str]) -> Sequence[Split]:
        return ()

    def _clips(self, rows: list[Row], root: Path) -> dict[str, list[Any]]:
        """Columns of the clip table."""
        pattern = re.compile(_FILE_NAME.format(second="-(?P<second>[0-9])" if self.in_seconds else ""))
        device_of = {device.lower(): device for device in self.devices}
        columns: dict[str, list[Any]] = {
            name: [] for name in ("clip_id", "path", "scene", "device", "city", "location", "recording_id")
        }
        folder = f"{root}/"
        for row in rows:
            file_name, scene, identifier, source = row.values
            match = pattern.fullmatch(file_name)
            if match is None or match["device"] not in device_of:
                check_file_name(row, file_name)
                raise row.error(self._misnamed(file_name, match and match["device"]))
            if scene not in self.scenes:
                self._check_scene(row, scene)
            location = f"{match['city']}-{match['location']}"
            wanted = (self._label_of(match["scene"]), location, match["device"])
            if (scene, identifier, source) != wanted:
                raise row.error(_contradiction(row, wanted))
            columns["clip_id"].append(_clip_id(file_name))
            columns["path"].append(folder + file_name)
            columns["scene"].append(scene)
            columns["device"].append(device_of[source])
            columns["city"].append(match["city"])
            columns["location"].append(location)
            columns["recording_id"].append(f"{match['scene']}-{location}-{match['segment']}")
        return {**columns, "duration_s": [self.clip_duration_s] * len(rows)}

    def _label_of(self, scene: str) -> str:
        """Official label of a clip whose name begins with this scene."""
        return scene

    def _misnamed(self, file_name: str, device: str | None) -> str:
        *others, last = (name.lower() for name in self.devices)
        known = f"{', '.join(others)} or {last}" if others else last
        if device is not None:
            wrong = f"file name {file_name!r} ends in device {device!r}, which is not"
            return f"{wrong} {'one of ' if others else ''}{known}"
        form = (
            "scene-city-location-segment-second-device" if self.in_seconds else "scene-city-location-segment-device"
        )
        return f"file name {file_name!r} is not of the form audio/{form}.wav with device {known}"

    def _check_scene(self, row: Row, scene: str) -> None:
        if scene not in self.scenes:
            hint = "; integer labels are those of a modified copy" if scene.isdigit() else ""
            raise row.error(f"scene {scene!r} is not one of {', '.join(self.scenes)}{hint}")

    def _fold(self, folder: Path, scene_of_file: dict[str, str]) -> Split:
        train = self._labelled(folder / f"fold1_train{self.fold_suffix}", scene_of_file)
        evaluate = self._labelled(folder / f"fold1_evaluate{self.fold_suffix}", scene_of_file)
        test_path = folder / f"fold1_test{self.fold_suffix}"
        # Copies of the test list are about with the labels of its twin.
        columns, optional = (("filename", "scene_label"), 1) if self.fold_header else (("filename",), 0)
        test = read_rows(test_path, columns=columns, header=self.fold_header, optional=optional)
        check_once(test)
        evaluated = {row.values[0]: row for row in evaluate}
        for row in test:
            if row.values[0] not in evaluated:
                raise row.error(
                    f"{row.values[0]!r} is not in {evaluate[0].path.name}, the labelled twin of this list"
                )
        tested = {row.values[0] for row in test}
        for name, row in evaluated.items():
            if name not in tested:
                raise row.error(f"{name!r} is not in {test_path.name}, the unlabelled twin of this list")
        for row in train:
            if row.values[0] in tested:
                raise row.error(f"{row.values[0]!r} is in train and in test")
        return Split("fold1", train=clip_ids(train), test=clip_ids(test))

    def _labelled(self, path: Path, scene_of_file: dict[str, str]) -> list[Row]:
        rows = read_rows(path, columns=("filename", "scene_label"), header=self.fold_header)
        check_once(rows)
        for row in rows:
            file_name, scene = row.values
            if file_name not in scene_of_file:
                raise row.error(self._unlisted(file_name))
            if scene != scene_of_file[file_name]:
                self._check_scene(row, scene)
                raise row.error(f"{file_name!r} is {scene!r} here and {scene_of_file[file_name]!r} in meta.csv")
        return rows

    def _unlisted(self, file_name: str) -> str:
        return f"{file_name!r} is not in meta.csv"


def _contradiction(row: Row, in_name: tuple[str, str, str]) -> str:
    file_name, *values = row.values
    for column, value, wanted in zip(_META_COLUMNS[1:], values, in_name, strict=True):
        if value != wanted:
            return f"{column} is {value!r}, but the file name {file_name!r} says {wanted!r}"
    raise AssertionError(row)


def clip_ids(rows: Sequence[Row]) -> tuple[str, ...]:
    """Names of the files in some rows, without folder and ending."""
    return tuple(_clip_id(row.values[0]) for row in rows)


def _clip_id(file_name: str) -> str:
    return file_name.removeprefix("audio/").removesuffix(".wav")


TUT_2018_MOBILE = TutMobileLayout(
    name="tut-urban-2018-mobile",
    title="TUT Urban Acoustic Scenes 2018 Mobile, development",
    folders=("TUT-urban-acoustic-scenes-2018-mobile-development",),
    homepage="https://zenodo.org/record/1228235",
    licence=LICENCE,
    archives="TUT-urban-acoustic-scenes-2018-mobile-development",
    clip_duration_s=10.0,
    scenes=tuple(COARSE_OF_SCENE),
    landmarks=("meta.csv",),
    counts=Counts(
        n_clips=10_080,
        folds={"fold1": {"train": {"A": 6122, "B": 540, "C": 540}, "test": {"A": 2518, "B": 180, "C": 180}}},
        per_scene={"A": 864, "B": 72, "C": 72},
    ),
    fold_suffix=".txt",
    fold_header=False,
)

TAU_2019_MOBILE = TutMobileLayout(
    name="tau-urban-2019-mobile",
    title="TAU Urban Acoustic Scenes 2019 Mobile, development",
    folders=("TAU-urban-acoustic-scenes-2019-mobile-development",),
    homepage="https://zenodo.org/record/2589332",
    licence=LICENCE,
    archives="TAU-urban-acoustic-scenes-2019-mobile-development",
    clip_duration_s=10.0,
    scenes=tuple(COARSE_OF_SCENE),
    landmarks=("meta.csv",),
    # 1,030 clips are in no fold: with these counts they are necessarily all of device A.
    counts=Counts(
        n_clips=16_560,
        folds={"fold1": {"train": {"A": 9185, "B": 540, "C": 540}, "test": {"A": 4185, "B": 540, "C": 540}}},
        per_scene={"A": 1440, "B": 108, "C": 108},
    ),
    fold_suffix=".csv",
    fold_header=True,
)
