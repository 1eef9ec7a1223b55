"""A run of a fusion: stored predictions of its members in, fused predictions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.bench.bench import Bench
from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.labels import FINE, LabelSpace
from asc_bench.limits import COSTS
from asc_bench.protocol import Fold
from asc_bench.registry import systems
from asc_bench.runs.inference_time import INFERENCE
from asc_bench.runs.plan import RunSpec
from asc_bench.runs.store import NOT_SAVED, ResultsStore, StoredRun
from asc_bench.runs.variant import Variant, parse_variants
from asc_bench.scoring.predictions import prediction_frame
from asc_bench.systems.fused import FusedSystem

Facts = dict[str, object]

FUSION, FUSION_SEPARATOR = "fusion", "+"
"""Name of the system that fuses what its setting ``members`` names, and what stands between the names there."""


def fuse(spec: RunSpec, bench: Bench, store: ResultsStore) -> tuple[pd.DataFrame, Facts]:
    """Combine the stored runs of a fusion's members.

    Weights are fitted on validation predictions, and the fused validation predictions are not kept then: nothing
    further may be chosen on clips that the weights were fitted on.

    Returns
    -------
    DataFrame
        As ``prediction_frame`` gives it.
    dict
        For the manifest.

    Raises
    ------
    SystemFailure
        If a member has no finished run, or the members' predictions do not fit together.
    """
    fold = next(f for f in bench.folds if f.name == spec.fold)
    system = spec.variant.build(bench.task(fold), spec.budget)
    assert isinstance(system, FusedSystem)
    runs = [finished(member, spec, store) for member in spec.members]
    labels = bench.protocol.labels
    weights = {}
    if system.uses_validation:
        truth = _truth(bench, fold.validation, labels)
        weights = system.weights([levels_of(run, "validation", fold.validation) for run in runs], truth)
    frames = []
    for split, ids in (("validation", fold.validation), ("test", fold.test)):
        if split == "validation" and (not spec.has_validation or system.uses_validation):
            continue
        given = system.combine([levels_of(run, split, ids) for run in runs], weights)
        frames.append(prediction_frame(bench.select(ids), labels, given, split=split))
    scales = {level: dict(zip(_names(runs), w[0].round(6).tolist(), strict=True)) for level, w in weights.items()}
    return pd.concat(frames, ignore_index=True), _facts(system, fold, runs) | (
        {"weights": scales} if scales else {}
    )


def fusions(names: Sequence[str], rules: Sequence[str]) -> list[Variant]:
    """What a command line asks for: some systems to be fused, by each of some rules, or one fusion by its name.

    Raises
    ------
    ConfigError
        For an unknown system or rule, or a single system that is no fusion.
    """
    variants = parse_variants(",".join(names))
    if len(variants) > 1:
        members = FUSION_SEPARATOR.join(str(variant) for variant in variants)
        return parse_variants(",".join(f"{FUSION}[members={members},rule={rule}]" for rule in rules))
    if not issubclass(systems().get(variants[0].name), FusedSystem):
        raise ConfigError(f"{variants[0]} alone is no fusion; name two systems at least")
    return variants


def finished(needed: RunSpec, spec: RunSpec, store: ResultsStore, *, what: str = "member") -> StoredRun:
    """The stored run that another one needs; raises SystemFailure, with its error, where there is none."""
    run = store.load(needed)
    if run is None:
        raise SystemFailure(f"{spec.variant}: its {what} {needed.title} has not been run")
    if not run.done:
        raise SystemFailure(f"{spec.variant}: its {what} {needed.title} failed: {run.manifest['error']['message']}")
    return run


def levels_of(run: StoredRun, split: str, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Stored probabilities of a split by level, in the order of ``ids``."""
    frame = run.predictions[run.predictions["split"] == split]
    if frame.empty:
        raise SystemFailure(f"{run.manifest['variant']} {run.manifest['fold']} has no {split} predictions")
    found = {}
    for level, rows in frame.groupby("level", sort=False):
        by_clip = rows.set_index("clip_id")["probabilities"]
        found[str(level)] = np.stack(by_clip.loc[list(ids)].to_list()).astype(np.float32)
    return found


def _truth(bench: Bench, ids: Sequence[str], labels: LabelSpace) -> Mapping[str, npt.NDArray[np.int64]]:
    fine = labels.encode(bench.select(ids)["scene"])
    return {level: fine if level == FINE else labels.to_coarse(fine) for level in labels.levels}


def _names(runs: Sequence[StoredRun]) -> list[str]:
    return [str(run.manifest["variant"]) for run in runs]


def _facts(system: FusedSystem, fold: Fold, runs: Sequence[StoredRun]) -> Facts:
    """What a fusion costs is what its members cost."""
    manifests = [run.manifest for run in runs]
    return {
        "needs_device": max((m["needs_device"] for m in manifests), key=("no", "training", "test").index),
        "uses_validation": system.uses_validation,
        **{key: _sum(m.get(key) for m in manifests) for key in COSTS if key != "n_device_models"},
        "facts": {"rule": system.params.rule, "n_members": len(runs), **_precision(manifests)},
        "members": {str(m["variant"]): m["digest"] for m in manifests},
        "n_clips": {"train": len(fold.train), "validation": len(fold.validation), "test": len(fold.test)},
        "n_training_examples": max(int(m["n_training_examples"]) for m in manifests),
        "durations_s": {
            phase: round(sum(float(m["durations_s"].get(phase, 0.0)) for m in manifests), 4)
            for phase in ("fit", "predict")
        },
        **_inference(manifests),
        NOT_SAVED: f"{system.card.name} has no weights of its own; its members keep theirs",
    }


def _inference(manifests: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """The times of all members together, where each was timed, on CPUs of one kind."""
    timed = [m.get(INFERENCE, {}) for m in manifests]
    if not all("total_ms" in each for each in timed) or len({each["processor"] for each in timed}) > 1:
        return {}
    sums = {key: round(sum(each[key] for each in timed), 4) for key in ("total_ms", "front_end_ms", "predict_ms")}
    fewest = min(each["n_clips"] for each in timed)
    return {INFERENCE: {**sums, "n_clips": fewest, "processor": timed[0]["processor"]}}


def _precision(manifests: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What all members predict in, if they agree on something else than float32."""
    found = {(m.get("facts") or {}).get("test_precision") for m in manifests}
    (one,) = found if len(found) == 1 else (None,)
    return {"test_precision": one} if one else {}


def _sum(counts: Any) -> int | None:
    """None where a member does not tell."""
    known = list(counts)
    return None if None in known else sum(known)
