"""Synthetic scene sets of the merged taxonomy: read by their layouts, the same every time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.taxonomy import taxonomy
from asc_bench.errors import ConfigError
from asc_bench.synthetic import recordings, sizes
from asc_bench.synthetic.dataset import plan_dataset
from asc_bench.synthetic.recipes import scene_recipe, scenes
from asc_bench.synthetic.recordings import DARES, LITIS, TUT, Recording, recorded
from tests.unit.cheap_sounds import hiss, write_hissing

NAMES = ("litis-rouen", "tut-2017-development", "tut-2017-evaluation", "dares-g1")
SOURCES = ("litis_rouen", "dcase2017", "dares_g1_presumed")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny datasets with cheap sounds."""
    folder = tmp_path_factory.mktemp("recordings")
    for name in NAMES:
        write_hissing(name, folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_layout_reads_its_synthetic_dataset_as_complete(root: Path, name: str) -> None:
    layout = LAYOUTS[name]
    dataset = layout.read(root / layout.folders[0])
    assert dataset.synthetic
    assert dataset.complete, (dataset.missing, dataset.shortfalls)
    assert not layout.scenes or set(dataset.clips["scene"]) == set(layout.scenes)
    location = dict(zip(dataset.clips["clip_id"], dataset.clips["location"], strict=True))
    for split in dataset.splits:
        assert not {location[c] for c in split.train} & {location[c] for c in split.test}
    assert dataset.clips.groupby("scene")["location"].nunique().min() >= (1 if "evaluation" in name else 3)


def test_the_places_of_litis_are_found_from_its_divisions(tmp_path: Path) -> None:
    """The layout is not told them; each place of the small size has three recordings or so."""
    plan = plan_dataset("litis-rouen", size="medium", seed=0)
    for file_name, text in plan.texts:
        (tmp_path / file_name).write_text(text)
    found = LAYOUTS["litis-rouen"].read(tmp_path).clips
    written = {r.file_name: (r.label, r.place) for job in plan.jobs for r in job.recordings}
    pairs = {
        (written[f"data_rouen/{c}.wav"], place)
        for c, place in zip(found["clip_id"], found["location"], strict=True)
    }
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == 19 * 10


@pytest.mark.parametrize(
    ("name", "subtype", "rate_hz", "channels", "seconds"),
    [
        ("litis-rouen", "PCM_16", 22050, 1, 30),
        ("tut-2017-development", "PCM_24", 44100, 2, 10),
        ("tut-2017-evaluation", "PCM_24", 44100, 2, 10),
        ("dares-g1", "PCM_16", 22050, 2, 60),
    ],
)
def test_audio_format(root: Path, name: str, subtype: str, rate_hz: int, channels: int, seconds: int) -> None:
    paths = sorted((root / LAYOUTS[name].folders[0]).rglob("*.wav"))
    for path in paths[::11]:
        facts = soundfile.info(path)
        assert (facts.subtype, facts.samplerate, facts.channels) == (subtype, rate_hz, channels)
        assert facts.frames == seconds * rate_hz


def test_full_has_the_official_counts() -> None:
    n = {name: plan_dataset(name, size="full", seed=0).facts["counts"]["n_clips"] for name in NAMES}
    assert n == {"litis-rouen": 3026, "tut-2017-development": 4680, "tut-2017-evaluation": 1620, "dares-g1": 123}
    plan = plan_dataset("tut-2017-development", size="full", seed=0)
    assert set(Counter(r.label for job in plan.jobs for r in job.recordings).values()) == {312}


@pytest.mark.parametrize("size", sizes())
def test_every_place_of_the_development_set_is_tested_once(size: str) -> None:
    folds = plan_dataset("tut-2017-development", size=size, seed=0).facts["counts"]["folds"]
    n = plan_dataset("tut-2017-development", size=size, seed=0).facts["counts"]["n_clips"]
    assert sum(parts["test"][""] for parts in folds.values()) == n
    assert all(parts["train"][""] + parts["test"][""] == n for parts in folds.values())


def test_every_scene_label_has_a_recipe() -> None:
    table = taxonomy()
    of_scenes = table[table["source_dataset"].isin(SOURCES)]
    recipes = {
        fine: scene_recipe(fine, coarse)
        for fine, coarse in zip(of_scenes["fine_label"], of_scenes["coarse_label"], strict=True)
    }
    assert len(recipes) == of_scenes["fine_label"].nunique()
    assert recipes["tram"] is scenes()["tram"]
    assert len({str(recipe) for recipe in recipes.values()}) == len(recipes), "no two classes sound alike"
    assert scene_recipe("office", "Public places") is recipes["office"]
    with pytest.raises(ConfigError, match="no scenes in the coarse class 'Animals', only in Vehicle"):
        scene_recipe("lion", "Animals")


def test_a_recording_is_the_same_every_time_and_another_one_is_not() -> None:
    first = Recording("office", 0, 0, "audio/x.wav")
    wave = recorded(first, TUT, layout="tut-2017-development", seed=0)
    assert wave.shape == (441_000, 2) and wave.dtype == np.float32 and np.abs(wave).max() < 1
    assert np.array_equal(wave, recorded(first, TUT, layout="tut-2017-development", seed=0))
    other = recorded(first, TUT, layout="tut-2017-development", seed=1)
    assert np.abs(wave - other).max() > 1e-3
    left, right = wave.T
    alike = np.corrcoef(left, right)[0, 1]
    assert 0.3 < alike < 0.99, "two ears hear nearly the same, not the same"


def test_some_litis_recordings_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "synthesise_scene", hiss)
    monkeypatch.setattr(recordings, "apply_device", lambda wave, **k: wave)
    ends = [
        recorded(Recording("bus", i, 0, ""), LITIS, layout="litis-rouen", seed=0)[-22050 * 5 :] for i in range(100)
    ]
    n_silent = sum(not end.any() for end in ends)
    assert 1 <= n_silent <= 15
    assert recorded(Recording("office", 0, 0, ""), DARES, layout="dares-g1", seed=0).shape == (60 * 22050, 2)
