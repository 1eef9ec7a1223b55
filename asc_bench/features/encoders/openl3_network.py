"""The audio network of OpenL3 with its front end: seconds at 48 kHz to embeddings.

Names of weights are those of the files that torchopenl3 publishes. The front end is that of kapre 0.1.4, on which
OpenL3 was trained and which openl3 kept up to its version 0.3. From 0.4 on it has other mel bands (Slaney's scale)
and frames that begin later.

References
----------
J. Cramer et al., "Look, listen and learn more: design choices for deep audio embeddings", ICASSP 2019, section 3;
R. Arandjelović and A. Zisserman, "Look, listen and learn", ICCV 2017, table 1 (audio).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import MappingProxyType

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from asc_bench.features.frontends import LogMel

SAMPLE_RATE_HZ = 48_000
WINDOW_LENGTH = 48_000
"""Samples that the network hears at once: a second."""

_HOP_LENGTH = 242
_LEAST_MAGNITUDE, _DYNAMIC_RANGE_DB = 1e-10, 80.0

_CHANNELS = (1, 64, 64, 128, 128, 256, 256, 512, 512)
_POOLED_BEFORE = (3, 5, 7)
"""Convolutions whose input is halved in both directions."""

_COLUMNS = 24
"""Of the last map, 8 frames each."""


@dataclass(frozen=True, kw_only=True)
class Representation:
    """What the network sees of a second: 197 frames of magnitudes, or 199 of mel bands.

    Attributes
    ----------
    n_fft : int
        Length of the Hann windows, and of the transform.
    n_mels : int
        Mel bands from 0 to 24 kHz; 0 for the bins of the transform.
    """

    n_fft: int
    n_mels: int

    @property
    def n_bands(self) -> int:
        """Rows of the spectrogram."""
        return self.n_mels or 1 + self.n_fft // 2

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros before and after the second, such that a frame begins every 242 samples of it; none without mel."""
        n_frames = -(-WINDOW_LENGTH // _HOP_LENGTH)
        missing = (n_frames - 1) * _HOP_LENGTH + self.n_fft - WINDOW_LENGTH if self.n_mels else 0
        return missing // 2, missing - missing // 2

    def mel_filters(self) -> Tensor:
        """Triangles of equal area on the HTK scale, (n_mels, 1 + n_fft // 2)."""
        return _mel_filters(self)

    def spectrogram(self, windows: Tensor) -> Tensor:
        """Decibels below the loudest bin of each window, 80 at most: (n, 48,000) to (n, n_bands, n_frames).

        They are 10 log10 of a magnitude, which is the root of the mel bands of the power. All is computed in double
        precision, since 80 such decibels reach below the rounding of single precision.
        """
        window = torch.hann_window(self.n_fft, dtype=torch.float64, device=windows.device)
        frames = F.pad(windows.double(), self.padding).unfold(1, self.n_fft, _HOP_LENGTH) * window
        magnitudes = torch.fft.rfft(frames).abs().transpose(1, 2)
        if self.n_mels:
            filters = self.mel_filters().to(device=windows.device, dtype=torch.float64)
            magnitudes = (filters @ magnitudes.square()).sqrt()
        decibels: Tensor = 10.0 * magnitudes.clamp(min=_LEAST_MAGNITUDE).log10()
        loudest = decibels.amax(dim=(1, 2), keepdim=True)
        return (decibels - loudest).clamp(min=-_DYNAMIC_RANGE_DB).float()


REPRESENTATIONS: Mapping[str, Representation] = MappingProxyType({
    "linear": Representation(n_fft=512, n_mels=0),
    "mel128": Representation(n_fft=2_048, n_mels=128),
    "mel256": Representation(n_fft=2_048, n_mels=256),
})  # fmt: skip
"""By their names in the files."""


@cache
def _mel_filters(representation: Representation) -> Tensor:
    front_end = LogMel(
        sample_rate_hz=SAMPLE_RATE_HZ,
        n_fft=representation.n_fft,
        window_length=representation.n_fft,
        hop_length=_HOP_LENGTH,
        n_mels=representation.n_mels,
        fmin_hz=0.0,
        fmax_hz=SAMPLE_RATE_HZ / 2,
        mel_scale="htk",
    )
    with warnings.catch_warnings():
        # The lowest of 256 bands are narrower than a bin and hold nothing; OpenL3 was trained with them.
        warnings.filterwarnings("ignore", message="Empty filters")
        return torch.from_numpy(front_end.mel_filters().T.copy())


class Network(nn.Module):
    """Eight convolutions, each normalised before it, and the maximum over parts of their last map."""

    def __init__(self, representation: Representation) -> None:
        super().__init__()
        self.representation = representation
        for i, (n_in, n_out) in enumerate(pairwise(_CHANNELS), start=1):
            self.add_module(f"batch_normalization_{i}", nn.BatchNorm2d(n_in, eps=1e-3))
            self.add_module(self._convolution(i), nn.Conv2d(n_in, n_out, 3, padding=1))

    @staticmethod
    def _convolution(i: int) -> str:
        return f"conv2d_{i}" if i < len(_CHANNELS) - 1 else "audio_embedding_layer"

    def forward(self, windows: Tensor, *, dimensions: int) -> Tensor:
        """Samples, (n, 48,000), to embeddings of 512 or 6,144 numbers, (n, dimensions).

        The longer one holds 512 maxima for each of 12 parts of the map, 4 in frequency times 3 in time.
        """
        x = self.representation.spectrogram(windows).unsqueeze(1)
        for i in range(1, len(_CHANNELS)):
            x = self.get_submodule(f"batch_normalization_{i}")(x)
            if i > 1:
                x = x.relu()
            if i in _POOLED_BEFORE:
                x = F.max_pool2d(x, 2)
            x = self.get_submodule(self._convolution(i))(x)
        parts = (1, 1) if dimensions == _CHANNELS[-1] else (4, 3)
        x = F.max_pool2d(x, (x.shape[2] // parts[0], _COLUMNS // parts[1]))
        return x.permute(0, 2, 3, 1).flatten(1)
