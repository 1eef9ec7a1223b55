"""The network of the DCASE 2024 Task 1 baseline: CP-Mobile without its response normalisation."""

from __future__ import annotations

from torch import Tensor, nn

N_BLOCKS = (3, 2, 1)
"""Blocks of the three stages."""

STRIDES = {3: (1, 2), 4: (2, 1)}
"""Strides (frequency, time) of the blocks, counted from 1, that have one."""


def rounded(width: float) -> int:
    """Nearest multiple of eight, at least eight and not below 90 % of ``width``."""
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * width else nearest + 8


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


class Block(nn.Module):
    """Inverted residual: widen, convolve each channel by itself, narrow; the input is added where widths agree."""

    def __init__(self, n_in: int, n_out: int, *, expansion: float, stride: tuple[int, int]) -> None:
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

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, mel, time) to (n, n_out, mel', time')."""
        result: Tensor = self.layers(x)
        if self.shortcut is not None:
            result = result + self.shortcut(x)
        return result.relu()


def network(n_classes: int, *, width: int, multiplier: float, expansion: float) -> nn.Sequential:
    """From maps, (n, 1, mel, time), to logits, (n, n_classes).

    Parameters
    ----------
    width, multiplier : int and float
        Stage ``s`` from 0 has ``width * multiplier**s`` channels, rounded.
    expansion : float
        How much wider the blocks are inside.
    """
    first = rounded(width)
    layers: list[nn.Module] = [convolution(1, first // 4, 3, stride=2), convolution(first // 4, first, 3, stride=2)]
    n_in, place = first, 0
    for stage, n_blocks in enumerate(N_BLOCKS):
        n_out = rounded(first * multiplier**stage)
        for _ in range(n_blocks):
            place += 1
            layers.append(Block(n_in, n_out, expansion=expansion, stride=STRIDES.get(place, (1, 1))))
            n_in = n_out
    head = [convolution(n_in, n_classes, 1, active=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    module = nn.Sequential(*layers, *head)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    return module
