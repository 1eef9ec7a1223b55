"""Windows along time, a linear head on the embedding of each, and what the windows of a clip say together."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Pooling = Literal["replicated", "attention", "noisy-or"]


def window_starts(n_frames: int, *, length: int, n_segments: int) -> tuple[int, ...]:
    """First frame of the window of each segment: centred on it, and moved inside the clip at both ends.

    Parameters
    ----------
    n_frames : int
        Of the clip.
    length : int
        Of a window, in frames.
    n_segments : int
        Equal parts that the clip is divided into.

    Returns
    -------
    tuple of int, length n_segments
    """
    last = max(n_frames - length, 0)
    centres = ((segment + 0.5) * n_frames / n_segments for segment in range(n_segments))
    return tuple(min(max(round(centre - length / 2), 0), last) for centre in centres)


def windows(features: Tensor, starts: tuple[int, ...], *, length: int) -> Tensor:
    """(n, frames, ...) to (n, windows, length, ...)."""
    return torch.stack([features[:, start : start + length] for start in starts], dim=1)


class WindowHead(nn.Module):
    """Logits of each window, and what they come to for the clip.

    Parameters
    ----------
    n_features, n_classes : int
    pooling : {"replicated", "attention", "noisy-or"}
        Probability of a class in a clip from those in its windows: their mean; their mean with weights that a
        second linear layer and a softmax over the windows give each class (Ilse et al. 2018, section 2.4, one
        attention for each class); or that of at least one (noisy-or, Maron and Lozano-Perez 1998).
    """

    def __init__(self, n_features: int, n_classes: int, *, pooling: Pooling = "replicated") -> None:
        super().__init__()
        self.classes = nn.Linear(n_features, n_classes)
        self.attention = nn.Linear(n_features, n_classes) if pooling == "attention" else None
        self.pooling = pooling

    def forward(self, embedding: Tensor) -> dict[str, Tensor]:
        """(n, windows, n_features) to ``logits``, (n, windows, n_classes), and ``tagging``, (n, n_classes)."""
        logits = self.classes(embedding).float()
        chances = logits.sigmoid()
        if self.attention is not None:
            weights = self.attention(embedding).float().softmax(dim=1)
            tagging = (weights * chances).sum(dim=1)
        elif self.pooling == "noisy-or":
            tagging = -torch.expm1(nn.functional.logsigmoid(-logits).sum(dim=1))
        else:
            tagging = chances.mean(dim=1)
        return {"logits": logits, "tagging": tagging.clamp(0.0, 1.0)}


def weak_label_loss(outputs: dict[str, Tensor], present: Tensor, *, pooling: Pooling) -> Tensor:
    """Binary cross-entropy against the labels of clips, a mean over all that is compared.

    Parameters
    ----------
    outputs : dict
        Of ``WindowHead``.
    present : Tensor, shape (n, n_classes)
        Ones and zeros.
    pooling : {"replicated", "attention", "noisy-or"}
        With "replicated" every window is held to have all labels of its clip; else only the clip is scored.
    """
    if pooling == "replicated":
        logits = outputs["logits"]
        return nn.functional.binary_cross_entropy_with_logits(logits, present[:, None].expand_as(logits))
    # Rounding may make a probability 1 exactly, whose logarithm of the complement is infinite.
    return nn.functional.binary_cross_entropy(outputs["tagging"].clamp(1e-6, 1 - 1e-6), present)
