"""DCASE 2017 task 4 (Badlani et al. 2017): 17 sounds of warnings and vehicles from AudioSet, several in a clip.

The folder is the task's repository with the recordings in ``audio/``, files ``Y{video}_{start}_{end}.wav``, in it
or in folders of its own. ``training_set.csv`` and ``testing_set.csv`` name the videos: comma separated, CRLF,
labels in quotes where there are several (two labels hold a comma of their own). The truth, files
``groundtruth_weak_label_*.csv`` and ``groundtruth_strong_label_*.csv``, is tab separated, without a header, one
label per row. No list writes the leading Y. A video id may begin with a Y, or hold hyphens and underscores.

The weak truth has the times of the clip in its video, the strong truth those of the sound in the clip. A strong row
from 0 to 0 is a label of AudioSet that no listener heard: its clip stays, the event does not. Weak labels are taken
from the truth alone, as the official scripts do; the labels of the download lists are only checked to be labels.

Not every clip lasts 10 s. Its name has the times in its video, the shortest are 2 s apart; and of 9,913 training
and 79 test clips the organisers had less, by the lists ``duration_of_files_in_*_set.csv`` of the same repository:
of each clip so much is heard, whether more of it could be had since or not, and silence makes up for the rest.
Events keep their published times. A video that was taken down is a missing file, and makes the data set
incomplete.

Guesses: that the recordings are put into ``audio/`` (the official script leaves them in folders named after the
time of the download), and that a sound which ends after its clip is to be cut at the clip's end. The evaluation
set was published later, without a download list, and its truth is part of the repository: it belongs to the data
set as soon as one of its recordings is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from asc_bench.data.foreign import is_side_car
from asc_bench.data.layouts.base import OfficialLayout
from asc_bench.data.layouts.counts import Counts, synthetic_counts
from asc_bench.data.layouts.listing import Row, check_once, files_in, read_rows
from asc_bench.data.manifest import Dataset, Split, event_table
from asc_bench.data.tags import joined
from asc_bench.errors import DataError

COARSE_OF_LABEL = {
    "Train horn": "Warning",
    "Air horn, truck horn": "Warning",
    "Car alarm": "Warning",
    "Reversing beeps": "Warning",
    "Ambulance (siren)": "Warning",
    "Police car (siren)": "Warning",
    "Fire engine, fire truck (siren)": "Warning",
    "Civil defense siren": "Warning",
    "Screaming": "Warning",
    "Bicycle": "Vehicle",
    "Skateboard": "Vehicle",
    "Car": "Vehicle",
    "Car passing by": "Vehicle",
    "Bus": "Vehicle",
    "Truck": "Vehicle",
    "Motorcycle": "Vehicle",
    "Train": "Vehicle",
}
"""The 17 labels and their two groups. The groups are named by the paper of the task; which label is in which is
recalled, and follows from the names."""

AUDIO, RELEASE = "audio", "groundtruth_release"
TRAINING, TESTING, EVALUATION = "training", "testing", "evaluation"

_N_CLIPS = {TRAINING: 51_172, TESTING: 488, EVALUATION: 1_103}
_N_WEAK = {TRAINING: 56_131, TESTING: 606, EVALUATION: 1_350}
_N_STRONG = {TESTING: 688, EVALUATION: 1_706}
_TRUTH_COLUMNS = ("file", "start", "end", "label")
_LIST_COLUMNS = ("video", "start", "end", "labels", "ontology ids")
_FILE_NAME = re.compile(
    r"(?P<video>[A-Za-z0-9_-]{11})_(?P<start>[0-9]{1,5}\.[0-9]{3})_(?P<end>[0-9]{1,5}\.[0-9]{3})\.wav"
)
_BETWEEN_LABELS = re.compile(r",(?! )")
"""A comma inside a label is followed by a blank, one between two labels is not."""


@dataclass(frozen=True)
class _Part:
    """Training, testing or evaluation set: its clips, its events, and how many rows its lists have."""

    name: str
    clips: list[dict[str, object]]
    events: list[dict[str, object]]
    n_weak: int
    n_strong: int | None

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(str(clip["clip_id"]) for clip in self.clips)


@dataclass(frozen=True, kw_only=True)
class Dcase2017Task4Layout(OfficialLayout):
    """Two official divisions with one training set: ``testing`` and, if it is there, ``evaluation``."""

    def read(self, root: Path) -> Dataset:
        """See ``Layout.read``. Labels stand in ``scene`` as ``asc_bench.data.tags`` joins them."""
        root = root.absolute()
        audio = _audio_files(root / AUDIO)
        parts = [self._part(root, name, audio) for name in (TRAINING, TESTING)]
        if _truth(root, "weak", EVALUATION).is_file():
            evaluation = self._part(root, EVALUATION, audio)
            if any(_name(clip) in audio for clip in evaluation.clips):
                parts.append(evaluation)
        training, *tested = parts
        listed = replace(self, counts=_counts([part.name for part in tested]))
        dataset = listed.dataset(
            root,
            pd.DataFrame([clip for part in parts for clip in part.clips]),
            [Split(part.name, train=training.ids, test=part.ids) for part in tested],
            file_names=audio,
            extra=() if synthetic_counts(root, self.name) else tuple(_wrong_rows(parts)),
        )
        events = [event for part in tested for event in part.events]
        return replace(dataset, events=event_table(events, dataset.clips))

    def _part(self, root: Path, name: str, audio: Mapping[str, Path]) -> _Part:
        rows = read_rows(_truth(root, "weak", name), columns=_TRUTH_COLUMNS, header=False)
        named: dict[str, re.Match[str]] = {}
        labels: dict[str, set[str]] = {}
        for row in rows:
            match = self._weak(row)
            named[match.string] = match
            labels.setdefault(match.string, set()).add(row.values[3])
        if name != EVALUATION:
            self._check_list(root / f"{name}_set.csv", named)
        clips = []
        durations_s = _durations_s(root / f"duration_of_files_in_{name}_set.csv")
        for file_name, match in named.items():
            named_s = self._named_s(match)
            clip_id = f"Y{Path(file_name).stem}"
            clips.append(
                {
                    "clip_id": clip_id,
                    "path": str(audio.get(f"Y{file_name}", root / AUDIO / f"Y{file_name}")),
                    "duration_s": self.clip_duration_s,
                    "heard_s": min(named_s, durations_s.get(f"Y{file_name}", named_s)),
                    "scene": joined(label for label in self.scenes if label in labels[file_name]),
                    "device": "",
                    "city": "",
                    "location": match["video"],
                    "recording_id": clip_id,
                }
            )
        if name == TRAINING:
            return _Part(name, clips, [], len(rows), None)
        strong = read_rows(_truth(root, "strong", name), columns=_TRUTH_COLUMNS, header=False)
        lengths_s = {f"Y{Path(file_name).stem}": self._named_s(match) for file_name, match in named.items()}
        events = [event for row in strong for event in self._events(row, lengths_s)]
        return _Part(name, clips, events, len(rows), len(strong))

    def longest_s(self, clips: pd.DataFrame) -> Iterable[float]:
        """See ``Layout.longest_s``: by the names, since more of a clip may be had than the organisers had."""
        for path in clips["path"]:
            match = _FILE_NAME.fullmatch(Path(path).name.removeprefix("Y"))
            assert match is not None, path
            yield self._named_s(match)

    def _named_s(self, match: re.Match[str]) -> float:
        """Length of a clip by the times in its name, in seconds."""
        return min(self.clip_duration_s, round(float(match["end"]) - float(match["start"]), 3))

    def _weak(self, row: Row) -> re.Match[str]:
        """File name of a row of the weak truth, which is checked."""
        match, start_s, end_s = self._checked(row)
        if (start_s, end_s) != (float(match["start"]), float(match["end"])) or end_s <= start_s:
            raise row.error(f"the clip lasts from {start_s:g} s to {end_s:g} s, but its file is {match.string!r}")
        return match

    def _events(self, row: Row, lengths_s: Mapping[str, float]) -> Iterable[dict[str, object]]:
        """The event of a row of the strong truth; none for a label that was not heard."""
        match, onset_s, offset_s = self._checked(row)
        clip_id = f"Y{Path(match.string).stem}"
        if clip_id not in lengths_s:
            raise row.error(f"{row.values[0]!r} is not in the weak truth of the same set")
        if onset_s == offset_s == 0:
            return
        if not onset_s < min(offset_s, lengths_s[clip_id]):
            raise row.error(
                f"the sound lasts from {onset_s:g} s to {offset_s:g} s in a clip of {lengths_s[clip_id]:g} s; "
                "times of the strong truth count from the start of the clip"
            )
        end_s = min(offset_s, lengths_s[clip_id])
        yield {"clip_id": clip_id, "onset_s": onset_s, "offset_s": end_s, "label": row.values[3]}

    def _checked(self, row: Row) -> tuple[re.Match[str], float, float]:
        """File name and the two times of a row of the truth."""
        file_name, start, end, label = row.values
        match = _FILE_NAME.fullmatch(file_name)
        if match is None:
            raise row.error(
                f"file name {file_name!r} is not of the form video_start_end.wav, with a video id of 11 "
                "characters and no Y before it"
            )
        if label not in self.scenes:
            raise row.error(f"label {label!r} is not one of {'; '.join(self.scenes)}")
        return match, _seconds(row, start), _seconds(row, end)

    def _check_list(self, path: Path, truth: Mapping[str, object]) -> None:
        """A download list names the clips of the weak truth, each once."""
        rows = read_rows(path, columns=_LIST_COLUMNS, delimiter=",", header=False)
        check_once(rows)
        listed = set()
        for row in rows:
            video, start, end, labels, _ = row.values
            file_name = f"{video}_{_seconds(row, start):.3f}_{_seconds(row, end):.3f}.wav"
            if file_name not in truth:
                raise row.error(f"{file_name!r} has no weak label in the truth of the same set")
            for label in _BETWEEN_LABELS.split(labels):
                if label not in self.scenes:
                    raise row.error(f"label {label!r} is not one of {'; '.join(self.scenes)}")
            listed.add(file_name)
        if len(listed) != len(truth):
            missing = min(set(truth) - listed)
            raise DataError(f"{path}: {missing!r} of the weak truth is missing")


def _truth(root: Path, kind: str, part: str) -> Path:
    """Where a list of the truth lies: in the folder of the release if it is there, else beside the others."""
    name = f"groundtruth_{kind}_label_{part}_set.csv"
    released = root / RELEASE / name
    return released if released.is_file() else root / name


def _durations_s(path: Path) -> dict[str, float]:
    """Length of the organisers' copy of each file that is named; none where there is no such list."""
    if not path.is_file():
        return {}
    rows = read_rows(path, columns=("file", "seconds"), header=False)
    check_once(rows)
    return {row.values[0]: _seconds(row, row.values[1]) for row in rows}


def _seconds(row: Row, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise row.error(f"{text!r} is no time in seconds") from None
    if not 0 <= seconds < 1e6:
        raise row.error(f"{text!r} is no time in seconds")
    return seconds


def _audio_files(folder: Path) -> dict[str, Path]:
    """Path by name of all that lies in a folder and in the folders directly below it."""
    below = sorted(p for p in folder.iterdir() if p.is_dir() and not is_side_car(p.name)) if folder.is_dir() else []
    return {name: place / name for place in (*below, folder) for name in files_in(place)}


def _name(clip: Mapping[str, object]) -> str:
    return str(clip["path"]).rpartition("/")[2]


def _counts(tested: Iterable[str]) -> Counts:
    parts = list(tested)
    return Counts(
        n_clips=_N_CLIPS[TRAINING] + sum(_N_CLIPS[part] for part in parts),
        folds={part: {"train": {"": _N_CLIPS[TRAINING]}, "test": {"": _N_CLIPS[part]}} for part in parts},
    )


def _wrong_rows(parts: Iterable[_Part]) -> Iterable[str]:
    """Sentences for lists of the truth that have not as many rows as the official ones."""
    for part in parts:
        for kind, n_rows, official in (
            ("weak", part.n_weak, _N_WEAK[part.name]),
            ("strong", part.n_strong, _N_STRONG.get(part.name)),
        ):
            if n_rows != official:
                yield f"{part.name}: {n_rows} rows of the {kind} truth listed, {official} official"


DCASE_2017_TASK_4 = Dcase2017Task4Layout(
    name="audioset-dcase2017",
    title="DCASE 2017 task 4, AudioSet for smart cars",
    folders=(
        "Task-4-Large-scale-weakly-supervised-sound-event-detection-for-smart-cars",
        "DCASE2017-task4",
        "audioset-dcase2017",
    ),
    homepage="https://github.com/ankitshah009/Task-4-Large-scale-weakly-supervised-sound-event-detection-for-smart-cars",
    licence="lists Apache 2.0; the recordings belong to the authors of the videos",
    archives=None,
    clip_duration_s=10.0,
    namespace="youtube",
    landmarks=tuple(f"{part}_set.csv" for part in (TRAINING, TESTING)),
    scenes=tuple(COARSE_OF_LABEL),
    counts=_counts([TESTING]),
    unit="video",
)
