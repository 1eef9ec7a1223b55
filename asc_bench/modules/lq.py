"""The loss L_q, which noisy labels mislead less than they do cross-entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from asc_bench.errors import ConfigError


def lq_loss(logits: Tensor, labels: Tensor, *, q: float = 0.7) -> Tensor:
    """Mean over the clips of ``(1 - p_y**q) / q``, with ``p_y`` the softmax probability of the label.

    Its limit for q to 0 is cross-entropy; with q = 1 it is the mean absolute error but for a factor.

    Parameters
    ----------
    logits : Tensor, shape (n, n_classes)
    labels : Tensor, shape (n,)
        Class indices.
    q : float
        Above 0, at most 1.

    Raises
    ------
    ConfigError
        For any other q.

    References
    ----------
    Z. Zhang and M. R. Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy
    labels", NeurIPS 2018, equation 6.
    """
    if not 0 < q <= 1:
        raise ConfigError(f"loss L_q: q is {q}, must be above 0 and at most 1")
    log_p = logits.log_softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    # expm1 keeps the digits of 1 - p**q where p is nearly 1; and the gradient of a vanished p stays finite.
    return (-torch.expm1(q * log_p) / q).mean()
