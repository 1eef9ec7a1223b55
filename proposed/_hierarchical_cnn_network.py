"""The network of Abrol and Sharma (2020): from samples to logits of coarse and fine classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asc_bench.modules.dropout import ByteDropout
from asc_bench.modules.inputs import chunked, pre_emphasis, random_windows
from asc_bench.modules.losses import L2Softmax, on_unit_sphere, squared_distances
from asc_bench.modules.orthogonal import orthogonal, soft_orthogonality, spectral_residue
from asc_bench.modules.pooling import SharedAttention, statistics_pooling

from ._hierarchical_cnn_settings import Layer

PRE_EMPHASIS = 0.97
DROPOUT = 0.2
N_HIDDEN = 128
"""Size D of the attention."""
RNN_LAYERS, RNN_UNITS = 2, 30

CPU_CHUNKS = 8
"""Chunks that a CPU takes through the pipelines at a time: their maps stay in its caches."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a network is built from.

    Attributes
    ----------
    pipelines : mapping of str to sequence of Layer
    dense : (int, int)
        Widths of the two dense layers.
    n_classes : mapping of str to int
        Classes by label level.
    n_prototypes : int
        Coarse classes with a prototype; 0 for none.
    reading, rnn : str
        As in ``HierarchicalCnnParams``.
    attention : bool
        Whether weights of chunks are learned.
    chunk, hop : int
        In samples.
    dropout : str
        As in ``HierarchicalCnnParams``.
    probability : float
        Sets the length of the embedding in l2-softmax.
    """

    pipelines: Mapping[str, Sequence[Layer]]
    dense: tuple[int, int]
    n_classes: Mapping[str, int]
    n_prototypes: int
    reading: str
    rnn: str
    attention: bool
    chunk: int
    hop: int
    dropout: str
    probability: float


class Pipeline(nn.Module):
    """One column of Table I up to Conv6: one-dimensional convolutions without padding.

    They are two-dimensional ones of height 1, because a CPU convolves and pools fastest with the channels last,
    a layout that one-dimensional layers do not have.

    Parameters
    ----------
    layers : sequence of Layer
    dropout : {"last", "all"}
        After the last pooled layer, or after each.
    """

    def __init__(self, layers: Sequence[Layer], dropout: str) -> None:
        super().__init__()
        self.layers = tuple(layers)
        pooled = [i for i, layer in enumerate(layers) if layer.pool]
        self._dropped = frozenset(pooled if dropout == "all" else pooled[-1:])
        n_in = 1
        for i, layer in enumerate(layers, start=1):
            self.add_module(f"conv{i}", nn.Conv2d(n_in, layer.width, (1, layer.kernel), stride=(1, layer.stride)))
            n_in = layer.width
        self.dropout = ByteDropout(DROPOUT)

    def convolutions(self) -> list[nn.Conv2d]:
        """In order."""
        return [layer for layer in self.children() if isinstance(layer, nn.Conv2d)]

    def forward(self, chunks: Tensor) -> Tensor:
        """(n, samples) to maps, (n, steps, channels)."""
        first, *others = self.convolutions()
        # As a matrix product of all windows, the strided first layer writes its channels last by itself.
        windows = chunks.unfold(1, first.kernel_size[1], first.stride[1])
        x = nn.functional.linear(windows, first.weight.flatten(start_dim=1), first.bias)
        x = self._pooled(x.transpose(1, 2).unsqueeze(2), 0)
        for i, convolution in enumerate(others, start=1):
            x = self._pooled(convolution(x), i)
        return x.squeeze(2).transpose(1, 2)

    def _pooled(self, x: Tensor, i: int) -> Tensor:
        """Pooling, ELU and dropout of a layer; ELU grows with its input, so that it may come after the maximum."""
        layer = self.layers[i]
        if layer.pool:
            x = nn.functional.max_pool2d(x, (1, layer.pool), (1, layer.pool_stride))
        x = nn.functional.elu(x)
        return self.dropout(x) if i in self._dropped else x


class HierarchicalNetwork(nn.Module):
    """Two pipelines on each chunk of a clip, attention over the chunks, a head for each label level.

    ``forward`` gives a mapping: logits by label level, (n, n_classes), and with prototypes ``distances``, squared,
    (n, n_prototypes), of the normalised audio embedding.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.pipelines = nn.ModuleDict(
            {name: Pipeline(layers, shape.dropout) for name, layers in shape.pipelines.items()}
        )
        widths = [layers[-1].width for layers in shape.pipelines.values()]
        n_statistics = 2 * (widths[0] if shape.reading in "BC" else sum(widths))
        hidden, n_embedding = shape.dense
        self.fc1 = nn.Linear(n_statistics, hidden)
        self.fc2 = nn.Linear(hidden, n_embedding)
        attended = {"D": [n_embedding], "E": widths}.get(shape.reading, [n_statistics])
        self.attention = nn.ModuleList(SharedAttention(n, N_HIDDEN) for n in attended if shape.attention)
        orthogonal(self)
        if shape.rnn != "none":
            kind: Callable[..., nn.LSTM | nn.GRU] = {"lstm": nn.LSTM, "gru": nn.GRU}[shape.rnn]
            self.rnn = kind(n_embedding, RNN_UNITS, num_layers=RNN_LAYERS, batch_first=True)
            n_embedding = RNN_UNITS
        self.heads = nn.ModuleDict(
            {
                level: orthogonal(L2Softmax(n_embedding, n, probability=shape.probability))
                for level, n in shape.n_classes.items()
            }
        )
        if shape.n_prototypes:
            self.prototypes = nn.Parameter(on_unit_sphere(torch.randn(shape.n_prototypes, n_embedding)))

    def forward(self, waveform: Tensor, n_windows: int | None = None) -> dict[str, Tensor]:
        """Samples, (n, samples), in [-1, 1]; of their chunks, or of so many random windows in their place."""
        embedding, _ = self.embed(waveform, n_windows)
        with _full_precision(waveform):
            outputs = {level: head(embedding) for level, head in self.heads.items()}
            if self.shape.n_prototypes:
                outputs["distances"] = squared_distances(on_unit_sphere(embedding), self.prototypes)
        return outputs

    def embed(self, waveform: Tensor, n_windows: int | None = None) -> tuple[Tensor, Tensor]:
        """Audio embedding before its normalisation, (n, size), and weights of the chunks, (n, chunks).

        Both in float32. Recurrent layers weigh no chunks: the last one, whose state counts, has weight one.
        """
        emphasised = pre_emphasis(waveform, PRE_EMPHASIS)
        if n_windows is None:
            chunks = chunked(emphasised, length=self.shape.chunk, hop=self.shape.hop)
        else:
            chunks = random_windows(emphasised, length=self.shape.chunk, n=n_windows)
        n_clips, n_chunks, _ = chunks.shape
        flat = (chunks - chunks.mean(dim=2, keepdim=True)).flatten(end_dim=1)
        size = CPU_CHUNKS if waveform.device.type == "cpu" else len(flat)
        h = torch.cat([self._statistics(part) for part in torch.split(flat, size)]).reshape(n_clips, n_chunks, -1)
        # From here on everything is small, and is worth full precision.
        with _full_precision(waveform):
            return self._pooled(h)

    def convolutions(self) -> list[nn.Conv2d]:
        """Of both pipelines."""
        pipelines = [p for p in self.pipelines.values() if isinstance(p, Pipeline)]
        return [layer for pipeline in pipelines for layer in pipeline.convolutions()]

    def orthogonality(self, kind: str) -> Tensor:
        """Penalty "srip" or "so", summed over the convolutions, in float32."""
        penalty = {"srip": spectral_residue, "so": soft_orthogonality}[kind]
        weights = [convolution.weight for convolution in self.convolutions()]
        with _full_precision(weights[0]):
            return torch.stack([penalty(weight) for weight in weights]).sum()

    def _statistics(self, chunks: Tensor) -> Tensor:
        """(n, samples) to the pooled statistics of each chunk, float32, (n, size)."""
        maps = [pipeline(chunks) for pipeline in self.pipelines.values()]
        with _full_precision(chunks):
            if self.shape.reading == "B":
                return statistics_pooling(torch.cat(maps, dim=1))
            weights: list[Tensor | None] = [None] * len(maps)
            if self.shape.reading == "E":
                weights = [attend(x.float()) for attend, x in zip(self.attention, maps, strict=True)]
            found = [statistics_pooling(x, w) for x, w in zip(maps, weights, strict=True)]
            return torch.stack(found).mean(dim=0) if self.shape.reading == "C" else torch.cat(found, dim=1)

    def _pooled(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Statistics of the chunks, (n, chunks, size), to the embedding and the weights of the chunks."""
        if self.shape.reading == "F":
            weights = self._weights(h)
            return self._dense((weights[:, :, None] * h).sum(dim=1)), weights
        e = self._dense(h)
        if self.shape.rnn != "none":
            states, _ = self.rnn(e)
            weights = torch.zeros(h.shape[:2], device=h.device)
            weights[:, -1] = 1.0
            return states[:, -1], weights
        weights = self._weights(e if self.shape.reading == "D" else h)
        return (weights[:, :, None] * e).sum(dim=1), weights

    def _dense(self, h: Tensor) -> Tensor:
        embedding: Tensor = self.fc2(self.fc1(h).relu()).relu()
        return embedding

    def _weights(self, steps: Tensor) -> Tensor:
        if self.shape.attention and self.shape.reading != "E":
            (attend,) = self.attention
            weights: Tensor = attend(steps)
            return weights
        return torch.full(steps.shape[:2], 1 / steps.shape[1], device=steps.device)


def _full_precision(x: Tensor) -> AbstractContextManager[object]:
    # Tensors without storage, on which operations are counted, know no autocast.
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)
