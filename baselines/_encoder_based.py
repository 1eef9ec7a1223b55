"""Settings and feature side of the systems on embeddings of any encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from asc_bench.api import AnyParams, ConfigError, Encoder, FrozenSystem, Params, Reason, encoder

if TYPE_CHECKING:
    from asc_bench.api import FrontEnd

GUESSES = (
    "A clip is the mean of its embeddings over windows and frames; aggregation=mean+std adds their deviation.",
    "Embeddings are float32; a .pt file and named torch networks run on a GPU where there is one.",
    "Of an extractor in Python the run key holds its module and what that imports of the user's own, not what "
    "an installed package does.",
)


@dataclass(frozen=True, kw_only=True)
class EncoderParams(Params):
    """What makes the embedding, and of what.

    Attributes
    ----------
    extractor : str
        A named encoder (``asc_bench.api.ENCODERS``), ``package.module:function`` (importable: installed, or on
        PYTHONPATH), a TorchScript file (``.pt``) or an ONNX file (``.onnx``). One of your own is given float32
        waveforms of shape (n, n_samples) in [-1, 1] and gives floating point numbers of shape (n, d), or
        (n, n_frames, d). Take files from those you trust only: a TorchScript file is a program.
    weights : str
        File or folder of the weights of a named encoder that no package brings. Nothing is downloaded.
    sample_rate_hz : int
        That an extractor of your own expects; 0 for 16,000. A named one has its own.
    window_s : float
        Cut each clip into windows of this length that do not overlap, and give it those; what is left at the end is
        dropped. 0 for the whole clip.
    aggregation : {"mean", "mean+std"}
        How the embeddings of a clip's windows and frames become one vector.
    """

    extractor: str = ""
    weights: str = ""
    sample_rate_hz: int = 0
    window_s: float = 0.0
    aggregation: Literal["mean", "mean+std"] = "mean"

    system: ClassVar[str]

    def __post_init__(self) -> None:
        if self.sample_rate_hz < 0:
            raise ConfigError(f"{self.system}: sample_rate_hz is {self.sample_rate_hz}, must be at least 1")
        try:
            _ = self.encoder
        except ConfigError as error:
            raise ConfigError(f"{self.system}: {error}") from error

    @property
    def encoder(self) -> Encoder:
        """What these settings name."""
        return encoder(
            self.extractor, weights=self.weights, sample_rate_hz=self.sample_rate_hz, window_s=self.window_s
        )


def why_no_embedding(made: Encoder, clip_duration_s: float | None) -> Reason | None:
    """Without the module that runs the encoder, or its weights, or with windows longer than the clips."""
    if absent := made.absent():
        return Reason("missing-dependency", absent)
    if lacking := made.lacking():
        return Reason("missing-file", lacking)
    if clip_duration_s is not None and made.window_samples > round(clip_duration_s * made.sample_rate_hz):
        return Reason("unsupported-task", f"windows of {made.window_s:g} s in clips of {clip_duration_s:g} s")
    return None


def facts_of_weights(made: Encoder) -> Mapping[str, str]:
    """Name of a named encoder, where its weights come from and under which licence; nothing of the user's own."""
    about = getattr(made, "about", None)
    if not about:
        return {}
    return {"encoder": about.title, "weights_from": about.source, "weights_licence": about.licence}


class EncoderBased(FrozenSystem):
    """The embedding side: mix it in before ``SvmSystem`` or ``LinearSystem``."""

    numerics_version = 1
    params: EncoderParams

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Without the module that runs the encoder, or its weights, or with windows longer than the clips."""
        if not isinstance(params, EncoderParams):
            return None
        return why_no_embedding(params.encoder, None if built is None else built.task.clip_duration_s)

    def external_files(self) -> tuple[Path, ...]:
        """The network's file, or that of the function's module."""
        return self.params.encoder.files()

    def front_end(self) -> FrontEnd:
        """The encoder: embeddings lie in the cache of features, computed once for each clip."""
        return self.params.encoder

    def embed(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Take the mean, or mean and deviation, out of cached moments: (n, 2, d) to (n, d) or (n, 2 d)."""
        return features[:, 0] if self.params.aggregation == "mean" else features.reshape(len(features), -1)

    def facts(self) -> Mapping[str, str | int | float]:
        """What the base tells, and of a named encoder where its weights come from and under which licence."""
        return {**super().facts(), **facts_of_weights(self.params.encoder)}

    def complexity(self) -> Mapping[str, int]:
        """Parameters of encoder and classifier, where the encoder's are known; multiply-adds are not."""
        n_parameters = self.params.encoder.n_parameters
        if self.estimator is None or n_parameters is None:
            return {}
        return {"n_parameters": n_parameters + self.classifier_cost()[0]}
