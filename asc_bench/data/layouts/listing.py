"""List files of data sets: small tables that came from the internet and are believed only line by line."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asc_bench.errors import DataError


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list file, with where it stands for the error messages."""

    path: Path
    line: int
    values: tuple[str, ...]

    def error(self, what: str) -> DataError:
        """An error about this line."""
        return DataError(f"{self.path}, line {self.line}: {what}")


def read_rows(
    path: Path,
    *,
    columns: Sequence[str],
    delimiter: str = "\t",
    header: bool = True,
    optional: int = 0,
    quoted: bool = False,
) -> list[Row]:
    """Read a list file; a byte order mark, CRLF and a missing last newline make no difference.

    Parameters
    ----------
    path : Path
        UTF-8 text.
    columns : sequence of str
        Official column names, in order.
    delimiter : str
        Tab for the TUT and TAU lists (though some are named ``.csv``), comma for ESC.
    header : bool
        Whether the official file starts with the column names.
    optional : int
        How many of the last columns may be absent, then in every row.
    quoted : bool
        Whether a value that holds the delimiter stands in double quotes.

    Raises
    ------
    DataError
        If the file is missing or unreadable, has other columns, or is a comma separated copy of a tab
        separated list.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path} is missing: was the archive with the lists unpacked?") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )
    try:
        rows = [Row(path, reader.line_num, tuple(values)) for values in reader if values]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from error
    if not rows:
        raise DataError(f"{path} is empty")
    first = rows[0]
    if len(first.values) == 1 < len(columns) and delimiter == "\t" and "," in first.values[0]:
        raise first.error(
            "comma separated, but the official list is tab separated: this is a modified copy; "
            "use the file of the official archive"
        )
    if header:
        if first.values != tuple(columns):
            raise first.error(f"the columns are {list(first.values)}, the official ones are {list(columns)}")
        rows = rows[1:]
    n_columns = min(len(columns), max(len(rows[0].values), len(columns) - optional)) if rows else 0
    for row in rows:
        if len(row.values) != n_columns:
            raise row.error(
                f"{len(row.values)} columns instead of {n_columns} ({', '.join(columns[:n_columns])}): {row.values}"
            )
    return rows


def check_file_name(row: Row, name: str) -> None:
    """Refuse a file name that leads out of its folder.

    Raises
    ------
    DataError
        For an absolute name, ``..``, a backslash, or control characters.
    """
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in name or not name.isprintable():
        raise row.error(f"file name {name!r} leads outside the data set's folder")


def check_once(rows: Iterable[Row]) -> None:
    """Refuse a list whose first column names a file twice."""
    lines: dict[str, int] = {}
    for row in rows:
        name = row.values[0]
        if name in lines:
            raise row.error(f"{name!r} stands already in line {lines[name]}")
        lines[name] = row.line


def files_in(folder: Path) -> frozenset[str]:
    """Names of the files in a folder, by one scan; empty if there is no such folder."""
    if not folder.is_dir():
        return frozenset()
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error}") from error
