from dataclasses import replace

import librosa
import numpy as np
import pytest
import scipy.signal
import torch
from asc_bench.baselines.dcase2018_baseline import Dcase2018Baseline, Dcase2018BaselineParams

from asc_bench.api import FINE, Budget
from asc_bench.reporting.published import published_values
from tests.unit.small_sets import accuracy, context, refusal, task, tones

DEVICES = ("A", "B", "C")


def test_counts_are_those_that_the_source_prints():
    system = Dcase2018Baseline(task(10, duration_s=10.0), budget=Budget.PAPER)
    assert system.complexity()["n_parameters"] == 116_022
    with_running = sum(t.numel() for name, t in system.build().state_dict().items() if "num_batches" not in name)
    assert with_running == 116_118


def test_multiply_adds_counted_by_hand():
    found = Dcase2018Baseline(task(10, duration_s=10.0)).complexity()["n_multiply_adds"]
    assert found == 40 * 500 * 49 * 32 + 8 * 100 * 49 * 32 * 64 + 128 * 100 + 100 * 10


def test_features_are_librosas_of_asymmetric_hamming_windows():
    front_end = Dcase2018Baseline(task(10)).front_end()
    assert front_end.shape(10.0) == (501, 40)
    wave = np.random.default_rng(0).normal(size=44_100).astype(np.float32) * 0.1
    window = scipy.signal.get_window("hamming", 1_764, fftbins=True)
    spectrum = np.abs(
        librosa.stft(wave, n_fft=2_048, hop_length=882, win_length=1_764, window=window, pad_mode="reflect")
    )
    bands = librosa.filters.mel(sr=44_100, n_fft=2_048, n_mels=40) @ spectrum
    np.testing.assert_allclose(front_end(wave), np.log(bands + np.spacing(1)).T, rtol=1e-4, atol=1e-4)


def test_only_the_first_five_hundred_frames_of_ten_seconds_are_read():
    module = Dcase2018Baseline(task(10, duration_s=10.0)).build().eval()
    x = torch.randn(2, 501, 40, generator=torch.Generator().manual_seed(0))
    other_end = x.clone()
    other_end[:, 500] = 9.0
    assert torch.equal(module(x), module(other_end))


def test_initial_weights_stay_within_the_bounds_of_keras():
    module = Dcase2018Baseline(task(10, duration_s=10.0)).build()
    first, *_, last = (
        layer for layer in module.layers if hasattr(layer, "kernel_size") or hasattr(layer, "in_features")
    )
    bound = (6 / (49 + 49 * 32)) ** 0.5
    assert 0.9 * bound < float(first.weight.detach().abs().max()) <= bound
    assert 0.045 < float(last.weight.detach().abs().max()) <= 0.05
    assert not first.bias.any() and not last.bias.any()


def test_published_number_is_that_of_training_on_device_a():
    (published,) = Dcase2018Baseline.card.published
    assert published_values(published) == {"A": 58.9, "B": 45.1, "C": 46.2, "B/C": 45.6}
    assert published.when == {"train_device": Dcase2018BaselineParams().train_device}


@pytest.mark.parametrize(("train_device", "n_read"), [("A", 6), ("B", 3), ("all", 9)])
def test_learns_from_the_clips_of_one_device(tmp_path, monkeypatch, train_device, n_read):
    system = Dcase2018Baseline(
        task(3, devices=DEVICES), Dcase2018BaselineParams(train_device=train_device), budget=Budget.SMOKE
    )
    clips = replace(tones(3, (60, 40)), device=np.array([0, 0, 1] * 3))
    seen = []
    monkeypatch.setattr(
        "asc_bench.systems.torch_system.TorchSystem.train_network",
        lambda self, train, validation, context: seen.extend([len(train), len(validation)]),
    )
    system.fit(clips, clips, context(tmp_path))
    assert seen == [n_read, n_read]
    everything = clips.features.load().reshape(-1, 40).astype(np.float64)
    np.testing.assert_allclose(system._statistics.mean, everything.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(system._statistics.std, everything.std(axis=0), rtol=1e-5)
    assert system.needs_device == ("no" if train_device == "all" else "training")
    assert refusal(system) is None


def test_a_device_without_training_clips_is_refused_and_data_without_devices_are_not():
    params = Dcase2018BaselineParams(train_device="Z")
    why = refusal(Dcase2018Baseline(task(3, devices=DEVICES), params))
    assert "no training clips of device 'Z', only of A, B, C" in why
    without = Dcase2018Baseline(task(3), params)
    assert refusal(without) is None and without.needs_device == "no"


def test_paper_budget_trains_as_published():
    plan = Dcase2018Baseline(task(10), budget=Budget.PAPER).training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.batch_size, plan.epochs) == ("adam", 1e-3, 16, 200)
    assert (plan.select, plan.monitor, plan.standardise) == ("best", "accuracy", "per-band")
    assert (plan.validate_every, plan.validate_after) == (1, 51), "the source's delay of 50 counts epochs from 0"


def test_learns_separable_clips(tmp_path):
    train, test = tones(20, (151, 40)), tones(4, (151, 40), seed=1)
    system = Dcase2018Baseline(task(3, duration_s=3.0), budget=Budget.SMOKE)
    system.fit(train, tones(4, (151, 40), seed=2), context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
