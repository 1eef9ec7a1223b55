"""Protocol, systems, folds and repeats become a list of runs. Nothing is computed or written here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from asc_bench.data.manifest import Dataset
from asc_bench.errors import ConfigError, DataError
from asc_bench.evaluation.protocol import Fold, Protocol
from asc_bench.experiment import keys
from asc_bench.experiment.seeds import derive_seed
from asc_bench.experiment.variant import Variant
from asc_bench.features.frontends import FrontEnd
from asc_bench.registry import near, protocols, systems
from asc_bench.slugs import slug
from asc_bench.systems.base import Task
from asc_bench.training.budget import Budget


@dataclass(frozen=True)
class Bench:
    """A protocol on a data set: everything a run needs that is not the system."""

    protocol: Protocol
    dataset: Dataset
    clips: pd.DataFrame
    folds: tuple[Fold, ...]

    @classmethod
    def of(cls, protocol: Protocol, dataset: Dataset) -> Bench:
        """Apply a protocol to an indexed data set.

        Raises
        ------
        DataError
            If a fold names clips twice or clips that the clip table lacks.
        """
        clips = protocol.clips(dataset)
        folds = tuple(protocol.folds(dataset))
        known = set(clips["clip_id"])
        for fold in folds:
            ids = [*fold.train, *fold.validation, *fold.test]
            if len(set(ids)) != len(ids):
                raise DataError(f"{protocol.name}, {fold.name}: a clip stands in two of train, validation and test")
            strangers = set(ids) - known
            if strangers:
                raise DataError(f"{protocol.name}, {fold.name}: {min(strangers)!r} is not in the clip table")
        return cls(protocol, dataset, clips, folds)

    def __reduce__(self) -> tuple[Callable[..., Bench], tuple[object, ...]]:
        """Travel to a worker with the protocol's name: the worker may have to load the plug-in first."""
        return _rebuild, (self.protocol.name, self.dataset, self.clips, self.folds)

    @property
    def tag(self) -> str:
        """Folder name that keeps results of different data apart."""
        kind = f"synthetic-{self.dataset.root.parent.name}" if self.dataset.synthetic else self.dataset.name
        return slug(f"{self.protocol.name}-{kind}")

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row of each clip id in the clip table and in every feature array."""
        return {clip_id: row for row, clip_id in enumerate(self.clips["clip_id"])}

    def select(self, clip_ids: Sequence[str]) -> pd.DataFrame:
        """Clip table rows of these clips, in this order."""
        return self.clips.iloc[[self.rows[c] for c in clip_ids]].reset_index(drop=True)

    def task(self, fold: Fold) -> Task:
        """What a system may know before it is built."""
        devices = sorted(set(self.select(fold.train)["device"]) - {""})
        return Task(self.protocol.labels, tuple(devices), self.protocol.clip_duration_s)

    def expected(self) -> dict[str, dict[str, int]]:
        """Test clips by fold and device (``""`` where there is none)."""
        return {
            fold.name: {str(d): int(n) for d, n in self.select(fold.test)["device"].value_counts().items()}
            for fold in self.folds
        }

    def faults(self) -> tuple[str, ...]:
        """Why no score may come from this data set; empty when it is complete."""
        missing = self.dataset.missing
        files = (f"{len(missing)} audio files are missing, such as {missing[0]}",) if missing else ()
        return (*self.dataset.shortfalls, *files)


def _rebuild(protocol: str, dataset: Dataset, clips: pd.DataFrame, folds: tuple[Fold, ...]) -> Bench:
    return Bench(protocols().get(protocol)(), dataset, clips, folds)


@dataclass(frozen=True)
class RunSpec:
    """One system on one fold with one seed: the unit of work, of storage and of failure."""

    protocol: str
    tag: str
    variant: Variant
    fold: str
    repeat: int
    budget: Budget
    seed: int
    front_end: FrontEnd | None
    """None if the system crashes when it is asked for it; then the run will fail, and say so."""
    parts: Mapping[str, object] = field(hash=False)
    refusal: str | None = None
    """Why the system cannot work on this task; such a run is skipped."""

    @cached_property
    def key(self) -> str:
        """sha256 over all that the numbers depend on."""
        return keys.digest(self.parts)

    @property
    def folder(self) -> str:
        """Path below ``results/runs``."""
        return (
            f"{self.tag}/{self.budget}/{slug(str(self.variant))}/{slug(self.fold)}-r{self.repeat}-{self.key[:12]}"
        )

    @property
    def title(self) -> str:
        """A few words for progress and messages."""
        repeat = f", repeat {self.repeat}" if self.repeat else ""
        return f"{self.variant} {self.fold}{repeat}"


def plan(
    bench: Bench,
    variants: Iterable[Variant],
    *,
    budget: Budget,
    repeats: Sequence[int] = (0,),
    folds: Sequence[str] = (),
) -> list[RunSpec]:
    """List the runs of a command, system by system.

    Parameters
    ----------
    bench : Bench
        Protocol and data.
    variants : iterable of Variant
        Systems with their settings.
    budget : Budget
        How long each may train.
    repeats : sequence of int
        Repetitions; each has a seed of its own.
    folds : sequence of str
        Fold names; empty for all.

    Raises
    ------
    ConfigError
        For an unknown fold.
    """
    known = [f.name for f in bench.folds]
    for name in folds:
        if name not in known:
            raise ConfigError(f"{bench.protocol.name} has no fold {name!r}{near(name, known)}")
    chosen = [f for f in bench.folds if not folds or f.name in folds]
    data_digest = bench.dataset.digest()
    specs = []
    for variant in variants:
        code = keys.code_parts(systems().get(variant.name))
        for fold in chosen:
            task = bench.task(fold)
            front_end, refusal = _ask(variant, task, budget)
            for repeat in repeats:
                seed = derive_seed(protocol=bench.protocol.name, fold=fold.name, system=str(variant), repeat=repeat)
                parts: dict[str, object] = {
                    "code": code,
                    "variant": str(variant),
                    "protocol": f"{bench.protocol.name} v{bench.protocol.version}",
                    "labels": keys.digest([task.labels.fine, task.labels.coarse, task.labels.coarse_of]),
                    "fold": keys.digest([fold.name, fold.train, fold.validation, fold.test]),
                    "data": data_digest,
                    "features": front_end.key() if front_end else None,
                    "seed": seed,
                    "budget": str(budget),
                    "versions": keys.versions(),
                }
                specs.append(
                    RunSpec(
                        bench.protocol.name,
                        bench.tag,
                        variant,
                        fold.name,
                        repeat,
                        budget,
                        seed,
                        front_end,
                        parts,
                        refusal,
                    )
                )
    return specs


def _ask(variant: Variant, task: Task, budget: Budget) -> tuple[FrontEnd | None, str | None]:
    """Front end and refusal of a system."""
    try:
        system = variant.build(task, budget)
        return system.front_end(), system.refuses()
    except Exception:  # noqa: BLE001 - foreign code; the runner meets the same error and records its traceback
        return None, None


def limited(fold: Fold, table: pd.DataFrame, uses_validation: bool) -> Fold:
    """The fold as a system sees it: one that selects nothing on validation trains on those clips as well."""
    if uses_validation or not fold.validation:
        return fold
    order = {c: i for i, c in enumerate(table["clip_id"])}
    train = sorted((*fold.train, *fold.validation), key=order.__getitem__)
    return replace(fold, train=tuple(train), validation=())


def encode_devices(devices: Sequence[str], known: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices of device names into the devices of the training split.

    Raises
    ------
    DataError
        For a device that the training split lacks.
    """
    index = {name: i for i, name in enumerate(known)}
    unknown = sorted(set(devices) - set(index))
    if unknown:
        raise DataError(f"devices {unknown} do not occur in training, where there are {list(known)}")
    return np.array([index[d] for d in devices], dtype=np.int64)
