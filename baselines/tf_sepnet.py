"""TF-SepNet: convolutions along frequency and time apart, for low complexity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

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

_EXCERPT = Crop(length=64, test_hop=64)
"""One second, less the sample that pre-emphasis costs."""

_AUGMENT = (FreqMixStyle(p=0.8, alpha=0.4, share="batch"), Mixup(alpha=0.3))


@dataclass(frozen=True, kw_only=True)
class TfSepnetParams(Params):
    """Size of the network.

    Attributes
    ----------
    width : int
        Base width, a multiple of four: 64 is TF-SepNet-64.
    depth : {17, 16}
        The 17th layer is a pooling before the last stage.
    n_mels : int
        Bands of the input.
    """

    width: int = 64
    depth: Literal[17, 16] = 17
    n_mels: int = 512

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 4:
            raise ConfigError(f"tf-sepnet: width is {self.width}, must be a multiple of 4")
        if self.depth not in (16, 17):
            raise ConfigError(f"tf-sepnet: depth is {self.depth}, must be 16 or 17")
        if self.n_mels < 32:
            raise ConfigError(
                f"tf-sepnet: n_mels is {self.n_mels}, must be at least 32, which strides and poolings leave one of"
            )


class TfSepnet(TorchSystem):
    """Cai and others' network without teachers and without quantisation."""

    numerics_version = 2
    card = Card(
        name="tf-sepnet",
        title="TF-SepNet",
        citation="Y. Cai, P. Zhang and S. Li, TF-SepNet: An efficient 1D kernel design in CNNs for low-complexity "
        "acoustic scene classification, ICASSP 2024; code: github.com/yqcai888/easy_dcase_task1",
        year=2024,
        input="512 Kaldi mel bands, 32 kHz, pre-emphasis, window 96 ms, hop 15.6 ms, excerpts of 1 s",
        guesses=(
            "The network of the submission to DCASE 2024, TF-SepNet-64: 126,858 parameters and 29,419,648 "
            "multiply-accumulates for a second. Later code adds squeeze and excitation, which is not in either "
            "count.",
            "Trained from labels alone. The submission learnt from the logits of BEATs and was quantised after "
            "training; its accuracy is not comparable.",
            "paper keeps the last weights; the source keeps those that are best on its test list.",
            "Residual normalisation divides by the mean squared deviation of a band, the source by one bin less.",
            "Device responses (probability 0.4) need the waveform at every step and are left out.",
            "The learning rate changes at every step, not every epoch.",
            "Longer clips: one random second of each in training, all their seconds at test, averaged; 150 epochs "
            "of seconds are then 150 epochs of clips times the seconds of a clip.",
            "quick trains 1,200 steps of 32 excerpts (Adam, 0.004, cosine to 0) without mixup; smoke has a quarter "
            "of the width, 128 bands and 40 steps of 16.",
        ),
    )
    Params: ClassVar[type[Params]] = TfSepnetParams
    params: TfSepnetParams

    def front_end(self) -> KaldiLogMel:
        """64 frames for 1 s."""
        smoke = self.budget is Budget.SMOKE
        return KaldiLogMel(n_mels=min(128, self.params.n_mels) if smoke else self.params.n_mels)

    def build(self) -> nn.Module:
        """The network, bands first."""
        from torch import nn

        from asc_bench.modules.inputs import BandsFirst

        from ._tf_sepnet_network import network

        width = self.params.width
        return nn.Sequential(
            BandsFirst(),
            network(
                len(self.task.labels.fine),
                width=max(4, width // 16 * 4) if self.budget is Budget.SMOKE else width,
                depth=self.params.depth,
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
                # 10, 20, 40 and 80 of 150 epochs.
                schedule=Cosine(cycles=4),
                crop=_EXCERPT,
                augment=_AUGMENT,
                short_batches=True,
                channels_last=True,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=16 if smoke else 32,
            iterations=40 if smoke else 1_200,
            learning_rate=4e-3,
            schedule=Cosine(warmup=0.1),
            crop=_EXCERPT,
            augment=_AUGMENT[:1],
            channels_last=True,
        )
