"""Random excerpts inside a network that reads clips of any length."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RandomExcerpt(nn.Module):
    """In training an excerpt of each clip, at a place of its own; otherwise, or of shorter clips, all of it.

    The plan's ``Crop`` also cuts at test; a fully convolutional network can do without that.

    Parameters
    ----------
    length : int
        Frames of an excerpt.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, x: Tensor) -> Tensor:
        """(n, time, ...) to (n, length, ...)."""
        n_places = x.shape[1] - self.length + 1
        if not self.training or n_places <= 1:
            return x
        first = torch.randint(n_places, (len(x), 1), device=x.device)
        frames = first + torch.arange(self.length, device=x.device)
        return x[torch.arange(len(x), device=x.device)[:, None], frames]
