"""The baseline of DCASE 2022 and 2023 Task 1: the network of 2021 on one second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asc_bench.api import FINE, Budget, Card, Crop, LogMel, Published, TorchSystem, TrainingPlan

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asc_bench.api import Batch, Outputs

_EXCERPT = Crop(length=51, test_hop=50)
"""One second, with its centred frames at both ends; excerpts at test lie side by side."""

_SMOOTHING = 0.1


class Dcase2022Baseline(TorchSystem):
    """Martín-Morató's network with 46,118 parameters, averaged over the seconds of a clip."""

    numerics_version = 1
    card = Card(
        name="dcase2022-baseline",
        title="DCASE 2022 baseline",
        citation="I. Martín-Morató et al., Low-complexity acoustic scene classification in DCASE 2022 challenge, "
        "DCASE 2022; code: github.com/marmoi/dcase2022_task1_baseline",
        year=2022,
        input="40-band log-mel, 44.1 kHz, window 40 ms, hop 20 ms, excerpts of 1 s",
        guesses=(
            "As the source's code, not its text, has it: batches of 64, labels smoothed by 0.1 in training, a "
            "second pooling of 4 by 10; each clip's features are divided by their largest magnitude (when they are "
            "packed) and not standardised.",
            "Their rounding to 16 bits is left out, and so is that of weights and activations to 8 bits at test.",
            "Longer clips: one random second of each in training, all their seconds at test, averaged.",
            "The validation split is the protocol's, by location, where the source holds out 30 % of the training "
            "clips of each class.",
            "Adam adds 1e-8 to its denominator, Keras 1e-7.",
            "quick trains 1,500 steps of 32 excerpts, looks for the best weights from the first on, with the "
            "running statistics of normalisation at a momentum of 0.9 instead of 0.99, because it has few of them; "
            "smoke is also a quarter as wide and trains 60 steps.",
        ),
        published=tuple(
            Published(
                protocol,
                "dcase_mobile_baselines",
                {"protocol": protocol, "system": "DCASE 2022 baseline"},
            )
            for protocol in ("dcase2022", "dcase2023")
        ),
    )

    def front_end(self) -> LogMel:
        """51 frames for 1 s."""
        from ._dcase2021_baseline_network import log_mel

        return log_mel()

    def build(self) -> nn.Module:
        """The network, bands first."""
        from torch import nn

        from asc_bench.modules.inputs import BandsFirst

        from ._dcase2021_baseline_network import network

        smoke = self.budget is Budget.SMOKE
        return nn.Sequential(
            BandsFirst(),
            network(
                n_frames=_EXCERPT.length,
                n_classes=len(self.task.labels.fine),
                widths=(4, 4, 8) if smoke else (16, 16, 32),
                momentum=0.01 if self.budget is Budget.PAPER else 0.1,
            ),
        )

    def forward(self, module: nn.Module, batch: Batch) -> Outputs:
        """Run the network on features between -1 and 1."""
        largest = batch.features.abs().amax(dim=(1, 2), keepdim=True)
        return module(batch.features / largest.clamp_min(1.0))

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Cross-entropy with a tenth of each label spread over all classes."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, batch.labels[FINE], label_smoothing=_SMOOTHING)

    def training_plan(self) -> TrainingPlan:
        """Adam at a constant rate; the weights that do best on the validation split."""
        if self.budget is Budget.PAPER:
            n_excerpts = self.n_excerpts(_EXCERPT)
            return TrainingPlan(
                batch_size=64,
                epochs=200 * n_excerpts,
                learning_rate=1e-3,
                crop=_EXCERPT,
                short_batches=True,
                select="best",
                validate_every=n_excerpts,
                validate_after=51 * n_excerpts,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=32,
            iterations=60 if smoke else 1_500,
            learning_rate=1e-3,
            crop=_EXCERPT,
            select="best",
            validate_every=20 if smoke else 50,
        )
