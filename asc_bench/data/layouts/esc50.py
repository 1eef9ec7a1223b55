"""ESC-50 (Piczak 2015): ``meta/esc50.csv`` and ``audio/{fold}-{source}-{take}-{target}.wav``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from asc_bench.data.layouts.base import OfficialLayout, folds_by_number
from asc_bench.data.layouts.counts import Counts
from asc_bench.data.layouts.listing import Row, check_file_name, check_once, files_in, is_true, read_rows
from asc_bench.data.manifest import Dataset

CLASSES_OF_GROUP = {
    "animals": ("dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow"),
    "nature": (
        "rain",
        "sea_waves",
        "crackling_fire",
        "crickets",
        "chirping_birds",
        "water_drops",
        "wind",
        "pouring_water",
        "toilet_flush",
        "thunderstorm",
    ),
    "human": (
        "crying_baby",
        "sneezing",
        "clapping",
        "breathing",
        "coughing",
        "footsteps",
        "laughing",
        "brushing_teeth",
        "snoring",
        "drinking_sipping",
    ),
    "domestic": (
        "door_wood_knock",
        "mouse_click",
        "keyboard_typing",
        "door_wood_creaks",
        "can_opening",
        "washing_machine",
        "vacuum_cleaner",
        "clock_alarm",
        "clock_tick",
        "glass_breaking",
    ),
    "urban": (
        "helicopter",
        "chainsaw",
        "siren",
        "car_horn",
        "engine",
        "train",
        "church_bells",
        "airplane",
        "fireworks",
        "hand_saw",
    ),
}
"""The five groups of ten classes, all in target order: the position in the whole is the target number."""

GROUP_OF_CLASS = {name: group for group, names in CLASSES_OF_GROUP.items() for name in names}
"""Class to group, in target order."""

ESC10_CLASSES = (
    "dog",
    "rooster",
    "rain",
    "sea_waves",
    "crackling_fire",
    "crying_baby",
    "sneezing",
    "clock_tick",
    "helicopter",
    "chainsaw",
)
"""The subset with the freer licence, in target order."""

N_FOLDS = 5

SHARED_SOURCES = frozenset({"131943", "134049", "209698", "234879"})
"""The four source recordings that have clips, of two classes each, in two of the official folds."""

_FOLDS = tuple(str(number) for number in range(1, N_FOLDS + 1))
_COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
_FILE_NAME = re.compile(r"(?P<fold>[1-5])-(?P<src_file>[0-9]+)-(?P<take>[A-Z])-(?P<target>[0-9]{1,2})\.wav")


def esc_counts(n_classes: int) -> Counts:
    """Official counts: 40 clips of each class, 8 of each class in each of five folds."""
    n_test = 8 * n_classes
    parts = {"train": {"": (N_FOLDS - 1) * n_test}, "test": {"": n_test}}
    return Counts(
        n_clips=N_FOLDS * n_test,
        folds={f"fold{number}": parts for number in range(1, N_FOLDS + 1)},
        per_scene={"": 8 * N_FOLDS},
        per_scene_test={"": 8},
    )


@dataclass(frozen=True, kw_only=True)
class Esc50Layout(OfficialLayout):
    """Every column of ``esc50.csv`` is checked against the file name and the official class table.

    The fold is not: where it is another one than the name's, the folds are not the official ones.
    """

    def read(self, root: Path) -> Dataset:
        """See ``Layout.read``."""
        root = root.absolute()
        rows = read_rows(root / "meta" / "esc50.csv", columns=_COLUMNS, delimiter=",")
        check_once(rows)
        clips = pd.DataFrame([self._clip(row, root) for row in rows])
        splits = folds_by_number(clips, [int(row.values[1]) for row in rows])
        moved = [Path(row.values[0]).stem for row in rows if row.values[0][0] != row.values[1]]
        return self.dataset(root, clips, splits, file_names=files_in(root / "audio"), moved=moved)

    def _clip(self, row: Row, root: Path) -> dict[str, object]:
        values = dict(zip(_COLUMNS, row.values, strict=True))
        file_name = values["filename"]
        check_file_name(row, file_name)
        match = _FILE_NAME.fullmatch(file_name)
        if match is None:
            raise row.error(f"file name {file_name!r} is not of the form fold-source-take-target.wav")
        if values["fold"] not in _FOLDS:
            raise row.error(f"fold is {values['fold']!r}, not one of {', '.join(_FOLDS)}")
        for column, in_name in match.groupdict().items():
            # Another fold than that of the name is another split, of which the whole set is told.
            if column != "fold" and values[column] != in_name:
                raise row.error(f"{column} is {values[column]!r}, but the file name {file_name!r} says {in_name!r}")
        target = int(values["target"])
        if target >= len(self.scenes) or values["category"] != self.scenes[target]:
            official = self.scenes[target] if target < len(self.scenes) else "no class at all"
            raise row.error(f"category is {values['category']!r}, but target {target} is {official}")
        if is_true(row, "esc10", values["esc10"]) != (values["category"] in ESC10_CLASSES):
            raise row.error(f"esc10 is {values['esc10']!r}, which is wrong for {values['category']}")
        return {
            "clip_id": Path(file_name).stem,
            "path": str(root / "audio" / file_name),
            "duration_s": self.clip_duration_s,
            "scene": values["category"],
            "device": "",
            "city": "",
            "location": values["src_file"],
            "recording_id": Path(file_name).stem,
        }


ESC_50 = Esc50Layout(
    name="esc-50",
    title="ESC-50",
    folders=("ESC-50-master", "ESC-50"),
    homepage="https://github.com/karolpiczak/ESC-50",
    licence="CC BY-NC 3.0",
    archives="ESC-50",
    clip_duration_s=5.0,
    scenes=tuple(GROUP_OF_CLASS),
    counts=esc_counts(len(GROUP_OF_CLASS)),
    unit="source recording",
    shared=SHARED_SOURCES,
    namespace="freesound",
    landmarks=("meta/esc50.csv",),
)
