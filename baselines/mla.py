"""MLA: multi-level attention over the seconds of a clip, on a residual network that is trained with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from asc_bench.api import Budget, Card, Cosine, Params, Published, TorchSystem, TrainingPlan, VggishExamples

if TYPE_CHECKING:
    from torch import nn

_BOTTLENECK, _WIDTH = 128, 64
_DROPOUT = {1024: 0.5, 600: 0.4}
_SMOKE_DIVISOR = 8


@dataclass(frozen=True, kw_only=True)
class MlaParams(Params):
    """Settings of the network.

    Attributes
    ----------
    trunk : {"resnet50", "resnet18"}
        What turns an example of 0.96 s into a vector; "resnet18" is for small machines and is not published.
    hidden : {1024, 600}
        Units of each dense layer: 1,024 with dropout 0.5 as in the released code, 600 with 0.4 as in the paper.
    """

    trunk: Literal["resnet50", "resnet18"] = "resnet50"
    hidden: Literal[1024, 600] = 1024


class Mla(TorchSystem):
    """Yu, Barsim, Kong and Yang's head on examples of 0.96 s, as Abrol and Sharma list it: with a ResNet-50."""

    numerics_version = 2
    card = Card(
        name="mla",
        title="MLA",
        citation="C. Yu, K. S. Barsim, Q. Kong and B. Yang, Multi-level attention model for weakly supervised "
        "audio classification, arXiv:1803.02353, 2018",
        year=2018,
        input="64-band log-mel, 16 kHz, hop 10 ms, examples of 0.96 s",
        guesses=(
            "The original classifies given embeddings of AudioSet, 128 numbers a second. Abrol and Sharma write "
            "'ResNet-50 + attention' and train from scratch: here a ResNet-50 with one input channel, its mean "
            "over time and frequency and a dense layer to 128 take the place of the embeddings, trained together "
            "with the head.",
            "Examples are those of VGGish: 96 frames of 64 bands, without overlap (5 for 5 s), standardised per "
            "band by the training split.",
            "Softmax and cross-entropy on the last layer replace the sigmoids of AudioSet, which has several "
            "labels a clip.",
            "Head as in Kong's code: attention after dense layers 2 and 3, each with weights of its own, softmax "
            "over classes before the normalisation over time; batch normalisation of the 128 inputs as in its "
            "PyTorch version.",
            "paper: batch 32, 100 epochs of Adam (0.001), the best weights by validation accuracy. The released "
            "code takes 50,000 steps of 500 clips balanced over classes, and averages the predictions of several "
            "checkpoints; neither is done here.",
            "quick: the same network for 1,000 steps of 8 clips (Adam at 0.0003, cosine to 0, the last weights), "
            "chosen on validation clips of ESC-10; still few for 23.5 million weights from scratch.",
            "smoke: an eighth as wide, 40 steps at 0.003.",
        ),
        published=(Published("merged", "hierarchical_table4", {"system": "MLA"}, when={"trunk": "resnet50"}),),
    )
    Params: ClassVar[type[Params]] = MlaParams
    params: MlaParams

    def front_end(self) -> VggishExamples:
        """(n_examples, 96, 64) for each clip."""
        return VggishExamples()

    def build(self) -> nn.Module:
        """Trunk, bottleneck, and the head with two levels of attention."""
        from ._mla_network import MlaNetwork

        narrow = _SMOKE_DIVISOR if self.budget is Budget.SMOKE else 1
        return MlaNetwork(
            self.params.trunk,
            n_classes=len(self.task.labels.fine),
            bottleneck=_BOTTLENECK // narrow,
            hidden=self.params.hidden // narrow,
            width=_WIDTH // narrow,
            dropout=_DROPOUT[self.params.hidden],
        )

    def training_plan(self) -> TrainingPlan:
        """Adam at 0.001, constant for ``paper``; see the card's guesses."""
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=32,
                epochs=100,
                learning_rate=1e-3,
                standardise="per-band",
                precision="auto",
                channels_last=True,
                select="best",
                validate_every=1,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=8,
            iterations=40 if smoke else 1000,
            # What is classified are probabilities of the two levels: at less 40 steps hardly move them.
            learning_rate=3e-3 if smoke else 3e-4,
            schedule=Cosine(),
            standardise="per-band",
            precision="auto",
            channels_last=True,
        )
