"""The network of Yu et al. (2018) on a residual network: from log-mel examples to logits."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from asc_bench.modules.resnet import ResNet

ATTENTION_FLOOR = 1e-7


class SegmentAttention(nn.Module):
    """Class scores of segments, averaged over time with weights of their own for each class.

    Weights come from a softmax over classes, limited to [1e-7, 1 - 1e-7] before they are made to sum to one over
    time. Source: github.com/qiuqiangkong/audioset_classification, ``keras/main.py``.

    Parameters
    ----------
    n_inputs, n_classes : int
    """

    def __init__(self, n_inputs: int, n_classes: int) -> None:
        super().__init__()
        self.cla = nn.Linear(n_inputs, n_classes)
        self.att = nn.Linear(n_inputs, n_classes)

    def weights(self, h: Tensor) -> Tensor:
        """(n, segments, n_inputs) to weights, (n, segments, n_classes), which sum to one over the segments."""
        raw = self.att(h).float().softmax(dim=2).clamp(ATTENTION_FLOOR, 1 - ATTENTION_FLOOR)
        shares: Tensor = raw / raw.sum(dim=1, keepdim=True)
        return shares

    def forward(self, h: Tensor) -> Tensor:
        """(n, segments, n_inputs) to scores between 0 and 1, (n, n_classes), in float32."""
        scores: Tensor = (self.weights(h) * self.cla(h).float().sigmoid()).sum(dim=1)
        return scores


class MultiLevelHead(nn.Module):
    """Three dense layers on each segment, attention after the second and the third, one dense layer on both.

    Parameters
    ----------
    n_inputs, hidden, n_classes : int
    dropout : float
        After each of the three dense layers.
    """

    def __init__(self, n_inputs: int, hidden: int, n_classes: int, *, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(n_inputs)
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Linear(n, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout))
            for n in (n_inputs, hidden, hidden)
        )
        self.attentions = nn.ModuleList(SegmentAttention(hidden, n_classes) for _ in range(2))
        self.out = nn.Linear(2 * n_classes, n_classes)

    def forward(self, segments: Tensor) -> Tensor:
        """(n, segments, n_inputs) to logits, (n, n_classes)."""
        n_clips, n_segments, _ = segments.shape
        # Normalisation is over all segments of all clips, so that they are one axis until attention.
        h = self.norm(segments.flatten(end_dim=1))
        found = []
        for level, attention in zip(self.levels, (None, *self.attentions), strict=True):
            h = level(h)
            if attention is not None:
                found.append(attention(h.unflatten(0, (n_clips, n_segments))))
        logits: Tensor = self.out(torch.cat(found, dim=1))
        return logits


class MlaNetwork(nn.Module):
    """A residual network on each example of a clip, a bottleneck, and the multi-level head on all of them.

    Parameters
    ----------
    trunk : {"resnet50", "resnet18"}
    n_classes, bottleneck, hidden : int
    width : int
        Channels of the trunk's first layer.
    dropout : float
    """

    def __init__(
        self,
        trunk: Literal["resnet50", "resnet18"],
        *,
        n_classes: int,
        bottleneck: int,
        hidden: int,
        width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.trunk = ResNet(trunk, width=width)
        self.bottleneck = nn.Linear(self.trunk.n_features, bottleneck)
        self.head = MultiLevelHead(bottleneck, hidden, n_classes, dropout=dropout)

    def forward(self, examples: Tensor) -> Tensor:
        """(n, examples, 96, 64) to logits, (n, n_classes)."""
        n_clips, n_examples = examples.shape[:2]
        maps = self.trunk(examples.flatten(end_dim=1).unsqueeze(1))
        vectors = self.bottleneck(maps.mean(dim=(2, 3)))
        logits: Tensor = self.head(vectors.unflatten(0, (n_clips, n_examples)))
        return logits
