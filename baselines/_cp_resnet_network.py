"""The network of CP-ResNet: a residual network whose receptive field is held small."""

from __future__ import annotations

import math

from torch import Tensor, nn

N_STAGES, N_BLOCKS = 3, 4
N_CONVOLUTIONS = 2 * N_STAGES * N_BLOCKS

POOLED_BLOCKS = (1, 2, 4)
"""Blocks of the first stage, counted from 1, that max pooling follows."""

MAX_RHO = N_CONVOLUTIONS - 2


def kernels(rho: int) -> tuple[int, ...]:
    """Kernel sides of all convolutions in the blocks, in order of depth.

    The first is always 3 and the second always 1; of the others the first ``rho`` are 3 and the rest 1.
    """
    return (3, 1, *(3 if i < rho else 1 for i in range(MAX_RHO)))


def max_receptive_field(rho: int) -> int:
    """Side of the square of input bins that one bin of the last map depends on."""
    field, stride = 5, 2
    sides = kernels(rho)
    for block in range(N_STAGES * N_BLOCKS):
        for side in sides[2 * block : 2 * block + 2]:
            field += (side - 1) * stride
        if block + 1 in POOLED_BLOCKS:
            field += stride
            stride *= 2
    return field


class Block(nn.Module):
    """Two convolutions with batch normalisation; the input is added, through a third one where widths differ."""

    def __init__(self, n_in: int, n_out: int, *, sides: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, sides[0], padding=sides[0] // 3, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, sides[1], padding=sides[1] // 3, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.shortcut = (
            nn.Identity()
            if n_in == n_out
            else nn.Sequential(nn.Conv2d(n_in, n_out, 1, bias=False), nn.BatchNorm2d(n_out))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, mel, time) to (n, n_out, mel, time)."""
        inner = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        result: Tensor = (inner + self.shortcut(x)).relu()
        return result


def network(n_classes: int, *, rho: int, width: int, n_channels: int = 1, momentum: float = 0.1) -> nn.Sequential:
    """From maps, (n, n_channels, mel, time), to logits, (n, n_classes).

    Parameters
    ----------
    rho : int
        How many more convolutions than the first have a kernel of 3, 0 to ``MAX_RHO``.
    width : int
        Channels of the first stage; those of the others are two and four times as many.
    momentum : float
        Weight of a batch in the running statistics of all normalisations.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(n_channels, width, 5, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    sides, n_in = kernels(rho), width
    for block in range(N_STAGES * N_BLOCKS):
        n_out = width * 2 ** (block // N_BLOCKS)
        layers.append(Block(n_in, n_out, sides=(sides[2 * block], sides[2 * block + 1])))
        n_in = n_out
        if block + 1 in POOLED_BLOCKS:
            layers.append(nn.MaxPool2d(2))
    last = nn.Conv2d(n_in, n_classes, 1, bias=False)
    module = nn.Sequential(*layers, last, nn.BatchNorm2d(n_classes), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = momentum
    _initialise(module, last)
    return module


def _initialise(module: nn.Sequential, last: nn.Conv2d) -> None:
    """Fixup (Zhang, Dauphin and Ma 2019) as the authors' code has it, batch normalisation kept."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    for layer in module.modules():
        if isinstance(layer, Block):
            nn.init.normal_(layer.conv1.weight, 0.0, (N_STAGES * N_BLOCKS) ** -0.5 * _he(layer.conv1))
            nn.init.zeros_(layer.conv2.weight)
            if isinstance(layer.shortcut, nn.Sequential):
                shortcut = layer.shortcut[0]
                assert isinstance(shortcut, nn.Conv2d)
                nn.init.normal_(shortcut.weight, 0.0, _he(shortcut))
    nn.init.zeros_(last.weight)


def _he(layer: nn.Conv2d) -> float:
    """He's deviation by the number of outputs."""
    return math.sqrt(2.0 / (layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels))
