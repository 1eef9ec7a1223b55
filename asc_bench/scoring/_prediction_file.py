"""Parquet files of predictions, with the classes and the kind of the rows in their own metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from asc_bench.errors import StoreError

_METADATA_KEY = b"asc_bench"
SEGMENTS = "segments"
"""Kind of a file of multi-label predictions. Files of one label for each clip name no kind."""


def write_rows(frame: pd.DataFrame, path: Path, fields: pa.Schema, about: Mapping[str, Any]) -> None:
    """Write a frame; equal frames give equal bytes (with one version of pyarrow).

    Raises
    ------
    StoreError
        If the frame has other columns than ``fields``, or the file cannot be written.
    """
    if set(frame.columns) != set(fields.names):
        raise StoreError(f"{path}: columns {list(frame.columns)}, expected {fields.names}")
    columns = [_column(frame[field.name], field.type) for field in fields]
    schema = fields.with_metadata({_METADATA_KEY: json.dumps(about).encode()})
    try:
        # The checksums make a flipped bit an error on reading; Parquet has none by default.
        pq.write_table(pa.table(columns, schema=schema), path, compression="zstd", write_page_checksum=True)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{path}: predictions could not be written: {error}") from error


def _column(values: pd.Series, kind: pa.DataType) -> pa.Array:
    if isinstance(values.dtype, pd.StringDtype):
        whole = pa.array(values.array)
        # Pandas may hold text in several pieces, or in pieces that begin inside a longer one.
        return pa.concat_arrays(whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]).cast(kind)
    return pa.array(values.to_numpy(), type=kind)


def read_table(path: Path) -> pa.Table:
    """Read a file, with its checksums.

    Raises
    ------
    StoreError
        If the file cannot be read or is damaged.
    """
    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
        table.validate(full=True)
    # Damaged column names are met as undecodable text.
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: predictions could not be read: {error}") from error
    return table


def stored_classes(path: Path, table: pa.Table, *, kind: str, version: int) -> dict[str, list[str]]:
    """Classes by level, from the file's own metadata.

    Raises
    ------
    StoreError
        If the metadata are not ours, or of another kind or version.
    """
    try:
        about = json.loads((table.schema.metadata or {})[_METADATA_KEY])
        found, classes = about["schema_version"], about["classes"]
        stored_kind = about.get("kind", "")
    except (KeyError, TypeError, ValueError):
        raise StoreError(f"{path}: not a prediction file of asc-bench (no metadata of ours)") from None
    if stored_kind != kind:
        raise StoreError(
            f"{path}: holds {_told(stored_kind)}, not {_told(kind)}; "
            "the two cannot be scored together: read each with its own reader"
        )
    if found != version:
        raise StoreError(f"{path}: prediction schema {found!r}, this version of asc-bench reads {version}")
    if not isinstance(classes, dict) or not all(isinstance(names, list) for names in classes.values()):
        raise StoreError(f"{path}: the metadata name no classes by level: {classes!r}")
    return classes


def rows_of(path: Path, table: pa.Table, fields: pa.Schema) -> pd.DataFrame:
    """The rows as a frame.

    Raises
    ------
    StoreError
        For other columns than ``fields``, or empty cells.
    """
    if not table.schema.equals(fields, check_metadata=False):
        raise StoreError(f"{path}: not a prediction file, its columns are {table.schema.to_string()}")
    holes = [name for name in fields.names if table[name].null_count]
    if holes:
        raise StoreError(f"{path}: empty cells in columns {holes}")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _told(kind: str) -> str:
    known = {"": "predictions of one label for each clip", SEGMENTS: "multi-label predictions by segment"}
    return known.get(kind, f"predictions of the kind {kind!r}")
