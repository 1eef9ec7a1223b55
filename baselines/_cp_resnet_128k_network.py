"""The small CP-ResNet of DCASE 2022: four blocks, one of them grouped, and poolings along frequency."""

from __future__ import annotations

from torch import nn

from asc_bench.modules.cp_resnet import Block, initialise

WIDTHS = (32, 64, 92)
"""Channels of the stages; the third is cut by 36, so that one byte a parameter stays below 128 kB."""

_FROM_RHO = ((0, 11), (2, 3), (4, 5), (8, 9))
"""Of both convolutions of each block: the least rho with a kernel of 3 instead of 1; the first has 3 and 1 always.
Steps of rho that are missing here belong to second blocks, which the larger networks have."""

MIN_RHO, MAX_RHO = 3, 10


def kernels(rho: int) -> tuple[tuple[int, int], ...]:
    """Sides of the kernels of all blocks, in order of depth."""
    return tuple((3 if rho >= first else 1, 3 if rho >= second else 1) for first, second in _FROM_RHO)


def network(
    n_classes: int, *, rho: int, widths: tuple[int, int, int] = WIDTHS, momentum: float = 0.1
) -> nn.Sequential:
    """From maps, (n, 1, mel, time), to logits, (n, n_classes).

    Parameters
    ----------
    rho : int
        Receptive field, ``MIN_RHO`` to ``MAX_RHO``.
    widths : tuple of int
        Channels of the three stages; those of the first two are even.
    momentum : float
        Weight of a batch in the running statistics of all normalisations.
    """
    first, second, third = widths
    sides = kernels(rho)
    layers: list[nn.Module] = [
        nn.Conv2d(1, first, 5, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(first),
        nn.ReLU(),
        nn.MaxPool2d(2),
        Block(first, first, sides=sides[0]),
        nn.MaxPool2d((2, 1)),
        Block(first, first, sides=sides[1]),
        nn.MaxPool2d((2, 1)),
        Block(first, second, sides=sides[2], groups=2),
        Block(second, third, sides=sides[3]),
    ]
    last = nn.Conv2d(third, n_classes, 1, bias=False)
    module = nn.Sequential(*layers, last, nn.BatchNorm2d(n_classes), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    initialise(module, last, momentum=momentum)
    return module
