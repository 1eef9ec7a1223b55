from dataclasses import replace

import numpy as np
import pytest
import torch
from asc_bench.baselines._tf_sepnet_network import SeparateBlock, shuffled
from asc_bench.baselines.tf_sepnet import TfSepnet, TfSepnetParams

from asc_bench.api import FINE, Budget, ConfigError
from tests.unit.dcase_macs import dcase_macs
from tests.unit.small_sets import accuracy, clips, context, task


@pytest.mark.parametrize(
    ("settings", "n_parameters", "macs"),
    [
        ({"width": 16}, 10_122, None),
        ({"width": 20}, 14_900, None),
        ({"width": 24}, 20_578, None),
        ({"width": 32}, 34_634, 8_855_392),
        ({"width": 40}, 52_290, 12_898_720),
        ({"width": 48}, 73_546, 17_673_872),
        ({}, 126_858, 29_419_648),
        ({"width": 80}, 194_570, None),
        ({"depth": 16}, 126_858, 32_024_128),
        ({"n_mels": 256}, 126_858, 14_782_944),
    ],
)
def test_sizes_are_the_published_ones(settings, n_parameters, macs):
    system = TfSepnet(task(10), TfSepnetParams(**settings))
    module = system.build()
    assert sum(p.numel() for p in module.parameters()) == n_parameters
    if macs is not None:
        assert dcase_macs(module, *system.front_end().shape(1.0)) == macs


def test_a_65th_frame_is_over_the_limit():
    assert dcase_macs(TfSepnet(task(10)).build(), 65, 512) == 30_740_608


def test_shuffle_is_torchs_with_groups_of_two():
    x = torch.arange(48.0).reshape(2, 8, 3, 1)
    assert shuffled(x)[0, :, 0, 0].tolist() == [0, 12, 3, 15, 6, 18, 9, 21]
    torch.testing.assert_close(shuffled(x), torch.nn.functional.channel_shuffle(x, 2))


def test_block_adds_what_an_axis_says_to_all_bins_along_it():
    torch.manual_seed(0)
    block = SeparateBlock(4, 4).eval()
    x = torch.rand(1, 4, 6, 5)
    first, second = x[:, [0, 2]], x[:, [1, 3]]
    of_time = block.mix_frequency(block.along_frequency(first).sum(dim=2, keepdim=True) / 6)
    of_bands = block.mix_time(block.along_time(second).sum(dim=3, keepdim=True) / 5)
    assert of_time.shape == (1, 2, 1, 5) and of_bands.shape == (1, 2, 6, 1)
    by_hand = torch.stack([first[:, :, b] + of_time[:, :, 0] for b in range(6)], dim=2)
    found = block(x)
    # Channels 0 and 1 of the shuffled input are 0 and 2 of x; 2 and 3 are 1 and 3.
    torch.testing.assert_close(found[:, :2], by_hand)
    by_hand = torch.stack([second[..., t] + of_bands[..., 0] for t in range(5)], dim=3)
    torch.testing.assert_close(found[:, 2:], by_hand)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 18}, "width is 18, must be a multiple of 4"),
        ({"depth": 15}, "depth is 15, must be 16 or 17"),
        ({"n_mels": 16}, "n_mels is 16, must be at least 32"),
    ],
)
def test_senseless_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        TfSepnetParams(**settings)


def test_paper_budget_trains_as_published():
    system = TfSepnet(task(10, duration_s=1.0), budget=Budget.PAPER)
    plan = system.training_plan()
    assert system.front_end().shape(1.0) == (64, 512)
    assert (plan.optimiser, plan.learning_rate, plan.weight_decay) == ("adam", 4e-3, 0)
    assert (plan.batch_size, plan.epochs, plan.select) == (256, 150, "last")
    factors = [plan.schedule.factor(epoch, 150) for epoch in (0, 5, 10, 20, 30, 50, 70, 110)]
    assert factors == pytest.approx([1, 0.5, 1, 0.5, 1, 0.5, 1, 0.5])
    style, mixup = plan.augment
    assert (style.p, style.alpha, style.share, mixup.alpha) == (0.8, 0.4, "batch", 0.3)


def test_learns_separable_bursts(tmp_path):
    """Residual normalisation leaves a tenth of a band's level: what tells the classes apart must vary in time."""

    def bursts(n_per_class, seed):
        labels = np.tile(np.arange(3), n_per_class)
        x = np.random.default_rng(seed).normal(size=(len(labels), 64, 128)).astype(np.float32)
        for row, label in enumerate(labels):
            x[row, ::6, label * 42 : (label + 1) * 42] += 6.0
        return clips(x, labels)

    system = TfSepnet(task(3), budget=Budget.SMOKE)
    plan = replace(system.training_plan(), iterations=120)  # the 40 of smoke are too few to tell anything
    system.training_plan = lambda: plan
    system.fit(bursts(96, 0), None, replace(context(tmp_path), seed=1))
    test = bursts(12, 1)
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
