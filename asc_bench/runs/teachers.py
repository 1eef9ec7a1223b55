"""The teachers of a distillation: their runs, what they may have been trained on, and what they predict."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from asc_bench.bench.augmentation import Augmentation
from asc_bench.bench.bench import Bench, Selection
from asc_bench.bench.examples import limited
from asc_bench.budget import Budget
from asc_bench.clips import UNKNOWN_DEVICE
from asc_bench.errors import ConfigError
from asc_bench.protocol import Fold
from asc_bench.runs.variant import Variant, parse_variants
from asc_bench.systems.base import System, Task
from asc_bench.systems.distilled import SEPARATOR, DistilledParams, DistilledSystem
from asc_bench.systems.fused import FusedSystem

if TYPE_CHECKING:
    from asc_bench.runs.plan import RunSpec

DISTILLED = "distilled"
"""Name of the system whose settings name a student and teachers."""

CROSS_FITTED = "cross-fitted-"
"""Before the name of the folder of runs on parts of a fold, so that no table takes them for runs on a fold."""

Plan = Callable[[Bench, Sequence[Variant]], "list[RunSpec]"]
"""From a bench and systems to their runs on all of its folds."""


@dataclass(frozen=True)
class School:
    """The runs of the teachers of one student on one fold, in all repeats; or why it cannot be taught."""

    runs: tuple[RunSpec, ...] = ()
    refusal: str | None = None

    def of(self, repeat: int) -> tuple[RunSpec, ...]:
        """Those of one repeat."""
        return tuple(spec for spec in self.runs if spec.repeat == repeat)


def school_of(
    bench: Bench,
    fold: Fold,
    params: DistilledParams,
    student_chooses: bool,
    plan: Plan,
    budget: Budget,
    selection: Selection,
    augmentation: Augmentation | None,
) -> School:
    """Plan the teachers of a student.

    Parameters
    ----------
    bench : Bench
        What the student is planned on.
    fold : Fold
        Of the student's run.
    params : DistilledParams
        Settings of the distillation.
    student_chooses : bool
        Whether the student chooses anything on the fold's validation clips.
    plan : callable
        Plans runs at the student's budget, selection and repeats.
    budget, selection, augmentation
        Of the student's run.

    Raises
    ------
    ConfigError
        For teachers that there are not, with the near names.
    """
    teachers = parse_variants(",".join(params.teacher_names))
    if len(teachers) > len(params.teacher_names):
        raise ConfigError(f"teachers={params.teachers} stands for {len(teachers)} systems; name each of them")
    if selection is Selection.TEST:
        return School(
            refusal="teachers that were chosen on test clips would hand them on; leave out --as-published"
        )
    if augmentation is not None:
        return School(refusal="teachers are not asked for deformed copies; use augment= of the student's plan")
    runs: list[RunSpec] = []
    try:
        for teacher in teachers:
            system = _built(teacher, bench.task(fold), budget)
            refuse_kind(system, params)
            one = bench.divided((fold,))
            if params.logits == "cross-fitted":
                folds = parts_of(bench, fold, params.cv, student_chooses, system.uses_validation, selection)
                _refuse_new_devices(bench, folds, system)
                one = bench.divided(folds)
            found = [_as_teacher(spec, params, one, fold) for spec in plan(one, [teacher])]
            for spec in found:
                refuse_run(spec, params)
                trained = next(f for f in one.folds if f.name == spec.fold)
                refuse_leak(
                    limited(trained, bench.rows, system.uses_validation, selection).train,
                    unseen={
                        "test": fold.test,
                        "validation": fold.validation if student_chooses else (),
                        "held-out": trained.test if spec.part else (),
                    },
                )
            runs += found
    except ConfigError as error:
        return School(refusal=f"its teacher {teacher}: {error}")
    return School(tuple(runs))


def _built(teacher: Variant, task: Task, budget: Budget) -> System:
    try:
        return teacher.build(task, budget)
    except Exception as error:
        raise ConfigError(f"it cannot be built for this task: {type(error).__name__}: {error}") from error


def refuse_kind(system: System, params: DistilledParams) -> None:
    """Raise ConfigError for a system that cannot be a teacher, whatever it is trained on."""
    if isinstance(system, FusedSystem):
        raise ConfigError(
            "a fusion is no teacher; name its members as teachers, whose logits are averaged: "
            f"teachers={SEPARATOR.join(system.members)}"
        )
    if isinstance(system, DistilledSystem):
        raise ConfigError("it has teachers of its own; name these as teachers, or the student alone")
    if params.logits == "in-sample" and type(system).save is System.save:
        raise ConfigError("its weights cannot be stored, which logits=in-sample needs; use logits=cross-fitted")


def refuse_run(spec: RunSpec, params: DistilledParams) -> None:
    """Raise ConfigError for a teacher's run that will be skipped, or has seen nobody here knows what."""
    if spec.refusal:
        raise ConfigError(spec.refusal)
    if spec.external and params.external_weights == "refuse":
        raise ConfigError(
            f"it reads {', '.join(spec.external)}, and whether that was trained on test clips of {spec.fold} is "
            "not known here; external_weights=allow takes it all the same, and tables say so"
        )


def refuse_leak(trained: Iterable[str], *, unseen: dict[str, Iterable[str]]) -> None:
    """Raise ConfigError if a teacher is trained on clips that it must not see.

    Parameters
    ----------
    trained : iterable of str
        Clips that it is trained on.
    unseen : mapping of str to iterable of str
        Clips that it must not see, by what they are.
    """
    seen = set(trained)
    for what, ids in unseen.items():
        if both := seen.intersection(ids):
            raise ConfigError(
                f"it is trained on {len(both)} {what} clips of the student, such as {min(both)}; "
                "--hold-out keeps validation clips from all systems, and logits=cross-fitted from teachers"
            )


def parts_of(
    bench: Bench, fold: Fold, n_parts: int, student_chooses: bool, teacher_chooses: bool, selection: Selection
) -> tuple[Fold, ...]:
    """Folds inside of the student's training clips, for cross-fitting: each clip is tested in one of them.

    Recording locations are kept together, and scenes divided evenly among the parts. A teacher that chooses
    something does so on the validation clips of the fold, less those that it is to predict.

    Parameters
    ----------
    bench : Bench
        Clips and folds.
    fold : Fold
        Of the student's run.
    n_parts : int
        How many there are.
    student_chooses, teacher_chooses : bool
        Whether each chooses anything on validation clips; else it trains on them, unless they are held out.
    selection : Selection
        Of the student's run.

    Raises
    ------
    ConfigError
        If there are too few locations in all, or a scene was recorded at too few.
    """
    taught = limited(fold, bench.rows, student_chooses, selection).train
    scenes = bench.column("scene", taught).astype(np.str_)
    folds = []
    for number, held_out in enumerate(_divided(bench, taught, scenes, n_parts), start=1):
        test = tuple(clip for clip, out in zip(taught, held_out, strict=True) if out)
        rest = tuple(clip for clip, out in zip(taught, held_out, strict=True) if not out)
        tested = set(test)
        chosen_on = tuple(clip for clip in fold.validation if clip not in tested) if teacher_chooses else ()
        choosing = set(chosen_on)
        train = tuple(clip for clip in rest if clip not in choosing)
        lost = sorted(set(scenes[held_out]) - set(bench.column("scene", train)))
        if lost:
            raise ConfigError(
                f"logits=cross-fitted: without part {number} of {n_parts} no training clip of {lost[0]} is left, "
                "which was recorded at too few locations; use logits=in-sample, or another cv"
            )
        folds.append(Fold(f"{fold.name}-part{number}of{n_parts}", train, chosen_on, test))
    return tuple(folds)


def _divided(
    bench: Bench, ids: tuple[str, ...], scenes: np.ndarray[tuple[int], np.dtype[np.str_]], n_parts: int
) -> Iterator[np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Which clips are in each part."""
    from sklearn.model_selection import StratifiedGroupKFold

    places = bench.column("location", ids).astype(np.str_)
    n_places = len(np.unique(places))
    n_most = int(np.unique(scenes, return_counts=True)[1].max())
    if min(n_places, n_most) < n_parts:
        raise ConfigError(
            f"logits=cross-fitted: cv is {n_parts}, but the training clips are of {n_places} locations, and at "
            f"most {n_most} of one scene"
        )
    with warnings.catch_warnings():
        # A scene of fewer clips than parts is absent from some of them, which is no mistake.
        warnings.filterwarnings("ignore", message="The least populated class in y", category=UserWarning)
        splits = list(StratifiedGroupKFold(n_parts).split(ids, scenes, places))
    for _, test in splits:
        yield np.isin(np.arange(len(ids)), test)


def _refuse_new_devices(bench: Bench, folds: Iterable[Fold], system: System) -> None:
    """A teacher that reads devices must have been trained on those of the clips that it predicts."""
    if system.needs_device == "no" or UNKNOWN_DEVICE in system.task.devices:
        return
    for part in folds:
        new = sorted(set(bench.column("device", part.test)) - set(bench.column("device", part.train)))
        if new:
            raise ConfigError(
                f"logits=cross-fitted: without {part.name} it is trained on no clip of device {new[0]}, and it "
                "reads devices; use logits=in-sample"
            )


def _as_teacher(spec: RunSpec, params: DistilledParams, bench: Bench, fold: Fold) -> RunSpec:
    """The run of a teacher: on the whole fold, with its weights, or on a part, in a folder apart."""
    if params.logits == "in-sample":
        return replace(spec, keeps_weights=True)
    part = next(f for f in bench.folds if f.name == spec.fold)
    return replace(spec, part=part, tag=f"{CROSS_FITTED}{spec.tag}")
