import numpy as np
import pytest
from asc_bench.baselines.bc_resnet import BcResnet, BcResnetParams

from asc_bench.api import FINE, Budget, ConfigError
from asc_bench.modules.norms import ResidualNorm
from tests.unit.dcase_macs import dcase_macs
from tests.unit.small_sets import accuracy, clips, context, task


@pytest.mark.parametrize(
    ("settings", "n_parameters", "macs"),
    [
        ({}, 81_770, 30_284_560),
        ({"residual_norm": False}, 81_770, 30_284_560),
        ({"sub_bands": 4}, 85_730, 30_288_520),
        ({"width": 80, "sub_bands": 4}, 314_650, 100_203_280),
    ],
)
def test_sizes_are_the_published_ones(settings, n_parameters, macs):
    """Multiply-accumulates were published for 65 frames."""
    module = BcResnet(task(10), BcResnetParams(**settings)).build()
    assert sum(p.numel() for p in module.parameters()) == n_parameters
    assert dcase_macs(module, 65, 256) == macs


def test_a_second_is_64_frames_and_below_the_limit():
    system = BcResnet(task(10))
    assert system.front_end().shape(1.0) == (64, 256)
    assert dcase_macs(system.build(), 64, 256) < 30_000_000


def test_residual_normalisation_can_be_left_out():
    norms = [
        sum(isinstance(x, ResidualNorm) for x in BcResnet(task(3), p).build().modules())
        for p in (BcResnetParams(), BcResnetParams(residual_norm=False))
    ]
    assert norms == [5, 0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sub_bands": 5}, "bc-resnet: sub_bands is 5, must divide 32"),
        ({"width": 1}, "bc-resnet: width is 1, must be at least 2"),
    ],
)
def test_senseless_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        BcResnetParams(**settings)


def test_paper_budget():
    plan = BcResnet(task(10, duration_s=5.0), budget=Budget.PAPER).training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.batch_size, plan.epochs) == ("adam", 4e-3, 256, 750)
    assert [plan.schedule.factor(epoch, 150) for epoch in (0, 10, 30, 70)] == pytest.approx([1, 1, 1, 1])


def test_learns_separable_rhythms(tmp_path):
    """Without sub-bands the network hardly knows where in frequency something is: classes differ in time."""

    def rhythms(n_per_class, seed):
        labels = np.tile(np.arange(3), n_per_class)
        x = np.random.default_rng(seed).normal(size=(len(labels), 64, 256)).astype(np.float32)
        for row, label in enumerate(labels):
            x[row, :: (2, 8, 32)[label]] += 6.0
        return clips(x, labels)

    system = BcResnet(task(3), budget=Budget.SMOKE)
    system.fit(rhythms(16, 0), None, context(tmp_path))
    test = rhythms(4, 1)
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
