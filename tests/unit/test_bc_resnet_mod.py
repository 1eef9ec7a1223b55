import numpy as np
import pytest
import torch
from asc_bench.baselines.bc_resnet_mod import BcResnetMod, BcResnetModParams

from asc_bench.api import FINE, Budget, ConfigError, Given
from asc_bench.modules.bc_resnet import BroadcastBlock
from tests.unit.small_sets import accuracy, clips, context, task, tones


@pytest.mark.parametrize(
    ("n_classes", "width", "sub_bands", "expected"),
    [(10, 80, 4, 314_650), (10, 80, 1, 306_730), (70, 80, 4, 326_710), (10, 40, 4, 85_730), (10, 10, 4, 8_015)],
)
def test_parameter_count_is_the_published_one(n_classes, width, sub_bands, expected):
    system = BcResnetMod(task(n_classes), BcResnetModParams(width=width, sub_bands=sub_bands))
    assert system.complexity()["n_parameters"] == expected


def test_block_adds_what_time_says_to_all_bands():
    torch.manual_seed(0)
    block = BroadcastBlock(4, 4, n_sub_bands=2).eval()
    x = torch.rand(1, 4, 8, 6)
    bands = block.along_frequency(x)
    steps = block.along_time(bands.mean(dim=2, keepdim=True))
    assert steps.shape == (1, 4, 1, 6)
    expected = torch.stack([(bands[:, :, b] + steps[:, :, 0] + x[:, :, b]).clamp_min(0) for b in range(8)], dim=2)
    torch.testing.assert_close(block(x), expected)


def test_block_that_changes_the_width_has_no_way_around_it():
    torch.manual_seed(0)
    block = BroadcastBlock(4, 6, n_sub_bands=1).eval()
    for parameter in block.transition.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(block(torch.rand(1, 4, 8, 6)), block(torch.rand(1, 4, 8, 6)))


def test_multiply_adds_of_a_narrow_network_counted_by_hand():
    """c = 2 on 34 frames: maps of 128 x 17, 64 x 8 and 32 x 4."""

    def block(n_in, n_out, bands, frames):
        transition = 0 if n_in == n_out else n_in * n_out * bands * frames
        return transition + 3 * n_out * bands * frames + 3 * n_out * frames + n_out * n_out * frames

    expected = 25 * 4 * 128 * 17 + block(4, 2, 128, 17) + block(2, 2, 128, 17)
    expected += block(2, 3, 64, 8) + block(3, 3, 64, 8)
    expected += block(3, 4, 32, 4) + block(4, 4, 32, 4)
    expected += block(4, 5, 32, 4) + 2 * block(5, 5, 32, 4) + 5 * 3 * 32 * 4
    system = BcResnetMod(task(3, duration_s=33 * 0.03), BcResnetModParams(width=2))
    assert system.front_end().shape(33 * 0.03) == (34, 256)
    assert system.complexity()["n_multiply_adds"] == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sub_bands": 3}, "sub_bands is 3, must divide 32"),
        ({"width": 1}, "width is 1, must be at least 2"),
    ],
)
def test_senseless_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        BcResnetModParams(**settings)


def test_paper_budget():
    system = BcResnetMod(task(10, duration_s=10.0), budget=Budget.PAPER)
    plan = system.training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.momentum, plan.batch_size) == ("sgd", 0.06, 0.9, 100)
    assert (plan.epochs, plan.schedule.warmup, plan.crop) == (100, 0.05, None)
    assert system.front_end().shape(10.0) == (334, 256)
    mask, mixup, roll = plan.augment
    assert (mask.frequency, mask.n_frequency, mask.time, mask.n_time, mixup.alpha) == (40, 2, 80, 2, 0.3)
    assert Given(front_end=system.front_end(), shape=(334, 256)).steps(roll.seconds) == 50


def test_learns_separable_bursts(tmp_path):
    """Residual normalisation leaves a tenth of a band's level: what tells the classes apart must vary in time."""

    def bursts(n_per_class, seed):
        still = tones(n_per_class, (60, 256), seed=seed)
        x, labels = still.features.load(), still.labels[FINE]
        for row, label in enumerate(labels):
            x[row, ::6, label * 85 : (label + 1) * 85] += 20.0
        return clips(x, labels)

    system = BcResnetMod(task(3), budget=Budget.SMOKE)
    system.fit(bursts(20, 0), None, context(tmp_path))
    test = bursts(4, 1)
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
