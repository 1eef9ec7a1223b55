"""Sub-spectral normalisation: batch normalisation of each group of neighbouring bands by itself."""

from __future__ import annotations

from torch import Tensor, nn

from asc_bench.errors import ConfigError


class SubSpectralNorm(nn.Module):
    """Batch normalisation with statistics and affine numbers of its own for each channel in each sub-band.

    Parameters
    ----------
    n_channels : int
    n_sub_bands : int
        Equal groups of neighbouring bands; 1 is plain batch normalisation.

    References
    ----------
    S. Chang et al., "Subspectral normalization for neural audio data processing", ICASSP 2021.
    """

    def __init__(self, n_channels: int, n_sub_bands: int) -> None:
        super().__init__()
        self.n_sub_bands = n_sub_bands
        self.bn = nn.BatchNorm2d(n_channels * n_sub_bands)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_channels, mel, time) to the same.

        Raises
        ------
        ConfigError
            If the bands cannot be divided into equal groups.
        """
        n, channels, bands, frames = x.shape
        if bands % self.n_sub_bands:
            raise ConfigError(
                f"sub-spectral normalisation: {bands} bands cannot be divided into {self.n_sub_bands} equal "
                "sub-bands; choose a divisor"
            )
        groups = x.reshape(n, channels * self.n_sub_bands, bands // self.n_sub_bands, frames)
        result: Tensor = self.bn(groups).reshape(x.shape)
        return result
