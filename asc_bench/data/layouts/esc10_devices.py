"""ESC-10 through three simulated devices: computed from the recordings, and read like any other data set.

Every recording exists on devices A, B and C. For training, B and C are there only for the recordings that
``meta/recordings.csv`` marks as parallel; all three are there for testing, as in DCASE 2018 Task 1B.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from asc_bench.data.computed import Progress
from asc_bench.data.layouts.base import OfficialLayout, folds_by_number
from asc_bench.data.layouts.counts import SYNTHETIC_MARKER, Counts
from asc_bench.data.layouts.esc10 import ESC_10
from asc_bench.data.layouts.esc50 import ESC10_CLASSES, N_FOLDS
from asc_bench.data.layouts.listing import Row, check_file_name, check_once, files_in, is_true, read_rows
from asc_bench.data.layouts.tut_mobile import DEVICES
from asc_bench.data.manifest import Dataset, Split

_FILE_NAME = re.compile(
    r"(?P<recording>(?P<fold>[1-5])-(?P<source>[0-9]+)-[A-Z](-[0-9]{1,2})?)-(?P<device>[abc])\.wav"
)
_N_PARALLEL = (11, 14, 11, 12, 10)
"""Clips of each fold that are recorded in parallel: those of one source of each class, a smallest one."""


@dataclass(frozen=True, kw_only=True)
class Esc10DevicesLayout(OfficialLayout):
    """Every column of the list is checked against the file name."""

    def read(self, root: Path) -> Dataset:
        """See ``Layout.read``."""
        from asc_bench.data.devices.playback import AUDIO, LIST, LIST_COLUMNS

        root = root.absolute()
        rows = read_rows(root / LIST, columns=LIST_COLUMNS, delimiter=",")
        check_once(rows)
        clips = pd.DataFrame([self._clip(row, root / AUDIO) for row in rows])
        _check_parallel(rows)
        in_training = {
            clip
            for clip, device, row in zip(clips["clip_id"], clips["device"], rows, strict=True)
            if device == "A" or is_true(row, "parallel", row.values[-1])
        }
        splits = [
            Split(split.name, train=tuple(c for c in split.train if c in in_training), test=split.test)
            for split in folds_by_number(clips, [int(row.values[1]) for row in rows])
        ]
        return self.dataset(root, clips, splits, file_names=files_in(root / AUDIO))

    def derive(self, source: Dataset, root: Path, *, n_jobs: int, progress: Progress) -> Path:
        """See ``Layout.derive``."""
        from asc_bench.data.devices.playback import write_playback

        target = root.absolute() / self.folders[0]
        write_playback(
            source,
            target,
            layout=self.name,
            scenes=self.scenes,
            duration_s=self.clip_duration_s,
            synthetic_marker=SYNTHETIC_MARKER,
            n_jobs=n_jobs,
            progress=progress,
        )
        return target

    def _clip(self, row: Row, folder: Path) -> dict[str, object]:
        file_name, fold, scene, source, device, parallel = row.values
        check_file_name(row, file_name)
        match = _FILE_NAME.fullmatch(file_name)
        if match is None:
            raise row.error(f"file name {file_name!r} is not of the form fold-source-take-device.wav")
        for column, value in (("fold", fold), ("source", source), ("device", device)):
            if value != match[column]:
                raise row.error(f"{column} is {value!r}, but the file name {file_name!r} says {match[column]!r}")
        if scene not in self.scenes:
            raise row.error(f"scene {scene!r} is not one of {', '.join(self.scenes)}")
        is_true(row, "parallel", parallel)
        return {
            "clip_id": Path(file_name).stem,
            "path": str(folder / file_name),
            "duration_s": self.clip_duration_s,
            "scene": scene,
            "device": device.upper(),
            "city": "",
            "location": source,
            "recording_id": match["recording"],
        }


def _check_parallel(rows: list[Row]) -> None:
    """A source is recorded in parallel as a whole or not at all."""
    said: dict[str, bool] = {}
    for row in rows:
        source, parallel = row.values[3], is_true(row, "parallel", row.values[-1])
        if said.setdefault(source, parallel) != parallel:
            raise row.error(f"source {source} is parallel here and not in an earlier line")


def _counts() -> Counts:
    n_test, n_all = 8 * len(ESC10_CLASSES), 8 * len(ESC10_CLASSES) * N_FOLDS
    n_parallel = sum(_N_PARALLEL)
    return Counts(
        n_clips=n_all * len(DEVICES),
        folds={
            f"fold{number}": {
                "train": {"A": n_all - n_test, "B": n_parallel - here, "C": n_parallel - here},
                "test": dict.fromkeys(DEVICES, n_test),
            }
            for number, here in enumerate(_N_PARALLEL, start=1)
        },
        per_scene=dict.fromkeys(DEVICES, 8 * N_FOLDS),
        per_scene_test=dict.fromkeys(DEVICES, 8),
        origin="expected",
    )


ESC_10_DEVICES = Esc10DevicesLayout(
    name="esc-10-devices",
    title="ESC-10 through three simulated devices",
    folders=("ESC-10-devices",),
    homepage=ESC_10.homepage,
    licence=ESC_10.licence,
    archives=None,
    clip_duration_s=ESC_10.clip_duration_s,
    scenes=ESC_10.scenes,
    counts=_counts(),
    unit="source recording",
    nature="real recordings through simulated devices",
    derived_from=("esc-10", "esc-50"),
    namespace="freesound",
)
