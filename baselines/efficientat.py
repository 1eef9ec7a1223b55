"""EfficientAT: MobileNetV3 for AudioSet, plain or dynamic, in any width, from scratch or a published checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

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
    from torch import Tensor, nn

    from asc_bench.api import Batch, Outputs

_NETWORKS = ("mn", "dymn")

_SMOKE_WIDTH = 0.1

_AUGMENT = (TimeRoll(seconds=0.125), Mixup(alpha=0.3))
"""4,000 samples are 12.5 frames."""


@dataclass(frozen=True, kw_only=True)
class EfficientatParams(FineTuningParams):
    """Kind and size of the network.

    Attributes
    ----------
    network : {"mn", "dymn"}
        MobileNetV3, or with dynamic convolutions, dynamic ReLU and coordinate attention in all of its blocks.
    width : float
        Multiplier of the channels: 1 is mn10 or dymn10 of the source, 0.4 is mn04 or dymn04, 4 is mn40.
    """

    network: Literal["mn", "dymn"] = "mn"
    width: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in _NETWORKS:
            raise ConfigError(f"efficientat: network is {self.network!r}, must be one of {', '.join(_NETWORKS)}")
        if not 0 < self.width < float("inf"):
            raise ConfigError(f"efficientat: width is {self.width}, must be a number above 0")


class Efficientat(FineTunedSystem):
    """Schmid and others' networks: with squeeze and excitation of channels, or with dynamic blocks."""

    numerics_version = 1
    card = Card(
        name="efficientat",
        title="EfficientAT (MobileNetV3)",
        citation="F. Schmid, K. Koutini and G. Widmer, Efficient large-scale audio tagging via "
        "transformer-to-CNN knowledge distillation, ICASSP 2023; dymn: Dynamic convolutional neural networks as "
        "efficient pre-trained audio models, IEEE/ACM Transactions on Audio, Speech, and Language Processing 32, "
        "2024; code: github.com/fschmid56/EfficientAT",
        year=2023,
        input="128 Kaldi mel bands to 15 kHz, 32 kHz, pre-emphasis, window 25 ms, hop 10 ms",
        guesses=(
            "weights=FILE takes a checkpoint of the release v0.0.1 of the code whose kind and width are network= "
            "and width= (mn04_as_mAP_432.pt, mn10_as_mAP_471.pt, mn40_as_mAP_484.pt, dymn04_as.pt, dymn10_as.pt, "
            "dymn20_as_mAP_493.pt and so on; none with other bands, hops, strides, heads or replace_se; a "
            "checkpoint does not tell its bands and hop). They were not at hand: names and shapes are those of "
            "the code, no accuracy was measured with them, and their digests are not known, so none is checked; "
            "that of the file is a part of the run's key.",
            "paper is the code's recipe for TAU Urban Acoustic Scenes 2020 Mobile, which starts from mn10_as: "
            "Adam (0.0008), batch 64, 80 epochs, a rise over 10, then a line to 0.01 at the 75th; of "
            "network=dymn, from dymn10_as, 0.0003 and batch 32. Without weights it is the same, which the source "
            "does not train.",
            "The temperature of dynamic convolutions falls from 30 to 1 as the code has it on AudioSet, by 1 "
            "after each of its epochs; here after each eightieth of the training, an epoch of paper, at every "
            "budget. With weights it stays at 1, where those of AudioSet (_as) end; those of ImageNet (_im) end "
            "at 30, which a file does not tell.",
            "Left out as they need the waveform at every step: mixing waveforms (probability 0.5), a gain of up "
            "to 12 dB, and random ends of the mel bands; bands end at 15 kHz, where the source tests.",
            "Rolling by up to 4,000 samples shifts frames, not samples; mixup has one share for a batch, the "
            "source one for each clip; the learning rate changes at every step, not every epoch.",
            "quick: 1,000 steps of 16 excerpts of 2 s (Adam, 0.0008, of dymn 0.0003, cosine to 0) with the same "
            "augmentation, and the mean over the excerpts of a clip at test; lengths by analogy, not tuned. "
            "smoke: width 0.1 unless there are weights, 60 steps of 16 excerpts of 0.5 s (0.01 without weights), "
            "no augmentation. Both have 0.1 of a batch in the running statistics, the source 0.01, unless there "
            "are weights.",
        ),
    )
    Params: ClassVar[type[Params]] = EfficientatParams
    params: EfficientatParams

    def front_end(self) -> KaldiLogMel:
        """1,000 frames for 10 s."""
        return KaldiLogMel(n_fft=1_024, window_length=800, hop_length=320, n_mels=128, fmax_hz=15_000.0)

    def build(self) -> nn.Module:
        """The network; whole at every budget where it starts from a checkpoint."""
        from asc_bench.modules.efficientat import DynamicMobileNet, MobileNet

        width, given = self.params.width, bool(self.params.weights)
        network = DynamicMobileNet if self.params.network == "dymn" else MobileNet
        return network(
            len(self.task.labels.fine),
            width=min(width, _SMOKE_WIDTH) if self.budget is Budget.SMOKE and not given else width,
            momentum=0.01 if self.budget is Budget.PAPER or given else 0.1,
        )

    def published_tensors(self, content: Mapping[str, Any]) -> dict[str, Tensor]:
        """With the temperature that dynamic networks were trained at in the end, which checkpoints do not hold."""
        tensors = super().published_tensors(content)
        if self.params.network == "mn":
            return tensors
        from torch import tensor

        from asc_bench.modules.efficientat import COLDEST

        return {**tensors, "temperature": tensor(COLDEST)}

    def forward(self, module: nn.Module, batch: Batch) -> Outputs:
        """Run the network, in training at the temperature of the step."""
        from asc_bench.modules.efficientat import DynamicMobileNet

        if module.training and isinstance(module, DynamicMobileNet):
            module.cool(batch.progress)
        return super().forward(module, batch)

    def training_plan(self) -> TrainingPlan:
        """Adam with a rise and a long fall of the rate; see the card for the other budgets."""
        dynamic = self.params.network == "dymn"
        rate, largest = (3e-4, 32) if dynamic else (8e-4, 64)
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=largest,
                epochs=80,
                learning_rate=rate,
                schedule=Linear(warmup=10 / 80, start=10 / 80, end=75 / 80, floor=0.01),
                augment=_AUGMENT,
                short_batches=True,
                precision="auto",
                channels_last=not dynamic,
            )
        smoke = self.budget is Budget.SMOKE
        n_frames = self.front_end().shape(self.task.clip_duration_s)[0]
        length = min(n_frames, 50 if smoke else 200)
        return TrainingPlan(
            batch_size=16,
            iterations=60 if smoke else 1_000,
            learning_rate=1e-2 if smoke and not self.params.weights else rate,
            schedule=Cosine(warmup=0.1),
            crop=Crop(length=length, test_hop=length),
            augment=() if smoke else _AUGMENT,
            precision="auto",
            channels_last=not dynamic,
        )
