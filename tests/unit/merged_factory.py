"""The scene sets of the merged taxonomy, small, in their official layouts, for tests to read or to spoil."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from tests.unit.layout_factory import RATE_HZ, tsv

LITIS_FILES = (
    "bus1.wav",
    "bus2.wav",
    "bus3.wav",
    "busystreet1.wav",
    "busystreet2.wav",
    "hallgare1.wav",
    "hall1.wav",
)
LITIS_TESTED = (("bus1.wav", "bus2.wav", "hall1.wav"), ("bus3.wav", "busystreet1.wav"))
"""Files on the test side of the odd and of the even divisions: bus1 and bus2 are always together."""


def write_stereo(path: Path, *, duration_s: float, seed: int = 0) -> None:
    """Low noise on two channels."""
    noise = np.random.default_rng(seed).normal(scale=0.05, size=(round(duration_s * RATE_HZ), 2))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise, RATE_HZ)


def write_litis(
    root: Path,
    *,
    files: Sequence[str] = LITIS_FILES,
    tested: Sequence[Sequence[str]] = LITIS_TESTED,
    separator: str = "\t",
    first_id: int = 1,
    n_divisions: int = 20,
    duration_s: float = 30.0,
) -> Path:
    """LITIS Rouen: three lists, and wave files of noise unless ``duration_s`` is 0."""
    folder = root / "LITIS-Rouen"
    (folder / "data_rouen").mkdir(parents=True)
    ids = {name: number for number, name in enumerate(files, start=first_id)}
    (folder / "relation_wav_examples.txt").write_text(
        "".join(f"{name}{separator}{number}\n" for name, number in ids.items())
    )
    divisions = [tested[i % len(tested)] for i in range(n_divisions)]
    lines = {
        "Learn": [[n for n in files if n not in division] for division in divisions],
        "Test": divisions,
    }
    for part, its in lines.items():
        text = "".join("   " + "   ".join(f"{ids[n]:.7e}" for n in names) + "\n" for names in its)
        (folder / f"fold3026-matrices_{part}.txt").write_text(text)
    for seed, name in enumerate(files if duration_s else ()):
        write_stereo(folder / "data_rouen" / name, duration_s=duration_s, seed=seed)
    return folder


def tut_2017_rows() -> list[tuple[str, str, str]]:
    """Two labels, four places each, two clips of each place."""
    return [
        (f"audio/{place}_{start}_{start + 10}.wav", label, place)
        for letter, label in (("a", "beach"), ("c", "cafe/restaurant"))
        for place in (f"{letter}{i:03d}" for i in range(4))
        for start in (0, 10)
    ]


def write_tut_2017(
    root: Path,
    part: str = "development",
    *,
    rows: Sequence[Sequence[str]] | None = None,
    audio: bool = True,
    lists: Mapping[str, str] | None = None,
) -> Path:
    """Development set with four folds, or evaluation set; ``lists`` replaces files by other text."""
    folder = root / f"TUT-acoustic-scenes-2017-{part}"
    setup = folder / "evaluation_setup"
    setup.mkdir(parents=True)
    rows = tut_2017_rows() if rows is None else rows
    (folder / "meta.txt").write_text(tsv(rows))
    for fold in range(1, 5) if part == "development" else ():
        tested = [row for row in rows if int(row[2][1:]) % 4 == fold - 1]
        trained = [row for row in rows if row not in tested]
        for name, its, n in (("train", trained, 2), ("evaluate", tested, 2), ("test", tested, 1)):
            (setup / f"fold{fold}_{name}.txt").write_text(tsv([row[:n] for row in its]))
    for name, text in (lists or {}).items():
        (folder / name).write_text(text)
    for seed, row in enumerate(rows if audio else ()):
        write_stereo(folder / row[0], duration_s=10.0, seed=seed)
    return folder


def write_dares(root: Path, rows: Sequence[Sequence[str]], *, audio: bool = True) -> Path:
    """DARES-G1 as its owner may lay it out: recordings of a minute and a manifest."""
    folder = root / "DARES-G1"
    folder.mkdir(parents=True)
    lines = [("filename", "label", "group"), *rows]
    (folder / "manifest.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    for seed, row in enumerate(rows if audio else ()):
        write_stereo(folder / row[0], duration_s=60.0, seed=seed)
    return folder
