"""Blocks of CP-ResNet, and how its weights begin."""

from __future__ import annotations

import math

from torch import Tensor, nn


class Block(nn.Module):
    """Two convolutions with batch normalisation; the input is added, through a third one where widths differ.

    Parameters
    ----------
    n_in, n_out : int
    sides : tuple of int
        Sides of both kernels, 1 or 3.
    groups : int
        Of all convolutions, that of the shortcut too.
    """

    def __init__(self, n_in: int, n_out: int, *, sides: tuple[int, int], groups: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, sides[0], padding=sides[0] // 3, groups=groups, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, sides[1], padding=sides[1] // 3, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.shortcut = (
            nn.Identity()
            if n_in == n_out
            else nn.Sequential(nn.Conv2d(n_in, n_out, 1, groups=groups, bias=False), nn.BatchNorm2d(n_out))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, mel, time) to (n, n_out, mel, time)."""
        inner = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        result: Tensor = (inner + self.shortcut(x)).relu()
        return result


def initialise(module: nn.Sequential, last: nn.Conv2d, *, momentum: float) -> None:
    """Fixup (Zhang, Dauphin and Ma 2019) as the authors' code has it, batch normalisation kept.

    Parameters
    ----------
    last : nn.Conv2d
        The classifier, which begins at zero as the second convolution of every block does.
    momentum : float
        Weight of a batch in the running statistics of all normalisations.
    """
    n_blocks = sum(isinstance(layer, Block) for layer in module.modules())
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = momentum
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    for layer in module.modules():
        if isinstance(layer, Block):
            nn.init.normal_(layer.conv1.weight, 0.0, n_blocks**-0.5 * _he(layer.conv1))
            nn.init.zeros_(layer.conv2.weight)
            if isinstance(layer.shortcut, nn.Sequential):
                shortcut = layer.shortcut[0]
                assert isinstance(shortcut, nn.Conv2d)
                nn.init.normal_(shortcut.weight, 0.0, _he(shortcut))
    nn.init.zeros_(last.weight)


def _he(layer: nn.Conv2d) -> float:
    """He's deviation by the number of outputs."""
    return math.sqrt(2.0 / (layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels))
