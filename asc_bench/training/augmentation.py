"""The transforms of a plan on the clips of a training: what they know of them, and whether the network follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from asc_bench.errors import SystemFailure
from asc_bench.training.batches import ClipStore
from asc_bench.training.evaluate import Learner
from asc_bench.training.plan import TrainingPlan
from asc_bench.training.transforms.base import Given, applied, first_fault

if TYPE_CHECKING:
    from asc_bench.features.frontends import FrontEnd


def given_of(data: ClipStore, plan: TrainingPlan, front_end: FrontEnd | None, seed: int) -> Given:
    """What the plan's transforms know of a training on these clips."""
    return Given(
        front_end=front_end,
        shape=data.shape if plan.crop is None else (plan.crop.length, *data.shape[1:]),
        standardised=plan.standardise != "none",
        devices=() if data.device_names is None else tuple(sorted(set(data.device_names.tolist()) - {""})),
        network_reads_device=data.recorder() is not None,
        seed=seed,
    )


def check_lengths(
    module: nn.Module, learner: Learner, data: ClipStore, plan: TrainingPlan, front_end: FrontEnd | None
) -> None:
    """Try whether a network takes examples of the length that transforms leave.

    Raises
    ------
    SystemFailure
        If it does not.
    """
    transforms = [t for t in plan.augment if t.changes_shape]
    given = given_of(data, plan, front_end, seed=0)
    if not transforms or first_fault(transforms, given):
        return
    one = np.zeros(1, dtype=np.int64)
    batch = data.batch(one, starts=one, length=None if plan.crop is None else plan.crop.length)
    batch = applied(transforms, batch, given=given)
    try:
        with torch.inference_mode():
            learner.forward(module.eval(), batch)
    except (RuntimeError, ValueError) as error:
        raise SystemFailure(
            f"augmentation by {transforms[0].name}: the network does not take examples of shape "
            f"{tuple(batch.features.shape[1:])}, only of {given.shape}; leave it out, or name a longer one: {error}"
        ) from error
