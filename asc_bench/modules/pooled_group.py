"""Convolutions without bias, each with batch normalisation and ReLU, and groups of them before a pooling."""

from __future__ import annotations

from torch import nn

from asc_bench.modules.dropout import ByteDropout


def normalised_convolution(
    n_in: int, n_out: int, *, kernel: int = 3, stride: int = 1, padding: int | None = None
) -> list[nn.Module]:
    """A square convolution and its batch normalisation; by default the padding keeps the size at stride 1."""
    padding = kernel // 2 if padding is None else padding
    convolution = nn.Conv2d(n_in, n_out, kernel, stride=stride, padding=padding, bias=False)
    return [convolution, nn.BatchNorm2d(n_out)]


def pooled_group(first: list[nn.Module], *others: list[nn.Module], dropout: float) -> list[nn.Module]:
    """Normalised convolutions with ReLU after each, max pooling by two and dropout of single elements.

    The last ReLU comes after the maximum: the same numbers on a quarter of the bins.
    """
    layers = [*first]
    for convolution in others:
        layers += [nn.ReLU(inplace=True), *convolution]
    return [*layers, nn.MaxPool2d(2), nn.ReLU(inplace=True), ByteDropout(dropout)]


def he_normal(module: nn.Module) -> nn.Module:
    """Draw every convolution's weights from a normal distribution of variance 2 / fan_in. In place.

    Source: He et al. 2015, equation 10.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return module
