"""CNN/i-vec: a fully convolutional network, i-vectors, and the calibrated fusion of both (DCASE 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeVar

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
    Features,
    FrontEnd,
    JointFrontEnd,
    LabelledClips,
    Linear,
    Mfcc,
    Mixup,
    Params,
    PerceptualMel,
    Probabilities,
    Published,
    Reason,
    StoreError,
    SystemFailure,
    TorchSystem,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import nn

    from ._cnn_ivector_classifier import IvectorClassifier

AnyClips = TypeVar("AnyClips", bound=Clips)
Array = npt.NDArray[np.float64]

N_LAST: Mapping[int, int] = {42: 336, 32: 512, 64: 512}
"""Maps of the ninth and tenth layer, by those of the first."""

COSINE_SCALE = 16.0
"""Of the cosines before their softmax: it ranks classes as they do, and the fusion finds a scale of its own."""

_LEAST_FRAMES = 47
_EXCERPT_S = 3.0
_FILE = "ivector.safetensors"


@dataclass(frozen=True, kw_only=True)
class CnnIvectorParams(Params):
    """Which part, and its size.

    Attributes
    ----------
    part : {"both", "cnn", "ivector"}
        The fusion, or one part alone. The fusion's weights are fitted on the validation split; a part alone trains
        on these clips as well.
    nf : {42, 32, 64}
        Maps of the network's first layer. Nothing reads it with ``part=ivector``, nor the next two with
        ``part=cnn``: they are reset to their defaults then, so that equal runs have equal names.
    n_gaussians : int
        Of the universal background model.
    n_factors : int
        Length of an i-vector.
    sample_rate_hz : {22050, 16000}
        22,050 as the authors have it; 16,000 is the rate of Abrol and Sharma. Windows last 93 ms and lie 23 ms
        apart either way (those of the i-vectors 25 and 10 ms), and bands reach up to half the rate.
    """

    part: Literal["both", "cnn", "ivector"] = "both"
    nf: Literal[42, 32, 64] = 42
    n_gaussians: int = 128
    n_factors: int = 100
    sample_rate_hz: Literal[22_050, 16_000] = 22_050

    def __post_init__(self) -> None:
        for name in ("n_gaussians", "n_factors"):
            if getattr(self, name) < 1:
                raise ConfigError(f"cnn-ivector: {name} is {getattr(self, name)}, must be at least 1")
        unread = {"cnn": ("n_gaussians", "n_factors"), "ivector": ("nf",)}.get(self.part, ())
        for name in unread:
            object.__setattr__(self, name, getattr(CnnIvectorParams, name))


class CnnIvector(TorchSystem):
    """Dorfer et al.'s two systems; the fusion is a logistic regression on the logarithms of their probabilities."""

    numerics_version = 1
    card = Card(
        name="cnn-ivector",
        title="CNN/i-vec",
        citation="M. Dorfer, B. Lehner, H. Eghbal-zadeh, H. Christop, F. Paischer and G. Widmer, Acoustic scene "
        "classification with fully convolutional neural networks and i-vectors, DCASE 2018 Challenge, technical "
        "report",
        year=2018,
        input="256 mel bands of A-weighted decibels and MFCC with derivatives, 22.05 kHz",
        guesses=(
            "The report was not at hand. The network is that of the authors' DCASE 2016 entry with 11 convolutions "
            "as it is remembered, with 42 to 336 maps (nf=32 and nf=64 have 512 at the end); 11 is the number that "
            "Abrol and Sharma give. The last convolution has batch normalisation and no ReLU. Training follows the "
            "authors' Task 2 code: Adam (0.001), batch 100, 500 epochs, linear decay from the 100th, mixup 0.2.",
            "Dropout 0.3 (77/256) after each pooling. Excerpts of 3 s in training, whole clips at test. Features "
            "are standardised per band by the training split, and the last weights are kept.",
            "i-vectors: 20 MFCC of 30 bands (with the 0th) and two derivatives, windows of 25 ms every 10 ms, 128 "
            "Gaussians, 100 factors, 10 EM iterations each; the authors had 256, 400 and windows without overlap, "
            "which clips of 5 s cannot feed. Recordings are mono here, the authors' were not.",
            "LDA is not shrunk, which was decided while looking at all folds of ESC-10, so its ESC-10 score is a "
            "little optimistic. Probabilities of i-vectors alone are the softmax of 16 times the cosine.",
            "The fusion has a unit normal prior about equal scales and no offsets: validation clips may be "
            "separable, or lack a class.",
            "quick: 500 steps of 16 clips for the network, rate falling from the 100th; all of the i-vectors. "
            "smoke: 60 steps, a fifth of the maps, 8 Gaussians, 6 factors, 3 iterations.",
        ),
        published=(Published("merged", "hierarchical_table4", {"system": "CNN/i-vec"}, when={"part": "both"}),),
    )
    Params: ClassVar[type[Params]] = CnnIvectorParams
    params: CnnIvectorParams

    _classifier: IvectorClassifier | None = None
    _fusion: tuple[Array, Array] | None = None
    """Scales of the network and the i-vectors, and offsets of the classes."""

    @property
    def uses_validation(self) -> bool:
        """Only to fit the fusion."""
        return self.params.part == "both"

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """Three poolings and a convolution without padding need 47 frames."""
        if built is None or built.params.part == "ivector":
            return None
        n_frames, _ = built.mel().shape(built.task.clip_duration_s)
        if n_frames >= _LEAST_FRAMES:
            return None
        duration = f"clips of {built.task.clip_duration_s:g} s"
        return Reason(
            "unsupported-task", f"{duration} have {n_frames} frames, and the network needs {_LEAST_FRAMES}"
        )

    def front_end(self) -> FrontEnd:
        """The spectrogram of the network, the coefficients of the i-vectors, or both."""
        if self.params.part != "both":
            return self.mel() if self.params.part == "cnn" else self.mfcc()
        return JointFrontEnd(sample_rate_hz=self.params.sample_rate_hz, parts=(self.mel(), self.mfcc()))

    def network_front_end(self) -> FrontEnd:
        """The spectrogram."""
        return self.mel()

    def plan_fault(self) -> str:
        """I-vectors are not trained by a plan."""
        if self.params.part == "ivector" and self.plan_changes:
            return f"{self.plan_changes}: part=ivector trains no network"
        return super().plan_fault()

    def mel(self) -> PerceptualMel:
        """What the network reads."""
        if self.params.sample_rate_hz == 22_050:
            return PerceptualMel()
        return PerceptualMel(sample_rate_hz=16_000, window_length=1_486, hop_length=372, fmax_hz=8_000.0)

    def mfcc(self) -> Mfcc:
        """What the i-vectors are made of."""
        rate = self.params.sample_rate_hz
        return Mfcc(
            sample_rate_hz=rate,
            n_fft=1_024,
            window_length=rate * 25 // 1_000,
            hop_length=rate * 10 // 1_000,
            n_mels=30,
            fmin_hz=0.0,
            fmax_hz=rate / 2,
            n_coefficients=20,
        )

    def build(self) -> nn.Module:
        """The network."""
        from ._cnn_ivector_network import FullyConvolutional

        mel = self.mel()
        smoke = self.budget is Budget.SMOKE
        return FullyConvolutional(
            n_first=8 if smoke else self.params.nf,
            n_last=64 if smoke else N_LAST[self.params.nf],
            n_classes=len(self.task.labels.fine),
            excerpt=round(_EXCERPT_S * mel.sample_rate_hz / mel.hop_length),
        )

    def training_plan(self) -> TrainingPlan:
        """Of the network; see the card's guesses."""
        paper, smoke = self.budget is Budget.PAPER, self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=100 if paper else 16,
            epochs=500 if paper else None,
            iterations=None if paper else 60 if smoke else 500,
            learning_rate=1e-3,
            schedule=Linear(start=0.2),
            standardise="per-band",
            augment=(Mixup(alpha=0.2),),
            precision="auto",
            channels_last=True,
        )

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Train the network, fit the i-vectors, then the fusion of both on the validation split."""
        shares = {"cnn": 1.0, "ivector": 0.0, "both": 0.9}
        share = shares[self.params.part]
        if self.params.part != "ivector":

            def first(fraction: float, text: str) -> None:
                context.progress(share * fraction, text)

            super().fit(self._part(train, "cnn"), None, replace(context, progress=first))
        if self.params.part != "cnn":
            self._fit_ivectors(self._part(train, "ivector"), context, share)
        if self.params.part == "both":
            from asc_bench.api import fit_fusion

            if validation is None:
                raise SystemFailure(
                    "cnn-ivector: the fusion of both parts is fitted on a validation split, and there is none"
                )
            self._fusion = fit_fusion(self._log_probabilities(validation), validation.labels[FINE])
            context.progress(1.0, "fusion fitted")

    def predict(self, clips: Clips) -> Probabilities:
        """Of the network on the whole clip, of the cosines, or of their fusion."""
        if self.params.part == "cnn":
            return self._of_network(clips)
        if self.params.part == "ivector":
            return self._of_ivectors(clips)
        from asc_bench.api import fused_probabilities

        if self._fusion is None:
            raise SystemFailure("cnn-ivector is neither fitted nor loaded; call fit or load first")
        return fused_probabilities(self._log_probabilities(clips), *self._fusion).astype(np.float32)

    def save(self, folder: Path) -> None:
        """The network as ``weights.safetensors``, the i-vectors and the fusion as ``ivector.safetensors``."""
        import torch

        from asc_bench.api import write_tensors

        if self.params.part != "ivector":
            super().save(folder)
        if self.params.part != "cnn":
            arrays = self._fitted_classifier().arrays()
            if self._fusion is not None:
                arrays |= {"fusion/scales": self._fusion[0], "fusion/offsets": self._fusion[1]}
            tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
            write_tensors(folder / _FILE, tensors, {"system": self.card.name, "params": repr(self.params)})

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote.

        Raises
        ------
        StoreError
            If a file is missing or damaged, or belongs to another system or other parameters.
        """
        from asc_bench.api import read_tensors

        from ._cnn_ivector_classifier import IvectorClassifier

        if self.params.part != "ivector":
            super().load(folder)
        if self.params.part != "cnn":
            tensors, facts = read_tensors(folder / _FILE)
            for what, mine in (("system", self.card.name), ("params", repr(self.params))):
                if facts.get(what) != mine:
                    raise StoreError(f"{folder / _FILE}: written for {what} {facts.get(what)!r}, not {mine!r}")
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            self._classifier = IvectorClassifier.of_arrays(arrays)
            if self.params.part == "both":
                self._fusion = arrays["fusion/scales"], arrays["fusion/offsets"]

    def complexity(self) -> Mapping[str, int]:
        """Of the parts that there are; of fitted i-vectors, all stored numbers and the matrix products."""
        from asc_bench.api import count_multiply_adds, count_parameters

        cost = {"n_parameters": 0, "n_multiply_adds": 0}
        if self.params.part != "ivector":
            module = self.module if self.module is not None else self.build()
            shape = self.mel().shape(self.task.clip_duration_s)
            cost["n_parameters"] += count_parameters(module)
            cost["n_multiply_adds"] += count_multiply_adds(module, self, shape, self.training_plan())
        if self.params.part != "cnn":
            if self._classifier is None:
                return {}
            n_frames, _ = self.mfcc().shape(self.task.clip_duration_s)
            cost["n_parameters"] += sum(array.size for array in self._classifier.arrays().values())
            cost["n_multiply_adds"] += self._classifier.multiply_adds(n_frames)
        if self._fusion is not None:
            cost["n_parameters"] += sum(array.size for array in self._fusion)
        return cost

    def facts(self) -> Mapping[str, str | int | float]:
        """Arithmetic of the network's training, and the scales of the fusion."""
        found = dict(super().facts()) if self.params.part != "ivector" else {}
        if self._fusion is not None:
            names = ("fusion_scale_cnn", "fusion_scale_ivector")
            found |= {name: float(f"{scale:.4g}") for name, scale in zip(names, self._fusion[0], strict=True)}
        return found

    def _part(self, clips: AnyClips, part: Literal["cnn", "ivector"]) -> AnyClips:
        """The same clips with the features of one part alone."""
        front_end = self.front_end()
        if not isinstance(front_end, JointFrontEnd):
            return clips
        views = front_end.split(clips.features.source, duration_s=self.task.clip_duration_s)
        return replace(clips, features=Features(views[part == "ivector"], clips.features.rows))

    def _fit_ivectors(self, train: LabelledClips, context: Context, done: float) -> None:
        from ._cnn_ivector_classifier import Size, fit_classifier

        self._check(train)
        smoke = self.budget is Budget.SMOKE
        size = Size(
            n_gaussians=8 if smoke else self.params.n_gaussians,
            n_factors=6 if smoke else self.params.n_factors,
            n_iterations=3 if smoke else 10,
        )
        self._classifier = fit_classifier(
            train.features,
            train.labels[FINE],
            n_classes=len(self.task.labels.fine),
            size=size,
            rng=context.rng(),
            progress=lambda fraction, text: context.progress(done + (1.0 - done) * fraction, text),
        )

    def _fitted_classifier(self) -> IvectorClassifier:
        if self._classifier is None:
            raise SystemFailure("cnn-ivector is neither fitted nor loaded; call fit or load first")
        return self._classifier

    def _of_network(self, clips: Clips) -> npt.NDArray[np.float32]:
        given = super().predict(self._part(clips, "cnn"))
        return given[FINE] if isinstance(given, Mapping) else given

    def _of_ivectors(self, clips: Clips) -> npt.NDArray[np.float32]:
        from scipy.special import softmax

        cosines = self._fitted_classifier().scores(self._part(clips, "ivector").features)
        probabilities: npt.NDArray[np.float32] = softmax(COSINE_SCALE * cosines, axis=1).astype(np.float32)
        return probabilities

    def _log_probabilities(self, clips: Clips) -> list[Array]:
        from asc_bench.api import log_probabilities

        return [log_probabilities(given) for given in (self._of_network(clips), self._of_ivectors(clips))]
