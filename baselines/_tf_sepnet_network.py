"""The network of TF-SepNet: half of the channels along frequency, half along time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asc_bench.modules.norms import ResidualNorm

STAGES = ((1.0, 1.0), (1.5, 1.5), (2.0, 2.0), (2.5, 2.5, 2.5))
"""Widths of the blocks of each stage, in units of the base width."""

POOLED = {16: (0, 1), 17: (0, 1, 2)}
"""By depth: stages, from 0, that max pooling follows."""

_DROPOUT = 0.1


def convolution(
    n_in: int, n_out: int, kernel: int | tuple[int, int], *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution without bias, batch normalisation and ReLU; at stride 1 the size stays."""
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (sides[0] // 2, sides[1] // 2)
    inner = nn.Conv2d(n_in, n_out, sides, stride=stride, padding=padding, groups=groups, bias=False)
    return nn.Sequential(inner, nn.BatchNorm2d(n_out), nn.ReLU())


def shuffled(x: Tensor) -> Tensor:
    """Lay the two halves of the channels of (n, channels, mel, time) into each other: first, middle, second, ..."""
    n, channels, bands, frames = x.shape
    return x.reshape(n, 2, channels // 2, bands, frames).transpose(1, 2).reshape(x.shape)


class SeparateBlock(nn.Module):
    """A convolution along frequency of one half of the channels, and one along time of the other half.

    Each is averaged along its own axis, mixed over the channels of its half, and added to all bins of its input
    along that axis. No layer changes the number of channels but an optional first one.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        half = n_out // 2
        self.transition = None if n_in == n_out else convolution(n_in, n_out, 1)
        self.along_frequency = convolution(half, half, (3, 1), groups=half)
        self.mix_frequency = nn.Sequential(convolution(half, half, 1), nn.Dropout(_DROPOUT))
        self.along_time = convolution(half, half, (1, 3), groups=half)
        self.mix_time = nn.Sequential(convolution(half, half, 1), nn.Dropout(_DROPOUT))

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, mel, time) to (n, n_out, mel, time)."""
        first, second = shuffled(x if self.transition is None else self.transition(x)).chunk(2, dim=1)
        first = first + self.mix_frequency(self.along_frequency(first).mean(dim=2, keepdim=True))
        second = second + self.mix_time(self.along_time(second).mean(dim=3, keepdim=True))
        return torch.cat([first, second], dim=1)


def network(n_classes: int, *, width: int, depth: int) -> nn.Sequential:
    """From maps, (n, 1, mel, time), to logits, (n, n_classes).

    Parameters
    ----------
    width : int
        Base width, a multiple of four, so that the channels of all stages are even.
    depth : {16, 17}
        The 17th layer is one more pooling before the last stage, without parameters.
    """
    n_in = 2 * width
    layers: list[nn.Module] = [
        convolution(1, width // 2, 3, stride=2),
        convolution(width // 2, n_in, 3, stride=2, groups=width // 2),
        ResidualNorm(),
    ]
    for stage, factors in enumerate(STAGES):
        for factor in factors:
            n_out = int(factor * width)
            layers.append(SeparateBlock(n_in, n_out))
            n_in = n_out
        layers.append(ResidualNorm())
        if stage in POOLED[depth]:
            layers.append(nn.MaxPool2d(2))
    last = nn.Conv2d(n_in, n_classes, 1)
    return nn.Sequential(*layers, last, nn.AdaptiveAvgPool2d(1), nn.Flatten())
