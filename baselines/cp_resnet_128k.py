"""CP-ResNet with 128 thousand parameters: student of DCASE 2022, teacher of the years after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from asc_bench.api import (
    Budget,
    Card,
    ConfigError,
    Cosine,
    Crop,
    FreqMixStyle,
    KaldiLogMel,
    Linear,
    Params,
    SpecAugment,
    TimeRoll,
    TorchSystem,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import nn

_MIN_RHO, _MAX_RHO = 3, 10
_EXCERPT = Crop(length=43, test_hop=42)
"""One second, less the sample that pre-emphasis costs; the frames at both ends of a second reach into the next."""

_AUGMENT = (
    SpecAugment(frequency=48, time=0, value=0.9),
    TimeRoll(seconds=0.125),
    FreqMixStyle(p=0.8, alpha=0.4),
)
"""Masked logarithms are 0 in the source, 0.9 once they are normalised; 4,000 samples are 5 frames."""


@dataclass(frozen=True, kw_only=True)
class CpResnet128kParams(Params):
    """Receptive field.

    Attributes
    ----------
    rho : int
        3 to 10: the larger, the more convolutions have kernels of 3 instead of 1, in order of depth.
    """

    rho: int = 8

    def __post_init__(self) -> None:
        if not _MIN_RHO <= self.rho <= _MAX_RHO:
            raise ConfigError(f"cp-resnet-128k: rho is {self.rho}, must be between {_MIN_RHO} and {_MAX_RHO}")


class CpResnet128k(TorchSystem):
    """Schmid and others' network without teachers and without quantisation."""

    numerics_version = 1
    card = Card(
        name="cp-resnet-128k",
        title="CP-ResNet, 128 k parameters",
        citation="F. Schmid, S. Masoudian, K. Koutini and G. Widmer, Knowledge distillation from transformers for "
        "low-complexity acoustic scene classification, DCASE 2022; code: github.com/CPJKU/cpjku_dcase22 and "
        "github.com/fschmid56/cpjku_dcase23",
        year=2022,
        input="256 Kaldi mel bands, 32 kHz, pre-emphasis, window 96 ms, hop 23 ms, excerpts of 1 s",
        guesses=(
            "The network is that of 2022, its input and training those by which the authors train CP-ResNet as a "
            "teacher in 2023. In 2022 it learnt from four PaSST (weight 50 beside the labels) and was quantised; "
            "the accuracy of that submission is not comparable.",
            "rho 8 with 127,684 parameters is the submitted size; the code's own default is 4.",
            "Device responses (probability 0.4) and the random upper end of the mel bands (15 to 16 kHz) need the "
            "waveform at every step and are left out; bands end at 15.5 kHz, where the source tests.",
            "Rolling by up to 4,000 samples shifts frames of an excerpt, not samples; the learning rate changes at "
            "every step, not every epoch.",
            "Longer clips: one random second of each in training, all their seconds at test, averaged; 150 epochs "
            "of seconds are then 150 epochs of clips times the seconds of a clip.",
            "quick trains 1,200 steps of 32 excerpts (Adam, 0.001, cosine to 0, no weight decay); smoke is a "
            "quarter as wide and trains 60 steps of 16 with a faster running average of the statistics.",
        ),
    )
    Params: ClassVar[type[Params]] = CpResnet128kParams
    params: CpResnet128kParams

    def front_end(self) -> KaldiLogMel:
        """43 frames for 1 s."""
        return KaldiLogMel(hop_length=750, fmax_hz=15_500.0)

    def build(self) -> nn.Module:
        """The network, bands first."""
        from torch import nn

        from asc_bench.modules.inputs import BandsFirst

        from ._cp_resnet_128k_network import WIDTHS, network

        smoke = self.budget is Budget.SMOKE
        return nn.Sequential(
            BandsFirst(),
            network(
                len(self.task.labels.fine),
                rho=self.params.rho,
                widths=(8, 16, 24) if smoke else WIDTHS,
                # Convolutions begin at zero: a running variance that began at one would dwarf theirs for long.
                momentum=0.3 if smoke else 0.1,
            ),
        )

    def training_plan(self) -> TrainingPlan:
        """Adam with a rise, a plain and a fall of the rate; see the card for the other budgets."""
        if self.budget is Budget.PAPER:
            n_excerpts = self.n_excerpts(_EXCERPT)
            return TrainingPlan(
                batch_size=256,
                epochs=150 * n_excerpts,
                learning_rate=1e-3,
                weight_decay=1e-3,
                schedule=Linear(warmup=15 / 150, start=50 / 150, end=135 / 150, floor=0.005),
                crop=_EXCERPT,
                augment=_AUGMENT,
                short_batches=True,
                channels_last=True,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=16 if smoke else 32,
            iterations=60 if smoke else 1_200,
            learning_rate=3e-3 if smoke else 1e-3,
            schedule=Cosine(warmup=0.1),
            crop=_EXCERPT,
            augment=_AUGMENT,
            channels_last=True,
        )
