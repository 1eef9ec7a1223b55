"""The baselines of DCASE 2024 and 2025 Task 1: a small mobile network on one-second excerpts."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, ClassVar

from asc_bench.api import (
    Budget,
    Card,
    Cosine,
    Crop,
    FreqMixStyle,
    LogMel,
    Params,
    Published,
    ResampledLogMel,
    SpecAugment,
    TimeRoll,
    TorchSystem,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import nn

_STRIDES = {3: (1, 2), 4: (2, 1)}
"""Those of CP-Mobile, but for the first, which is later here and along time alone."""

_FLOOR = 1e-5
_EXCERPT = Crop(length=65, test_hop=64)
"""One second, with its centred frames at both ends; excerpts at test lie side by side."""

_AUGMENT = (
    SpecAugment(frequency=48, time=0, value=log(_FLOOR)),
    TimeRoll(seconds=0.1),
    FreqMixStyle(p=0.4, alpha=0.3),
)
"""Up to 48 neighbouring bands of an excerpt are silenced; 0.1 s are 6 frames."""


@dataclass(frozen=True, kw_only=True)
class Dcase2024BaselineParams(Params):
    """Size of the network.

    Attributes
    ----------
    width : int
        Channels of the first stage.
    multiplier : float
        Growth of the channels from stage to stage.
    expansion : float
        How much wider the blocks are inside.
    """

    width: int = 32
    multiplier: float = 1.8
    expansion: float = 2.1


class Dcase2024Baseline(TorchSystem):
    """Schmid and others' network with 61,148 parameters, averaged over the seconds of a clip."""

    numerics_version = 3
    card = Card(
        name="dcase2024-baseline",
        title="DCASE 2024 baseline",
        citation="F. Schmid et al., Data-efficient low-complexity acoustic scene classification in the DCASE 2024 "
        "challenge, DCASE 2024; code: github.com/CPJKU/dcase2024_task1_baseline",
        year=2024,
        input="256-band log-mel, 44.1 kHz resampled to 32 kHz, window 96 ms, hop 15.6 ms, excerpts of 1 s",
        guesses=(
            "Longer clips: one random second of each in training, all their seconds at test, averaged; 150 epochs "
            "of seconds are then 150 epochs of clips times the seconds of a clip.",
            "Warm-up is 2,000 steps whatever the data, as in the source, but half of the steps at most on smaller "
            "data than the source's smallest, where it is 48 %.",
            "Rolling by up to 0.1 s shifts frames of an excerpt, not samples.",
            "paper keeps the last weights, chooses nothing, and predicts in half precision, weights and "
            "arithmetic, as the source does.",
            "quick trains 1,200 steps of 32 excerpts; smoke is a quarter as wide and trains 60 steps. Both have a "
            "tenth of their steps as warm-up and predict in single precision.",
        ),
        published=tuple(
            Published(
                f"dcase2024-{percentage}",
                "dcase_mobile_baselines",
                {"protocol": f"dcase2024-{percentage}", "system": "DCASE 2024 baseline"},
                when={"width": "32", "multiplier": "1.8", "expansion": "2.1"},
            )
            for percentage in (5, 10, 25, 50, 100)
        ),
    )
    Params: ClassVar[type[Params]] = Dcase2024BaselineParams
    params: Dcase2024BaselineParams

    def front_end(self) -> ResampledLogMel:
        """As torchaudio computes it, from 44.1 kHz: 65 frames for 1 s."""
        return ResampledLogMel(sample_rate_hz=44_100, inner=self._log_mel())

    def _log_mel(self) -> LogMel:
        return LogMel(
            sample_rate_hz=32_000,
            n_fft=4_096,
            window_length=3_072,
            hop_length=500,
            n_mels=256,
            fmin_hz=0.0,
            fmax_hz=16_000.0,
            mel_scale="htk",
            mel_norm=None,
            pad="reflect",
            floor=_FLOOR,
        )

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
                response_norm=False,
            ),
        )

    def training_plan(self) -> TrainingPlan:
        """AdamW with a warm-up and a cosine."""
        if self.budget is Budget.PAPER:
            n_excerpts = self.n_excerpts(_EXCERPT)
            return TrainingPlan(
                batch_size=256,
                epochs=150 * n_excerpts,
                optimiser="adamw",
                learning_rate=5e-3,
                weight_decay=1e-4,
                schedule=Cosine(warmup_steps=2_000),
                crop=_EXCERPT,
                augment=_AUGMENT,
                short_batches=True,
                test_precision="float16",
                channels_last=True,
            )
        return TrainingPlan(
            batch_size=32,
            iterations=60 if self.budget is Budget.SMOKE else 1_200,
            optimiser="adamw",
            learning_rate=5e-3,
            weight_decay=1e-4,
            schedule=Cosine(warmup=0.1),
            crop=_EXCERPT,
            augment=_AUGMENT,
            channels_last=True,
        )


class Dcase2025Baseline(Dcase2024Baseline):
    """The general model of 2025: network and recipe of 2024, trained on a quarter of the clips."""

    numerics_version = 2
    card = Card(
        name="dcase2025-baseline",
        title="DCASE 2025 baseline",
        citation="F. Schmid et al., Low-complexity acoustic scene classification with device information in the "
        "DCASE 2025 challenge, arXiv 2505.01747, 2025; code: github.com/CPJKU/dcase2025_task1_baseline",
        year=2025,
        input=Dcase2024Baseline.card.input,
        guesses=(
            "The source's second stage, a model for each device, is device-specific[of=dcase2025-baseline].",
            *Dcase2024Baseline.card.guesses,
        ),
        published=(
            Published(
                "dcase2025",
                "dcase_mobile_baselines",
                {"protocol": "dcase2025", "system": "DCASE 2025 baseline, general model"},
                when={"width": "32", "multiplier": "1.8", "expansion": "2.1"},
            ),
        ),
    )
