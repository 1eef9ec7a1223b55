"""What a network costs: parameters, multiply-adds of one clip, and what the DCASE challenges count for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from asc_bench.training.batches import Batch
from asc_bench.training.evaluate import Learner, copy_of
from asc_bench.training.plan import TrainingPlan

OUTSIDE = "(outside layers)"
"""Row of the products that no layer computes, such as those of functions that the network calls by itself."""


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One layer, without the layers in it.

    Attributes
    ----------
    name, kind : str
        Place in the network (that of ``named_modules``) and class.
    n_parameters : int
        Its own, trainable or not; those that a layer above shares with it are counted there.
    n_macs_dcase, n_multiply_adds : int
        As in `NetworkCost`.
    """

    name: str
    kind: str
    n_parameters: int
    n_macs_dcase: int
    n_multiply_adds: int


@dataclass(frozen=True)
class NetworkCost:
    """What predicting one clip costs, layer by layer; layers that cost nothing are left out."""

    layers: tuple[LayerCost, ...]

    @property
    def n_macs_dcase(self) -> int:
        """Multiply-accumulates by the rule of the DCASE challenges, which is that of torchinfo."""
        return sum(layer.n_macs_dcase for layer in self.layers)

    @property
    def n_multiply_adds(self) -> int:
        """Multiply-adds of all convolutions and matrix products, wherever they are computed."""
        return sum(layer.n_multiply_adds for layer in self.layers)


def count_parameters(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def count_stored(module: nn.Module, *, trained: bool = True) -> dict[str, int]:
    """Numbers that a network stores, as the rules of the challenges count them.

    Parameters
    ----------
    trained : bool
        If not, what is zero counts as well: biases and means begin there.

    Returns
    -------
    dict of str to int
        ``n_stored``: parameters, trainable or not, zeros too. ``n_nonzero_parameters``: those of them that are not
        zero. ``n_nonzero``: the same with the buffers of floating point, such as the statistics of a batch
        normalisation. ``n_nonzero_outside_batch_norm``: ``n_nonzero`` without all that belongs to batch
        normalisations.
    """
    parameters = list(module.parameters())
    counted = [*parameters, *(buffer for buffer in module.buffers() if buffer.is_floating_point())]
    normalisations = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    of_normalisations = {id(t) for layer in normalisations for t in (*layer.parameters(), *layer.buffers())}
    trained = trained and not any(t.is_meta for t in counted)  # those of a network without storage have no values
    numbers = {id(t): int(t.detach().count_nonzero()) if trained else t.numel() for t in counted}
    return {
        "n_stored": sum(p.numel() for p in parameters),
        "n_nonzero_parameters": sum(numbers[id(p)] for p in parameters),
        "n_nonzero": sum(numbers.values()),
        "n_nonzero_outside_batch_norm": sum(n for key, n in numbers.items() if key not in of_normalisations),
    }


def count_multiply_adds(module: nn.Module, learner: Learner, shape: tuple[int, ...], plan: TrainingPlan) -> int:
    """Multiply-adds of the convolutions and matrix products that predict one clip; see ``network_cost``."""
    return network_cost(module, learner, shape, plan).n_multiply_adds


def network_cost(module: nn.Module, learner: Learner, shape: tuple[int, ...], plan: TrainingPlan) -> NetworkCost:
    """Count the multiply-adds that predict one clip, as they are and as DCASE counts them.

    Parameters
    ----------
    shape : tuple of int
        Shape of one clip's features, time first. Where the plan cuts excerpts, all of a clip's are counted.

    Notes
    -----
    Multiply-adds are counted by ``torch.utils.flop_counter`` on tensors without storage: nothing is computed.
    Normalisation, pooling and activations are left out, as is usual for this figure.

    The figure of the DCASE challenges since 2022 is ``total_mult_adds`` of torchinfo 1.8.0, for a batch of one. It
    sees layers without layers in them, each time that they are called, and of these the tensors named ``weight``
    and ``bias``: their numbers, multiplied by the positions of the output for a layer with ``Conv`` in the name of
    its class, and by the first axis of the output for any other. Tensors with a longer name that holds one of
    these words, as those of recurrent layers, are multiplied by the first two axes of the output. So a batch
    normalisation costs two for each channel, a dense layer costs the same on one frame and on a hundred, and
    attention, matrix products and convolutions by functions cost nothing.
    """
    n_views, frames = 1, shape[0]
    if plan.crop is not None:
        n_views, frames = len(plan.crop.test_starts(shape[0])), plan.crop.length
    ghost = copy_of(module).to("meta").eval()
    batch = Batch(
        features=torch.empty((1, frames, *shape[1:]), device="meta"),
        device=torch.zeros(1, dtype=torch.int64, device="meta"),
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        calls = _Calls(ghost, counter)
        learner.forward(ghost, batch)
    return NetworkCost(calls.layers(n_views))


class _Calls:
    """Follows a forward pass: what each layer computes by itself, without the layers that it calls."""

    def __init__(self, module: nn.Module, counter: FlopCounterMode) -> None:
        self._module, self._counter = module, counter
        self._flops: dict[nn.Module, int] = {}
        self._macs: dict[nn.Module, int] = {}
        self._open: list[list[int]] = []
        for layer in module.modules():
            layer.register_forward_pre_hook(self._begin)
            layer.register_forward_hook(self._end)

    def _begin(self, layer: nn.Module, given: object) -> None:
        self._open.append([self._counter.get_total_flops(), 0])

    def _end(self, layer: nn.Module, given: object, outputs: Any) -> None:
        before, of_inner = self._open.pop()
        flops = self._counter.get_total_flops() - before
        self._flops[layer] = self._flops.get(layer, 0) + flops - of_inner
        if self._open:
            self._open[-1][1] += flops
        self._macs[layer] = self._macs.get(layer, 0) + _torchinfo_macs(layer, outputs)

    def layers(self, n_views: int) -> tuple[LayerCost, ...]:
        """Rows of the layers, and of what none of them computes, for so many forward passes."""
        rows: list[LayerCost] = []
        seen: set[int] = set()
        for name, layer in self._module.named_modules():
            own = {id(p): p.numel() for p in layer.parameters(recurse=False) if id(p) not in seen}
            seen |= own.keys()
            rows.append(
                LayerCost(
                    name=name,
                    kind=type(layer).__name__,
                    n_parameters=sum(own.values()),
                    n_macs_dcase=n_views * self._macs.get(layer, 0),
                    n_multiply_adds=n_views * self._flops.get(layer, 0) // 2,
                )
            )
        beside = self._counter.get_total_flops() - sum(self._flops.values())
        rows.append(
            LayerCost(name=OUTSIDE, kind="", n_parameters=0, n_macs_dcase=0, n_multiply_adds=n_views * beside // 2)
        )
        return tuple(row for row in rows if row.n_parameters or row.n_macs_dcase or row.n_multiply_adds)


def _torchinfo_macs(layer: nn.Module, outputs: Any) -> int:
    """Of one call."""
    if any(layer.children()):
        return 0
    shape, macs = _shape(outputs), 0
    for name, parameter in layer.named_parameters():
        if name in ("weight", "bias"):
            positions = shape[:1] + shape[2:] if "Conv" in type(layer).__name__ else shape[:1]
        elif "weight" in name or "bias" in name:
            positions = shape[:2]
        else:
            continue
        macs += parameter.numel() * prod(positions)
    return macs


def _shape(outputs: Any) -> tuple[int, ...]:
    """Of a tensor, the first one of a sequence, or the last one of a mapping, as torchinfo takes it."""
    while not isinstance(outputs, Tensor):
        if isinstance(outputs, Mapping) and outputs:
            outputs = list(outputs.values())[-1]
        elif isinstance(outputs, list | tuple) and outputs:
            outputs = outputs[0]
        else:
            return ()
    return tuple(outputs.shape)
