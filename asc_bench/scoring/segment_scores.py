"""The frames that reporting renders of multi-label runs: scores with intervals, classes, comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.data.tags import DETECTION, TAGGING
from asc_bench.errors import DataError
from asc_bench.labels import LabelSpace
from asc_bench.scoring.bootstrap import percentile_interval
from asc_bench.scoring.completeness import Expected, completeness
from asc_bench.scoring.decisions import SegmentRun, runs_by_system, system_counts
from asc_bench.scoring.detection import class_detection_scores
from asc_bench.scoring.segment_pairs import segment_pair_table
from asc_bench.scoring.segment_resampling import MEASURES, Place, defined, resampled_measures, values_of
from asc_bench.scoring.tagging import class_tagging_scores

SCORE_COLUMNS = (
    "system",
    "level",
    "measure",
    "value",
    "low",
    "high",
    "n",
    "n_locations",
    "n_repeats",
    "sd_repeats",
    "threshold_low",
    "threshold_high",
    "incomplete",
)
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


@dataclass(frozen=True)
class SegmentScores:
    """All that is reported of multi-label runs.

    Attributes
    ----------
    scores : DataFrame
        From `segment_score_table`.
    classes : DataFrame
        From `segment_class_table`.
    pairs : DataFrame
        From `segment_pair_table`, of the systems that are complete.
    per_class : bool
        Whether classes had thresholds of their own.
    """

    scores: pd.DataFrame
    classes: pd.DataFrame
    pairs: pd.DataFrame
    per_class: bool


def segment_scores(
    runs: Sequence[SegmentRun],
    labels: LabelSpace,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    expected: Expected | None = None,
) -> SegmentScores:
    """All frames of a report at once.

    Parameters
    ----------
    runs : sequence of SegmentRun
        From ``segment_runs``. The folds of a system are pooled: hand over one fold where folds are different test
        sets.
    labels : LabelSpace
        Of the protocol.
    n_resamples, seed : int
        Of the bootstrap over locations.
    expected : mapping of fold to mapping of device to int, optional
        Test clips of the protocol. A system with any gap gets no number, and is in no other frame.

    Raises
    ------
    ConfigError, DataError
        As `segment_score_table` and `segment_pair_table`.
    """
    scores = segment_score_table(runs, n_resamples=n_resamples, seed=seed, expected=expected)
    whole = set(scores.loc[scores["incomplete"] == "", "system"])
    kept = [run for run in runs if run.system in whole]
    return SegmentScores(
        scores=scores,
        classes=segment_class_table(kept, labels),
        pairs=segment_pair_table(kept, n_resamples=n_resamples, seed=seed),
        per_class=any(run.per_class for run in runs),
    )


def segment_score_table(
    runs: Sequence[SegmentRun], *, n_resamples: int = 2000, seed: int = 0, expected: Expected | None = None
) -> pd.DataFrame:
    """Every measure of every system on the test clips, with its 95 % interval over locations.

    Counts of clips are summed over resampled locations, so an interval is of the pooled ratio itself.

    Parameters
    ----------
    runs, n_resamples, seed, expected
        As in `segment_scores`.

    Returns
    -------
    DataFrame
        One row per system (in order of appearance) and measure, columns `SCORE_COLUMNS`. With several repeats
        ``value`` is the mean of their values, ``low`` and ``high`` bound that mean under resampling, and
        ``sd_repeats`` is their sample standard deviation. ``threshold_low`` and ``threshold_high`` are the extremes
        over runs and classes. The interval is NaN where there is one location only.

    Raises
    ------
    ConfigError
        If ``n_resamples`` is below 1.
    DataError
        If there is no run, or if repeats are of different clips.
    """
    if not runs:
        raise DataError("there is no run to score")
    rows = []
    for system, own in runs_by_system(runs).items():
        clips = pd.concat([run.clips.assign(fold=run.fold) for run in own])[["fold", "clip_id", "location"]]
        gaps = "; ".join(completeness(_without_devices(expected), _told_clips(own))) if expected else ""
        numbers = _without_scores() if gaps else _scored(own, n_resamples=n_resamples, seed=seed)
        for level, measure in MEASURES:
            rows.append(
                {
                    "system": system,
                    "level": level,
                    "measure": measure,
                    "n": len(clips.drop_duplicates()),
                    "n_locations": clips["location"].nunique(),
                    "n_repeats": len({run.repeat for run in own}),
                    **_extremes(own, level),
                    "incomplete": gaps,
                    **numbers[level, measure],
                }
            )
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _without_scores() -> dict[Place, dict[str, float]]:
    return {place: dict.fromkeys(("value", "low", "high", "sd_repeats"), math.nan) for place in MEASURES}


def _scored(runs: Sequence[SegmentRun], *, n_resamples: int, seed: int) -> dict[Place, dict[str, float]]:
    (counts,) = system_counts(runs).values()
    ones = np.ones((1, len(counts.clips)))
    repeats = [values_of(counts, i, ones) for i in range(len(counts.detection))]
    resampled = resampled_measures(counts, n_resamples=n_resamples, seed=seed)
    numbers = {}
    for place in MEASURES:
        values = np.array([repeat[place][0] for repeat in repeats])
        low, high = _interval(resampled[place]) if resampled else (math.nan, math.nan)
        sd = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        numbers[place] = {"value": float(values.mean()), "low": low, "high": high, "sd_repeats": sd}
    return numbers


def segment_class_table(runs: Sequence[SegmentRun], labels: LabelSpace) -> pd.DataFrame:
    """Measures of each class of each system, means over repeats.

    Returns
    -------
    DataFrame
        One row per system, level and class, columns `CLASS_COLUMNS`. ``n_reference`` counts segments of the
        reference (detection) or clips (tagging). ``error_rate`` is NaN for tagging, which has none; ``f_score`` is
        the F1 there. What is not defined in one of the repeats has no mean (NaN).
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
                row = {"system": system, "level": level, "label": label, "n_reference": int(n_reference[0, i])}
                row |= {name: float(means[name][i]) for name in ("error_rate", "f_score", "precision", "recall")}
                rows.append(row | _extremes(counts.runs, level, i))
    return pd.DataFrame(rows, columns=list(CLASS_COLUMNS))


def _means(repeats: Sequence[dict[str, npt.NDArray[np.float64]]]) -> dict[str, npt.NDArray[np.float64]]:
    return {name: np.mean([scores[name][0] for scores in repeats], axis=0) for name in repeats[0]}


def _interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    kept = defined(values)
    return (math.nan, math.nan) if kept is None else percentile_interval(kept)


def _extremes(runs: Sequence[SegmentRun], level: str, index: int | None = None) -> dict[str, float]:
    """Lowest and highest threshold of a level, over runs and over classes unless one is named."""
    chosen = np.stack([run.thresholds[level] for run in runs])
    values = chosen if index is None else chosen[:, index]
    return {"threshold_low": float(values.min()), "threshold_high": float(values.max())}


def _without_devices(expected: Expected) -> Expected:
    return {fold: {"": sum(devices.values())} for fold, devices in expected.items()}


def _told_clips(runs: Sequence[SegmentRun]) -> pd.DataFrame:
    """Test clips of every run in the columns that `completeness` reads."""
    return pd.concat(
        [
            run.clips.assign(split="test", level=DETECTION, repeat=run.repeat, fold=run.fold, device="")
            for run in runs
        ],
        ignore_index=True,
    )
