"""The network of Raw-CNN: convolutions on standardised samples, the mean over time, one dense layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

POOL = 4

CPU_CLIPS = 4
"""Clips that a CPU takes through the layers at a time in evaluation: their maps stay in its caches."""

_VARIANCE_FLOOR = 1e-12
"""Far below the variance of the last bit of 16 (1e-10): silence stays finite, and the quietest clip is levelled."""


class RawNetwork(nn.Module):
    """Stages of equally wide convolutions, each with batch normalisation and ReLU; pooling by four between them.

    Convolutions are two-dimensional ones of height 1, because a CPU computes them fastest with the channels last, a
    layout that one-dimensional layers do not have.

    Parameters
    ----------
    stages : sequence of sequences of int
        Output channels of the convolutions, stage by stage; the very first is the strided one.
    n_classes : int
    kernel, stride : int
        Of the first convolution, in samples, which has no padding; all others have three taps and keep the length.
    pool_last : bool
        Pool after the last stage, too.
    """

    def __init__(
        self, stages: Sequence[Sequence[int]], *, n_classes: int, kernel: int, stride: int, pool_last: bool
    ) -> None:
        super().__init__()
        (width, *others), *rest = stages
        n_pooled = len(stages) if pool_last else len(stages) - 1
        self.first = nn.Conv2d(1, width, (1, kernel), stride=(1, stride))
        layers: list[nn.Module] = [nn.BatchNorm2d(width)]
        for i, widths in enumerate((others, *rest)):
            for n_out in widths:
                layers += [nn.ReLU(), nn.Conv2d(width, n_out, (1, 3), padding=(0, 1)), nn.BatchNorm2d(n_out)]
                width = n_out
            # ReLU after the maximum gives the same numbers as before it, on a quarter of the samples.
            layers += [nn.MaxPool2d((1, POOL))] if i < n_pooled else []
        self.layers = nn.Sequential(*layers, nn.ReLU())
        self.dense = nn.Linear(width, n_classes)
        _glorot_uniform(self)

    def forward(self, waveform: Tensor) -> Tensor:
        """(n, samples) to logits, (n, n_classes)."""
        alone = not self.training and waveform.device.type == "cpu"
        parts = torch.split(waveform, CPU_CLIPS if alone else len(waveform))
        means = torch.cat([self.maps(part).mean(dim=3).squeeze(2) for part in parts])
        logits: Tensor = self.dense(means)
        return logits

    def maps(self, waveform: Tensor) -> Tensor:
        """(n, samples) to what the mean is taken of, (n, channels, 1, steps)."""
        # As a matrix product of all windows, the strided first layer writes its channels last by itself.
        windows = standardised(waveform).unfold(1, self.first.kernel_size[1], self.first.stride[1])
        x = nn.functional.linear(windows, self.first.weight.flatten(start_dim=1), self.first.bias)
        found: Tensor = self.layers(x.transpose(1, 2).unsqueeze(2))
        return found

    def convolutions(self) -> list[nn.Conv2d]:
        """In order."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]


def standardised(waveform: Tensor) -> Tensor:
    """Each clip of (n, samples) minus its mean, divided by its deviation; digital silence becomes zeros."""
    variance, mean = torch.var_mean(waveform, dim=1, correction=0, keepdim=True)
    return (waveform - mean) / (variance + _VARIANCE_FLOOR).sqrt()


def _glorot_uniform(module: nn.Module) -> None:
    """Convolutions as well as dense layers; biases become zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
