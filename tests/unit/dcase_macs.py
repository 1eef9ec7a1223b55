"""Multiply-accumulates of one example as the DCASE challenge counts them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def dcase_macs(module: nn.Module, *shape: int) -> int:
    """Count as torchinfo 1.8 does: weights and biases of a convolution for each bin of its output, of others once.

    Parameters
    ----------
    shape : int
        Of the input without its batch axis.
    """
    counted = 0

    def count(layer: nn.Module, inputs: object, output: Tensor) -> None:
        nonlocal counted
        n_parameters = sum(p.numel() for name, p in layer.named_parameters(recurse=False) if name in KINDS)
        bins = output.shape[2:].numel() if isinstance(layer, nn.Conv2d) else 1
        counted += bins * n_parameters

    ghost = module.to("meta").eval()
    for layer in ghost.modules():
        layer.register_forward_hook(count)
    with torch.no_grad():
        ghost(torch.empty(1, *shape, device="meta"))
    return counted


KINDS = ("weight", "bias")
"""Names of parameters that torchinfo counts; those called otherwise are free."""
