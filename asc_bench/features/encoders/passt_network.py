"""PaSST up to its embedding: a vision transformer on overlapping patches, of which training drops rows and columns.

Names of weights are those of the published checkpoints.

References
----------
K. Koutini, J. Schlüter, H. Eghbal-zadeh and G. Widmer, "Efficient training of audio transformers with patchout",
Interspeech 2022, section 2; github.com/kkoutini/PaSST.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

N_BANDS, N_FRAMES = 128, 1_000
"""Of ten seconds, which the networks of the release hear at most."""

WIDTH = 768

_PATCH = 16
_HEAD_WIDTH = 64
_GROWTH = 4
_EPS = 1e-6
_DEVIATION = 0.02
"""Of the initial weights. The source cuts their normal distribution off at 2, which is a hundred of it."""


def n_patches(length: int, stride: int) -> int:
    """Patches of 16 bands or frames along an axis; none overlaps its end."""
    return max(0, 1 + (length - _PATCH) // stride)


class Placement(nn.Module):
    """Tell each patch its place, then drop rows and columns of patches in training.

    It has no parameters of its own: in a network whose other layers are frozen it computes as it does at test.

    Parameters
    ----------
    n_rows, n_columns : int
        Rows (frequency) and columns (time) to be dropped, other ones at each step but the same in all its clips.
    """

    def __init__(self, *, n_rows: int, n_columns: int) -> None:
        super().__init__()
        self.n_rows, self.n_columns = n_rows, n_columns

    def forward(self, patches: Tensor, frequency: Tensor, time: Tensor) -> Tensor:
        """(n, width, rows, columns) to (n, tokens, width).

        Clips of fewer columns than there are embeddings of time take the first ones at test, and a run of them
        from a random one on in training.
        """
        spare = time.shape[3] - patches.shape[3]
        if spare < 0:
            raise ValueError(f"{patches.shape[3]} columns of patches, the network knows {time.shape[3]} places")
        first = int(torch.randint(spare + 1, ())) if self.training else 0
        x = patches + time.narrow(3, first, patches.shape[3]) + frequency
        if self.training:
            x = _without_some(_without_some(x, self.n_rows, axis=2), self.n_columns, axis=3)
        return x.flatten(2).transpose(1, 2)


def _without_some(x: Tensor, n_dropped: int, *, axis: int) -> Tensor:
    n = x.shape[axis]
    if n_dropped >= n:
        raise ValueError(
            f"patchout of {n_dropped} leaves nothing of {n} {('rows', 'columns')[axis - 2]} of patches"
        )
    if not n_dropped:
        return x
    kept = torch.randperm(n)[n_dropped:].sort().values  # drawn on the CPU, so that a GPU need not be waited for
    return x.index_select(axis, kept.to(x.device))


class Attention(nn.Module):
    """Self-attention of all tokens, in heads of 64."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, width) to the same."""
        query, key, value = self.qkv(x).unflatten(2, (3, -1, _HEAD_WIDTH)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected


class Block(nn.Module):
    """Attention, then two dense layers; each sees its normalised input and is added to it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPS)
        self.attn = Attention(width)
        self.norm2 = nn.LayerNorm(width, eps=_EPS)
        layers = {
            "fc1": nn.Linear(width, _GROWTH * width),
            "act": nn.GELU(),
            "fc2": nn.Linear(_GROWTH * width, width),
        }
        self.mlp = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, width) to the same."""
        x = x + self.attn(self.norm1(x))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


def initialise_dense(module: nn.Module) -> None:
    """Draw the weights of all dense layers from a normal distribution; biases become zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=_DEVIATION)
            nn.init.zeros_(layer.bias)


class Backbone(nn.Module):
    """A network without its classification layer.

    Parameters
    ----------
    stride : int
        Of patches, along both axes.
    depth : int
        Blocks: 12 in PaSST-S, 7 in PaSST-L.
    width : int
        Of a token; a multiple of 64.
    patchout : tuple of int
        Rows and columns of patches that training drops.
    """

    def __init__(
        self, *, stride: int = 10, depth: int = 12, width: int = WIDTH, patchout: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__()
        self.patch_embed = nn.Sequential(OrderedDict(proj=nn.Conv2d(1, width, _PATCH, stride=stride)))
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.dist_token = nn.Parameter(torch.empty(1, 1, width))
        self.new_pos_embed = nn.Parameter(torch.empty(1, 2, width))
        self.freq_new_pos_embed = nn.Parameter(torch.empty(1, width, n_patches(N_BANDS, stride), 1))
        self.time_new_pos_embed = nn.Parameter(torch.empty(1, width, 1, n_patches(N_FRAMES, stride)))
        self.placement = Placement(n_rows=patchout[0], n_columns=patchout[1])
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=_EPS)
        for parameter in self.parameters(recurse=False):
            nn.init.normal_(parameter, std=_DEVIATION)
        initialise_dense(self)

    def forward(self, frames: Tensor) -> Tensor:
        """Normalised bands, (n, time, 128), to embeddings, (n, width): the mean of class and distillation token.

        Raises
        ------
        ValueError
            For more frames than there are embeddings of time, or where patchout leaves no patch.
        """
        patches = self.patch_embed(frames.transpose(1, 2).unsqueeze(1))
        tokens = self.placement(patches, self.freq_new_pos_embed, self.time_new_pos_embed)
        own = torch.cat([self.cls_token, self.dist_token], dim=1) + self.new_pos_embed
        x = torch.cat([own.expand(len(tokens), -1, -1), tokens], dim=1)
        embedding: Tensor = self.norm(self.blocks(x))[:, :2].mean(dim=1)
        return embedding
