"""From feature maps, or steps of time, to one vector or one score per class."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


class AttentionPooling(nn.Module):
    """Global attention pooling over time-frequency bins, one attention map for each class.

    Parameters
    ----------
    n_channels, n_classes : int
    mixture : {"geometric", "arithmetic"}
        "arithmetic" is Ren et al. (CAA-Net), section III.D, equations 5 and 6: class probabilities of bins
        (softmax) are averaged with sigmoid attention. "geometric" is what the authors' code does: it averages
        the bins' *log*-probabilities, with attention ``sigmoid + 0.1`` limited to [0.1, 0.9].

    Notes
    -----
    Either way the weights of a class sum to one over the bins, not over classes, so that the results are
    scores and not yet a distribution; both forms return their logarithm.
    """

    def __init__(self, n_channels: int, n_classes: int, *, mixture: Literal["geometric", "arithmetic"]) -> None:
        super().__init__()
        self.att = nn.Conv2d(n_channels, n_classes, 1)
        self.cla = nn.Conv2d(n_channels, n_classes, 1)
        self.mixture = mixture

    def attention(self, x: Tensor) -> Tensor:
        """Weight of every bin, (n, n_classes, time, mel), summing to one over the bins (equation 5)."""
        raw: Tensor = self.att(x).float().sigmoid()
        if self.mixture == "geometric":
            raw = (raw + 0.1).clamp(0.1, 0.9)
        return raw / raw.sum(dim=(2, 3), keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_channels, time, mel) to log scores, (n, n_classes), in float32."""
        weights = self.attention(x)
        logits: Tensor = self.cla(x).float()
        if self.mixture == "geometric":
            return (weights * logits.log_softmax(dim=1)).sum(dim=(2, 3))
        mixed = (weights * logits.softmax(dim=1)).sum(dim=(2, 3))
        return mixed.clamp_min(torch.finfo(torch.float32).tiny).log()


class LastLevels(nn.Module):
    """Run blocks in turn and concatenate the maxima over time of the last ``n_levels`` of them."""

    def __init__(self, blocks: nn.Sequential, n_levels: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.n_levels = n_levels

    def forward(self, x: Tensor) -> Tensor:
        """(n, sum of the last widths), from blocks whose maps are (n, channels, ...)."""
        maxima = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i >= len(self.blocks) - self.n_levels:
                maxima.append(x.flatten(start_dim=2).amax(dim=2))
        return torch.cat(maxima, dim=1)


VARIANCE_FLOOR = 1e-8
"""Added to every variance, so that a constant channel (digital silence) has a finite gradient."""


def statistics_pooling(x: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean and population standard deviation of every channel over time, in float32.

    Parameters
    ----------
    x : Tensor, shape (n, steps, channels)
    weights : Tensor, shape (n, steps), optional
        Summing to one over the steps; by default all are equal.

    Returns
    -------
    Tensor, shape (n, 2 channels)
        Means, then deviations.
    """
    x = x.float()
    if weights is None:
        variance, mean = torch.var_mean(x, dim=1, correction=0)
    else:
        share = weights[:, :, None]
        mean = (share * x).sum(dim=1)
        variance = (share * (x - mean[:, None]).square()).sum(dim=1)
    return torch.cat([mean, (variance + VARIANCE_FLOOR).sqrt()], dim=1)


class SharedAttention(nn.Module):
    """Weights of steps from their vectors, by one set of parameters: softmax of ``v . tanh(W h + b)``.

    Source: Rezaur Rahman Chowdhury et al., "Attention-based models for text-dependent speaker verification", ICASSP
    2018, shared-parameter non-linear attention.

    Parameters
    ----------
    n_inputs, n_hidden : int
        Sizes of ``h`` and of ``b``.
    """

    def __init__(self, n_inputs: int, n_hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_inputs, n_hidden)
        self.score = nn.Linear(n_hidden, 1, bias=False)

    def forward(self, steps: Tensor) -> Tensor:
        """(n, steps, n_inputs) to weights, (n, steps), which sum to one."""
        scores: Tensor = self.score(self.hidden(steps).tanh())
        return scores.squeeze(2).softmax(dim=1)
