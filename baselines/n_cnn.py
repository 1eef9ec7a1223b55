"""N-CNN: a small network with normalisation before and after each convolution, for noisy labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from asc_bench.api import (
    FINE,
    Budget,
    Card,
    ConfigError,
    Cosine,
    Crop,
    LevelledLogMel,
    Params,
    Plateau,
    Published,
    TorchSystem,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asc_bench.api import Batch, Outputs

_N_BANDS, _N_FRAMES, _TEST_HOP = 96, 100, 50
_WIDTHS = (24, 48, 48)
_DENSE_L2 = 1e-3


@dataclass(frozen=True, kw_only=True)
class NCnnParams(Params):
    """Loss and sample rate.

    Attributes
    ----------
    loss : {"cce", "lq"}
        Cross-entropy, or L_q, which doubtful labels mislead less.
    q : float
        Of the loss L_q, above 0 and at most 1. Nothing reads it with ``loss=cce``: it is reset to its default then,
        so that equal runs have equal names.
    sample_rate_hz : {44100, 16000}
        44,100 as the authors have it; 16,000 is the rate of Abrol and Sharma. Windows last 40 ms and lie 20 ms
        apart either way, and bands reach up to half the rate.
    """

    loss: Literal["cce", "lq"] = "cce"
    q: float = 0.7
    sample_rate_hz: Literal[44_100, 16_000] = 44_100

    def __post_init__(self) -> None:
        if not 0 < self.q <= 1:
            raise ConfigError(f"n-cnn: q is {self.q}, must be above 0 and at most 1")
        if self.loss == "cce":
            object.__setattr__(self, "q", NCnnParams.q)


class NCnn(TorchSystem):
    """Fonseca et al.'s network on patches of 2 s, by the geometric mean over the patches of a clip."""

    numerics_version = 2
    card = Card(
        name="n-cnn",
        title="N-CNN",
        citation="E. Fonseca, M. Plakal, D. P. W. Ellis, F. Font, X. Favory and X. Serra, Learning sound event "
        "classifiers from web audio with noisy labels, ICASSP 2019",
        year=2019,
        input="96-band log-mel of the levelled clip, 44.1 kHz, window 40 ms, hop 20 ms",
        guesses=(
            "The loss is cross-entropy: Abrol and Sharma name none, and their labels are clean. Of the others "
            "there is L_q (loss=lq); soft bootstrapping and the masking of losses are missing.",
            "The rate is the authors'; Abrol and Sharma trained at 16 kHz (sample_rate_hz=16000).",
            "Training draws a patch at random places, one for each clip and step, instead of cutting patches every "
            "50 frames; an epoch of the authors is as many epochs here as a clip has of their patches.",
            "L2: 0.001 times the sum of squared dense weights, biases free.",
            "paper: the rate is halved after 5 validations without a higher class-averaged accuracy, from the best "
            "weights, which are kept; 15 without end the training, whatever the size of the gain.",
            "quick and smoke: a cosine to 0, the last weights, and a batch has 0.1 of the running statistics "
            "instead of Keras' 0.01; quick is 160 epochs, smoke has a third of the maps.",
        ),
        published=(Published("merged", "hierarchical_table4", {"system": "N-CNN"}, when={"loss": "cce"}),),
    )
    Params: ClassVar[type[Params]] = NCnnParams
    params: NCnnParams

    def front_end(self) -> LevelledLogMel:
        """Power in bands of height 1, up to half the rate, ``log10(x + 2**-52)``."""
        rate = self.params.sample_rate_hz
        return LevelledLogMel(
            sample_rate_hz=rate,
            n_fft=2_048 if rate == 44_100 else 1_024,
            window_length=rate * 40 // 1_000,
            hop_length=rate * 20 // 1_000,
            n_mels=_N_BANDS,
            fmin_hz=0.0,
            fmax_hz=rate / 2,
            window="hamming",
            mel_norm=None,
            pad="reflect",
            log="log10",
            floor=2.0**-52,
        )

    def build(self) -> nn.Module:
        """Three convolutions that keep the size, pooling by 4 in time and 2 in frequency, two dense layers."""
        from torch import nn

        from asc_bench.modules.conv import AddChannel
        from asc_bench.modules.norms import KERAS_MOMENTUM, with_keras_batch_norm

        widths = [width // 3 for width in _WIDTHS] if self.budget is Budget.SMOKE else list(_WIDTHS)
        n_flat = widths[-1] * (_N_FRAMES // 16) * (_N_BANDS // 4)
        layers: list[nn.Module] = [AddChannel()]
        for n_in, n_out in zip((1, *widths[:-1]), widths, strict=True):
            # The ReLU on standardised input cuts every bin below its band's mean; it is the authors'.
            layers += [nn.BatchNorm2d(n_in), nn.ReLU(), nn.Conv2d(n_in, n_out, 5, padding=2), nn.BatchNorm2d(n_out)]
            # ReLU after the maximum gives the same numbers as before it, on an eighth of the bins.
            layers += [nn.MaxPool2d((4, 2)), nn.ReLU()]
        module = nn.Sequential(
            *layers[:-2],  # no pooling after the last convolution
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(n_flat, 64),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(64, len(self.task.labels.fine)),
        )
        for layer in module:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        return with_keras_batch_norm(module, momentum=KERAS_MOMENTUM if self.budget is Budget.PAPER else 0.1)

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Cross-entropy or L_q of the fine logits."""
        if self.params.loss == "cce":
            return super().loss(outputs, batch)
        from asc_bench.modules.losses import lq_loss

        return lq_loss(outputs, batch.labels[FINE], q=self.params.q)

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """L2 on the two dense layers' weights alone; the gradient of ``c w**2`` is a decay of ``2 c``."""
        from torch import nn

        dense = [layer.weight for layer in module.modules() if isinstance(layer, nn.Linear)]
        others = [p for p in module.parameters() if all(p is not weight for weight in dense)]
        return [{"params": others}, {"params": dense, "weight_decay": 2 * _DENSE_L2}]

    def training_plan(self) -> TrainingPlan:
        """As published for ``paper``; see the card's guesses for the others."""
        crop = Crop(length=_N_FRAMES, test_hop=_TEST_HOP, average="geometric")
        if self.budget is Budget.PAPER:
            n_frames, _ = self.front_end().shape(self.task.clip_duration_s)
            n_patches = len(crop.test_starts(n_frames))
            return TrainingPlan(
                batch_size=64,
                epochs=160 * n_patches,
                learning_rate=1e-3,
                schedule=Plateau(gamma=0.5, patience=5),
                standardise="per-band",
                crop=crop,
                precision="auto",
                channels_last=True,
                select="best",
                validate_every=n_patches,
                patience=15,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=16 if smoke else 32,
            epochs=None if smoke else 160,
            iterations=60 if smoke else None,
            learning_rate=1e-3,
            schedule=Cosine(),
            standardise="per-band",
            crop=crop,
            precision="auto",
            channels_last=True,
        )
