"""LITIS Rouen (Rakotomamonjy and Gasso 2015): 3,026 recordings of 30 s in 19 classes, made with a smartphone.

``data_rouen/`` holds ``{label}{digits}.wav``; the label is all before the first digit (``hall`` is the
beginning of ``hallgare``, so nothing shorter will do). ``relation_wav_examples.txt`` gives every file an
integer id, separated by blanks or tabs. Each line of ``fold3026-matrices_Learn.txt`` and of ``..._Test.txt`` is
one of the 20 official divisions: ids, written as floats.

Guesses, recalled and not looked up: mono at 22.05 kHz (any rate is read), about 80 % of the recordings train,
and all recordings of one place are on one side of every division. No list names the places. They are derived
from that last guess: recordings of one label that are on the same side of all 20 divisions count as one
location. By chance two places agree in all of them about once in two thousand pairs; then they are one location,
which errs on the safe side. If the guess is wrong, nearly every recording is a location of its own, and a
split cannot keep places apart. How many recordings a label has is not checked, as it is only recalled.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from asc_bench.data.layouts.base import OfficialLayout
from asc_bench.data.layouts.counts import Counts
from asc_bench.data.layouts.listing import Row, check_file_name, files_in, read_list
from asc_bench.data.manifest import Dataset, Split
from asc_bench.data.nearby import near_path
from asc_bench.errors import DataError

LABELS = (
    "avion",
    "busystreet",
    "bus",
    "cafe",
    "car",
    "hallgare",
    "kidgame",
    "market",
    "metro-paris",
    "metro-rouen",
    "poolhall",
    "quietstreet",
    "hall",
    "restaurant",
    "ruepietonne",
    "shop",
    "train-ter",
    "train-tgv",
    "tubestation",
)
"""In the order of the ids that a published loader gives them."""

N_DIVISIONS = 20
AUDIO, RELATION = "data_rouen", "relation_wav_examples.txt"
LEARN, TEST = "fold3026-matrices_Learn.txt", "fold3026-matrices_Test.txt"

_FILE_NAME = re.compile(r"(?P<label>[a-z-]+)[0-9]+\.wav")


@dataclass(frozen=True, kw_only=True)
class LitisRouenLayout(OfficialLayout):
    """Wave files in one folder, and three lists beside it."""

    def read(self, root: Path) -> Dataset:
        """See ``Layout.read``."""
        root = root.absolute()
        files = self._relation(root / RELATION)
        learn, test = (_divisions(root / name, files) for name in (LEARN, TEST))
        splits = _splits(root, learn, test, files)
        places = _places(files, test)
        clips = pd.DataFrame(
            [
                {
                    "clip_id": Path(name).stem,
                    "path": str(root / AUDIO / name),
                    "duration_s": self.clip_duration_s,
                    "scene": label,
                    "device": "",
                    "city": "",
                    "location": places[name],
                    "recording_id": Path(name).stem,
                }
                for name, label in files.values()
            ]
        )
        return self.dataset(root, clips, splits, file_names=files_in(root / AUDIO))

    def _relation(self, path: Path) -> dict[int, tuple[str, str]]:
        """File name and label by id."""
        files: dict[int, tuple[str, str]] = {}
        lines: dict[str, int] = {}
        for row in _rows(path):
            if len(row.values) != 2:
                raise row.error(f"{len(row.values)} words instead of a file name and an id: {row.values}")
            name, number = row.values
            check_file_name(row, name)
            match = _FILE_NAME.fullmatch(name)
            if match is None or match["label"] not in self.scenes:
                raise row.error(
                    f"file name {name!r} is not a label followed by digits; labels are {', '.join(self.scenes)}"
                )
            identifier = _identifier(row, number)
            if identifier in files:
                raise row.error(f"id {identifier} stands already for {files[identifier][0]!r}")
            if name in lines:
                raise row.error(f"{name!r} stands already in line {lines[name]}")
            files[identifier], lines[name] = (name, match["label"]), row.line
        return files


def _rows(path: Path) -> list[Row]:
    """Lines of words; empty lines do not count."""
    try:
        text = read_list(path)
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing: the folder needs {AUDIO}/, {RELATION}, {LEARN} and {TEST} of the home page"
            f"{near_path(path)}"
        ) from None
    rows = [
        Row(path, i, tuple(line.replace('"', " ").split())) for i, line in enumerate(text.splitlines(), start=1)
    ]
    rows = [row for row in rows if row.values]
    if not rows:
        raise DataError(f"{path} is empty")
    return rows


def _identifier(row: Row, text: str) -> int:
    """An id that may be written as a float, such as ``1.2000000e+01``."""
    try:
        number = float(text)
    except ValueError:
        raise row.error(f"{text!r} is no id") from None
    if not math.isfinite(number) or number != int(number):
        raise row.error(f"{text!r} is no whole number, so no id")
    return int(number)


def _divisions(path: Path, files: Mapping[int, tuple[str, str]]) -> list[tuple[int, ...]]:
    divisions = []
    for row in _rows(path):
        ids = tuple(_identifier(row, word) for word in row.values)
        unknown = [number for number in ids if number not in files]
        if unknown:
            raise row.error(f"id {unknown[0]} is not in {RELATION}")
        if len(set(ids)) != len(ids):
            raise row.error("an id stands twice")
        divisions.append(ids)
    return divisions


def _splits(
    root: Path,
    learn: Sequence[tuple[int, ...]],
    test: Sequence[tuple[int, ...]],
    files: Mapping[int, tuple[str, str]],
) -> list[Split]:
    if len(learn) != N_DIVISIONS or len(test) != N_DIVISIONS:
        raise DataError(
            f"{root}: {LEARN} has {len(learn)} lines and {TEST} has {len(test)}; there are {N_DIVISIONS} divisions"
        )
    splits = []
    for number, (train_ids, test_ids) in enumerate(zip(learn, test, strict=True), start=1):
        train, tested = (tuple(Path(files[i][0]).stem for i in ids) for ids in (train_ids, test_ids))
        splits.append(Split(f"split{number}", train=train, test=tested))
    return splits


def _places(files: Mapping[int, tuple[str, str]], test: Sequence[tuple[int, ...]]) -> dict[str, str]:
    """Location by file name: recordings of one label that are always tested together share one."""
    tested = [frozenset(ids) for ids in test]
    numbers: dict[tuple[str, tuple[bool, ...]], int] = {}
    n_of_label: dict[str, int] = {}
    places = {}
    for identifier, (name, label) in sorted(files.items()):
        pattern = (label, tuple(identifier in ids for ids in tested))
        if pattern not in numbers:
            numbers[pattern] = n_of_label[label] = n_of_label.get(label, 0) + 1
        places[name] = f"{label}-{numbers[pattern]}"
    return places


LITIS_ROUEN = LitisRouenLayout(
    name="litis-rouen",
    title="LITIS Rouen",
    folders=("LITIS-Rouen", "LITIS_Rouen", "litis-rouen"),
    homepage="https://sites.google.com/site/alainrakotomamonjy/home/audio-scene",
    licence="not known; ask the authors",
    archives=None,
    clip_duration_s=30.0,
    scenes=LABELS,
    landmarks=(RELATION,),
    counts=Counts(n_clips=3026, folds={}, folds_known=False),
)
