"""Raw-CNN: very deep one-dimensional convolutions of three taps on raw samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from asc_bench.api import (
    AnyParams,
    Budget,
    Card,
    Cosine,
    Params,
    Plateau,
    Published,
    Reason,
    TorchSystem,
    TrainingPlan,
    Waveform,
)

if TYPE_CHECKING:
    from torch import nn

STAGES: Mapping[str, tuple[tuple[int, ...], ...]] = MappingProxyType(
    {
        "M3": ((256,), (256,)),
        "M5": ((128,), (128,), (256,), (512,)),
        "M8": ((64,), (64,) * 2, (128,) * 2, (256,) * 2, (512,)),
        "M11": ((64,), (64,) * 2, (128,) * 2, (256,) * 3, (512,) * 2),
        "M18": ((64,), (64,) * 4, (128,) * 4, (256,) * 4, (512,) * 4),
    }
)
"""Widths of the convolutions between two poolings."""

POOLED_LAST = ("M3", "M5")
"""Depths that pool after their last stage, too."""

_POOL = 4
_CONVOLUTION_L2 = 1e-4


@dataclass(frozen=True, kw_only=True)
class RawCnnParams(Params):
    """Settings of the network.

    Attributes
    ----------
    depth : {"M8", "M3", "M5", "M11", "M18"}
        M8 has eight convolutions. The others are Dai et al.'s, who count the dense layer, too.
    sample_rate_hz : {16000, 8000}
        8,000 as Dai et al. have it.
    kernel : {80, 160}
        Samples of the first convolution, whose stride is a twentieth of them. 80 as published; at 16 kHz 160 are
        the 10 ms that 80 are at 8 kHz.
    """

    depth: Literal["M8", "M3", "M5", "M11", "M18"] = "M8"
    sample_rate_hz: Literal[16_000, 8_000] = 16_000
    kernel: Literal[80, 160] = 80


class RawCnn(TorchSystem):
    """Dai et al.'s family of networks, with the eight convolutions that Abrol and Sharma count by default."""

    numerics_version = 2
    card = Card(
        name="raw-cnn",
        title="Raw-CNN",
        citation="T. Purohit, A. Agrawal and V. Ramasubramanian, Acoustic scene classification using deep CNN on "
        "raw-waveform, DCASE 2018, in Abrol and Sharma (2020); networks after W. Dai, C. Dai, S. Qu, J. Li and "
        "S. Das, Very deep convolutional neural networks for raw waveforms, ICASSP 2017",
        year=2018,
        input="waveform, 16 kHz, whole clips",
        guesses=(
            "Of Purohit et al. only the abstract was to be had. M8 is M11 without one convolution in each of its "
            "last two stages, so that eight are left, as Abrol and Sharma count; networks and training follow "
            "Dai et al. and a public re-implementation.",
            "The first convolution has no padding, all others keep the length; the re-implementation pads all.",
            "M3 and M5 pool after their last stage, too, as the re-implementation does; M8, M11 and M18 do not.",
            "Each clip is brought to mean 0 and deviation 1.",
            "16 kHz is Abrol and Sharma's rate; Dai et al. have 8 kHz.",
            "L2: 0.0001 times the sum of squared weights of the convolutions, biases and the last layer free.",
            "paper: as the re-implementation, Adam (0.001), batch 128, 400 epochs, the last weights; the rate is "
            "halved, down to 0.0001, after 11 epochs without a higher validation accuracy and after 10 further "
            "ones, as its logs show. It looks at the test clips there, of 4 s, and lets gains below 0.0001 pass.",
            "quick and smoke: batch 16, a cosine to 0, the last weights, and a batch has 0.1 of the running "
            "statistics instead of Keras' 0.01, because they have few; quick is 30 epochs, as good "
            "as 60 and 120 on validation clips of ESC-10, smoke an eighth as wide.",
        ),
        published=(
            Published("merged", "hierarchical_table4", {"system": "Raw-CNN"}, when={"depth": "M8", "kernel": "80"}),
        ),
    )
    Params: ClassVar[type[Params]] = RawCnnParams
    params: RawCnnParams

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """A clip must leave one step after all poolings."""
        if built is None:
            return None
        kernel, depth = built.params.kernel, built.params.depth
        n_pools = len(STAGES[depth]) if depth in POOLED_LAST else len(STAGES[depth]) - 1
        least = kernel + (_POOL**n_pools - 1) * (kernel // 20)
        (n_samples,) = built.front_end().shape(built.task.clip_duration_s)
        if n_samples >= least:
            return None
        return Reason(
            "unsupported-task",
            f"clips of {built.task.clip_duration_s:g} s have {n_samples:,} samples at "
            f"{built.params.sample_rate_hz:,} Hz, and depth={depth} needs at least {least:,}",
        )

    def front_end(self) -> Waveform:
        """Samples as they are."""
        return Waveform(sample_rate_hz=self.params.sample_rate_hz)

    def build(self) -> nn.Module:
        """Convolutions with batch normalisation, the mean over time, one dense layer."""
        from asc_bench.modules.norms import KERAS_MOMENTUM, with_keras_batch_norm

        from ._raw_cnn_network import RawNetwork

        narrow = 8 if self.budget is Budget.SMOKE else 1
        module = RawNetwork(
            [[width // narrow for width in stage] for stage in STAGES[self.params.depth]],
            n_classes=len(self.task.labels.fine),
            kernel=self.params.kernel,
            stride=self.params.kernel // 20,
            pool_last=self.params.depth in POOLED_LAST,
        )
        return with_keras_batch_norm(module, momentum=KERAS_MOMENTUM if self.budget is Budget.PAPER else 0.1)

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """L2 on the convolutions' weights alone; the gradient of ``c w**2`` is a decay of ``2 c``."""
        from ._raw_cnn_network import RawNetwork

        assert isinstance(module, RawNetwork)
        decaying = [layer.weight for layer in module.convolutions()]
        others = [p for p in module.parameters() if all(p is not weight for weight in decaying)]
        return [{"params": others}, {"params": decaying, "weight_decay": 2 * _CONVOLUTION_L2}]

    def training_plan(self) -> TrainingPlan:
        """Whole clips; see the card's guesses."""
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=128,
                epochs=400,
                learning_rate=1e-3,
                schedule=Plateau(gamma=0.5, patience=11, restart=False, floor=0.1),
                short_batches=True,
                precision="auto",
                channels_last=True,
                validate_every=1,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=16,
            epochs=None if smoke else 30,
            iterations=40 if smoke else None,
            learning_rate=1e-3,
            schedule=Cosine(),
            precision="auto",
            channels_last=True,
        )
