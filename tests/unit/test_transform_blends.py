"""Mixup and Freq-MixStyle: against cases worked by hand, numpy and scipy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch import nn

from asc_bench.api import (
    FINE,
    Batch,
    ConfigError,
    Features,
    FreqMixStyle,
    Given,
    LabelledClips,
    Mixup,
    SystemFailure,
    TrainingPlan,
    Waveform,
)
from asc_bench.training.sampling import batch_rows, mixup_draw
from asc_bench.training.transforms.blends import freq_mixstyle
from tests.unit.small_sets import TinyNet, context

PLAN = TrainingPlan(batch_size=4, iterations=1, optimiser="sgd", learning_rate=1.0, augment=(Mixup(alpha=0.4),))
BANDS = Given(front_end=None, shape=(50, 4))


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
    system = Summed(replace(PLAN, augment=()))
    system.fit(numbered(6), None, context(tmp_path, seed=5))
    expected = numbered(6).features.load()[batch_rows(6, 4, seed=5, step=0)]
    torch.testing.assert_close(system.seen, torch.from_numpy(expected))


def test_shares_follow_the_beta_distribution_and_partners_are_permutations() -> None:
    draws = [mixup_draw(0.3, size=5, seed=2, step=step) for step in range(400)]
    assert kstest([share for share, _ in draws], "beta", args=(0.3, 0.3)).pvalue > 0.01
    assert all(sorted(partner) == list(range(5)) for _, partner in draws)


def test_clips_of_several_devices_are_not_blended(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match="mixup: blends clips of different recording devices"):
        Summed(PLAN).fit(numbered(6, np.zeros(6, dtype=np.int64)), None, context(tmp_path))


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    levels = torch.arange(shape[2], dtype=torch.float32)
    return levels + torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * (1 + levels)


def test_every_band_gets_the_blended_mean_and_deviation() -> None:
    x = maps(3, 100, 4) * torch.tensor([1.0, 2.0, 5.0])[:, None, None]
    share, partner = torch.tensor([1.0, 0.25, 0.5]), torch.tensor([2, 0, 1])
    got = freq_mixstyle(x, share=share, partner=partner).numpy()
    mean = x.numpy().mean(axis=1)
    std = np.sqrt(x.numpy().var(axis=1, ddof=1) + 1e-6)
    own = share.numpy()[:, None]
    blended_mean = own * mean + (1 - own) * mean[partner]
    blended_std = own * std + (1 - own) * std[partner]
    expected = (x.numpy() - mean[:, None]) / std[:, None] * blended_std[:, None] + blended_mean[:, None]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(got[0], x[0].numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(got.mean(axis=1), blended_mean, rtol=1e-3, atol=1e-3)


def test_no_gradient_flows_through_the_statistics() -> None:
    x = maps(2, 8, 3).requires_grad_(True)
    share, partner = torch.tensor([0.3, 0.6]), torch.tensor([1, 0])
    freq_mixstyle(x, share=share, partner=partner).sum().backward()
    std = (x.detach().var(dim=1) + 1e-6).sqrt()
    ratio = (share[:, None] * std + (1 - share[:, None]) * std[partner]) / std
    torch.testing.assert_close(x.grad, ratio[:, None].expand_as(x))


@pytest.mark.parametrize("share", ["clip", "batch"])
def test_partners_and_shares_can_be_read_off_the_result_and_follow_beta(share: str) -> None:
    """Constant bands carry the statistics alone: clip i stands at i, and ends at share * i + (1 - share) * j."""
    style = FreqMixStyle(p=1.0, alpha=0.3, share=share)
    pairs = []
    x = torch.tensor([0.0, 1.0])[:, None, None].expand(2, 4, 3)
    torch.manual_seed(4)
    for _ in range(600):
        y = style(Batch(x), BANDS).features[:, 0, 0]
        if not torch.allclose(y, x[:, 0, 0]):
            pairs.append((1 - float(y[0]), float(y[1])))
    assert 225 < len(pairs) < 375, "a random pair is swapped half of the time"
    first, second = np.array(pairs).T
    assert kstest(first, "beta", args=(0.3, 0.3)).pvalue > 0.01
    assert np.allclose(first, second, atol=1e-6) == (share == "batch")


def test_batches_are_changed_with_the_given_probability() -> None:
    batch = Batch(maps(8, 5, 3))
    torch.manual_seed(0)
    changed = sum(FreqMixStyle(p=0.4)(batch, BANDS) is not batch for _ in range(500))
    assert 160 <= changed <= 240
    assert FreqMixStyle(p=0.0)(batch, BANDS) is batch


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FreqMixStyle(p=1.5), "freq-mixstyle: p is 1.5, must be between 0 and 1"),
        (lambda: FreqMixStyle(alpha=0.0), "freq-mixstyle: alpha is 0.0, must be a number above 0"),
        (lambda: FreqMixStyle(share="half"), "share is 'half', but must be of the type"),
        (lambda: Mixup(alpha=-0.1), "mixup: alpha is -0.1, must be a number above 0"),
        (lambda: Mixup(alpha=float("nan")), "mixup: alpha is nan"),
    ],
)
def test_senseless_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_samples_have_no_bands() -> None:
    given = Given(front_end=Waveform(sample_rate_hz=8_000), shape=(8_000,))
    assert "needs frames of frequency bands, and these are features of Waveform" in FreqMixStyle().why_not(given)
