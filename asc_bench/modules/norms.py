"""Normalisation by bands of frequency, residual and sub-spectral, and Keras' settings of batch normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asc_bench.errors import ConfigError

KERAS_EPS = 1e-3
"""What Keras adds to the variance in batch normalisation, where torch adds 1e-5."""

KERAS_MOMENTUM = 0.01
"""Share of a batch in Keras' running statistics, where torch has 0.1."""


def with_keras_batch_norm(module: nn.Module, *, momentum: float = KERAS_MOMENTUM) -> nn.Module:
    """Give every batch normalisation in ``module`` the constants that Keras has by default, in place.

    Parameters
    ----------
    momentum : float
        Weight of a batch in the running statistics; more than Keras' where a training has too few steps for it.
    """
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eps, layer.momentum = KERAS_EPS, momentum
    return module


class ResidualNorm(nn.Module):
    """``FreqIN(x) + strength * x``: every band of every clip is standardised, and some of its level is let through.

    FreqIN takes mean and variance of a clip's band over channels and time; the variance is the mean squared
    deviation, as instance normalisation is defined. There is nothing to learn.

    Parameters
    ----------
    strength : float
        Lambda of the source.
    eps : float
        Added to the variance.

    References
    ----------
    B. Kim et al., "Domain generalization on efficient acoustic scene classification using residual normalization",
    DCASE 2021, arXiv:2111.06531.
    """

    def __init__(self, *, strength: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.strength, self.eps = strength, eps

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, mel, time), any sizes."""
        # Both terms are one affine map of x, whose numbers are made in float32.
        variance, mean = torch.var_mean(x.float(), dim=(1, 3), correction=0, keepdim=True)
        scale = (variance + self.eps).rsqrt()
        result: Tensor = x * (scale + self.strength).to(x.dtype) - (mean * scale).to(x.dtype)
        return result


class SubSpectralNorm(nn.Module):
    """Batch normalisation with statistics and affine numbers of its own for each channel in each sub-band.

    Parameters
    ----------
    n_channels : int
    n_sub_bands : int
        Equal groups of neighbouring bands; 1 is plain batch normalisation.

    References
    ----------
    S. Chang et al., "Subspectral normalization for neural audio data processing", ICASSP 2021.
    """

    def __init__(self, n_channels: int, n_sub_bands: int) -> None:
        super().__init__()
        self.n_sub_bands = n_sub_bands
        self.bn = nn.BatchNorm2d(n_channels * n_sub_bands)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_channels, mel, time) to the same.

        Raises
        ------
        ConfigError
            If the bands cannot be divided into equal groups.
        """
        n, channels, bands, frames = x.shape
        if bands % self.n_sub_bands:
            raise ConfigError(
                f"sub-spectral normalisation: {bands} bands cannot be divided into {self.n_sub_bands} equal "
                "sub-bands; choose a divisor"
            )
        groups = x.reshape(n, channels * self.n_sub_bands, bands // self.n_sub_bands, frames)
        result: Tensor = self.bn(groups).reshape(x.shape)
        return result
