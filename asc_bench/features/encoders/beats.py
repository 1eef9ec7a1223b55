"""BEATs: the sizes of its network, its checkpoints, and the frozen network as an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.errors import DataError, StoreError
from asc_bench.features.encoders.base import Encoder, Provenance, digest_of
from asc_bench.features.encoders.foreign import load_foreign_state
from asc_bench.features.kaldi_fbank import KaldiFbank

if TYPE_CHECKING:
    from torch import Tensor, nn

_RUNNING = Lock()
_TABLE = "self_attn.relative_attention_bias.weight"


@dataclass(frozen=True, kw_only=True)
class BeatsSettings:
    """Sizes of the network, with the names that they have in the ``cfg`` of a checkpoint.

    Attributes
    ----------
    input_patch_size : int
        Frames and bands of a patch.
    embed_dim : int
        Width of a patch's embedding.
    encoder_layers, encoder_embed_dim, encoder_ffn_embed_dim, encoder_attention_heads : int
        Layers of the transformer, width of a token, width between the two dense layers of each, heads of each.
    conv_pos, conv_pos_groups : int
        Tokens that the convolution of positions reaches over, and its groups.
    num_buckets, max_distance : int
        Rows of the table of relative positions, and the distance from which on all share a row.
    """

    input_patch_size: int = 16
    embed_dim: int = 512
    encoder_layers: int = 12
    encoder_embed_dim: int = 768
    encoder_ffn_embed_dim: int = 3_072
    encoder_attention_heads: int = 12
    conv_pos: int = 128
    conv_pos_groups: int = 16
    num_buckets: int = 320
    max_distance: int = 800

    def cfg(self) -> dict[str, object]:
        """What the ``cfg`` of a checkpoint must say for its weights to mean what they mean here."""
        kind: dict[str, object] = {
            "activation_fn": "gelu",
            "conv_bias": False,
            "deep_norm": True,
            "gru_rel_pos": True,
            "layer_norm_first": False,
            "relative_position_embedding": True,
        }
        return {**asdict(self), **kind}


PUBLISHED = BeatsSettings()
"""Of all published files."""


def network_tensors(path: Path, content: Mapping[str, Any], settings: BeatsSettings) -> dict[str, Tensor]:
    """Weights by their names in the network, out of what a checkpoint of the release holds.

    The layer of the classes of AudioSet is left out, and so are the copies of the first layer's table of relative
    positions under the names of the others.

    Parameters
    ----------
    path : Path
        Where the content comes from, for messages.
    content : mapping
        ``cfg``, a mapping of settings, and ``model``, one of tensors.

    Raises
    ------
    StoreError
        If it has another layout, or ``cfg`` tells of another network.
    """
    cfg, model = content.get("cfg"), content.get("model")
    if not isinstance(cfg, Mapping) or not isinstance(model, Mapping):
        found = ", ".join(sorted(str(name) for name in content)[:5]) or "nothing"
        raise StoreError(
            f"{path}: no checkpoint of BEATs: those of github.com/microsoft/unilm hold cfg and model, this holds "
            f"{found}"
        )
    wrong = [
        f"{name} is {cfg.get(name, 'not there')!r} instead of {value!r}"
        for name, value in settings.cfg().items()
        if cfg.get(name) != value
    ]
    if wrong:
        more = f", and {len(wrong) - 1} more settings differ" if len(wrong) > 1 else ""
        raise StoreError(f"{path}: a network of another kind or size than BEATs: in its cfg {wrong[0]}{more}")
    tensors = {name: tensor for name, tensor in model.items() if not name.startswith("predictor.")}
    first = tensors.get(f"encoder.layers.0.{_TABLE}")
    for i in range(1, settings.encoder_layers):
        copy = tensors.pop(f"encoder.layers.{i}.{_TABLE}", first)
        if first is not None and (copy.shape != first.shape or not bool((copy == first).all())):
            raise StoreError(
                f"{path}: layer {i} has another table of relative positions than layer 0; in BEATs they share one"
            )
    return tensors


@dataclass(frozen=True, kw_only=True)
class Beats(Encoder):
    """768 numbers for each patch of 16 frames and 16 bands, eight patches for every 0.16 s."""

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "beats"
    about: ClassVar[Provenance] = Provenance(
        title="BEATs",
        citation="S. Chen et al., BEATs: Audio pre-training with acoustic tokenizers, ICML 2023",
        trained_on="AudioSet, without labels; files with finetuned in their name with its 527 classes after that",
        licence="MIT for the code; the page of the files names none for them",
        source="github.com/microsoft/unilm, beats, BEATs_iter3_plus_AS2M.pt",
    )
    wants_file: ClassVar[bool] = True
    install: ClassVar[str] = (
        "no package: fetch BEATs_iter3_plus_AS2M.pt by the links of github.com/microsoft/unilm, beats, weights=FILE"
    )
    settings: ClassVar[BeatsSettings] = PUBLISHED

    sample_rate_hz: int = 16_000

    @property
    def n_parameters(self) -> int:
        """Of the network without the layer of AudioSet's classes."""
        return 90_311_792

    def dimensions(self, n_samples: int) -> int:
        """768.

        Raises
        ------
        DataError
            For windows without a whole patch.
        """
        front_end = KaldiFbank()
        least = front_end.window_length + (self.settings.input_patch_size - 1) * front_end.hop_length
        if n_samples < least:
            raise DataError(f"{self.title}: {n_samples} samples, at least {least} are needed")
        return self.settings.encoder_embed_dim

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See ``Encoder.embed``: (n, n_patches, 768).

        Raises
        ------
        StoreError
            If the file is no checkpoint of BEATs.
        """
        import torch

        self.dimensions(windows.shape[1])
        front_end, path = KaldiFbank(), Path(self.weights)
        frames = torch.from_numpy(np.stack([front_end(window) for window in windows]))
        with _RUNNING, torch.inference_mode():
            device = "cuda" if torch.cuda.is_available() else "cpu"
            network = _network(path, digest_of(path), self.settings, device)
            found: npt.NDArray[np.float32] = network(frames.to(device)).cpu().numpy()
        return found


@lru_cache(maxsize=1)
def _network(path: Path, sha256: str, settings: BeatsSettings, device: str) -> nn.Module:
    from asc_bench.features.encoders.beats_network import Backbone

    tensors = network_tensors(path, load_foreign_state(path), settings)
    network = Backbone(settings)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise StoreError(f"{path}: no checkpoint of BEATs ({str(error).splitlines()[1].strip()})") from error
    return network.eval().to(device)
