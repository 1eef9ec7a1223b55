import numpy as np
import pytest
import torch
from asc_bench.baselines._cp_resnet_128k_network import kernels, network
from asc_bench.baselines.cp_resnet_128k import CpResnet128k, CpResnet128kParams

from asc_bench.api import FINE, Budget, ConfigError, Given
from asc_bench.modules.cp_resnet import Block
from tests.unit.dcase_macs import dcase_macs
from tests.unit.small_sets import accuracy, clips, context, task, tones


@pytest.mark.parametrize(
    ("rho", "n_parameters", "macs"),
    [
        (3, 56_004, 18_088_396),
        (4, 64_196, 19_317_196),
        (5, 80_580, 21_774_796),
        (6, 80_580, 21_774_796),
        (7, 80_580, 21_774_796),
        (8, 127_684, 28_840_396),
        (9, 195_396, 38_997_196),
        (10, 195_396, 38_997_196),
    ],
)
def test_sizes_are_the_published_ones(rho, n_parameters, macs):
    system = CpResnet128k(task(10), CpResnet128kParams(rho=rho))
    assert system.front_end().shape(1.0) == (43, 256)
    module = system.build()
    assert sum(p.numel() for p in module.parameters()) == n_parameters
    assert dcase_macs(module, 43, 256) == macs


def test_kernels_of_the_authors_code():
    assert kernels(3) == ((3, 1), (3, 3), (1, 1), (1, 1))
    assert kernels(8) == ((3, 1), (3, 3), (3, 3), (3, 1))


def test_blocks_begin_as_identities_and_the_classifier_at_zero():
    torch.manual_seed(0)
    module = network(5, rho=8).eval()
    blocks = [layer for layer in module if isinstance(layer, Block)]
    x = torch.rand(2, 32, 6, 6)
    torch.testing.assert_close(blocks[1](x), x)
    assert blocks[2].conv1.weight.shape == (64, 16, 3, 3) and blocks[2].shortcut[0].groups == 2
    # He by outputs, times the number of blocks to the power of -1/2.
    assert float(blocks[3].conv1.weight.detach().std()) == pytest.approx((2 / (9 * 92) / 4) ** 0.5, rel=0.02)
    assert torch.equal(module(torch.rand(2, 1, 64, 43)), torch.zeros(2, 5))


def test_rho_out_of_range_is_refused():
    for rho in (2, 11):
        with pytest.raises(ConfigError, match=f"rho is {rho}, must be between 3 and 10"):
            CpResnet128kParams(rho=rho)


def test_paper_budget_trains_as_published():
    system = CpResnet128k(task(10, duration_s=10.0), budget=Budget.PAPER)
    plan = system.training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.weight_decay) == ("adam", 1e-3, 1e-3)
    assert (plan.batch_size, plan.epochs) == (256, 1_500)
    factors = [plan.schedule.factor(epoch, 150) for epoch in (0, 15, 50, 135, 149)]
    assert factors == pytest.approx([np.exp(-5), 1, 1, 0.005, 0.005])
    mask, roll, style = plan.augment
    assert (mask.frequency, mask.value, style.p, style.alpha) == (48, 0.9, 0.8, 0.4)
    assert Given(front_end=system.front_end(), shape=(43, 256)).steps(roll.seconds) == 5


def test_learns_separable_clips(tmp_path):
    train, test = (tones(n, (43, 256), seed=n) for n in (16, 4))
    # On the scale of normalised logarithms, which the network is given as they are.
    train, test = (clips((x.features.load() + 40) / 3, x.labels[FINE]) for x in (train, test))
    system = CpResnet128k(task(3), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
