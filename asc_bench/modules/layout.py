"""From the harness's time-first features to the maps of image networks."""

from __future__ import annotations

from torch import Tensor, nn


class BandsFirst(nn.Module):
    """(n, time, mel) to (n, 1, mel, time): frequency before time, as many published networks have it."""

    def forward(self, x: Tensor) -> Tensor:
        """Insert the channel axis and swap the other two."""
        return x.transpose(1, 2).unsqueeze(1)
