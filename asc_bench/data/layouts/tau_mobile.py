"""TAU Urban Acoustic Scenes 2020 Mobile and 2022 Mobile, development sets: ten cities, nine devices.

The 2022 set is the 2020 set cut into files of one second, with the number of the second before the device in
their names. Devices A, B and C are real, S1 to S6 were made from recordings of A; S4 to S6 are not among the
training clips. 6,105 recordings are in no part, as published: many were made where test clips were, and no
protocol may use them.

The challenges of 2024 and 2025 train on 5 to 50 % of the training clips of 2022. Their lists (``split5.csv`` and
so on, and ``test.csv``) are no part of the archives; they are read where they lie beside ``meta.csv`` or in
``evaluation_setup``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asc_bench.data.layouts.counts import Counts
from asc_bench.data.layouts.listing import Row
from asc_bench.data.layouts.tut_mobile import COARSE_OF_SCENE, LICENCE, TutMobileLayout, clip_ids
from asc_bench.data.manifest import Dataset, Split
from asc_bench.errors import DataError

DEVICES = ("A", "B", "C", "S1", "S2", "S3", "S4", "S5", "S6")
"""As the clip table names them."""

GROUPS: Mapping[str, tuple[str, ...]] = {"real": DEVICES[:3], "seen": DEVICES[3:6], "unseen": DEVICES[6:]}
"""Real devices, simulated ones that are trained on, and simulated ones that are not."""

PERCENTAGES = (5, 10, 25, 50)
"""Of the training clips, in the lists of 2024 and 2025; each holds the smaller ones."""

SECONDS = 10
"""Files of one second that a recording of the 2022 set consists of."""

RELEASE = "https://github.com/CPJKU/dcase2024_task1_baseline/releases/download/files"
"""Where the lists of 2024 and 2025 were published."""

WITHDRAWN = (
    "airport-barcelona-1-87-c",
    "public_square-barcelona-108-3109-b",
    "shopping_mall-london-131-3930-c",
    "airport-barcelona-203-6132-b",
    "tram-barcelona-275-8394-c",
)
"""Clips of older lists, which were copied widely; the archives have neither them nor their rows any more."""


@dataclass(frozen=True, kw_only=True)
class TauMobileLayout(TutMobileLayout):
    """One of the two sets; the one in seconds has the lists of 2024 and 2025, too."""

    def expected(self, counts: Counts, splits: Sequence[Split]) -> Counts:
        """See ``OfficialLayout.expected``; a list of 2024 or 2025 that is not there is no shortfall."""
        there = {split.name for split in splits}
        folds = {name: parts for name, parts in counts.folds.items() if name in there or name == "fold1"}
        return replace(counts, folds=folds)

    def _clips(self, rows: list[Row], root: Path) -> dict[str, list[Any]]:
        self._refuse_withdrawn(rows)
        columns = super()._clips(rows, root)
        self._check_whole(rows)
        return columns

    def _labelled(self, path: Path, scene_of_file: dict[str, str]) -> list[Row]:
        rows = super()._labelled(path, scene_of_file)
        self._check_whole(rows)
        return rows

    def _unlisted(self, file_name: str) -> str:
        if self._recording(file_name) in WITHDRAWN:
            return _WITHDRAWN.format(file_name)
        return super()._unlisted(file_name)

    def _refuse_withdrawn(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row.values[0].endswith(("-b.wav", "-c.wav")) and self._recording(row.values[0]) in WITHDRAWN:
                raise row.error(_WITHDRAWN.format(row.values[0]))

    def _recording(self, file_name: str) -> str:
        """Stem of a file name, of any form, without the number of the second."""
        stem = file_name.removeprefix("audio/").removesuffix(".wav")
        before, _, device = stem.rpartition("-")
        return f"{before.rpartition('-')[0]}-{device}" if self.in_seconds else stem

    def _check_whole(self, rows: Sequence[Row]) -> None:
        """Refuse a list that has some seconds of a recording and lacks others."""
        if not self.in_seconds:
            return
        n_seconds = Counter([_without_second(row.values[0]) for row in rows])
        if set(n_seconds.values()) == {SECONDS}:
            return
        first = next(row for row in rows if n_seconds[_without_second(row.values[0])] != SECONDS)
        cut = self._recording(first.values[0])
        there = [row for row in rows if self._recording(row.values[0]) == cut]
        numbers = {row.values[0].split("-")[-2] for row in there}
        lacking = [str(number) for number in range(SECONDS) if str(number) not in numbers]
        raise there[0].error(
            f"of the {SECONDS} seconds of recording {cut!r}, this list lacks number {', '.join(lacking)}; the "
            "official lists have all seconds of a recording or none"
        )

    def _further_splits(self, root: Path, fold: Split, scene_of_file: dict[str, str]) -> Sequence[Split]:
        if not self.in_seconds:
            return ()
        self._check_same(root, "test.csv", fold.test, scene_of_file, "fold1_evaluate.csv")
        self._check_same(root, "split100.csv", fold.train, scene_of_file, "fold1_train.csv")
        splits: list[Split] = []
        larger, its_name, tested = set(fold.train), "fold1_train.csv", set(fold.test)
        for percentage in reversed(PERCENTAGES):
            rows = self._published(root, f"split{percentage}.csv", scene_of_file)
            if rows is None:
                continue
            ids = clip_ids(rows)
            for row, clip in zip(rows, ids, strict=True):
                if clip in tested:
                    raise row.error(f"{row.values[0]!r} is in train and in test")
                if clip not in larger:
                    raise row.error(f"{row.values[0]!r} is not in {its_name}, which holds this list officially")
            splits.insert(0, Split(f"split{percentage}", train=ids, test=fold.test))
            larger, its_name = set(ids), f"split{percentage}.csv"
        return splits

    def _published(self, root: Path, name: str, scene_of_file: dict[str, str]) -> list[Row] | None:
        places = (root / name, root / "evaluation_setup" / name)
        path = next((place for place in places if place.is_file()), None)
        return None if path is None else self._labelled(path, scene_of_file)

    def _check_same(
        self, root: Path, name: str, ids: Sequence[str], scene_of_file: dict[str, str], twin: str
    ) -> None:
        """Hold a list of the later years against the one that it repeats, row by row."""
        rows = self._published(root, name, scene_of_file)
        if rows is None:
            return
        wanted = set(ids)
        for row, clip in zip(rows, clip_ids(rows), strict=True):
            if clip not in wanted:
                raise row.error(f"{row.values[0]!r} is not in {twin}, the same list in the archives")
        if len(rows) != len(wanted):
            lacking = min(wanted - set(clip_ids(rows)))
            raise rows[-1].error(f"audio/{lacking}.wav of {twin}, the same list in the archives, is missing")


_WITHDRAWN = (
    "{!r} is one of five clips that older copies of the lists have and the published archives have not "
    f"({', '.join(WITHDRAWN)}); use the lists of the meta archive"
)


def _without_second(name: str) -> str:
    """Of a file name of the official form, of which there are half a million."""
    before, _, device = name.rsplit("-", 2)
    return f"{before}-{device}"


def training_list(dataset: Dataset, name: str) -> Split:
    """One of the lists of 2024 and 2025, such as ``split25``.

    Raises
    ------
    DataError
        If it does not lie in the data set's folder; the message says how to get it.
    """
    found = {split.name: split for split in dataset.splits}
    if name not in found:
        raise DataError(
            f"{dataset.name}: {name}.csv is missing, a list of DCASE 2024 and 2025 that is in no archive.\n"
            f"Put it beside meta.csv in {dataset.root}: curl -L -o {dataset.root}/{name}.csv {RELEASE}/{name}.csv"
        )
    return found[name]


def _by_device(*n_clips: int) -> dict[str, int]:
    return dict(zip(DEVICES, n_clips, strict=False))


_TEST_2020 = _by_device(330, 329, 329, 330, 330, 330, 330, 330, 330)
_TEST_2022 = {device: SECONDS * n for device, n in _TEST_2020.items()}
_TRAIN_2020 = _by_device(10_215, 749, 748, 750, 750, 750)
_TRAIN_2022 = {
    "fold1": {device: SECONDS * n for device, n in _TRAIN_2020.items()},
    "split5": _by_device(5_080, 380, 380, 380, 380, 380),
    "split10": _by_device(10_190, 730, 790, 740, 750, 760),
    "split25": _by_device(25_520, 1_900, 1_920, 1_840, 1_850, 1_870),
    "split50": _by_device(51_100, 3_780, 3_780, 3_720, 3_700, 3_720),
}

TAU_2020_MOBILE = TauMobileLayout(
    name="tau-2020-mobile",
    title="TAU Urban Acoustic Scenes 2020 Mobile, development",
    folders=("TAU-urban-acoustic-scenes-2020-mobile-development",),
    homepage="https://zenodo.org/record/3819968",
    licence=LICENCE,
    archives="TAU-urban-acoustic-scenes-2020-mobile-development",
    clip_duration_s=10.0,
    scenes=tuple(COARSE_OF_SCENE),
    landmarks=("meta.csv",),
    counts=Counts(
        n_clips=23_035,
        folds={"fold1": {"train": _TRAIN_2020, "test": _TEST_2020}},
        cells_of="tau-2020-mobile",
    ),
    fold_suffix=".csv",
    fold_header=True,
    devices=DEVICES,
)

TAU_2022_MOBILE = TauMobileLayout(
    name="tau-2022-mobile",
    title="TAU Urban Acoustic Scenes 2022 Mobile, development",
    folders=("TAU-urban-acoustic-scenes-2022-mobile-development",),
    homepage="https://zenodo.org/record/6337421",
    licence=LICENCE,
    archives="TAU-urban-acoustic-scenes-2022-mobile-development",
    clip_duration_s=1.0,
    scenes=tuple(COARSE_OF_SCENE),
    landmarks=("meta.csv",),
    counts=Counts(
        n_clips=230_350,
        folds={name: {"train": train, "test": _TEST_2022} for name, train in _TRAIN_2022.items()},
        cells_of="tau-2022-mobile",
    ),
    fold_suffix=".csv",
    fold_header=True,
    devices=DEVICES,
    in_seconds=True,
)
