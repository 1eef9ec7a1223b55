"""Greatest Hits on disk: one clip for each hit or scratch of a material."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asc_bench.data.audio import read_audio
from asc_bench.data.index import inspect_dataset
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.greatest_hits import MATERIAL_OF_SCENE, MATERIALS
from asc_bench.errors import DataError
from tests.unit.layout_factory import write_wav
from tests.unit.transfer_sets import write_hits

LAYOUT = LAYOUTS["greatest-hits"]
FIRST, SECOND = "2015-02-16-16-49-06", "2015-02-16-16-58-43-1"


def test_hits_and_scratches_of_one_material_are_clips(tmp_path: Path) -> None:
    dataset = LAYOUT.read(write_hits(tmp_path))
    assert dataset.complete, dataset.shortfalls
    clips = dataset.clips[dataset.clips["location"] == FIRST]
    assert clips["scene"].tolist() == ["ceramic hit", "wood scratch", "plastic-bag hit"]
    assert clips["clip_id"].tolist() == [f"{FIRST}@001", f"{FIRST}@003", f"{FIRST}@004"]
    # 0.25 s before the onset, but not before the recording starts, and 2 s before it ends at the latest.
    assert clips["start_s"].tolist() == [0.0, 2.427438, 3.0]
    assert (clips["duration_s"] == 2.0).all()
    assert dataset.events is None
    (split,) = dataset.splits
    assert split.name == "official"
    assert {c.partition("@")[0] for c in split.train} == {FIRST}
    assert {c.partition("@")[0] for c in split.test} == {SECOND}
    inspect_dataset(dataset, cache=tmp_path / "cache")


def test_recordings_of_96_khz_are_read_at_another_rate(tmp_path: Path) -> None:
    folder = write_hits(tmp_path)
    write_wav(folder / f"{FIRST}_denoised.wav", duration_s=5.0, rate_hz=96_000)
    clip = LAYOUT.read(folder).clips.iloc[2]
    wave = read_audio(
        Path(clip["path"]), sample_rate_hz=8000, start_s=clip["start_s"], duration_s=clip["duration_s"]
    )
    assert wave.shape == (16_000,)
    assert np.std(wave) > 0.01


def test_there_are_17_materials_and_34_classes() -> None:
    assert len(MATERIALS) == 17
    assert len(MATERIAL_OF_SCENE) == 34
    assert MATERIAL_OF_SCENE["plastic-bag scratch"] == "plastic-bag"


def test_a_recording_without_sound_is_missing(tmp_path: Path) -> None:
    folder = write_hits(tmp_path)
    (folder / f"{FIRST}_denoised.wav").unlink()
    dataset = LAYOUT.read(folder)
    assert dataset.missing == tuple(f"{FIRST}@{line:03d}" for line in (1, 3, 4))
    assert dataset.clips["start_s"].tolist()[:3] == [0.0, 2.427438, 3.65]


def test_a_broken_recording_is_told_by_the_index(tmp_path: Path) -> None:
    folder = write_hits(tmp_path)
    (folder / f"{FIRST}_denoised.wav").write_bytes(b"RIFF and no more")
    with pytest.raises(DataError, match="1 of 2 audio files cannot be used"):
        inspect_dataset(LAYOUT.read(folder), cache=tmp_path / "cache")


def test_the_official_number_of_recordings_is_demanded_as_far_as_it_is_known(tmp_path: Path) -> None:
    folder = write_hits(tmp_path)
    (folder / "asc-bench-synthetic.json").unlink()
    assert LAYOUT.read(folder).shortfalls == ("2 recordings found, at least 973 official",)
    (folder / f"{SECOND}_times.txt").unlink()
    assert LAYOUT.read(folder).shortfalls == (
        f"1 recordings of train.txt and test.txt have no _times.txt, such as {SECOND}",
        "1 recordings found, at least 973 official",
    )


def test_a_recording_in_no_list_is_in_no_division(tmp_path: Path) -> None:
    folder = write_hits(tmp_path)
    (folder / "train.txt").write_text("2015-01-01-00-00-00\n")
    dataset = LAYOUT.read(folder)
    assert len(dataset.clips) == 6
    assert dataset.splits[0].train == ()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (f"{FIRST}_times.txt", "1.0 wood hit\n", r"3 words instead of 4 \(onset, material, action, reaction\)"),
        (f"{FIRST}_times.txt", "soon wood hit static\n", "line 1: onset 'soon' is no time in seconds"),
        (f"{FIRST}_times.txt", "5.5 wood hit static\n", "onset '5.5' is no time of a recording of 5 s"),
        (f"{FIRST}_times.txt", "-1 wood hit static\n", "onset '-1' is no time"),
        (f"{FIRST}_times.txt", "", "is empty"),
        ("2015_times.txt", "1 wood hit static\n", "recording '2015' is not named by a date and a time"),
        ("train.txt", "../2015\n", "recording '../2015' is not named by a date and a time"),
        ("train.txt", f"{SECOND}\n", "1 recordings are in train.txt and in test.txt"),
        ("test.txt", f"{SECOND}\n{SECOND}\n", "stands already in line 1"),
    ],
)
def test_spoilt_lists_are_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = write_hits(tmp_path)
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=message):
        LAYOUT.read(folder)


def test_what_is_no_such_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vis-data").mkdir()
    with pytest.raises(DataError, match=r"no file ends in _times\.txt"):
        LAYOUT.read(tmp_path / "vis-data")
    folder = write_hits(tmp_path / "bare")
    for name in (FIRST, SECOND):
        (folder / f"{name}_times.txt").write_text("1.0 None hit None\n")
    with pytest.raises(DataError, match=r"no _times.txt names a hit or a scratch of carpet, ceramic"):
        LAYOUT.read(folder)
    write_wav(folder / f"{FIRST}_denoised.wav", duration_s=1.5, rate_hz=1000)
    (folder / f"{FIRST}_times.txt").write_text("1.0 wood hit static\n")
    with pytest.raises(DataError, match=r"lasts 1\.5 s, less than a clip of 2 s"):
        LAYOUT.read(folder)
