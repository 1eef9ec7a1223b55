"""BC-ResNet: broadcasted residuals, with residual and sub-spectral normalisation where they are wanted."""

from __future__ import annotations

from torch import Tensor, nn

from asc_bench.modules.norms import ResidualNorm, SubSpectralNorm

STAGES = ((1.0, 1.0), (1.5, 1.5), (2.0, 2.0), (2.5, 2.5, 2.5))
"""Widths of the blocks of each stage, in units of the base width."""

POOLED_STAGES = (0, 1)
"""Stages, from 0, that max pooling follows."""

_DROPOUT = 0.1


class BroadcastBlock(nn.Module):
    """A convolution along frequency, and one along time of the mean over frequency, which is added to all bands.

    The input is added too, where the width stays.
    """

    def __init__(self, n_in: int, n_out: int, *, n_sub_bands: int) -> None:
        super().__init__()
        self.transition = (
            None
            if n_in == n_out
            else nn.Sequential(nn.Conv2d(n_in, n_out, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU())
        )
        self.along_frequency = nn.Sequential(
            nn.Conv2d(n_out, n_out, (3, 1), padding=(1, 0), groups=n_out, bias=False),
            SubSpectralNorm(n_out, n_sub_bands),
        )
        self.along_time = nn.Sequential(
            nn.Conv2d(n_out, n_out, (1, 3), padding=(0, 1), groups=n_out, bias=False),
            nn.BatchNorm2d(n_out),
            nn.SiLU(),
            nn.Conv2d(n_out, n_out, 1, bias=False),
            nn.Dropout(_DROPOUT),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_in, mel, time) to (n, n_out, mel, time)."""
        bands: Tensor = self.along_frequency(x if self.transition is None else self.transition(x))
        result: Tensor = bands + self.along_time(bands.mean(dim=2, keepdim=True))
        if self.transition is None:
            result = result + x
        return result.relu()


def network(n_classes: int, *, width: int, n_sub_bands: int, residual_norm: bool = True) -> nn.Sequential:
    """From maps, (n, 1, mel, time), to logits, (n, n_classes).

    Parameters
    ----------
    width : int
        Base width, c.
    n_sub_bands : int
        Must divide the bands of the input by 2, 4 and 8; 1 for plain batch normalisation.
    residual_norm : bool
        Residual normalisation after the first layer and each stage.
    """

    def norms() -> list[nn.Module]:
        return [ResidualNorm()] if residual_norm else []

    n_in = 2 * width
    layers: list[nn.Module] = [nn.Conv2d(1, n_in, 5, stride=2, padding=2, bias=False), *norms()]
    for stage, factors in enumerate(STAGES):
        for factor in factors:
            n_out = int(factor * width)
            layers.append(BroadcastBlock(n_in, n_out, n_sub_bands=n_sub_bands))
            n_in = n_out
        layers += norms()
        if stage in POOLED_STAGES:
            layers.append(nn.MaxPool2d(2))
    last = nn.Conv2d(n_in, n_classes, 1)
    return nn.Sequential(*layers, last, nn.AdaptiveAvgPool2d(1), nn.Flatten())
