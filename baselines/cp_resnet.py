"""CP-ResNet: a wide residual network, regularised by a small receptive field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from asc_bench.api import (
    Budget,
    Card,
    ConfigError,
    Cosine,
    Crop,
    Linear,
    Mixup,
    Params,
    TimeRoll,
    TorchSystem,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import nn

    from asc_bench.api import PerceptualMel

_MAX_RHO = 22
_ROLL = TimeRoll(seconds=1.161)
"""50 frames."""


@dataclass(frozen=True, kw_only=True)
class CpResnetParams(Params):
    """Receptive field and width.

    Attributes
    ----------
    rho : int
        How many convolutions beyond the first have kernels of 3 instead of 1, in order of depth, 0 to 22: the
        receptive field of 3, 5, 7 and 8 is 55, 87, 135 and 167 bins.
    width : int
        Channels of the first of three stages.
    """

    rho: int = 7
    width: int = 128

    def __post_init__(self) -> None:
        if not 0 <= self.rho <= _MAX_RHO:
            raise ConfigError(f"cp-resnet: rho is {self.rho}, must be between 0 and {_MAX_RHO}")
        if self.width < 1:
            raise ConfigError(f"cp-resnet: width is {self.width}, must be at least 1")


class CpResnet(TorchSystem):
    """Koutini and others' network on the A-weighted spectrogram of a whole clip."""

    numerics_version = 2
    card = Card(
        name="cp-resnet",
        title="CP-ResNet",
        citation="K. Koutini, H. Eghbal-zadeh and G. Widmer, Receptive-field-regularized CNN variants for acoustic "
        "scene classification, DCASE 2019; code: github.com/kkoutini/cpjku_dcase19",
        year=2019,
        input="256 mel bands of A-weighted decibels, 22.05 kHz, window 93 ms, hop 23 ms",
        guesses=(
            "Clips are mono; the source reads two channels, which are 3,200 more weights in the first convolution.",
            "rho = 7 is the setting of the authors' configuration file for DCASE 2019.",
            "paper keeps the last weights: the source also averages those of every third epoch from the 250th on.",
            "Mixup has one share for a batch, the source one of at least a half for each clip; rolling follows "
            "mixup, so that both clips of a blend move together.",
            "Between its last epochs of decay and the floor of a hundredth the source's rate jumps; here the line "
            "ends at the floor.",
            "quick trains 1,000 steps of 16 random excerpts of 3 s (Adam, 0.001, cosine to 0, no mixup), chosen on "
            "validation clips of ESC-10, and tests on four excerpts of a clip; smoke has excerpts of 1.5 s, is an "
            "eighth as wide and trains 40 steps with a faster running average of the statistics.",
        ),
    )
    Params: ClassVar[type[Params]] = CpResnetParams
    params: CpResnetParams

    def front_end(self) -> PerceptualMel:
        """The processor "d18" of the source: 216 frames for 5 s."""
        from asc_bench.api import PerceptualMel

        return PerceptualMel()

    def build(self) -> nn.Module:
        """The network, bands first."""
        from torch import nn

        from asc_bench.modules.inputs import BandsFirst

        from ._cp_resnet_network import network

        smoke = self.budget is Budget.SMOKE
        return nn.Sequential(
            BandsFirst(),
            network(
                len(self.task.labels.fine),
                rho=self.params.rho,
                width=max(1, self.params.width // 8) if smoke else self.params.width,
                # Convolutions begin at zero: a running variance that began at one would dwarf theirs for long.
                momentum=0.3 if smoke else 0.1,
            ),
        )

    def training_plan(self) -> TrainingPlan:
        """Adam, a rate that falls from epoch 50 to 250 of 350, and mixup; see the card for the other budgets."""
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=10,
                epochs=350,
                learning_rate=1e-4,
                schedule=Linear(start=50 / 350, end=250 / 350, floor=0.01),
                standardise="per-band",
                augment=(Mixup(alpha=0.3), _ROLL),
                channels_last=True,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=16,
            iterations=40 if smoke else 1000,
            learning_rate=1e-3,
            schedule=Cosine(warmup=0.1),
            standardise="per-band",
            crop=Crop(length=64, n_test=2) if smoke else Crop(length=128, n_test=4),
            augment=(_ROLL,),
            precision="auto",
            channels_last=True,
        )

    def facts(self) -> Mapping[str, str | int | float]:
        """Also the side of the receptive field, in bins of the input."""
        from ._cp_resnet_network import max_receptive_field

        return {**super().facts(), "max_receptive_field": max_receptive_field(self.params.rho)}
