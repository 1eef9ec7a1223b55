"""Residual, sub-spectral and band-wise normalisation against torch's own layers."""

import pytest
import torch
from asc_bench.baselines._dcase2018_baseline_network import BandBatchNorm
from torch import nn

from asc_bench.api import ConfigError
from asc_bench.modules.inputs import BandsFirst
from asc_bench.modules.norms import ResidualNorm, SubSpectralNorm


def maps(*shape: int) -> torch.Tensor:
    return 3 + 2 * torch.randn(shape, generator=torch.Generator().manual_seed(3))


def test_residual_norm_is_instance_norm_of_bands_plus_a_tenth_of_the_input():
    x = maps(2, 3, 8, 5)
    standardised = nn.InstanceNorm2d(8, eps=1e-5)(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(ResidualNorm()(x), standardised + 0.1 * x, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ResidualNorm(strength=0.0)(x), standardised, rtol=1e-4, atol=1e-5)


def test_residual_norm_removes_nearly_all_of_a_gain_per_band():
    x = maps(1, 2, 4, 50)
    gain = torch.tensor([0.5, 1.0, 2.0, 4.0])[:, None]
    torch.testing.assert_close(
        ResidualNorm(strength=0.0)(gain * x), ResidualNorm(strength=0.0)(x), rtol=1e-3, atol=1e-3
    )


def test_residual_norm_of_silence_and_of_half_precision_is_finite():
    assert torch.equal(ResidualNorm()(torch.zeros(1, 2, 3, 4)), torch.zeros(1, 2, 3, 4))
    half = ResidualNorm()(maps(1, 2, 3, 40).bfloat16())
    assert half.dtype == torch.bfloat16 and half.isfinite().all()


def test_sub_spectral_norm_is_a_batch_norm_for_each_sub_band():
    x = maps(4, 3, 8, 5)
    whole = SubSpectralNorm(3, 2).train()
    nn.init.normal_(whole.bn.weight)
    for half, bands in enumerate((slice(0, 4), slice(4, 8))):
        alone = nn.BatchNorm2d(3).train()
        alone.weight.data = whole.bn.weight.data.reshape(3, 2)[:, half]
        torch.testing.assert_close(whole(x)[:, :, bands], alone(x[:, :, bands]), rtol=1e-4, atol=1e-5)


def test_one_sub_band_is_plain_batch_norm():
    x = maps(4, 3, 8, 5)
    torch.testing.assert_close(SubSpectralNorm(3, 1).train()(x), nn.BatchNorm2d(3).train()(x))


def test_bands_that_cannot_be_divided_are_refused():
    with pytest.raises(ConfigError, match="10 bands cannot be divided into 4 equal sub-bands"):
        SubSpectralNorm(2, 4)(maps(1, 2, 10, 3))


def test_band_batch_norm_standardises_bands_over_clips_channels_and_time():
    x = maps(4, 3, 6, 5)
    y = BandBatchNorm(6, momentum=0.01).train()(x)
    mean = x.mean(dim=(0, 1, 3), keepdim=True)
    variance = x.var(dim=(0, 1, 3), correction=0, keepdim=True)
    torch.testing.assert_close(y, (x - mean) / (variance + 1e-3).sqrt(), rtol=1e-4, atol=1e-5)


def test_bands_come_before_time():
    x = maps(2, 7, 3)
    y = BandsFirst()(x)
    assert y.shape == (2, 1, 3, 7)
    assert y[1, 0, 2, 5] == x[1, 5, 2]
