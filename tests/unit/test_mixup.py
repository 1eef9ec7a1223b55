"""Mixup in the training loop: what the network sees, and what the loss is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch import nn

from asc_bench.api import FINE, Features, LabelledClips, SystemFailure, TrainingPlan
from asc_bench.training.sampling import batch_rows, mixup_draw
from tests.unit.small_sets import TinyNet, context

PLAN = TrainingPlan(batch_size=4, iterations=1, optimiser="sgd", learning_rate=1.0, mixup=0.4)


class Summed(TinyNet):
    """One weight per clip of a batch, whose gradient is that clip's label: the loss can be read off the weights."""

    def build(self):
        module = nn.Linear(4, 1, bias=False)
        nn.init.zeros_(module.weight)
        return module

    def forward(self, module, batch):
        self.seen = batch.features.clone()
        return module.weight[0]

    def loss(self, outputs, batch):
        return (outputs * batch.labels[FINE]).sum()


def numbered(n: int, device: np.ndarray | None = None) -> LabelledClips:
    features = np.arange(n, dtype=np.float32)[:, None] ** 2
    return LabelledClips(Features(features, np.arange(n)), device, {FINE: np.arange(n) % 3})


def test_inputs_and_losses_are_blended_by_the_same_share(tmp_path: Path) -> None:
    train = numbered(6)
    system = Summed(PLAN)
    system.fit(train, None, context(tmp_path, seed=5))
    share, partner = mixup_draw(0.4, size=4, seed=5, step=0)
    rows = batch_rows(6, 4, seed=5, step=0)
    x, y = train.features.load()[rows], train.labels[FINE][rows]
    assert 0.01 < share < 0.99 and (partner != np.arange(4)).any(), "the case shows nothing"
    np.testing.assert_allclose(system.seen.numpy(), share * x + (1 - share) * x[partner], rtol=1e-6)
    gradient = -system.module.weight.detach().numpy()[0]
    np.testing.assert_allclose(gradient, share * y + (1 - share) * y[partner], rtol=1e-6)


def test_without_mixup_clips_stay_as_they_are(tmp_path: Path) -> None:
    system = Summed(replace(PLAN, mixup=0.0))
    system.fit(numbered(6), None, context(tmp_path, seed=5))
    expected = numbered(6).features.load()[batch_rows(6, 4, seed=5, step=0)]
    torch.testing.assert_close(system.seen, torch.from_numpy(expected))


def test_shares_follow_the_beta_distribution_and_partners_are_permutations() -> None:
    draws = [mixup_draw(0.3, size=5, seed=2, step=step) for step in range(400)]
    assert kstest([share for share, _ in draws], "beta", args=(0.3, 0.3)).pvalue > 0.01
    assert all(sorted(partner) == list(range(5)) for _, partner in draws)


def test_clips_of_several_devices_are_not_blended(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match="blends clips of different recording devices"):
        Summed(PLAN).fit(numbered(6, np.zeros(6, dtype=np.int64)), None, context(tmp_path))
