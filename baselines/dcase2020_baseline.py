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
    ENCODERS,
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
    centred_windows,
    encoder,
    n_centred_windows,
)

from ._encoder_based import facts_of_weights, why_no_embedding

if TYPE_CHECKING:
    from torch import nn

    from asc_bench.api import Encoder, FrontEnd

_OWN_RATE_HZ = 48_000
"""Sample rate of an extractor of the user's own that states none: that of OpenL3."""
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
        OpenL3, another named encoder, or one of your own, as for ``embedding-linear``. It is given float32
        waveforms of shape (n, n_samples), one window each, and its embeddings are averaged over the frames of each.
    weights : str
        File or folder of the weights of a named encoder that no package brings. Nothing is downloaded.
    sample_rate_hz : int
        That an extractor of your own expects; 0 for 48,000. A named one has its own.
    window_s, hop_s : float
        Length and distance of the windows, the first of which is centred on the start of the clip.
    """

    extractor: str = "openl3"
    weights: str = ""
    sample_rate_hz: int = 0
    window_s: float = 1.0
    hop_s: float = 0.1

    def __post_init__(self) -> None:
        for name in ("window_s", "hop_s"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ConfigError(f"dcase2020-baseline: {name} is {value}, must be positive")
        if self.sample_rate_hz < 0:
            raise ConfigError(f"dcase2020-baseline: sample_rate_hz is {self.sample_rate_hz}, must be at least 1")
        try:
            lacking = self.encoder.lacking()
        except ConfigError as error:
            raise ConfigError(f"dcase2020-baseline: {error}") from error
        if lacking:
            raise ConfigError(f"dcase2020-baseline: {lacking}")
        if min(self.window_samples, self.hop_samples) < 1:
            raise ConfigError("dcase2020-baseline: window_s and hop_s must be a sample at least")

    @property
    def encoder(self) -> Encoder:
        """Of the windows."""
        rate_hz = self.sample_rate_hz or (0 if self.extractor in ENCODERS else _OWN_RATE_HZ)
        return encoder(self.extractor, weights=self.weights, sample_rate_hz=rate_hz, window_s=self.window_s)

    @property
    def window_samples(self) -> int:
        """Samples of a window."""
        return self.encoder.window_samples

    @property
    def hop_samples(self) -> int:
        """Samples between the starts of windows."""
        return round(self.hop_s * self.encoder.sample_rate_hz)


class Dcase2020Baseline(TorchSystem):
    """Heittola's multi-layer perceptron on embeddings, as published of OpenL3."""

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
            "Published numbers are of OpenL3 trained on music, with 256 mel bands; with another file or extractor "
            "they are those of another system. The published file was not at hand: network, front end and windows "
            "were held against torchopenl3 with random weights, and mel filters follow a formula (HTK scale, equal "
            "area).",
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
                comment="of music and 256 mel bands",
                when={"extractor": "openl3", "window_s": "1.0", "hop_s": "0.1"},
            ),
        ),
    )
    Params: ClassVar[type[Params]] = Dcase2020BaselineParams
    params: Dcase2020BaselineParams

    _n_dimensions: int | None = None

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Without the module that runs the extractor, or with windows longer than the clips."""
        if not isinstance(params, Dcase2020BaselineParams):
            return None
        return why_no_embedding(params.encoder, None if built is None else built.task.clip_duration_s)

    def external_files(self) -> tuple[Path, ...]:
        """The network's file, or that of the function's module."""
        return self.params.encoder.files()

    def front_end(self) -> Waveform:
        """The samples themselves."""
        return Waveform(sample_rate_hz=self.params.encoder.sample_rate_hz)

    def network_front_end(self) -> FrontEnd:
        """The encoder: the network reads embeddings, not samples."""
        return self.params.encoder

    @property
    def n_windows(self) -> int:
        """Windows of a clip."""
        (n_samples,) = self.front_end().shape(self.task.clip_duration_s)
        return n_centred_windows(n_samples, self.params.window_samples, self.params.hop_samples)

    def build(self) -> nn.Module:
        """Two hidden layers; 329,610 parameters for ten classes and embeddings of 512 numbers."""
        from torch import nn

        if self._n_dimensions is None:
            self._n_dimensions = self.params.encoder.dimensions(self.params.window_samples)
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
        windows = centred_windows(waveforms, self.params.window_samples, self.params.hop_samples)
        n_windows = windows.shape[1]
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

    def facts(self) -> Mapping[str, str | int | float]:
        """What the base tells, and of a named encoder where its weights come from and under which licence."""
        return {**super().facts(), **facts_of_weights(self.params.encoder)}

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
