"""Tiny data sets in the official layouts, with real (short) WAV files, for tests to read or to spoil."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8000

SCENES = ("airport", "bus", "park")
TRAIN_LOCATIONS, TEST_LOCATIONS = (0, 1, 2), (3,)


def write_wav(
    path: Path, *, duration_s: float, rate_hz: int = RATE_HZ, seed: int = 0, subtype: str = "PCM_16"
) -> None:
    """Low noise of the given length."""
    noise = np.random.default_rng(seed).normal(scale=0.05, size=round(duration_s * rate_hz))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise, rate_hz, subtype=subtype)


def tut_names(scenes: Iterable[str] = SCENES, devices: str = "abc") -> list[str]:
    """File names of every scene, four locations, two segments, and the devices in parallel."""
    return [
        f"audio/{scene}-barcelona-{10 * index + spot}-{2 * spot + segment}-{device}.wav"
        for index, scene in enumerate(scenes)
        for spot in (*TRAIN_LOCATIONS, *TEST_LOCATIONS)
        for segment in (0, 1)
        for device in devices
    ]


def meta_row(name: str) -> tuple[str, str, str, str]:
    """The row of ``meta.csv`` that belongs to a file name."""
    scene, city, location, *_, device = Path(name).stem.split("-")
    return name, scene, f"{city}-{location}", device


def is_test(name: str) -> bool:
    """Whether ``tut_names`` put it at the last location of its scene."""
    return int(Path(name).stem.split("-")[2]) % 10 in TEST_LOCATIONS


def tsv(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Tab separated lines."""
    lines = [header, *rows] if header else list(rows)
    return "".join("\t".join(row) + "\n" for row in lines)


def write_tut(
    root: Path, *, year: int, names: Sequence[str] | None = None, audio: bool = True, duration_s: float = 10.0
) -> Path:
    """Write a 2018 or 2019 mobile development set and return its folder."""
    prefix = {2018: "TUT", 2019: "TAU"}[year]
    folder = root / f"{prefix}-urban-acoustic-scenes-{year}-mobile-development"
    names = tut_names() if names is None else names
    write_tut_lists(folder, year=year, names=names)
    if audio:
        for seed, name in enumerate(names):
            write_wav(folder / name, duration_s=duration_s, seed=seed)
    return folder


def write_tut_lists(folder: Path, *, year: int, names: Sequence[str]) -> None:
    """``meta.csv`` and the three files of fold 1, in the year's format."""
    setup = folder / "evaluation_setup"
    setup.mkdir(parents=True, exist_ok=True)
    header = ("filename", "scene_label", "identifier", "source_label")
    (folder / "meta.csv").write_text(tsv([meta_row(n) for n in names], header))
    suffix = ".txt" if year == 2018 else ".csv"
    labelled: dict[str, list[tuple[str, ...]]] = {
        "train": [meta_row(n)[:2] for n in names if not is_test(n)],
        "evaluate": [meta_row(n)[:2] for n in names if is_test(n)],
        "test": [(n,) for n in names if is_test(n)],
    }
    for part, rows in labelled.items():
        columns = header[:1] if part == "test" else header[:2]
        (setup / f"fold1_{part}{suffix}").write_text(tsv(rows, columns if year == 2019 else ()))


def write_marker(
    folder: Path, *, layout: str, n_clips: int, folds: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> None:
    """The marker file of a synthetic dataset."""
    counts = {"n_clips": n_clips, "folds": folds}
    marker = {"layout": layout, "size": "test", "seed": 0, "version": 1, "counts": counts}
    (folder / "asc-bench-synthetic.json").write_text(json.dumps(marker))


def esc50_row(*, fold: int, source: int, take: str, target: int, category: str, esc10: bool) -> str:
    """A line of ``meta/esc50.csv``."""
    return f"{fold}-{source}-{take}-{target}.wav,{fold},{target},{category},{esc10},{source},{take}"


def write_esc50(root: Path, lines: Sequence[str], *, audio: bool = True, duration_s: float = 5.0) -> Path:
    """Write an ESC-50 folder from the lines of its table."""
    folder = root / "ESC-50-master"
    (folder / "meta").mkdir(parents=True)
    header = "filename,fold,target,category,esc10,src_file,take"
    (folder / "meta" / "esc50.csv").write_text("\n".join([header, *lines]) + "\n")
    for seed, line in enumerate(lines if audio else ()):
        write_wav(folder / "audio" / line.split(",")[0], duration_s=duration_s, seed=seed)
    return folder


def write_esc10(root: Path, folders: Sequence[str], *, audio: bool = False) -> Path:
    """Write an ESC-10 folder with 8 recordings of each class in each fold, empty files unless ``audio``."""
    folder = root / "ESC-10"
    for index, name in enumerate(folders):
        (folder / name).mkdir(parents=True)
        for fold in range(1, 6):
            for number in range(8):
                path = folder / name / f"{fold}-{1000 * index + 100 * fold + number}-A.ogg"
                if audio:
                    noise = np.random.default_rng(number).normal(scale=0.05, size=5 * RATE_HZ)
                    soundfile.write(path, noise, RATE_HZ, format="OGG", subtype="VORBIS")
                else:
                    path.touch()
    return folder
