import copy
from math import log

import numpy as np
import pytest
import torch
from asc_bench.baselines.dcase2024_baseline import Dcase2024Baseline, Dcase2024BaselineParams
from torch import nn

from asc_bench.api import FINE, Budget, Given
from asc_bench.features.torchaudio_import import torchaudio
from tests.unit.small_sets import accuracy, context, task, tones


def normalised_channels(module: nn.Module) -> int:
    return sum(layer.num_features for layer in module.modules() if isinstance(layer, nn.BatchNorm2d))


def test_parameters_and_multiply_adds_are_the_official_ones():
    """The challenge counted those of convolutions and two for each channel of a batch normalisation."""
    system = Dcase2024Baseline(task(10, duration_s=1.0))
    assert system.front_end().shape(1.0) == (65, 256)
    cost = system.complexity()
    assert cost["n_parameters"] == 61_148
    assert cost["n_multiply_adds"] + 2 * normalised_channels(system.build()) == 29_419_156


@pytest.mark.parametrize(
    ("width", "multiplier", "expansion", "with_response_norm"),
    [(8, 2.3, 3.0, 13_942), (16, 2.3, 3.0, 39_868), (24, 2.3, 3.0, 77_314), (32, 2.3, 3.0, 126_952)],
)
def test_other_sizes_are_cp_mobiles_without_two_numbers_for_each_of_six_blocks(
    width, multiplier, expansion, with_response_norm
):
    params = Dcase2024BaselineParams(width=width, multiplier=multiplier, expansion=expansion)
    assert Dcase2024Baseline(task(10), params).complexity()["n_parameters"] == with_response_norm - 12


def test_features_are_torchaudios():
    front_end = Dcase2024Baseline(task(10)).front_end()
    wave = np.random.default_rng(0).normal(size=44_100).astype(np.float32) * 0.1
    transforms = torchaudio().transforms
    mel = torch.nn.Sequential(
        transforms.Resample(orig_freq=44_100, new_freq=32_000),
        transforms.MelSpectrogram(sample_rate=32_000, n_fft=4_096, win_length=3_072, hop_length=500, n_mels=256),
    )(torch.from_numpy(wave))
    np.testing.assert_allclose(front_end(wave), (mel + 1e-5).log().numpy().T, rtol=1e-3, atol=1e-3)


def test_test_excerpts_are_the_seconds_of_a_clip():
    for seconds in (1, 5, 10):
        system = Dcase2024Baseline(task(10, duration_s=float(seconds)))
        n_frames, _ = system.front_end().shape(float(seconds))
        assert system.training_plan().crop.test_starts(n_frames) == tuple(64 * i for i in range(seconds))


def test_paper_budget_trains_as_published():
    plan = Dcase2024Baseline(task(10, duration_s=10.0), budget=Budget.PAPER).training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.weight_decay) == ("adamw", 5e-3, 1e-4)
    assert (plan.batch_size, plan.epochs, plan.select, plan.validate_every) == (256, 1_500, "last", 0)
    assert plan.schedule.factor(0, 81_808) < 1e-3
    assert plan.schedule.factor(2_000, 81_808) == pytest.approx(1.0, abs=1e-6)


def test_paper_budget_predicts_in_half_precision(tmp_path, monkeypatch):
    """As the source's test step: ``model.half()`` on features that were computed in single precision."""
    system = Dcase2024Baseline(task(3), budget=Budget.PAPER)
    torch.manual_seed(0)
    system.module = module = system.build()
    test = tones(4, (65, 256), seed=1)
    with torch.no_grad():
        logits = copy.deepcopy(module).eval().half()(torch.from_numpy(test.features.load()).half()).float()
        single = module.eval()(torch.from_numpy(test.features.load())).softmax(dim=1).numpy()
    predicted = system.predict(test)
    np.testing.assert_allclose(predicted, logits.softmax(dim=1).numpy(), atol=1e-6)
    assert 1e-6 < np.abs(predicted - single).max() < 0.01
    assert next(module.parameters()).dtype == torch.float32, "the weights that are stored stay as they were"
    assert system.facts()["test_precision"] == "float16" and not system.uses_validation


def test_augmentation_is_that_of_the_source():
    system = Dcase2024Baseline(task(3))
    mask, roll, style = system.training_plan().augment
    assert (mask.frequency, mask.time, mask.value) == (48, 0, log(1e-5))
    assert (style.name, style.p, style.alpha, style.share) == ("freq-mixstyle", 0.4, 0.3, "clip")
    assert Given(front_end=system.front_end(), shape=(65, 256)).steps(roll.seconds) == 6


def test_learns_separable_clips(tmp_path):
    train, test = tones(20, (80, 256)), tones(4, (80, 256), seed=1)
    system = Dcase2024Baseline(task(3), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
