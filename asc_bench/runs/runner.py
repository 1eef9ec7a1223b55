"""One run: features from the cache, fit, predict, publish. Only here is a system's crash caught."""

from __future__ import annotations

import logging
import shutil
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import Timeout

from asc_bench.bench.augmentation import with_copies
from asc_bench.bench.bench import Bench, Selection
from asc_bench.bench.examples import by_level, labelled, limited, unlabelled
from asc_bench.bench.host import PeakMemory, host_facts, package_versions
from asc_bench.bench.waveforms import averaged
from asc_bench.errors import StoreError, SystemFailure
from asc_bench.files import writing
from asc_bench.limits import COSTS
from asc_bench.protocol import Fold, Protocol
from asc_bench.registry import protocols
from asc_bench.runs.distillation import with_teachers
from asc_bench.runs.durations import Stopwatch
from asc_bench.runs.energy import ENERGY, energy_of
from asc_bench.runs.fitted import loaded
from asc_bench.runs.fusion import fuse
from asc_bench.runs.inference_time import INFERENCE, inference_time
from asc_bench.runs.plan import Origin, RunSpec
from asc_bench.runs.segments import segment_rows
from asc_bench.runs.settings import Progress, Settings, limit_threads
from asc_bench.runs.store import NOT_SAVED, PART, TRACEBACK, WEIGHTS, ResultsStore, StoredRun
from asc_bench.runs.trackers import RunLog
from asc_bench.scoring.predictions import prediction_frame
from asc_bench.scoring.source_only import class_counts
from asc_bench.stored_protocol import DEFINITION, definition
from asc_bench.systems.base import Context, System
from asc_bench.systems.distilled import DistilledSystem
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.transfer.system import TransferredSystem
from asc_bench.training.history import History

_log = logging.getLogger("asc_bench")


def run_once(
    spec: RunSpec,
    bench: Bench,
    store: ResultsStore,
    settings: Settings,
    progress: Progress,
    *,
    wait: bool = True,
) -> StoredRun | None:
    """Compute one run unless it is stored; None if another process is at it and ``wait`` is false.

    Raises
    ------
    StoreError
        If results, features or checkpoints cannot be written: that is no fault of the system. One about files
        elsewhere, such as the system's weights, is.
    """
    bench = spec.bench_in(bench)
    try:
        with store.lock(spec, wait=wait):
            stored = store.load(spec, with_weights=settings.keep_weights or spec.keeps_weights)
            if stored is not None and stored.done and settings.accept(stored.manifest):
                return stored
            with RunLog(settings.log, store.root, spec) as log:
                run = _compute(spec, bench, store, settings, progress, log)
                log.finished(run, bench.protocol)
            return run
    except Timeout:
        return None


def skipped(spec: RunSpec, bench: Bench, settings: Settings) -> StoredRun:
    """The row of a run that its system refuses; it is not stored."""
    now = datetime.now(UTC)
    manifest = _header(spec, bench, settings, now) | {
        "status": "skipped",
        "error": {"type": "", "message": spec.refusal},
        "durations_s": {},
        "peak_memory_bytes": 0,
        "finished": now.isoformat(timespec="milliseconds"),
        "digest": spec.key,
    }
    return StoredRun(Path(), manifest)


def lost(
    spec: RunSpec, bench: Bench, store: ResultsStore, settings: Settings, *, where: str, attempts: int
) -> StoredRun:
    """Store the failure of a run whose process was killed, unless another process has finished it meanwhile.

    Parameters
    ----------
    spec, bench, store, settings
        As in ``run_once``.
    where : str
        Machine of the last process.
    attempts : int
        How often it was begun.
    """
    now = datetime.now(UTC)
    message = (
        f"its process was killed {attempts} times, the last time on {where}: probably out of memory. Try fewer "
        "jobs, or more memory for each"
    )
    manifest = _header(spec, spec.bench_in(bench), settings, now) | {
        "status": "failed",
        "error": {"type": "WorkerKilled", "message": message},
        "durations_s": {},
        "peak_memory_bytes": 0,
        "finished": now.isoformat(timespec="milliseconds"),
    }
    with store.lock(spec):
        stored = store.load(spec)
        return stored if stored is not None and stored.done else _failed(spec, store, manifest, message)


def _compute(
    spec: RunSpec, bench: Bench, store: ResultsStore, settings: Settings, progress: Progress, log: RunLog
) -> StoredRun:
    started, memory = datetime.now(UTC), PeakMemory()
    # Only here is the device one of this machine: elsewhere it is what was asked for, such as cuda:*.
    manifest = _header(spec, bench, settings, started) | {"host": host_facts(settings.device)}
    watch, history = Stopwatch(), History(log.row)
    system: System | None = None
    try:
        # The one broad except: whatever a system raises becomes a failed row, and the others go on.
        if spec.fault:
            raise SystemFailure(spec.fault)
        if spec.members:
            frame, facts = fuse(spec, bench, store)
            weights = None
        else:
            with energy_of(settings.energy) as energy:
                found = _fit_and_predict(spec, bench, store, settings, progress, watch, history)
            system, frame, facts, weights = found
            facts |= {ENERGY: energy} if energy else {}
    except (Exception, SystemExit) as error:
        if isinstance(error, StoreError) and error.is_below(store.root, settings.cache):
            raise  # the next run would meet it as well
        manifest |= {
            "status": "failed",
            "error": {"type": type(error).__name__, "message": str(error)},
            **_footer(watch, memory),
        }
        return _failed(spec, store, manifest, traceback.format_exc())
    manifest |= {"status": "done", **_footer(watch, memory), **facts}
    if system is not None and settings.measure_inference:
        # Last of all, so that it moves neither a number, nor a weight, nor the peak of memory.
        progress(1.0, "timing single clips")
        test = next(f for f in bench.folds if f.name == spec.fold).test
        manifest[INFERENCE] = inference_time(system, bench, test, settings, spec.budget)
    several = bench.protocol.multi_label
    return store.publish(
        spec,
        manifest,
        predictions=None if several else frame,
        segments=frame if several else None,
        labels=bench.protocol.labels,
        history=history.frame() if history.parts else None,
        weights=weights,
    )


def _failed(spec: RunSpec, store: ResultsStore, manifest: Mapping[str, object], text: str) -> StoredRun:
    """Publish a failure, unless the run is stored and was computed again for its weights or another precision."""
    earlier = store.load(spec)
    if earlier is None or not earlier.done:
        return store.publish(spec, manifest, traceback=text)
    scratch = store.scratch(spec)
    _log.warning("%s failed when it was computed again; the stored run stays", spec.title)
    with writing(scratch):
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / TRACEBACK).write_text(text, encoding="utf-8", errors="backslashreplace")
    return StoredRun(scratch, {**manifest, "digest": spec.key})


def _fit_and_predict(
    spec: RunSpec,
    bench: Bench,
    store: ResultsStore,
    settings: Settings,
    progress: Progress,
    watch: Stopwatch,
    history: History,
) -> tuple[System, pd.DataFrame, dict[str, object], Path | None]:
    official = next(f for f in bench.folds if f.name == spec.fold)
    task = bench.task(official)
    system = spec.variant.build(task, spec.budget)
    if isinstance(system, TransferredSystem) and spec.origin is not None:
        system.pretrained = _pretrained(spec.origin, store)
    fold = limited(official, bench.rows, system.uses_validation, spec.selection)
    with watch("features"):
        cached = partial(bench.features, system.front_end(), cache=settings.cache, n_jobs=settings.n_threads)
        array = cached().array
        train = labelled(bench, fold.train, array, system)
        if spec.augmentation:
            train = with_copies(
                train,
                fold.train,
                array=cached(augmentation=spec.augmentation).array,
                first_row=bench.copies(spec.augmentation)[1],
                n_each=spec.augmentation.n_each,
                owner=bench.feature_rows(fold.train)[1],
            )
    scratch = store.scratch(spec)
    context = Context(
        seed=spec.seed,
        folder=scratch,
        device=settings.device,
        progress=progress,
        precision=settings.precision,
        history=history,
    )
    limit_threads(settings.n_threads)
    taught: dict[str, object] = {}
    if isinstance(system, DistilledSystem):
        with watch("teachers"):
            progress(0.0, "asking teachers")
            train, taught = with_teachers(train, fold.train, spec=spec, bench=bench, store=store, settings=settings)
    with watch("fit"):
        chosen_on = fold.validation if system.uses_validation else ()
        validation = labelled(bench, chosen_on, array, system) if chosen_on else None
        scratch.mkdir(parents=True, exist_ok=True)
        system.fit(train, validation, context)
    frames = []
    with watch("predict"):
        for split, ids in (("validation", fold.validation), ("test", fold.test)):
            if ids and (split == "test" or spec.selection is not Selection.TEST):
                progress(1.0, f"predicting {split}")
                given = system.predict(unlabelled(bench, ids, array, system))
                if bench.protocol.multi_label:
                    frames.append(segment_rows(bench, ids, given, split=split))
                    continue
                levels = averaged(by_level(given, task.labels), bench.feature_rows(ids)[1])
                frames.append(prediction_frame(bench.select(ids), task.labels, levels, split=split))
    complexity = system.complexity()
    facts: dict[str, object] = {
        "needs_device": system.needs_device,
        "uses_validation": system.uses_validation,
        **{key: complexity.get(key) for key in COSTS},
        "facts": dict(system.facts()),
        "n_clips": _counts(fold),
        "n_training_examples": len(train),
        **taught,
    }
    weights = None
    if settings.keep_weights or spec.keeps_weights:
        with watch("save"):
            weights, note = _save(system, scratch / WEIGHTS)
        facts |= note
    return system, pd.concat(frames, ignore_index=True), facts, weights


def _pretrained(origin: Origin, store: ResultsStore) -> TorchSystem:
    """The network that a transfer starts from.

    Raises
    ------
    SystemFailure
        If it was not run, or failed.
    """
    run = store.load(origin.spec)
    if run is None or not run.done:
        state = "has not been run" if run is None else f"failed: {run.manifest['error']['message']}"
        raise SystemFailure(f"{origin.spec.title} of {origin.spec.protocol}, which this starts from, {state}")
    system = loaded(run, origin.task)
    assert isinstance(system, TorchSystem)
    return system


def _save(system: System, folder: Path) -> tuple[Path | None, dict[str, object]]:
    """Write a fitted system; a note for the manifest, and a warning, where it cannot be saved.

    Raises
    ------
    SystemFailure
        If it claims to be saved and wrote nothing.
    """
    shutil.rmtree(folder, ignore_errors=True)
    with writing(folder):
        folder.mkdir(parents=True)
    try:
        system.save(folder)
    except NotImplementedError as error:
        reason = str(error) or f"{system.card.name} cannot be saved"
        _log.warning("%s: its predictions are kept, its weights are not", reason)
        return None, {NOT_SAVED: reason}
    if not any(path.is_file() for path in folder.rglob("*")):
        raise SystemFailure(f"{system.card.name}: save wrote no file")
    return folder, {}


def _header(spec: RunSpec, bench: Bench, settings: Settings, started: datetime) -> dict[str, Any]:
    dataset = bench.dataset
    return {
        "protocol": spec.protocol,
        "protocol_title": bench.protocol.title,
        "protocol_version": bench.protocol.version,
        "dataset": dataset.name,
        **(_of_sources(spec, bench) if dataset.sources else {}),
        **({"data_caveats": list(dataset.caveats)} if dataset.caveats else {}),
        **({"missing_training": list(dataset.missing_training)} if dataset.missing_training[0] else {}),
        **({"data_files": dataset.files} if dataset.files else {}),
        **({"unofficial_split": True} if dataset.unofficial_split else {}),
        **({"unofficial_files": True} if dataset.unofficial_files else {}),
        **_definition(bench.protocol),
        "synthetic": dataset.synthetic,
        "synthetic_size": dataset.root.parent.name if dataset.synthetic else "",
        "system": spec.variant.name,
        "variant": str(spec.variant),
        "params": asdict(spec.variant.params) | spec.variant.changes.texts(),
        "budget": str(spec.budget),
        "selection": str(spec.selection),
        "augmentation": str(spec.augmentation or ""),
        "fold": spec.fold,
        **({PART: True} if spec.part else {}),
        "repeat": spec.repeat,
        "seed": spec.seed,
        "key": spec.key,
        "key_parts": dict(spec.parts),
        "code": spec.code,
        "expected": bench.expected(),
        "device": settings.device,
        "n_threads": settings.n_threads,
        "host": host_facts(),
        "versions": package_versions(),
        "started": started.isoformat(timespec="seconds"),
    }


def _definition(protocol: Protocol) -> dict[str, object]:
    """Of a protocol that is registered nowhere: what tables need, if it can be kept."""
    found = None if protocols().found.get(protocol.name) is type(protocol) else definition(protocol)
    return {} if found is None else {DEFINITION: found}


def _of_sources(spec: RunSpec, bench: Bench) -> dict[str, object]:
    """The sources, and the classes of their clips that may be learnt from: tables tell what these alone give."""
    fold = next(f for f in bench.folds if f.name == spec.fold)
    counts = class_counts(bench.select((*fold.train, *fold.validation)))
    return {"sources": list(bench.dataset.sources), "class_counts": counts}


def _footer(watch: Stopwatch, memory: PeakMemory) -> dict[str, object]:
    return {
        "durations_s": watch.durations_s,
        "peak_memory_bytes": memory.n_bytes(),
        "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _counts(fold: Fold) -> dict[str, int]:
    return {"train": len(fold.train), "validation": len(fold.validation), "test": len(fold.test)}
