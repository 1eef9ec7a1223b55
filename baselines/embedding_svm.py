"""Any embedding of your own and a support vector machine, as the literature compares them."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from asc_bench.api import (
    AnyParams,
    Card,
    ConfigError,
    Context,
    LabelledClips,
    Params,
    Reason,
    SvmSystem,
    Waveform,
    pooled,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._embedding_extractors import Extractor

_PER_BATCH = 16
"""Waveforms that the extractor is given at once."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingSvmParams(Params):
    """What makes the embedding, and of what.

    Attributes
    ----------
    extractor : str
        ``package.module:function`` (importable: installed, or on PYTHONPATH), a TorchScript file (``.pt``, run on
        the device of the run) or an ONNX file (``.onnx``, run on the CPU). It is given float32 waveforms of shape
        (n, n_samples) in [-1, 1] and gives floating point numbers of shape (n, d), or (n, n_frames, d). Take
        files from those you trust only: a TorchScript file is a program.
    sample_rate_hz : int
        That it expects.
    window_s : float
        Cut each clip into windows of this length that do not overlap, and give it those; what is left at the end is
        dropped. 0 for the whole clip.
    aggregation : {"mean", "mean+std"}
        How the embeddings of a clip's windows and frames become one vector.
    """

    extractor: str = ""
    sample_rate_hz: int = 16_000
    window_s: float = 0.0
    aggregation: Literal["mean", "mean+std"] = "mean"

    def __post_init__(self) -> None:
        named = self.extractor
        if not named:
            raise ConfigError(
                "embedding-svm: no extractor is named: give extractor=package.module:function, FILE.pt or FILE.onnx"
            )
        if not named.endswith((".pt", ".onnx")) and not re.fullmatch(r"\w+(\.\w+)*:\w+", named):
            raise ConfigError(
                f"embedding-svm: extractor={named} is none of package.module:function, FILE.pt and FILE.onnx"
            )
        if self.sample_rate_hz < 1:
            raise ConfigError(f"embedding-svm: sample_rate_hz is {self.sample_rate_hz}, must be at least 1")
        if not 0 <= self.window_s < float("inf"):
            raise ConfigError(f"embedding-svm: window_s is {self.window_s}, must be 0 or above")
        if self.window_s and self.window_samples < 1:
            raise ConfigError(f"embedding-svm: window_s of {self.window_s} s is less than a sample")

    @property
    def window_samples(self) -> int:
        """Samples of a window; 0 for the whole clip."""
        return round(self.window_s * self.sample_rate_hz)


class EmbeddingSvm(SvmSystem):
    """An extractor that the user names and a polynomial SVM of degree 3; the same at every budget."""

    numerics_version = 1
    card = Card(
        name="embedding-svm",
        title="Embedding + SVM",
        citation="no publication: the classifier that V. Abrol and P. Sharma (2020) put on VGGish",
        year=2020,
        input="waveform at the extractor's rate",
        guesses=(
            "The SVM is that of vggish-svm: standardised by the training clips, degree 3, coefficient 1, C by "
            "5-fold cross-validation on the training clips.",
            "Of an extractor in Python the run key holds the file of its module, not what that imports or reads.",
        ),
    )
    Params: ClassVar[type[Params]] = EmbeddingSvmParams
    params: EmbeddingSvmParams

    _extractor: Extractor | None = None

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Without the extractor's module or the package that runs it, or with windows longer than the clips."""
        from ._embedding_extractors import NEEDS_ONNX, has_module

        if isinstance(params, EmbeddingSvmParams):
            named = params.extractor
            if named.endswith(".onnx") and importlib.util.find_spec("onnxruntime") is None:
                return Reason("missing-dependency", f"{named} {NEEDS_ONNX}")
            if not named.endswith((".pt", ".onnx")) and not has_module(named):
                what = f"there is no module {named.partition(':')[0]}"
                return Reason("missing-dependency", f"{what}: install it, or put its folder on PYTHONPATH")
        if built is not None:
            duration_s, window_s = built.task.clip_duration_s, built.params.window_s
            if built.params.window_samples > built.front_end().shape(duration_s)[0]:
                return Reason("unsupported-task", f"windows of {window_s:g} s in clips of {duration_s:g} s")
        return None

    def external_files(self) -> tuple[Path, ...]:
        """The network's file, or that of the function's module."""
        from ._embedding_extractors import source_file

        named = self.params.extractor
        if named.endswith((".pt", ".onnx")):
            return (Path(named),)
        path = source_file(named)
        return () if path is None else (path,)

    def front_end(self) -> Waveform:
        """The samples themselves."""
        return Waveform(sample_rate_hz=self.params.sample_rate_hz)

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """See ``SvmSystem.fit``."""
        self._extractor = None  # may have been loaded for another device
        super().fit(train, validation, context)

    def move_to(self, device: str) -> None:
        """See ``System.move_to``."""
        super().move_to(device)
        self._extractor = None

    def embed(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Embed the windows of clips, (n_clips, n_samples), and pool them, (n_clips, d or 2d)."""
        from ._embedding_extractors import embed, load_extractor

        if self._extractor is None:
            self._extractor = load_extractor(self.params.extractor, self._device)
        length = self.params.window_samples or features.shape[1]
        n_windows = features.shape[1] // length
        windows = np.ascontiguousarray(features[:, : n_windows * length]).reshape(-1, length)
        parts = [
            embed(self._extractor, windows[i : i + _PER_BATCH], name=f"extractor={self.params.extractor}")
            for i in range(0, len(windows), _PER_BATCH)
        ]
        embeddings = np.concatenate(parts)
        return pooled(embeddings.reshape(len(features), -1, embeddings.shape[-1]), self.params.aggregation)

    def complexity(self) -> Mapping[str, int]:
        """Nothing: what the extractor costs is not known."""
        return {}
