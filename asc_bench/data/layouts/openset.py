"""TAU Urban Acoustic Scenes 2019 Openset, development (DCASE 2019 Task 1C): ten scenes, and clips of others.

The lists are those of the other urban sets (``tut_mobile``), with the label ``unknown`` for clips of scenes that
a system is not to know. ``meta_unknown.csv``, which tells the scenes of unknown clips, is not read: no system may
use it.

Guesses, as no copy could be looked into. Clips of known scenes are those of TAU Urban 2019, mixed down to one
channel, whence their counts by scene; all 1,450 unknown clips are in a part, which makes 15,850 in all. The sound
format follows from the size of the archives, 17.8 GB, which fits 44.1 kHz, 24 bit and one channel. Unknown clips
may be named in any way. Their location is the ``identifier`` of ``meta.csv``; if that is empty, what stands in
the name between its first and its last two fields (the rule of dcase_util); and if there is nothing, each clip
counts as a location of its own. Whether unknown clips have a device is not known either: they are given device A.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asc_bench.data.layouts.counts import Counts
from asc_bench.data.layouts.listing import Row, check_file_name
from asc_bench.data.layouts.tut_mobile import COARSE_OF_SCENE, LICENCE, TutMobileLayout
from asc_bench.labels import UNKNOWN_SCENE


@dataclass(frozen=True, kw_only=True)
class OpenSetLayout(TutMobileLayout):
    """Rows with the label ``unknown`` are read by themselves, as their names need not be of the official form."""

    def _clips(self, rows: list[Row], root: Path) -> dict[str, list[Any]]:
        columns = super()._clips([row for row in rows if row.values[1] != UNKNOWN_SCENE], root)
        added = [self._unknown(row, root) for row in rows if row.values[1] == UNKNOWN_SCENE]
        both = {name: [*values, *(clip[name] for clip in added)] for name, values in columns.items()}
        place = {row.values[0]: i for i, row in enumerate(rows)}
        order = sorted(range(len(rows)), key=lambda i: place[f"audio/{both['clip_id'][i]}.wav"])
        return {name: [values[i] for i in order] for name, values in both.items()}

    def _unknown(self, row: Row, root: Path) -> dict[str, Any]:
        file_name, _, identifier, source = row.values
        check_file_name(row, file_name)
        stem = file_name.removeprefix("audio/").removesuffix(".wav")
        if "/" in stem or file_name != f"audio/{stem}.wav":
            raise row.error(f"file name {file_name!r} is not of the form audio/name.wav")
        if source and source != self.devices[0].lower():
            raise row.error(f"source_label is {source!r}, which is not {self.devices[0].lower()}")
        location = identifier or "-".join(stem.split("-")[1:-2]) or stem
        return {
            "clip_id": stem,
            "path": f"{root}/{file_name}",
            "scene": UNKNOWN_SCENE,
            "device": self.devices[0],
            "city": "",
            "location": location,
            "recording_id": stem,
            "duration_s": self.clip_duration_s,
        }


TAU_2019_OPENSET = OpenSetLayout(
    name="tau-2019-openset",
    title="TAU Urban Acoustic Scenes 2019 Openset, development",
    folders=("TAU-urban-acoustic-scenes-2019-openset-development",),
    homepage="https://zenodo.org/record/2591503",
    licence=LICENCE,
    archives="TAU-urban-acoustic-scenes-2019-openset-development",
    clip_duration_s=10.0,
    scenes=(*COARSE_OF_SCENE, UNKNOWN_SCENE),
    landmarks=("meta.csv",),
    counts=Counts(
        n_clips=15_850,
        folds={"fold1": {"train": {"A": 10_290}, "test": {"A": 4_530}}},
        cells_of="tau-2019-openset",
    ),
    fold_suffix=".csv",
    fold_header=True,
    devices=("A",),
)
