"""BEATs: an audio transformer pre-trained on AudioSet, fine-tuned to scenes or under a new classification layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from asc_bench.api import (
    AnyParams,
    Budget,
    Card,
    Cosine,
    Crop,
    FineTunedSystem,
    FineTuningParams,
    FreqMixStyle,
    KaldiFbank,
    Linear,
    Mixup,
    Params,
    Reason,
    SpecAugment,
    TrainingPlan,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asc_bench.modules.beats import BeatsSettings

_PATCH = 16
_LAYER_DROP = 0.05
_BETAS = (0.9, 0.98)

_MASKS = SpecAugment(frequency=0.2, time=0.2, value=0.0)
_MIXUP = Mixup(alpha=0.3)
_AUGMENT = (FreqMixStyle(p=0.4, alpha=0.4, share="batch"), _MASKS, _MIXUP)


@dataclass(frozen=True, kw_only=True)
class BeatsParams(FineTuningParams):
    """See ``FineTuningParams``."""


class Beats(FineTunedSystem):
    """Chen and others' transformer with a dense layer on each token; logits are the mean over a clip's tokens."""

    numerics_version = 1
    only_by_name = "without weights=FILE 90 million weights are trained from scratch"
    card = Card(
        name="beats",
        title="BEATs",
        citation="S. Chen, Y. Wu, C. Wang, S. Liu, D. Tompkins, Z. Chen, W. Che, X. Yu and F. Wei, BEATs: Audio "
        "pre-training with acoustic tokenizers, ICML 2023; code: github.com/microsoft/unilm, beats; recipes: "
        "github.com/yqcai888/easy_dcase_task1",
        year=2023,
        input="128 Kaldi mel bands from 20 Hz, 16 kHz, window 25 ms, hop 10 ms",
        guesses=(
            "weights=FILE takes a checkpoint of the release, pre-trained (BEATs_iter3_plus_AS2M.pt) or "
            "fine-tuned on AudioSet, whose layer of classes is not taken over. Its cfg must name this network. "
            "They were not at hand: names and shapes are those of the code, no accuracy was measured with them, "
            "and their digests are not known, so none is checked; that of the file is a part of the run's key.",
            "paper is the recipe of the second code for TAU Urban Acoustic Scenes 2022 Mobile: AdamW (0.00001, "
            "betas 0.9 and 0.98, weight decay 0.01), batch 128, 30 epochs, a rise over 4, then a line to 0.005; "
            "Freq-MixStyle, masks of up to a fifth of both axes, set to 0, and mixup. With layers=classifier it "
            "is that code's other one: Adam (0.001), batch 256, 60 epochs, masks and mixup. Without weights the "
            "rate is 0.0005, a guess: no source trains it on scenes from scratch.",
            "Left out, as they need the waveform at every step: device responses (probability 0.6). That code "
            "keeps the weights that are best on its test list, here the last ones are kept. The rate changes at "
            "every step, not every epoch.",
            "In training a layer is left out with probability 0.05, and there is no dropout: so others quote the "
            "cfg of the fine-tuned files; what a file says of it is not followed. The code makes gradients "
            "smaller from layer to layer, which Adam divides out again; it is left out.",
            "quick: the whole network, 300 steps of 16 excerpts of 1.92 s with mixup (0.00003, or 0.001 with "
            "layers=classifier, cosine to 0), and the mean over the excerpts of a clip at test; not tuned, and "
            "not run. smoke: 2 layers of width 32 unless there are weights, 60 steps of 16 excerpts of 0.96 s "
            "(0.003 without weights), no augmentation.",
        ),
    )
    Params: ClassVar[type[Params]] = BeatsParams
    params: BeatsParams

    @classmethod
    def why_not(cls, params: AnyParams | None = None, *, built: Self | None = None) -> Reason | None:
        """A patch needs 16 frames."""
        if built is None:
            return None
        n_frames, duration_s = built.front_end().shape(built.task.clip_duration_s)[0], built.task.clip_duration_s
        if n_frames >= _PATCH:
            return None
        why = f"clips of {duration_s:g} s have {n_frames} frames; a patch of BEATs needs {_PATCH}"
        return Reason("unsupported-task", why)

    def front_end(self) -> KaldiFbank:
        """998 frames for 10 s."""
        return KaldiFbank()

    def settings(self) -> BeatsSettings:
        """Sizes of the network; those published at every budget where it starts from a checkpoint."""
        from asc_bench.modules.beats import PUBLISHED, BeatsSettings

        if self.budget is not Budget.SMOKE or self.params.weights:
            return PUBLISHED
        return BeatsSettings(
            embed_dim=24,
            encoder_layers=2,
            encoder_embed_dim=32,
            encoder_ffn_embed_dim=64,
            encoder_attention_heads=4,
            conv_pos=16,
            conv_pos_groups=4,
        )

    def build(self) -> nn.Module:
        """The network, freshly initialised."""
        from asc_bench.modules.beats import BeatsClassifier

        return BeatsClassifier(self.settings(), len(self.task.labels.fine), layer_drop=_LAYER_DROP)

    def published_tensors(self, content: Mapping[str, Any]) -> dict[str, Tensor]:
        """Without the layer of AudioSet's classes, of a network that ``cfg`` must tell of."""
        from asc_bench.modules.beats import network_tensors

        return network_tensors(Path(self.params.weights), content, self.settings())

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """The momenta of AdamW that the recipe for the whole network names."""
        groups = super().parameter_groups(module)
        if self.params.layers == "classifier":
            return groups
        return [{**group, "betas": _BETAS} for group in groups]

    def training_plan(self) -> TrainingPlan:
        """AdamW with a rise and a long fall of the rate; see the card for the other recipes and budgets."""
        given, alone = bool(self.params.weights), self.params.layers == "classifier"
        if self.budget is Budget.PAPER and alone:
            return TrainingPlan(
                batch_size=256,
                epochs=60,
                augment=(_MASKS, _MIXUP),
                short_batches=True,
                precision="auto",
            )
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=128,
                epochs=30,
                optimiser="adamw",
                learning_rate=1e-5 if given else 5e-4,
                weight_decay=0.01,
                schedule=Linear(warmup=4 / 30, start=4 / 30, floor=0.005),
                augment=_AUGMENT,
                short_batches=True,
                precision="auto",
            )
        smoke = self.budget is Budget.SMOKE
        n_frames = self.front_end().shape(self.task.clip_duration_s)[0]
        length = min(n_frames, 6 * _PATCH if smoke else 12 * _PATCH)
        rate = 1e-3 if alone else 3e-5
        return TrainingPlan(
            batch_size=16,
            iterations=60 if smoke else 300,
            optimiser="adam" if alone else "adamw",
            learning_rate=3e-3 if smoke and not given else rate,
            weight_decay=0.0 if alone else 0.01,
            schedule=Cosine(warmup=0.1),
            crop=Crop(length=length, test_hop=length),
            augment=() if smoke else (_MIXUP,),
            precision="auto",
        )
