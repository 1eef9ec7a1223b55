"""BEATs with a classification layer on each token, whose logits are averaged."""

from __future__ import annotations

from torch import Tensor, nn

from asc_bench.features.encoders.beats import PUBLISHED, BeatsSettings, network_tensors
from asc_bench.features.encoders.beats_network import Backbone

__all__ = ["PUBLISHED", "BeatsClassifier", "BeatsSettings", "network_tensors"]


class BeatsClassifier(Backbone):
    """Frames, (n, n_frames, n_bands), to logits, (n, n_classes): the mean over the tokens of a dense layer's.

    Parameters
    ----------
    layer_drop : float
        Probability of a layer to be left out of a training step.
    """

    def __init__(self, settings: BeatsSettings, n_classes: int, *, layer_drop: float = 0.0) -> None:
        super().__init__(settings, layer_drop=layer_drop)
        self.predictor = nn.Linear(settings.encoder_embed_dim, n_classes)

    def forward(self, frames: Tensor) -> Tensor:
        """Logits of clips of any length from a patch on."""
        logits: Tensor = self.predictor(super().forward(frames)).mean(dim=1)
        return logits
