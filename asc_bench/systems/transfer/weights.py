"""Weights of a network that was trained for other classes: what is taken over, what is frozen, what is trained."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from asc_bench.errors import SystemFailure
from asc_bench.labels import LabelSpace

if TYPE_CHECKING:
    from asc_bench.systems.torch_system import TorchSystem


def class_tensors(system: TorchSystem) -> set[str]:
    """Names of the tensors of its network whose shape depends on the classes, such as those of the last layer."""
    labels = system.task.labels
    more = LabelSpace(
        (*labels.fine, "\0"),
        (*labels.coarse, "\0") if labels.coarse else (),
        (*labels.coarse_of, len(labels.coarse)) if labels.coarse else (),
    )
    other = type(system)(replace(system.task, labels=more), system.params, system.budget)
    with torch.random.fork_rng(devices=[]):
        mine, its = (s.build().state_dict() for s in (system, other))
    return {name for name, tensor in mine.items() if name not in its or its[name].shape != tensor.shape}


def take_over(module: nn.Module, source: nn.Module, *, fresh: Set[str], title: str) -> set[str]:
    """Copy what two networks share from ``source`` into ``module``.

    Parameters
    ----------
    module : nn.Module
        Freshly initialised.
    source : nn.Module
        Trained for other classes.
    fresh : set of str
        Tensors of ``module`` that are left as they are.
    title : str
        Of the system, for messages.

    Returns
    -------
    set of str
        Names of the tensors that were not taken.

    Raises
    ------
    SystemFailure
        If a tensor that does not depend on the classes has another shape in the source, or nothing is shared.
    """
    given = source.state_dict()
    taken = {}
    for name, tensor in module.state_dict().items():
        if name in fresh or name not in given:
            continue
        if given[name].shape != tensor.shape:
            raise SystemFailure(
                f"{title}: {name} has the shape {tuple(given[name].shape)} in the source and "
                f"{tuple(tensor.shape)} here, so its weights cannot be taken over; clips of the source and of the "
                "target differ in length, and this network is built for one length"
            )
        taken[name] = given[name]
    if not taken:
        raise SystemFailure(f"{title}: no weight of the source fits this network")
    module.load_state_dict(taken, strict=False)
    return set(module.state_dict()) - set(taken)


def freeze(module: nn.Module, *, trained: Set[str]) -> None:
    """Train the named parameters alone; every part without one computes as it does at test from now on.

    Parameters
    ----------
    module : nn.Module
        Changed in place, for good: ``train`` no longer moves its frozen parts.
    trained : set of str
        Names of parameters; others in it are left out of account.

    Raises
    ------
    SystemFailure
        If no parameter would be trained.
    """
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name in trained)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise SystemFailure("no parameter is left to train: every one was taken from the source")
    for part in module.modules():
        if not any(parameter.requires_grad for parameter in part.parameters()):
            part.eval()
            # The loop calls ``train`` on the whole network at every step, which would wake these parts again.
            object.__setattr__(part, "train", _Stay(part))


class _Stay:
    """A ``train`` that does nothing."""

    def __init__(self, part: nn.Module) -> None:
        self._part = part

    def __call__(self, mode: bool = True) -> nn.Module:
        return self._part
