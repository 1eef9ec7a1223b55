"""CAA-Net: convolutions on a log-mel spectrogram with global attention pooling."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from asc_bench.api import (
    FINE,
    Budget,
    Card,
    Constant,
    Cosine,
    LogMel,
    Params,
    Published,
    Step,
    TorchSystem,
    TrainingPlan,
    caa_net_log_mel,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asc_bench.training.batches import Batch
    from asc_bench.training.evaluate import Outputs

_WIDTHS = (64, 128, 256, 512)


@dataclass(frozen=True, kw_only=True)
class CaaNetParams(Params):
    """Which of the paper's networks.

    Attributes
    ----------
    topology : {"cnn-pool"}
        Convolutions with local pooling.
    pooling : {"att"}
        Global attention pooling.
    training : {"joint"}
        One network for the clips of all devices, which are not told apart.
    variant : {"code", "paper"}
        As the released code computes the pooling (log-probabilities averaged, limited attention), or as
        equations 5 and 6 and section IV.B state it (probabilities averaged, learning rate x 0.9 every 200
        steps).
    """

    topology: Literal["cnn-pool"] = "cnn-pool"
    pooling: Literal["att"] = "att"
    training: Literal["joint"] = "joint"
    variant: Literal["code", "paper"] = "code"


class CaaNet(TorchSystem):
    """Ren et al.'s network with pooling and attention, trained jointly on all devices."""

    card = Card(
        name="caa-net",
        title="CAA-Net",
        citation="Z. Ren, Q. Kong, J. Han, M. D. Plumbley and B. W. Schuller, CAA-Net: Conditional atrous "
        "CNNs with attention for explainable device-robust acoustic scene classification, IEEE Transactions "
        "on Multimedia 23, 2021",
        year=2021,
        input="64-band log-mel, 44.1 kHz, 32 frames per second",
        guesses=(
            "Where code and paper differ, the default follows the code, which made the numbers.",
            "Features are standardised per band by the training split.",
            "quick lowers the learning rate by a cosine, because its few hundred steps would end in noise; "
            "smoke also has a quarter of the width.",
        ),
        published=(
            Published(
                protocol="dcase2018",
                table="caanet_table2",
                where={"topology": "cnn-pool", "pooling": "att", "training": "joint"},
            ),
        ),
    )
    Params: ClassVar[type[Params]] = CaaNetParams
    params: CaaNetParams

    def front_end(self) -> LogMel:
        """The authors' own: 320 frames of 64 bands for 10 s."""
        return caa_net_log_mel()

    def build(self) -> nn.Module:
        """Four convolutions and attention pooling, named as in the authors' checkpoints."""
        from torch import nn

        from asc_bench.modules.conv import AddChannel, ConvStack
        from asc_bench.modules.initialise import he_uniform
        from asc_bench.modules.pooling import AttentionPooling

        narrow = 4 if self.budget is Budget.SMOKE else 1
        widths = [width // narrow for width in _WIDTHS]
        attention = AttentionPooling(
            widths[-1],
            len(self.task.labels.fine),
            mixture="geometric" if self.params.variant == "code" else "arithmetic",
        )
        network = nn.Sequential(
            OrderedDict(channel=AddChannel(), emb=ConvStack(widths, kernel=5, pool=2), attention=attention)
        )
        he_uniform(network)
        # As in the released code: attention starts uniform over the bins.
        nn.init.zeros_(attention.att.weight)
        return network

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Negative log score of the true class."""
        from torch.nn.functional import nll_loss

        return nll_loss(outputs, batch.labels[FINE])

    def training_plan(self) -> TrainingPlan:
        """Adam at 0.001, batches of 16; 15,000 iterations for ``paper`` (section IV.B)."""
        schedule: Constant | Cosine | Step = Cosine()
        if self.budget is Budget.PAPER:
            schedule = Constant() if self.params.variant == "code" else Step(every=200, gamma=0.9)
        return TrainingPlan(
            batch_size=16,
            iterations={Budget.PAPER: 15_000, Budget.QUICK: 400, Budget.SMOKE: 60}[self.budget],
            learning_rate=1e-3,
            schedule=schedule,
            standardise="per-band",
            precision="auto",
            channels_last=True,
        )
