"""Residual normalisation: instance normalisation of each frequency, with a way around it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ResidualNorm(nn.Module):
    """``FreqIN(x) + strength * x``: every band of every clip is standardised, and some of its level is let through.

    FreqIN takes mean and (biased) variance of a clip's band over channels and time. There is nothing to learn.

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
