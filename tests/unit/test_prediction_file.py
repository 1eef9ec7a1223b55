"""Files of predictions, written by hand: right ones, and each thing that can be wrong in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asc_bench.errors import ConfigError, DataError
from asc_bench.submissions.prediction_file import PredictionFile, read_prediction_file

CLASSES = ("bus", "park", "tram")
GOOD = """filename\tscene_label\tbus\tpark\ttram
audio/0.wav\tbus\t0.7\t0.2\t0.1
audio/1.wav\ttram\t0.25\t0.25\t0.5
"""


def read(folder: Path, text: str, **options: object) -> PredictionFile:
    path = folder / "mine.csv"
    path.write_text(text)
    return read_prediction_file(path, CLASSES, **options)  # type: ignore[arg-type]


def fault(folder: Path, old: str, new: str) -> str:
    """The only fault of the good file with something else in it."""
    assert old in GOOD
    (only,) = read(folder, GOOD.replace(old, new)).faults
    return only


def test_a_right_file(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert not found.faults
    assert found.names == ["audio/0.wav", "audio/1.wav"]
    assert found.labels == ["bus", "tram"]
    assert found.probabilities is not None
    np.testing.assert_array_equal(found.probabilities, [[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]])
    table = found.table(CLASSES)
    assert list(table.columns) == ["clip_id", "predicted", "p_bus", "p_park", "p_tram"]


@pytest.mark.parametrize("mark", [",", ";", "|"])
def test_other_separators_are_found(tmp_path: Path, mark: str) -> None:
    assert read(tmp_path, GOOD.replace("\t", mark)).names == ["audio/0.wav", "audio/1.wav"]


def test_line_ends_and_byte_order_mark_of_spreadsheets(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_prediction_file(tmp_path / "mine.csv", CLASSES).labels == ["bus", "tram"]


def test_utf_16_as_spreadsheets_save_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(GOOD, encoding="utf-16")
    found = read_prediction_file(path, CLASSES)
    assert not found.faults
    assert (found.names, found.lines.tolist()) == (["audio/0.wav", "audio/1.wav"], [2, 3])


def test_columns_by_prefix_and_in_any_order(tmp_path: Path) -> None:
    found = read(tmp_path, "p_tram,p_bus,p_park,clip_id\n0.1,0.7,0.2,x\n")
    assert found.labels is None
    assert found.probabilities is not None
    np.testing.assert_array_equal(found.probabilities, [[0.7, 0.2, 0.1]])


def test_without_a_header_the_columns_are_named(tmp_path: Path) -> None:
    found = read(tmp_path, "0.wav,bus\n1.wav,park\n", columns=("filename", "label"))
    assert (found.names, found.labels, found.probabilities) == (["0.wav", "1.wav"], ["bus", "park"], None)
    with pytest.raises(ConfigError, match=r"no column of file names .*, only 0\.wav, bus; if line 1 is data, name"):
        read(tmp_path, "0.wav,bus\n1.wav,park\n")


def test_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"file": ["0.wav"], "bus": [0.9], "park": [0.1], "tram": [0.0]})
    frame.to_parquet(tmp_path / "mine.parquet")
    found = read_prediction_file(tmp_path / "mine.parquet", CLASSES)
    assert not found.faults
    assert found.probabilities is not None
    np.testing.assert_array_equal(found.probabilities, [[0.9, 0.1, 0.0]])
    (tmp_path / "broken.parquet").write_text("nothing")
    with pytest.raises(DataError, match=r"broken\.parquet cannot be read"):
        read_prediction_file(tmp_path / "broken.parquet", CLASSES)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "1.wav",
            "0.wav",
            "1 row has a file that was given before, the first in line 3: 'audio/0.wav' stands in 2",
        ),
        (
            "\tbus\t0.7",
            "\tbuss\t0.7",
            "1 row has an unknown class, the first in line 2: 'buss'; did you mean 'bus'?",
        ),
        ("0.7", "0.6", "sum to 1 within 0.001, the first in line 2: those of 'audio/0.wav' sum to 0.9"),
        (
            "tram\t0.25",
            "park\t0.25",
            "most probable class, the first in line 3: 'audio/1.wav' is 'park' with 0.25, ",
        ),
        ("0.7", "nan", "no finite number, the first in line 2: bus of 'audio/0.wav' is 'nan'"),
        ("0.7", "inf", "no finite number, the first in line 2: bus of 'audio/0.wav' is 'inf'"),
        ("0.5", "", "no finite number, the first in line 3: tram of 'audio/1.wav' is ''"),
        ("0.5", "half", "no finite number, the first in line 3: tram of 'audio/1.wav' is 'half'"),
        ("0.7\t0.2\t0.1", "1.2\t-0.1\t-0.1", "outside 0 to 1, the first in line 2: bus of 'audio/0.wav' is '1.2'"),
        ("audio/1.wav", "", "1 row has no file name, the first in line 3: the cell is empty"),
    ],
)
def test_what_is_wrong_in_a_row(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in fault(tmp_path, old, new)


def test_several_faults_are_told_together(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD.replace("0.7", "0.6").replace("1.wav\ttram", "0.wav\ttrain"))
    assert len(found.faults) == 3
    with pytest.raises(DataError, match=r"(?s)sum to 0\.9.*given before.*'train'; did you mean 'tram'"):
        found.table(CLASSES)


def test_a_label_among_equally_probable_classes_is_right(tmp_path: Path) -> None:
    assert not read(tmp_path, GOOD.replace("0.25\t0.25\t0.5", "0.5\t0\t0.5")).faults


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        (GOOD, {"separator": "comma"}, ConfigError, "line 1 has no comma; it is separated by tab"),
        (GOOD, {"separator": "::"}, ConfigError, "the separator is '::'; give one character, or tab, comma"),
        ("filename\n0.wav\n", {}, ConfigError, "line 1 has no separator"),
        (GOOD.replace("\t0.1\n", "\n"), {}, DataError, "line 2 has 4 cells, and there are 5 columns"),
        (GOOD.replace("tram\n", "train\n"), {}, ConfigError, "no column of the class 'tram'; train are no classes"),
        (
            GOOD.replace("\tbus\tpark\ttram\n", "\tbus\tbus\ttram\n"),
            {},
            ConfigError,
            "column 'bus' stands there twi",
        ),
        (
            "filename,bus,park,tram,note\n0,1,0,0,x\n",
            {},
            ConfigError,
            "column 'note' is no file name, no label and",
        ),
        ("filename,", {}, DataError, "there is no row of predictions"),
        ("clip_id,fname\nx,y\n", {}, ConfigError, "the column 'fname' is no file name, no label and no class"),
        ('filename,label\n"0.wav,bus\n', {}, DataError, "is no table"),
    ],
)
def test_what_is_no_such_table(
    tmp_path: Path, text: str, options: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(tmp_path, text, **options)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv cannot be read"):
        read_prediction_file(tmp_path / "none.csv", CLASSES)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"bytes\.csv is not UTF-8 text .*; save it as UTF-8"):
        read_prediction_file(tmp_path / "bytes.csv", CLASSES)
