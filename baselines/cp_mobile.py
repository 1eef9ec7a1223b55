"""CP-Mobile: the network that won Task 1 of DCASE 2023, in any of its sizes."""

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

_STRIDES = {2: (2, 2), 4: (2, 1)}
_N_FRAMES = 64
"""Of one second, less the sample that pre-emphasis costs."""

_AUGMENT = (
    SpecAugment(frequency=48, time=0, value=0.9),
    TimeRoll(seconds=0.125),
    FreqMixStyle(p=0.4, alpha=0.3),
)
"""Masked logarithms are 0 in the source, 0.9 once they are normalised; 4,000 samples are 8 frames."""


@dataclass(frozen=True, kw_only=True)
class CpMobileParams(Params):
    """Size of the network and what sets it apart from the baselines of 2024 and 2025.

    Attributes
    ----------
    width : int
        Channels of the first stage, rounded to a multiple of eight.
    multiplier : float
        Growth of the channels from stage to stage.
    expansion : float
        How much wider the blocks are inside.
    response_norm : bool
        Global response normalisation in every block: 12 parameters in all.
    pre_emphasis : bool
        Lift the high frequencies; a second is then 64 frames, otherwise 65.
    """

    width: int = 32
    multiplier: float = 2.3
    expansion: float = 3.0
    response_norm: bool = True
    pre_emphasis: bool = True

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ConfigError(f"cp-mobile: width is {self.width}, must be at least 1")
        for name in ("multiplier", "expansion"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"cp-mobile: {name} is {getattr(self, name)}, must be a number above 0")


class CpMobile(TorchSystem):
    """Schmid and others' network without teachers and without quantisation."""

    numerics_version = 1
    card = Card(
        name="cp-mobile",
        title="CP-Mobile",
        citation="F. Schmid, T. Morocutti, S. Masoudian, K. Koutini and G. Widmer, Distilling the knowledge of "
        "transformers and CNNs with CP-Mobile, DCASE 2023; code: github.com/fschmid56/cpjku_dcase23",
        year=2023,
        input="256 Kaldi mel bands, 32 kHz, pre-emphasis, window 96 ms, hop 15.6 ms, excerpts of 1 s",
        guesses=(
            "Trained from labels alone. The submissions learnt from the logits of three PaSST and three CP-ResNet "
            "(weight 0.98, temperature 2) and were quantised by 24 further epochs; their accuracy is not "
            "comparable.",
            "The defaults are those of the authors' code. Of the submitted sizes, 5,722 parameters are width 8, "
            "multiplier 1.5 and expansion 2.1 without response normalisation, and 12,310 are 8, 2.8 and 2.2 with "
            "it; the authors' settings are not known.",
            "Device responses (probability 0.6) and the random upper end of the mel bands (15 to 16 kHz) need the "
            "waveform at every step and are left out; bands end at 15.5 kHz, where the source tests.",
            "Rolling by up to 4,000 samples shifts frames of an excerpt, not samples; the learning rate changes at "
            "every step, not every epoch.",
            "Longer clips: one random second of each in training, all their seconds at test, averaged; 150 epochs "
            "of seconds are then 150 epochs of clips times the seconds of a clip.",
            "quick trains 1,200 steps of 32 excerpts (Adam, 0.005, cosine to 0); smoke is a quarter as wide and "
            "trains 60 steps of 16. Both keep the augmentation.",
        ),
    )
    Params: ClassVar[type[Params]] = CpMobileParams
    params: CpMobileParams

    def front_end(self) -> KaldiLogMel:
        """64 frames for 1 s, or 65 without pre-emphasis."""
        return KaldiLogMel(fmax_hz=15_500.0, pre_emphasis=0.97 if self.params.pre_emphasis else 0.0)

    def build(self) -> nn.Module:
        """The network, bands first."""
        from torch import nn

        from asc_bench.modules.cp_mobile import network
        from asc_bench.modules.inputs import BandsFirst

        return nn.Sequential(
            BandsFirst(),
            network(
                len(self.task.labels.fine),
                width=self.params.width // 4 if self.budget is Budget.SMOKE else self.params.width,
                multiplier=self.params.multiplier,
                expansion=self.params.expansion,
                strides=_STRIDES,
                response_norm=self.params.response_norm,
            ),
        )

    def training_plan(self) -> TrainingPlan:
        """Adam with a rise, a plain and a fall of the rate; see the card for the other budgets."""
        n_frames = _N_FRAMES if self.params.pre_emphasis else _N_FRAMES + 1
        excerpt = Crop(length=n_frames, test_hop=_N_FRAMES)
        if self.budget is Budget.PAPER:
            n_excerpts = self.n_excerpts(excerpt)
            return TrainingPlan(
                batch_size=256,
                epochs=150 * n_excerpts,
                learning_rate=9e-4,
                weight_decay=1e-4,
                schedule=Linear(warmup=14 / 150, start=50 / 150, end=134 / 150, floor=0.005),
                crop=excerpt,
                augment=_AUGMENT,
                short_batches=True,
                channels_last=True,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=16 if smoke else 32,
            iterations=60 if smoke else 1_200,
            learning_rate=5e-3,
            weight_decay=1e-4,
            schedule=Cosine(warmup=0.1),
            crop=excerpt,
            augment=_AUGMENT,
            channels_last=True,
        )
