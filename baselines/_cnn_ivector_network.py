"""The fully convolutional network of CNN/i-vec."""

from __future__ import annotations

from torch import Tensor, nn

from asc_bench.modules.conv import AddChannel, normalised_convolution, pooled_group
from asc_bench.modules.initialise import he_normal
from asc_bench.modules.inputs import RandomExcerpt


class FullyConvolutional(nn.Module):
    """Eleven convolutions, the last one with a map for each class, whose means are the logits.

    Parameters
    ----------
    n_first : int
        Maps of the first group; the next ones have two and four times as many.
    n_last : int
        Maps of the ninth and tenth layer.
    n_classes : int
    excerpt : int
        Frames of the random excerpts in training; predictions are made of whole clips.
    """

    def __init__(self, *, n_first: int, n_last: int, n_classes: int, excerpt: int) -> None:
        super().__init__()
        one, two, four = n_first, 2 * n_first, 4 * n_first
        conv = normalised_convolution
        self.layers = nn.Sequential(
            RandomExcerpt(excerpt),
            AddChannel(),
            *pooled_group(conv(1, one, kernel=5, stride=2), conv(one, one), dropout=0.3),
            *pooled_group(conv(one, two), conv(two, two), dropout=0.3),
            *pooled_group(conv(two, four), *(conv(four, four) for _ in range(3)), dropout=0.3),
            *conv(four, n_last, padding=0),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            *conv(n_last, n_last, kernel=1),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            *conv(n_last, n_classes, kernel=1),
        )
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, time, mel) to logits, (n, n_classes); at least 47 frames and 47 bands."""
        logits: Tensor = self.layers(x).mean(dim=(2, 3))
        return logits
