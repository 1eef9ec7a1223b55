"""A file of predictions, as challenges ask for it or other software writes it, and what is wrong in its rows."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.data.layouts.listing import read_list
from asc_bench.errors import ConfigError, DataError
from asc_bench.names import near
from asc_bench.scoring.predictions import SUM_TOLERANCE

FILE_COLUMNS = ("filename", "file", "file_name", "clip_id", "path", "fname")
LABEL_COLUMNS = ("scene_label", "label", "predicted", "predicted_label", "prediction", "scene")
PREFIX = "p_"
SEPARATORS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}
_NAMED = {name: separator for separator, name in SEPARATORS.items()}


@dataclass(frozen=True)
class PredictionFile:
    """What a file holds.

    Attributes
    ----------
    path : Path
        Where it lies.
    lines : int array, shape (n_rows,)
        Line of each row in the file, the first one being 1; of a Parquet file the row, counted from 1.
    names : list of str
        What the file calls the audio files.
    labels : list of str or None
        Predicted classes; None where there is no such column.
    probabilities : float64 array, shape (n_rows, n_classes), or None
        In the order of the classes that were asked for, NaN where a cell holds no number; None where there are
        none.
    faults : tuple of str
        What is wrong in the rows, a sentence for each kind, with the first line where it is met.
    """

    path: Path
    lines: npt.NDArray[np.int64]
    names: list[str]
    labels: list[str] | None
    probabilities: npt.NDArray[np.float64] | None
    faults: tuple[str, ...]

    def table(self, classes: Sequence[str]) -> pd.DataFrame:
        """Columns ``clip_id``, ``predicted`` and ``p_<class>`` as ``asc_bench.score`` takes them.

        Parameters
        ----------
        classes : sequence of str
            Those that it was read with.

        Raises
        ------
        DataError
            If anything is wrong in the rows.
        """
        if self.faults:
            raise DataError(f"{self.path}: " + "; ".join(self.faults))
        columns: dict[str, object] = {"clip_id": self.names}
        if self.labels is not None:
            columns["predicted"] = self.labels
        if self.probabilities is not None:
            columns |= {PREFIX + name: self.probabilities[:, i] for i, name in enumerate(classes)}
        return pd.DataFrame(columns)


def read_prediction_file(
    path: Path, classes: Sequence[str], *, separator: str = "", columns: Sequence[str] = ()
) -> PredictionFile:
    """Read CSV or Parquet: a file name, a label, and probabilities in columns called by the class or ``p_<class>``.

    Parameters
    ----------
    path : Path
        Parquet if it ends in ``.parquet``, else text.
    classes : sequence of str
        Of the protocol.
    separator : str
        One character, or ``tab``, ``comma``, ``semicolon``; found in the first line if empty.
    columns : sequence of str
        Names of the columns in order, for a file whose first line is data already.

    Raises
    ------
    DataError
        If the file cannot be read, has no rows, or rows with another number of cells than the first line.
    ConfigError
        For a separator that does not fit, or columns that are not there or not known.
    """
    if path.suffix == ".parquet":
        header, rows, first = _parquet(path)
    else:
        header, rows, first = _text(path, separator, columns)
    if not rows:
        raise DataError(f"{path}: there is no row of predictions")
    file_at, label_at, class_at = _places(path, header, classes)
    lines = np.arange(len(rows), dtype=np.int64) + first
    names = [str(row[file_at]).strip() for row in rows]
    labels = None if label_at is None else [str(row[label_at]).strip() for row in rows]
    faults = _Faults(lines, names)
    values = None
    if class_at:
        cells = [[row[i] for i in class_at] for row in rows]
        values = np.array([[_number(cell) for cell in row] for row in cells], dtype=np.float64)
        _check_numbers(faults, cells, values, classes)
    faults.add("no file name", np.array([not name for name in names]), lambda i: "the cell is empty")
    n_of = Counter(names)
    twice = pd.Series(names).duplicated().to_numpy(np.bool_)
    faults.add("a file that was given before", twice, lambda i: f"{names[i]!r} stands in {n_of[names[i]]} rows")
    if labels is not None:
        _check_labels(faults, labels, values, classes)
    return PredictionFile(path, lines, names, labels, values, tuple(faults.sentences))


class _Faults:
    """Sentences on rows: how many have a fault, and the first of them."""

    def __init__(self, lines: npt.NDArray[np.int64], names: Sequence[str]) -> None:
        self.lines, self.names = lines, names
        self.sentences: list[str] = []

    def add(self, what: str, faulty: npt.NDArray[Any], detail: Callable[[int], str]) -> None:
        """Note one kind of fault, if a row has it; ``detail`` tells of the row of this number."""
        if faulty.any():
            row, n = int(faulty.argmax()), int(faulty.sum())
            rows = "1 row has" if n == 1 else f"{n} rows have"
            self.sentences.append(f"{rows} {what}, the first in line {self.lines[row]}: {detail(row)}")


def _check_numbers(
    faults: _Faults,
    cells: Sequence[Sequence[object]],
    values: npt.NDArray[np.float64],
    classes: Sequence[str],
) -> None:
    def cell(faulty: npt.NDArray[np.bool_]) -> Callable[[int], str]:
        def detail(row: int) -> str:
            column = int(faulty[row].argmax())
            return f"{classes[column]} of {faults.names[row]!r} is {str(cells[row][column])!r}"

        return detail

    unfit = ~np.isfinite(values)
    faults.add("a probability that is no finite number", np.any(unfit, axis=1), cell(unfit))
    outside = ~unfit & ((values < 0) | (values > 1 + SUM_TOLERANCE))
    faults.add("a probability outside 0 to 1", np.any(outside, axis=1), cell(outside))
    sums = values.sum(axis=1)
    off = ~(unfit | outside).any(axis=1) & (np.abs(sums - 1) > SUM_TOLERANCE)
    faults.add(
        f"probabilities that do not sum to 1 within {SUM_TOLERANCE:g}",
        off,
        lambda i: f"those of {faults.names[i]!r} sum to {sums[i]:.6g}; give softmax outputs with more digits",
    )


def _check_labels(
    faults: _Faults, labels: Sequence[str], values: npt.NDArray[np.float64] | None, classes: Sequence[str]
) -> None:
    index = {name: i for i, name in enumerate(classes)}
    codes = np.array([index.get(label, -1) for label in labels])
    faults.add("an unknown class", codes < 0, lambda i: f"{labels[i]!r}{near(labels[i], classes)}")
    if values is None:
        return
    whole = (codes >= 0) & np.isfinite(values).all(axis=1)
    own = values[np.arange(len(codes)), np.maximum(codes, 0)]
    highest = np.where(whole[:, None], values, 0.0)
    faults.add(
        "a label that is not the most probable class",
        whole & (own < highest.max(axis=1)),
        lambda i: (
            f"{faults.names[i]!r} is {labels[i]!r} with {own[i]:g}, and {classes[int(highest[i].argmax())]!r} has "
            f"{highest[i].max():g}"
        ),
    )


def _number(cell: object) -> float:
    try:
        return float(cell)  # type: ignore[arg-type] # whatever it is: what cannot be converted raises
    except (TypeError, ValueError):
        return float("nan")


def _parquet(path: Path) -> tuple[list[str], list[Sequence[object]], int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    columns = (table.column(i).to_pylist() for i in range(table.num_columns))
    rows: list[Sequence[object]] = list(zip(*columns, strict=True))
    return [str(name) for name in table.column_names], rows, 1


def _text(path: Path, separator: str, columns: Sequence[str]) -> tuple[list[str], list[Sequence[object]], int]:
    try:
        text = read_list(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    start = text.partition("\n")[0]
    mark = _separator(path, start, separator)
    try:
        rows: list[Sequence[object]] = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error as error:
        raise DataError(f"{path} is no table: {error}") from error
    while rows and not rows[-1]:
        rows.pop()
    header, first = list(columns), 1
    if not columns and rows:
        header, rows, first = [str(cell).strip() for cell in rows[0]], rows[1:], 2
    for i, row in enumerate(rows):
        if len(row) != len(header):
            raise DataError(
                f"{path}: line {i + first} has {len(row)} cells, and there are {len(header)} columns "
                f"({', '.join(header)}), separated by {SEPARATORS.get(mark, repr(mark))}"
            )
    return header, rows, first


def _separator(path: Path, start: str, given: str) -> str:
    """The one that is named, or the one that stands in the first line."""
    there = {mark: start.count(mark) for mark in SEPARATORS if mark in start}
    mark = _NAMED.get(given, "\t" if given == "\\t" else given)
    if given and len(mark) != 1:
        raise ConfigError(f"the separator is {given!r}; give one character, or {', '.join(_NAMED)}")
    if given and mark not in start and there:
        found = SEPARATORS[max(there, key=there.__getitem__)]
        raise ConfigError(f"{path}: line 1 has no {SEPARATORS.get(mark, repr(mark))}; it is separated by {found}")
    if given:
        return mark
    if not there:
        raise ConfigError(f"{path}: line 1 has no separator ({', '.join(_NAMED)}): {start[:80]!r}; name it")
    return max(there, key=there.__getitem__)


def _places(path: Path, header: Sequence[str], classes: Sequence[str]) -> tuple[int, int | None, list[int]]:
    """Where the file name, the label and the classes stand.

    Raises
    ------
    ConfigError
        For columns that lack, stand there twice, or that nothing is known of.
    """
    twice = [name for name, n in Counter(header).items() if n > 1]
    if twice:
        raise ConfigError(f"{path}: the column {twice[0]!r} stands there twice")
    at = {name: i for i, name in enumerate(header)}
    file = next((name for name in FILE_COLUMNS if name in at), None)
    if file is None:
        raise ConfigError(
            f"{path}: there is no column of file names ({', '.join(FILE_COLUMNS)}), only {', '.join(header)}; if "
            "line 1 is data, name the columns in their order (--columns)"
        )
    label = next((name for name in LABEL_COLUMNS if name in at and name not in classes), None)
    of_class = {name: at.get(name, at.get(PREFIX + name)) for name in classes}
    found = [place for place in of_class.values() if place is not None]
    lacking = [name for name, place in of_class.items() if place is None]
    rest = [name for i, name in enumerate(header) if i not in (at[file], at.get(label or "", -1), *found)]
    if found and lacking:
        strange = f"; {', '.join(rest)} are no classes" if rest else ""
        raise ConfigError(f"{path}: there is no column of the class {lacking[0]!r}{strange}")
    if rest:
        raise ConfigError(
            f"{path}: the column {rest[0]!r} is no file name, no label and no class{near(rest[0], classes)}"
        )
    if not found and label is None:
        raise ConfigError(
            f"{path}: there are neither labels ({', '.join(LABEL_COLUMNS)}) nor columns of the classes"
        )
    return at[file], None if label is None else at[label], found
