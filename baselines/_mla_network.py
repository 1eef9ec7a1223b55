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
        _, *attended = self.hidden(segments)
        found = [attention(h) for attention, h in zip(self.attentions, attended, strict=True)]
        logits: Tensor = self.out(torch.cat(found, dim=1))
        return logits

    def hidden(self, segments: Tensor) -> list[Tensor]:
        """(n, segments, n_inputs) to what each of the three dense layers gives, (n, segments, hidden)."""
        # Normalisation is over all segments of all clips, so that they are one axis here.
        h, found = self.norm(segments.flatten(end_dim=1)), []
        for level in self.levels:
            h = level(h)
            found.append(h.unflatten(0, segments.shape[:2]))
        return found


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
        logits: Tensor = self.head(self._vectors(examples))
        return logits

    def embed(self, examples: Tensor) -> Tensor:
        """(n, examples, 96, 64) to the mean over the examples of the third dense layer, (n, hidden).

        The layer that gives the logits sees class scores, which are no embedding.
        """
        *_, last = self.head.hidden(self._vectors(examples))
        mean: Tensor = last.mean(dim=1)
        return mean

    def _vectors(self, examples: Tensor) -> Tensor:
        maps = self.trunk(examples.flatten(end_dim=1).unsqueeze(1))
        vectors: Tensor = self.bottleneck(maps.mean(dim=(2, 3)))
        return vectors.unflatten(0, examples.shape[:2])  # type: ignore[no-any-return, no-untyped-call]
