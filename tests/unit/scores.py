"""One number at a time of the scoring contract, for tests: values, intervals and differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

from asc_bench.scoring.bootstrap import resampled_values as resampled
from asc_bench.scoring.frames import disagreement
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.rows import Rows, clip_rows, refuse_unpaired
from asc_bench.scoring.significance import PairedBootstrap, paired_bootstrap
from asc_bench.scoring.student import Interval, location_interval, locations_of


def measure(predictions: pd.DataFrame, wanted: Measure, *, split: str = "test") -> float:
    return clip_rows(predictions, wanted, split=split).value()


def clip_scores(predictions: pd.DataFrame, wanted: Measure, *, split: str = "test") -> pd.DataFrame:
    """The clips, with the mean over repeats of whether each is right."""
    rows = clip_rows(predictions, wanted, split=split)
    return rows.clips.assign(correct=rows.sums[:, :, 1].mean(axis=0))


def n_locations(predictions: pd.DataFrame, wanted: Measure) -> int:
    return clip_rows(predictions, wanted).n_locations


def location_bootstrap(predictions: pd.DataFrame, wanted: Measure, **settings: Any) -> Interval:
    return location_interval(clip_rows(predictions, wanted), **settings)


def paired_location_bootstrap(
    a: pd.DataFrame, b: pd.DataFrame, wanted: Measure, *, n_resamples: int = 2000, seed: int = 0, rope: float = 0.01
) -> PairedBootstrap:
    rows = {"a": clip_rows(a, wanted), "b": clip_rows(b, wanted)}
    refuse_unpaired(rows)
    one, two = (resampled(r, n_resamples=n_resamples, seed=seed) for r in rows.values())
    difference = rows["a"].value() - rows["b"].value()
    apart = disagreement(rows["a"], rows["b"])
    return paired_bootstrap(difference, one - two, locations_of(rows["a"]), disagreement=apart, rope=rope)


def resampled_values(
    scores: pd.DataFrame, correct: npt.NDArray[np.float64], wanted: Measure, *, n_resamples: int, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Values as they are, and on resampled locations, one column per column of ``correct``."""
    clips = scores[[c for c in scores.columns if c != "correct"]]
    systems = [Rows(wanted, clips, np.stack([np.ones(len(c)), c], axis=1)[None]) for c in correct.T]
    drawn = [resampled(rows, n_resamples=n_resamples, seed=seed) for rows in systems]
    return np.array([rows.value() for rows in systems]), np.stack(drawn, axis=1)


def wilson(n_right: float, n: int) -> Interval:
    """Score interval of a proportion of independent clips."""
    found = binomtest(round(n_right), n).proportion_ci(0.95, method="wilson")
    return Interval(found.low, found.high)
