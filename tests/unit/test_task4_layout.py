"""DCASE 2017 task 4 on disk, and what its lists trip readers with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asc_bench.api import Waveform
from asc_bench.data.index import inspect_dataset
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.dcase2017_task4 import COARSE_OF_LABEL
from asc_bench.data.manifest import Dataset
from asc_bench.data.official_files import Facts, Finding, _too_long
from asc_bench.errors import DataError
from asc_bench.features.cache import feature_array
from tests.unit.layout_factory import write_wav
from tests.unit.transfer_sets import STRONG, TESTING, TRAINING, TRUTH, tab_separated, weak_rows, write_task4

LAYOUT = LAYOUTS["audioset-dcase2017"]


def test_the_clips_have_their_labels_lengths_and_videos(tmp_path: Path) -> None:
    dataset = LAYOUT.read(write_task4(tmp_path))
    assert dataset.complete, (dataset.missing, dataset.shortfalls)
    clips = dataset.clips.set_index("clip_id")
    assert clips["scene"].to_dict() == {
        "Y-0training1_30.000_40.000": "Air horn, truck horn|Car",
        "YY0training2_0.000_10.000": "Fire engine, fire truck (siren)",
        "Ya_training3_60.000_70.000": "Car",
        "Ya0training4_5.000_9.000": "Train horn|Train",
        "Y-0_testing1_30.000_40.000": "Air horn, truck horn|Truck",
        "YY00testing2_0.000_10.000": "Car",
    }
    assert clips["location"].tolist()[:3] == ["-0training1", "Y0training2", "a_training3"]
    assert clips.loc["Ya0training4_5.000_9.000", "heard_s"] == 4.0
    assert (clips["heard_s"] == 10.0).sum() == 5 and (clips["duration_s"] == 10.0).all()
    (split,) = dataset.splits
    assert (split.name, len(split.train), len(split.test)) == ("testing", 4, 2)
    inspect_dataset(dataset, cache=tmp_path / "cache")


def test_silence_follows_a_clip_that_was_published_short(tmp_path: Path) -> None:
    dataset = LAYOUT.read(write_task4(tmp_path))
    indexed = inspect_dataset(dataset, cache=tmp_path / "cache")[0]
    table = indexed.clips
    found = feature_array(
        table, Waveform(sample_rate_hz=8_000), file_digests=indexed.file_digests, cache=tmp_path / "cache", n_jobs=1
    )
    short = int((table["heard_s"] == 4.0).to_numpy().argmax())
    assert found.array.shape == (6, 80_000)
    assert np.abs(found.array[short, : 4 * 8_000]).max() > 0 and not found.array[short, 4 * 8_000 :].any()
    whole = table.assign(heard_s=table["duration_s"]).iloc[[short]]
    with pytest.raises(DataError, match=r"is too short"):
        feature_array(
            whole, Waveform(sample_rate_hz=8_000), file_digests=indexed.file_digests, cache=tmp_path / "cache"
        )


def test_of_a_clip_so_much_is_heard_as_the_organisers_had(tmp_path: Path) -> None:
    folder = write_task4(tmp_path)
    # As in the repository: a Y before the video, a blank before the tab; not every clip need be listed.
    (folder / "duration_of_files_in_testing_set.csv").write_text(
        "Y-0_testing1_30.000_40.000.wav  \t 9.345306\nYY00testing2_0.000_10.000.wav  \t 10.000000\n"
    )
    (folder / "duration_of_files_in_training_set.csv").write_text("Ya0training4_5.000_9.000.wav \t 4.100000\n")
    dataset = LAYOUT.read(folder)
    heard_s = dataset.clips.set_index("clip_id")["heard_s"]
    assert heard_s["Y-0_testing1_30.000_40.000"] == 9.345306
    assert heard_s["Ya0training4_5.000_9.000"] == 4.0
    assert heard_s.drop("Y-0_testing1_30.000_40.000").tolist() == [10.0, 10.0, 10.0, 4.0, 10.0]
    assert dataset.events is not None
    assert dataset.events["offset_s"].max() == 10.0, "the truth is the published one"
    # Both the organisers' copy and one that is whole are as published; one of another cut is not.
    whole, facts = inspect_dataset(dataset, cache=tmp_path / "cache")
    assert not [finding for finding in lengths(whole, facts) if finding.paths]
    short = folder / "audio" / "testing" / "Y-0_testing1_30.000_40.000.wav"
    write_wav(short, duration_s=9.3453, rate_hz=1000)
    inspect_dataset(dataset, cache=tmp_path / "cache")
    write_wav(short, duration_s=9.0, rate_hz=1000)
    with pytest.raises(DataError, match="too short"):
        inspect_dataset(dataset, cache=tmp_path / "cache")
    write_wav(short, duration_s=20.0, rate_hz=1000)
    (finding,) = lengths(*inspect_dataset(dataset, cache=tmp_path / "cache"))
    assert finding.what == "longer than the clip of 10 s, up to 20 s"


def lengths(dataset: Dataset, facts: Facts) -> list[Finding]:
    return list(_too_long(dataset, facts, 0.1, certain=True))


def test_labels_stand_in_official_order_whatever_that_of_the_rows(tmp_path: Path) -> None:
    folder = write_task4(tmp_path)
    path = folder / TRUTH.format("weak", "training")
    path.write_text(tab_separated(weak_rows(TRAINING)[::-1]))
    scenes = LAYOUT.read(folder).clips.set_index("location")["scene"]
    assert scenes["a0training4"] == "Train horn|Train"
    assert scenes["-0training1"] == "Air horn, truck horn|Car"


def test_unheard_labels_leave_their_clip_and_events_are_cut_at_its_end(tmp_path: Path) -> None:
    dataset = LAYOUT.read(write_task4(tmp_path))
    assert dataset.events is not None
    clip = "Y-0_testing1_30.000_40.000"
    assert dataset.events.to_dict("split")["data"] == [
        [clip, 0.917, 2.029, "Air horn, truck horn"],
        [clip, 9.25, 10.0, "Air horn, truck horn"],
    ]
    assert "YY00testing2_0.000_10.000" in dataset.splits[0].test


def test_events_in_video_time_are_refused(tmp_path: Path) -> None:
    folder = write_task4(tmp_path)
    wrong = [(STRONG[0][0], "30.917", "32.029", "Truck"), *STRONG]
    (folder / TRUTH.format("strong", "testing")).write_text(tab_separated(wrong))
    with pytest.raises(
        DataError, match=r"line 1: the sound lasts from 30.917 s .* clip of 10 s; times of the strong"
    ):
        LAYOUT.read(folder)


def test_the_evaluation_set_counts_as_soon_as_one_recording_is_there(tmp_path: Path) -> None:
    folder = write_task4(tmp_path, evaluation=True)
    dataset = LAYOUT.read(folder)
    assert dataset.complete, dataset.shortfalls
    assert [(s.name, len(s.train), len(s.test)) for s in dataset.splits] == [
        ("testing", 4, 2),
        ("evaluation", 4, 1),
    ]
    assert dataset.events is not None
    assert dataset.events.iloc[-1].tolist() == ["Yevaluation1_0.000_10.000", 1.0, 2.0, "Bus"]
    (folder / "audio" / "evaluation" / "Yevaluation1_0.000_10.000.wav").unlink()
    assert [s.name for s in LAYOUT.read(folder).splits] == ["testing"]


def test_a_released_truth_counts_before_the_one_beside_it(tmp_path: Path) -> None:
    folder = write_task4(tmp_path)
    name = TRUTH.format("strong", "testing")
    (folder / "groundtruth_release" / name).write_text(tab_separated(STRONG[2:]), newline="")
    assert LAYOUT.read(folder).events is not None
    assert LAYOUT.read(folder).events.empty


def test_a_video_that_was_taken_down_makes_the_set_incomplete(tmp_path: Path) -> None:
    folder = write_task4(tmp_path)
    (folder / "audio" / "training" / "YY0training2_0.000_10.000.wav").unlink()
    dataset = LAYOUT.read(folder)
    assert not dataset.complete
    assert dataset.missing == ("YY0training2_0.000_10.000",)


def test_recordings_are_found_in_any_folder_of_audio(tmp_path: Path) -> None:
    folder = write_task4(tmp_path)
    downloaded = folder / "audio" / "testing_set.csv_20170301_segmented_downloads"
    (folder / "audio" / "testing").rename(downloaded)
    dataset = LAYOUT.read(folder)
    assert dataset.complete
    assert {Path(p).parent for p in dataset.clips["path"]} == {folder / "audio" / "training", downloaded}
    # Without the leading Y a file is another one.
    name = next(iter(TESTING))
    (downloaded / f"Y{name}").rename(downloaded / name)
    assert LAYOUT.read(folder).missing == (f"Y{name.removesuffix('.wav')}",)


def test_official_counts_are_demanded_of_clips_and_rows(tmp_path: Path) -> None:
    folder = write_task4(tmp_path, evaluation=True)
    (folder / "asc-bench-synthetic.json").unlink()
    assert set(LAYOUT.read(folder).shortfalls) == {
        "in all: 7 clips listed, 52763 official",
        "testing train: 4 clips listed, 51172 official",
        "testing test: 2 clips listed, 488 official",
        "evaluation train: 4 clips listed, 51172 official",
        "evaluation test: 1 clips listed, 1103 official",
        "training: 6 rows of the weak truth listed, 56131 official",
        "testing: 3 rows of the weak truth listed, 606 official",
        "testing: 4 rows of the strong truth listed, 688 official",
        "evaluation: 1 rows of the weak truth listed, 1350 official",
        "evaluation: 1 rows of the strong truth listed, 1706 official",
    }


def test_the_classes_are_the_official_ones() -> None:
    assert len(COARSE_OF_LABEL) == 17
    assert list(COARSE_OF_LABEL.values()) == ["Warning"] * 9 + ["Vehicle"] * 8
    assert sorted(label for label in COARSE_OF_LABEL if "," in label) == [
        "Air horn, truck horn",
        "Fire engine, fire truck (siren)",
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "groundtruth_weak_label_training_set.csv",
            "-0training1_",
            "Y-0training1_",
            "11 characters and no Y before",
        ),
        (
            "groundtruth_weak_label_training_set.csv",
            "30.000\t40.000",
            "0.000\t10.000",
            "lasts from 0 s to 10 s, but",
        ),
        (
            "groundtruth_weak_label_training_set.csv",
            "\tCar\n",
            "\tcar\n",
            "label 'car' is not one of Train horn; Air",
        ),
        ("groundtruth_weak_label_training_set.csv", "\t", ",", "comma separated, but the official list is tab"),
        ("groundtruth_strong_label_testing_set.csv", "0.917", "now", "'now' is no time in seconds"),
        ("groundtruth_strong_label_testing_set.csv", "0.917", "nan", "'nan' is no time in seconds"),
        ("groundtruth_strong_label_testing_set.csv", "2.029", "0.5", "from 0.917 s to 0.5 s"),
        ("groundtruth_strong_label_testing_set.csv", "-0_testing1", "-0_testing9", "is not in the weak truth of"),
        ("training_set.csv", "-0training1", "-0training9", "has no weak label in the truth"),
        (
            "training_set.csv",
            "a_training3,60.000,70.000,Car,/m/0k4j\r\n",
            "",
            "'a_training3_60.000_70.000.wav' of the",
        ),
        (
            "training_set.csv",
            '"Air horn, truck horn,Car"',
            '"Air horn,truck horn,Car"',
            "label 'Air horn' is not one",
        ),
        ("training_set.csv", '"Train horn,Train"', "Train horn,Train", "6 columns instead of 5"),
    ],
)
def test_spoilt_lists_are_named(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    folder = write_task4(tmp_path, audio=False)
    text = (folder / name).read_bytes().decode()
    assert old in text
    (folder / name).write_text(text.replace(old, new), newline="")
    with pytest.raises(DataError, match=message) as caught:
        LAYOUT.read(folder)
    assert str(folder / name) in str(caught.value)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    folder = write_task4(tmp_path)
    (folder / TRUTH.format("strong", "testing")).unlink()
    with pytest.raises(DataError, match=r"groundtruth_strong_label_testing_set.csv is missing"):
        LAYOUT.read(folder)
