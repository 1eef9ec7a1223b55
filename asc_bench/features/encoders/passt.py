"""PaSST-S and PaSST-L: their front end, and the published checkpoints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import DataError, StoreError
from asc_bench.features.encoders.base import Encoder, Provenance, digest_of
from asc_bench.features.encoders.foreign import checkpoint_tensors, fitting_tensors
from asc_bench.features.kaldi_mel import KaldiLogMel

if TYPE_CHECKING:
    from torch import nn

_HOP_LENGTH, _DIMENSIONS = 320, 768
_LEAST_FRAMES = 16
"""A patch."""
_LONGEST_S = 10.0
_STRIDE_OF_ROWS = {12: 10, 10: 12, 9: 14, 8: 16}
"""Rows of patches in 128 bands, by which a checkpoint tells its stride."""

_HEADS = ("head.", "head_dist.")
"""Classification layers, which the embedding does without."""

_RUNNING = Lock()


@dataclass(frozen=True, kw_only=True)
class Passt(Encoder):
    """768 numbers for each window: the mean of class and distillation token after the last normalisation."""

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "passt"
    about: ClassVar[Provenance] = Provenance(
        title="PaSST",
        citation="K. Koutini, J. Schlüter, H. Eghbal-zadeh and G. Widmer, Efficient training of audio transformers "
        "with patchout, Interspeech 2022",
        trained_on="ImageNet, then AudioSet, 527 classes",
        licence="see the releases of its code on GitHub; not checked here",
        source="github.com/kkoutini/PaSST, releases",
    )
    wants_file: ClassVar[bool] = True
    install: ClassVar[str] = (
        "no package: fetch passt-s-f128-p16-s10-ap.476-swa.pt from the releases of github.com/kkoutini/PaSST, "
        "weights=FILE"
    )

    sample_rate_hz: int = 32_000

    @property
    def n_parameters(self) -> int | None:
        """Of the network in the file without its classification layers; None without the file.

        Raises
        ------
        StoreError
            As ``embed``.
        """
        if not Path(self.weights).is_file():
            return None
        return sum(parameter.numel() for parameter in self._loaded()[0].parameters())

    def dimensions(self, n_samples: int) -> int:
        """768.

        Raises
        ------
        DataError
            For windows shorter than a patch, or longer than the network hears.
        """
        least = (_LEAST_FRAMES - 1) * _HOP_LENGTH + 1
        if n_samples < least:
            raise DataError(f"{self.title}: {n_samples} samples, at least {least} are needed")
        if n_samples > round(_LONGEST_S * self.sample_rate_hz):
            raise DataError(
                f"{self.title} hears {_LONGEST_S:g} s, not {n_samples / self.sample_rate_hz:g} s; "
                f"set window_s={_LONGEST_S:g} or less"
            )
        return _DIMENSIONS

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See ``Encoder.embed``: (n, 1, 768).

        Raises
        ------
        StoreError
            If the file is no checkpoint of PaSST for 10 s.
        """
        import torch

        self.dimensions(windows.shape[1])
        front_end = passt_log_mel()
        frames = torch.from_numpy(np.stack([front_end(window) for window in windows]))
        with _RUNNING, torch.inference_mode():
            network, device = self._loaded()
            found: npt.NDArray[np.float32] = network(frames.to(device)).cpu().numpy()
        return found[:, np.newaxis]

    def _loaded(self) -> tuple[nn.Module, str]:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        path = Path(self.weights)
        return _network(path, digest_of(path), device), device


def passt_log_mel() -> KaldiLogMel:
    """128 Kaldi mel bands up to 15 kHz, windows of 25 ms every 10 ms: 1,000 frames for 10 s."""
    return KaldiLogMel(
        sample_rate_hz=32_000,
        n_fft=1_024,
        window_length=800,
        hop_length=_HOP_LENGTH,
        n_mels=128,
        fmax_hz=15_000.0,
    )


@lru_cache(maxsize=1)
def _network(path: Path, sha256: str, device: str) -> nn.Module:
    from asc_bench.features.encoders.passt_network import Backbone

    content = checkpoint_tensors(path)
    rows = content["freq_new_pos_embed"].shape[2:3].numel() if "freq_new_pos_embed" in content else 0
    blocks = {int(found[1]) for name in content if (found := re.match(r"blocks\.(\d+)\.", name))}
    network = Backbone(stride=_STRIDE_OF_ROWS.get(rows, 10), depth=len(blocks) or 12)
    wanted = network.state_dict()
    taken = fitting_tensors(
        content, wanted, path, what="no checkpoint of PaSST", for_shapes=" for 10 s and a hop of 10 ms"
    )
    # A block with more than PaSST's has would be embedded as another network in silence.
    more = [name for name in content if name not in wanted and not name.startswith(_HEADS)]
    if more:
        raise StoreError(f"{path}: no checkpoint of PaSST, which has no {more[0]} ({len(more)} such tensors)")
    network.load_state_dict(taken)
    return network.eval().to(device)
