"""Stages of the learning rate against the callbacks of Keras, written out here or read from an author's log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from asc_bench.api import ConfigError, Plateau, TrainingPlan
from asc_bench.training.sampling import batch_rows
from tests.unit.small_sets import TinyNet, context, tones

PLAN = TrainingPlan(batch_size=12, epochs=1, learning_rate=0.01, validate_every=1)
SHAPE = (20, 12)

# fmt: off
LOGGED_ACCURACIES = (
    0.1195, 0.1780, 0.1195, 0.1541, 0.2987, 0.5627, 0.5090, 0.5030, 0.5102, 0.5412, 0.5711, 0.5615, 0.4421,
    0.5209, 0.5305, 0.5460, 0.6057, 0.5436, 0.5986, 0.5687, 0.5424, 0.5305, 0.6356, 0.6870, 0.6177, 0.6022,
    0.6368, 0.5018, 0.5173, 0.7037, 0.5603, 0.5878, 0.6284, 0.5591, 0.6810, 0.6894, 0.6703, 0.6750, 0.7013,
    0.6487, 0.5890, 0.7061, 0.7216, 0.7264, 0.7527, 0.7276, 0.7467, 0.7013, 0.7479, 0.7240, 0.7204, 0.7372,
    0.6523, 0.7085, 0.7252, 0.6189, 0.7491, 0.7312, 0.7491, 0.7395, 0.7336, 0.7384, 0.7276, 0.7372, 0.7479,
    0.7336, 0.7336, 0.7360, 0.7157, 0.7312, 0.7467, 0.7336, 0.7336, 0.7348, 0.7336, 0.7240, 0.7312, 0.7240,
    0.7192,
)
# fmt: on
"""Accuracy after each epoch that github.com/philipperemy/very-deep-convnets-raw-waveforms logged for M11
(assets/out_m11.tsv); the rate was halved after epochs 40, 55 and 65, and set to its least, 0.0001, after 75
(assets/m11.out, epochs from 0)."""


@dataclass
class Seen:
    """A validation whose outcome the test decides."""

    loss: float
    value: float

    def macro_accuracy(self) -> float:
        return self.value


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Train one clip set, an epoch of three steps, with given validations; rates and weights after each epoch."""

    def run(plan: TrainingPlan, values: list[float]) -> tuple[list[float], list[dict[str, torch.Tensor]], TinyNet]:
        rates: list[float] = []
        weights: list[dict[str, torch.Tensor]] = []
        coming = iter(values)

        class Watched(TinyNet):
            def validated(self, module, validation):
                weights.append({name: t.clone() for name, t in module.state_dict().items()})

        def evaluate(*args, **kwargs):
            value = next(coming)
            return Seen(loss=value, value=value)

        watch = "asc_bench.training.step_losses.StepLosses.watch"
        monkeypatch.setattr(watch, lambda self, step, loss, norm, rate: rates.append(rate))
        monkeypatch.setattr("asc_bench.training.loop.evaluate", evaluate)
        system = Watched(replace(plan, epochs=len(values)))
        system.fit(tones(12, SHAPE), tones(2, SHAPE, seed=5), context(tmp_path))
        return rates, weights, system

    return run


def keras_stages(losses: list[float], *, patience: int, n_stages: int) -> tuple[list[int], int]:
    """Stage of each epoch, and the epoch of the final weights, under EarlyStopping of Keras 2.0.5.

    One training for each stage, with a best of its own, which the next starts from and the last one keeps. The
    callback stops at the validation that finds ``patience`` others without gain before it.
    """
    stages: list[int] = []
    stage, best, kept, wait = 0, float("inf"), -1, 0
    for epoch, loss in enumerate(losses):
        stages.append(stage)
        if loss < best:
            best, kept, wait = loss, epoch, 0
            continue
        if wait >= patience:
            if stage == n_stages - 1:
                break
            stage, best, wait = stage + 1, float("inf"), 0
            continue
        wait += 1
    return stages, kept


@pytest.mark.parametrize("seed", range(4))
def test_stages_with_their_own_best_are_those_of_keras_early_stopping(trained, seed):
    losses = np.random.default_rng(seed).uniform(0.1, 1.0, size=60).tolist()
    stages, kept = keras_stages(losses, patience=2, n_stages=5)
    assert len(stages) < 60 and stages[-1] == 4
    schedule = Plateau(gamma=0.2, patience=3, n_stages=5, own_best=True, decay=0.1)
    rates, weights, system = trained(replace(PLAN, schedule=schedule, monitor="loss", select="best"), losses)
    assert len(rates) == 3 * len(stages), "an epoch has three steps"
    steps_of_stage = [0] * 5
    for rate, stage in zip(rates, np.repeat(stages, 3), strict=True):
        assert rate == pytest.approx(0.01 * 0.2**stage / (1 + 0.1 * steps_of_stage[stage]))
        steps_of_stage[stage] += 1
    for name, value in system.module.state_dict().items():
        assert torch.equal(value, weights[kept][name])


def test_rates_are_those_that_keras_logged(trained):
    schedule = Plateau(gamma=0.5, patience=11, restart=False, floor=0.1)
    rates, weights, system = trained(replace(PLAN, learning_rate=1e-3, schedule=schedule), list(LOGGED_ACCURACIES))
    expected = [1e-3] * 41 + [5e-4] * 15 + [2.5e-4] * 10 + [1.25e-4] * 10 + [1e-4] * 3
    np.testing.assert_allclose(rates[::3], expected)
    for name, value in system.module.state_dict().items():
        assert torch.equal(value, weights[-1][name]), "the last weights stay"


def test_weights_before_the_delay_are_never_the_best(trained):
    three_of_six = [0.5, 0.9, 0.4] + [0.0] * 3
    _, weights, system = trained(replace(PLAN, select="best", validate_after=3), three_of_six)
    assert len(weights) == 3, "after epochs 4, 5 and 6"
    for name, value in system.module.state_dict().items():
        assert torch.equal(value, weights[1][name])


def test_short_batches_end_each_epoch():
    steps = [batch_rows(10, 4, seed=3, step=step, short=True) for step in range(6)]
    assert [len(rows) for rows in steps] == [4, 4, 2] * 2
    for epoch in (steps[:3], steps[3:]):
        np.testing.assert_array_equal(np.sort(np.concatenate(epoch)), np.arange(10))
    assert replace(PLAN, batch_size=4, epochs=5, short_batches=True).n_steps(10) == 15
    assert replace(PLAN, batch_size=4, epochs=5).n_steps(10) == 13


def test_an_epoch_of_short_batches_is_validated_once(trained):
    values = [0.5, 0.6, 0.4, 0.7]
    plan = replace(PLAN, batch_size=16, short_batches=True)
    rates, weights, _ = trained(replace(plan, select="best"), values)
    assert len(rates) == 4 * 3 and len(weights) == 4, "36 clips are batches of 16, 16 and 4"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"own_best": True, "restart": False}, "own_best needs restart"),
        ({"decay": -1.0}, "got -1.0 and 0.0"),
        ({"floor": 1.0}, "got 0.0 and 1.0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Plateau(gamma=0.5, patience=2, **settings)


def test_a_negative_delay_is_refused():
    with pytest.raises(ConfigError, match="validate_after must not be negative, got -1"):
        replace(PLAN, validate_after=-1)
