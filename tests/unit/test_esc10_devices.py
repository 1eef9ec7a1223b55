"""ESC-10 through simulated devices: the choice, the files, the list, the folds and the measures."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from asc_bench.protocols.esc10_devices import Esc10Devices

from asc_bench.bench.bench import Bench
from asc_bench.bench.source import Source
from asc_bench.data.computed import run_jobs
from asc_bench.data.devices import playback
from asc_bench.data.devices.playback import plan_playback
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.esc10 import CLASS_OF_FOLDER
from asc_bench.data.layouts.esc50 import ESC10_CLASSES, GROUP_OF_CLASS
from asc_bench.data.manifest import Dataset, Split, clip_table
from asc_bench.errors import ConfigError, DataError, StoreError
from asc_bench.scoring.predictions import stack_runs
from tests.real_data import real_esc10
from tests.unit.layout_factory import esc50_row, write_esc10, write_esc50
from tests.unit.made_predictions import frame_of, guesses
from tests.unit.scores import location_bootstrap, measure

LAYOUT = LAYOUTS["esc-10-devices"]


def quiet(fraction: float, text: str) -> None:
    pass


@pytest.fixture(scope="module")
def heard(tiny: Source) -> Bench:
    """The protocol on the smallest synthetic dataset, computed for real."""
    return tiny.bench("esc10-devices", quiet)


@pytest.fixture(scope="module")
def sounds(tiny: Source) -> Dataset:
    """What was played to the devices."""
    return tiny.dataset(("esc-10",), quiet)


def sources_of(clips_by_source: dict[tuple[str, int, str], int]) -> Dataset:
    """A data set with so many clips of each (scene, fold, source)."""
    rows = [
        {
            "clip_id": f"{fold}-{source}-{take}",
            "path": f"/{fold}-{source}-{take}.ogg",
            "start_s": 0.0,
            "duration_s": 5.0,
            "scene": scene,
            "coarse": "",
            "device": "",
            "city": "",
            "location": source,
            "recording_id": f"{fold}-{source}-{take}",
        }
        for (scene, fold, source), n in clips_by_source.items()
        for take in "ABCDEFGH"[:n]
    ]
    ids = [str(row["clip_id"]) for row in rows]
    folds = sorted({fold for _, fold, _ in clips_by_source})
    splits = [
        Split(
            f"fold{f}",
            tuple(c for c in ids if not c.startswith(f"{f}-")),
            tuple(c for c in ids if c.startswith(f"{f}-")),
        )
        for f in folds
    ]
    return Dataset("esc-10", Path("/"), clip_table(rows), tuple(splits))


def test_one_source_of_each_scene_and_fold_is_parallel_a_smallest_one_with_all_its_clips() -> None:
    numbers = {
        ("dog", 1, "10"): 2,
        ("dog", 1, "11"): 1,
        ("dog", 1, "12"): 5,
        ("dog", 2, "20"): 4,
        ("dog", 2, "21"): 3,
        ("rain", 1, "30"): 2,
        ("rain", 1, "31"): 3,
        ("rain", 2, "40"): 8,
        ("cat", 2, "50"): 1,
    }
    played = plan_playback(sources_of(numbers), scenes=("dog", "rain"))
    assert {p.scene for p in played} == {"dog", "rain"}
    assert [p.recording for p in played if p.parallel] == [
        *("1-11-A", "2-21-A", "2-21-B", "2-21-C", "1-30-A", "1-30-B"),
        *(f"2-40-{take}" for take in "ABCDEFGH"),
    ]


def test_among_equals_a_seed_draws_and_the_order_of_the_clips_does_not() -> None:
    dataset = sources_of({("dog", 1, str(source)): 1 for source in range(10, 50)})
    backwards = replace(dataset, clips=dataset.clips[::-1].reset_index(drop=True))
    drawn = []
    for seed in range(40):
        (one,) = [p.source for p in plan_playback(dataset, scenes=("dog",), seed=seed) if p.parallel]
        (other,) = [p.source for p in plan_playback(backwards, scenes=("dog",), seed=seed) if p.parallel]
        assert one == other
        drawn.append(one)
    assert len(set(drawn)) > 15


def test_every_recording_is_there_on_three_devices_and_few_of_b_and_c_in_training(
    heard: Bench, sounds: Dataset
) -> None:
    table = heard.dataset.clips.set_index("clip_id")
    assert heard.dataset.complete
    assert heard.dataset.synthetic
    assert set(table["recording_id"]) == set(sounds.clips["clip_id"])
    assert (table.groupby("recording_id")["device"].agg(sorted).map("".join) == "ABC").all()
    assert (table.groupby("recording_id")["location"].nunique() == 1).all()
    chosen = {p.recording for p in plan_playback(sounds, scenes=ESC10_CLASSES) if p.parallel}
    for split, official in zip(heard.dataset.splits, sounds.splits, strict=True):
        train, test = table.loc[list(split.train)], table.loc[list(split.test)]
        for device in "ABC":
            assert set(test.loc[test["device"] == device, "recording_id"]) == set(official.test)
        assert set(train.loc[train["device"] == "A", "recording_id"]) == set(official.train)
        for device in "BC":
            wanted = set(official.train) & chosen
            assert set(train.loc[train["device"] == device, "recording_id"]) == wanted


def test_files_are_what_the_device_makes_of_the_recording(heard: Bench, sounds: Dataset) -> None:
    original = dict(zip(sounds.clips["clip_id"], sounds.clips["path"], strict=True))
    table = heard.clips.sort_values("clip_id")
    for _, versions in list(table.groupby("recording_id"))[::25]:
        waves = {}
        for device, path, recording in zip(
            versions["device"], versions["path"], versions["recording_id"], strict=True
        ):
            facts = soundfile.info(path)
            assert (facts.format, facts.subtype, facts.samplerate, facts.frames) == ("WAV", "PCM_16", 44100, 220500)
            waves[device], _ = soundfile.read(path)
            waves["played"], _ = soundfile.read(original[recording])
        assert np.corrcoef(waves["played"], waves["A"])[0, 1] > 0.99
        spectrum = {d: np.abs(np.fft.rfft(w))[: 5 * 60].sum() for d, w in waves.items()}
        # Below 60 Hz device A loses at most 2 dB; B loses 8 dB and more before its gain of 2 dB, C 4 dB and more.
        assert spectrum["A"] == pytest.approx(spectrum["played"], rel=0.25)
        assert spectrum["B"] < 0.55 * spectrum["A"]
        assert spectrum["C"] < 0.75 * spectrum["A"]
        assert not np.array_equal(waves["B"], waves["C"])


def test_files_depend_on_no_order_and_no_number_of_processes(heard: Bench, sounds: Dataset, tmp_path: Path) -> None:
    played = plan_playback(sounds, scenes=LAYOUT.scenes)[::-9]
    run_jobs([playback._Job(p, LAYOUT.name, 5.0) for p in played], tmp_path, n_jobs=1)
    written = sorted(tmp_path.rglob("*.wav"))
    assert len(written) == 3 * len(played) > 30
    for path in written:
        assert path.read_bytes() == (heard.dataset.root / path.relative_to(tmp_path)).read_bytes()


def test_noise_differs_between_recordings_and_devices(tmp_path: Path) -> None:
    """Silence is played, so that nothing but noise is left."""
    soundfile.write(tmp_path / "silence.wav", np.zeros(44100), 44100)
    for recording in ("1-1-A", "1-2-A"):
        played = playback.Played(recording, str(tmp_path / "silence.wav"), 0.0, "1", "dog", "1", parallel=True)
        playback._Job(played, LAYOUT.name, 1.0)(tmp_path)
    waves = {p.stem: soundfile.read(p)[0] for p in (tmp_path / "audio").iterdir()}
    assert len(waves) == 6
    correlation = np.corrcoef(list(waves.values()))
    assert np.abs(correlation - np.eye(6)).max() < 0.05
    level_db = {name: 20 * np.log10(wave.std()) for name, wave in waves.items()}
    assert level_db["1-1-A-a"] == pytest.approx(-84, abs=1.5)
    assert level_db["1-1-A-a"] < level_db["1-1-A-c"] < level_db["1-1-A-b"]


def test_the_folder_says_what_it_was_made_of(heard: Bench, sounds: Dataset) -> None:
    root = heard.dataset.root
    marker = json.loads((root / "asc-bench-derived.json").read_text())
    assert marker == {
        "layout": "esc-10-devices",
        "source": "esc-10",
        "source_digest": sounds.digest(),
        "devices_version": 1,
        "version": 1,
        "seed": 0,
    }
    readme = (root / "README.md").read_text()
    assert "SYNTHETIC recordings of esc-10, each played to three simulated devices" in readme
    assert heard.tag == "esc10-devices-synthetic-tiny"


def test_a_damaged_or_absent_file_is_told_with_the_way_out(tiny: Source, heard: Bench, tmp_path: Path) -> None:
    for folder in ("synthetic/tiny/ESC-10", str(heard.dataset.root.relative_to(tiny.cache_folder))):
        shutil.copytree(tiny.cache_folder / folder, tmp_path / folder, copy_function=os.link)
    source = replace(tiny, cache=tmp_path)
    dataset = source.dataset(("esc-10-devices",), quiet)
    assert dataset.digest() == heard.dataset.digest()
    path = Path(dataset.clips["path"].iloc[0])
    path.unlink()
    with pytest.raises(DataError, match=r"1 audio files are missing, such as .*-a\n.*remove the folder"):
        source.dataset(("esc-10-devices",), quiet)
    path.write_bytes(b"RIFF")
    with pytest.raises(
        DataError, match=r"1 of 300 audio files cannot be used:(.*\n)*.*asc-bench computed them"
    ) as caught:
        source.dataset(("esc-10-devices",), quiet)
    assert f"remove the folder {tmp_path}" in str(caught.value)


def test_other_recordings_go_elsewhere_and_another_version_replaces(
    sounds: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = sounds.clips[sounds.clips["clip_id"].isin(sounds.splits[0].test[:4])].reset_index(drop=True)
    clips = tuple(few["clip_id"])
    small = replace(sounds, clips=few, splits=(Split("fold1", (), clips),))
    folder = LAYOUT.derive(small, tmp_path, n_jobs=1, progress=quiet)
    first = {p.name: p.stat().st_mtime_ns for p in (folder / "audio").iterdir()}
    assert len(first) == 12
    LAYOUT.derive(small, tmp_path, n_jobs=1, progress=quiet)
    assert {p.name: p.stat().st_mtime_ns for p in (folder / "audio").iterdir()} == first
    monkeypatch.setattr(playback, "DEVICES_VERSION", 2)
    LAYOUT.derive(small, tmp_path, n_jobs=1, progress=quiet)
    again = {p.name: p.stat().st_mtime_ns for p in (folder / "audio").iterdir()}
    assert set(again) == set(first)
    assert not set(again.items()) & set(first.items())
    (folder / "asc-bench-derived.json").unlink()
    with pytest.raises(StoreError, match=r"exists and is not a computed esc-10-devices .* move it away"):
        LAYOUT.derive(small, tmp_path, n_jobs=1, progress=quiet)


def test_an_interrupted_one_goes_on(sounds: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = sounds.clips.iloc[:3].reset_index(drop=True)
    small = replace(sounds, clips=few, splits=(Split("fold1", (), tuple(few["clip_id"])),))
    apply, calls = playback.apply_device, []

    def counting(wave: np.ndarray, **settings: object) -> np.ndarray:
        calls.append(settings["device"])
        if len(calls) == 5:
            raise KeyboardInterrupt
        return apply(wave, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(playback, "apply_device", counting)
    with pytest.raises(KeyboardInterrupt):
        LAYOUT.derive(small, tmp_path, n_jobs=1, progress=quiet)
    assert not (tmp_path / "ESC-10-devices").exists()
    folder = LAYOUT.derive(small, tmp_path, n_jobs=1, progress=quiet)
    assert len(list((folder / "audio").iterdir())) == 9
    assert len(calls) == 5 + 5
    assert {p.name for p in tmp_path.iterdir()} == {"ESC-10-devices", ".ESC-10-devices.lock"}


def test_only_a_derived_layout_can_be_derived(sounds: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="esc-50 is not computed from esc-10 or from any other data set"):
        LAYOUTS["esc-50"].derive(sounds, tmp_path, n_jobs=1, progress=quiet)


def test_without_recordings_the_message_names_them(tmp_path: Path) -> None:
    source = Source(roots=(tmp_path,), cache=tmp_path / "cache")
    with pytest.raises(DataError, match=r"^ESC-10 or ESC-50 was not found\.\n.*ESC-10/"):
        source.dataset(("esc-10-devices",), quiet)


def test_nothing_is_computed_from_an_incomplete_set(tmp_path: Path) -> None:
    folder = write_esc10(tmp_path, list(CLASS_OF_FOLDER)[:1], audio=True)
    source = Source(roots=(tmp_path,), cache=tmp_path / "cache")
    with pytest.raises(
        DataError, match=r"computed from esc-10 in .*ESC-10: incomplete, .*\n  in all: 40 clips listed"
    ):
        source.dataset(("esc-10-devices",), quiet)
    assert folder.exists()
    assert not (tmp_path / "cache" / "derived").exists()


def write_list(root: Path, *lines: str) -> Path:
    (root / "meta").mkdir(parents=True, exist_ok=True)
    (root / "meta" / "recordings.csv").write_text(
        "".join(line + "\n" for line in ("filename,fold,scene,source,device,parallel", *lines))
    )
    return root


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2-7-A-a.wav,1,dog,7,a,True", "line 3: fold is '1', but the file name '2-7-A-a.wav' says '2'"),
        ("1-7-A-a.wav,1,dog,8,a,True", "source is '8', but"),
        ("1-7-A-a.wav,1,dog,7,b,True", "device is 'b', but"),
        ("1-7-A-d.wav,1,dog,7,d,True", "'1-7-A-d.wav' is not of the form fold-source-take-device.wav"),
        ("1-7-A-a.wav,1,dogs,7,a,True", "scene 'dogs' is not one of dog, rooster"),
        ("1-7-A-a.wav,1,dog,7,a,yes", "parallel is 'yes', neither True nor False"),
        ("1-5-A-b.wav,1,dog,5,b,False", "source 5 is parallel here and not in an earlier line"),
        ("1-5-A-a.wav,1,dog,5,a,True", "'1-5-A-a.wav' stands already in line 2"),
        ("../1-5-A-b.wav,1,dog,5,b,True", "leads outside the data set's folder"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        LAYOUT.read(write_list(tmp_path, "1-5-A-a.wav,1,dog,5,a,True", line))
    assert message in str(caught.value)


def test_a_source_in_two_folds_is_a_fault_of_the_folds(tmp_path: Path) -> None:
    dataset = LAYOUT.read(write_list(tmp_path, "1-5-A-a.wav,1,dog,5,a,True", "2-5-A-a.wav,2,dog,5,a,True"))
    assert "fold1: 1 source recording in train and in test, such as 5" in dataset.split_faults


def test_an_unfinished_set_is_incomplete(tmp_path: Path) -> None:
    dataset = LAYOUT.read(write_list(tmp_path, "1-5-A-a.wav,1,dog,5,a,True", "2-6-A-a.wav,2,dog,6,a,False"))
    assert dataset.missing == ("1-5-A-a", "2-6-A-a")
    assert "in all: 2 clips listed, 1200 expected" in dataset.shortfalls
    assert "fold1 train, device B: 0 clips listed, 47 expected" in dataset.shortfalls


def test_esc50_will_do_for_its_marked_subset(tmp_path: Path) -> None:
    targets = {name: target for target, name in enumerate(GROUP_OF_CLASS)}
    lines = [
        esc50_row(fold=fold, source=source, take="A", target=targets[c], category=c, esc10=c in ESC10_CLASSES)
        for c in (*ESC10_CLASSES, "pig")
        for fold in range(1, 6)
        for source in (1000 * targets[c] + 10 * fold, 1000 * targets[c] + 10 * fold + 1)
    ]
    dataset = LAYOUTS["esc-50"].read(write_esc50(tmp_path, lines, audio=False))
    played = plan_playback(dataset, scenes=LAYOUT.scenes)
    assert len(played) == 100
    derived = tmp_path / "ESC-10-devices"
    (derived / "meta").mkdir(parents=True)
    (derived / "meta" / "recordings.csv").write_text(playback._list(played))
    table = LAYOUT.read(derived)
    assert len(table.clips) == 300
    assert set(table.clips["recording_id"]) == {p.recording for p in played}
    assert [(len(s.train), len(s.test)) for s in table.splits] == [(80 + 2 * 40, 60)] * 5


def test_folds_keep_a_source_on_one_side_and_validate_on_all_devices(heard: Bench) -> None:
    clips = heard.clips.set_index("clip_id")
    assert [fold.name for fold in heard.folds] == [f"fold{number}" for number in range(1, 6)]
    for fold, split in zip(heard.folds, heard.dataset.splits, strict=True):
        assert fold.test == split.test
        assert sorted((*fold.train, *fold.validation)) == sorted(split.train)
        places = [set(clips.loc[list(ids), "location"]) for ids in (fold.train, fold.validation, fold.test)]
        assert not places[0] & places[1]
        assert not (places[0] | places[1]) & places[2]
        for ids in (fold.train, fold.validation):
            assert len(clips.loc[list(ids)].groupby(["scene", "device"])) == 30
    assert heard.expected()["fold3"] == {"A": 20, "B": 20, "C": 20}


def test_a_source_on_both_sides_is_refused(heard: Bench) -> None:
    """Also if only a phone's version of it crosses."""
    split = heard.dataset.splits[0]
    stray = next(c for c in split.test if c.endswith("-b"))
    moved = Split(split.name, (*split.train, stray), tuple(c for c in split.test if c != stray))
    with pytest.raises(DataError, match=f"values of location are in .* and in test: {stray.split('-')[1]};"):
        Esc10Devices().folds(replace(heard.dataset, splits=(moved,)))


def predictions_of(heard: Bench, *, accuracy: float, seed: int, alike: bool) -> pd.DataFrame:
    """Predictions of one system on all folds; ``alike``: on every device what is predicted on A."""
    runs = []
    for fold in heard.folds:
        clips = heard.select(fold.test)
        guessed = guesses(clips, accuracy, seed, Esc10Devices.labels)
        if alike:
            of_a = dict(
                zip(clips["recording_id"][clips["device"] == "A"], guessed[clips["device"] == "A"], strict=True)
            )
            guessed = clips["recording_id"].map(of_a).to_numpy()
        runs.append(
            ({"variant": "x", "fold": fold.name, "repeat": 0}, frame_of(clips, guessed, Esc10Devices.labels))
        )
    return stack_runs(runs)


def test_a_device_pools_the_folds_which_is_their_mean(heard: Bench) -> None:
    predictions = predictions_of(heard, accuracy=0.7, seed=3, alike=False)
    right = predictions["label"] == predictions["predicted"]
    for wanted in Esc10Devices.measures:
        of_device = {
            d: right[predictions["device"] == d].groupby(predictions["fold"]).mean().mean() for d in wanted.of
        }
        assert measure(predictions, wanted) == pytest.approx(np.mean(list(of_device.values())))
    assert measure(predictions, Esc10Devices.measures[1]) != measure(predictions, Esc10Devices.measures[2])


def test_three_versions_of_a_recording_count_as_one_location(heard: Bench) -> None:
    """Predicted alike, devices B and C add nothing: the interval of the mean is that of device A."""
    average, of_a = Esc10Devices.measures[:2]
    predictions = predictions_of(heard, accuracy=0.7, seed=3, alike=True)
    assert measure(predictions, average) == pytest.approx(measure(predictions, of_a))
    interval = location_bootstrap(predictions, average, n_resamples=500)
    assert interval == pytest.approx(location_bootstrap(predictions, of_a, n_resamples=500))
    independent = predictions.assign(location=predictions["location"] + predictions["device"])
    narrower = location_bootstrap(independent, average, n_resamples=500)
    assert narrower.high - narrower.low < 0.8 * (interval.high - interval.low)


def test_the_choice_on_real_recordings_is_the_expected_one() -> None:
    dataset = LAYOUTS["esc-10"].read(real_esc10())
    counts = playback.playback_counts(plan_playback(dataset, scenes=LAYOUT.scenes))
    assert counts == {"n_clips": LAYOUT.counts.n_clips, "folds": LAYOUT.counts.folds}
