"""Residual networks up to their last feature maps, with the layers and names of torchvision's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn


@dataclass(frozen=True)
class _Kind:
    """How one published depth is made."""

    bottleneck: bool
    depths: tuple[int, int, int, int]


_KINDS = {"resnet18": _Kind(False, (2, 2, 2, 2)), "resnet50": _Kind(True, (3, 4, 6, 3))}


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions, and the input added before the last ReLU (He et al. 2016, figure 5, left)."""

    expansion = 1

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(n_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, height, width) to (n, width, height / stride, width / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        out: Tensor = self.relu(y + self.downsample(x))
        return out


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions, the last four times as wide (He et al. 2016, figure 5, right).

    The stride is in the 3 x 3 convolution, as in torchvision; the paper has it in the first 1 x 1.
    """

    expansion = 4

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        n_out = self.expansion * width
        self.conv1 = nn.Conv2d(n_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(n_in, n_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, height, width) to (n, 4 width, height / stride, width / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        out: Tensor = self.relu(y + self.downsample(x))
        return out


class ResNet(nn.Module):
    """A residual network without its classifier.

    Parameters
    ----------
    kind : {"resnet18", "resnet50"}
        18 layers of basic blocks or 50 of bottlenecks, counted with the classifier.
    n_channels : int
        Channels of the input.
    width : int
        Channels of the first convolution; published networks have 64, and all others follow.

    Attributes
    ----------
    n_features : int
        Channels of the output: 512 for ``resnet18``, 2,048 for ``resnet50``.

    Notes
    -----
    Weights are drawn as torchvision does: normal by fan-out for convolutions (He et al. 2015), 1 and 0 for
    normalisation.

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016, table 1.
    """

    def __init__(self, kind: Literal["resnet18", "resnet50"], *, n_channels: int = 1, width: int = 64) -> None:
        super().__init__()
        chosen = _KINDS[kind]
        block = Bottleneck if chosen.bottleneck else BasicBlock
        self.conv1 = nn.Conv2d(n_channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.n_features = width
        for stage, depth in enumerate(chosen.depths):
            stage_width = width << stage
            strides = [2 if stage else 1] + [1] * (depth - 1)
            self.add_module(f"layer{stage + 1}", _stage(block, self.n_features, stage_width, strides))
            self.n_features = block.expansion * stage_width
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_channels, height, width) to (n, n_features, height / 32, width / 32), rounded up."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        return x


def _stage(block: type[BasicBlock | Bottleneck], n_in: int, width: int, strides: Sequence[int]) -> nn.Sequential:
    inputs = [n_in] + [block.expansion * width] * (len(strides) - 1)
    return nn.Sequential(*(block(n, width, stride) for n, stride in zip(inputs, strides, strict=True)))


def _shortcut(n_in: int, n_out: int, stride: int) -> nn.Module:
    """The input as it is, or its projection where the size changes."""
    if stride == 1 and n_in == n_out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out))
