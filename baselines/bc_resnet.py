"""BC-ResNet at 32 kHz: broadcasted residual learning as today's challenge code trains it."""

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
    Mixup,
    Params,
    TorchSystem,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import nn

_LAST_BANDS = 32
"""Bands after the poolings: all sub-bands must divide them."""

_EXCERPT = Crop(length=64, test_hop=64)
"""One second, less the sample that pre-emphasis costs."""

_AUGMENT = (FreqMixStyle(p=0.8, alpha=0.4, share="batch"), Mixup(alpha=0.3))


@dataclass(frozen=True, kw_only=True)
class BcResnetParams(Params):
    """Size and normalisation.

    Attributes
    ----------
    width : int
        Base width.
    sub_bands : int
        Groups of bands that are normalised by themselves, a divisor of 32; 1 for plain batch normalisation.
    residual_norm : bool
        Residual normalisation after the first layer and each stage, which has no parameters.
    """

    width: int = 40
    sub_bands: int = 1
    residual_norm: bool = True

    def __post_init__(self) -> None:
        if self.width < 2:
            raise ConfigError(f"bc-resnet: width is {self.width}, must be at least 2")
        if self.sub_bands < 1 or _LAST_BANDS % self.sub_bands:
            raise ConfigError(
                f"bc-resnet: sub_bands is {self.sub_bands}, must divide {_LAST_BANDS}, the number of bands after "
                "the poolings"
            )


class BcResnet(TorchSystem):
    """The network of ``bc-resnet-mod`` on the input of CP-Mobile."""

    numerics_version = 1
    card = Card(
        name="bc-resnet",
        title="BC-ResNet",
        citation="B. Kim, S. Chang, J. Lee and D. Sung, Broadcasted residual learning for efficient keyword "
        "spotting, Interspeech 2021, arXiv:2106.04140; code: github.com/yqcai888/easy_dcase_task1",
        year=2021,
        input="256 Kaldi mel bands, 32 kHz, pre-emphasis, window 96 ms, hop 15.6 ms, excerpts of 1 s",
        guesses=(
            "The layout is that of the code for scenes, not the paper's for keywords; squeeze and excitation, "
            "which later code adds, is left out: 81,770 parameters at width 40. bc-resnet-mod has the width, input "
            "and training of the winner of DCASE 2021.",
            "That code names no training of this network; it is that of TF-SepNet in the same place: Adam, 0.004, "
            "four cosine cycles, 150 epochs, batch 256, Freq-MixStyle, mixup. Device responses need the waveform "
            "at every step and are left out. The last weights are kept.",
            "A second is 64 frames, which keeps the network below 30 million multiply-accumulates; 65 do not.",
            "Residual normalisation divides by the mean squared deviation of a band, the source by one bin less.",
            "Longer clips: one random second of each in training, all their seconds at test, averaged; 150 epochs "
            "of seconds are then 150 epochs of clips times the seconds of a clip.",
            "quick trains 800 steps of 16 excerpts (Adam, 0.004, cosine to 0) without mixup; smoke is a fifth as "
            "wide and trains 40 steps without augmentation.",
        ),
    )
    Params: ClassVar[type[Params]] = BcResnetParams
    params: BcResnetParams

    def front_end(self) -> KaldiLogMel:
        """64 frames for 1 s."""
        return KaldiLogMel()

    def build(self) -> nn.Module:
        """The network, bands first."""
        from torch import nn

        from asc_bench.modules.bc_resnet import network
        from asc_bench.modules.inputs import BandsFirst

        return nn.Sequential(
            BandsFirst(),
            network(
                len(self.task.labels.fine),
                width=max(2, self.params.width // 5) if self.budget is Budget.SMOKE else self.params.width,
                n_sub_bands=self.params.sub_bands,
                residual_norm=self.params.residual_norm,
            ),
        )

    def training_plan(self) -> TrainingPlan:
        """Adam and a cosine that starts again three times; see the card for the other budgets."""
        if self.budget is Budget.PAPER:
            n_excerpts = self.n_excerpts(_EXCERPT)
            return TrainingPlan(
                batch_size=256,
                epochs=150 * n_excerpts,
                learning_rate=4e-3,
                schedule=Cosine(cycles=4),
                crop=_EXCERPT,
                augment=_AUGMENT,
                short_batches=True,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=16,
            iterations=40 if smoke else 800,
            learning_rate=4e-3,
            schedule=Cosine(warmup=0.1),
            crop=_EXCERPT,
            augment=() if smoke else _AUGMENT[:1],
        )
