"""Sample-CNN: a stack of one-dimensional convolutions on raw samples, by factors of three."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

from asc_bench.api import (
    Budget,
    Card,
    ConfigError,
    Cosine,
    Crop,
    Params,
    Plateau,
    Published,
    TorchSystem,
    TrainingPlan,
    Waveform,
)

if TYPE_CHECKING:
    from torch import nn

_N_SAMPLES = 3**10
_WIDTHS = (128, 128, 256, 256, 256, 256, 256, 256, 512)
_STEM_WIDTH = 128


@dataclass(frozen=True, kw_only=True)
class SampleCnnParams(Params):
    """Settings of the network.

    Attributes
    ----------
    multi : bool
        Classify from the last three blocks together, not from the last alone.
    block : {"basic", "se", "res", "rese"}
        One convolution; the same with a gate for each channel (squeeze and excitation); two convolutions and a
        shortcut; these with gates.
    dropout : float
        Before the last layer, 0 to below 1.
    """

    multi: bool = False
    block: Literal["basic", "se", "res", "rese"] = "basic"
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"sample-cnn: dropout is {self.dropout}, must be at least 0 and below 1")


class SampleCnn(TorchSystem):
    """Kim, Lee and Nam's blocks on 59,049 samples, averaged over three excerpts of a clip."""

    numerics_version = 3
    card = Card(
        name="sample-cnn",
        title="Sample-CNN",
        citation="T. Kim, J. Lee and J. Nam, Sample-level CNN architectures for music auto-tagging using raw "
        "waveforms, ICASSP 2018",
        year=2018,
        input="waveform, 22.05 kHz, 59,049 samples (2.68 s)",
        guesses=(
            "Softmax and cross-entropy replace the sigmoids of music tagging.",
            "Excerpts are random in training and three evenly spaced ones at test.",
            "Dropout inside residual blocks is 51/256 instead of 0.2, which a CPU draws faster.",
            "Running variances divide by one less than the values of a batch, in the Keras 2.0.5 of the source by "
            "all: 22 and 23 in the dense layer.",
            "As Abrol and Sharma name nine convolutions, their row is taken for basic blocks without multi. They "
            "trained at 16 kHz; the rate here is the authors'.",
            "paper: a stage ends at the third validation in a row without gain on its own best, as patience 2 "
            "does in the Keras 2.0.5 of the source; the next starts from that best, and the best of the fifth "
            "stage is kept. At most 100 epochs in all; the source does not count those after the best of each "
            "stage.",
            "quick and smoke replace the staged rate by a cosine to 0, keep the last weights and give a batch 0.1 "
            "of the running statistics instead of Keras' 0.01, because they have few; quick is 40 epochs: on "
            "validation clips of ESC-10 80 are better and take twice the time; smoke is an eighth as wide. "
            "An epoch of quick costs about twice as much with res and rese as with basic.",
        ),
        published=(
            Published(
                "merged",
                "hierarchical_table4",
                {"system": "Sample-CNN"},
                when={"multi": "False", "block": "basic"},
            ),
        ),
    )
    Params: ClassVar[type[Params]] = SampleCnnParams
    params: SampleCnnParams

    def front_end(self) -> Waveform:
        """Samples as they are."""
        return Waveform(sample_rate_hz=22_050)

    def build(self) -> nn.Module:
        """Stem, nine blocks that divide the length by three, and two dense layers."""
        from torch import nn

        from asc_bench.modules.conv import AddChannel
        from asc_bench.modules.initialise import glorot_uniform
        from asc_bench.modules.norms import KERAS_MOMENTUM, with_keras_batch_norm
        from asc_bench.modules.pooling import LastLevels

        from ._sample_cnn_network import Stem, initialised, sample_block

        narrow = 8 if self.budget is Budget.SMOKE else 1
        widths = [width // narrow for width in (_STEM_WIDTH, *_WIDTHS)]
        n_levels = 3 if self.params.multi else 1
        n_last = sum(widths[-n_levels:])
        stem = nn.Sequential(Stem(1, widths[0], 3, stride=3), nn.BatchNorm2d(widths[0]), nn.ReLU())
        blocks = nn.Sequential(*(sample_block(self.params.block, n_in, n_out) for n_in, n_out in pairwise(widths)))
        head = nn.Sequential(
            nn.Linear(n_last, n_last),
            nn.BatchNorm1d(n_last),
            nn.ReLU(),
            nn.Dropout(self.params.dropout),
            nn.Linear(n_last, len(self.task.labels.fine)),
        )
        body = nn.Sequential(AddChannel(), stem, LastLevels(blocks, n_levels))
        module = nn.Sequential(initialised(body), glorot_uniform(head))
        return with_keras_batch_norm(module, momentum=KERAS_MOMENTUM if self.budget is Budget.PAPER else 0.1)

    def training_plan(self) -> TrainingPlan:
        """Five stages ended by the validation loss for ``paper``; one cosine otherwise."""
        crop = Crop(length=_N_SAMPLES, n_test=3)
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=23,
                epochs=100,
                optimiser="sgd",
                learning_rate=0.01,
                momentum=0.9,
                nesterov=True,
                schedule=Plateau(gamma=0.2, patience=3, n_stages=5, own_best=True, decay=1e-6),
                crop=crop,
                precision="auto",
                select="best",
                monitor="loss",
                validate_every=1,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=23,
            epochs=None if smoke else 40,
            iterations=60 if smoke else None,
            optimiser="sgd",
            learning_rate=0.01,
            momentum=0.9,
            nesterov=True,
            schedule=Cosine(),
            crop=crop,
            precision="auto",
        )
