"""Distances inside and between classes as the values of a table, from the weights of its runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.analysis.embedded_runs import SCALES, distances, embedded
from asc_bench.bench import keys
from asc_bench.bench.bench import Bench
from asc_bench.papers.table import Finished
from asc_bench.reporting.kept_scores import remembered
from asc_bench.runs.fitted import rebuilt
from asc_bench.runs.settings import Settings
from asc_bench.runs.store import StoredRun
from asc_bench.scoring.frames import SCORE_COLUMNS

METRICS = ("ICD", "ICCD")
_COLUMNS = (*SCORE_COLUMNS, "reason")


def measure_name(level: str, metric: str, scale: str) -> str:
    """``coarse ICD`` of the embeddings as they are, ``coarse ICD, unit`` of those of unit length."""
    return f"{level} {metric}" + ("" if scale == "raw" else f", {scale}")


def cluster_scores(finished: Finished) -> pd.DataFrame:
    """ICD and ICCD of the test clips at every label level of the protocol, raw and of unit length.

    The networks of different folds and repeats share no space: each is measured alone, on its own test clips, and
    the value is the mean. There is no interval: a bootstrap draws a clip twice, and its distance to itself would
    count.

    Returns
    -------
    DataFrame
        For ``Reproduction.measured``, with measures as ``measure_name`` spells them.
    """
    from asc_bench.training.device import choose_device

    settings = replace(finished.settings, device=choose_device(finished.settings.device))
    code = keys.package_digest("asc_bench.analysis", "asc_bench.papers")
    return remembered(
        finished.bench.protocol,
        finished.runs,
        finished.folder,
        lambda runs: _scores(runs, finished.bench, settings),
        code=code,
        columns=_COLUMNS,
    )


def _scores(runs: Sequence[StoredRun], bench: Bench, settings: Settings) -> pd.DataFrame:
    levels = bench.protocol.labels.levels
    names = {place: i for i, place in enumerate(product(levels, SCALES))}
    found = np.full((len(runs), len(names), len(METRICS)), math.nan)
    reasons: dict[tuple[str, str], str] = {}
    clips = []
    for i, run in enumerate(runs):
        system = rebuilt(run, bench, device=settings.device)
        fold = next(f for f in bench.folds if f.name == run.manifest["fold"])
        one = embedded(system, bench, fold, settings)
        measured, undefined = distances(one, bench.protocol.labels)
        for place, pair in measured.items():
            found[i, names[place]] = pair.icd, pair.iccd
        reasons |= {place: f"{run.manifest['fold']}: {reason}" for place, reason in undefined.items()}
        clips.append(one.clips)
    tested = pd.concat(clips).drop_duplicates("clip_id")
    repeats = np.array([run.manifest["repeat"] for run in runs])
    return pd.DataFrame(
        [
            {
                "system": runs[0].manifest["variant"],
                "measure": measure_name(level, metric, scale),
                "value": found[:, j, k].mean(),
                "low": math.nan,
                "high": math.nan,
                "n": len(tested),
                "n_locations": len(tested[["scene", "location"]].drop_duplicates()),
                "n_repeats": len(set(repeats)),
                "sd_repeats": _deviation(found[:, j, k], repeats),
                "incomplete": "",
                "reason": reasons.get((level, scale), ""),
            }
            for (level, scale), j in names.items()
            for k, metric in enumerate(METRICS)
        ],
        columns=list(_COLUMNS),
    )


def _deviation(values: npt.NDArray[np.float64], repeats: npt.NDArray[np.int64]) -> float:
    """Sample standard deviation over repeats of the mean over folds; NaN for one repeat."""
    means = [values[repeats == r].mean() for r in np.unique(repeats)]
    return float(np.std(means, ddof=1)) if len(means) > 1 else math.nan
