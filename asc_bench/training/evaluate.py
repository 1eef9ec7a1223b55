"""What a system brings to the loop, and evaluation over the excerpts of each clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from asc_bench.labels import FINE
from asc_bench.training.batches import Batch, ClipStore
from asc_bench.training.plan import TrainingPlan

Outputs = Any
"""What a network returns: a tensor, or a tuple or mapping of tensors."""

EVALUATION_BATCH = 64
"""Excerpts per forward pass at evaluation."""


def copy_of(module: nn.Module) -> nn.Module:
    """A copy with numbers of its own, of a network that holds computed tensors as well.

    Such as those of ``torch.nn.utils.weight_norm``, which computes the weight before each pass: ``copy.deepcopy``
    refuses tensors that a gradient could flow through, and a copy computes its own.
    """
    held = [v for layer in module.modules() for v in vars(layer).values() if isinstance(v, Tensor)]
    computed = {id(tensor): tensor.detach().clone() for tensor in held if not tensor.is_leaf}
    return deepcopy(module, computed)


class Learner(Protocol):
    """The parts of a system that the loop calls."""

    def forward(self, module: nn.Module, batch: Batch) -> Outputs:
        """Run the network."""

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Loss of one batch, from float32 outputs."""

    def probabilities(self, outputs: Outputs) -> Tensor | Mapping[str, Tensor]:
        """Class probabilities from float32 outputs."""

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """Parameters for the optimiser, with settings of their own where they need them."""

    def validated(self, module: nn.Module, validation: Evaluation) -> None:
        """Look at a validation before training goes on."""

    def wants_validation(self, module: nn.Module) -> bool:
        """Whether a validation now could still change anything."""


@dataclass(frozen=True)
class Evaluation:
    """Result of a pass over a split.

    Attributes
    ----------
    probabilities : mapping of str to float32 array, shape (n_clips, n_classes)
        Mean over the excerpts of each clip; by label level, and whatever else the system's ``probabilities``
        names.
    labels : mapping of str to int array, shape (n_clips,)
        By label level; empty where the clips have none.
    device : int array, shape (n_clips,), optional
        Recording device.
    loss : float, optional
        Mean over excerpts; None where it was not asked for.
    """

    probabilities: Mapping[str, npt.NDArray[np.float32]]
    labels: Mapping[str, npt.NDArray[np.int64]]
    device: npt.NDArray[np.int64] | None = None
    loss: float | None = None

    def macro_accuracy(self, level: str = FINE) -> float:
        """Mean over the classes that occur of the share of their clips that are right."""
        right = self.probabilities[level].argmax(axis=1) == self.labels[level]
        return float(np.mean([right[self.labels[level] == c].mean() for c in np.unique(self.labels[level])]))


def as_float32(outputs: Outputs) -> Outputs:
    """Turn the floating-point tensors of a network's outputs into float32."""
    if isinstance(outputs, Tensor):
        return outputs.float() if outputs.is_floating_point() else outputs
    if isinstance(outputs, Mapping):
        return {key: as_float32(value) for key, value in outputs.items()}
    return tuple(as_float32(value) for value in outputs)


@torch.inference_mode()
def evaluate(
    module: nn.Module,
    learner: Learner,
    data: ClipStore,
    plan: TrainingPlan,
    *,
    with_loss: bool = False,
    batch_size: int = EVALUATION_BATCH,
    precision: Literal["float32", "float16"] = "float32",
) -> Evaluation:
    """Probabilities of every clip, in order; the plan's mean over its excerpts where it cuts some.

    Parameters
    ----------
    with_loss : bool
        Compute the loss as well; the clips need labels.
    batch_size : int
        Excerpts per forward pass; changes speed and memory, never a label.
    precision : {"float32", "float16"}
        Arithmetic of the network, of a copy in half precision for the second; all that follows is in float32.
    """
    if precision == "float16":
        module = copy_of(module).half()
    module.eval()
    starts: Sequence[int] = plan.crop.test_starts(data.n_frames) if plan.crop is not None else (0,)
    length = plan.crop.length if plan.crop is not None else None
    rows = np.repeat(np.arange(len(data)), len(starts))
    firsts = np.tile(np.asarray(starts, dtype=np.int64), len(data))
    found: dict[str, list[Tensor]] = {}
    losses: list[tuple[int, Tensor]] = []
    for begin in range(0, len(rows), batch_size):
        part = slice(begin, begin + batch_size)
        batch = data.batch(rows[part], starts=firsts[part], length=length, progress=1.0)
        given = replace(batch, features=batch.features.half()) if precision == "float16" else batch
        outputs = as_float32(learner.forward(module, given))
        probabilities = learner.probabilities(outputs)
        levels = probabilities if isinstance(probabilities, Mapping) else {FINE: probabilities}
        for level, values in levels.items():
            found.setdefault(level, []).append(values)
        if with_loss:
            losses.append((len(rows[part]), learner.loss(outputs, batch)))
    return Evaluation(
        probabilities={
            level: _mean(torch.cat(values).reshape(len(data), len(starts), -1), plan).cpu().numpy()
            for level, values in found.items()
        },
        labels=data.labels(),
        device=data.recorder(),
        loss=sum(n * float(loss) for n, loss in losses) / len(rows) if with_loss else None,
    )


def _mean(excerpts: Tensor, plan: TrainingPlan) -> Tensor:
    """Over (n_clips, excerpts, n_classes): (n_clips, n_classes)."""
    if plan.crop is None or plan.crop.average == "arithmetic":
        return excerpts.mean(dim=1)
    # A probability that has vanished in one excerpt leaves the class to the others' ratio, not at minus infinity.
    return excerpts.clamp_min(torch.finfo(excerpts.dtype).tiny).log().mean(dim=1).softmax(dim=1)
