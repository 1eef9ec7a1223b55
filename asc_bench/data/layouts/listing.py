"""List files of data sets: small tables that came from the internet and are believed only line by line."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import count, repeat
from pathlib import Path
from typing import NamedTuple

from asc_bench.data.foreign import N_BYTES, foreign_kind, is_side_car
from asc_bench.data.nearby import near_path
from asc_bench.errors import DataError

_DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon"}
_TRIMMED = '" \t\v\f\x1c\x1d\x1e\x1f'
_FORMULA_ERRORS = frozenset({"#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#N/A"})


class Row(NamedTuple):
    """One line of a list file, with where it stands for the error messages."""

    path: Path
    line: int
    values: tuple[str, ...]

    def error(self, what: str) -> DataError:
        """An error about this line."""
        return DataError(f"{self.path}, line {self.line}: {what}")


def read_list(path: Path) -> str:
    """Text of a list file: UTF-8, or UTF-16 with the byte order mark that spreadsheets write.

    Raises
    ------
    FileNotFoundError
        If there is none.
    DataError
        For what is no text, with the place in the file, or what it is instead.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    kind = foreign_kind(raw[:N_BYTES]) if raw else None
    if kind is not None:
        raise DataError(f"{path} is no text, it {kind}")
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}, line {line}: "
            f"{raw[max(0, error.start - 10) : error.start + 10]!r}); save it as UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{path}, line {line}: has zero bytes, as UTF-16 without a mark does; save it as UTF-8")
    if text.lower().startswith("sep="):
        raise DataError(f"{path}, line 1: {text.splitlines()[0]!r} is for spreadsheets alone; delete this line")
    return text


def read_rows(
    path: Path,
    *,
    columns: Sequence[str],
    delimiter: str = "\t",
    header: bool = True,
    optional: int = 0,
) -> list[Row]:
    """Read a list file, as it was published or as a spreadsheet saves it.

    A byte order mark, UTF-16, CRLF, a missing last newline, quotes around values, blanks around them, empty lines
    and empty cells behind the last column make no difference.

    Parameters
    ----------
    path : Path
        The list.
    columns : sequence of str
        Official column names, in order.
    delimiter : str
        Tab for the TUT and TAU lists (though some are named ``.csv``), comma for ESC. Several characters for a
        list with a header that may have any of them.
    header : bool
        Whether the official file starts with the column names.
    optional : int
        How many of the last columns may be absent, then in every row.

    Raises
    ------
    DataError
        If the file is missing or unreadable, has other columns, is a copy with another delimiter, or holds a quote
        that is not closed or what a spreadsheet made of a value that it took for a formula.
    """
    try:
        text = read_list(path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing: was the archive with the lists unpacked?{near_path(path)}") from None
    for mark in delimiter:
        rows = _parsed(path, text, mark, len(columns))
        if not rows:
            raise DataError(f"{path} is empty")
        if rows[0].values == tuple(columns):
            break
    else:
        rows = _parsed(path, text, delimiter[0], len(columns))
    first = rows[0]
    if len(first.values) == 1 < len(columns):
        for mark in _DELIMITERS:
            if mark not in delimiter and mark in first.values[0]:
                official = _DELIMITERS[delimiter[0]]
                raise first.error(
                    f"{_DELIMITERS[mark]} separated, but the official list is {official} separated: "
                    "this is a modified copy; use the file of the official archive"
                )
    if header:
        shortest = max(len(columns) - optional, 1)
        if first.values not in [tuple(columns[:n]) for n in range(shortest, len(columns) + 1)]:
            raise first.error(f"the columns are {list(first.values)}, the official ones are {list(columns)}")
        rows = rows[1:]
    n_columns = min(len(columns), max(len(rows[0].values), len(columns) - optional)) if rows else 0
    for row in rows:
        if len(row.values) != n_columns:
            raise row.error(
                f"{len(row.values)} columns instead of {n_columns} ({', '.join(columns[:n_columns])}): {row.values}"
            )
    if "#" in text:
        for row in rows:
            for value in row.values:
                refuse_formula(value, f"{path}, line {row.line}")
    return rows


def _parsed(path: Path, text: str, delimiter: str, n_columns: int) -> list[Row]:
    """Lines as trimmed cells; without empty lines, and without empty cells behind the last column."""
    if _is_plain(text, delimiter):
        plain = [tuple(line.split(delimiter)) for line in text.splitlines()]
        if max(map(len, plain), default=0) <= n_columns:
            return [row for row in map(Row, repeat(path), count(1), plain) if row.values != ("",)]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    rows = []
    try:
        for cells in reader:
            values = [cell.strip() for cell in cells]
            while len(values) > n_columns and not values[-1]:
                values.pop()
            row = Row(path, reader.line_num, tuple(values))
            stray = next((value for value in values if '"' in value or "\n" in value or "\r" in value), None)
            if stray is not None:
                raise row.error(f"{stray!r} holds a quote or a line break: a quote is not closed, here or before")
            if any(values):
                rows.append(row)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; is a quote not closed?") from error
    return rows


def _is_plain(text: str, delimiter: str) -> bool:
    """Whether cells are what stands between delimiters: nothing to trim or to unquote, as in most published lists.

    Splitting such a list takes a fifth of the time that a CSV reader does, which counts at half a million rows.
    """
    trimmed = _TRIMMED.replace(delimiter, "")
    return text.isascii() and text.count("\r") == text.count("\r\n") and not any(c in text for c in trimmed)


def refuse_formula(value: str, where: str) -> None:
    """Refuse what a spreadsheet leaves of a value that it took for a formula, such as ``-0abc``: ``#NAME?``."""
    if value in _FORMULA_ERRORS:
        raise DataError(
            f"{where}: {value} is what a spreadsheet made of a value that it took for a formula; restore the value"
        )


def refuse_twins(rows: Sequence[Row], labels: Sequence[str]) -> None:
    """Refuse labels of one list, in the order of its rows, that hardly differ: `label_twins`."""
    twins = label_twins(labels)
    if twins:
        here, before = twins
        raise rows[here].error(
            f"label {labels[here]!r} differs from {labels[before]!r} in line {rows[before].line} in case, blanks, "
            "hyphens or accents only; write one of them"
        )


def label_twins(labels: Sequence[str]) -> tuple[int, int] | None:
    """Where a label stands that differs from an earlier one only so little, and where that one stands.

    Two such labels would be two classes, the one of them new and nobody's intention.
    """
    first: dict[str, int] = {}
    for i, label in enumerate(labels):
        plain = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", label).casefold()).strip()
        before = first.setdefault(plain, i)
        if labels[before] != label:
            return i, before
    return None


def is_true(row: Row, column: str, value: str) -> bool:
    """Read ``True`` or ``False``, in letters of any case, as spreadsheets write them in capitals.

    Raises
    ------
    DataError
        For any other value.
    """
    if value.lower() not in ("true", "false"):
        raise row.error(f"{column} is {value!r}, neither True nor False")
    return value.lower() == "true"


def check_file_name(row: Row, name: str) -> None:
    """Refuse a file name that leads out of its folder, or that only another system would find.

    Raises
    ------
    DataError
        For an absolute name, ``..``, a drive, a backslash, or control characters.
    """
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":"):
        raise row.error(f"file name {name!r} leads outside the data set's folder")
    if not name.isprintable():
        raise row.error(f"file name {name!r} holds control characters")
    if "\\" in name:
        slashed = name.replace("\\", "/")
        raise row.error(f"file name {name!r} has backslashes, as Windows writes them; write it as {slashed!r}")


def check_once(rows: Iterable[Row]) -> None:
    """Refuse a list whose first column names a file twice."""
    lines: dict[str, int] = {}
    for row in rows:
        name = row.values[0]
        if name in lines:
            raise row.error(f"{name!r} stands already in line {lines[name]}")
        lines[name] = row.line


def files_in(folder: Path) -> frozenset[str]:
    """Names of the files in a folder, by one scan, without side-car files; empty if there is no such folder."""
    if not folder.is_dir():
        return frozenset()
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file() and not is_side_car(entry.name))
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error}") from error
