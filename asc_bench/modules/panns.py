"""Networks of PANNs with a classification layer, and what their published checkpoints hold beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from asc_bench.features.encoders.cnn14 import refuse_other_front_end
from asc_bench.features.encoders.panns_network import LEAST_FRAMES, Backbone, Name
from asc_bench.modules.initialise import glorot_uniform

__all__ = ["LEAST_FRAMES", "Name", "Panns", "without_front_end"]

_FRONT_END = ("spectrogram_extractor.", "logmel_extractor.")


class Panns(Backbone):
    """Decibels, (n, time, 64), to logits, (n, n_classes).

    All weights begin uniform in ±sqrt(6 / (fan_in + fan_out)), biases at 0, as in the source.
    """

    def __init__(self, name: Name, n_classes: int, *, divisor: int = 1) -> None:
        super().__init__(name, divisor=divisor)
        self.fc_audioset = nn.Linear(self.fc1.out_features, n_classes)
        glorot_uniform(self)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)

    def forward(self, frames: Tensor) -> Tensor:
        """Logits of whole clips of any length from ``LEAST_FRAMES`` on."""
        logits: Tensor = self.fc_audioset(self.dropout(super().forward(frames)))
        return logits


def without_front_end(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the network alone; the published files also hold the Fourier and the mel matrix.

    Raises
    ------
    StoreError
        If the mel matrix is another one than that of 64 bands at 32 kHz.
    """
    refuse_other_front_end(path, dict(tensors))
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(_FRONT_END)}
