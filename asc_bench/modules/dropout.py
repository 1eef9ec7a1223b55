"""Dropout that costs a CPU little."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ByteDropout(nn.Module):
    """Dropout of single elements from random bytes: the rate is rounded to a multiple of 1/256.

    On a CPU torch draws one random number for each element, one after the other; here the eight bytes of one number
    do for eight elements. Elsewhere than on a CPU this is torch's own dropout, at the same rate.

    Parameters
    ----------
    rate : float
        Share of the elements that become zero in training; the others grow, so that the mean stays.

    Attributes
    ----------
    rate : float
        The rounded rate.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._threshold = round(256 * rate)
        self.rate = self._threshold / 256

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements in training; any shape and memory layout."""
        if not self.training or not self._threshold:
            return x
        if x.device.type not in ("cpu", "meta"):
            return nn.functional.dropout(x, self.rate)
        numbers = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None)
        kept = numbers.view(torch.uint8)[: x.numel()] >= self._threshold
        # In the layout of x, or the product would be slow.
        factors = torch.empty_like(x).copy_(kept.as_strided(x.shape, _dense_strides(x)))
        return x * factors.mul_(1 / (1 - self.rate))


def _dense_strides(x: Tensor) -> tuple[int, ...]:
    return torch.empty_like(x, device="meta").stride()
