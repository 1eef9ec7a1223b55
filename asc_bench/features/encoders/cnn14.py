"""CNN14 of PANNs: its front end, its network and the published checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import DataError, StoreError
from asc_bench.features.encoders.base import Encoder, Provenance, digest_of
from asc_bench.features.encoders.foreign import checkpoint_tensors
from asc_bench.features.frontends import LogMel

if TYPE_CHECKING:
    from torch import Tensor, nn

_BANDS, _HOP_LENGTH, _DIMENSIONS = 64, 320, 2_048
_LEAST_FRAMES = 32
"""Five poolings halve the frames."""

_RUNNING = Lock()


@dataclass(frozen=True, kw_only=True)
class Cnn14(Encoder):
    """2,048 numbers for each window: what the classification layer of CNN14 sees."""

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "panns-cnn14"
    about: ClassVar[Provenance] = Provenance(
        title="PANNs CNN14",
        citation="Q. Kong et al., PANNs: Large-scale pretrained audio neural networks for audio pattern "
        "recognition, IEEE/ACM Transactions on Audio, Speech, and Language Processing 28, 2020",
        trained_on="AudioSet, 527 classes",
        licence="see the record on Zenodo; not checked here",
        source="zenodo.org/records/3987831, Cnn14_mAP=0.431.pth",
    )
    wants_file: ClassVar[bool] = True
    install: ClassVar[str] = "no package: fetch Cnn14_mAP=0.431.pth from zenodo.org/records/3987831, weights=FILE"

    sample_rate_hz: int = 32_000

    @property
    def n_parameters(self) -> int:
        """Of the network without the classification layer."""
        return 79_673_792

    def dimensions(self, n_samples: int) -> int:
        """2,048.

        Raises
        ------
        DataError
            For windows of fewer than 32 frames.
        """
        if 1 + n_samples // _HOP_LENGTH < _LEAST_FRAMES:
            least = (_LEAST_FRAMES - 1) * _HOP_LENGTH
            raise DataError(f"{self.title}: {n_samples} samples, at least {least} are needed")
        return _DIMENSIONS

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See ``Encoder.embed``: (n, 1, 2,048).

        Raises
        ------
        StoreError
            If the file is no checkpoint of CNN14.
        """
        import torch

        self.dimensions(windows.shape[1])
        frames = torch.from_numpy(np.stack([panns_log_mel()(window) for window in windows]))
        path = Path(self.weights)
        with _RUNNING, torch.inference_mode():
            device = "cuda" if torch.cuda.is_available() else "cpu"
            network = _network(path, digest_of(path), device)
            found: npt.NDArray[np.float32] = network(frames.to(device)).cpu().numpy()
        return found[:, np.newaxis]


def panns_log_mel() -> LogMel:
    """64 mel bands of the power from 50 to 14,000 Hz in decibels, windows of 32 ms every 10 ms."""
    return LogMel(
        sample_rate_hz=32_000,
        n_fft=1_024,
        window_length=1_024,
        hop_length=_HOP_LENGTH,
        n_mels=_BANDS,
        fmin_hz=50.0,
        fmax_hz=14_000.0,
        pad="reflect",
        log="db",
        floor_by="clip",
    )


@lru_cache(maxsize=1)
def _network(path: Path, sha256: str, device: str) -> nn.Module:
    content = checkpoint_tensors(path)
    network = build()
    wanted = network.state_dict()
    absent = [name for name in wanted if name not in content]
    if absent:
        raise StoreError(f"{path}: no checkpoint of CNN14, it lacks {absent[0]} and {len(absent) - 1} more tensors")
    refuse_other_front_end(path, content)
    try:
        network.load_state_dict({name: content[name] for name in wanted})
    except RuntimeError as error:
        raise StoreError(f"{path}: no checkpoint of CNN14 ({str(error).splitlines()[-1].strip()})") from error
    return network.eval().to(device)


def refuse_other_front_end(path: Path, content: dict[str, Tensor]) -> None:
    """Checkpoints hold the mel matrix: those of 8 and 16 kHz, or of more bands, have another one."""
    given = content.get("logmel_extractor.melW")
    expected = panns_log_mel().mel_filters()
    if given is not None and (given.shape != expected.shape or np.abs(given.numpy() - expected).max() > 1e-4):
        raise StoreError(f"{path}: another front end than 64 bands at 32 kHz; take a checkpoint of that")


def build() -> nn.Module:
    """The network without weights: decibels, (n, n_frames, 64), to (n, 2,048)."""
    from asc_bench.features.encoders.panns_network import Backbone

    return Backbone("cnn14")
