"""The baseline of DCASE 2021 Task 1A: three convolutional layers on 40 log-mel bands of ten seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asc_bench.api import Budget, Card, LogMel, Published, TorchSystem, TrainingPlan

if TYPE_CHECKING:
    from torch import nn

    from asc_bench.api import Batch, Outputs


class Dcase2021Baseline(TorchSystem):
    """Martín-Morató's network with 46,118 parameters, on whole clips."""

    numerics_version = 1
    card = Card(
        name="dcase2021-baseline",
        title="DCASE 2021 baseline",
        citation="I. Martín-Morató et al., Low-complexity acoustic scene classification for multi-device audio: "
        "analysis of DCASE 2021 challenge systems, DCASE 2021; code: github.com/marmoi/dcase2021_task1a_baseline",
        year=2021,
        input="40-band log-mel, 44.1 kHz, window 40 ms, hop 20 ms",
        guesses=(
            "Clips of another length than 10 s: the second pooling spans the whole clip, as it does for 10 s.",
            "The validation split is the protocol's, where the source holds out 30 % of the training clips and "
            "also standardises by these.",
            "Weights stay in single precision at test; the source rounds them to half precision for its size.",
            "Adam adds 1e-8 to its denominator, Keras 1e-7.",
            "quick trains 1,500 steps, looks for the best weights from the first on, with the running statistics "
            "of normalisation at a momentum of 0.9 instead of 0.99, because it has few of them; smoke is also a "
            "quarter as wide and trains 60 steps.",
        ),
        published=(
            Published(
                "dcase2021",
                "dcase_mobile_baselines",
                {"protocol": "dcase2021", "system": "DCASE 2021 baseline"},
            ),
        ),
    )

    def front_end(self) -> LogMel:
        """10 s are 501 frames, of which the network reads 500."""
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
                n_frames=self._n_frames,
                n_classes=len(self.task.labels.fine),
                widths=(4, 4, 8) if smoke else (16, 16, 32),
                momentum=0.01 if self.budget is Budget.PAPER else 0.1,
            ),
        )

    @property
    def _n_frames(self) -> int:
        """Frames that the network reads: without the last one, which is centred on the end of the clip."""
        return self.front_end().shape(self.task.clip_duration_s)[0] - 1

    def forward(self, module: nn.Module, batch: Batch) -> Outputs:
        """Run the network on all frames but the last."""
        return module(batch.features[:, : self._n_frames])

    def training_plan(self) -> TrainingPlan:
        """Adam at a constant rate; the weights that do best on the validation split."""
        if self.budget is Budget.PAPER:
            return TrainingPlan(
                batch_size=16,
                epochs=200,
                learning_rate=1e-3,
                standardise="per-band",
                short_batches=True,
                select="best",
                validate_every=1,
                validate_after=51,
            )
        smoke = self.budget is Budget.SMOKE
        return TrainingPlan(
            batch_size=16,
            iterations=60 if smoke else 1_500,
            learning_rate=1e-3,
            standardise="per-band",
            select="best",
            validate_every=20 if smoke else 50,
        )
