"""Initial weights that published systems state."""

from __future__ import annotations

from torch import nn


def he_uniform(module: nn.Module) -> nn.Module:
    """Draw every convolution and dense weight uniformly from ±sqrt(6 / fan_in); biases become zero. In place.

    Source: He et al. 2015, section 2.2; normalisation layers keep torch's 1 and 0.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def glorot_uniform(module: nn.Module) -> nn.Module:
    """Draw every dense weight uniformly from ±sqrt(6 / (fan_in + fan_out)); biases become zero. In place.

    Source: Glorot and Bengio 2010, equation 16.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return module


def he_normal(module: nn.Module) -> nn.Module:
    """Draw every convolution's weights from a normal distribution of variance 2 / fan_in. In place.

    Source: He et al. 2015, equation 10.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return module
