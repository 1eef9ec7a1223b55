"""Statistics pooling and attention over steps of time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
