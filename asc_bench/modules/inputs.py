"""From features and waveforms to what a network takes: chunks, excerpts, bands before time."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def n_chunks(n_samples: int, *, length: int, hop: int) -> int:
    """How many whole chunks a clip has; one for a clip that is shorter than a chunk."""
    return 1 + max(0, n_samples - length) // hop


def chunked(waveform: Tensor, *, length: int, hop: int) -> Tensor:
    """Cut (n, samples) into (n, chunks, length), the first chunk at the start; samples after the last are left out.

    A clip that is shorter than a chunk is one chunk of its own length.
    """
    return waveform.unfold(1, min(length, waveform.shape[1]), hop)


def pre_emphasis(waveform: Tensor, coefficient: float) -> Tensor:
    """``y[t] = x[t] - coefficient x[t-1]`` along the last axis; the first sample stays as it is."""
    first, rest = waveform[..., :1], waveform[..., 1:] - coefficient * waveform[..., :-1]
    return torch.cat([first, rest], dim=-1)


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


class BandsFirst(nn.Module):
    """(n, time, mel) to (n, 1, mel, time): frequency before time, as many published networks have it."""

    def forward(self, x: Tensor) -> Tensor:
        """Insert the channel axis and swap the other two."""
        return x.transpose(1, 2).unsqueeze(1)
