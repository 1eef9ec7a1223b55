"""The four blocks of Sample-CNN, and how their weights begin.

Maps are (n, channels, 1, samples), in memory with the channels last: a CPU convolves, normalises and pools fastest
in this layout, which one-dimensional layers do not have. Weights are those of one-dimensional convolutions.
"""

from __future__ import annotations

from torch import Tensor, nn

from asc_bench.modules.dropout import ByteDropout
from asc_bench.modules.initialise import glorot_uniform, he_uniform

AMPLIFYING_RATIO = 16
"""The hidden layer of a channel gate is so many times as wide as its input: no bottleneck."""

RESIDUAL_DROPOUT = 0.2


class Stem(nn.Conv1d):
    """A strided convolution of samples, which writes its channels last."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, samples) to (n, channels, 1, steps)."""
        windows = x.squeeze(1).unfold(1, self.kernel_size[0], self.stride[0])
        maps = nn.functional.linear(windows, self.weight.flatten(start_dim=1), self.bias)
        return maps.transpose(1, 2).unsqueeze(2)


class Convolution(nn.Conv1d):
    """A convolution of odd width that keeps the length."""

    def __init__(self, n_in: int, n_out: int, width: int) -> None:
        super().__init__(n_in, n_out, width, padding=width // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, 1, samples) to (n, n_out, 1, samples)."""
        return nn.functional.conv2d(x, self.weight.unsqueeze(2), self.bias, padding=(0, *self.padding))


class ChannelGate(nn.Module):
    """Scale each channel by a number in 0 to 1 that two dense layers find from the means of all channels.

    Source: Hu, Shen and Sun 2018 (squeeze and excitation), amplifying instead of reducing.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = AMPLIFYING_RATIO * width
        self.gates = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, 1, samples) to the same shape."""
        scaled: Tensor = x * self.gates(x.mean(dim=(2, 3)))[:, :, None, None]
        return scaled


class ResidualBlock(nn.Module):
    """Two convolutions added to their input, then ReLU and pooling by three.

    Parameters
    ----------
    n_in, n_out : int
        Channels; where they differ, a convolution of one tap makes the input as wide as the sum.
    gated : bool
        Gate the channels before the addition (ReSE).
    """

    def __init__(self, n_in: int, n_out: int, *, gated: bool) -> None:
        super().__init__()
        self.shortcut = nn.Sequential()
        if n_in != n_out:
            self.shortcut.extend([Convolution(n_in, n_out, 1), nn.BatchNorm2d(n_out)])
        self.body = nn.Sequential(
            Convolution(n_in, n_out, 3),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            ByteDropout(RESIDUAL_DROPOUT),
            Convolution(n_out, n_out, 3),
            nn.BatchNorm2d(n_out),
        )
        self.gate = ChannelGate(n_out) if gated else nn.Identity()
        self.pool = nn.MaxPool2d((1, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, 1, samples) to (n, n_out, 1, samples // 3)."""
        # ReLU after the maximum gives the same numbers as before it, on a third of the samples.
        pooled: Tensor = self.pool(self.shortcut(x) + self.gate(self.body(x))).relu()
        return pooled


def sample_block(kind: str, n_in: int, n_out: int) -> nn.Module:
    """A block that divides the length by three: "basic", "se", "res" or "rese"."""
    if kind in ("res", "rese"):
        return ResidualBlock(n_in, n_out, gated=kind == "rese")
    basic = nn.Sequential(Convolution(n_in, n_out, 3), nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d((1, 3)))
    return basic.append(ChannelGate(n_out)) if kind == "se" else basic


def initialised(body: nn.Module) -> nn.Module:
    """He-uniform convolutions, but Glorot-uniform shortcuts and gates, as the authors have them. In place."""
    he_uniform(body)
    for module in body.modules():
        if isinstance(module, ChannelGate):
            glorot_uniform(module)
        if isinstance(module, ResidualBlock):
            for layer in module.shortcut:
                if isinstance(layer, nn.Conv1d):
                    nn.init.xavier_uniform_(layer.weight)
    return body
