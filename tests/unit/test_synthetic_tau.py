"""Synthetic TAU Mobile sets of 2020 and 2022: nine devices, nested lists, the official numbers at full size."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import soundfile

from asc_bench.data.devices.devices import DEVICES as REAL
from asc_bench.data.devices.devices import SIMULATED, apply_device
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.layouts.counts import WHOLE, cells_of
from asc_bench.data.layouts.tau_mobile import DEVICES, PERCENTAGES, SECONDS
from asc_bench.data.manifest import Dataset
from asc_bench.synthetic import sizes
from asc_bench.synthetic.dataset import plan_dataset
from asc_bench.synthetic.tau_mobile import amounts, file_names, listed, plan_tau
from tests.unit.cheap_sounds import write_hissing

NAMES = ("tau-2020-mobile", "tau-2022-mobile")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """Both sets with cheap sounds, read by their layouts."""
    root = tmp_path_factory.mktemp("tau")
    folders = {name: write_hissing(name, root) for name in NAMES}
    return {name: LAYOUTS[name].read(folder) for name, folder in folders.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_layout_reads_it_as_complete(tiny: dict[str, Dataset], name: str) -> None:
    dataset = tiny[name]
    assert dataset.synthetic
    assert dataset.complete, (dataset.missing, dataset.shortfalls)
    assert dataset.split_faults == ()
    clips = dataset.clips.set_index("clip_id")
    for split in dataset.splits:
        trained, tested = clips.loc[list(split.train)], clips.loc[list(split.test)]
        assert sorted(set(trained["device"])) == list(DEVICES[:6])
        assert len(tested.groupby(["scene", "device"])) == 10 * len(DEVICES)
        assert trained.groupby("scene")["location"].nunique().min() >= 2
    used = {clip for split in dataset.splits for clip in (*split.train, *split.test)}
    unused = clips.drop(index=list(used))
    assert set(unused["location"]) <= set(clips.loc[list(dataset.splits[0].test), "location"])


def test_seconds_are_the_recordings_of_the_other_set(tiny: dict[str, Dataset]) -> None:
    whole = tiny["tau-2020-mobile"].clips.set_index("clip_id")
    cut = tiny["tau-2022-mobile"].clips.set_index("clip_id")
    assert len(cut) == SECONDS * len(whole)
    name = next(clip for clip in whole.index if clip.endswith("-s5"))
    stem = name.removesuffix("-s5")
    seconds = [soundfile.read(cut.loc[f"{stem}-{i}-s5", "path"], dtype="int32")[0] for i in range(SECONDS)]
    np.testing.assert_array_equal(
        np.concatenate(seconds), soundfile.read(whole.loc[name, "path"], dtype="int32")[0]
    )


@pytest.mark.parametrize(("name", "seconds"), [(NAMES[0], 10), (NAMES[1], 1)])
def test_audio_has_the_official_format(tiny: dict[str, Dataset], name: str, seconds: int) -> None:
    for path in tiny[name].clips["path"][::37]:
        facts = soundfile.info(path)
        assert (facts.format, facts.subtype, facts.samplerate, facts.channels) == ("WAV", "PCM_24", 44100, 1)
        assert facts.frames == seconds * 44100


@pytest.mark.parametrize("size", sizes())
def test_lists_are_nested_and_have_every_device_and_scene(size: str) -> None:
    of = amounts(sizes()[size].tau_mobile)
    instants = plan_tau(of)
    assert len({i.segment for i in instants}) == len(instants)
    larger = {(i.segment, d) for i in instants if i.part == "train" for d in i.devices}
    for percentage in reversed(PERCENTAGES):
        its = {(i.segment, d) for i, d in listed(instants, of, percentage)}
        assert its <= larger
        larger = its
        counted = Counter((i.scene, d) for i, d in listed(instants, of, percentage))
        assert len(counted) == 60
        assert all(n == of.listed[percentage][scene][d.upper()] for (scene, d), n in counted.items())
    sides = {part: {i.location for i in instants if i.part == part} for part in ("train", "test", "unused")}
    assert not sides["train"] & sides["test"]
    assert sides["unused"] <= sides["test"]


@pytest.mark.parametrize("name", NAMES)
def test_full_size_has_the_official_counts(name: str) -> None:
    official, cells = LAYOUTS[name].counts, cells_of(name)
    assert plan_dataset(name, size="full", seed=0).facts["counts"] == {
        "n_clips": official.n_clips,
        "folds": official.folds,
    }
    factor = SECONDS if name == NAMES[1] else 1
    instants = plan_tau(amounts(None))
    for part in ("train", "test"):
        counted = Counter((i.scene, d.upper()) for i in instants if i.part == part for d in i.devices)
        assert {cell: factor * n for cell, n in counted.items()} == cells["fold1", part]
    counted = Counter((i.scene, d.upper()) for i in instants for d in i.devices)
    assert {cell: factor * n for cell, n in counted.items()} == cells[WHOLE]


def test_file_names_have_the_second_before_the_device() -> None:
    (instant, *_) = plan_tau(amounts(sizes()["tiny"].tau_mobile))
    assert file_names(instant, "s2", in_seconds=False) == ["audio/airport-barcelona-0-0-s2.wav"]
    assert file_names(instant, "s2", in_seconds=True)[7] == "audio/airport-barcelona-0-0-7-s2.wav"


def test_each_simulated_device_colours_noise_in_its_own_way() -> None:
    """Levels in octave bands differ from those of every other device by more than 3 dB somewhere."""
    noise = np.random.default_rng(0).standard_normal(44_100, dtype=np.float32) * np.float32(0.05)
    edges = 62.5 * 2.0 ** np.arange(9)
    levels = {}
    for device in (*REAL, *SIMULATED):
        heard = apply_device(noise, sample_rate_hz=44_100, device=device, rng=np.random.default_rng(1))
        power = np.abs(np.fft.rfft(heard)) ** 2
        band = np.digitize(np.fft.rfftfreq(len(heard), 1 / 44_100), edges)
        levels[device] = 10 * np.log10([power[band == b].sum() for b in range(1, 9)])
        levels[device] -= levels[device].mean()
    for first in SIMULATED:
        for second in levels.keys() - {first}:
            assert np.abs(levels[first] - levels[second]).max() > 3, (first, second)
