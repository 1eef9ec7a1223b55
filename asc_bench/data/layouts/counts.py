"""How many clips a data set must have: the official numbers, or what a synthetic dataset says of itself."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from asc_bench.data.manifest import Split
from asc_bench.errors import DataError

SYNTHETIC_MARKER = "asc-bench-synthetic.json"

PartCounts = Mapping[str, int]
"""Clips by device, ``""`` where a data set has no devices."""

Cells = Mapping[tuple[str, str], int]
"""Clips by scene and device."""

WHOLE = ("", "all")
"""Stands for fold and part of the list of all clips."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Clip counts to hold a data set against.

    Attributes
    ----------
    n_clips : int
        All listed clips, in a fold or not.
    folds : mapping
        Fold name to ``{"train": {device: n}, "test": {device: n}}``; a part that is left out is not checked.
    per_scene : mapping
        Device to clips of each scene; empty where not stated.
    per_scene_test : mapping
        Device to test clips of each scene in each fold; empty where not stated.
    folds_known : bool
        False where nothing is known of any fold: then those that are found are taken as they are.
    cells_of : str
        Layout whose rows of ``resources/list_counts.csv`` hold as well, list by list, for every scene and device;
        empty where not stated.
    origin : str
        Whose counts these are, a word for the messages.
    digests : mapping
        Of the lists that a synthetic dataset was written with, as ``asc_bench.data.official_lists.digests_of``
        gives them.
    """

    n_clips: int
    folds: Mapping[str, Mapping[str, PartCounts]]
    per_scene: PartCounts = field(default_factory=dict)
    per_scene_test: PartCounts = field(default_factory=dict)
    folds_known: bool = True
    cells_of: str = ""
    origin: str = "official"
    digests: Mapping[tuple[str, str], str] = field(default_factory=dict)


def clip_shortfalls(clips: pd.DataFrame, counts: Counts, scenes: Sequence[str]) -> tuple[str, ...]:
    """Say where the listed clips differ from the counts, one sentence each; empty if nowhere."""
    by_scene = Counter(zip(clips["scene"].tolist(), clips["device"].tolist(), strict=True))
    found = [("in all", len(clips), counts.n_clips), *_of_scenes("", by_scene, counts.per_scene, scenes)]
    return _sentences([*found, *_of_cells("", by_scene, cells_of(counts.cells_of).get(WHOLE, {}))], counts)


def fold_shortfalls(
    clips: pd.DataFrame, splits: Sequence[Split], counts: Counts, scenes: Sequence[str]
) -> tuple[str, ...]:
    """Say where the folds differ from the counts, one sentence each; empty if nowhere."""
    every = clips["clip_id"].tolist()
    device = dict(zip(every, clips["device"].tolist(), strict=True))
    scene = dict(zip(every, clips["scene"].tolist(), strict=True))
    found: list[tuple[str, int, int]] = []
    official = dict(counts.folds)
    cells_in: dict[tuple[str, ...], Counter[tuple[str, str]]] = {}  # folds may share a part
    for split in splits if counts.folds_known else ():
        expected = official.pop(split.name, {"train": {}, "test": {}})
        for part, ids in (("train", split.train), ("test", split.test)):
            if part not in expected:
                continue
            if ids not in cells_in:
                cells_in[ids] = Counter([(scene[c], device[c]) for c in ids])
            in_part = cells_in[ids]
            listed: Counter[str] = Counter()
            for (_, name), n in in_part.items():
                listed[name] += n
            for name in sorted({*listed, *expected[part]}):
                where = f"{split.name} {part}" + (f", device {name}" if name else "")
                found.append((where, listed[name], expected[part].get(name, 0)))
            cells = cells_of(counts.cells_of).get((split.name, part), {})
            found += _of_cells(f"{split.name} {part}, ", in_part, cells)
        in_test = cells_in.get(split.test) or Counter([(scene[c], device[c]) for c in split.test])
        found += _of_scenes(f"{split.name} test, ", in_test, counts.per_scene_test, scenes)
    return (*_sentences(found, counts), *(f"{name}: no such fold found" for name in official))


def _sentences(found: Iterable[tuple[str, int, int]], counts: Counts) -> tuple[str, ...]:
    return tuple(
        f"{where}: {n} clips listed, {wanted} {counts.origin}" for where, n, wanted in found if n != wanted
    )


def _of_scenes(
    prefix: str, listed: Counter[tuple[str, str]], wanted: PartCounts, scenes: Sequence[str]
) -> Iterator[tuple[str, int, int]]:
    for scene in scenes:
        for device, n in wanted.items():
            where = f"{prefix}{scene}" + (f", device {device}" if device else "")
            yield where, listed[scene, device], n


def _of_cells(prefix: str, listed: Counter[tuple[str, str]], wanted: Cells) -> Iterator[tuple[str, int, int]]:
    for (scene, device), n in wanted.items():
        yield f"{prefix}{scene}, device {device}", listed[scene, device], n


def cells_of(layout: str) -> Mapping[tuple[str, str], Cells]:
    """Official clips of a layout by fold and part, or ``WHOLE``, then by scene and device; empty if not known."""
    return _listed(layout, "clips")


def locations_of(layout: str) -> Mapping[tuple[str, str], Cells]:
    """The same of the locations at which each device recorded each scene."""
    return _listed(layout, "locations")


@cache
def _listed(layout: str, column: str) -> Mapping[tuple[str, str], Cells]:
    found: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    with (files("asc_bench.data.resources") / "list_counts.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["layout"] == layout:
                cells = found.setdefault((row["fold"], row["part"]), {})
                cells[row["scene"], row["device"]] = int(row[column])
    return MappingProxyType(found)


def synthetic_counts(root: Path, layout: str) -> Counts | None:
    """Counts, and digests of lists, that a synthetic dataset states in its marker; None for a folder without one.

    Raises
    ------
    DataError
        If the marker is malformed or belongs to another layout.
    """
    path = root / SYNTHETIC_MARKER
    if not path.is_file():
        return None
    try:
        marker = json.loads(path.read_text(encoding="utf-8"))
        if marker["layout"] != layout:
            raise DataError(f"{path}: is a synthetic dataset for {marker['layout']!r}, not for {layout!r}")
        stated = marker["counts"]
        folds = {
            str(fold): {part: {str(d): int(n) for d, n in parts[part].items()} for part in ("train", "test")}
            for fold, parts in stated["folds"].items()
        }
        digests = {
            (str(fold), str(part)): str(sha256)
            for fold, parts in marker.get("lists", {}).items()
            for part, sha256 in parts.items()
        }
        return Counts(n_clips=int(stated["n_clips"]), folds=folds, origin="stated by the marker", digests=digests)
    except (
        OSError,
        ValueError,
        OverflowError,
        RecursionError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        raise DataError(
            f"{path}: is not a marker of a synthetic dataset ({error!r}); write the dataset again"
        ) from error
