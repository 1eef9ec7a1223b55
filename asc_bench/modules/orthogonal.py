"""Orthogonal weights: how they begin, and what keeps them near.

A kernel of any shape is taken as the matrix ``W`` of its rows, (outputs, inputs times width). Where it has more
rows than columns only its columns can be orthonormal: all functions look at the smaller of ``W W^T`` and ``W^T W``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_TINY = 1e-30
"""Added to a squared length, far below that of a residue from rounding (1e-14): zero has a gradient of zero."""


def orthogonal(module: nn.Module) -> nn.Module:
    """Draw every convolution and dense weight as an orthogonal matrix of gain 1; biases become zero. In place.

    Source: Saxe, McClelland and Ganguli 2014; Xiao et al. 2018 for convolutions.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            nn.init.orthogonal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def soft_orthogonality(weight: Tensor) -> Tensor:
    """``||G - I||_F^2`` of the smaller Gram matrix ``G`` (Bansal et al. 2018, SO)."""
    rows = _lying(weight)
    gram = rows @ rows.t()
    return (gram - torch.eye(len(gram), device=gram.device)).square().sum()


def spectral_residue(weight: Tensor, *, start: Tensor | None = None, n_iterations: int = 2) -> Tensor:
    """Largest absolute eigenvalue of ``G - I``, ``G`` being the smaller Gram matrix, by power iteration.

    Each application costs two products of the weight with a vector; ``G`` itself is never made.

    Parameters
    ----------
    weight : Tensor, shape (outputs, ...)
    start : Tensor, shape (side of G,), optional
        First vector; by default drawn from a normal distribution, anew in each call.
    n_iterations : int
        The last one gives the estimate: ``||M v_n|| / ||v_n||`` with ``v_n = M v_(n-1)``.

    References
    ----------
    N. Bansal, X. Chen and Z. Wang, "Can we gain more from orthogonality regularizations in training deep
    networks?", NeurIPS 2018, section 3.4 (SRIP).
    """
    rows = _lying(weight)
    vector = torch.randn(len(rows), device=rows.device) if start is None else start
    for _ in range(n_iterations):
        unit = vector / _length(vector)
        vector = rows @ (rows.t() @ unit) - unit
    return _length(vector)


def _lying(weight: Tensor) -> Tensor:
    """As a float32 matrix with no more rows than columns."""
    matrix = weight.flatten(start_dim=1).float()
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.t()


def _length(x: Tensor) -> Tensor:
    return (x.square().sum() + _TINY).sqrt()
