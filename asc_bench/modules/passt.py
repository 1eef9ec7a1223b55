"""PaSST with a classification layer."""

from __future__ import annotations

from torch import Tensor, nn

from asc_bench.features.encoders.passt_network import WIDTH, Backbone, initialise_dense

__all__ = ["WIDTH", "Passt"]


class Passt(Backbone):
    """Normalised bands, (n, time, 128), to logits, (n, n_classes).

    The published networks hold a second classification layer, ``head_dist``, which nothing reads; it is left out.
    """

    def __init__(
        self, n_classes: int, *, stride: int, depth: int, width: int = WIDTH, patchout: tuple[int, int]
    ) -> None:
        super().__init__(stride=stride, depth=depth, width=width, patchout=patchout)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_classes))
        initialise_dense(self.head)

    def forward(self, frames: Tensor) -> Tensor:
        """Logits of clips of 16 frames to ten seconds; raises as ``Backbone`` does."""
        logits: Tensor = self.head(super().forward(frames))
        return logits
