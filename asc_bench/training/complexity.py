"""What a network costs: parameters, and multiply-adds of one clip."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from asc_bench.training.batches import Batch
from asc_bench.training.evaluate import Learner
from asc_bench.training.plan import TrainingPlan


def count_parameters(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def count_multiply_adds(module: nn.Module, learner: Learner, shape: tuple[int, ...], plan: TrainingPlan) -> int:
    """Multiply-adds of the convolutions and matrix products that predict one clip.

    Parameters
    ----------
    shape : tuple of int
        Shape of one clip's features, time first. Where the plan cuts excerpts, all of a clip's are counted.

    Notes
    -----
    Counted by ``torch.utils.flop_counter`` on tensors without storage: nothing is computed. Normalisation,
    pooling and activations are left out, as is usual for this figure.
    """
    n_views, frames = 1, shape[0]
    if plan.crop is not None:
        n_views, frames = len(plan.crop.test_starts(shape[0])), plan.crop.length
    ghost = copy.deepcopy(module).to("meta").eval()
    batch = Batch(
        features=torch.empty((1, frames, *shape[1:]), device="meta"),
        device=torch.zeros(1, dtype=torch.int64, device="meta"),
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        learner.forward(ghost, batch)
    return int(n_views * counter.get_total_flops() // 2)
