"""The transformer of BEATs, from Kaldi's filterbank to tokens; names of weights are those of the checkpoints.

References
----------
S. Chen et al., "BEATs: Audio pre-training with acoustic tokenizers", ICML 2023; github.com/microsoft/unilm, beats.
H. Wang et al., "DeepNet: Scaling transformers to 1,000 layers", 2022, for the normalisation.
S. Chen et al., "WavLM: Large-scale self-supervised pre-training for full stack speech processing", IEEE JSTSP 16,
2022, section IV-A, for the gated relative positions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from asc_bench.features.encoders.beats import BeatsSettings

_GATES = 2
_INPUTS_OF_A_GATE = 4
_DEVIATION = 0.02
"""Of the dense layers and the table of positions at the start, where nothing else is said."""


def position_buckets(n_tokens: int, *, n_buckets: int, max_distance: int, device: torch.device) -> Tensor:
    """Row of the table for each pair of tokens, shape (n_tokens, n_tokens): the second seen from the first.

    One half of the table is for tokens before and at a place, the other one for those after it. A half has one
    row for each distance below half its length, and from there on rows as the logarithm of the distance up to
    ``max_distance``; what is further away shares the last row.
    """
    places = torch.arange(n_tokens, device=device)
    distance = places[None, :] - places[:, None]
    half = n_buckets // 2
    exact = half // 2
    size = distance.abs()
    octaves = (size.clamp(min=1).float() / exact).log() / math.log(max_distance / exact)
    far = (exact + (octaves * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(size < exact, size, far) + half * (distance > 0)


class PositionConvolution(nn.Module):
    """Add a grouped convolution over neighbouring tokens; of its kernel each tap has a direction and a length."""

    def __init__(self, width: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.kernel, self.groups = kernel, groups
        self.weight_v = nn.Parameter(torch.empty(width, width // groups, kernel))
        nn.init.normal_(self.weight_v, std=math.sqrt(4 / (kernel * width)))
        self.weight_g = nn.Parameter(self.weight_v.detach().norm(dim=(0, 1), keepdim=True))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, n_tokens, width) to the same."""
        weight = self.weight_v * (self.weight_g / self.weight_v.norm(dim=(0, 1), keepdim=True))
        x = functional.conv1d(
            tokens.transpose(1, 2), weight, self.bias, padding=self.kernel // 2, groups=self.groups
        )
        x = x[..., : tokens.shape[1]]  # a kernel of even length gives one more
        return tokens + functional.gelu(x).transpose(1, 2)


class Attention(nn.Module):
    """Attention with positions: what the table says of two tokens, times a gate that the asking token opens."""

    def __init__(self, width: int, n_heads: int, *, n_buckets: int = 0) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))
        self.grep_linear = nn.Linear(width // n_heads, _GATES * _INPUTS_OF_A_GATE)
        self.grep_a = nn.Parameter(torch.ones(1, n_heads, 1, 1))
        if n_buckets:
            self.relative_attention_bias = nn.Embedding(n_buckets, n_heads)

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """(n, n_tokens, width) and (n_heads, n_tokens, n_tokens) to (n, n_tokens, width)."""
        query, key, value = (
            layer(tokens).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        gates = self.grep_linear(query).unflatten(-1, (_GATES, _INPUTS_OF_A_GATE)).sum(dim=-1).sigmoid()
        update, reset = gates.split(1, dim=-1)
        gate = update * (reset * self.grep_a - 1) + 2
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + gate * positions
        seen: Tensor = self.out_proj((scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(start_dim=2))
        return seen


class Layer(nn.Module):
    """Attention, then two dense layers; each is added to ``alpha`` times its input and normalised."""

    def __init__(self, settings: BeatsSettings, *, has_table: bool) -> None:
        super().__init__()
        width, hidden = settings.encoder_embed_dim, settings.encoder_ffn_embed_dim
        self.alpha = (2 * settings.encoder_layers) ** 0.25
        self.self_attn = Attention(
            width, settings.encoder_attention_heads, n_buckets=settings.num_buckets if has_table else 0
        )
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """(n, n_tokens, width) to the same."""
        x = self.self_attn_layer_norm(self.alpha * tokens + self.self_attn(tokens, positions))
        normalised: Tensor = self.final_layer_norm(self.alpha * x + self.fc2(functional.gelu(self.fc1(x))))
        return normalised


class Transformer(nn.Module):
    """Positions by convolution, then the layers, which share the first one's table of relative positions."""

    def __init__(self, settings: BeatsSettings, *, layer_drop: float) -> None:
        super().__init__()
        self.layer_drop = layer_drop
        self.n_buckets, self.max_distance = settings.num_buckets, settings.max_distance
        width = settings.encoder_embed_dim
        self.pos_conv = nn.Sequential(PositionConvolution(width, settings.conv_pos, settings.conv_pos_groups))
        self.layers = nn.ModuleList([Layer(settings, has_table=i == 0) for i in range(settings.encoder_layers)])
        self.layer_norm = nn.LayerNorm(width)
        narrow = (8 * settings.encoder_layers) ** -0.25
        for name, part in self.named_modules():
            if isinstance(part, nn.Linear):
                kind = name.rpartition(".")[2]
                if kind == "grep_linear":
                    nn.init.normal_(part.weight, std=_DEVIATION)
                else:
                    nn.init.xavier_normal_(part.weight, gain=1.0 if kind in ("q_proj", "k_proj") else narrow)
                nn.init.zeros_(part.bias)
            elif isinstance(part, nn.Embedding):
                nn.init.normal_(part.weight, std=_DEVIATION)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, n_tokens, width) to the same."""
        x: Tensor = self.layer_norm(self.pos_conv(tokens))
        buckets = position_buckets(
            x.shape[1], n_buckets=self.n_buckets, max_distance=self.max_distance, device=x.device
        )
        table = self.layers.get_submodule("0.self_attn.relative_attention_bias")
        positions = table(buckets).permute(2, 0, 1)
        for layer in self.layers:
            if not self.training or float(torch.rand(())) >= self.layer_drop:
                x = layer(x, positions)
        return x


class Backbone(nn.Module):
    """Frames, (n, n_frames, n_bands), to tokens, (n, n_patches, width): along time, and within it along frequency.

    Parameters
    ----------
    layer_drop : float
        Probability of a layer to be left out of a training step.
    """

    def __init__(self, settings: BeatsSettings, *, layer_drop: float = 0.0) -> None:
        super().__init__()
        patch, n_patch = settings.input_patch_size, settings.embed_dim
        self.patch_embedding = nn.Conv2d(1, n_patch, patch, stride=patch, bias=False)
        self.layer_norm = nn.LayerNorm(n_patch)
        self.post_extract_proj = nn.Linear(n_patch, settings.encoder_embed_dim)
        self.encoder = Transformer(settings, layer_drop=layer_drop)

    def forward(self, frames: Tensor) -> Tensor:
        """Tokens of all whole patches; frames behind the last one are dropped."""
        patches = self.patch_embedding(frames.unsqueeze(1)).flatten(start_dim=2).transpose(1, 2)
        tokens: Tensor = self.encoder(self.post_extract_proj(self.layer_norm(patches)))
        return tokens
