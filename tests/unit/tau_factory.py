"""Small data sets in the layouts of TAU 2020 Mobile and TAU 2022 Mobile, for tests to read or to spoil."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.unit.layout_factory import meta_row, tsv

SCENES = ("airport", "bus", "park")
N_TRAIN_SPOTS = 8
TRAINED, TESTED = ("a", "b", "c", "s1", "s2", "s3"), ("a", "b", "c", "s1", "s2", "s3", "s4", "s5", "s6")
HEADER = ("filename", "scene_label", "identifier", "source_label")


def seconds_of(recording: str) -> list[str]:
    """The ten files of one second that a recording was cut into."""
    stem, _, device = recording.removesuffix(".wav").rpartition("-")
    return [f"{stem}-{second}-{device}.wav" for second in range(10)]


def recordings() -> dict[str, list[str]]:
    """File names of recordings of ten seconds by part; those of ``unused`` were made where test clips were."""
    parts: dict[str, list[str]] = {"train": [], "test": [], "unused": []}
    for index, scene in enumerate(SCENES):
        first = 100 * index
        for spot in range(N_TRAIN_SPOTS):
            parts["train"] += [f"audio/{scene}-lyon-{first + spot}-{first + spot}-{d}.wav" for d in TRAINED]
        tested = f"audio/{scene}-lyon-{first + 50}-{first + 50}"
        parts["test"] += [f"{tested}-{device}.wav" for device in TESTED]
        parts["unused"] += [
            f"audio/{scene}-lyon-{first + 50}-{first + 51}-{d}.wav" for d in ("a", "s4", "s5", "s6")
        ]
    return parts


def write_tau(root: Path, *, year: int) -> Path:
    """Write the lists of 2020 or 2022, with those of 2024 and 2025, and return the folder."""
    folder = root / f"TAU-urban-acoustic-scenes-{year}-mobile-development"
    (folder / "evaluation_setup").mkdir(parents=True)
    parts = recordings()
    if year == 2022:
        parts = {part: [file for name in names for file in seconds_of(name)] for part, names in parts.items()}
    every = [name for names in parts.values() for name in names]
    (folder / "meta.csv").write_text(tsv([meta_row(name) for name in every], HEADER))
    setup = folder / "evaluation_setup"
    (setup / "fold1_train.csv").write_text(labelled(parts["train"]))
    (setup / "fold1_evaluate.csv").write_text(labelled(parts["test"]))
    (setup / "fold1_test.csv").write_text(tsv([(name,) for name in parts["test"]], HEADER[:1]))
    if year == 2022:
        for percentage, n_spots in ((5, 2), (10, 3), (25, 4), (50, 6)):
            kept = [name for name in parts["train"] if int(name.split("-")[2]) % 100 < n_spots]
            (folder / f"split{percentage}.csv").write_text(labelled(kept))
        (folder / "test.csv").write_bytes(labelled(parts["test"]).replace("\n", "\r\n").encode())
    return folder


def labelled(names: Iterable[str]) -> str:
    """A list with labels."""
    return tsv([meta_row(name)[:2] for name in names], HEADER[:2])
