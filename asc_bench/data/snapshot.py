"""A large data set as it was read and checked, kept so that the next command need not parse its lists again.

What it holds is believed only while every list and every audio file is as it was: lists by their sha256, audio
files by size, modification and inode-change time, as the audio index believes them. Every file is asked for these
on every run; all else is read back as a table.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import asc_bench.data
from asc_bench.data.indexfile import STATE, load_index
from asc_bench.data.layouts import Layout
from asc_bench.data.manifest import CLIP_COLUMNS, Dataset, Split
from asc_bench.files import write_atomic

LEAST_FILES = 20_000
"""Smaller data sets are read as fast from their lists."""

LARGEST_LIST = 1 << 26
"""Bytes; the largest official list has 17 million."""

_SHA256 = "sha256"
_KEPT = ("lists", "files", "binaural", "synthetic", "remarks")
"""Fields of a data set that are stored beside its tables; the others must have their defaults."""
_TABLES = ("name", "root", "clips", "splits", "file_digests", "shared_locations", "elsewhere")
_METADATA = b"asc_bench_snapshot"

_log = logging.getLogger("asc_bench")


def snapshot_path(cache: Path, root: Path) -> Path:
    """Where the snapshot of a data-set folder lies, beside its audio index."""
    return cache / "index" / f"{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.snapshot"


def load_snapshot(layout: Layout, root: Path, *, cache: Path) -> Dataset | None:
    """The data set as `save_snapshot` was given it, or None if there is none or anything has changed since.

    Parameters
    ----------
    layout : Layout
        That would read it.
    root : Path
        The data set's folder.
    cache : Path
        Cache root.
    """
    root = root.absolute()
    try:
        digest, _, content = snapshot_path(cache, root).read_bytes().partition(b"\n")
    except (OSError, UnicodeEncodeError):
        return None  # there is none, or the folder's name is no text, which whoever reads it says
    if digest != hashlib.sha256(content).hexdigest().encode():
        return None  # cut off or damaged: as good as none, and written anew
    table = pq.read_table(pa.BufferReader(content))
    about = json.loads(table.schema.metadata[_METADATA])
    key = _key(layout, root, about["audio_folders"])
    if key is None or about["key"] != key:
        return None
    paths = table["path"].to_pylist()
    if _states(paths) != list(zip(*(table[name].to_pylist() for name in STATE), strict=True)):
        return None
    clips = table.select(list(CLIP_COLUMNS)).to_pandas().astype(dict(CLIP_COLUMNS))
    ids = np.asarray(clips["clip_id"].tolist(), dtype=object)
    parts = [_in_order(ids, table[f"part{i}"].to_numpy()) for i in range(about["n_parts"])]
    dataset = Dataset(
        name=layout.name,
        root=root,
        clips=clips,
        splits=tuple(Split(name, parts[train], parts[test]) for name, (train, test) in about["splits"].items()),
        file_digests=dict(zip(paths, table[_SHA256].to_pylist(), strict=True)),
        shared_locations=frozenset(about["shared_locations"]),
        **{name: _frozen(about[name]) for name in _KEPT},
    )
    for remark in dataset.remarks:
        _log.warning("%s: %s", dataset.name, remark)
    return dataset


def save_snapshot(layout: Layout, dataset: Dataset, *, cache: Path) -> None:
    """Store a data set that was read from its lists and checked file by file, if it is large and nothing is wrong.

    Raises
    ------
    StoreError
        If the cache cannot be written.
    """
    if len(dataset.file_digests) < LEAST_FILES or not _is_plain(dataset):
        return
    stored, complaint = load_index(cache, dataset.root)
    paths = dataset.clips["path"].tolist()
    # The states are those that were seen before each file was read: it may have changed since.
    rows = [stored.get(path) for path in paths]
    if complaint is not None or None in rows:
        return
    holding = {path.rpartition("/")[0] for path in paths}
    folders = sorted(os.path.relpath(folder, dataset.root) for folder in holding)
    key = _key(layout, dataset.root, folders)
    if key is None:
        return
    states = [row[: len(STATE)] for row in rows if row is not None]
    columns: dict[str, Any] = {name: dataset.clips[name] for name in CLIP_COLUMNS}
    columns |= {name: [state[i] for state in states] for i, name in enumerate(STATE)}
    columns[_SHA256] = [dataset.file_digests[path] for path in paths]
    row_of = {clip: row for row, clip in enumerate(dataset.clips["clip_id"].tolist())}
    parts: dict[tuple[str, ...], int] = {}
    for split in dataset.splits:
        for ids in (split.train, split.test):
            if ids not in parts:
                place = np.full(len(paths), -1, dtype=np.int32)
                place[[row_of[clip] for clip in ids]] = np.arange(len(ids))
                columns[f"part{len(parts)}"] = place
                parts[ids] = len(parts)
    about = {
        "key": key,
        "audio_folders": folders,
        "n_parts": len(parts),
        "splits": {split.name: (parts[split.train], parts[split.test]) for split in dataset.splits},
        "shared_locations": sorted(dataset.shared_locations),
        **{name: getattr(dataset, name) for name in _KEPT},
    }
    table = pa.Table.from_pandas(pd.DataFrame(columns), preserve_index=False)
    table = table.replace_schema_metadata({_METADATA: json.dumps(about).encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    content = buffer.getvalue()
    write_atomic(snapshot_path(cache, dataset.root), hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def _is_plain(dataset: Dataset) -> bool:
    """Whether it is what its lists and files say, without anything missing, accepted or added."""
    extra = set(dataset.clips.columns) != set(CLIP_COLUMNS)
    blank = Dataset(name="", root=Path(), clips=dataset.clips, splits=())
    others = (f.name for f in fields(Dataset) if f.name not in (*_KEPT, *_TABLES))
    return not extra and all(getattr(dataset, name) == getattr(blank, name) for name in others)


def _key(layout: Layout, root: Path, audio_folders: list[str]) -> str | None:
    """Digest of all that decides what is read, but for the audio files: code, layout, and every other file.

    Folders of audio files count by their times, which change when a file comes or goes. Of what is too large for a
    list, such as an archive, size and times stand for the content. None for a layout of a plug-in, whose code is
    not looked at, and if something cannot be read: whoever reads the lists says why.
    """
    if not type(layout).__module__.startswith("asc_bench.data."):
        return None
    whole = hashlib.sha256(f"{_code_digest()}\0{layout!r}\0{root}".encode())
    try:
        for folder in audio_folders:
            whole.update(f"\0{folder}\0{_state(str(root / folder))}".encode("utf-8", "surrogateescape"))
        for path in _lists_below(root, {os.path.normpath(root / folder) for folder in audio_folders}):
            state = _state(path)
            content = Path(path).read_bytes() if state[0] <= LARGEST_LIST else repr(state).encode()
            whole.update(f"\0{path}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    except OSError:
        return None
    return whole.hexdigest()


def _lists_below(folder: Path | str, audio_folders: set[str]) -> Iterator[str]:
    """Files of a data set that are no audio, sorted: those outside the folders that hold its audio files."""
    if os.path.normpath(folder) in audio_folders:
        return
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir():
            yield from _lists_below(entry.path, audio_folders)
        elif entry.is_file():
            yield entry.path


def _states(paths: list[str]) -> list[tuple[int, int, int]] | None:
    """Size and times of every file; None if one of them cannot be asked."""
    try:
        return [_state(path) for path in paths]
    except OSError:
        return None


def _state(path: str) -> tuple[int, int, int]:
    found = os.stat(path)  # noqa: PTH116 - a quarter of a million of these; Path costs three times as much
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _in_order(ids: np.ndarray[Any, Any], place: np.ndarray[Any, Any]) -> tuple[str, ...]:
    """Ids of the clips that have a place, in the order of these."""
    rows = np.flatnonzero(place >= 0)
    return tuple(ids[rows[np.argsort(place[rows])]].tolist())


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@cache
def _code_digest() -> str:
    """Of all that reads and checks data sets, and what it knows of the official ones."""
    whole = hashlib.sha256()
    folder = Path(asc_bench.data.__file__).parent
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.csv"), *folder.rglob("*.json")]):
        whole.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()
