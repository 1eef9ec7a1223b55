"""VGGish embeddings and a support vector machine: the strongest transfer baseline of the hierarchical CNN paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from asc_bench.api import (
    AnyParams,
    Card,
    FrontEnd,
    Params,
    Published,
    Reason,
    SvmSystem,
    Vggish,
    cached_weights,
    how_to_fetch,
    pooled,
    verified_weights,
)

if TYPE_CHECKING:
    from asc_bench.modules.vggish import PostProcessing, VggishNetwork

WEIGHTS, NETWORK_FILE, PCA_FILE = Vggish.weight_set, Vggish.network_file, Vggish.pca_file

_EXAMPLES_PER_BATCH = 64
"""The maps of the first layer of so many examples take 100 MB."""


@dataclass(frozen=True, kw_only=True)
class VggishSvmParams(Params):
    """Which weights, and what becomes of the embeddings.

    Attributes
    ----------
    weights : str
        File of the network's weights: the ``.pth`` of torchvggish or of audioset-vggish-tensorflow-to-pytorch, or
        a ``.npz`` with the variables of the TensorFlow checkpoint. Empty for the file that
        ``asc-bench prepare vggish --download`` fetched.
    final_relu : bool
        Rectify the embedding, as older code does.
    aggregation : {"mean", "mean+std"}
        How the embeddings of a clip's examples become one vector.
    postprocess : {"none", "pca", "pca_quantised"}
        What is done to each embedding: nothing, the authors' whitening, or that and their 8 bits.
    pca : str
        File of the whitening, ``vggish_pca_params`` as ``.npz`` or ``.pth``. Empty for the fetched one. Nothing
        reads it with ``postprocess=none``: it is reset to its default then, so that equal runs have equal names.
    """

    weights: str = ""
    final_relu: bool = False
    aggregation: Literal["mean", "mean+std"] = "mean"
    postprocess: Literal["none", "pca", "pca_quantised"] = "none"
    pca: str = ""

    def __post_init__(self) -> None:
        if self.postprocess == "none":
            object.__setattr__(self, "pca", VggishSvmParams.pca)


class VggishSvm(SvmSystem):
    """The frozen VGGish network and a polynomial SVM of degree 3; the same at every budget."""

    numerics_version = 1
    card = Card(
        name="vggish-svm",
        title="VGGish + SVM",
        citation="S. Hershey et al., CNN architectures for large-scale audio classification, ICASSP 2017; SVM as "
        "in V. Abrol and P. Sharma, Learning hierarchy aware embedding from raw audio for acoustic scene "
        "classification, IEEE/ACM Transactions on Audio, Speech, and Language Processing 28, 2020",
        year=2017,
        input="64-band log-mel, 16 kHz, examples of 0.96 s",
        guesses=(
            "Of the SVM only the polynomial kernel of degree 3 is published. Here: standardised by the training "
            "clips, coefficient 1, width 1 / dimensions, C of 0.1, 1 or 10 by 5-fold cross-validation on the "
            "training clips, those of one location in one fold.",
            "A clip is the mean of its examples' embeddings; raw ones, neither whitened nor quantised.",
            "The embedding is taken before any activation, as in the present official model; torchvggish and older "
            "code rectify it (final_relu=true).",
            "pca_quantised rounds to 8 bits as torchvggish does; the authors' code cuts the fraction off.",
            "All budgets are the same. Parameters count the frozen network and what the SVM stores.",
        ),
        published=(Published("merged", "hierarchical_table4", {"system": "VGGish"}),),
    )
    Params: ClassVar[type[Params]] = VggishSvmParams
    params: VggishSvmParams

    widths: ClassVar[tuple[int, ...]] = Vggish.widths

    _loaded: tuple[VggishNetwork, PostProcessing | None] | None = None

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Without weights that are neither named nor in the cache."""
        if not isinstance(params, VggishSvmParams):
            return None
        absent = []
        if not params.weights and cached_weights(WEIGHTS, NETWORK_FILE) is None:
            absent.append("weights=FILE")
        if params.postprocess != "none" and not params.pca and cached_weights(WEIGHTS, PCA_FILE) is None:
            absent.append("pca=FILE")
        if not absent:
            return None
        how = f"fetch them with {how_to_fetch(WEIGHTS)}, or name them with {' and '.join(absent)}"
        return Reason("missing-file", f"no weights here: {how}")

    def external_files(self) -> tuple[Path, ...]:
        """The weights, and the whitening if it is asked for."""
        named = [self.params.weights or cached_weights(WEIGHTS, NETWORK_FILE)]
        if self.params.postprocess != "none":
            named.append(self.params.pca or cached_weights(WEIGHTS, PCA_FILE))
        return tuple(Path(path) for path in named if path)

    def front_end(self) -> FrontEnd:
        """The authors' own."""
        from asc_bench.api import VggishExamples

        return VggishExamples()

    def embed(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Embed the examples of clips, (n_clips, n_examples, 96, 64), and pool them, (n_clips, 128 or 256)."""
        import torch

        from asc_bench.api import reproducible

        network, postprocess = self._network()
        network.to(self._device)
        examples = torch.from_numpy(np.ascontiguousarray(features.reshape(-1, *features.shape[2:])))
        with reproducible(self._device), torch.inference_mode():
            parts = [network(part.to(self._device)).cpu() for part in torch.split(examples, _EXAMPLES_PER_BATCH)]
        embeddings = torch.cat(parts).numpy()
        if postprocess is not None:
            embeddings = postprocess(embeddings)
        return pooled(embeddings.reshape(*features.shape[:2], -1), self.params.aggregation)

    def complexity(self) -> Mapping[str, int]:
        """Network and SVM; nothing before the fit."""
        if self.estimator is None:
            return {}
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        from asc_bench.modules.vggish import VggishNetwork

        n_examples, *shape = self.front_end().shape(self.task.clip_duration_s)
        with torch.device("meta"):
            network, example = VggishNetwork(self.widths), torch.empty(1, *shape)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(example)
        n_stored, n_kernel = self.classifier_cost()
        return {
            "n_parameters": sum(p.numel() for p in network.parameters()) + n_stored,
            "n_multiply_adds": n_examples * counter.get_total_flops() // 2 + n_kernel,
        }

    def _network(self) -> tuple[VggishNetwork, PostProcessing | None]:
        """Read the files on first use; those of the cache must be the published ones."""
        if self._loaded is None:
            from asc_bench.modules.vggish import PostProcessing, load_network

            params = self.params
            path = Path(params.weights) if params.weights else verified_weights(WEIGHTS, NETWORK_FILE)
            network = load_network(path, self.widths, final_relu=params.final_relu)
            postprocess = None
            if params.postprocess != "none":
                path = Path(params.pca) if params.pca else verified_weights(WEIGHTS, PCA_FILE)
                postprocess = PostProcessing.of(path, params.postprocess, self.widths[-1])
            self._loaded = network, postprocess
        return self._loaded
