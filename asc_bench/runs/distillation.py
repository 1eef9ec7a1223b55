"""What the teachers of a distillation say of its training clips, kept in the cache, and what it cost."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asc_bench.bench.bench import Bench
from asc_bench.bench.examples import by_level
from asc_bench.bench.keys import digest
from asc_bench.bench.waveforms import averaged
from asc_bench.clips import LabelledClips
from asc_bench.errors import SystemFailure
from asc_bench.features.entry import DamagedEntry, new_entry, open_entry, quarantine
from asc_bench.files import locked
from asc_bench.labels import FINE
from asc_bench.limits import COSTS
from asc_bench.runs.fitted import given_clips, rebuilt
from asc_bench.runs.fusion import Facts, finished, levels_of
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.systems.distilled import DistilledParams, mean_logits

TEACHERS = "teachers"
"""Manifest entry of a distillation: what its teachers are and cost, and how they were asked. Also the folder of
what they predict, below the cache."""

Probabilities = npt.NDArray[np.float32]

_log = logging.getLogger("asc_bench")


def with_teachers(
    train: LabelledClips,
    ids: Sequence[str],
    *,
    spec: RunSpec,
    bench: Bench,
    store: ResultsStore,
    settings: Settings,
) -> tuple[LabelledClips, Facts]:
    """Training clips with the mean logits of the teachers, whose runs are stored.

    Parameters
    ----------
    train : LabelledClips
        What the student is trained on; every waveform of a clip is an example.
    ids : sequence of str
        Their clips.
    spec : RunSpec
        The student's run.
    bench, store, settings
        As in ``run_once``.

    Returns
    -------
    LabelledClips
        With ``teacher_logits``.
    dict
        For the manifest.

    Raises
    ------
    SystemFailure
        If a teacher has no finished run, or predicts no scenes.
    """
    by_teacher: dict[str, list[tuple[RunSpec, StoredRun]]] = {}
    for teacher in spec.teachers:
        run = finished(teacher, spec, store, what="teacher")
        by_teacher.setdefault(str(teacher.variant), []).append((teacher, run))
    predicted = []
    for runs in by_teacher.values():
        (first, whole), *_ = runs
        if first.part is None:
            predicted.append(in_sample(first, whole, ids, bench=bench, settings=settings))
        else:
            predicted.append(cross_fitted(runs, ids))
    logits = mean_logits(predicted)[bench.feature_rows(ids)[1]]
    return replace(train, teacher_logits=logits), {TEACHERS: _facts(spec, by_teacher)}


def cross_fitted(runs: Sequence[tuple[RunSpec, StoredRun]], ids: Sequence[str]) -> Probabilities:
    """Fine probabilities of each clip by the run that was trained without it, shape (n_clips, n_classes)."""
    found: dict[str, npt.NDArray[np.float32]] = {}
    for spec, run in runs:
        assert spec.part is not None
        found |= zip(spec.part.test, _fine(levels_of(run, "test", spec.part.test), spec), strict=True)
    return np.stack([found[clip] for clip in ids])


def in_sample(
    spec: RunSpec, run: StoredRun, ids: Sequence[str], *, bench: Bench, settings: Settings
) -> Probabilities:
    """Fine probabilities of clips by a run that may have been trained on them, from the cache where they are there.

    They are those of the stored weights: a teacher that was computed again, maybe elsewhere, is asked again.

    Parameters
    ----------
    spec, run : RunSpec, StoredRun
        A teacher's run, with its weights.
    ids : sequence of str
        Training clips of the student.
    bench, settings
        As in ``run_once``.

    Returns
    -------
    float32 ndarray, shape (n_clips, n_classes)
    """
    parts = {"run": spec.key, "stored": str(run.manifest["digest"]), "clips": digest(list(ids))}
    shape = (len(ids), len(bench.protocol.labels.fine))
    expected = {"key": digest(parts), "parts": parts, "shape": list(shape), "dtype": "float32", "n_clips": len(ids)}
    folder = settings.cache / TEACHERS / f"{spec.key[:16]}-{digest(parts)[:8]}"
    with locked(folder.with_name(f"{folder.name}.lock")):
        array = _stored(folder, expected, settings.cache / "quarantine")
        if array is None:
            given = _predicted(spec, run, ids, bench, settings)
            with new_entry(folder, expected, shape=shape) as write:
                for row, values in enumerate(given):
                    write(row, values)
            array = open_entry(folder, expected)
    assert array is not None
    return np.asarray(array)


def _stored(folder: Path, expected: Facts, into: Path) -> Probabilities | None:
    try:
        return open_entry(folder, expected)
    except DamagedEntry as damage:
        _log.warning("%s is damaged (%s): moved to %s, predicted again", folder, damage, quarantine(folder, into))
        return None


def _predicted(
    spec: RunSpec, run: StoredRun, ids: Sequence[str], bench: Bench, settings: Settings
) -> Probabilities:
    system = rebuilt(run, bench, device=settings.device)
    levels = by_level(system.predict(given_clips(bench, ids, system, settings)), system.task.labels)
    return _fine(averaged(levels, bench.feature_rows(ids)[1]), spec)


def _fine(levels: Mapping[str, Probabilities], spec: RunSpec) -> Probabilities:
    if FINE not in levels:
        raise SystemFailure(f"{spec.title} predicts {', '.join(levels)} and no scenes: it cannot be a teacher")
    return np.asarray(levels[FINE], dtype=np.float32)


def _facts(spec: RunSpec, by_teacher: dict[str, list[tuple[RunSpec, StoredRun]]]) -> Facts:
    """How the teachers were asked, and what each of them cost: one prediction, and all trainings."""
    params = spec.variant.params
    assert isinstance(params, DistilledParams)
    return {
        "logits": params.logits,
        "n_parts": params.cv if params.logits == "cross-fitted" else 0,
        "systems": {
            name: {
                "fit_s": round(sum(float(run.manifest["durations_s"]["fit"]) for _, run in runs), 4),
                "n_trainings": len(runs),
                **{key: runs[0][1].manifest.get(key) for key in COSTS},
                "needs_device": runs[0][1].manifest["needs_device"],
                "external": list(runs[0][0].external),
                "runs": [run.manifest["digest"] for _, run in runs],
            }
            for name, runs in by_teacher.items()
        },
    }
