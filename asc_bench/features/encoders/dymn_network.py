"""Dynamic MobileNet for spectrograms up to its embedding, of any width.

Names of weights are those of EfficientAT's checkpoints.

References
----------
F. Schmid, K. Koutini and G. Widmer, "Dynamic convolutional neural networks as efficient pre-trained audio models",
IEEE/ACM Transactions on Audio, Speech, and Language Processing 32, 2024; github.com/fschmid56/EfficientAT,
models/dymn.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from asc_bench.features.encoders.efficientat_network import (
    EPS,
    FIRST,
    ROWS,
    Row,
    first_and_last,
    n_dimensions,
    rounded,
)

_N_KERNELS = 4
_CONTEXT_RATIO, _LEAST_CONTEXT, _MOST_CONTEXT = 4, 32, 128
"""Size of the context: a quarter of a block's channels, within bounds that grow with the width."""

COLDEST = 1.0
"""Temperature at which the training on AudioSet ends; checkpoints do not hold it."""


class DynamicConvolution(nn.Module):
    """A convolution whose kernel is a mean of four; the context of a clip gives their weights by a softmax."""

    def __init__(
        self, n_in: int, n_out: int, kernel: int, *, context: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.shape, self.stride, self.groups = (n_out, n_in // groups, kernel, kernel), stride, groups
        self.residuals = nn.Sequential(nn.Linear(context, _N_KERNELS))
        weight = torch.empty(1, 1, _N_KERNELS, math.prod(self.shape))
        self.weight = nn.Parameter(nn.init.normal_(weight, std=math.sqrt(2 / (n_out * kernel**2))))

    def forward(self, x: Tensor, context: Tensor, temperature: Tensor) -> Tensor:
        """(n, n_in, mel, time) to (n, n_out, mel, time), or fewer of both; every clip has a kernel of its own."""
        n = len(x)
        shares = (self.residuals(context) / temperature).softmax(dim=-1)
        kernels = (shares @ self.weight[0, 0]).reshape(n * self.shape[0], *self.shape[1:])
        y = functional.conv2d(
            x.reshape(1, -1, *x.shape[2:]),
            kernels,
            stride=self.stride,
            padding=self.shape[-1] // 2,
            groups=n * self.groups,
        )
        return y.reshape(n, self.shape[0], *y.shape[2:])


class DynamicRelu(nn.Module):
    """The larger one of two lines; the context of a clip moves slope and offset of each, for every channel."""

    lambdas: Tensor
    init_v: Tensor

    def __init__(self, width: int, *, context: int) -> None:
        super().__init__()
        self.coef_net = nn.Sequential(nn.Linear(context, 4 * width))
        # How far two slopes and two offsets are moved at most, and from where: from the ordinary ReLU.
        self.register_buffer("lambdas", torch.tensor([1.0, 1.0, 0.5, 0.5]))
        self.register_buffer("init_v", torch.tensor([1.0, 0.0, 0.0, 0.0]))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(n, width, mel, time) to the same."""
        moved = 2 * self.coef_net(context).unflatten(-1, (-1, 4)).sigmoid() - 1
        lines = (moved * self.lambdas + self.init_v)[:, :, None, None]
        slopes, offsets = lines[..., :2], lines[..., 2:]
        return torch.maximum(x * slopes[..., 0] + offsets[..., 0], x * slopes[..., 1] + offsets[..., 1])


class Context(nn.Module):
    """What a block knows of its input as a whole: one vector, and a weight for each channel and band or frame."""

    def __init__(self, n_in: int, width: int, *, context: int, stride: int, momentum: float) -> None:
        super().__init__()
        self.stride = stride
        self.joint_conv = nn.Conv2d(n_in, context, 1, bias=False)
        self.joint_norm = nn.BatchNorm2d(context, eps=EPS, momentum=momentum)
        self.conv_f, self.conv_t = (nn.Conv2d(context, width, 1) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, n_in, mel, time) to (n, context), and the product of both weights, (n, width, mel, time)."""
        bands, frames = x.mean(dim=3, keepdim=True), x.mean(dim=2)[..., None]
        both = functional.hardswish(self.joint_norm(self.joint_conv(torch.cat([bands, frames], dim=2))))
        bands, frames = both[:, :, : x.shape[2]], both[:, :, x.shape[2] :]
        of_bands = self.conv_f(self._fewer(bands)).sigmoid()
        of_frames = self.conv_t(self._fewer(frames)).sigmoid().transpose(2, 3)
        return both.mean(dim=(2, 3)), of_bands * of_frames

    def _fewer(self, places: Tensor) -> Tensor:
        """As many places as the block's convolution leaves."""
        if self.stride == 1:
            return places
        return functional.avg_pool2d(places, (3, 1), stride=(self.stride, 1), padding=(1, 0))


class DynamicBlock(nn.Module):
    """Inverted residual: widen, convolve each channel by itself, narrow, all by dynamic convolutions."""

    def __init__(self, n_in: int, row: Row, *, width: float, momentum: float) -> None:
        super().__init__()
        inside, n_out = rounded(width * row.inside), rounded(width * row.out)
        least, most = rounded(width * _LEAST_CONTEXT), rounded(width * _MOST_CONTEXT)
        context = min(max(rounded(inside // _CONTEXT_RATIO), least), most)

        def norm(n: int) -> nn.BatchNorm2d:
            return nn.BatchNorm2d(n, eps=EPS, momentum=momentum)

        self.widens = inside != n_in
        if self.widens:
            self.exp_conv, self.exp_norm = DynamicConvolution(n_in, inside, 1, context=context), norm(inside)
            self.exp_act = nn.Hardswish() if row.hard else nn.ReLU()
        self.depth_conv = DynamicConvolution(
            inside, inside, row.kernel, context=context, stride=row.stride, groups=inside
        )
        self.depth_norm, self.depth_act = norm(inside), DynamicRelu(inside, context=context)
        self.proj_conv, self.proj_norm = DynamicConvolution(inside, n_out, 1, context=context), norm(n_out)
        self.context_gen = Context(n_in, inside, context=context, stride=row.stride, momentum=momentum)
        self.adds = row.stride == 1 and n_in == n_out

    def forward(self, x: Tensor, temperature: Tensor) -> Tensor:
        """(n, n_in, mel, time) to (n, n_out, mel, time), or half of both axes."""
        context, shares = self.context_gen(x)
        y = self.exp_act(self.exp_norm(self.exp_conv(x, context, temperature))) if self.widens else x
        y = shares * self.depth_act(self.depth_norm(self.depth_conv(y, context, temperature)), context)
        narrowed: Tensor = self.proj_norm(self.proj_conv(y, context, temperature))
        return x + narrowed if self.adds else narrowed


class Backbone(nn.Module):
    """From frames, (n, time, mel), to the means of the last map, (n, 960) at width 1.

    The temperature of the softmax over kernels is a part of the network's state.

    Parameters
    ----------
    width : float
        Multiplier of all channels, which are rounded to multiples of eight.
    momentum : float
        Share of a batch in the running statistics; 0.01 in the source.
    """

    temperature: Tensor

    def __init__(self, *, width: float, momentum: float = 0.01) -> None:
        super().__init__()
        self.n_dimensions = n_dimensions(width)
        self.in_c, self.out_c = first_and_last(width, momentum=momentum)
        n_in, blocks = rounded(width * FIRST), []
        for row in ROWS:
            blocks.append(DynamicBlock(n_in, row, width=width, momentum=momentum))
            n_in = rounded(width * row.out)
        self.layers = nn.ModuleList(blocks)
        self.register_buffer("temperature", torch.tensor(COLDEST))

    def maps(self, frames: Tensor) -> Tensor:
        """What is averaged, (n, channels, mel', time'), of any number of frames and bands."""
        x = self.in_c(frames.transpose(1, 2).unsqueeze(1))
        for block in self.layers:
            x = block(x, self.temperature)
        found: Tensor = self.out_c(x)
        return found

    def forward(self, frames: Tensor) -> Tensor:
        """Embeddings of any number of frames and bands."""
        return self.maps(frames).mean(dim=(2, 3))
