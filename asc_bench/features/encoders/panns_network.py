"""Networks of PANNs up to their embedding: blocks of convolutions or MobileNetV1, pooled over time, a dense layer.

Names of weights are those of the published checkpoints.

References
----------
Q. Kong et al., "PANNs: Large-scale pretrained audio neural networks for audio pattern recognition", 2020, table 1
and section III; github.com/qiuqiangkong/audioset_tagging_cnn.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

Name = Literal["cnn6", "cnn10", "cnn14", "mobilenet-v1"]

N_BANDS = 64

BLOCKS: Mapping[str, tuple[int, ...]] = MappingProxyType({
    "cnn6": (64, 128, 256, 512),
    "cnn10": (64, 128, 256, 512),
    "cnn14": (64, 128, 256, 512, 1_024, 2_048),
})  # fmt: skip
"""Channels of the blocks."""

SEPARABLE = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1_024, 2), (1_024, 1),
)  # fmt: skip
"""Channels and pooling of MobileNetV1's separable layers, which follow a convolution to 32 channels."""

LEAST_FRAMES: Mapping[str, int] = MappingProxyType({"cnn6": 16, "cnn10": 16, "cnn14": 32, "mobilenet-v1": 32})
"""Four or five poolings halve the frames."""

_BLOCK_DROPOUT, _DROPOUT = 0.2, 0.5


class Block(nn.Module):
    """One or more convolutions, each with batch normalisation and ReLU, then average pooling."""

    def __init__(self, n_in: int, n_out: int, *, kernel: int, depth: int, pool: int) -> None:
        super().__init__()
        self.depth, self.pool = depth, pool
        for i in range(1, depth + 1):
            n_before = n_in if i == 1 else n_out
            convolution = nn.Conv2d(n_before, n_out, kernel, padding=kernel // 2, bias=False)
            self.add_module(f"conv{i}", convolution)
            self.add_module(f"bn{i}", nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, time, mel) to (n, n_out, time // pool, mel // pool)."""
        for i in range(1, self.depth + 1):
            x = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(x)).relu()
        return nn.functional.avg_pool2d(x, self.pool)


def separable(n_in: int, n_out: int, pool: int) -> nn.Sequential:
    """One layer of MobileNetV1: each channel by itself, pooled, then all channels of each bin."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in, bias=False),
        nn.AvgPool2d(pool),
        nn.BatchNorm2d(n_in),
        nn.ReLU(),
        nn.Conv2d(n_in, n_out, 1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


class Backbone(nn.Module):
    """A network without its classification layer.

    Parameters
    ----------
    name : {"cnn6", "cnn10", "cnn14", "mobilenet-v1"}
    divisor : int
        How much narrower than published all layers are.
    """

    def __init__(self, name: Name, *, divisor: int = 1) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(N_BANDS)
        self.n_blocks = len(BLOCKS.get(name, ()))
        if self.n_blocks:
            widths = [width // divisor for width in BLOCKS[name]]
            kernel, depth = (5, 1) if name == "cnn6" else (3, 2)
            for i, (n_in, n_out) in enumerate(zip((1, *widths), widths, strict=False), start=1):
                pool = 1 if i == 6 else 2
                self.add_module(f"conv_block{i}", Block(n_in, n_out, kernel=kernel, depth=depth, pool=pool))
            n_embedding = widths[-1]
        else:
            n_in = 32 // divisor
            first = nn.Sequential(
                nn.Conv2d(1, n_in, 3, padding=1, bias=False), nn.AvgPool2d(2), nn.BatchNorm2d(n_in), nn.ReLU()
            )
            layers = [first]
            for width, pool in SEPARABLE:
                layers.append(separable(n_in, width // divisor, pool))
                n_in = width // divisor
            self.features = nn.Sequential(*layers)
            n_embedding = n_in
        self.fc1 = nn.Linear(n_embedding, n_embedding)
        self.block_dropout, self.dropout = nn.Dropout(_BLOCK_DROPOUT), nn.Dropout(_DROPOUT)

    def forward(self, frames: Tensor) -> Tensor:
        """Decibels, (n, time, 64), to embeddings: the maximum plus the mean over time, through the dense layer."""
        x = self.bn0(frames.unsqueeze(1).transpose(1, 3)).transpose(1, 3)
        if self.n_blocks:
            for i in range(1, self.n_blocks + 1):
                x = self.block_dropout(self.get_submodule(f"conv_block{i}")(x))
        else:
            x = self.features(x)
        x = x.mean(dim=3)
        embedding: Tensor = self.fc1(self.dropout(torch.amax(x, dim=2) + x.mean(dim=2))).relu()
        return embedding
