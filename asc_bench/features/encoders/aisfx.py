"""The network of the package aisfx, trained to index libraries of sound effects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import DataError, StoreError
from asc_bench.features.encoders.base import Encoder, Provenance, overlapping, package_file, verified

if TYPE_CHECKING:
    from torch import nn

SHA256 = "499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5"
"""Of models/checkpoint.pth in aisfx 0.1.2."""

_FFT, _HOP_LENGTH, _BANDS = 2_048, 1_024, 96
_BLOCK, _HOP = 100, 50
_LARGEST = 9.457798957824707
"""By which spectrograms are divided: the largest value of those that it was trained on."""

_WIDTHS = (64, 128, 256, 512)
_RUNNING = Lock()


@dataclass(frozen=True, kw_only=True)
class Aisfx(Encoder):
    """512 numbers for each 2.3 s, every 1.2 s: model X-Sequential-CE.

    The spectrogram is the package's variant with librosa, each window scaled to a peak of 1. The authors' own
    numbers were made with Essentia, whose spectrogram differs a little. The package hands that of librosa to the
    network as (bands, frames), here it is (frames, bands): so Essentia gives it, and so the network was trained.
    """

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "aisfx"
    about: ClassVar[Provenance] = Provenance(
        title="aiSFX, X-Sequential-CE",
        citation="A. B. Ma and A. Lerch, Representation learning for the automatic indexing of sound effects "
        "libraries, ISMIR 2022",
        trained_on="nine commercial libraries of sound effects",
        licence="MIT by the package's classifier, CC BY 4.0 by the licence file in it",
        source="PyPI aisfx 0.1.2",
    )
    needs: ClassVar[tuple[str, ...]] = ("aisfx",)
    install: ClassVar[str] = "pip install --no-deps aisfx==0.1.2  (--no-deps: it pins numpy 1.23)"

    sample_rate_hz: int = 44_100

    @property
    def n_parameters(self) -> int:
        """Of the network without the classifiers of its training."""
        return 4_686_144

    def files(self) -> tuple[Path, ...]:
        """The checkpoint in the package."""
        return () if self.absent() else (checkpoint(),)

    def dimensions(self, n_samples: int) -> int:
        """512.

        Raises
        ------
        DataError
            For windows of 50 frames or fewer, which the package refuses too.
        """
        if 1 + n_samples // _HOP_LENGTH <= _HOP:
            raise DataError(f"{self.title}: {n_samples} samples, at least {_HOP * _HOP_LENGTH} are needed")
        return _WIDTHS[-1]

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See ``Encoder.embed``; a last block that is not whole is dropped, unless it is the only one."""
        import torch

        self.dimensions(windows.shape[1])
        path = verified(checkpoint(), SHA256, name=self.name)
        given = torch.from_numpy(np.stack([blocks(spectrogram(window)) for window in windows]))
        with _RUNNING, torch.inference_mode():
            found: npt.NDArray[np.float32] = _network(path)(given.flatten(0, 1)).numpy()
        return found.reshape(len(windows), -1, _WIDTHS[-1])


def spectrogram(waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Logarithmic mel spectrogram, (n_frames, 96), as the package has it, with librosa."""
    import librosa

    peak = np.abs(waveform).max()
    bands = librosa.feature.melspectrogram(
        y=waveform / peak if peak else waveform,
        sr=44_100,
        n_fft=_FFT,
        win_length=_FFT,
        hop_length=_HOP_LENGTH,
        n_mels=_BANDS,
        norm=1.0,
        fmin=0.0,
        fmax=22_050.0,
        htk=True,
        power=2.0,
    )
    found: npt.NDArray[np.float32] = np.log10(bands * 10_000.0 + 1).T.astype(np.float32)
    return found / np.float32(_LARGEST)


def blocks(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Blocks of 100 frames, every 50: (n, 100, 96); too few frames for one are filled with zeros."""
    return overlapping(frames, _BLOCK, _HOP)


@cache
def checkpoint() -> Path:
    """The file in the installed package."""
    return package_file("aisfx", "models", "checkpoint.pth")


@lru_cache(maxsize=1)
def _network(path: Path) -> nn.Module:
    """The network with the weights of the checkpoint; nothing in it is run."""
    import torch
    from numpy._core import multiarray

    # Beside the tensors stands a table of data sets, whose numbers are NumPy's.
    allowed: list[Any] = [(multiarray.scalar, "numpy.core.multiarray.scalar"), np.dtype, type(np.dtype(np.int64))]
    try:
        with torch.serialization.safe_globals(allowed):
            content, _ = torch.load(path, map_location="cpu", weights_only=True)
        network = build()
        prefix = "embedding_net."
        state = {name.removeprefix(prefix): x for name, x in content.items() if name.startswith(prefix)}
        network.load_state_dict(state)
    except Exception as error:
        raise StoreError(f"{path}: not the checkpoint of aisfx 0.1.2 ({type(error).__name__}: {error})") from error
    return network.eval()


def build() -> nn.Module:
    """The network without weights: (n, n_frames, 96) to (n, 512)."""
    import torch
    from torch import Tensor, nn

    class Block(nn.Module):
        def __init__(self, n_in: int, n_out: int, pool: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(n_out)
            self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(n_out)
            self.pool = pool

        def forward(self, x: Tensor) -> Tensor:
            x = self.bn1(self.conv1(x)).relu()
            x = self.bn2(self.conv2(x)).relu()
            return nn.functional.max_pool2d(x, self.pool)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for i, (n_in, n_out) in enumerate(zip((1, *_WIDTHS), _WIDTHS, strict=False), start=1):
                self.add_module(f"conv_block{i}", Block(n_in, n_out, pool=1 if i == len(_WIDTHS) else 2))

        def forward(self, frames: Tensor) -> Tensor:
            x = frames.unsqueeze(1)
            for block in self.children():
                x = block(x)
            return torch.amax(x.mean(dim=3), dim=2)

    return Network()
