"""What can be set in the hierarchical CNN, its two pipelines, and what was published of which settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from asc_bench.api import ConfigError, Params, Published

SAMPLE_RATE_HZ = 16_000
CHUNK, HOP = 2 * SAMPLE_RATE_HZ, 3 * SAMPLE_RATE_HZ // 2
"""Samples: windows of 2 s that overlap by 0.5 s (section IV.C); 5 s are 3 of them, without a remainder."""


@dataclass(frozen=True)
class Layer:
    """A convolution of Table I, with the max pooling after it (``pool`` 0 for none)."""

    kernel: int
    stride: int
    width: int
    pool: int = 0
    pool_stride: int = 0


PIPELINES: Mapping[str, tuple[Layer, ...]] = MappingProxyType(
    {
        "short": (
            Layer(20, 5, 100, 3, 3),
            Layer(10, 1, 300, 3, 3),
            Layer(3, 1, 300, 3, 3),
            Layer(3, 1, 512, 5, 1),
            Layer(3, 1, 512, 5, 1),
            Layer(1, 1, 500),
        ),
        "long": (
            Layer(300, 100, 100, 3, 3),
            Layer(3, 1, 300, 3, 3),
            Layer(3, 1, 300, 5, 1),
            Layer(3, 1, 512, 5, 1),
            Layer(1, 1, 500),
        ),
    }
)
"""Table I: sub-segmental (short kernel) and segmental (long kernel, no fifth layer)."""


def n_steps(layers: Sequence[Layer], n_samples: int) -> int:
    """Steps that a pipeline makes of so many samples, without padding; 0 where they are too few."""
    length = n_samples
    for layer in layers:
        length = _windows(length, layer.kernel, layer.stride)
        if layer.pool:
            length = _windows(length, layer.pool, layer.pool_stride)
    return length


def least_samples(layers: Sequence[Layer]) -> int:
    """Samples that one step sees: fewer give none."""
    length = 1
    for layer in reversed(layers):
        if layer.pool:
            length = (length - 1) * layer.pool_stride + layer.pool
        length = (length - 1) * layer.stride + layer.kernel
    return length


def _windows(length: int, size: int, stride: int) -> int:
    return max(0, 1 + (length - size) // stride)


@dataclass(frozen=True, kw_only=True)
class HierarchicalCnnParams(Params):
    """Which parts of the network there are, and how what Table I leaves open is read.

    A chunk is 2 s of a clip; ``h`` are the pooled statistics of a chunk, ``e`` is its 128-D output of the dense
    layers. The audio embedding ``r`` of a clip is the attention-weighted mean of its ``e``.

    Attributes
    ----------
    pipelines : {"both", "short", "long"}
        Both pipelines of Table I, or one alone (Fig. 4 d and e).
    labels : {"coarse+fine", "fine", "coarse"}
        Label levels that the network is trained on and predicts (Table II). ``coarse+fine`` is ``fine`` under a
        protocol that has no coarse classes.
    attention : {"yes", "no"}
        Weights of chunks are learned (equations 2 and 3), or all equal (Table II, "without attention"). Nothing
        reads it where ``rnn`` takes the place of the pooling: it is reset to its default then, so that equal runs
        have equal names.
    prototypes : {"yes", "no"}
        Loss of equation 4 on learned prototypes of the coarse classes. Nothing reads it with ``labels=fine``: it
        is reset to its default then.
    reading : {"A", "B", "C", "D", "E", "F"}
        How the sizes 1000, 500 and 128 of the paper fit together. A: ``h`` joins the statistics of both pipelines
        (2000-D), and attention looks at it. B: the pipelines' maps are joined along time before the statistics
        (1000-D, as section IV.C says; the short pipeline then makes 223 of 245 steps). C: the statistics of both
        are averaged (1000-D). D: as A, but attention looks at ``e``. E: attention inside the statistics, over the
        steps of each pipeline; chunks count equally. F: as A, but ``h`` is averaged over the chunks before the
        dense layers.
    rnn : {"none", "lstm", "gru"}
        Two recurrent layers of 30 units over the ``e`` of the chunks instead of the attention pooling; their last
        state is ``r`` (section V.C, Table VI).
    orthogonality : {"srip", "so", "none"}
        Penalty that keeps convolutions orthogonal (section IV.C, reference 49; the paper names no variant): the
        spectral norm of ``W W^T - I``, its Frobenius norm, or none.
    example : {"windows", "clip"}
        What a clip is in an update of the training: random windows of 2 s, none of them silent, or all of its
        chunks, as at test. Either is a reading of "trained on 2 s raw inputs chunked from 5 s long audio signals"
        (section IV.C).
    dropout : {"last", "all"}
        Where the pipelines drop elements ("a dropout of 0.2 in CNN layers", section IV.C): before Conv6 alone, or
        after each pooled layer.
    """

    pipelines: Literal["both", "short", "long"] = "both"
    labels: Literal["coarse+fine", "fine", "coarse"] = "coarse+fine"
    attention: Literal["yes", "no"] = "yes"
    prototypes: Literal["yes", "no"] = "yes"
    reading: Literal["A", "B", "C", "D", "E", "F"] = "A"
    rnn: Literal["none", "lstm", "gru"] = "none"
    orthogonality: Literal["srip", "so", "none"] = "srip"
    example: Literal["windows", "clip"] = "windows"
    dropout: Literal["last", "all"] = "last"

    def __post_init__(self) -> None:
        if self.labels == "fine":
            object.__setattr__(self, "prototypes", HierarchicalCnnParams.prototypes)
        if self.rnn != "none":
            object.__setattr__(self, "attention", HierarchicalCnnParams.attention)
        if why := self._contradiction():
            raise ConfigError(f"hierarchical-cnn: {why}")

    def _contradiction(self) -> str | None:
        reading = f"reading {self.reading}"
        if self.reading in "BC" and self.pipelines != "both":
            return (
                f"{reading} says how two pipelines become 1000-D, and there is only the {self.pipelines} one; "
                "choose reading=A"
            )
        if self.reading in "DE" and self.attention == "no":
            return f"{reading} says where attention looks, and there is none; choose reading=A"
        if self.reading in "DEF" and self.rnn != "none":
            return (
                f"{reading} differs from A in the attention pooling, which rnn={self.rnn} takes the place of; "
                "choose reading=A, B or C"
            )
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """Pipelines that there are, in order."""
        return tuple(PIPELINES) if self.pipelines == "both" else (self.pipelines,)


def published() -> tuple[Published, ...]:
    """Rows of Tables II and VI by setting; "Proposed" of Table IV is a row of Table II."""
    as_published = {"pipelines": "both", "prototypes": "yes", "orthogonality": "srip"}
    return (
        *(
            Published(
                "merged",
                "hierarchical_table2",
                {"labels": labels, "attention": attention},
                when=as_published | {"rnn": "none"},
            )
            for labels in ("coarse", "fine", "coarse+fine")
            for attention in ("yes", "no")
        ),
        *(
            Published(
                "merged",
                "hierarchical_table6",
                {"variant": f"CNN+{rnn.upper()}"},
                when=as_published | {"labels": "coarse+fine", "rnn": rnn},
            )
            for rnn in ("lstm", "gru")
        ),
    )
