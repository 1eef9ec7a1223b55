"""The network of CP-ResNet: a residual network whose receptive field is held small."""

from __future__ import annotations

from torch import nn

from asc_bench.modules.cp_resnet import Block, initialise

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
    initialise(module, last, momentum=momentum)
    return module
