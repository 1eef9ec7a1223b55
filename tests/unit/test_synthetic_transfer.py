"""Synthetic transfer targets: read by their layouts, and with true labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_bench.data.computed import run_jobs
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.dcase2017_task4 import COARSE_OF_LABEL
from asc_bench.data.layouts.greatest_hits import ACTIONS, BEFORE_S, MATERIAL_OF_SCENE, MATERIALS
from asc_bench.data.manifest import Dataset
from asc_bench.data.seeds import generator
from asc_bench.data.tags import separated
from asc_bench.synthetic import greatest_hits, sizes, write_synthetic
from asc_bench.synthetic.dataset import plan_dataset
from asc_bench.synthetic.greatest_hits import Action, action_waveform, plan_recordings
from asc_bench.synthetic.recipes import materials, task4_sounds
from asc_bench.synthetic.task4 import Placed, event_waveform, plan_task4

TASK4, HITS = "audioset-dcase2017", "greatest-hits"
FORMAT = {TASK4: 44100, HITS: 48000}
FLAT = ((20.0, 0.0), (20000.0, 0.0))


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    root = tmp_path_factory.mktemp("targets")
    return {name: LAYOUTS[name].read(write_synthetic(name, root, size="tiny", n_jobs=1)) for name in (TASK4, HITS)}


@pytest.mark.parametrize("name", [TASK4, HITS])
def test_the_layout_reads_its_synthetic_dataset_as_complete(datasets: dict[str, Dataset], name: str) -> None:
    dataset = datasets[name]
    assert dataset.synthetic
    assert dataset.complete, (dataset.missing, dataset.shortfalls)
    location = dict(zip(dataset.clips["clip_id"], dataset.clips["location"], strict=True))
    for split in dataset.splits:
        assert not {location[c] for c in split.train} & {location[c] for c in split.test}
    facts = soundfile.info(dataset.clips["path"].iloc[0])
    assert (facts.subtype, facts.samplerate, facts.channels) == ("PCM_16", FORMAT[name], 1)


@pytest.mark.parametrize("name", [TASK4, HITS])
def test_the_same_bytes_are_written_again(datasets: dict[str, Dataset], name: str, tmp_path: Path) -> None:
    plan = plan_dataset(name, size="tiny", seed=0)
    run_jobs(plan.jobs[-2:], tmp_path, n_jobs=1)
    written = list(tmp_path.rglob("*.wav"))
    assert len(written) == 2
    for path in written:
        assert path.read_bytes() == (datasets[name].root / path.relative_to(tmp_path)).read_bytes()


def test_task_4_has_several_labels_a_clip_and_some_that_nobody_hears(datasets: dict[str, Dataset]) -> None:
    dataset = datasets[TASK4]
    assert [s.name for s in dataset.splits] == ["testing", "evaluation"]
    labels = dataset.clips["scene"].map(separated)
    assert set(labels.explode()) == set(COARSE_OF_LABEL) == set(task4_sounds())
    assert 0.3 < (labels.map(len) > 1).mean() < 0.8
    assert dataset.events is not None
    strong = (dataset.root / "groundtruth_strong_label_testing_set.csv").read_text().splitlines()
    assert sum(line.split("\t")[1:3] == ["0.000", "0.000"] for line in strong) == 1
    test = {c for split in dataset.splits for c in split.test}
    assert set(dataset.events["clip_id"]) < test
    assert all(len(Path(p).stem.removeprefix("Y").rsplit("_", 2)[0]) == 11 for p in dataset.clips["path"])
    assert {c[:2] for c in dataset.clips["clip_id"]} >= {"Y-", "YY"}


def test_lists_of_task_4_are_in_the_official_format(datasets: dict[str, Dataset]) -> None:
    root = datasets[TASK4].root
    downloads = (root / "training_set.csv").read_bytes()
    assert downloads.count(b"\r\n") == downloads.count(b"\n") == 34
    first = downloads.decode().splitlines()[0]
    video, start, end = first.split(",")[:3]
    assert (len(video), float(end) - float(start)) == (11, 10.0)
    assert '"' in first
    released = (root / "groundtruth_release" / "groundtruth_weak_label_evaluation_set.csv").read_bytes()
    assert released.count(b"\r\n") == released.count(b"\n") > 0
    assert b"\r" not in (root / "groundtruth_weak_label_training_set.csv").read_bytes()


def test_strong_labels_are_true(datasets: dict[str, Dataset]) -> None:
    """A clip is louder within its events than outside them, and what no event has in it is background alone."""
    dataset = datasets[TASK4]
    assert dataset.events is not None
    clips = dataset.clips.set_index("clip_id")
    gains_db = []
    for clip_id, events in dataset.events.groupby("clip_id"):
        wave, rate_hz = soundfile.read(clips.loc[clip_id, "path"])
        inside = np.zeros(len(wave), dtype=bool)
        for event in events.itertuples():
            inside[round(event.onset_s * rate_hz) : round(event.offset_s * rate_hz)] = True
        if 0.05 < inside.mean() < 0.95:
            loud, quiet = (np.sqrt(np.mean(np.square(wave[where]))) for where in (inside, ~inside))
            gains_db.append(20 * np.log10(loud / quiet))
    assert len(gains_db) >= 8
    assert min(gains_db) > 1.0


@pytest.mark.parametrize("label", task4_sounds())
@pytest.mark.parametrize("length_s", [0.5, 4.0])
def test_an_event_is_heard_from_its_onset_to_its_offset(label: str, length_s: float) -> None:
    wave = event_waveform(Placed(label, 1.0, 1.0 + length_s), FLAT, source=1, take=2)
    assert wave.shape == (round(length_s * 44100),)
    assert np.mean(np.square(wave)) == pytest.approx(1.0, rel=1e-3)
    level = np.sqrt(np.mean(np.square(wave[: len(wave) // 2205 * 2205].reshape(-1, 2205)), axis=1))
    heard = np.flatnonzero(level > 0.02)
    # Windows of 50 ms: sound in the first and the last quarter of a second, and no long silence between.
    assert heard[0] <= 5
    assert heard[-1] >= len(level) - 1 - 5
    assert np.diff(heard).max() * 0.05 <= 0.8


def test_full_has_the_official_numbers_where_that_is_sensible() -> None:
    assert sizes()["full"].task4.n_testing == 488
    assert sizes()["full"].task4.n_evaluation == 1103
    assert (sizes()["full"].greatest_hits.n_train, sizes()["full"].greatest_hits.n_test) == (731, 242)
    small = plan_task4(sizes()["small"], 0)
    assert Counter(clip.part for clip in small) == {"training": 200, "testing": 60, "evaluation": 20}
    assert len({clip.video for clip in small}) == 280
    assert [label for label, sound in task4_sounds().items() if not sound.ontology_id] == []
    for clip in small:
        assert {event.label for event in clip.events} <= set(clip.labels)
        assert all(0 <= event.onset_s < event.offset_s <= 10 for event in clip.events)


@pytest.mark.parametrize("size", ["tiny", "small", "medium"])
def test_every_class_of_greatest_hits_is_in_two_recordings_to_train_and_one_to_test(size: str) -> None:
    recordings = plan_recordings(sizes()[size].greatest_hits, 0)
    assert len({r.name for r in recordings}) == len(recordings)
    for part, least in (("train", 2), ("test", 1)):
        of_part = [r for r in recordings if r.part == part]
        counted = Counter(f"{a.material} {a.action}" for r in of_part for a in r.actions)
        assert min(counted[scene] for scene in MATERIAL_OF_SCENE) >= least
    assert tuple(materials()) == MATERIALS
    assert greatest_hits.ACTIONS == ACTIONS


def test_actions_begin_at_their_onsets(datasets: dict[str, Dataset]) -> None:
    dataset = datasets[HITS]
    gains_db = []
    for path, clips in list(dataset.clips.groupby("path"))[:6]:
        wave, rate_hz = soundfile.read(path)
        for start_s in clips["start_s"]:
            onset = round((start_s + BEFORE_S) * rate_hz)
            n = round(0.04 * rate_hz)
            after, before = wave[onset : onset + 2 * n], wave[onset - 2 * n : onset]
            gains_db.append(20 * np.log10(np.max(np.abs(after)) / np.max(np.abs(before))))
    assert len(gains_db) == 36
    assert np.median(gains_db) > 15
    times = sorted(dataset.root.glob("*_times.txt"))
    assert sum("None None None" in path.read_text() for path in times) == 6


def test_a_hit_dies_away_and_a_scratch_goes_on() -> None:
    for material in MATERIALS:
        late = {}
        for action in ACTIONS:
            wave = action_waveform(
                Action(0.0, material, action, "static"), FLAT, thing=generator("t"), hand=generator("h")
            )
            energy = np.cumsum(np.square(wave))
            late[action] = np.searchsorted(energy, 0.5 * energy[-1]) / 48000
        assert late["hit"] < 0.15 < late["scratch"], material
