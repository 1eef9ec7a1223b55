"""Networks of EfficientAT with a classifier."""

from __future__ import annotations

import math

from torch import Tensor, nn

from asc_bench.features.encoders import dymn_network, efficientat_network
from asc_bench.features.encoders.dymn_network import COLDEST
from asc_bench.features.encoders.efficientat_network import n_dimensions, rounded

__all__ = ["COLDEST", "DynamicMobileNet", "MobileNet"]

_DROPOUT = 0.2
_HIDDEN = 1_280
"""The layer before the classes, at width 1."""

_HOTTEST, _N_COOLING = 30.0, 80
"""Temperature at the start, and into how many parts of the training its fall by one each is divided."""


class MobileNet(efficientat_network.Backbone):
    """From frames, (n, time, mel), to logits, (n, n_classes); width and momentum as in ``Backbone``."""

    def __init__(self, n_classes: int, *, width: float, momentum: float) -> None:
        super().__init__(width=width, momentum=momentum)
        self.classifier = _classifier(width, n_classes)
        _initialise(self)

    def forward(self, frames: Tensor) -> Tensor:
        """Logits of any number of frames and bands."""
        logits: Tensor = self.classifier(self.maps(frames))
        return logits


class DynamicMobileNet(dymn_network.Backbone):
    """From frames, (n, time, mel), to logits, (n, n_classes); width and momentum as in ``Backbone``.

    At first all kernels learn alike, and a network that was trained before keeps the temperature that it had at its
    end.
    """

    def __init__(self, n_classes: int, *, width: float, momentum: float) -> None:
        super().__init__(width=width, momentum=momentum)
        self.classifier = _classifier(width, n_classes)
        _initialise(self)
        self.temperature.fill_(_HOTTEST)

    def cool(self, progress: float) -> None:
        """Lower the temperature to that of a share of the training, 0 to 1; what is colder stays as it is."""
        self.temperature.clamp_(max=max(_HOTTEST - math.floor(_N_COOLING * progress), COLDEST))

    def forward(self, frames: Tensor) -> Tensor:
        """Logits of any number of frames and bands."""
        logits: Tensor = self.classifier(self.maps(frames))
        return logits


def _classifier(width: float, n_classes: int) -> nn.Sequential:
    """The mean over the map, a dense layer, and the classes."""
    hidden = rounded(width * _HIDDEN)
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(n_dimensions(width), hidden),
        nn.Hardswish(),
        nn.Dropout(_DROPOUT),
        nn.Linear(hidden, n_classes),
    )


def _initialise(module: nn.Module) -> None:
    """Initial weights of convolutions and dense layers, as in the source."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.01)
            nn.init.zeros_(layer.bias)
