"""Freq-MixStyle and time rolling against cases worked by hand, numpy and scipy."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from asc_bench.api import ConfigError
from asc_bench.modules.mixstyle import FreqMixStyle, TimeRoll, freq_mixstyle, rolled


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    levels = torch.arange(shape[2], dtype=torch.float32)[:, None]
    return levels + torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * (1 + levels)


def test_every_band_gets_the_blended_mean_and_deviation():
    x = maps(3, 2, 4, 50) * torch.tensor([1.0, 2.0, 5.0])[:, None, None, None]
    share, partner = torch.tensor([1.0, 0.25, 0.5]), torch.tensor([2, 0, 1])
    got = freq_mixstyle(x, share=share, partner=partner).numpy()
    mean = x.numpy().mean(axis=(1, 3))
    std = np.sqrt(x.numpy().var(axis=(1, 3), ddof=1) + 1e-6)
    own = share.numpy()[:, None]
    blended_mean = own * mean + (1 - own) * mean[partner]
    blended_std = own * std + (1 - own) * std[partner]
    expected = (x.numpy() - mean[:, None, :, None]) / std[:, None, :, None]
    expected = expected * blended_std[:, None, :, None] + blended_mean[:, None, :, None]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(got[0], x[0].numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(got.mean(axis=(1, 3)), blended_mean, rtol=1e-3, atol=1e-3)


def test_no_gradient_flows_through_the_statistics():
    x = maps(2, 1, 3, 8).requires_grad_(True)
    share, partner = torch.tensor([0.3, 0.6]), torch.tensor([1, 0])
    freq_mixstyle(x, share=share, partner=partner).sum().backward()
    std = (x.detach().var(dim=(1, 3)) + 1e-6).sqrt()
    ratio = (share[:, None] * std + (1 - share[:, None]) * std[partner]) / std
    torch.testing.assert_close(x.grad, ratio[:, None, :, None].expand_as(x))


def test_partners_and_shares_can_be_read_off_the_result_and_follow_beta():
    """Constant bands carry the statistics alone: clip i stands at i, and ends at share * i + (1 - share) * j."""
    layer = FreqMixStyle(probability=1.0, alpha=0.3).train()
    shares = []
    x = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 3, 4)
    torch.manual_seed(4)
    for _ in range(600):
        y = layer(x)[:, 0, 0, 0]
        if not torch.allclose(y, x[:, 0, 0, 0]):
            shares += [1 - float(y[0]), float(y[1])]
    assert 225 < len(shares) / 2 < 375, "a random pair is swapped half of the time"
    assert kstest(shares, "beta", args=(0.3, 0.3)).pvalue > 0.01


def test_batches_are_changed_in_training_with_the_given_probability():
    layer = FreqMixStyle(probability=0.4, alpha=0.3)
    x = maps(8, 1, 3, 5)
    assert layer.eval()(x) is x
    layer.train()
    torch.manual_seed(0)
    changed = sum(layer(x) is not x for _ in range(500))
    assert 160 <= changed <= 240
    assert FreqMixStyle(probability=0.0, alpha=0.3).train()(x) is x


def test_rolling_is_numpys_roll_of_each_clip():
    x = maps(3, 1, 2, 7)
    got = rolled(x, torch.tensor([2, 0, -10])).numpy()
    for clip, step, expected in zip(got, (2, 0, -10), x.numpy(), strict=True):
        np.testing.assert_array_equal(clip, np.roll(expected, step, axis=-1))


def test_rolling_reaches_every_step_up_to_its_bound_in_training_only():
    x = torch.arange(20.0).expand(400, 1, 1, 20)
    layer = TimeRoll(3)
    assert layer.eval()(x) is x
    torch.manual_seed(1)
    first = layer.train()(x)[:, 0, 0, 0]
    steps = torch.where(first == 0, first, torch.where(first > 10, 20 - first, -first))
    assert sorted(set(steps.tolist())) == [-3, -2, -1, 0, 1, 2, 3]
    assert TimeRoll(0).train()(x) is x


@pytest.mark.parametrize(("probability", "alpha"), [(1.5, 0.3), (-0.1, 0.3), (0.5, 0.0)])
def test_senseless_settings_are_refused(probability, alpha):
    with pytest.raises(ConfigError, match=rf"probability from 0 to 1 .* got {probability} and {alpha}"):
        FreqMixStyle(probability=probability, alpha=alpha)


def test_a_negative_reach_is_refused():
    with pytest.raises(ConfigError, match="must not be negative, got -1 frames"):
        TimeRoll(-1)
