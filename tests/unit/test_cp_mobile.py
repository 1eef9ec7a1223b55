import numpy as np
import pytest
import torch
from asc_bench.baselines.cp_mobile import CpMobile, CpMobileParams

from asc_bench.api import FINE, Budget, ConfigError, Given
from asc_bench.features.encoders.efficientat_network import rounded
from asc_bench.modules.cp_mobile import Block, ResponseNorm
from tests.unit.dcase_macs import dcase_macs
from tests.unit.small_sets import accuracy, clips, context, task, tones


@pytest.mark.parametrize(
    ("width", "multiplier", "expansion", "n_parameters", "macs"),
    [
        (8, 1.5, 2.1, 5_734, 1_417_928),
        (8, 2.8, 2.2, 12_310, None),
        (8, 2.9, 2.2, 12_310, None),
        (8, 2.3, 3.0, 13_942, 2_691_272),
        (16, 1.5, 2.1, 13_996, 4_263_116),
        (16, 1.8, 2.1, 18_636, 4_834_684),
        (24, 1.5, 2.1, 32_674, 9_490_352),
        (24, 1.8, 2.1, 35_074, 9_791_456),
        (32, 1.8, 2.1, 61_160, 17_050_260),
        (32, 2.3, 3.0, 126_952, 28_893_268),
    ],
)
def test_sizes_are_the_published_ones(width, multiplier, expansion, n_parameters, macs):
    system = CpMobile(task(10), CpMobileParams(width=width, multiplier=multiplier, expansion=expansion))
    assert system.complexity()["n_parameters"] == n_parameters
    if macs is not None:
        assert dcase_macs(system.build(), *system.front_end().shape(1.0)) == macs


@pytest.mark.parametrize(
    ("width", "multiplier", "expansion", "n_parameters"), [(8, 1.5, 2.1, 5_722), (24, 1.8, 2.1, 35_062)]
)
def test_sizes_without_response_normalisation_are_those_of_submissions(width, multiplier, expansion, n_parameters):
    params = CpMobileParams(width=width, multiplier=multiplier, expansion=expansion, response_norm=False)
    assert CpMobile(task(10), params).complexity()["n_parameters"] == n_parameters


@pytest.mark.parametrize(("multiplier", "expansion", "macs"), [(1.8, 2.1, 18_576_020), (2.3, 3.0, 31_684_180)])
def test_a_65th_frame_costs_what_is_published(multiplier, expansion, macs):
    params = CpMobileParams(multiplier=multiplier, expansion=expansion, pre_emphasis=False)
    system = CpMobile(task(10, duration_s=1.0), params)
    assert system.front_end().shape(1.0) == (65, 256)
    assert dcase_macs(system.build(), 65, 256) == macs


def test_widths_are_rounded_to_eights_and_not_by_more_than_a_tenth():
    assert [rounded(w) for w in (3.0, 11.0, 12.0, 57.6, 67.2, 103.68)] == [8, 16, 16, 56, 64, 104]


def test_response_normalisation_by_hand():
    """Channels of norms 5 and 1: their shares of the mean are 5/3 and 1/3."""
    x = torch.tensor([[[[3.0, 4.0]], [[1.0, 0.0]]]])
    layer = ResponseNorm()
    torch.testing.assert_close(layer(x), x, msg="it begins as the identity")
    with torch.no_grad():
        layer.gamma.fill_(3.0)
        layer.beta.fill_(0.5)
    expected = torch.tensor([[[[18.5, 24.5]], [[2.5, 0.5]]]])
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)
    silence = torch.zeros(1, 2, 3, 3, requires_grad=True)
    layer(silence).sum().backward()
    assert torch.isfinite(silence.grad).all()


def test_a_strided_block_adds_the_average_of_its_input():
    torch.manual_seed(0)
    block = Block(8, 8, expansion=2.0, stride=(2, 1), response_norm=True).eval()
    torch.nn.init.zeros_(block.layers[-1][0].weight)
    x = torch.rand(2, 8, 6, 5)
    expected = torch.nn.functional.avg_pool2d(x, 3, stride=(2, 1), padding=1)
    torch.testing.assert_close(block(x), expected)
    assert Block(8, 16, expansion=2.0, stride=(1, 1), response_norm=False).shortcut is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width is 0, must be at least 1"),
        ({"multiplier": 0.0}, "multiplier is 0.0, must be a number above 0"),
        ({"expansion": float("nan")}, "expansion is nan, must be a number above 0"),
    ],
)
def test_senseless_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        CpMobileParams(**settings)


def test_paper_budget_trains_as_published():
    system = CpMobile(task(10, duration_s=10.0), budget=Budget.PAPER)
    plan = system.training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.weight_decay) == ("adam", 9e-4, 1e-4)
    assert (plan.batch_size, plan.epochs, plan.select) == (256, 1_500, "last")
    assert plan.crop.test_starts(640) == tuple(64 * i for i in range(10))
    epochs = (7, 14, 50, 92, 134, 149)
    expected = [np.exp(-5 / 4), 1, 1, 0.5025, 0.005, 0.005]
    assert [plan.schedule.factor(e, 150) for e in epochs] == pytest.approx(expected)
    mask, roll, style = plan.augment
    assert (mask.frequency, mask.time, mask.value) == (48, 0, (0 + 4.5) / 5)
    assert (style.p, style.alpha, style.share) == (0.4, 0.3, "clip")
    assert Given(front_end=system.front_end(), shape=(64, 256)).steps(roll.seconds) == 8


def as_front_end(examples):
    """On the scale of normalised logarithms, which the network is given as they are."""
    return clips((examples.features.load() + 40) / 3, examples.labels[FINE])


def test_learns_separable_clips(tmp_path):
    train, test = (as_front_end(tones(n, (64, 256), seed=n)) for n in (16, 4))
    system = CpMobile(task(3), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
