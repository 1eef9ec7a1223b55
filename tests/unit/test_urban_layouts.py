"""The urban sets of one device, the open set, TUT 2016 and CochlScene: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_bench.bench.source import Source
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.cochlscene import CLASSES, PARTS
from asc_bench.data.layouts.counts import WHOLE, cells_of
from asc_bench.data.layouts.tut_mobile import COARSE_OF_SCENE
from asc_bench.data.resources import archives_of
from asc_bench.errors import DataError
from tests.unit.cheap_sounds import write_hissing
from tests.unit.planned_sets import edit, write_lists

URBAN = ("tut-urban-2018", "tau-urban-2019", "tau-2019-openset", "tau-2020-3class")
SETUP = "evaluation_setup/fold1_"


@pytest.mark.parametrize("name", URBAN)
def test_full_lists_have_the_official_counts(name: str, tmp_path: Path) -> None:
    """Held against the layout's numbers, by scene too where they are known."""
    dataset = LAYOUTS[name].read(write_lists(tmp_path, name, size="full", marked=False))
    assert not dataset.shortfalls
    place = dict(zip(dataset.clips["clip_id"], dataset.clips["location"], strict=True))
    for split in dataset.splits:
        assert not {place[c] for c in split.train} & {place[c] for c in split.test}


@pytest.mark.parametrize("name", ["tau-urban-2019", "tau-2019-openset", "tau-2020-3class"])
def test_counts_by_scene_add_up(name: str) -> None:
    known = {"tau-2019-openset": {"train": 1105, "test": 345, "all": 1450}}.get(name, {})
    counts = LAYOUTS[name].counts
    cells = cells_of(name)
    assert sum(cells[WHOLE].values()) + known.get("all", 0) == counts.n_clips
    for part in ("train", "test"):
        assert sum(cells["fold1", part].values()) + known.get(part, 0) == counts.folds["fold1"][part]["A"]
    if name == "tau-2020-3class":  # as counted in a public copy of the lists
        assert cells["fold1", "train"] == {
            ("indoor", "A"): 2704,
            ("outdoor", "A"): 3757,
            ("transportation", "A"): 2724,
        }


def test_three_classes_keep_the_scene_in_their_names(tmp_path: Path) -> None:
    dataset = LAYOUTS["tau-2020-3class"].read(write_lists(tmp_path, "tau-2020-3class"))
    for clip, label, recording in dataset.clips[["clip_id", "scene", "recording_id"]].itertuples(index=False):
        scene = clip.partition("-")[0]
        assert COARSE_OF_SCENE[scene] == label
        assert recording.startswith(f"{scene}-")


def test_archives_of_the_new_sets_are_listed_with_digests() -> None:
    n_audio = {"tut-urban-2018": 13, "tau-urban-2019": 21, "tau-2019-openset": 11, "tau-2020-3class": 21}
    n_audio["tut-2016-development"] = 8
    for name, n in n_audio.items():
        found = archives_of(LAYOUTS[name].archives or "")
        assert sum(".audio." in archive.file for archive in found) == n
        assert all(archive.md5 and archive.n_bytes for archive in found)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            f"{SETUP}train.csv",
            "airport-",
            "beach-",
            r"fold1_train\.csv, line 2: 'audio/beach-.*' is not in meta",
        ),
        (f"{SETUP}test.csv", "audio/airport-", "audio/bus-", r"is not in fold1_evaluate\.csv, the labelled twin"),
        ("meta.csv", "-a.wav", "-z.wav", r"ends in device 'z', which is not a"),
        ("meta.csv", "\tairport\t", "\tbus\t", r"scene_label is 'bus', but the file name .* says 'airport'"),
        ("meta.csv", "audio/", "../audio/", r"leads outside the data set's folder"),
    ],
)
def test_spoilt_lists_are_refused_by_line(file: str, old: str, new: str, message: str, tmp_path: Path) -> None:
    folder = write_lists(tmp_path, "tau-urban-2019")
    edit(folder / file, old, new)
    with pytest.raises(DataError, match=message):
        LAYOUTS["tau-urban-2019"].read(folder)


@pytest.mark.parametrize("name", URBAN)
def test_a_clip_in_both_parts_a_duplicate_and_a_missing_row(name: str, tmp_path: Path) -> None:
    suffix = ".txt" if name == "tut-urban-2018" else ".csv"
    folder = write_lists(tmp_path, name)
    train, evaluate = (folder / f"{SETUP}{part}{suffix}" for part in ("train", "evaluate"))
    rows, tested = train.read_text().splitlines(), evaluate.read_text().splitlines()
    train.write_text("\n".join([*rows, tested[-1]]) + "\n")
    with pytest.raises(DataError, match=rf"fold1_train\{suffix}, line {len(rows) + 1}: .* is in train and in test"):
        LAYOUTS[name].read(folder)
    train.write_text("\n".join([*rows, rows[-1]]) + "\n")
    with pytest.raises(DataError, match=rf"stands already in line {len(rows)}"):
        LAYOUTS[name].read(folder)
    train.write_text("\n".join(rows[:-1]) + "\n")
    assert any("fold1 train, device A" in sentence for sentence in LAYOUTS[name].read(folder).shortfalls)


def test_a_label_of_the_scene_is_no_label_of_three_classes(tmp_path: Path) -> None:
    folder = write_lists(tmp_path, "tau-2020-3class")
    edit(folder / "meta.csv", "\tindoor\t", "\tairport\t")
    with pytest.raises(DataError, match=r"scene 'airport' is not one of indoor, outdoor, transportation"):
        LAYOUTS["tau-2020-3class"].read(folder)


def test_unknown_clips_may_have_any_name(tmp_path: Path) -> None:
    folder = write_lists(tmp_path, "tau-2019-openset")
    rows = (folder / "meta.csv").read_text().splitlines()
    name = next(row.split("\t")[0] for row in rows if "\tunknown\t" in row)
    for path in (folder / "meta.csv", *folder.glob(f"{SETUP}*.csv")):
        path.write_text(path.read_text().replace(name, "audio/17.wav"))
    named = {row.split("\t")[0]: row for row in (folder / "meta.csv").read_text().splitlines()}
    place = named["audio/17.wav"].split("\t")[2]
    layout = LAYOUTS["tau-2019-openset"]
    assert layout.read(folder).clips.set_index("clip_id").loc["17", "location"] == place
    edit(folder / "meta.csv", f"audio/17.wav\tunknown\t{place}", "audio/17.wav\tunknown\t")
    assert layout.read(folder).clips.set_index("clip_id").loc["17", "location"] == "17"
    edit(folder / "meta.csv", "audio/17.wav", "17.wav")
    with pytest.raises(DataError, match=r"file name '17\.wav' is not of the form audio/name\.wav"):
        layout.read(folder)


def test_places_of_2016_are_in_file_names_alone(tmp_path: Path) -> None:
    folder = write_lists(tmp_path, "tut-2016-development")
    assert len((folder / "meta.txt").read_text().splitlines()[0].split("\t")) == 2
    clips = LAYOUTS["tut-2016-development"].read(folder).clips
    assert (clips["location"] == clips["clip_id"].str.partition("_")[0]).all()
    assert (clips["duration_s"] == 30).all()
    edit(folder / "meta.txt", "audio/a000_0_30.wav", "audio/7.wav")
    with pytest.raises(DataError, match=r"'audio/7\.wav' is not of the form audio/location_start_end\.wav"):
        LAYOUTS["tut-2016-development"].read(folder)


def test_recordings_of_44_khz_are_no_binaural_urban_set(tmp_path: Path) -> None:
    folder = write_lists(tmp_path, "tut-urban-2018")
    dataset = LAYOUTS["tut-urban-2018"].read(folder)
    (folder / "audio").mkdir()
    sound = np.random.default_rng(0).normal(scale=0.05, size=(441_000, 1)).astype("float32")
    for seed, path in enumerate(dataset.clips["path"]):
        soundfile.write(path, np.roll(sound, seed), 44_100, subtype="PCM_24")
    source = Source(roots=(tmp_path,), cache=tmp_path / "cache")
    with pytest.raises(DataError) as refused:
        source.bench("dcase2018a", lambda fraction, message: None)
    assert "40 files: 44.1 kHz instead of 48 kHz" in str(refused.value)
    assert "40 files: mono instead of stereo" in str(refused.value)
    assert "nothing was trained" in str(refused.value)


def test_a_half_unpacked_part_is_counted(tmp_path: Path) -> None:
    folder = write_lists(tmp_path, "tau-2020-3class")
    dataset = LAYOUTS["tau-2020-3class"].read(folder)
    (folder / "audio").mkdir()
    for path in dataset.clips["path"][::2]:
        Path(path).touch()
    halved = LAYOUTS["tau-2020-3class"].read(folder)
    assert halved.missing == tuple(dataset.clips["clip_id"][1::2])
    assert not halved.complete


def cochlscene(root: Path) -> Path:
    """Two clips of each class in each part, by users of that part; files are empty."""
    for user, part in enumerate(PARTS):
        for scene in CLASSES:
            for take in (0, 1):
                path = root / "CochlScene" / part / scene / f"{scene}_user{user:04d}_14000000_{take:03d}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    return root / "CochlScene"


def test_folders_of_cochlscene_are_its_lists(tmp_path: Path) -> None:
    dataset = LAYOUTS["cochlscene"].read(cochlscene(tmp_path))
    (split,) = dataset.splits
    assert (len(split.train), len(split.test)) == (4 * len(CLASSES), 2 * len(CLASSES))
    assert set(dataset.clips["scene"]) == set(CLASSES)
    assert set(dataset.clips["location"]) == {"user0000", "user0001", "user0002"}
    assert "fold1 test: 26 clips listed, 7687 official" in dataset.shortfalls
    assert not dataset.split_faults[2:]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("Test/Bus/Bus_user0001_14000000_000.wav", r"this clip is in .*/Val/Bus, too"),
        ("Test/Bus/Car_user0002_14000000_007.wav", r"the file name says 'Car', its folder 'Bus'"),
        ("Test/Bus/bus.wav", r"the file name is not of the form Class_user0000_00000000_000\.wav"),
        ("Test/Train/Train_user0002_14000000_007.wav", r"Test/Train: the folder is not one of Bus, Cafe"),
    ],
)
def test_what_does_not_belong_into_cochlscene_is_named(new: str, message: str, tmp_path: Path) -> None:
    folder = cochlscene(tmp_path)
    (folder / new).parent.mkdir(exist_ok=True)
    (folder / new).touch()
    with pytest.raises(DataError, match=message):
        LAYOUTS["cochlscene"].read(folder)


def test_a_user_in_two_parts_is_named(tmp_path: Path) -> None:
    folder = cochlscene(tmp_path)
    (folder / "Test/Bus/Bus_user0001_14000001_000.wav").touch()
    faults = LAYOUTS["cochlscene"].read(folder).split_faults
    assert "fold1: 1 user in train and in test, such as user0001" in faults


def test_an_archive_in_pieces_is_unpacked_by_this_command(tmp_path: Path) -> None:
    folder = tmp_path / "CochlScene"
    (folder / "Train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no folder Val or Test(?s:.*)Get all of CochlScene\.z01 to \.z05"):
        LAYOUTS["cochlscene"].read(folder)
    source = Source(roots=(tmp_path / "nothing",), cache=tmp_path / "cache")
    with pytest.raises(DataError) as absent:
        source.bench("cochlscene", lambda fraction, message: None)
    assert (
        f"unpack its archive with: zip -s 0 CochlScene.zip --out whole.zip && unzip whole.zip -d {tmp_path}"
        in str(absent.value)
    )
    (folder / "CochlScene.z01").touch()
    with pytest.raises(DataError) as refused:
        LAYOUTS["cochlscene"].read(folder)
    command = f"zip -s 0 {folder}/CochlScene.zip --out {folder}/whole.zip && unzip {folder}/whole.zip -d {tmp_path}"
    assert command in str(refused.value)


@pytest.mark.parametrize("name", ["tau-2020-3class", "tau-2019-openset", "cochlscene"])
def test_synthetic_sets_are_complete_and_in_the_official_format(name: str, tmp_path: Path) -> None:
    dataset = LAYOUTS[name].read(write_hissing(name, tmp_path))
    assert dataset.synthetic
    assert dataset.complete, (dataset.missing, dataset.shortfalls)
    assert not dataset.split_faults
    assert set(dataset.clips["scene"]) == set(LAYOUTS[name].scenes)
    facts = soundfile.info(dataset.clips["path"].iloc[0])
    wanted = {"tau-2020-3class": (48_000, 2), "tau-2019-openset": (44_100, 1), "cochlscene": (44_100, 1)}[name]
    assert (facts.samplerate, facts.channels, facts.duration) == (*wanted, 10.0)
