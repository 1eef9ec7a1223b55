"""Scores of each class of multi-label runs, and the thresholds behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.data.tags import DETECTION, TAGGING
from asc_bench.labels import LabelSpace
from asc_bench.scoring.decisions import SegmentRun, system_counts
from asc_bench.scoring.detection import class_detection_scores
from asc_bench.scoring.tagging import class_tagging_scores

CLASS_COLUMNS = (
    "system",
    "level",
    "label",
    "n_reference",
    "error_rate",
    "f_score",
    "precision",
    "recall",
    "threshold_low",
    "threshold_high",
)


def class_table(runs: Sequence[SegmentRun], labels: LabelSpace) -> pd.DataFrame:
    """Measures of each class of each system, means over repeats.

    Parameters
    ----------
    runs : sequence of SegmentRun
        From ``segment_runs``, of systems that are complete.
    labels : LabelSpace
        Of the protocol.

    Returns
    -------
    DataFrame
        One row per system, level and class, columns `CLASS_COLUMNS`. ``n_reference`` counts segments of the
        reference (detection) or clips (tagging). ``error_rate`` is NaN for tagging, which has none; ``f_score`` is
        the F1 there. What is not defined in one of the repeats has no mean (NaN). ``threshold_low`` and
        ``threshold_high`` are the extremes over runs.
    """
    rows = []
    for system, counts in system_counts(runs).items():
        ones = np.ones((1, len(counts.clips)))
        detected = [one.pooled(ones) for one in counts.detection]
        tagged = [one.pooled(ones) for one in counts.tagging]
        detection = _means([class_detection_scores(one) for one in detected])
        tagging = _means([class_tagging_scores(one) for one in tagged])
        tagging |= {"f_score": tagging["f1"], "error_rate": np.full(len(labels.fine), math.nan)}
        for level, n_reference, means in (
            (DETECTION, detected[0].n_reference, detection),
            (TAGGING, tagged[0].n_reference, tagging),
        ):
            for i, label in enumerate(labels.fine):
                low, high = threshold_range(counts.runs, level, index=i)
                row = {"system": system, "level": level, "label": label, "n_reference": int(n_reference[0, i])}
                row |= {name: float(means[name][i]) for name in ("error_rate", "f_score", "precision", "recall")}
                rows.append(row | {"threshold_low": low, "threshold_high": high})
    return pd.DataFrame(rows, columns=list(CLASS_COLUMNS))


def threshold_range(runs: Sequence[SegmentRun], level: str, *, index: int | None = None) -> tuple[float, float]:
    """Lowest and highest threshold of a level, over runs and over classes unless one is named."""
    chosen = np.stack([run.thresholds[level] for run in runs])
    values = chosen if index is None else chosen[:, index]
    return float(values.min()), float(values.max())


def _means(repeats: Sequence[dict[str, npt.NDArray[np.float64]]]) -> dict[str, npt.NDArray[np.float64]]:
    return {name: np.mean([scores[name][0] for scores in repeats], axis=0) for name in repeats[0]}
