"""Lists as spreadsheets, Windows and failed downloads leave them: read where it is clear, else named by line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from asc_bench.bench.source import Source
from asc_bench.data.layouts import LAYOUTS, FolderLayout
from asc_bench.data.layouts.listing import files_in, read_rows
from asc_bench.errors import DataError
from tests.unit.layout_factory import esc50_row, write_esc50, write_tut
from tests.unit.own_folder import write_folder

COLUMNS = ("filename", "label", "group")
PLAIN = "filename,label,group\na.wav,cafe,1\nb.wav,air horn,2\n"
ROWS = [("a.wav", "cafe", "1"), ("b.wav", "air horn", "2")]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.replace("cafe", '"cafe"').replace("1", '"1"').encode(),
        PLAIN.replace(",", " , ").encode(),
        PLAIN.replace("\n", ",,\n").encode(),
        (PLAIN + ",,\n  \n\n").encode(),
        PLAIN.rstrip("\n").encode(),
    ],
    ids=["plain", "mark", "utf-16", "big endian", "quotes", "blanks", "empty columns", "empty lines", "no end"],
)
def test_what_makes_no_difference(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    assert [row.values for row in read_rows(path, columns=COLUMNS, delimiter=",")] == ROWS


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_list_of_ones_own_may_have_any_delimiter(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(PLAIN.replace(",", delimiter))
    assert [row.values for row in read_rows(path, columns=COLUMNS, delimiter=",;\t")] == ROWS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PLAIN.replace(",", ";"), r"line 1: semicolon separated, but the official list is comma separated"),
        (PLAIN.replace(",", "\t"), r"line 1: tab separated, but the official list is comma separated"),
        (PLAIN.replace("cafe", '"cafe'), r"is a quote not closed\?|a quote is not closed, here or before"),
        (PLAIN.replace("cafe", 'ca"fe'), r"line 2: 'ca\"fe' holds a quote"),
        (PLAIN.replace("b.wav", "#NAME?"), r"line 3: #NAME\? is what a spreadsheet made of a value"),
        ("sep=,\n" + PLAIN, r"line 1: 'sep=,' is for spreadsheets alone; delete this line"),
        (PLAIN.encode("utf-16-le"), r"line 1: has zero bytes, as UTF-16 without a mark does"),
        (PLAIN.replace("cafe", "café").encode("latin-1"), r"is not UTF-8 text \(.* line 2: .*caf"),
        (b"PK\x03\x04" + bytes(50), r"is no text, it is a ZIP archive \(or a spreadsheet file such as \.xlsx\)"),
        ("<!DOCTYPE html><html>", r"is no text, it looks like a web page"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", r"is no text, it is a Git LFS pointer"),
        ("", r"is empty"),
    ],
)
def test_what_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        read_rows(path, columns=COLUMNS, delimiter=",")


@pytest.mark.parametrize(
    ("there", "hint"),
    [
        ("LIST.csv", r"LIST\.csv is there: upper and lower case count"),
        ("list (1).csv", r"list \(1\)\.csv is there: is it this file under another name\?"),
        ("list.csv.txt", r"list\.csv\.txt is there: is it this file under another name\?"),
        ("deeper/list.csv", r"deeper/list\.csv is there, in another folder: move what lies beside it"),
    ],
)
def test_an_absent_list_under_nearly_its_name(tmp_path: Path, there: str, hint: str) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text(PLAIN)
    with pytest.raises(DataError, match=rf"list\.csv is missing: was the archive .*{hint}"):
        read_rows(tmp_path / "list.csv", columns=COLUMNS, delimiter=",")


def test_an_absent_list_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"The folder .* is empty"):
        read_rows(tmp_path / "list.csv", columns=COLUMNS, delimiter=",")


def test_true_in_capitals_is_true(tmp_path: Path) -> None:
    lines = [
        esc50_row(fold=f, source=100 * f + t, take="A", target=t, category=c, esc10=c == "dog")
        for f in range(1, 6)
        for t, c in ((0, "dog"), (2, "pig"))
    ]
    folder = write_esc50(tmp_path, lines, audio=False)
    table = folder / "meta" / "esc50.csv"
    text = table.read_text()
    before = LAYOUTS["esc-50"].read(folder).clips
    table.write_text(text.replace("True", "TRUE").replace("False", "false"))
    assert LAYOUTS["esc-50"].read(folder).clips.equals(before)
    table.write_text(text.replace("False", "FALSCH", 1))
    with pytest.raises(DataError, match=r"line 3: esc10 is 'FALSCH', neither True nor False"):
        LAYOUTS["esc-50"].read(folder)


@pytest.mark.parametrize("other", ["Office", "OFFICE", "office ", "of_fice"])
def test_a_class_in_other_letters_is_no_new_class(tmp_path: Path, other: str) -> None:
    change = {"of_fice": "of fice"}.get(other, "office")
    place = write_folder(
        tmp_path / "a",
        change=lambda rows: [
            {**row, "what": (other if i == 3 else change) if row["what"] == "office" else row["what"]}
            for i, row in enumerate(rows)
        ],
    )
    own = FolderLayout(place, csv="meta.csv", label="what", location="where")
    if other == "office ":
        assert own.read(place).clips["scene"].nunique() == 3
        return
    with pytest.raises(DataError, match=rf"line 5: the class '{other}' differs from '{change}' in line 2 in case"):
        own.read(place)


def test_a_new_class_in_the_manifest_of_dares(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("filename,label,group\na.wav,cafe,1\nb.wav,Cafe,2\n")
    with pytest.raises(DataError, match=r"line 3: label 'Cafe' differs from 'cafe' in line 2 in case"):
        LAYOUTS["dares-g1"].read(tmp_path)


def test_a_material_in_capitals_is_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "2015-01-02-03-04-05_times.txt").write_text("0.5 Wood hit None\n")
    with pytest.raises(DataError, match=r"line 1: 'Wood hit' is 'wood hit' in other letters"):
        LAYOUTS["greatest-hits"].read(tmp_path)


def test_tables_of_ones_own_from_spreadsheets_and_windows(tmp_path: Path) -> None:
    place = write_folder(tmp_path / "a")
    table = place / "meta.csv"
    own = FolderLayout(place, csv="meta.csv", label="what", location="where")
    before = own.read(place).clips
    text = table.read_text()
    table.write_bytes(text.replace("audio/", "audio\\").encode("utf-16"))
    assert own.read(place).clips.equals(before)
    table.write_text(text.replace("office0", "#REF!", 1))
    with pytest.raises(DataError, match=r"meta\.csv, line 2: #REF! is what a spreadsheet made"):
        own.read(place)


OF_EACH_KIND = ("esc-50", "tut-urban-2018-mobile", "tau-2022-mobile")
"""Data sets that other tests write too: names in files, lists with headers, lists and clips of one second."""

SIDE_CARS = ("._a.wav", ".DS_Store", "Thumbs.db", "desktop.ini", "Desktop.ini")


def test_side_cars_are_no_files(tmp_path: Path) -> None:
    for name in (*SIDE_CARS, "a.wav"):
        (tmp_path / name).touch()
    assert files_in(tmp_path) == {"a.wav"}


@pytest.mark.parametrize(
    "name",
    [
        name if name in OF_EACH_KIND else pytest.param(name, marks=pytest.mark.slow)
        for name, layout in LAYOUTS.items()
        if not layout.derived_from
    ],
)
def test_side_cars_change_no_layout(tmp_path: Path, tiny: Source, name: str) -> None:
    written = tiny.dataset((name,), lambda fraction, text: None).root
    root = shutil.copytree(written, tmp_path / written.name, copy_function=os.link)
    before = LAYOUTS[name].read(root)
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        for real in [path for path in folder.iterdir() if path.is_file()][:2]:
            (folder / f"._{real.name}").write_bytes(b"\x00\x05\x16\x07")
        for side_car in SIDE_CARS[1:]:
            (folder / side_car).touch()
        inner = folder / "__MACOSX"
        inner.mkdir()
        (inner / "._x.wav").touch()
    after = LAYOUTS[name].read(root)
    assert after.clips.equals(before.clips)
    assert (after.splits, after.missing, after.shortfalls) == (before.splits, before.missing, before.shortfalls)


def test_side_cars_are_not_unlisted_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = write_folder(tmp_path / "a")
    (place / "__MACOSX" / "audio").mkdir(parents=True)
    for path in (place / "audio" / "._office-0-0.wav", place / "__MACOSX" / "audio" / "office-0-0.wav"):
        path.touch()
    FolderLayout(place, csv="meta.csv", label="what", location="where").read(place)
    assert "are not used" not in caplog.text


def test_quotes_in_official_lists_are_read(tmp_path: Path) -> None:
    folder = write_tut(tmp_path, year=2018, audio=False)
    before = LAYOUTS["tut-urban-2018-mobile"].read(folder).clips
    meta = folder / "meta.csv"
    lines = ["\t".join(f'"{cell}"' for cell in line.split("\t")) for line in meta.read_text().splitlines()]
    meta.write_text("\n".join(lines) + "\n")
    assert LAYOUTS["tut-urban-2018-mobile"].read(folder).clips.equals(before)
