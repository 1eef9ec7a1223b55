"""Frames and manifests as evaluation and the runner hand them to reporting."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from asc_bench.scoring.frames import SCORE_COLUMNS

HOSTILE = "<script src=http://evil.example/x.js></script>|&%_#$~^\\{}[a](b)\x1b[31m\n\u202ered"


def manifest(variant: str, **changes: Any) -> dict[str, Any]:
    """A run that went well on real data, unless changed."""
    base: dict[str, Any] = {
        "status": "done",
        "protocol": "dcase2018",
        "protocol_title": "DCASE 2018 Task 1B",
        "protocol_version": 1,
        "dataset": "tut-urban-2018-mobile",
        "synthetic": False,
        "synthetic_size": "",
        "variant": variant,
        "system": variant.partition("[")[0],
        "budget": "paper",
        "fold": "fold1",
        "repeat": 0,
        "seed": 5,
        "key": f"key-{variant}",
        "needs_device": "no",
        "n_parameters": 4_686_000,
        "n_multiply_adds": None,
        "durations_s": {"features": 1.5, "fit": 312.4, "predict": 3.25},
        "n_clips": {"train": 6122, "validation": 1000, "test": 2878},
        "peak_memory_bytes": 2**30,
        "device": "cpu",
        "n_threads": 2,
        "started": "2026-01-02T23:30:00-01:00",
        "versions": {"torch": "2.9.0"},
    }
    return base | changes


def failed(variant: str, message: str = "bad shape (3, 4)\nsecond line", **changes: Any) -> dict[str, Any]:
    """A run that failed: such a manifest lacks what only a fitted system can tell."""
    run = manifest(variant, status="failed", error={"type": "ValueError", "message": message}, **changes)
    for key in ("needs_device", "n_parameters", "n_multiply_adds", "n_clips"):
        del run[key]
    return run


def scores(values: dict[str, dict[str, float]], **changes: Any) -> pd.DataFrame:
    """A score table: system to measure to fraction; NaN makes the system incomplete."""
    rows = [
        {
            "system": system,
            "measure": measure,
            "value": value,
            "low": value - 0.0213,
            "high": value + 0.0187,
            "n": 2878 if measure == "average" else 180,
            "n_locations": 72,
            "n_repeats": 1,
            "sd_repeats": math.nan,
            "incomplete": "fold1, B: 170 of 180 test clips" if math.isnan(value) else "",
        }
        | changes
        for system, by_measure in values.items()
        for measure, value in by_measure.items()
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def significance(a: str = "caa-net", b: str = "sb-cnn", **changes: Any) -> pd.DataFrame:
    """The example of the published tables: 68.0 against 65.0."""
    row: dict[str, Any] = {
        "measure": "average",
        "system_a": a,
        "system_b": b,
        "difference": 0.03,
        "low": -0.01,
        "high": 0.0701,
        "n": 2878,
        "n_locations": 72,
        "dof": 62.0,
        "z_published": 2.41,
        "p_published": 0.008,
        "z_stratified": 1.24,
        "p_stratified": 0.107,
        "only_a": 300,
        "only_b": 214,
        "p_mcnemar": 1e-7,
        "p_bootstrap": 0.12,
        "p_bootstrap_holm": 0.9996,
        "rope": 0.01,
        "p_better": 0.84,
        "p_equivalent": 0.13,
    }
    return pd.DataFrame([row | changes])


def confusion(classes: tuple[str, ...], counts: list[list[int]]) -> pd.DataFrame:
    """Rows true, columns predicted."""
    return pd.DataFrame(counts, index=list(classes), columns=list(classes))
