"""Greatest Hits (Owens et al. 2016): a drumstick hits and scratches things, 35 s or so in a recording.

A flat folder: ``{recording}_denoised.wav``, ``{recording}_times.txt`` and two lists of recordings, ``train.txt``
and ``test.txt``. A line of ``_times.txt`` is the onset of an action in seconds, the material, the action and the
reaction, separated by blanks; a word may be the literal ``None``.

A clip is one hit or scratch of one of the 17 materials, and its scene ``material action``, such as ``wood hit``.
Any other line (no action or another one, no material, several materials) is no clip, as in Abrol and Sharma 2020,
who have 17 x 2 classes. ``location`` is the recording. How long a clip is around its action is not published (a
guess): it starts 0.25 s before the onset and lasts 2 s, moved where it would leave the recording, whose length is
read from the header of its file. Clips of actions that follow soon after each other overlap.

The numbers of the set are recalled (977 recordings, 46,577 actions), but for 973 recordings that were counted in
the lists of a published system. So no number of actions is demanded, and any number of recordings from 973 on is
complete. A recording in neither list is kept, in no division.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from asc_bench.data.audio import stated_length_s
from asc_bench.data.layouts.base import OfficialLayout
from asc_bench.data.layouts.counts import Counts, synthetic_counts
from asc_bench.data.layouts.listing import Row, check_once, files_in, read_rows
from asc_bench.data.manifest import Dataset, Split
from asc_bench.errors import DataError

MATERIALS = (
    "carpet",
    "ceramic",
    "cloth",
    "dirt",
    "drywall",
    "glass",
    "grass",
    "gravel",
    "leaf",
    "metal",
    "paper",
    "plastic",
    "plastic-bag",
    "rock",
    "tile",
    "water",
    "wood",
)
ACTIONS = ("hit", "scratch")
MATERIAL_OF_SCENE = {f"{material} {action}": material for material in MATERIALS for action in ACTIONS}
"""The 34 fine classes and, above them, the 17 coarse ones."""

WINDOW_S, BEFORE_S = 2.0, 0.25
N_RECORDINGS_AT_LEAST = 973
SPLIT = "official"

_TIMES, _SOUND = "_times.txt", "_denoised.wav"
_COLUMNS = ("onset", "material", "action", "reaction")
_RECORDING = re.compile(r"[0-9]{4}(-[0-9]{2}){5}(-[0-9]+)?")
"""Date and time, and a number where there are several of one second."""


@dataclass(frozen=True, kw_only=True)
class GreatestHitsLayout(OfficialLayout):
    """Clips come from the lists of actions; what exists of these is what counts."""

    def read(self, root: Path) -> Dataset:
        """See ``Layout.read``; of the audio files the headers are read."""
        root = root.absolute()
        names = files_in(root)
        recordings = sorted(name.removesuffix(_TIMES) for name in names if name.endswith(_TIMES))
        if not recordings:
            raise DataError(
                f"{root}: no file ends in {_TIMES}; the folder must be the one that vis-data.zip unpacks to"
            )
        clips = pd.DataFrame([clip for recording in recordings for clip in self._clips(root, recording, names)])
        if clips.empty:
            raise DataError(f"{root}: no {_TIMES} names a hit or a scratch of {', '.join(MATERIALS)}")
        train, test = (self._list(root / f"{part}.txt") for part in ("train", "test"))
        both = sorted(set(train) & set(test))
        if both:
            raise DataError(f"{root}: {len(both)} recordings are in train.txt and in test.txt, such as {both[0]!r}")
        ids = {name: tuple(str(c) for c in rows) for name, rows in clips.groupby("location")["clip_id"]}
        split = Split(
            SPLIT,
            train=tuple(clip for recording in train for clip in ids.get(recording, ())),
            test=tuple(clip for recording in test for clip in ids.get(recording, ())),
        )
        found = replace(self, counts=Counts(n_clips=len(clips), folds={}, folds_known=False))
        return found.dataset(
            root, clips, [split], file_names=names, extra=tuple(self._shortfalls(root, recordings, [*train, *test]))
        )

    def _clips(self, root: Path, recording: str, names: frozenset[str]) -> Iterator[dict[str, object]]:
        path = root / f"{recording}{_SOUND}"
        length_s = stated_length_s(path) if path.name in names else None
        for row in read_rows(root / f"{recording}{_TIMES}", columns=("line",), header=False):
            if _RECORDING.fullmatch(recording) is None:
                raise row.error(f"recording {recording!r} is not named by a date and a time")
            words = row.values[0].split()
            if len(words) != len(_COLUMNS):
                raise row.error(f"{len(words)} words instead of {len(_COLUMNS)} ({', '.join(_COLUMNS)}): {words}")
            onset, material, action, _ = words
            scene = f"{material} {action}"
            start_s = _start_s(row, onset, length_s)
            if scene not in MATERIAL_OF_SCENE and scene.lower() in MATERIAL_OF_SCENE:
                raise row.error(f"{scene!r} is {scene.lower()!r} in other letters; write it so, or it is no clip")
            if scene in MATERIAL_OF_SCENE:
                clip_id = f"{recording}@{row.line:03d}"
                yield {
                    "clip_id": clip_id,
                    "path": str(path),
                    "start_s": start_s,
                    "duration_s": self.clip_duration_s,
                    "scene": scene,
                    "device": "",
                    "city": "",
                    "location": recording,
                    "recording_id": clip_id,
                }

    def _list(self, path: Path) -> list[str]:
        rows = read_rows(path, columns=("recording",), header=False)
        check_once(rows)
        for row in rows:
            if _RECORDING.fullmatch(row.values[0]) is None:
                raise row.error(f"recording {row.values[0]!r} is not named by a date and a time")
        return [row.values[0] for row in rows]

    def _shortfalls(self, root: Path, recordings: list[str], listed: list[str]) -> Iterator[str]:
        without = sorted(set(listed) - set(recordings))
        if without:
            yield f"{len(without)} recordings of train.txt and test.txt have no {_TIMES}, such as {without[0]}"
        if len(recordings) < N_RECORDINGS_AT_LEAST and synthetic_counts(root, self.name) is None:
            yield f"{len(recordings)} recordings found, at least {N_RECORDINGS_AT_LEAST} official"


def _start_s(row: Row, onset: str, length_s: float | None) -> float:
    """Where the clip of an action starts."""
    try:
        onset_s = float(onset)
    except ValueError:
        raise row.error(f"onset {onset!r} is no time in seconds") from None
    if not 0 <= onset_s < 1e6 or (length_s is not None and onset_s >= length_s):
        ends = "" if length_s is None else f" of a recording of {length_s:g} s"
        raise row.error(f"onset {onset!r} is no time{ends}")
    start_s = max(0.0, onset_s - BEFORE_S)
    if length_s is None:
        return round(start_s, 6)
    if length_s < WINDOW_S:
        raise row.error(f"the recording lasts {length_s:g} s, less than a clip of {WINDOW_S:g} s")
    return round(min(start_s, length_s - WINDOW_S), 6)


GREATEST_HITS = GreatestHitsLayout(
    name="greatest-hits",
    title="Greatest Hits",
    folders=("vis-data", "vis-data-256", "greatest-hits"),
    homepage="https://web.eecs.umich.edu/~ahowens/vis/",
    licence="not known; ask the authors",
    archives=None,
    clip_duration_s=WINDOW_S,
    scenes=tuple(MATERIAL_OF_SCENE),
    landmarks=("train.txt", "test.txt"),
    counts=Counts(n_clips=0, folds={}, folds_known=False),
    unit="recording",
)
