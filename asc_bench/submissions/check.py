"""Whether a submission is whole: its files, their rows, and its meta file."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from asc_bench.errors import AscBenchError, ConfigError, DataError
from asc_bench.submissions.evaluation import list_rows
from asc_bench.submissions.meta import LABEL, default_label, read_meta
from asc_bench.submissions.meta_check import meta_faults
from asc_bench.submissions.prediction_file import read_prediction_file
from asc_bench.submissions.years import CLASSES, SEPARATOR, Year

META = ".meta.yaml"


def submission_faults(folder: Path, year: Year, *, files: Collection[str] = ()) -> list[str]:
    """Everything that is wrong, more than the official validators look at.

    Parameters
    ----------
    folder : Path
        Of one submission: ``LABEL.meta.yaml``, and ``LABEL.output.csv`` or the five files of 2024.
    year : Year
        Challenge.
    files : collection of str
        Names of the files to be predicted, see `listed_files`; those of the year's evaluation set if empty.

    Raises
    ------
    ConfigError
        If the year's list is not known and none is given.
    DataError
        If the folder holds no meta file, or several.
    """
    if not files and year.n_files is None:
        raise ConfigError(
            f"the files of {year.year} have to be named: give evaluation_setup/fold1_test.csv (--list)"
        )
    wanted = {_base(name) for name in files} or {f"{i}.wav" for i in range(year.n_files or 0)}
    found = sorted(path.name for path in folder.glob(f"*{META}"))
    if len(found) != 1:
        raise DataError(f"{folder} holds {len(found)} files LABEL{META}; a submission has one")
    label = found[0].removesuffix(META)
    faults = list(_label_faults(label, year))
    expected = [year.file_name(label, output) for output in year.outputs]
    strange = sorted(path.name for path in folder.glob("*.csv") if path.name not in expected)
    faults += [f"{name} is no file of the submission {label!r} in {year.year}" for name in strange]
    for name in expected:
        faults += [f"{name}: {fault}" for fault in _output_faults(folder / name, wanted)]
    try:
        meta = read_meta(folder / found[0])
    except DataError as error:
        return [*faults, str(error)]
    return [*faults, *(f"{found[0]}: {fault}" for fault in meta_faults(meta, year, label))]


def listed_files(path: Path) -> list[str]:
    """Names in the column ``filename`` of a list such as ``evaluation_setup/fold1_test.csv``, separated by tabs.

    Without such a heading they are in the first column.

    Raises
    ------
    DataError
        If it cannot be read, is empty, is separated by something else, or a row is too short.
    """
    rows = list_rows(path)
    at = rows[0].index("filename") if rows and "filename" in rows[0] else 0
    short = next((row for row in rows if len(row) <= at), None)
    if short is not None:
        raise DataError(f"{path}: the row of {short[0]!r} has {len(short)} cells, and no file name")
    names = [row[at] for row in rows if row[at] != "filename"]
    if not names:
        raise DataError(f"{path}: the list names no file")
    return names


def _label_faults(label: str, year: Year) -> Iterator[str]:
    match = LABEL.match(label)
    if match is None or match["task"] != year.task:
        yield f"the label {label!r} is not of the form Lastname_Institute_{year.task}_1 (the last number is 1 to 4)"
    elif label == default_label(year):
        yield f"the label {label!r} names no author and no institute"


def _output_faults(path: Path, wanted: Collection[str]) -> list[str]:
    if not path.is_file():
        return ["the file is missing"]
    try:
        read = read_prediction_file(path, CLASSES, separator=SEPARATOR)
    except AscBenchError as error:
        return [str(error).removeprefix(f"{path}: ")]
    if path.read_bytes().startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ["the file is UTF-16, which validators do not read: save it as UTF-8"]
    faults = list(_header_faults(path)) + list(read.faults)
    return [*faults, *_file_faults(read.names, wanted)]


def _header_faults(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline().rstrip("\r\n").split(SEPARATOR)
    fields = ["filename", "scene_label", *CLASSES]
    if sorted(header) != sorted(fields):
        yield f"line 1 must name the columns {', '.join(fields)}, and names {', '.join(header)}"


def _file_faults(names: Sequence[str], wanted: Collection[str]) -> Iterator[str]:
    bases = [_base(name) for name in names]
    there = set(bases)
    lacking, strange = sorted(set(wanted) - there), sorted(there - set(wanted))
    if lacking:
        yield f"{len(lacking)} of {len(wanted)} files have no row, such as {lacking[0]!r}"
    if strange:
        yield f"{len(strange)} files are not in the list, such as {strange[0]!r}"
    if len(set(names)) == len(names) and len(there) < len(bases):
        twice, n = Counter(bases).most_common(1)[0]
        yield f"{twice!r} stands in {n} rows, in different folders"


def _base(name: str) -> str:
    return PurePosixPath(name).name
