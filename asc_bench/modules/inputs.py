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


N_BLOCKS, SILENT_DB = 20, 30.0
"""Random windows begin at multiples of a twentieth of their length, after a common random shift."""


def random_windows(waveform: Tensor, *, length: int, n: int, silent_db: float = SILENT_DB) -> Tensor:
    """Draw excerpts of each clip by torch's generator, none of them silent as long as there are others.

    Parameters
    ----------
    waveform : Tensor, shape (n_clips, samples)
    length : int
        Samples of an excerpt; of a clip that is not longer, all of it is its only excerpt.
    n : int
        Excerpts of each clip, at different places (fewer only where a clip has fewer places), in order of time.
    silent_db : float
        A place is silent if its variance lies so far below that of the loudest place of the same clip: the measure
        depends on no gain, and a clip that is silent throughout has no silent place.

    Returns
    -------
    Tensor, shape (n_clips, n, length)
    """
    n_samples = waveform.shape[1]
    if n_samples <= length:
        return waveform[:, None]
    step = max(1, length // N_BLOCKS)
    # One shift for all clips, from the generator of the CPU: a GPU would have to be waited for.
    shift = int(torch.randint(min(step, n_samples - length + 1), ()))
    blocks = waveform[:, shift:].unfold(1, step, step)
    mean, square = (
        sums.unfold(1, length // step, 1).mean(dim=2) / step
        for sums in (blocks.sum(dim=2), blocks.square().sum(dim=2))
    )
    power = square - mean.square()
    heard = power >= power.amax(dim=1, keepdim=True) * 10.0 ** (-silent_db / 10)
    # Those that are heard come before all others, either in random order.
    order = heard + torch.rand(heard.shape, device=waveform.device)
    places = order.topk(min(n, heard.shape[1]), dim=1).indices.sort(dim=1).values
    samples = shift + step * places[:, :, None] + torch.arange(length, device=waveform.device)
    return waveform.gather(1, samples.flatten(start_dim=1)).reshape(samples.shape)


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
