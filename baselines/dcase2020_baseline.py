"""The baseline of DCASE 2020 Task 1A: embeddings of overlapping seconds and a network of two hidden layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from asc_bench.api import (
    FINE,
    AnyParams,
    Budget,
    Card,
    Clips,
    ConfigError,
    Context,
    Crop,
    Features,
    LabelledClips,
    Params,
    Probabilities,
    Published,
    Reason,
    TorchSystem,
    TrainingPlan,
    Waveform,
)

if TYPE_CHECKING:
    from torch import nn

    from asc_bench.api import Encoder, FrontEnd

_WINDOWS_AT_ONCE = 16
_CLIPS_AT_ONCE = 64
_FRAME = Crop(length=1, test_hop=1)
"""An example is the embedding of one window; those of all windows of a clip are averaged at test."""


@dataclass(frozen=True, kw_only=True)
class Dcase2020BaselineParams(Params):
    """What makes the embedding.

    Attributes
    ----------
    extractor : str
        ``package.module:function`` (importable), a TorchScript file (``.pt``) or an ONNX file (``.onnx``), as for
        ``embedding-svm``. It is given float32 waveforms of shape (n, n_samples), one window each, and gives
        floating point numbers of shape (n, d), or (n, n_frames, d), which are averaged over frames.
    sample_rate_hz : int
        That it expects; OpenL3 was trained at 48 kHz.
    window_s, hop_s : float
        Length and distance of the windows, the first of which is centred on the start of the clip.
    """

    extractor: str = ""
    sample_rate_hz: int = 48_000
    window_s: float = 1.0
    hop_s: float = 0.1

    def __post_init__(self) -> None:
        if not self.extractor:
            raise ConfigError(
                "dcase2020-baseline: no extractor is named, and OpenL3 is no part of this package: give "
                "extractor=package.module:function, FILE.pt or FILE.onnx"
            )
        if not self.extractor.endswith((".pt", ".onnx")) and ":" not in self.extractor:
            raise ConfigError(
                f"dcase2020-baseline: extractor={self.extractor} is none of package.module:function, FILE.pt and "
                "FILE.onnx"
            )
        for name in ("sample_rate_hz", "window_s", "hop_s"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ConfigError(f"dcase2020-baseline: {name} is {value}, must be positive")
        if min(self.window_samples, self.hop_samples) < 1:
            raise ConfigError("dcase2020-baseline: window_s and hop_s must be a sample at least")

    @property
    def encoder(self) -> Encoder:
        """Of the windows."""
        from asc_bench.api import encoder

        return encoder(self.extractor, sample_rate_hz=self.sample_rate_hz)

    @property
    def window_samples(self) -> int:
        """Samples of a window."""
        return round(self.window_s * self.sample_rate_hz)

    @property
    def hop_samples(self) -> int:
        """Samples between the starts of windows."""
        return round(self.hop_s * self.sample_rate_hz)


class Dcase2020Baseline(TorchSystem):
    """Heittola's multi-layer perceptron on an embedding that the user names; as published, OpenL3."""

    numerics_version = 1
    card = Card(
        name="dcase2020-baseline",
        title="DCASE 2020 baseline",
        citation="T. Heittola, A. Mesaros and T. Virtanen, Acoustic scene classification in DCASE 2020 challenge: "
        "generalization across devices and low complexity solutions, DCASE 2020; code: "
        "github.com/toni-heittola/dcase2020_task1_baseline, task1a",
        year=2020,
        input="embeddings of windows of 1 s, hop 100 ms; as published OpenL3 (music, mel256, 512 numbers)",
        guesses=(
            "Published numbers are of OpenL3; with another extractor they are those of another system.",
            "Windows lie as OpenL3 lays them with center=True: half a window of zeros before the clip, and zeros "
            "after it where the last window needs them.",
            "An epoch of the source is every window of every clip; here a step draws one window of each of 64 "
            "clips, and there are as many steps.",
            "The validation split is the protocol's, where the source holds out 30 % of the training clips.",
            "Adam adds 1e-8 to its denominator, Keras 1e-7.",
            "Parameters and multiply-adds are those of the perceptron; the extractor is not counted.",
            "quick trains 2,000 steps and smoke 60; both look for the best weights from the first on.",
        ),
        published=(
            Published(
                "dcase2020",
                "dcase_mobile_baselines",
                {"protocol": "dcase2020", "system": "DCASE 2020 baseline (OpenL3 + MLP)"},
                comment="with OpenL3 as the extractor",
                when={"sample_rate_hz": "48000", "window_s": "1.0", "hop_s": "0.1"},
            ),
        ),
    )
    Params: ClassVar[type[Params]] = Dcase2020BaselineParams
    params: Dcase2020BaselineParams

    _n_dimensions: int | None = None

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Without the extractor's module, or the package that runs it."""
        if isinstance(params, Dcase2020BaselineParams) and (absent := params.encoder.absent()):
            return Reason("missing-dependency", absent)
        return None

    def external_files(self) -> tuple[Path, ...]:
        """The network's file, or that of the function's module."""
        return self.params.encoder.files()

    def front_end(self) -> Waveform:
        """The samples themselves."""
        return Waveform(sample_rate_hz=self.params.sample_rate_hz)

    def network_front_end(self) -> FrontEnd:
        """The encoder: the network reads embeddings, not samples."""
        return self.params.encoder

    @property
    def n_windows(self) -> int:
        """Windows of a clip."""
        (n_samples,) = self.front_end().shape(self.task.clip_duration_s)
        left = n_samples - self.params.window_samples + self.params.window_samples // 2
        return 1 + max(0, -(-left // self.params.hop_samples))

    def build(self) -> nn.Module:
        """Two hidden layers; 329,610 parameters for ten classes and embeddings of 512 numbers."""
        from torch import nn

        if self._n_dimensions is None:
            self._n_dimensions = self.embedded(np.zeros((1, 1), np.float32)).shape[-1]
        sizes = (self._n_dimensions, 512, 128, len(self.task.labels.fine))
        module = nn.Sequential(nn.Flatten())
        for before, after in pairwise(sizes):
            layer = nn.Linear(before, after)
            nn.init.uniform_(layer.weight, -0.05, 0.05)
            nn.init.zeros_(layer.bias)
            module.extend([layer, nn.ReLU()])
        return module[:-1]

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Embed the windows of all clips into the scratch folder, and train on them."""
        self._device, self._n_dimensions = context.device, None
        self._statistics = None
        train = replace(train, features=self._stored(train.features, context, "training"))
        self._n_dimensions = train.features.shape[-1]
        if validation is not None:
            validation = replace(validation, features=self._stored(validation.features, context, "validation"))
        self.module = self.train_network(train, validation, context)

    def predict(self, clips: Clips) -> Probabilities:
        """Mean over the windows of each clip."""
        found = []
        for first in range(0, len(clips), _CLIPS_AT_ONCE):
            vectors = self.embedded(clips.features[slice(first, first + _CLIPS_AT_ONCE)])
            given = super().predict(Clips(Features(vectors, np.arange(len(vectors)))))
            found.append(given[FINE] if isinstance(given, Mapping) else given)
        return np.concatenate(found)

    def embedded(self, waveforms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Embeddings of all windows, (n_clips, n_windows, d), of waveforms, (n_clips, n_samples)."""
        length, hop = self.params.window_samples, self.params.hop_samples
        before = length // 2
        n_windows = 1 + max(0, -(-(waveforms.shape[1] + before - length) // hop))
        after = max(0, (n_windows - 1) * hop + length - before - waveforms.shape[1])
        padded = np.pad(waveforms, ((0, 0), (before, after)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)[:, ::hop][:, :n_windows]
        found = []
        for clip in windows:
            for first in range(0, n_windows, _WINDOWS_AT_ONCE):
                given = np.ascontiguousarray(clip[first : first + _WINDOWS_AT_ONCE])
                found.append(self.params.encoder.embed(given).mean(axis=1))
        return np.concatenate(found).reshape(len(waveforms), n_windows, -1)

    def _stored(self, features: Features, context: Context, name: str) -> Features:
        """Embeddings of a split as a file: they may be more than the memory holds, and a cut run finds them."""
        path = context.folder / f"embeddings-{name}.npy"
        if not path.exists():
            unfinished, target = path.with_suffix(".part"), None
            for first in range(0, len(features), _CLIPS_AT_ONCE):
                vectors = self.embedded(features[slice(first, first + _CLIPS_AT_ONCE)])
                if target is None:
                    shape = (len(features), *vectors.shape[1:])
                    target = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float32, shape=shape)
                target[first : first + len(vectors)] = vectors
                context.progress(0.0, f"{first + len(vectors)} of {len(features)} {name} clips embedded")
            assert target is not None
            target.flush()
            unfinished.rename(path)
        return Features(np.load(path, mmap_mode="r"), np.arange(len(features)))

    def complexity(self) -> Mapping[str, int]:
        """Of the perceptron, on all windows of a clip."""
        from asc_bench.api import count_parameters

        module = self.module if self.module is not None else self.build()
        n_parameters = count_parameters(module)
        n_biases = sum(p.numel() for p in module.parameters() if p.ndim == 1)
        return {"n_parameters": n_parameters, "n_multiply_adds": self.n_windows * (n_parameters - n_biases)}

    def training_plan(self) -> TrainingPlan:
        """Adam at a constant rate; the weights that do best on the validation split."""
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=64,
                epochs=200 * self.n_windows,
                learning_rate=1e-3,
                crop=_FRAME,
                short_batches=True,
                select="best",
                validate_every=self.n_windows,
                validate_after=26 * self.n_windows,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=64,
            iterations=60 if smoke else 2_000,
            learning_rate=1e-3,
            crop=_FRAME,
            select="best",
            validate_every=20 if smoke else 50,
        )
