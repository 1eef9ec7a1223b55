"""A data set that is nearly there: the message names the near thing, or the near folder is read."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from asc_bench.bench.completeness import faults
from asc_bench.data.layouts import LAYOUTS, FolderLayout
from asc_bench.data.layouts.esc10 import CLASS_OF_FOLDER
from asc_bench.data.store import find_dataset, load_dataset
from asc_bench.errors import DataError
from tests.unit.layout_factory import write_esc10, write_tut
from tests.unit.own_folder import write_folder

NAME = "tut-urban-2018-mobile"
FOLDER = LAYOUTS[NAME].folders[0]
FIRST = "airport-barcelona-0-0-a"


@pytest.fixture
def tut(tmp_path: Path) -> Path:
    return write_tut(tmp_path / "data", year=2018, duration_s=0.01)


def hints(tut: Path) -> list[str]:
    dataset = load_dataset(NAME, [tut.parent])
    found = [fault for fault in faults(dataset) if fault not in dataset.shortfalls]
    assert found[0].endswith(f"audio files are missing, such as {FIRST}")
    return [sentence.replace(str(tut.parent), "") for sentence in found[1:]]


def test_another_ending_in_capitals(tut: Path) -> None:
    (tut / "audio" / f"{FIRST}.wav").rename(tut / "audio" / f"{FIRST}.WAV")
    assert hints(tut) == [f"it is there as {FIRST}.WAV for {FIRST}.wav: upper and lower case count; rename it"]


def test_all_in_capitals(tut: Path) -> None:
    for path in (tut / "audio").iterdir():
        path.rename(path.with_suffix(".WAV"))
    (sentence,) = hints(tut)
    assert sentence.startswith(
        "72 of them are there as airport-barcelona-0-0-a.WAV for airport-barcelona-0-0-a.wav"
    )


def test_a_folder_in_other_letters(tut: Path) -> None:
    (tut / "audio").rename(tut / "Audio")
    (sentence,) = hints(tut)
    assert sentence == f"72 of them lie in another folder, /{FOLDER}/Audio: move to /{FOLDER}/audio"


def test_converted_files(tut: Path) -> None:
    (tut / "audio" / f"{FIRST}.wav").rename(tut / "audio" / f"{FIRST}.flac")
    assert hints(tut) == [f"it is there with another ending, such as {FIRST}.flac for {FIRST}.wav"]


@pytest.mark.parametrize(
    "place", [f"{FOLDER}.audio.1/{FOLDER}/audio", f"{FOLDER}/audio/{FOLDER}/audio", "audio", f"{FOLDER}/wav", ""]
)
def test_a_part_in_another_folder(tut: Path, place: str) -> None:
    part = tut.parent / place
    part.mkdir(parents=True, exist_ok=True)
    moved = sorted((tut / "audio").glob("airport-*.wav"))
    for path in moved:
        path.rename(part / path.name)
    assert hints(tut) == [
        f"{len(moved)} of them lie in another folder, {f'/{place}' if place else ''}: move to /{FOLDER}/audio"
    ]


def test_what_is_simply_missing_has_no_hint(tut: Path) -> None:
    (tut / "audio" / f"{FIRST}.wav").unlink()
    assert hints(tut) == []


def test_accents_of_a_mac(tmp_path: Path) -> None:
    root = tmp_path / "DARES-G1"
    root.mkdir()
    (root / "manifest.csv").write_text("filename,label,group\ncafé.wav,cafe,1\n", encoding="utf-8")
    (root / unicodedata.normalize("NFD", "café.wav")).touch()
    (_, missing, sentence) = faults(load_dataset("dares-g1", [tmp_path]))
    assert missing == "1 audio files are missing, such as café"
    assert "its accents are decomposed or composed in another way (NFD, as macOS writes, and NFC)" in sentence


def test_a_folder_nested_in_itself_is_read(tut: Path) -> None:
    moved = tut.with_name("moved")
    tut.rename(moved)
    tut.mkdir()
    moved.rename(tut / FOLDER)
    for root in (tut.parent, tut, tut / FOLDER):
        assert find_dataset(NAME, [root]) == tut / FOLDER


def test_an_empty_first_root_hides_nothing(tut: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    (first / FOLDER / "audio").mkdir(parents=True)
    assert find_dataset(NAME, [first, tut.parent]) == tut
    assert find_dataset(NAME, [first]) == first / FOLDER
    write_esc10(first, list(CLASS_OF_FOLDER))
    assert find_dataset("esc-10", [first, tut.parent]) == first / "ESC-10"


def test_an_incomplete_first_copy_names_the_other(tut: Path, tmp_path: Path) -> None:
    first = write_tut(tmp_path / "first", year=2018, audio=False)
    found = faults(load_dataset(NAME, [first.parent, tut.parent]))
    assert f"another folder of {NAME} was not looked into: {tut}" in found


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        (f"downloads/2018/{FOLDER}", f"lies deeper: .*/downloads/2018/{FOLDER}; give --data .*/downloads/2018"),
        (FOLDER.lower(), f"is there in other letters: .*/{FOLDER.lower()}; rename it to {FOLDER}"),
    ],
)
def test_a_folder_elsewhere_below_the_root(tut: Path, tmp_path: Path, place: str, hint: str) -> None:
    there = tmp_path / "root" / place
    there.parent.mkdir(parents=True)
    tut.rename(there)
    with pytest.raises(DataError, match=hint):
        load_dataset(NAME, [tmp_path / "root"])


def test_a_root_that_is_too_deep(tut: Path) -> None:
    with pytest.raises(DataError, match=rf"/audio lies inside of {tut}; give --data {tut.parent}"):
        load_dataset(NAME, [tut / "audio"])


def test_what_else_lies_in_the_root(tmp_path: Path) -> None:
    (tmp_path / f"{FOLDER}.audio.1.zip").touch()
    (tmp_path / FOLDER).symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError) as caught:
        load_dataset(NAME, [tmp_path])
    assert f"holds archives that are not unpacked: {FOLDER}.audio.1.zip" in str(caught.value)
    assert f"{FOLDER} is a link to nothing: {tmp_path / 'nowhere'}" in str(caught.value)


def test_files_of_ones_own_in_another_folder(tmp_path: Path) -> None:
    place = write_folder(tmp_path / "a")
    (place / "audio").rename(place / "sounds")
    own = FolderLayout(place, csv="meta.csv", label="what", file="name", location="where")
    with pytest.raises(DataError, match=r"none of the 36 files is there, .*/sounds/office-0-0\.wav is there"):
        own.read(place)


@pytest.mark.parametrize("name", ["1-0-A.OGG", "1-0-a.ogg"])
def test_recordings_of_esc10_in_other_letters(tmp_path: Path, name: str) -> None:
    folder = write_esc10(tmp_path, list(CLASS_OF_FOLDER)) / "001 - Dog bark"
    next(folder.iterdir()).rename(folder / name)
    with pytest.raises(DataError, match=rf"{name}: upper and lower case count"):
        load_dataset("esc-10", [tmp_path])


def test_class_folders_of_esc10_nested_or_misnamed(tmp_path: Path) -> None:
    folder = write_esc10(tmp_path, list(CLASS_OF_FOLDER)) / "001 - Dog bark"
    inner = folder.with_name("inner")
    folder.rename(inner)
    folder.mkdir()
    inner.rename(folder / folder.name)
    with pytest.raises(DataError, match=r"the recordings lie one level deeper, in .*bark/001 - Dog bark; move"):
        load_dataset("esc-10", [tmp_path])
    folder.rename(folder.with_name("001_Dog_bark"))
    with pytest.raises(DataError, match=r"class folder '001_Dog_bark' is not one of 001 - Dog bark"):
        load_dataset("esc-10", [tmp_path])
