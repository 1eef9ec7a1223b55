"""The networks of Pons, Serrà and Serra (2019): five convolutions, and prototypes of classes on top of them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from asc_bench.api import SystemFailure
from asc_bench.modules.conv import AddChannel

N_CONVOLUTIONS = 5
SLOPE, OFFSET = 7.0, 1.0
"""Where the learned compression begins."""

SUPPORT_CHUNK = 64
"""Patches of the support set that are embedded at a time, once training is over."""


class LearnedLog(nn.Module):
    """``ln(exp(a) x + ln(1 + exp(b)))`` of the power x in each band, with two learned numbers a and b."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(SLOPE))
        self.offset = nn.Parameter(torch.tensor(OFFSET))

    def forward(self, log_power: Tensor) -> Tensor:
        """log10 of the power, as the front end gives it, to the learned compression; any shape."""
        power = torch.pow(10.0, log_power.float())
        return torch.log(self.slope.exp() * power + nn.functional.softplus(self.offset))


def vgg(
    patch: tuple[int, int],
    *,
    filters: int,
    n_outputs: int,
    normalise: Literal["all", "per-frame"],
    learned_log: bool = False,
) -> nn.Sequential:
    """Normalised input, five times convolution, ELU, normalisation and pooling, and one dense layer.

    Parameters
    ----------
    patch : (int, int)
        Frames and bands of the input, (n, frames, bands); halved five times, without a remainder or with.
    normalise : {"all", "per-frame"}
        Batch normalisation of the input by one scale and shift, or by one for each frame of the patch.
    learned_log : bool
        Begin with ``LearnedLog``.

    Notes
    -----
    Weights are drawn uniformly from ±sqrt(6 / (fan_in + fan_out)). The variance floor of the normalisation is
    0.001, that of TensorFlow.

    Source: github.com/jordipons/neural-classifiers-with-few-audio, ``src/models_sl.py`` and
    ``src/models_proto.py``.
    """
    frames, bands = patch
    layers: list[nn.Module] = [LearnedLog()] if learned_log else []
    if normalise == "all":
        layers += [AddChannel(), nn.BatchNorm2d(1, eps=1e-3)]
    else:
        # Frames stand where torch expects channels.
        layers += [nn.BatchNorm1d(frames, eps=1e-3), AddChannel()]
    n_in = 1
    for _ in range(N_CONVOLUTIONS):
        layers += [
            nn.Conv2d(n_in, filters, 3, padding=1),
            nn.ELU(),
            nn.BatchNorm2d(filters, eps=1e-3),
            nn.MaxPool2d(2),
        ]
        n_in = filters
    side = 2**N_CONVOLUTIONS
    n_flat = filters * (frames // side) * (bands // side)
    network = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(n_flat, n_outputs))
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return network


class PrototypicalNetwork(nn.Module):
    """Logits are minus the distances to class means of an embedded support set, which is a buffer.

    In training the support set is embedded again at each step, and gradients flow through it. ``eval()`` embeds it
    once, with the weights of that moment; the means are kept until the next ``eval()``.

    Parameters
    ----------
    embed : nn.Module
        (n, frames, bands) to (n, size).
    size : int
        Dimensions of the embedding.
    support : Tensor, shape (n_classes, n_shots, frames, bands)
    """

    support: Tensor
    prototypes: Tensor

    def __init__(self, embed: nn.Module, *, size: int, support: Tensor) -> None:
        super().__init__()
        self.embed = embed
        self.n_shots = support.shape[1]
        # One axis for classes and shots: four would be taken for images and put into another memory layout.
        self.register_buffer("support", support.flatten(end_dim=1))
        self.register_buffer("prototypes", torch.zeros(len(support), size), persistent=False)

    def train(self, mode: bool = True) -> PrototypicalNetwork:
        """See ``nn.Module.train``; leaving training embeds the support set."""
        super().train(mode)
        if not mode:
            with torch.no_grad():
                parts = [self.embed(part) for part in torch.split(self.support, SUPPORT_CHUNK)]
                self.prototypes.copy_(self._means(torch.cat(parts)))
        return self

    def forward(self, patches: Tensor) -> Tensor:
        """(n, frames, bands) to logits, (n, n_classes), in float32."""
        # Separate passes, as in the original: batch normalisation sees either the support set or the queries.
        prototypes = self._means(self.embed(self.support)) if self.training else self.prototypes
        return -mean_squared_distances(self.embed(patches).float(), prototypes)

    def _means(self, embedded: Tensor) -> Tensor:
        return embedded.float().reshape(-1, self.n_shots, embedded.shape[1]).mean(dim=1)


def mean_squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(n, size) and (m, size) to squared distances divided by the size, (n, m)."""
    return (x[:, None] - y[None]).square().mean(dim=2)


def draw_support(
    labels: npt.NDArray[np.int64],
    *,
    class_names: tuple[str, ...],
    n_shots: int,
    n_frames: int,
    length: int,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Choose clips and excerpts for a support set.

    Parameters
    ----------
    labels : int array, shape (n_clips,)
    n_frames, length : int
        Frames of a clip and of an excerpt.

    Returns
    -------
    rows : int array, shape (n_classes, n_shots)
        As many different clips as the class has.
    frames : int array, shape (n_classes, n_shots, length)
        Frames of each excerpt, at a random place; a shorter clip is repeated.

    Raises
    ------
    SystemFailure
        If a class has no clip.
    """
    counts = np.bincount(labels, minlength=len(class_names))
    if not counts.all():
        missing = class_names[int(np.argmin(counts > 0))]
        raise SystemFailure(
            f"nac: no training clip of class {missing!r}, so that it has no prototype; use head=softmax or a "
            "training split with all classes"
        )
    rows = np.stack(
        [np.resize(rng.permutation(np.flatnonzero(labels == c)), n_shots) for c in range(len(class_names))]
    )
    starts = rng.integers(0, max(n_frames - length, 0) + 1, size=rows.shape)
    return rows, (starts[:, :, None] + np.arange(length)) % n_frames
