"""Accuracy of stored predictions, as a measure of a protocol defines it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.errors import ConfigError, DataError
from asc_bench.labels import COARSE
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.statistic import Accuracy


def label_ranks(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Rank of each clip's true class among its class probabilities, 1 for the most probable.

    Equal probabilities are ranked by class index, the lower one first.

    Parameters
    ----------
    probabilities : float array, shape (n_clips, n_classes)
        Any scores that grow with the belief in a class.
    labels : int array, shape (n_clips,)
        Index of the true class.

    Raises
    ------
    DataError
        For shapes that do not fit, labels beyond the classes, or a NaN (which would rank first).
    """
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise DataError(f"probabilities have shape {probabilities.shape}, labels {labels.shape}")
    n_classes = probabilities.shape[1]
    beyond = labels[(labels < 0) | (labels >= n_classes)]
    if len(beyond):
        raise DataError(f"label {beyond[0]} is not an index of {n_classes} classes")
    if np.isnan(probabilities).any():
        raise DataError(f"the probabilities of row {np.isnan(probabilities).any(axis=1).argmax()} hold a NaN")
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    lower_index = np.arange(n_classes) < labels[:, None]
    ahead = (probabilities > own) | ((probabilities == own) & lower_index)
    return np.asarray(ahead.sum(axis=1) + 1, dtype=np.int64)


def derived_ranks(
    probabilities: npt.NDArray[np.floating], coarse_of: npt.NDArray[np.integer], labels: npt.NDArray[np.integer]
) -> npt.NDArray[np.int64]:
    """Rank of each clip's true coarse class among the coarse classes, taken from fine probabilities alone.

    A coarse class ranks by the most probable of its fine classes (ties: lower fine index first), so that the
    first coarse class is that of the predicted fine class.

    Parameters
    ----------
    probabilities : float array, shape (n_clips, n_fine)
        Scores of the fine classes.
    coarse_of : int array, shape (n_fine,)
        Coarse index of each fine class; every coarse class has one.
    labels : int array, shape (n_clips,)
        Index of the true coarse class.

    Raises
    ------
    DataError
        As `label_ranks`.
    """
    n_coarse = int(coarse_of.max()) + 1
    if probabilities.ndim != 2 or probabilities.shape[1] != len(coarse_of):
        raise DataError(
            f"probabilities have shape {probabilities.shape}, the map has {len(coarse_of)} fine classes"
        )
    order = np.argsort(-probabilities, axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(order.shape[1])[None, :], axis=1)
    best = np.stack([place[:, coarse_of == c].min(axis=1) for c in range(n_coarse)], axis=1)
    if np.isnan(probabilities).any():
        raise DataError(f"the probabilities of row {np.isnan(probabilities).any(axis=1).argmax()} hold a NaN")
    return label_ranks(-best, labels)


def top_k_correct(
    probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], k: int
) -> npt.NDArray[np.bool_]:
    """Whether each clip's true class is among its ``k`` most probable ones (ties: lower class index first).

    Parameters and errors are those of `label_ranks`; in addition ``k`` below 1 is a ConfigError.
    """
    if k < 1:
        raise ConfigError(f"top-{k} accuracy: k must be at least 1")
    return label_ranks(probabilities, labels) <= k


def lacking_levels(predictions: pd.DataFrame, measure: Measure, *, split: str = "test") -> tuple[str, ...]:
    """Label levels that a measure needs and that a system did not predict at all; then it has no value."""
    there = set(predictions.loc[predictions["split"] == split, "level"])
    return tuple(level for level in measure.levels if level not in there) if there else ()


def measured_rows(predictions: pd.DataFrame, measure: Measure, *, split: str = "test") -> pd.DataFrame:
    """Rows of one system that count for a measure, one per fold, clip and repeat, sorted by them.

    The columns are ``fold, repeat, clip_id, stratum, label, scene, location, correct``. A frame of a single
    run, without the columns that ``stack_runs`` adds, counts as fold ``""`` and repeat 0.

    Raises
    ------
    ConfigError
        If the measure asks for strata that the frame has no column for, or for ``top_k`` below 1.
    DataError
        If several systems are mixed, or a clip occurs twice within one fold and repeat.
    """
    if measure.top_k < 1:
        raise ConfigError(f"measure {measure.name!r}: top_k is {measure.top_k}, must be at least 1")
    if measure.strata and measure.strata not in predictions.columns:
        raise ConfigError(f"measure {measure.name!r}: the predictions have no column {measure.strata!r}")
    if "system" in predictions.columns and predictions["system"].nunique() > 1:
        systems = sorted(predictions["system"].unique())
        raise DataError(f"measure {measure.name!r} is of one system, the predictions hold {systems}")
    chosen = predictions[(predictions["split"] == split) & (predictions["level"] == measure.levels[0])]
    label, correct = _derived(predictions, chosen, measure, split) if measure.derived else _given(chosen, measure)
    rows = pd.DataFrame(
        {
            "fold": chosen["fold"] if "fold" in chosen.columns else "",
            "repeat": chosen["repeat"] if "repeat" in chosen.columns else 0,
            "clip_id": chosen["clip_id"],
            "stratum": chosen[measure.strata] if measure.strata else "",
            "label": label,
            # Clusters are locations within this column's values.
            "scene": chosen["scene"] if measure.clusters == "scene" else "",
            "location": chosen["location"],
            "correct": correct,
        },
        index=chosen.index,
    )
    if measure.of:
        rows = rows[rows["stratum"].isin(measure.of)]
    rows = rows.sort_values(["fold", "clip_id", "repeat"], kind="stable", ignore_index=True)
    twice = rows.duplicated(["fold", "clip_id", "repeat"])
    if twice.any():
        row = rows.iloc[int(twice.to_numpy().argmax())]
        raise DataError(
            f"{twice.sum()} predictions occur twice, such as {split} clip {row['clip_id']!r} of fold "
            f"{row['fold']!r}, repeat {row['repeat']}, level {measure.levels[0]!r}"
        )
    return rows


def _given(chosen: pd.DataFrame, measure: Measure) -> tuple[pd.Series, pd.Series]:
    return chosen["label"], chosen["label_rank"] <= measure.top_k


def _derived(
    predictions: pd.DataFrame, fine: pd.DataFrame, measure: Measure, split: str
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    """True coarse class of each row of the fine level, and whether the clip counts."""
    labels = measure.derived
    assert labels is not None
    names = np.asarray(labels.coarse, dtype=object)
    true = labels.to_coarse(labels.encode(fine["scene"]))
    if isinstance(measure.scored_by, Accuracy):
        probabilities = np.stack(fine["probabilities"].to_list()) if len(fine) else np.empty((0, len(labels.fine)))
        return names[true], derived_ranks(probabilities, np.asarray(labels.coarse_of), true) <= measure.top_k
    keys = [name for name in ("fold", "repeat", "clip_id") if name in predictions.columns]
    coarse = predictions[(predictions["split"] == split) & (predictions["level"] == COARSE)]
    if coarse.duplicated(keys).any():
        twice = coarse[coarse.duplicated(keys)].iloc[0]
        raise DataError(f"measure {measure.name!r}: two coarse predictions of {split} clip {twice['clip_id']!r}")
    heads = fine[keys].merge(coarse[[*keys, "predicted"]], on=keys, how="left")["predicted"]
    if heads.isna().any():
        alone = fine["clip_id"].iloc[int(heads.isna().to_numpy().argmax())]
        raise DataError(f"measure {measure.name!r}: clip {alone!r} has a fine prediction and no coarse one")
    mapped = names[labels.to_coarse(labels.encode(fine["predicted"]))]
    return names[true], np.asarray(mapped == heads.to_numpy(dtype=object), dtype=np.bool_)


def clip_scores(predictions: pd.DataFrame, measure: Measure, *, split: str = "test") -> pd.DataFrame:
    """Score of each clip of one system: all that an accuracy, an interval or a test needs.

    Parameters
    ----------
    predictions : DataFrame
        Of one system, one or several folds and repeats; other splits and levels are passed over.
    measure : Measure
        Says which clips count and when a clip is right.
    split : str
        ``test`` or ``validation``.

    Returns
    -------
    DataFrame
        One row per fold and clip, sorted by them: ``fold, clip_id, stratum, label, scene, location,
        correct``. ``correct`` is the fraction of the repeats (seeds) that got the clip right; 0 or 1 for one
        repeat.

    Raises
    ------
    ConfigError, DataError
        As `measured_rows`; DataError also if no clip counts, if a stratum named in ``measure.of`` has none,
        or if the repeats do not cover the same clips.
    """
    rows = measured_rows(predictions, measure, split=split)
    present = set(rows["stratum"].unique())
    absent = [s for s in measure.of if s not in present]
    if absent or rows.empty:
        where = f"{measure.strata} {absent}" if absent else f"level {measure.levels[0]!r}"
        raise DataError(f"measure {measure.name!r}: no {split} prediction for {where}")
    n_repeats = predictions["repeat"].nunique() if "repeat" in predictions.columns else 1
    covered = rows.groupby(["fold", "clip_id"]).size().reset_index(name="n")
    ragged = (covered["n"] != n_repeats).to_numpy()
    if ragged.any():
        clip = covered.iloc[int(ragged.argmax())]
        raise DataError(
            f"measure {measure.name!r}: clip {clip['clip_id']!r} of fold {clip['fold']!r} was predicted in "
            f"{clip['n']} of {n_repeats} repeats ({ragged.sum()} such clips); complete the runs"
        )
    scores = rows.iloc[::n_repeats].drop(columns="repeat").reset_index(drop=True)
    return scores.assign(correct=rows["correct"].to_numpy(float).reshape(-1, n_repeats).mean(axis=1))


def stratum_accuracies(scores: pd.DataFrame, measure: Measure) -> pd.Series:
    """Accuracy within each stratum, from `clip_scores`, indexed by stratum.

    For a macro measure it is the mean over the classes that occur in the stratum; a class without a clip
    there is left out (it never happens in the official test sets).
    """
    if measure.average == "clips":
        by_stratum = scores.groupby("stratum")["correct"].mean()
    else:
        by_class = scores.groupby(["stratum", "label"])["correct"].mean()
        by_stratum = by_class.groupby(level="stratum").mean()
    return by_stratum.reindex(list(measure.of)) if measure.of else by_stratum


def measure(predictions: pd.DataFrame, measure: Measure, *, split: str = "test") -> float:
    """Value of a measure for one system, in 0 to 1: the mean over the strata of `stratum_accuracies`.

    Where there are several repeats (seeds), a clip counts with the fraction of them that got it right.
    Parameters and errors are those of `clip_scores`.
    """
    return float(stratum_accuracies(clip_scores(predictions, measure, split=split), measure).mean())


def class_accuracies(predictions: pd.DataFrame, measure: Measure, *, split: str = "test") -> pd.DataFrame:
    """Accuracy of each class within each stratum, whatever the measure averages over.

    Returns
    -------
    DataFrame
        ``stratum, label, accuracy, n``, one row per stratum and class that occur together; ``n`` counts
        clips.
    """
    groups = clip_scores(predictions, measure, split=split).groupby(["stratum", "label"])["correct"]
    table = groups.agg(accuracy="mean", n="size").reset_index()
    if not measure.of:
        return table
    order = table["stratum"].map({s: i for i, s in enumerate(measure.of)})
    return table.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)


def confusion(
    predictions: pd.DataFrame,
    level: str,
    device: str | None = None,
    *,
    classes: Sequence[str] = (),
    split: str = "test",
) -> pd.DataFrame:
    """Confusion matrix in clips: rows true, columns predicted classes.

    Parameters
    ----------
    predictions : DataFrame
        Of one system. Every fold and repeat counts, so a clip counts once per repeat.
    level : str
        Label level.
    device : str, optional
        Only the clips of this device.
    classes : sequence of str
        Order of rows and columns; by default the classes that occur, sorted.
    split : str
        ``test`` or ``validation``.

    Raises
    ------
    DataError
        If nothing is left to count, several systems are mixed, or a class is not among ``classes``.
    """
    if "system" in predictions.columns and predictions["system"].nunique() > 1:
        raise DataError(f"a confusion matrix is of one system, got {sorted(predictions['system'].unique())}")
    rows = predictions[(predictions["split"] == split) & (predictions["level"] == level)]
    if device is not None:
        rows = rows[rows["device"] == device]
    if rows.empty:
        raise DataError(f"no {split} prediction at level {level!r}" + (f" on device {device!r}" if device else ""))
    occurring = set(rows["label"]) | set(rows["predicted"])
    order = list(classes) or sorted(occurring)
    if not occurring <= set(order):
        raise DataError(f"predictions hold classes {sorted(occurring - set(order))}, expected {order}")
    position = {name: i for i, name in enumerate(order)}
    cells = rows["label"].map(position).to_numpy(int) * len(order) + rows["predicted"].map(position).to_numpy(int)
    counts = np.bincount(cells, minlength=len(order) ** 2).reshape(len(order), -1)
    return pd.DataFrame(counts, index=pd.Index(order, name="label"), columns=pd.Index(order, name="predicted"))
