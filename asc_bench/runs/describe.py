"""What a system is on a task, before any clip is read: size, cost and input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asc_bench.bench.bench import task_of
from asc_bench.budget import Budget
from asc_bench.errors import AscBenchError, ConfigError, SystemFailure
from asc_bench.features.frontends import FrontEnd
from asc_bench.limits import BYTES_OF, DEFAULT_PRECISION
from asc_bench.registry import protocols
from asc_bench.runs.plan import why_not
from asc_bench.runs.variant import Variant, parse_variants
from asc_bench.systems.base import Reason, System, Task
from asc_bench.systems.distilled import DistilledSystem
from asc_bench.systems.fused import FusedSystem
from asc_bench.systems.sklearn_system import SklearnSystem
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.transfer.system import TransferredSystem
from asc_bench.systems.wrapper import WrapperSystem
from asc_bench.training.plan import TrainingPlan

if TYPE_CHECKING:
    from asc_bench.training.complexity import LayerCost

DEFAULT_PROTOCOL = "dcase2018"
"""Whose task a system is described on where none is named."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """A system that is built for a task and not fitted.

    Attributes
    ----------
    variant : Variant
        The system with its settings.
    protocol : str
        Whose task it is.
    task : Task
        Classes, devices and clip length, as the protocol states them.
    budget : Budget
        The published architecture with ``paper`` and ``quick``; some systems are narrower with ``smoke``.
    front_end : FrontEnd or None
        None for a fusion, which reads no clips.
    input_shape : tuple of int
        Of one clip.
    n_parameters, n_multiply_adds : int or None
        As ``System.complexity`` counts them: trainable parameters, and multiply-adds of predicting one clip. None
        where they are not defined before the fit.
    undefined : str
        Why one of them is not; empty if both are.
    cost : mapping
        All counts that there are, by their names in ``asc_bench.limits.COSTS``.
    reason : Reason or None
        What this machine lacks to run it.
    plan : TrainingPlan or None
        How its network is trained.
    precision : str
        Of the arithmetic at test.
    """

    variant: Variant
    protocol: str
    task: Task
    budget: Budget
    front_end: FrontEnd | None
    input_shape: tuple[int, ...]
    n_parameters: int | None
    n_multiply_adds: int | None
    undefined: str
    cost: Mapping[str, int]
    reason: Reason | None
    plan: TrainingPlan | None
    precision: str

    @property
    def input_axes(self) -> tuple[str, ...]:
        """What each axis of the input counts; ``values`` where the front end does not say."""
        named = self.front_end.axes if self.front_end else ()
        return named if len(named) == len(self.input_shape) else ("values",) * len(self.input_shape)

    @property
    def n_bytes(self) -> int | None:
        """Bytes of the parameters in float32."""
        return None if self.n_parameters is None else BYTES_OF[DEFAULT_PRECISION] * self.n_parameters


def describe(
    system: str | Variant, *, protocol: str = DEFAULT_PROTOCOL, budget: Budget = Budget.PAPER
) -> Description:
    """Build a system for a protocol's task and say what it is; no data are needed and nothing is fitted.

    Parameters
    ----------
    system : str or Variant
        One system, such as ``caa-net[training=multi-task]``.
    protocol : str
        Name of a protocol.
    budget : Budget
        That it would be trained with.

    Raises
    ------
    ConfigError
        For an unknown name or setting, several systems at once, or a system that the task does not suit.
    SystemFailure
        If the system crashes when it is built.
    """
    variant = _one(system)
    on = protocols().get(protocol)
    task = task_of(on, on.devices)
    try:
        built = variant.build(task, budget)
        reason = why_not(built)
        if reason is not None and reason.kind == "unsupported-task":
            raise ConfigError(reason.text)
        if isinstance(built, FusedSystem):
            for member in built.members:
                describe(member, protocol=protocol, budget=budget)
        front_end = None if isinstance(built, FusedSystem) else built.front_end()
        shape = front_end.shape(task.clip_duration_s) if front_end else ()
        cost = _cost(built)
        training = built.training_plan() if isinstance(built, TorchSystem) else None
        network = built.inner if isinstance(built, WrapperSystem) else built
        precision = (
            network.training_plan().test_precision if isinstance(network, TorchSystem) else DEFAULT_PRECISION
        )
    except AscBenchError as error:
        raise ConfigError(f"{variant} cannot run on {protocol}: {error}") from error
    except Exception as error:
        raise SystemFailure(f"{variant} cannot be built for {protocol}: {type(error).__name__}: {error}") from error
    n_parameters, n_multiply_adds = cost.get("n_parameters"), cost.get("n_multiply_adds")
    return Description(
        variant=variant,
        protocol=protocol,
        task=task,
        budget=budget,
        front_end=front_end,
        input_shape=shape,
        n_parameters=n_parameters,
        n_multiply_adds=n_multiply_adds,
        undefined=_why_undefined(built) if n_parameters is None or n_multiply_adds is None else "",
        cost=cost,
        reason=reason,
        plan=training,
        precision=precision,
    )


def layer_costs(about: Description) -> tuple[LayerCost, ...]:
    """Costs of the layers of a described system, if its cost is that of one network; else none."""
    if "n_macs_dcase" not in about.cost:
        return ()
    built = about.variant.build(about.task, about.budget)
    network = built.inner if isinstance(built, TransferredSystem | DistilledSystem) else built
    if not isinstance(network, TorchSystem):
        return ()
    import torch

    with torch.random.fork_rng(devices=[]):
        return network.network_cost().layers


def _one(system: str | Variant) -> Variant:
    if isinstance(system, Variant):
        return system
    variants = parse_variants(system)
    if len(variants) > 1:
        raise ConfigError(f"{system!r} stands for {len(variants)} systems, such as {variants[1]}; name one of them")
    return variants[0]


def _cost(system: System) -> Mapping[str, int]:
    """Of the unfitted system; initialising a network leaves the caller's random numbers as they were."""
    if isinstance(system, TransferredSystem) and _fitted_first(system):
        return {}
    if not isinstance(system, TorchSystem | WrapperSystem):
        return system.complexity()
    import torch

    with torch.random.fork_rng(devices=[]):
        return system.complexity()


def _fitted_first(system: TransferredSystem) -> bool:
    """Whether its network is put together or handed over only when it is fitted."""
    return system.several_labels or system.params.variant in ("svm", "lr")


def _why_undefined(system: System) -> str:
    if isinstance(system, FusedSystem):
        members = system.members
        which = " and ".join(members) if len(members) < 4 else f"{len(members)} systems, such as {members[0]}"
        return f"it has no input of its own, and combines the predictions of {which}"
    if isinstance(system, TransferredSystem):
        inner = system.params.system
        if system.several_labels:
            return f"a linear layer on the embedding of {inner} takes the place of its heads once it is fitted"
        return f"it embeds by {inner} as trained on the source, whose classes are not known here"
    if isinstance(system, SklearnSystem):
        return "what its classifier stores, such as support vectors, depends on the training clips"
    if isinstance(system, TorchSystem):
        return "a part of it is no network, and what that part stores is known once it is fitted"
    return "the system tells neither before it is fitted"
