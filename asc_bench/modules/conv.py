"""Convolutional building blocks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from asc_bench.modules.dropout import ByteDropout


class AddChannel(nn.Module):
    """(n, time, mel) to (n, 1, time, mel), or (n, samples) to (n, 1, samples)."""

    def forward(self, x: Tensor) -> Tensor:
        """Insert the channel axis after the batch axis."""
        return x.unsqueeze(1)


class ConvStack(nn.Module):
    """Square convolutions without bias, each followed by batch normalisation, ReLU and optional max pooling.

    The size of the maps changes by pooling alone.

    Parameters
    ----------
    widths : sequence of int
        Output channels of each layer; the input has one.
    kernel : int
        Odd side of the kernels.
    pool : int
        Side and stride of the max pooling after each layer; 1 for none.
    dilations : sequence of int, optional
        Dilation of each layer; 1 if not given.
    """

    def __init__(
        self, widths: Sequence[int], *, kernel: int = 5, pool: int = 2, dilations: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.n_layers = len(widths)
        steps = dilations if dilations is not None else [1] * len(widths)
        # Layers are named as in the checkpoints of CAA-Net's authors: conv1, bn1, conv2, ...
        for i, (n_in, n_out, step) in enumerate(zip((1, *widths[:-1]), widths, steps, strict=True), start=1):
            convolution = nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2 * step, dilation=step, bias=False)
            self.add_module(f"conv{i}", convolution)
            self.add_module(f"bn{i}", nn.BatchNorm2d(n_out))
        self.activation = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(pool) if pool > 1 else nn.Identity()

    def forward(self, x: Tensor, *, shift: Tensor | None = None, shifted_layer: int = 0) -> Tensor:
        """(n, 1, time, mel) to (n, widths[-1], time', mel').

        Parameters
        ----------
        shift : Tensor, shape (n, channels), optional
            Added to all bins of the convolution's output at ``shifted_layer`` (counted from 1), before its batch
            normalisation.
        """
        for i in range(1, self.n_layers + 1):
            x = self.get_submodule(f"conv{i}")(x)
            if shift is not None and i == shifted_layer:
                x = x + shift.to(x.dtype)[:, :, None, None]
            # ReLU after the maximum gives the same numbers as before it, on a quarter of the bins.
            x = self.activation(self.pool(self.get_submodule(f"bn{i}")(x)))
        return x


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
