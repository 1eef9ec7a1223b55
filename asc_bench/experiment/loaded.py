"""A system with the weights of a stored run."""

from __future__ import annotations

from asc_bench.errors import ConfigError, StoreError
from asc_bench.experiment.store import NOT_SAVED, StoredRun
from asc_bench.experiment.variant import parse_variants
from asc_bench.systems.base import System, Task
from asc_bench.training.budget import Budget


def loaded(run: StoredRun, task: Task, *, device: str = "cpu") -> System:
    """The system of a finished run, built for the run's own task, with its weights.

    Raises
    ------
    ConfigError
        If the run has no weights.
    StoreError
        If they cannot be read.
    """
    m = run.manifest
    if run.weights is None:
        reason = m.get(NOT_SAVED, "its weights were not kept; run it with --keep-weights")
        raise ConfigError(f"{m['variant']} {m['fold']} cannot be rebuilt: {reason}")
    (variant,) = parse_variants(m["variant"])
    system = variant.build(task, Budget(m["budget"]))
    system.move_to(device)
    try:
        system.load(run.weights)
    except NotImplementedError as error:
        raise StoreError(f"{run.weights}: {error or variant.name + ' cannot be loaded'}") from error
    return system
