"""A small folder of recordings with a table, as a laboratory has them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8_000
CLASSES = {"office": 300.0, "street": 900.0, "park": 2_000.0}
N_SITES = 6

Row = dict[str, str]


def write_folder(
    place: Path,
    *,
    per_site: int = 2,
    seconds: Callable[[int], float] = lambda i: 1.0,
    suffix: Callable[[int], str] = lambda i: ".wav",
    delimiter: str = ",",
    change: Callable[[list[Row]], Sequence[Mapping[str, str]]] = lambda rows: rows,
) -> Path:
    """Write ``audio/`` and ``meta.csv``: three classes that differ in pitch, six sites each, two devices.

    Parameters
    ----------
    place : Path
        Made.
    per_site : int
        Clips of each site.
    seconds, suffix : callable
        Length and file name ending of the clip of this number.
    delimiter : str
        Of the table.
    change : callable
        From the rows of the table to those that are written.
    """
    rng = np.random.default_rng(0)
    (place / "audio").mkdir(parents=True)
    rows: list[Row] = []
    for label, pitch_hz in CLASSES.items():
        for site in range(N_SITES):
            for take in range(per_site):
                i = len(rows)
                t = np.arange(round(seconds(i) * RATE_HZ)) / RATE_HZ
                sound = 0.3 * np.sin(2 * np.pi * pitch_hz * t) + rng.normal(scale=0.05, size=len(t))
                name = f"{label}-{site}-{take}{suffix(i)}"
                soundfile.write(place / "audio" / name, sound, RATE_HZ)
                row = {"name": f"audio/{name}", "where": f"{label}{site}", "what": label, "mic": "ab"[i % 2]}
                rows.append(
                    row | {"part": "test" if site < 2 else "val" if site == 2 else "train", "nr": f"{site % 3}"}
                )
    with (place / "meta.csv").open("w", newline="", encoding="utf-8") as file:
        changed = change(rows)
        writer = csv.DictWriter(file, list(changed[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(changed)
    return place
