"""EfficientAT: its front end, and the kind and width of the networks in the published checkpoints."""

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
from asc_bench.features.encoders.foreign import checkpoint_tensors, fitting_tensors
from asc_bench.features.encoders.passt import passt_log_mel

if TYPE_CHECKING:
    from asc_bench.features.encoders import dymn_network, efficientat_network

    Backbone = efficientat_network.Backbone | dymn_network.Backbone

_N_CLASSES = 527
"""Of AudioSet."""

_HIDDEN, _CLASSES = "classifier.2.weight", "classifier.5.weight"
_HIDDEN_AT_WIDTH_1 = 1_280
_UNREAD = {_HIDDEN, _CLASSES, "classifier.2.bias", "classifier.5.bias"}

_RUNNING = Lock()


@dataclass(frozen=True, kw_only=True)
class Efficientat(Encoder):
    """960 x width numbers for each window: the mean of the last map, before the classifier.

    These are what the authors' code gives beside the logits. The file tells by the names of its tensors whether
    the network is plain (mn) or dynamic (dymn), and by their shapes its width; not its bands and hop, which must be
    128 and 10 ms.
    """

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "efficientat"
    about: ClassVar[Provenance] = Provenance(
        title="EfficientAT",
        citation="F. Schmid, K. Koutini and G. Widmer, Efficient large-scale audio tagging via "
        "transformer-to-CNN knowledge distillation, ICASSP 2023; dymn: Dynamic convolutional neural networks as "
        "efficient pre-trained audio models, IEEE/ACM Transactions on Audio, Speech, and Language Processing 32, "
        "2024",
        trained_on="ImageNet (files with no_im_pre in their name: not), then AudioSet, 527 classes",
        licence="see the releases of its code on GitHub; not checked here",
        source="github.com/fschmid56/EfficientAT, release v0.0.1",
    )
    wants_file: ClassVar[bool] = True
    install: ClassVar[str] = (
        "no package: fetch mn10_as_mAP_471.pt from the release v0.0.1 of github.com/fschmid56/EfficientAT, "
        "weights=FILE"
    )

    sample_rate_hz: int = 32_000

    @property
    def n_parameters(self) -> int | None:
        """Of the network in the file without its classifier; None without the file.

        Raises
        ------
        StoreError
            As ``embed``.
        """
        if not Path(self.weights).is_file():
            return None
        with _RUNNING:
            return sum(parameter.numel() for parameter in self._loaded()[0].parameters())

    def dimensions(self, n_samples: int) -> int:
        """960 x width, with the width of the file.

        Raises
        ------
        ConfigError
            If the file cannot be read.
        DataError
            For windows shorter than one of the Fourier transform, and a sample that the pre-emphasis takes.
        StoreError
            As ``embed``.
        """
        self._refuse_short(n_samples)
        with _RUNNING:
            network, _ = self._loaded()
            return network.n_dimensions

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See ``Encoder.embed``: (n, 1, 960 x width).

        Raises
        ------
        StoreError
            If the file is no checkpoint of EfficientAT that was trained on AudioSet.
        """
        import torch

        self._refuse_short(windows.shape[1])
        front_end = passt_log_mel()
        frames = torch.from_numpy(np.stack([front_end(window) for window in windows]))
        with _RUNNING, torch.inference_mode():
            network, device = self._loaded()
            found: npt.NDArray[np.float32] = network(frames.to(device)).cpu().numpy()
        return found[:, np.newaxis]

    def _refuse_short(self, n_samples: int) -> None:
        least = passt_log_mel().window_length + 1
        if n_samples < least:
            raise DataError(f"{self.title}: {n_samples} samples, at least {least} are needed")

    def _loaded(self) -> tuple[Backbone, str]:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        path = Path(self.weights)
        return _network(path, digest_of(path), device), device


@lru_cache(maxsize=1)
def _network(path: Path, sha256: str, device: str) -> Backbone:
    from asc_bench.features.encoders import dymn_network, efficientat_network

    content = checkpoint_tensors(path)
    for name in (_HIDDEN, _CLASSES):
        if name not in content or content[name].ndim != 2:
            raise StoreError(f"{path}: no checkpoint of EfficientAT with its usual classifier, it lacks {name}")
    n_classes = len(content[_CLASSES])
    if n_classes != _N_CLASSES:
        raise StoreError(
            f"{path}: a network of {n_classes} classes, those that were trained on AudioSet have {_N_CLASSES}; "
            "take one with _as in its name"
        )
    width = len(content[_HIDDEN]) / _HIDDEN_AT_WIDTH_1
    dynamic = "in_c.0.weight" in content
    made = dymn_network.Backbone if dynamic else efficientat_network.Backbone
    network: Backbone = made(width=width)
    wanted = {name: tensor for name, tensor in network.state_dict().items() if name != "temperature"}
    kind = f"a {'dymn' if dynamic else 'mn'} of width {width:g}"
    taken = fitting_tensors(content, wanted, path, what=f"not {kind}")
    # Another kind of squeeze and excitation has more tensors, and would be left out in silence.
    more = [name for name in content if name not in wanted and name not in _UNREAD]
    if more:
        raise StoreError(f"{path}: not {kind}, which has no {more[0]} ({len(more)} such tensors)")
    network.load_state_dict(taken, strict=False)
    return network.eval().to(device)
