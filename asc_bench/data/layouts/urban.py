"""The urban sets of one device, development: TUT 2018, TAU 2019, TAU 2020 3Class (DCASE Task 1A, in 2020 1B).

Binaural recordings of device A, 48 kHz, 24 bit, 10 s. Lists and file names are those of the mobile sets
(``tut_mobile``). The 3Class set is the 2019 one with other labels: names keep the scene, ``scene_label`` is one of
three classes. 1,030 clips of 2019, all from Milan, are in no part, as published.
"""

from __future__ import annotations

from dataclasses import dataclass

from asc_bench.data.layouts.counts import Counts
from asc_bench.data.layouts.tut_mobile import COARSE_OF_SCENE, LICENCE, TutMobileLayout

DEVICES = ("A",)

THREE_CLASSES = tuple(sorted(set(COARSE_OF_SCENE.values())))
"""``indoor``, ``outdoor`` and ``transportation``."""


@dataclass(frozen=True, kw_only=True)
class ThreeClassLayout(TutMobileLayout):
    """Labels are the three classes of ``COARSE_OF_SCENE``, file names begin with the scene."""

    def _label_of(self, scene: str) -> str:
        return COARSE_OF_SCENE.get(scene, scene)


TUT_2018 = TutMobileLayout(
    name="tut-urban-2018",
    title="TUT Urban Acoustic Scenes 2018, development",
    folders=("TUT-urban-acoustic-scenes-2018-development",),
    homepage="https://zenodo.org/record/1228142",
    licence=LICENCE,
    archives="TUT-urban-acoustic-scenes-2018-development",
    clip_duration_s=10.0,
    scenes=tuple(COARSE_OF_SCENE),
    landmarks=("meta.csv",),
    counts=Counts(
        n_clips=8_640,
        folds={"fold1": {"train": {"A": 6_122}, "test": {"A": 2_518}}},
        per_scene={"A": 864},
    ),
    fold_suffix=".txt",
    fold_header=False,
    devices=DEVICES,
    binaural=True,
)

_FOLD_2019 = {"fold1": {"train": {"A": 9_185}, "test": {"A": 4_185}}}

TAU_2019 = TutMobileLayout(
    name="tau-urban-2019",
    title="TAU Urban Acoustic Scenes 2019, development",
    folders=("TAU-urban-acoustic-scenes-2019-development",),
    homepage="https://zenodo.org/record/2589280",
    licence=LICENCE,
    archives="TAU-urban-acoustic-scenes-2019-development",
    clip_duration_s=10.0,
    scenes=tuple(COARSE_OF_SCENE),
    landmarks=("meta.csv",),
    counts=Counts(n_clips=14_400, folds=_FOLD_2019, per_scene={"A": 1_440}, cells_of="tau-urban-2019"),
    fold_suffix=".csv",
    fold_header=True,
    devices=DEVICES,
    binaural=True,
)

TAU_2020_3CLASS = ThreeClassLayout(
    name="tau-2020-3class",
    title="TAU Urban Acoustic Scenes 2020 3Class, development",
    folders=("TAU-urban-acoustic-scenes-2020-3class-development",),
    homepage="https://zenodo.org/record/3670185",
    licence=LICENCE,
    archives="TAU-urban-acoustic-scenes-2020-3class-development",
    clip_duration_s=10.0,
    scenes=THREE_CLASSES,
    landmarks=("meta.csv",),
    counts=Counts(n_clips=14_400, folds=_FOLD_2019, cells_of="tau-2020-3class"),
    fold_suffix=".csv",
    fold_header=True,
    devices=DEVICES,
    binaural=True,
)
