"""The layouts of LITIS Rouen, TUT Acoustic Scenes 2017 and DARES-G1: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.taxonomy import taxonomy
from asc_bench.errors import DataError
from tests.unit.layout_factory import tsv
from tests.unit.merged_factory import LITIS_FILES, tut_2017_rows, write_dares, write_litis, write_tut_2017

LITIS, DEV, EVAL, DARES = (
    LAYOUTS[name] for name in ("litis-rouen", "tut-2017-development", "tut-2017-evaluation", "dares-g1")
)


def labels_of(source: str) -> set[str]:
    table = taxonomy()
    return set(table.loc[table["source_dataset"] == source, "source_label"])


def test_the_taxonomy_knows_the_labels_of_the_layouts() -> None:
    assert set(LITIS.scenes) == labels_of("litis_rouen") and len(LITIS.scenes) == 19
    assert set(DEV.scenes) == set(EVAL.scenes) == labels_of("dcase2017") and len(DEV.scenes) == 15


@pytest.mark.parametrize(("separator", "first_id"), [("\t", 1), ("  ", 0)])
def test_litis_labels_ids_and_places(tmp_path: Path, separator: str, first_id: int) -> None:
    dataset = LITIS.read(write_litis(tmp_path, separator=separator, first_id=first_id, duration_s=0))
    scene = dataset.clips.set_index("clip_id")["scene"].to_dict()
    assert scene["busystreet1"] == "busystreet" and scene["hallgare1"] == "hallgare" and scene["hall1"] == "hall"
    assert set(dataset.clips["duration_s"]) == {30.0}
    assert [split.name for split in dataset.splits] == [f"split{i}" for i in range(1, 21)]
    assert dataset.splits[0].test == ("bus1", "bus2", "hall1") and dataset.splits[1].test == ("bus3", "busystreet1")
    place = dataset.clips.set_index("clip_id")["location"].to_dict()
    assert place["bus1"] == place["bus2"] != place["bus3"]
    assert place["busystreet1"] != place["busystreet2"]
    assert len(set(place.values())) == 6
    assert len(dataset.missing) == len(LITIS_FILES)
    assert dataset.shortfalls == ("in all: 7 clips listed, 3026 official",), "counts of divisions are not verified"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("relation_wav_examples.txt", "bus1.wav one\n", "line 1: 'one' is no id"),
        ("relation_wav_examples.txt", "bus1.wav 1.5\n", "line 1: '1.5' is no whole number"),
        ("relation_wav_examples.txt", "bus1.wav\n", "line 1: 1 words instead of a file name and an id"),
        (
            "relation_wav_examples.txt",
            "omnibus1.wav 1\n",
            r"'omnibus1.wav' is not a label followed .* avion",
        ),
        ("relation_wav_examples.txt", "bus.wav 1\n", "'bus.wav' is not a label followed by digits"),
        ("relation_wav_examples.txt", "bus1.wav 1\nbus2.wav 1\n", "line 2: id 1 stands already for 'bus1.wav'"),
        ("relation_wav_examples.txt", "bus1.wav 1\nbus1.wav 2\n", "line 2: 'bus1.wav' stands already in line 1"),
        ("relation_wav_examples.txt", "", "is empty"),
        ("fold3026-matrices_Test.txt", "1 2\n", "has 20 lines and .*Test.txt has 1; there are 20 divisions"),
        ("fold3026-matrices_Test.txt", "1 99\n", "line 1: id 99 is not in relation_wav_examples.txt"),
        ("fold3026-matrices_Test.txt", "nan\n", "'nan' is no whole number"),
        ("fold3026-matrices_Test.txt", "1 1\n", "line 1: an id stands twice"),
        ("fold3026-matrices_Test.txt", "3\n" * 20, "split1: 1 clips are in train and in test, such as 'bus3'"),
    ],
)
def test_litis_refuses(tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = write_litis(tmp_path, duration_s=0)
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=message):
        LITIS.read(folder)


def test_litis_says_which_list_is_missing(tmp_path: Path) -> None:
    folder = write_litis(tmp_path, duration_s=0)
    (folder / "fold3026-matrices_Learn.txt").unlink()
    with pytest.raises(DataError, match=r"Learn.txt is missing: the folder needs data_rouen/, relation_wav"):
        LITIS.read(folder)


def test_tut_2017_development(tmp_path: Path) -> None:
    dataset = DEV.read(write_tut_2017(tmp_path, audio=False))
    clips = dataset.clips.set_index("clip_id")
    assert len(clips) == 16
    assert clips.loc["c001_10_20", ["scene", "location", "recording_id"]].tolist() == [
        "cafe/restaurant",
        "c001",
        "c001_10_20",
    ]
    assert dataset.splits[1].test == ("a001_0_10", "a001_10_20", "c001_0_10", "c001_10_20")
    assert "fold2 test: 4 clips listed, 1173 official" in dataset.shortfalls
    assert "fold2 train: 12 clips listed, 3507 official" in dataset.shortfalls
    assert "beach: 8 clips listed, 312 official" in dataset.shortfalls


def test_tut_2017_takes_a_clip_that_is_tested_twice(tmp_path: Path) -> None:
    """As six official clips are."""
    folder = write_tut_2017(tmp_path, audio=False)
    name, label, _ = tut_2017_rows()[0]
    for part, line in (("evaluate", f"{name}\t{label}\n"), ("test", f"{name}\n")):
        path = folder / "evaluation_setup" / f"fold2_{part}.txt"
        path.write_text(path.read_text() + line)
    path = folder / "evaluation_setup" / "fold2_train.txt"
    path.write_text(path.read_text().replace(f"{name}\t{label}\n", ""))
    splits = DEV.read(folder).splits
    assert "a000_0_10" in splits[0].test and "a000_0_10" in splits[1].test


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("meta.txt", "audio/a000_0_10.wav\tbeech\ta000\n", "line 1: scene 'beech' is not one of beach, bus"),
        (
            "meta.txt",
            "audio/a000_0_10.wav\tbeach\ta001\n",
            "is 'a001', but the file name .* says 'a000'",
        ),
        ("meta.txt", "audio/a000.wav\tbeach\ta000\n", "not of the form audio/location_start_end.wav"),
        ("meta.txt", "a000_0_10.wav\tbeach\ta000\n", "not of the form audio/name.wav"),
        ("meta.txt", "audio/a000_0_10.wav\tbeach\n", "2 columns instead of 3"),
        ("meta.txt", "audio/a000_0_10.wav,beach,a000\n", "comma separated, but the official list is tab separated"),
        ("evaluation_setup/fold1_train.txt", "audio/a009_0_10.wav\tbeach\n", "is not in meta.txt"),
        ("evaluation_setup/fold1_train.txt", "audio/a000_0_10.wav\tbus\n", "is 'bus' here and 'beach' in meta.txt"),
        ("evaluation_setup/fold1_train.txt", "audio/a000_0_10.wav\tbeach\n", "is in train and in test"),
        ("evaluation_setup/fold1_test.txt", "audio/a001_0_10.wav\n", "is not in fold1_evaluate.txt"),
        (
            "evaluation_setup/fold1_test.txt",
            "audio/a000_0_10.wav\n",
            "a000_10_20.wav' of fold1_evaluate.txt",
        ),
    ],
)
def test_tut_2017_refuses(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        DEV.read(write_tut_2017(tmp_path, audio=False, lists={name: text}))


def test_tut_2017_evaluation_with_and_without_places(tmp_path: Path) -> None:
    rows = [("audio/1.wav", "beach", "a100"), ("audio/2.wav", "beach", "a101"), ("audio/3.wav", "tram", "o100")]
    dataset = EVAL.read(write_tut_2017(tmp_path / "with", "evaluation", rows=rows, audio=False))
    assert dataset.clips["location"].tolist() == ["a100", "a101", "o100"]
    assert dataset.splits == ()
    short = [row[:2] for row in rows]
    dataset = EVAL.read(write_tut_2017(tmp_path / "without", "evaluation", rows=short, audio=False))
    assert dataset.clips["location"].tolist() == ["unknown, beach", "unknown, beach", "unknown, tram"]
    (tmp_path / "without" / EVAL.folders[0] / "meta.txt").write_text(tsv([rows[0], short[1]]))
    with pytest.raises(DataError, match="line 2: 2 columns instead of 3"):
        EVAL.read(tmp_path / "without" / EVAL.folders[0])


def test_dares_is_what_its_manifest_says(tmp_path: Path) -> None:
    rows = [("a/1.wav", "kitchen", "flat 1"), ("b/1.wav", "beach", "north"), ("b/2.wav", "beach", "north")]
    folder = write_dares(tmp_path, rows, audio=False)
    (folder / "a").mkdir()
    (folder / "a" / "1.wav").touch()
    dataset = DARES.read(folder)
    assert dataset.clips[["clip_id", "scene", "location"]].to_numpy().tolist() == [
        ["a/1", "kitchen", "flat 1"],
        ["b/1", "beach", "north"],
        ["b/2", "beach", "north"],
    ]
    assert dataset.missing == ("b/1", "b/2"), "a file of the same name elsewhere does not count"
    assert dataset.shortfalls == ("in all: 3 clips listed, 123 official",)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("1.wav", "", "x")], "line 2: label is empty"),
        ([("1.wav", "beach", " ")], "line 2: group is empty"),
        ([("../1.wav", "beach", "x")], "leads outside the data set's folder"),
        ([("1.wav", "beach", "x"), ("1.wav", "beach", "x")], "line 3: '1.wav' stands already in line 2"),
    ],
)
def test_dares_refuses(tmp_path: Path, rows: list[tuple[str, str, str]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        DARES.read(write_dares(tmp_path, rows, audio=False))
