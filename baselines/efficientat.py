"""EfficientAT: MobileNetV3 for AudioSet in any width, trained from scratch or from a published checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from asc_bench.api import (
    Budget,
    Card,
    ConfigError,
    Cosine,
    Crop,
    FineTunedSystem,
    FineTuningParams,
    KaldiLogMel,
    Linear,
    Mixup,
    Params,
    TimeRoll,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import nn

_SMOKE_WIDTH = 0.1

_AUGMENT = (TimeRoll(seconds=0.125), Mixup(alpha=0.3))
"""4,000 samples are 12.5 frames."""


@dataclass(frozen=True, kw_only=True)
class EfficientatParams(FineTuningParams):
    """Size of the network.

    Attributes
    ----------
    width : float
        Multiplier of the channels: 1 is mn10 of the source, 0.4 is mn04, 4 is mn40.
    """

    width: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.width < float("inf"):
            raise ConfigError(f"efficientat: width is {self.width}, must be a number above 0")


class Efficientat(FineTunedSystem):
    """Schmid and others' networks with squeeze and excitation of channels and a dense layer before the classes."""

    numerics_version = 1
    card = Card(
        name="efficientat",
        title="EfficientAT (MobileNetV3)",
        citation="F. Schmid, K. Koutini and G. Widmer, Efficient large-scale audio tagging via "
        "transformer-to-CNN knowledge distillation, ICASSP 2023; code: github.com/fschmid56/EfficientAT",
        year=2023,
        input="128 Kaldi mel bands to 15 kHz, 32 kHz, pre-emphasis, window 25 ms, hop 10 ms",
        guesses=(
            "weights=FILE takes a checkpoint of the release v0.0.1 of the code whose width is width= "
            "(mn04_as_mAP_432.pt, mn10_as_mAP_471.pt, mn40_as_mAP_484.pt and so on; none with other bands, hops, "
            "strides or heads; a checkpoint does not tell its bands and hop). They were not at hand: names and "
            "shapes are those of the code, no accuracy was measured with them, and their digests are not known, so "
            "none is checked; that of the file is a part of the run's key.",
            "paper is the code's recipe for TAU Urban Acoustic Scenes 2020 Mobile, which starts from mn10_as: Adam "
            "(0.0008), batch 64, 80 epochs, a rise over 10, then a line to 0.01 at the 75th. Without weights it is "
            "the same, which the source does not train. Its dynamic networks (dymn) are left out.",
            "Left out as they need the waveform at every step: mixing waveforms (probability 0.5), a gain of up to "
            "12 dB, and random ends of the mel bands; bands end at 15 kHz, where the source tests.",
            "Rolling by up to 4,000 samples shifts frames, not samples; mixup has one share for a batch, the "
            "source one for each clip; the learning rate changes at every step, not every epoch.",
            "quick: 1,000 steps of 16 excerpts of 2 s (Adam, 0.0008, cosine to 0) with the same augmentation, and "
            "the mean over the excerpts of a clip at test; lengths by analogy, not tuned. smoke: width 0.1 unless "
            "there are weights, 60 steps of 16 excerpts of 0.5 s (0.01 without weights), no augmentation. Both "
            "have 0.1 of a batch in the running statistics, the source 0.01, unless there are weights.",
        ),
    )
    Params: ClassVar[type[Params]] = EfficientatParams
    params: EfficientatParams

    def front_end(self) -> KaldiLogMel:
        """1,000 frames for 10 s."""
        return KaldiLogMel(n_fft=1_024, window_length=800, hop_length=320, n_mels=128, fmax_hz=15_000.0)

    def build(self) -> nn.Module:
        """The network; whole at every budget where it starts from a checkpoint."""
        from ._efficientat_network import MobileNet

        width, given = self.params.width, bool(self.params.weights)
        return MobileNet(
            len(self.task.labels.fine),
            width=min(width, _SMOKE_WIDTH) if self.budget is Budget.SMOKE and not given else width,
            momentum=0.01 if self.budget is Budget.PAPER or given else 0.1,
        )

    def training_plan(self) -> TrainingPlan:
        """Adam with a rise and a long fall of the rate; see the card for the other budgets."""
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=64,
                epochs=80,
                learning_rate=8e-4,
                schedule=Linear(warmup=10 / 80, start=10 / 80, end=75 / 80, floor=0.01),
                augment=_AUGMENT,
                short_batches=True,
                precision="auto",
                channels_last=True,
            )
        smoke = self.budget is Budget.SMOKE
        n_frames = self.front_end().shape(self.task.clip_duration_s)[0]
        length = min(n_frames, 50 if smoke else 200)
        return TrainingPlan(
            batch_size=16,
            iterations=60 if smoke else 1_000,
            learning_rate=1e-2 if smoke and not self.params.weights else 8e-4,
            schedule=Cosine(warmup=0.1),
            crop=Crop(length=length, test_hop=length),
            augment=() if smoke else _AUGMENT,
            precision="auto",
            channels_last=True,
        )
