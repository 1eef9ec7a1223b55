"""OpenL3: the layout of its windows, and the files that torchopenl3 publishes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, DataError, StoreError
from asc_bench.features.encoders.base import Encoder, Provenance, centred_windows, digest_of
from asc_bench.features.encoders.foreign import checkpoint_tensors, fitting_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from asc_bench.features.encoders.openl3_network import Network, Representation

_LENGTH, _HOP = 48_000, 4_800
_WINDOWS_AT_ONCE = 16

_MEL, _KERNELS = "speclayer.mel_basis", "speclayer.dft_real_kernels"
"""Tensors of the front end in a published file: its mel matrix, and windowed cosines of all frequencies."""

_RUNNING = Lock()


@dataclass(frozen=True, kw_only=True)
class Openl3(Encoder):
    """512 numbers for each second of a clip, every 0.1 s; the first second is centred on the start of the clip.

    The clip gets half a second of zeros before it, and those after it that the last second needs. With ``window_s``
    of 1, the clip's own seconds are embedded instead, without overlap or zeros. What the network sees of a second
    (mel bands or bins) and what it was trained on (music or environmental sound) is that of the file.
    """

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "openl3"
    about: ClassVar[Provenance] = Provenance(
        title="OpenL3",
        citation="J. Cramer, H.-H. Wu, J. Salamon and J. P. Bello, Look, listen and learn more: design choices for "
        "deep audio embeddings, ICASSP 2019",
        trained_on="videos of AudioSet, music or environmental sound by the name of the file, without labels",
        licence="CC BY 4.0 by the README of openl3; torchopenl3, which converted them, says Apache 2.0",
        source="github.com/torchopenl3/torchopenl3-models, torchopenl3_mel256_music_512.pth.tar and others",
    )
    wants_file: ClassVar[bool] = True
    install: ClassVar[str] = (
        "no package: fetch torchopenl3_mel256_music_512.pth.tar from github.com/torchopenl3/torchopenl3-models, "
        "weights=FILE"
    )
    n_dimensions: ClassVar[int] = 512

    sample_rate_hz: int = 48_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window_s not in (0.0, 1.0):
            raise ConfigError(
                f"{self.title} hears a second at a time: window_s is {self.window_s:g}, must be 0 (a second every "
                "0.1 s) or 1 (seconds without overlap)"
            )

    @property
    def n_parameters(self) -> int:
        """Of the network; the running means and variances of its normalisations are not counted."""
        return 4_687_042

    def dimensions(self, n_samples: int) -> int:
        """512 or 6,144.

        Raises
        ------
        DataError
            For windows without samples.
        """
        if n_samples < 1:
            raise DataError(f"{self.title}: {n_samples} samples, at least 1 is needed")
        return self.n_dimensions

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See ``Encoder.embed``: (n, n_seconds, d), where n_seconds is 1 with a ``window_s`` of 1.

        Raises
        ------
        StoreError
            If the file is none of torchopenl3.
        """
        import torch

        self.dimensions(windows.shape[1])
        seconds = windows[:, np.newaxis] if self.window_s else centred_windows(windows, _LENGTH, _HOP)
        n, n_seconds, _ = seconds.shape
        flat = seconds.reshape(n * n_seconds, _LENGTH)
        path = Path(self.weights)
        with _RUNNING, torch.inference_mode():
            device = "cuda" if torch.cuda.is_available() else "cpu"
            network = _network(path, digest_of(path), device)
            parts = [
                network(torch.tensor(flat[i : i + _WINDOWS_AT_ONCE], device=device), dimensions=self.n_dimensions)
                for i in range(0, len(flat), _WINDOWS_AT_ONCE)
            ]
            found: npt.NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return found.reshape(n, n_seconds, self.n_dimensions)


@dataclass(frozen=True, kw_only=True)
class Openl3Long(Openl3):
    """As ``Openl3``, with maxima over 12 parts of the last map instead of the whole: 6,144 numbers."""

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "openl3-6144"
    n_dimensions: ClassVar[int] = 6_144


@lru_cache(maxsize=1)
def _network(path: Path, sha256: str, device: str) -> Network:
    from asc_bench.features.encoders.openl3_network import Network

    content = checkpoint_tensors(path)
    network = Network(_representation(path, content))
    wanted = network.state_dict()
    taken = fitting_tensors(content, wanted, path, what="no file of torchopenl3")
    network.load_state_dict(taken)
    return network.eval().to(device)


def _representation(path: Path, content: dict[str, Tensor]) -> Representation:
    """The one whose front end the file holds.

    Raises
    ------
    StoreError
        If it holds none, or that of none of the published files.
    """
    import torch

    from asc_bench.features.encoders.openl3_network import REPRESENTATIONS

    kernels = content.get(_KERNELS)
    if kernels is None:
        raise StoreError(f"{path}: no file of torchopenl3, it lacks {_KERNELS}")
    given = content.get(_MEL)
    bands = (kernels if given is None else given).shape[:1]
    for representation in REPRESENTATIONS.values():
        if (given is None) == (not representation.n_mels) and bands == (representation.n_bands,):
            # The cosine of frequency zero is the window itself.
            pairs = [(kernels[:1].flatten(), torch.hann_window(representation.n_fft))]
            if given is not None:
                pairs.append((given, representation.mel_filters()))
            if all(
                found.shape == known.shape and torch.allclose(found, known, atol=1e-6) for found, known in pairs
            ):
                return representation
    raise StoreError(
        f"{path}: another front end than those of OpenL3 ({', '.join(REPRESENTATIONS)}); its embeddings would be "
        "those of another network"
    )
