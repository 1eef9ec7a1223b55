import numpy as np
import pytest
import torch
from asc_bench.baselines._cp_resnet_network import kernels, max_receptive_field, network
from asc_bench.baselines.cp_resnet import CpResnet, CpResnetParams
from torch import nn

from asc_bench.api import FINE, Budget, ConfigError, Given, PerceptualMel
from asc_bench.modules.cp_resnet import Block
from asc_bench.training.complexity import count_parameters
from tests.unit.small_sets import accuracy, context, task, tones

FIELDS = {3: 55, 4: 71, 5: 87, 6: 103, 7: 135, 8: 167}


@pytest.mark.parametrize(
    ("rho", "expected"),
    [(3, 3_304_468), (4, 3_435_540), (5, 3_566_612), (6, 3_697_684), (7, 3_959_828), (8, 4_484_116)],
)
def test_parameter_count_of_two_channels_is_the_published_one(rho, expected):
    with torch.device("meta"):
        assert count_parameters(network(10, rho=rho, width=128, n_channels=2)) == expected


@pytest.mark.parametrize(("rho", "expected"), [(5, 3_594_252), (7, 3_987_468)])
def test_parameter_count_of_one_channel(rho, expected):
    assert CpResnet(task(70), CpResnetParams(rho=rho)).complexity()["n_parameters"] == expected


def test_kernels_of_the_authors_configuration():
    first, second, third = np.reshape(kernels(7), (3, 4, 2))
    assert first.T.tolist() == [[3, 3, 3, 3], [1, 3, 3, 3]]
    assert second.T.tolist() == [[3, 1, 1, 1], [1, 1, 1, 1]]
    assert (third == 1).all()
    assert np.reshape(kernels(5), (3, 4, 2))[0].T.tolist() == [[3, 3, 3, 3], [1, 3, 3, 1]]


@pytest.mark.parametrize(("rho", "expected"), FIELDS.items())
def test_receptive_field_is_what_a_gradient_reaches(rho, expected):
    """All weights positive and means instead of maxima: whatever can have an influence has one."""
    module = network(1, rho=rho, width=1)
    layers = [nn.AvgPool2d(2) if isinstance(layer, nn.MaxPool2d) else layer for layer in module[:-4]]
    stack = nn.Sequential(*layers).eval()
    for parameter in stack.parameters():
        nn.init.ones_(parameter)
    side = 2 * expected
    x = torch.rand(1, 1, side, side, requires_grad=True)
    maps = stack(x)
    middle = maps.shape[2] // 2
    maps[0, :, middle, middle].sum().backward()
    reached = x.grad[0, 0] > 0
    assert int(reached.any(dim=0).sum()) == int(reached.any(dim=1).sum()) == expected
    assert max_receptive_field(rho) == expected


def test_rho_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="rho is 23, must be between 0 and 22"):
        CpResnetParams(rho=23)
    with pytest.raises(ConfigError, match="width is 0"):
        CpResnetParams(width=0)


def test_blocks_begin_as_identities_and_the_classifier_at_zero():
    torch.manual_seed(0)
    module = network(5, rho=7, width=8).eval()
    block = next(layer for layer in module if isinstance(layer, Block))
    x = torch.rand(2, 8, 6, 6)
    torch.testing.assert_close(block(x), x)
    assert float(block.conv1.weight.detach().std()) == pytest.approx((2 / (9 * 8) / 12) ** 0.5, rel=0.1)
    assert torch.equal(module(torch.rand(2, 1, 64, 64)), torch.zeros(2, 5))


def test_paper_budget_trains_as_published():
    plan = CpResnet(task(10), budget=Budget.PAPER).training_plan()
    mixup, roll = plan.augment
    assert (plan.learning_rate, plan.batch_size, plan.epochs, mixup.alpha) == (1e-4, 10, 350, 0.3)
    assert Given(front_end=PerceptualMel(), shape=(216, 256)).steps(roll.seconds) == 50
    assert [round(plan.schedule.factor(epoch, 350), 6) for epoch in (0, 50, 150, 250, 349)] == [
        1,
        1,
        0.505,
        0.01,
        0.01,
    ]


def test_facts_tell_the_receptive_field():
    assert CpResnet(task(10), CpResnetParams(rho=5)).facts()["max_receptive_field"] == 87
    assert CpResnet(task(10)).front_end().shape(5.0) == (216, 256)


def test_learns_separable_clips(tmp_path):
    train, test = tones(20, (80, 256)), tones(4, (80, 256), seed=1)
    system = CpResnet(task(3), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
