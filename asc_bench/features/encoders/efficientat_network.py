"""MobileNetV3 for spectrograms up to its embedding, of any width.

Names of weights are those of EfficientAT's checkpoints.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

EPS = 1e-3
_SQUEEZE = 4
FIRST, _LAST = 16, 6
"""Channels of the first convolution at width 1, and growth of the last one."""


class Row(NamedTuple):
    """One block at width 1: kernel, channels inside and after it, squeeze and excitation, Hardswish, stride."""

    kernel: int
    inside: int
    out: int
    squeezed: bool
    hard: bool
    stride: int


ROWS = (
    Row(3, 16, 16, False, False, 1),
    Row(3, 64, 24, False, False, 2),
    Row(3, 72, 24, False, False, 1),
    Row(5, 72, 40, True, False, 2),
    Row(5, 120, 40, True, False, 1),
    Row(5, 120, 40, True, False, 1),
    Row(3, 240, 80, False, True, 2),
    Row(3, 200, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 480, 112, True, True, 1),
    Row(3, 672, 112, True, True, 1),
    Row(5, 672, 160, True, True, 2),
    Row(5, 960, 160, True, True, 1),
    Row(5, 960, 160, True, True, 1),
)
"""MobileNetV3-Large: A. Howard et al., "Searching for MobileNetV3", ICCV 2019, table 1."""


def rounded(width: float) -> int:
    """Nearest multiple of eight, at least eight and not below 90 % of ``width``."""
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * width else nearest + 8


def n_dimensions(width: float) -> int:
    """Channels after the last convolution: 960 at width 1."""
    return _LAST * rounded(width * ROWS[-1].out)


def convolution(
    n_in: int,
    n_out: int,
    kernel: int,
    *,
    momentum: float,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = None,
) -> nn.Sequential:
    """Convolution without bias, batch normalisation and, where one is named, an activation."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(n_out, eps=EPS, momentum=momentum),
        *([activation()] if activation else []),
    )


def first_and_last(width: float, *, momentum: float) -> tuple[nn.Sequential, nn.Sequential]:
    """The convolutions before and after the blocks."""
    n_first, n_blocks = rounded(width * FIRST), rounded(width * ROWS[-1].out)
    return (
        convolution(1, n_first, 3, momentum=momentum, stride=2, activation=nn.Hardswish),
        convolution(n_blocks, n_dimensions(width), 1, momentum=momentum, activation=nn.Hardswish),
    )


class SqueezeExcitation(nn.Module):
    """Scale every channel by a number from 0 to 1 that two dense layers make of the means of all channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        squeezed = rounded(width // _SQUEEZE)
        self.fc1 = nn.Linear(width, squeezed)
        self.fc2 = nn.Linear(squeezed, width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, mel, time) to the same."""
        share: Tensor = self.fc2(self.fc1(x.mean(dim=(2, 3))).relu()).sigmoid()
        return share[:, :, None, None] * x


class SqueezeExcitations(nn.Module):
    """The source's list of such layers, one for each axis; its published networks have that of the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conc_se_layers = nn.ModuleList([SqueezeExcitation(width)])

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, mel, time) to the same."""
        scaled: Tensor = self.conc_se_layers[0](x)
        return scaled


class Block(nn.Module):
    """Inverted residual: widen, convolve each channel by itself, scale, narrow; the input is added if it fits."""

    def __init__(self, n_in: int, row: Row, *, width: float, momentum: float) -> None:
        super().__init__()
        inside, n_out = rounded(width * row.inside), rounded(width * row.out)
        activation = nn.Hardswish if row.hard else nn.ReLU
        layers: list[nn.Module] = []
        if inside != n_in:
            layers.append(convolution(n_in, inside, 1, momentum=momentum, activation=activation))
        layers.append(
            convolution(
                inside,
                inside,
                row.kernel,
                momentum=momentum,
                stride=row.stride,
                groups=inside,
                activation=activation,
            )
        )
        if row.squeezed:
            layers.append(SqueezeExcitations(inside))
        layers.append(convolution(inside, n_out, 1, momentum=momentum))
        self.block = nn.Sequential(*layers)
        self.adds = row.stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, mel, time) to (n, n_out, mel, time), or half of both axes."""
        y: Tensor = self.block(x)
        return x + y if self.adds else y


class Backbone(nn.Module):
    """From frames, (n, time, mel), to the means of the last map, (n, 960) at width 1.

    Parameters
    ----------
    width : float
        Multiplier of all channels, which are rounded to multiples of eight.
    momentum : float
        Share of a batch in the running statistics; 0.01 in the source.
    """

    def __init__(self, *, width: float, momentum: float = 0.01) -> None:
        super().__init__()
        self.n_dimensions = n_dimensions(width)
        n_in, blocks = rounded(width * FIRST), []
        for row in ROWS:
            blocks.append(Block(n_in, row, width=width, momentum=momentum))
            n_in = rounded(width * row.out)
        first, last = first_and_last(width, momentum=momentum)
        self.features = nn.Sequential(first, *blocks, last)

    def maps(self, frames: Tensor) -> Tensor:
        """What is averaged, (n, channels, mel', time'), of any number of frames and bands."""
        found: Tensor = self.features(frames.transpose(1, 2).unsqueeze(1))
        return found

    def forward(self, frames: Tensor) -> Tensor:
        """Embeddings of any number of frames and bands."""
        return self.maps(frames).mean(dim=(2, 3))
