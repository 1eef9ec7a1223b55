"""VGGish: the published files of its network and whitening, and both as encoders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from asc_bench.data.weights import cached_weights, how_to_fetch, verified_weights
from asc_bench.errors import ConfigError, DataError
from asc_bench.features.encoders.base import Encoder, Provenance, digest_of
from asc_bench.features.vggish import VggishExamples

if TYPE_CHECKING:
    from asc_bench.features.encoders.vggish_network import PostProcessing, VggishNetwork

_EXAMPLES_PER_BATCH = 64
"""The maps of the first layer of so many examples take 100 MB."""

_RUNNING = Lock()


@dataclass(frozen=True, kw_only=True)
class Vggish(Encoder):
    """128 numbers for each 0.96 s, before any activation, neither whitened nor quantised.

    Front end, network and files are those of the system ``vggish-svm``.

    Attributes
    ----------
    weights : str
        File of the network, of any kind that ``load_network`` knows, or a folder with the published files by their
        names. Empty for the files that ``asc-bench prepare vggish --download`` fetched, which are verified.
    """

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "vggish"
    about: ClassVar[Provenance] = Provenance(
        title="VGGish",
        citation="S. Hershey et al., CNN architectures for large-scale audio classification, ICASSP 2017",
        trained_on="a preliminary version of YouTube-8M",
        licence="Apache 2.0 for the code of torchvggish; that of the files was not checked here",
        source="github.com/harritaylor/torchvggish, release v0.1; github.com/tensorflow/models, audioset/vggish",
    )
    install: ClassVar[str] = f"no package: fetch it with {how_to_fetch('vggish')}, or weights=FILE"

    weight_set: ClassVar[str] = "vggish"
    network_file: ClassVar[str] = "vggish-10086976.pth"
    pca_file: ClassVar[str] = "vggish_pca_params-970ea276.pth"
    widths: ClassVar[tuple[int, ...]] = (64, 128, 256, 256, 512, 512, 4_096, 4_096, 128)
    """Outputs of the six convolutions and the three dense layers."""
    postprocess: ClassVar[Literal["none", "pca", "pca_quantised"]] = "none"

    sample_rate_hz: int = 16_000

    @property
    def n_parameters(self) -> int:
        """Of the network; whitening is not counted."""
        return 72_141_184

    def lacking(self) -> str:
        """See ``Encoder.lacking``."""
        if all(self._path(file) for file in self._wanted()):
            return ""
        return f"extractor {self.name} has no weights here: {self.install}"

    def files(self) -> tuple[Path, ...]:
        """The network's, and that of the whitening if it is another."""
        found = (self._path(file) for file in self._wanted())
        return tuple(dict.fromkeys(path for path in found if path is not None))

    def dimensions(self, n_samples: int) -> int:
        """128.

        Raises
        ------
        DataError
            For windows without samples. Less than an example is filled up with silence.
        """
        if n_samples < 1:
            raise DataError(f"{self.title}: {n_samples} samples, at least 1 is needed")
        return self.widths[-1]

    def embed(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See ``Encoder.embed``: (n, n_examples, 128).

        Raises
        ------
        DataError
            If a fetched file is not the published one.
        StoreError
            If a named one holds no VGGish, or no whitening where that is wanted.
        """
        import torch

        self.dimensions(windows.shape[1])
        front_end = VggishExamples()
        examples = np.stack([front_end(window) for window in windows])
        flat = torch.from_numpy(examples.reshape(-1, *examples.shape[2:]))
        with _RUNNING, torch.inference_mode():
            device = "cuda" if torch.cuda.is_available() else "cpu"
            network = self._network(device)
            parts = [network(part.to(device)).cpu() for part in torch.split(flat, _EXAMPLES_PER_BATCH)]
            embeddings: npt.NDArray[np.float32] = torch.cat(parts).numpy()
            whitening = self._whitening()
        if whitening is not None:
            embeddings = whitening(embeddings)
        return embeddings.reshape(*examples.shape[:2], -1)

    def _wanted(self) -> tuple[str, ...]:
        return (self.network_file,) if self.postprocess == "none" else (self.network_file, self.pca_file)

    def _path(self, file: str) -> Path | None:
        """Where a published file, or what was named instead, lies; a file that was named may hold both."""
        if not self.weights:
            return cached_weights(self.weight_set, file)
        given = Path(self.weights)
        return given / file if given.is_dir() else given

    def _known(self, file: str) -> tuple[Path, str, bool]:
        """Path, digest, and whether it must be the published one."""
        path = self._path(file)
        if path is None:
            raise ConfigError(self.lacking())
        return path, digest_of(path), not self.weights

    def _network(self, device: str) -> VggishNetwork:
        path, sha256, fetched = self._known(self.network_file)
        return _network(path, sha256, fetched, self.widths, device)

    def _whitening(self) -> PostProcessing | None:
        if self.postprocess == "none":
            return None
        path, sha256, fetched = self._known(self.pca_file)
        return _whitening(path, sha256, fetched, self.postprocess, self.widths[-1])


@dataclass(frozen=True, kw_only=True)
class VggishPca(Vggish):
    """As ``Vggish``, whitened by the authors' principal components."""

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "vggish-pca"
    install: ClassVar[str] = (
        f"no package: fetch them with {how_to_fetch('vggish')}, or weights=FOLDER with {Vggish.network_file} and "
        f"{Vggish.pca_file}, or weights=FILE that holds both"
    )
    postprocess: ClassVar[Literal["none", "pca", "pca_quantised"]] = "pca"


@dataclass(frozen=True, kw_only=True)
class VggishQuantised(VggishPca):
    """As ``VggishPca``, clipped to [-2, 2] and rounded to 8 bits, as torchvggish does."""

    numerics_version: ClassVar[int | None] = 1
    name: ClassVar[str] = "vggish-pca-quantised"
    postprocess: ClassVar[Literal["none", "pca", "pca_quantised"]] = "pca_quantised"


@lru_cache(maxsize=1)
def _network(path: Path, sha256: str, fetched: bool, widths: tuple[int, ...], device: str) -> VggishNetwork:
    from asc_bench.features.encoders.vggish_network import load_network

    if fetched:
        verified_weights(Vggish.weight_set, Vggish.network_file)
    return load_network(path, widths).to(device)


@lru_cache(maxsize=1)
def _whitening(
    path: Path, sha256: str, fetched: bool, how: Literal["pca", "pca_quantised"], n_dimensions: int
) -> PostProcessing:
    from asc_bench.features.encoders.vggish_network import PostProcessing

    if fetched:
        verified_weights(Vggish.weight_set, Vggish.pca_file)
    return PostProcessing.of(path, how, n_dimensions)
