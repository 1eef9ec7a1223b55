"""Stored runs whose accuracies are known, without any recording: ten clips of each class on each device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.data.manifest import Dataset
from asc_bench.protocol import Fold
from asc_bench.registry import protocols
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.runner import skipped
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.runs.variant import parse_variants
from tests.unit.made_predictions import clips_of, frame_of

N = 10
"""Test clips of a class on a device, each at a location of its own: accuracies are tenths."""
SETTINGS = Settings(cache=Path("/nonexistent"))


def made_bench(protocol: str = "dcase2018", *, synthetic: bool = False) -> Bench:
    """A protocol with three devices on clips that are only names."""
    instance = protocols().get(protocol)()
    table = clips_of(per_location=1, n_locations=N + 1, devices=("A", "B", "C"), scenes=instance.labels.fine)
    table["path"] = table["clip_id"] + ".wav"
    dataset = Dataset(
        name=instance.datasets[0],
        root=Path("/nonexistent/tiny/set"),
        clips=table,
        splits=(),
        synthetic=synthetic,
        file_digests=dict.fromkeys(table["path"], "0" * 64),
    )
    last = table["location"].str.endswith(f"-{N}")
    fold = Fold("fold1", tuple(table["clip_id"][last]), (), tuple(table["clip_id"][~last]))
    return Bench(instance, dataset, table, (fold,))


def specs_of(bench: Bench, variant: str, budget: Budget = Budget.PAPER, **options: object) -> list[RunSpec]:
    """The runs of a system."""
    return plan(bench, parse_variants(variant), budget=budget, **options)  # type: ignore[arg-type]


def made_predictions(bench: Bench, n_right: Mapping[str, int]) -> pd.DataFrame:
    """Predictions that are right for so many of the ten clips of each class on each device."""
    test = bench.select(bench.folds[0].test)
    place = test["location"].str.rpartition("-")[2].astype(int)
    true = bench.protocol.labels.encode(test["scene"])
    right = (place < test["device"].map(dict(n_right))).to_numpy()
    return frame_of(
        test, np.where(right, true, (true + 1) % len(bench.protocol.labels.fine)), bench.protocol.labels
    )


def publish(
    store: ResultsStore,
    bench: Bench,
    spec: RunSpec,
    *,
    n_right: Mapping[str, int] | int = 5,
    told: bool = False,
    error: str = "",
    precision: str = "",
    history: pd.DataFrame | None = None,
) -> StoredRun:
    """Store a run as done, in this arithmetic if it is one of a network, or as failed with this error."""
    header = {k: v for k, v in skipped(spec, bench, SETTINGS).manifest.items() if k not in ("digest", "error")}
    header |= {"durations_s": {"features": 0.1, "fit": 1.0, "predict": 0.1}}
    if error:
        failure = {"status": "failed", "error": {"type": "ValueError", "message": error}}
        return store.publish(spec, header | failure, traceback=error)
    facts = {
        "status": "done",
        "needs_device": "test" if told else "no",
        "n_parameters": 1000,
        "facts": {"training_precision": precision} if precision else {},
        "n_multiply_adds": None,
        "n_clips": {"train": 30, "validation": 0, "test": 300},
    }
    by_device = dict.fromkeys("ABC", n_right) if isinstance(n_right, int) else n_right
    frame = made_predictions(bench, by_device)
    return store.publish(spec, header | facts, predictions=frame, labels=bench.protocol.labels, history=history)
