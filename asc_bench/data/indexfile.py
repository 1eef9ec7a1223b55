"""The index on disk: one Parquet file for each data-set folder, whole or not believed."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from asc_bench.files import write_atomic, writing

VERSION = 3
"""Raised whenever inspection would find something else; older files are then read anew."""

IndexRow = tuple[Any, ...]
"""The columns of one file but for its path, in the order of ``COLUMNS``."""

_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("ctime_ns", pa.int64()),
        ("sha256", pa.string()),
        ("sample_rate_hz", pa.int64()),
        ("n_channels", pa.int64()),
        ("n_frames", pa.int64()),
        ("peak", pa.float64()),
        ("fault", pa.string()),
        ("container", pa.string()),
        ("subtype", pa.string()),
        ("content", pa.string()),
    ]
)
COLUMNS = tuple(_SCHEMA.names[1:])
STATE = COLUMNS[:3]
"""Those of the file as it was; the others are the fields of ``asc_bench.data.audio.AudioFacts``, in their order."""

_DIGEST = b"asc_bench_digest"
_VERSION = b"asc_bench_version"


def index_path(cache: Path, root: Path) -> Path:
    """Where the index of a data-set folder lies."""
    return cache / "index" / f"{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.parquet"


def load_index(cache: Path, root: Path) -> tuple[dict[str, IndexRow], str | None]:
    """Read the stored index of a folder.

    Returns
    -------
    rows : dict
        As given to ``save_index``; empty if there is none that can be believed.
    complaint : str or None
        What was wrong with the file, and where it was put, if it was damaged.
    """
    path = index_path(cache, root)
    if not path.exists():
        return {}, None
    try:
        table = pq.read_table(path)
        metadata = table.schema.metadata or {}
        if metadata.get(_VERSION) != str(VERSION).encode():
            return {}, None
        if table.schema.remove_metadata() != _SCHEMA or metadata.get(_DIGEST) != _digest(table):
            raise ValueError("its content does not match its digest")
    except (pa.ArrowException, OSError, ValueError) as error:
        return {}, _set_aside(path, error)
    paths, *columns = (column.to_pylist() for column in table.columns)
    return dict(zip(paths, zip(*columns, strict=True), strict=True)), None


def save_index(cache: Path, root: Path, rows: Mapping[str, IndexRow]) -> None:
    """Write the index of a folder, in one piece.

    Parameters
    ----------
    cache, root : Path
        Cache root and data-set folder.
    rows : mapping
        By absolute path of the audio file.

    Raises
    ------
    StoreError
        If the cache cannot be written.
    """
    paths = sorted(rows)
    columns = [paths, *zip(*(rows[path] for path in paths), strict=True)] if paths else [[] for _ in _SCHEMA]
    table = pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, _SCHEMA, strict=True)], _SCHEMA
    )
    table = table.replace_schema_metadata({_DIGEST: _digest(table), _VERSION: str(VERSION).encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    write_atomic(index_path(cache, root), buffer.getvalue())


def _digest(table: pa.Table) -> bytes:
    """Of the values, since Parquet itself does not notice a flipped bit."""
    whole = hashlib.sha256()
    for column in table.columns:
        if column.null_count:
            raise ValueError("it lacks values")
        values = column.combine_chunks()
        if pa.types.is_string(values.type):
            whole.update(pc.binary_length(values).to_numpy().tobytes())
            whole.update("".join(values.to_pylist()).encode())
        else:
            whole.update(values.to_numpy().tobytes())
    return whole.hexdigest().encode()


def _set_aside(path: Path, error: Exception) -> str:
    quarantine = path.parents[1] / "quarantine"
    with writing(quarantine):
        quarantine.mkdir(parents=True, exist_ok=True)
        aside = quarantine / f"{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}"
        path.replace(aside)
    return f"the audio index {path} is damaged ({error}); it is now {aside}, and every file is read again"
