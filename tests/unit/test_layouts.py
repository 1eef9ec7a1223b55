from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.esc10 import CLASS_OF_FOLDER
from asc_bench.data.layouts.esc50 import ESC10_CLASSES, GROUP_OF_CLASS
from asc_bench.data.manifest import CLIP_COLUMNS, Dataset
from asc_bench.errors import DataError
from tests.real_data import real_esc10
from tests.unit.layout_factory import (
    SCENES,
    esc50_row,
    is_test,
    tut_names,
    write_esc10,
    write_esc50,
    write_marker,
    write_tut,
)

YEARS = (2018, 2019)


def read_tut(folder: Path) -> Dataset:
    name = "tut-urban-2018-mobile" if "2018" in folder.name else "tau-urban-2019-mobile"
    return LAYOUTS[name].read(folder)


def lists_of(folder: Path) -> dict[str, Path]:
    suffix = ".txt" if "2018" in folder.name else ".csv"
    setup = folder / "evaluation_setup"
    return {"meta": folder / "meta.csv"} | {
        part: setup / f"fold1_{part}{suffix}" for part in ("train", "test", "evaluate")
    }


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("year", YEARS)
def test_tut_clip_table(tmp_path: Path, year: int) -> None:
    dataset = read_tut(write_tut(tmp_path, year=year))
    names = tut_names()
    assert list(dataset.clips.columns) == list(CLIP_COLUMNS)
    assert len(dataset.clips) == len(names) == len(SCENES) * 4 * 2 * 3
    clip = dataset.clips.set_index("clip_id").loc["bus-barcelona-11-3-b"]
    assert dict(clip) == {
        "path": str(dataset.root / "audio" / "bus-barcelona-11-3-b.wav"),
        "start_s": 0.0,
        "duration_s": 10.0,
        "scene": "bus",
        "coarse": "",
        "device": "B",
        "city": "barcelona",
        "location": "barcelona-11",
        "recording_id": "bus-barcelona-11-3",
    }
    (split,) = dataset.splits
    assert set(split.test) == {Path(n).stem for n in names if is_test(n)}
    assert set(split.train) == {Path(n).stem for n in names if not is_test(n)}
    assert dataset.missing == ()
    assert not dataset.synthetic


def official_names(per_device: dict[str, int], test: dict[str, int], scenes: Sequence[str]) -> list[str]:
    """File names with the official number of clips per device, the test clips at locations ending in 3."""
    names = []
    for device, n in per_device.items():
        n_test_left = test[device]
        for index, scene in enumerate(scenes):
            n_scenes_left = len(scenes) - index
            n_test = n_test_left // n_scenes_left
            n_test_left -= n_test
            names += [
                f"audio/{scene}-paris-{10 * index + (3 if i < n_test else 1)}-{i}-{device}.wav"
                for i in range(n // len(scenes))
            ]
    return names


@pytest.mark.parametrize(
    ("year", "per_device", "test"),
    [
        (2018, {"a": 8640, "b": 720, "c": 720}, {"a": 2518, "b": 180, "c": 180}),
        (2019, {"a": 14400, "b": 1080, "c": 1080}, {"a": 4185 + 1030, "b": 540, "c": 540}),
    ],
)
def test_official_counts(tmp_path: Path, year: int, per_device: dict[str, int], test: dict[str, int]) -> None:
    """Full-size lists without audio: only files are missing, no count is; and reading takes no time."""
    scenes = LAYOUTS["tut-urban-2018-mobile"].scenes
    names = official_names(per_device, test, scenes)
    folder = write_tut(tmp_path, year=year, names=names, audio=False)
    lists = lists_of(folder)
    if year == 2019:
        unused = [n for n in names if is_test(n) and n.endswith("-a.wav")][:1030]
        for part in ("test", "evaluate"):
            lines = lists[part].read_text().splitlines(keepends=True)
            lists[part].write_text(
                "".join(line for line in lines if line.split("\t")[0].strip() not in set(unused))
            )
    started = time.process_time()
    dataset = read_tut(folder)
    assert time.process_time() - started < 2.0
    assert dataset.shortfalls == ()
    assert len(dataset.missing) == sum(per_device.values())
    assert not dataset.complete
    (split,) = dataset.splits
    assert (len(split.train), len(split.test)) == {2018: (7202, 2878), 2019: (10265, 5265)}[year]
    lines = lists["train"].read_text().splitlines(keepends=True)
    dropped = next(line for line in lines if "-b.wav" in line)
    lists["train"].write_text("".join(line for line in lines if line != dropped))
    assert read_tut(folder).shortfalls == ("fold1 train, device B: 539 clips listed, 540 official",)


@pytest.mark.parametrize("year", YEARS)
def test_missing_audio_is_told_not_raised(tmp_path: Path, year: int) -> None:
    folder = write_tut(tmp_path, year=year)
    (folder / "audio" / "park-barcelona-20-0-c.wav").unlink()
    dataset = read_tut(folder)
    assert dataset.missing == ("park-barcelona-20-0-c",)
    assert len(dataset.clips) == len(tut_names())
    assert not dataset.complete
    other = folder / "audio" / "park-barcelona-20-0-b.wav"
    other.rename(other.with_suffix(".mp3"))
    assert read_tut(folder).missing == ("park-barcelona-20-0-b", "park-barcelona-20-0-c")
    folder_without = write_tut(tmp_path / "lists only", year=year, audio=False)
    assert len(read_tut(folder_without).missing) == len(tut_names())


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize(
    "change",
    [
        lambda b: b"\xef\xbb\xbf" + b,
        lambda b: b.replace(b"\n", b"\r\n"),
        lambda b: b.rstrip(b"\n"),
        lambda b: b + b"\n\n",
    ],
    ids=["bom", "crlf", "no-last-newline", "blank-lines"],
)
def test_line_ends_and_marks_make_no_difference(
    tmp_path: Path, year: int, change: Callable[[bytes], bytes]
) -> None:
    folder = write_tut(tmp_path, year=year, audio=False)
    plain = read_tut(folder)
    for path in lists_of(folder).values():
        path.write_bytes(change(path.read_bytes()))
    changed = read_tut(folder)
    assert changed.splits == plain.splits
    assert changed.clips.equals(plain.clips)


@pytest.mark.parametrize(
    ("part", "old", "new", "message"),
    [
        (
            "meta",
            "\tbus\tbarcelona-10\ta",
            "\tpark\tbarcelona-10\ta",
            "scene_label is 'park', but the file name .* says 'bus'",
        ),
        (
            "meta",
            "\tbarcelona-10\ta",
            "\tbarcelona-99\ta",
            "identifier is 'barcelona-99', but .* says 'barcelona-10'",
        ),
        ("meta", "\tbarcelona-10\ta", "\tbarcelona-10\tb", "source_label is 'b', but .* says 'a'"),
        ("meta", "\tbus\t", "\tferry\t", "scene 'ferry' is not one of airport, bus"),
        (
            "meta",
            "\tbus\t",
            "\t1\t",
            "scene '1' is not one of .*; integer labels are those of a modified copy",
        ),
        (
            "meta",
            "-10-0-a.wav",
            "-10-0-d.wav",
            "ends in device 'd', which is not one of a, b or c",
        ),
        ("meta", "audio/bus", "../bus", "leads outside"),
        ("meta", "audio/bus", "audio/../../bus", "leads outside"),
        ("meta", "audio/bus", "/etc/bus", "leads outside"),
        ("meta", "audio/bus", "audio\\bus", "has backslashes, as Windows writes them; write it as 'audio/bus"),
        ("meta", "audio/bus", "audio/\x1b[2Jbus", "holds control characters"),
        ("meta", "audio/bus", "sound/bus", "not of the form"),
        ("meta", "\tbarcelona-10\ta\n", "\tbarcelona-10\n", "3 columns instead of 4"),
        ("meta", "audio/bus-barcelona-10-0-b", "audio/bus-barcelona-10-0-a", "stands already in line 26"),
        ("train", "audio/bus-barcelona-10-0-a", "audio/bus-barcelona-19-0-a", "is not in meta.csv"),
        ("train", "audio/bus-barcelona-10-0-b", "audio/bus-barcelona-10-0-a", "stands already in line"),
        (
            "train",
            "bus-barcelona-10-0-a.wav\tbus",
            "bus-barcelona-10-0-a.wav\tpark",
            "'park' here and 'bus' in meta.csv",
        ),
        ("evaluate", "bus-barcelona-13-6-a.wav\tbus", "bus-barcelona-13-6-a.wav\t1", "integer labels"),
        (
            "test",
            "audio/bus-barcelona-13-6-a.wav\n",
            "",
            "'audio/bus-barcelona-13-6-a.wav' is not in fold1_test",
        ),
        ("test", "bus-barcelona-13-6-a", "bus-barcelona-13-9-a", "is not in fold1_evaluate"),
    ],
)
@pytest.mark.parametrize("year", YEARS)
def test_contradictions(tmp_path: Path, year: int, part: str, old: str, new: str, message: str) -> None:
    folder = write_tut(tmp_path, year=year, audio=False)
    path = lists_of(folder)[part]
    replace_in(path, old, new)
    with pytest.raises(DataError, match=message) as error:
        read_tut(folder)
    assert ", line " in str(error.value)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("year", YEARS)
def test_clip_in_train_and_test(tmp_path: Path, year: int) -> None:
    folder = write_tut(tmp_path, year=year, audio=False)
    with lists_of(folder)["train"].open("a") as file:
        file.write("audio/bus-barcelona-13-6-a.wav\tbus\n")
    with pytest.raises(DataError, match=r"fold1_train.*'audio/bus-barcelona-13-6-a\.wav' is in train and in test"):
        read_tut(folder)


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("part", ["meta", "train", "evaluate"])
def test_comma_separated_copy(tmp_path: Path, year: int, part: str) -> None:
    folder = write_tut(tmp_path, year=year, audio=False)
    replace_in(lists_of(folder)[part], "\t", ",")
    with pytest.raises(
        DataError, match="comma separated, but the official list is tab separated: this is a modified copy"
    ):
        read_tut(folder)


def test_headers_of_the_other_year(tmp_path: Path) -> None:
    of_2018 = write_tut(tmp_path, year=2018, audio=False)
    path = lists_of(of_2018)["train"]
    path.write_text("filename\tscene_label\n" + path.read_text())
    with pytest.raises(DataError, match=r"fold1_train\.txt, line 1: 'filename' is not in meta\.csv"):
        read_tut(of_2018)
    of_2019 = write_tut(tmp_path, year=2019, audio=False)
    path = lists_of(of_2019)["train"]
    path.write_text(path.read_text().partition("\n")[2])
    with pytest.raises(DataError, match=r"line 1: the columns are .* the official ones are"):
        read_tut(of_2019)


@pytest.mark.parametrize("part", ["meta", "train", "test", "evaluate"])
def test_absent_empty_and_binary_lists(tmp_path: Path, part: str) -> None:
    folder = write_tut(tmp_path, year=2018, audio=False)
    path = lists_of(folder)[part]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=f"{path.name} is not UTF-8 text"):
        read_tut(folder)
    path.write_bytes(b"x" * 200_000)
    with pytest.raises(DataError, match=path.name):
        read_tut(folder)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=f"{path.name} is empty"):
        read_tut(folder)
    path.unlink()
    with pytest.raises(DataError, match=f"{path.name} is missing"):
        read_tut(folder)


def part_counts(n_per_device: int) -> dict[str, int]:
    return dict.fromkeys("ABC", n_per_device)


def test_synthetic_marker(tmp_path: Path) -> None:
    folder = write_tut(tmp_path, year=2018)
    folds = {"fold1": {"train": part_counts(18), "test": part_counts(6)}}
    write_marker(folder, layout="tut-urban-2018-mobile", n_clips=72, folds=folds)
    dataset = read_tut(folder)
    assert dataset.synthetic
    assert dataset.complete
    folds["fold1"]["test"]["C"] = 7
    write_marker(folder, layout="tut-urban-2018-mobile", n_clips=72, folds=folds)
    assert read_tut(folder).shortfalls == ("fold1 test, device C: 6 clips listed, 7 stated by the marker",)
    write_marker(folder, layout="esc-50", n_clips=72, folds=folds)
    with pytest.raises(DataError, match="a synthetic dataset for 'esc-50', not for 'tut-urban-2018-mobile'"):
        read_tut(folder)
    for broken in (
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"layout": "tut-urban-2018-mobile", "counts": {"n_clips": Infinity, "folds": {}}}',
        '{"layout": "tut-urban-2018-mobile", "counts": {"n_clips": "many", "folds": {}}}',
    ):
        (folder / "asc-bench-synthetic.json").write_text(broken)
        with pytest.raises(DataError, match="is not a marker of a synthetic dataset"):
            read_tut(folder)


def esc50_lines() -> list[str]:
    """The full official number of rows."""
    return [
        esc50_row(
            fold=fold,
            source=10_000 * fold + 100 * target + number,
            take="A",
            target=target,
            category=name,
            esc10=name in ESC10_CLASSES,
        )
        for target, name in enumerate(GROUP_OF_CLASS)
        for fold in range(1, 6)
        for number in range(8)
    ]


def test_esc50(tmp_path: Path) -> None:
    lines = esc50_lines()
    folder = write_esc50(tmp_path, lines, audio=False)
    dataset = LAYOUTS["esc-50"].read(folder)
    assert dataset.shortfalls == ()
    assert len(dataset.missing) == 2000
    assert [split.name for split in dataset.splits] == [f"fold{i}" for i in range(1, 6)]
    assert {(len(split.train), len(split.test)) for split in dataset.splits} == {(1600, 400)}
    clip = dataset.clips.set_index("clip_id").loc["3-33801-A-38"]
    assert (clip["scene"], clip["location"], clip["device"], clip["city"]) == ("clock_tick", "33801", "", "")
    assert clip["path"] == str(folder / "audio" / "3-33801-A-38.wav")
    assert clip["duration_s"] == 5.0


def test_partial_fork_of_esc50(tmp_path: Path) -> None:
    folder = write_esc50(tmp_path, esc50_lines()[:414], audio=False)
    shortfalls = LAYOUTS["esc-50"].read(folder).shortfalls
    assert shortfalls[0] == "in all: 414 clips listed, 2000 official"
    assert "fold1 test, dog: 8 clips listed, 8 official" not in shortfalls
    assert "hand_saw: 0 clips listed, 40 official" in shortfalls


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1-10000-A-0.wav,1,0,dog", "1-10000-A-0.wav,6,0,dog", "fold is '6', not one of 1, 2, 3, 4, 5"),
        (
            "1-10000-A-0.wav,1,0,dog",
            "1-10000-A-0.wav,1,1,dog",
            "target is '1', but the file name .* says '0'",
        ),
        (",0,dog,True,10000,A", ",0,dog,True,10001,A", "src_file is '10001', but .* says '10000'"),
        (",0,dog,True,10000,A", ",0,dog,True,10000,B", "take is 'B'"),
        (",0,dog,True,10000", ",0,cat,True,10000", "category is 'cat', but target 0 is dog"),
        (",0,dog,True,10000", ",0,dog,False,10000", "esc10 is 'False', which is wrong for dog"),
        ("1-10000-A-0.wav,1,0", "../1-10000-A-0.wav,1,0", "leads outside"),
        ("1-10000-A-0.wav,1,0", "1-10000-A-77.wav,1,77", "no class at all"),
        ("1-10000-A-0.wav", "1-10000-A-0.mp3", "not of the form fold-source-take-target"),
        ("filename,fold", "file,fold", "the columns are"),
    ],
)
def test_esc50_contradictions(tmp_path: Path, old: str, new: str, message: str) -> None:
    folder = write_esc50(tmp_path, esc50_lines()[:100], audio=False)
    replace_in(folder / "meta" / "esc50.csv", old, new)
    with pytest.raises(DataError, match=message):
        LAYOUTS["esc-50"].read(folder)


def test_esc10(tmp_path: Path) -> None:
    folder = write_esc10(tmp_path, list(CLASS_OF_FOLDER))
    (folder / "ESC-10-HumanClassification.xlsx").touch()
    (folder / "001 - Dog bark" / ".DS_Store").touch()
    (folder / ".git").mkdir()
    dataset = LAYOUTS["esc-10"].read(folder)
    assert dataset.complete
    assert set(dataset.clips["scene"]) == set(ESC10_CLASSES)
    assert {(len(split.train), len(split.test)) for split in dataset.splits} == {(320, 80)}
    (folder / "009 - Rooster" / "2-8201-A.ogg").unlink()
    partial = LAYOUTS["esc-10"].read(folder)
    assert "fold2 test, rooster: 7 clips listed, 8 official" in partial.shortfalls
    assert not partial.complete


def test_esc10_contradictions(tmp_path: Path) -> None:
    folder = write_esc10(tmp_path, list(CLASS_OF_FOLDER))
    for name in ("1-1-A.mp3", "6-1-A.ogg", "copy of 1-1-A.ogg"):
        path = folder / "002 - Rain" / name
        path.touch()
        with pytest.raises(DataError, match=r"is not named fold-source-take\.ogg"):
            LAYOUTS["esc-10"].read(folder)
        path.unlink()
    (folder / "011 - Cat").mkdir()
    with pytest.raises(DataError, match="class folder '011 - Cat' is not one of 001 - Dog bark"):
        LAYOUTS["esc-10"].read(folder)
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="none of the class folders"):
        LAYOUTS["esc-10"].read(tmp_path / "bare")


def test_real_esc10() -> None:
    dataset = LAYOUTS["esc-10"].read(real_esc10())
    assert dataset.complete
    assert len(dataset.clips) == 400
    folds_of_source = dataset.clips["clip_id"].str[0].groupby(dataset.clips["location"]).nunique()
    assert len(folds_of_source) == 304
    assert folds_of_source.max() == 1
    assert dataset.clips.groupby("location")["scene"].nunique().max() == 1


def test_every_layout_is_described() -> None:
    for name, layout in LAYOUTS.items():
        assert name == layout.name
        assert layout.homepage.startswith("https://")
        assert layout.licence
        assert layout.folders
    groups = list(GROUP_OF_CLASS.values())
    assert [groups.count(g) for g in dict.fromkeys(groups)] == [10] * 5
    targets = {name: target for target, name in enumerate(GROUP_OF_CLASS)}
    assert [targets[name] for name in ESC10_CLASSES] == [0, 1, 10, 11, 12, 20, 21, 38, 40, 41]
