"""CP-Mobile: inverted residuals in three stages, with or without global response normalisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from asc_bench.features.encoders.efficientat_network import rounded

N_BLOCKS = (3, 2, 1)
"""Blocks of the three stages."""

_TINY = 1e-6


def convolution(
    n_in: int,
    n_out: int,
    kernel: int,
    *,
    stride: int | tuple[int, int] = 1,
    groups: int = 1,
    active: bool = True,
) -> nn.Sequential:
    """Convolution without bias, batch normalisation and, where ``active``, ReLU."""
    padded = nn.Conv2d(n_in, n_out, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(padded, nn.BatchNorm2d(n_out), *([nn.ReLU()] if active else []))


class ResponseNorm(nn.Module):
    """``x + gamma * x * r + beta``: ``r`` is the norm of a channel's map, divided by its mean over the channels.

    Gamma and beta are one number each for all channels and begin at 0, where ConvNeXt V2 has one for each channel.

    References
    ----------
    S. Woo et al., "ConvNeXt V2", CVPR 2023, section 3; https://github.com/fschmid56/cpjku_dcase23.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))
        self.beta = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, mel, time) to the same."""
        norms = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
        share = norms / (norms.mean(dim=1, keepdim=True) + _TINY)
        result: Tensor = x * (1.0 + self.gamma * share) + self.beta
        return result


class Block(nn.Module):
    """Inverted residual: widen, convolve each channel by itself, narrow; the input is added where widths agree."""

    def __init__(
        self, n_in: int, n_out: int, *, expansion: float, stride: tuple[int, int], response_norm: bool
    ) -> None:
        super().__init__()
        wide = rounded(n_in * expansion)
        self.layers = nn.Sequential(
            convolution(n_in, wide, 1),
            convolution(wide, wide, 3, stride=stride, groups=wide),
            convolution(wide, n_out, 1, active=False),
        )
        self.shortcut: nn.Module | None = None
        if n_in == n_out:
            self.shortcut = nn.Identity() if stride == (1, 1) else nn.AvgPool2d(3, stride=stride, padding=1)
        self.response_norm = ResponseNorm() if response_norm else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, mel, time) to (n, n_out, mel', time')."""
        result: Tensor = self.layers(x)
        if self.shortcut is not None:
            result = result + self.shortcut(x)
        if self.response_norm is not None:
            result = self.response_norm(result)
        return result.relu()


def network(
    n_classes: int,
    *,
    width: int,
    multiplier: float,
    expansion: float,
    strides: Mapping[int, tuple[int, int]],
    response_norm: bool,
) -> nn.Sequential:
    """From maps, (n, 1, mel, time), to logits, (n, n_classes).

    Parameters
    ----------
    width, multiplier : int and float
        Stage ``s`` from 0 has ``width * multiplier**s`` channels, rounded.
    expansion : float
        How much wider the blocks are inside.
    strides : mapping
        Strides (frequency, time) of the blocks, counted from 1, that have one.
    response_norm : bool
        Whether each block has global response normalisation before its last ReLU.
    """
    first = rounded(width)
    layers: list[nn.Module] = [convolution(1, first // 4, 3, stride=2), convolution(first // 4, first, 3, stride=2)]
    n_in, place = first, 0
    for stage, n_blocks in enumerate(N_BLOCKS):
        n_out = rounded(first * multiplier**stage)
        for _ in range(n_blocks):
            place += 1
            stride = strides.get(place, (1, 1))
            layers.append(Block(n_in, n_out, expansion=expansion, stride=stride, response_norm=response_norm))
            n_in = n_out
    head = [convolution(n_in, n_classes, 1, active=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    module = nn.Sequential(*layers, *head)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    return module
