"""BC-ResNet-Mod: broadcasted residual learning with residual normalisation, for mismatched devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from asc_bench.api import (
    Budget,
    Card,
    ConfigError,
    Cosine,
    Crop,
    LogMel,
    Mixup,
    Params,
    SpecAugment,
    TimeRoll,
    TorchSystem,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import nn

_N_BANDS = 256
_LAST_BANDS = 32
"""Bands after the poolings: all sub-bands must divide them."""

_ROLL_S = 1.5
_EXCERPT = 34


@dataclass(frozen=True, kw_only=True)
class BcResnetModParams(Params):
    """Size and normalisation.

    Attributes
    ----------
    width : int
        Base width c: 80 is BC-ResNet-Mod-8, 40 is -4 and 10 is -1.
    sub_bands : int
        Groups of bands that are normalised by themselves, a divisor of 32; 1 for plain batch normalisation.
    """

    width: int = 80
    sub_bands: int = 4

    def __post_init__(self) -> None:
        if self.width < 2:
            raise ConfigError(f"bc-resnet-mod: width is {self.width}, must be at least 2")
        if self.sub_bands < 1 or _LAST_BANDS % self.sub_bands:
            raise ConfigError(
                f"bc-resnet-mod: sub_bands is {self.sub_bands}, must divide {_LAST_BANDS}, the number of bands "
                "after the poolings"
            )


class BcResnetMod(TorchSystem):
    """Kim and others' network without its later pruning and quantisation."""

    numerics_version = 1
    card = Card(
        name="bc-resnet-mod",
        title="BC-ResNet-Mod",
        citation="B. Kim, S. Yang, J. Kim and S. Chang, Domain generalization on efficient acoustic scene "
        "classification using residual normalization, DCASE 2021, arXiv:2111.06531",
        year=2021,
        input="256-band log-mel, 16 kHz, window 130 ms, hop 30 ms",
        guesses=(
            "The layout is that of github.com/yqcai888/easy_dcase_task1 without its squeeze and excitation; its "
            "314,650 parameters for ten classes agree with the 315 thousand of the paper.",
            "Front end and training (SGD 0.9, 0.06 after 5 epochs of warm-up, cosine, 100 epochs, batch 100, "
            "mixup 0.3, rolling by up to 1.5 s, two masks of 40 bands and two of 80 frames) were not read in the "
            "paper itself; the Fourier transform of 4,096, the floor of 1e-5 and the weight decay of 0.001 are "
            "chosen here.",
            "Residual normalisation divides by the mean squared deviation of a band, as instance normalisation is "
            "defined; that re-implementation divides by one bin less, of 8,000 or more for 10 s.",
            "Features are standardised by two numbers of the training split.",
            "Rolling and masks act on the blend of a mixup, or on both clips alike.",
            "quick trains 700 steps of 16 random excerpts of 1 s (Adam, 0.004, cosine to 0, no mixup, masks or "
            "rolling) and averages over the seconds of a clip: on a CPU whole clips cost five times as much. smoke "
            "is a tenth as wide and trains 40 steps.",
        ),
    )
    Params: ClassVar[type[Params]] = BcResnetModParams
    params: BcResnetModParams

    def front_end(self) -> LogMel:
        """334 frames for 10 s."""
        return LogMel(
            sample_rate_hz=16_000,
            n_fft=4_096,
            window_length=2_080,
            hop_length=480,
            n_mels=_N_BANDS,
            fmin_hz=0.0,
            fmax_hz=8_000.0,
            floor=1e-5,
        )

    def build(self) -> nn.Module:
        """The network, bands first."""
        from torch import nn

        from asc_bench.modules.bc_resnet import network
        from asc_bench.modules.inputs import BandsFirst

        return nn.Sequential(
            BandsFirst(),
            network(
                len(self.task.labels.fine),
                width=max(2, self.params.width // 10) if self.budget is Budget.SMOKE else self.params.width,
                n_sub_bands=self.params.sub_bands,
            ),
        )

    def training_plan(self) -> TrainingPlan:
        """Stochastic gradient descent with a warm-up and a cosine; see the card for the other budgets."""
        if self.budget is Budget.PAPER:
            n_frames = self.front_end().shape(self.task.clip_duration_s)[0]
            return TrainingPlan(
                batch_size=100,
                epochs=100,
                optimiser="sgd",
                learning_rate=0.06,
                momentum=0.9,
                weight_decay=1e-3,
                schedule=Cosine(warmup=0.05),
                standardise="global",
                augment=(
                    SpecAugment(frequency=40, time=min(80, n_frames), n_frequency=2, n_time=2),
                    Mixup(alpha=0.3),
                    TimeRoll(seconds=_ROLL_S),
                ),
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=16,
            iterations=40 if smoke else 700,
            learning_rate=4e-3,
            schedule=Cosine(warmup=0.1),
            standardise="global",
            crop=Crop(length=_EXCERPT, n_test=2) if smoke else Crop(length=_EXCERPT, test_hop=_EXCERPT - 1),
        )
