"""The network of VGGish, its published checkpoints, and what its authors do to the embedding afterwards."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from asc_bench.errors import StoreError
from asc_bench.features.encoders.foreign import foreign_tensors, load_foreign_state

N_CONVOLUTIONS = 6
POOLED = (0, 1, 3, 5)
"""Convolutions with max pooling after them."""

PCA_NAMES = ("pca_eigen_vectors", "pca_means")

_PREFIXES = ("module.", "model.", "vggish.", "vggish/")
_RENAMED = {"fc.": "embeddings.", "embedding_network.": "embeddings.", "features_network.": "features."}
_TORCH = (*(f"features.{i}" for i in (0, 3, 6, 8, 11, 13)), *(f"embeddings.{i}" for i in (0, 2, 4)))
_TENSORFLOW = (
    "conv1",
    "conv2",
    "conv3/conv3_1",
    "conv3/conv3_2",
    "conv4/conv4_1",
    "conv4/conv4_2",
    "fc1/fc1_1",
    "fc1/fc1_2",
    "fc2",
)


class VggishNetwork(nn.Module):
    """72,141,184 parameters; an example of 96 frames by 64 bands becomes 128 numbers.

    Parameters
    ----------
    widths : tuple of int
        Outputs of the six convolutions and the three dense layers.
    final_relu : bool
        Rectify the embedding, as older code does; the present official model ends without.
    """

    def __init__(self, widths: tuple[int, ...], *, final_relu: bool = False) -> None:
        super().__init__()
        maps = (1, *widths[:N_CONVOLUTIONS])
        # Four poolings leave 6 of 96 frames and 4 of 64 bands.
        vectors = (6 * 4 * maps[-1], *widths[N_CONVOLUTIONS:])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(maps[i], maps[i + 1], 3, padding=1) for i in range(N_CONVOLUTIONS)
        )
        self.dense = nn.ModuleList(nn.Linear(vectors[i], vectors[i + 1]) for i in range(len(vectors) - 1))
        self.final_relu = final_relu

    def forward(self, examples: Tensor) -> Tensor:
        """Embed examples, (n, 96, 64) to (n, 128)."""
        x = examples.unsqueeze(1)
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x).relu()
            if i in POOLED:
                x = nn.functional.max_pool2d(x, 2)
        # The weights expect TensorFlow's order: time, band, channel.
        x = x.permute(0, 2, 3, 1).flatten(1)
        for dense in self.dense[:-1]:
            x = dense(x).relu()
        embedding: Tensor = self.dense[-1](x)
        return embedding.relu() if self.final_relu else embedding

    def layers(self) -> list[nn.Module]:
        """The nine layers in order."""
        return [*self.convolutions, *self.dense]


def load_network(path: Path, widths: tuple[int, ...], *, final_relu: bool = False) -> VggishNetwork:
    """Make the network with the weights of a published file.

    Known are the files of torchvggish (``features.0.weight`` ...), of audioset-vggish-tensorflow-to-pytorch
    (``fc.0.weight`` ...), and ``.npz`` files with the variables of the TensorFlow checkpoint by their names
    (``vggish/conv1/weights`` ...). Prefixes such as ``module.`` do not matter. Where the names are others, the
    tensors must stand in the order of the layers. No pickle is run.

    Raises
    ------
    StoreError
        If the file cannot be read; or with the first name that does not fit.
    """
    with torch.device("meta"):
        network = VggishNetwork(widths, final_relu=final_relu)
    wanted = [
        (f"{torch_name}.{kind}", getattr(layer, kind))
        for torch_name, layer in zip(_TORCH, network.layers(), strict=True)
        for kind in ("weight", "bias")
    ]
    found = _in_order(read_arrays(path), path)
    from_tensorflow = bool(found) and tuple(found[0][1].shape) == (3, 3, 1, widths[0])
    state: list[Tensor] = []
    for i in range(max(len(wanted), len(found))):
        if i >= len(wanted):
            raise StoreError(
                f"{path}: no VGGish, {found[i][0]} is too many: nine layers have {len(wanted)} tensors"
            )
        label, parameter = wanted[i]
        if i >= len(found):
            raise StoreError(
                f"{path}: no VGGish, {label} of shape {tuple(parameter.shape)} is absent after {found[-1][0]}"
            )
        name, tensor = found[i]
        shape = tuple(tensor.shape)
        if from_tensorflow:
            tensor = tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor.t() if tensor.ndim == 2 else tensor
        if tensor.shape != parameter.shape:
            raise StoreError(
                f"{path}: no VGGish, {name} has the shape {shape}, and {label} should be {tuple(parameter.shape)}"
            )
        state.append(tensor.to(torch.float32).contiguous())
    # Modules name their parameters in the order of the layers, weight before bias.
    names = [name for name, _ in network.named_parameters()]
    network.load_state_dict(dict(zip(names, state, strict=True)), assign=True)
    return network.requires_grad_(False).eval()


def read_arrays(path: Path) -> dict[str, Tensor]:
    """Named tensors of a ``.npz`` file, or of a checkpoint that ``torch.save`` wrote.

    Raises
    ------
    StoreError
        If it cannot be read, or holds objects other than arrays.
    """
    if path.suffix != ".npz":
        return _tensors(foreign_tensors(load_foreign_state(path)), path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _tensors({name: archive[name] for name in archive.files}, path)
    except FileNotFoundError:
        raise StoreError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path}: not a readable .npz file of arrays ({error})") from error


def _tensors(content: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    found = {}
    for name, value in content.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            value = torch.from_numpy(value)
        if not isinstance(value, Tensor):
            raise StoreError(f"{path}: {name} is no tensor of floating point numbers but {_kind(value)}")
        found[name] = value
    return found


def _kind(value: object) -> str:
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


def _in_order(arrays: Mapping[str, Tensor], path: Path) -> list[tuple[str, Tensor]]:
    """Weight and bias of each layer: by name where all names are known, else as they stand in the file."""
    found = [(name, t) for name, t in arrays.items() if not name.endswith(PCA_NAMES)]
    if not found:
        raise StoreError(f"{path}: no VGGish, it holds no weights ({', '.join(arrays) or 'nothing at all'})")
    places = [_place(name) for name, _ in found]
    known = [place for place in places if place is not None]
    if len(known) == len(found):
        return [found[i] for i in sorted(range(len(found)), key=known.__getitem__)]
    pairs = [found[i : i + 2] for i in range(0, len(found), 2)]
    return [item for pair in pairs for item in sorted(pair, key=lambda item: -item[1].ndim)]


def _place(name: str) -> tuple[int, bool] | None:
    """Number of the layer, and whether this is its bias; None for an unknown name."""
    name = name.removesuffix(":0")
    while prefix := next((p for p in _PREFIXES if name.startswith(p)), ""):
        name = name.removeprefix(prefix)
    for old, new in _RENAMED.items():
        if name.startswith(old):
            name = new + name.removeprefix(old)
    for layers, separator, kinds in (
        (_TORCH, ".", ("weight", "bias")),
        (_TENSORFLOW, "/", ("weights", "biases")),
    ):
        layer, _, kind = name.rpartition(separator)
        if layer in layers and kind in kinds:
            return layers.index(layer), kind == kinds[1]
    return None


class PostProcessing:
    """Whitening by principal components, and the 8 bits of the embeddings that were released with AudioSet.

    Parameters
    ----------
    matrix : array, shape (128, 128)
        One component in each row.
    means : array, shape (128,) or (128, 1)
        Subtracted first.
    quantised : bool
        Clip to [-2, 2] and round to one of 0 to 255.
    """

    def __init__(self, matrix: npt.NDArray[np.float32], means: npt.NDArray[np.float32], *, quantised: bool) -> None:
        self.matrix, self.means, self.quantised = matrix, means.reshape(-1), quantised

    @classmethod
    def of(cls, path: Path, how: Literal["pca", "pca_quantised"], n_dimensions: int) -> PostProcessing:
        """Read ``vggish_pca_params.npz`` or its ``.pth``, or what a checkpoint with both holds of them.

        Raises
        ------
        StoreError
            If the file cannot be read, or lacks one of the two arrays, or one has another shape.
        """
        arrays = read_arrays(path)
        found = []
        for wanted, size in zip(PCA_NAMES, (n_dimensions**2, n_dimensions), strict=True):
            name = next((name for name in arrays if name.endswith(wanted)), None)
            if name is None:
                raise StoreError(f"{path}: no {wanted}; it holds {', '.join(arrays)}")
            if arrays[name].numel() != size:
                raise StoreError(f"{path}: {name} has the shape {tuple(arrays[name].shape)}, not {size} numbers")
            found.append(arrays[name].to(torch.float32).numpy())
        matrix, means = found
        return cls(matrix.reshape(n_dimensions, n_dimensions), means, quantised=how == "pca_quantised")

    def __call__(self, embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Transform embeddings, shape (n, 128)."""
        projected: npt.NDArray[np.float32] = np.matmul(embeddings - self.means, self.matrix.T, dtype=np.float32)
        if self.quantised:
            np.round((projected.clip(-2.0, 2.0) + np.float32(2)) * np.float32(255 / 4), out=projected)
        return projected
