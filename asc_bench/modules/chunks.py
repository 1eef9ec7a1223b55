"""From clips to chunks of samples."""

from __future__ import annotations

import torch
from torch import Tensor


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
