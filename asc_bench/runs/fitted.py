"""A stored run's system, rebuilt with the weights that were kept, and what it is given."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asc_bench.bench.bench import Bench, Selection
from asc_bench.bench.examples import labelled, unlabelled
from asc_bench.budget import Budget
from asc_bench.clips import Clips, LabelledClips
from asc_bench.errors import ConfigError, StoreError, SystemFailure
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import NOT_SAVED, ResultsStore, StoredRun
from asc_bench.runs.variant import parse_variants
from asc_bench.systems.base import System, Task


def fitted_system(spec: RunSpec, bench: Bench, store: ResultsStore, *, device: str = "cpu") -> System:
    """Rebuild the system of a stored run and load its weights.

    Parameters
    ----------
    spec : RunSpec
        Which run.
    bench : Bench
        What it was planned on.
    store : ResultsStore
        Where it is stored.
    device : str
        torch device that it computes on from now on.

    Raises
    ------
    ConfigError
        If the system refuses the task, or if there is no such run or none with weights; the message says which
        command makes one.
    SystemFailure
        If the stored run failed.
    StoreError
        If the weights cannot be read.
    """
    if spec.refusal:
        raise ConfigError(f"{spec.variant} refuses {spec.protocol}: {spec.refusal}")
    run = store.load(spec)
    command = run_command(spec, bench, store)
    if run is None:
        raise ConfigError(
            f"{store.root} holds no run of {spec.title} with the present code and data; make it with\n  {command}"
        )
    if not run.done:
        error = run.manifest["error"]
        raise SystemFailure(
            f"the stored run of {spec.title} failed ({error['type']}: {error['message']}); its traceback is in "
            f"{run.folder}; try again with\n  {command}"
        )
    if run.weights is None and NOT_SAVED not in run.manifest:
        raise ConfigError(f"{spec.title} was run without keeping its weights; make them with\n  {command}")
    return rebuilt(run, bench, device=device)


def rebuilt(run: StoredRun, bench: Bench, *, device: str = "cpu") -> System:
    """The system of a finished run, with its weights.

    Raises
    ------
    ConfigError
        If the run has no weights.
    StoreError
        If they cannot be read.
    """
    m = run.manifest
    fold = next((f for f in bench.folds if f.name == m["fold"]), None)
    if fold is None:
        raise ConfigError(f"{run.folder} is a run of {m['protocol']} {m['fold']}, which {bench.tag} does not have")
    return loaded(run, bench.task(fold), device=device)


def given_clips(bench: Bench, ids: Sequence[str], system: System, settings: Settings) -> Clips:
    """Clips of the bench as ``predict`` and ``attention`` take them, features from the cache."""
    return unlabelled(bench, tuple(ids), _features(bench, system, settings), system)


def labelled_clips(bench: Bench, ids: Sequence[str], system: System, settings: Settings) -> LabelledClips:
    """Clips of the bench as ``fit`` takes them, without deformed copies, features from the cache."""
    return labelled(bench, tuple(ids), _features(bench, system, settings), system)


def run_command(spec: RunSpec, bench: Bench, store: ResultsStore) -> str:
    """The ``asc-bench run`` command that computes a run and keeps its weights."""
    words = ["asc-bench", "run", "-p", spec.protocol, "-s", str(spec.variant), "--budget", str(spec.budget)]
    words += {Selection.TEST: ["--as-published"], Selection.HELD_OUT: ["--hold-out"]}.get(spec.selection, [])
    words += ["--augment", str(spec.augmentation)] if spec.augmentation else []
    if len(bench.dataset.sources) < len(bench.protocol.sources):
        words += ["--sources", ",".join(bench.dataset.sources)]
    if bench.dataset.synthetic:
        size, _, seed = bench.dataset.root.parent.name.partition("-seed")
        words += ["--synthetic", "--synthetic-size", size, *(["--synthetic-seed", seed] if seed else [])]
    if len(bench.folds) > 1:
        words += ["--folds", spec.fold]
    if spec.repeat:
        words += ["--repeats", str(spec.repeat + 1)]
    if store.root != Path("results"):
        words += ["--results", str(store.root)]
    return shlex.join([*words, "--keep-weights"])


def _features(bench: Bench, system: System, settings: Settings) -> npt.NDArray[np.float32]:
    return bench.features(system.front_end(), cache=settings.cache, n_jobs=settings.n_threads).array


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
