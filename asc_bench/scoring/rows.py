"""From predictions to the rows of a measure: which clips count, in which stratum, and the sums of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.errors import ConfigError, DataError
from asc_bench.labels import COARSE, UNKNOWN_SCENE
from asc_bench.scoring.accuracy import derived_ranks
from asc_bench.scoring.decisions import SegmentRun
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.recordings import RECORDING, whole_recordings
from asc_bench.scoring.statistic import Accuracy, Floats, ScoredClips

Predictions = pd.DataFrame | Sequence[SegmentRun]
"""Of one or more systems: stacked runs (``stack_runs``), or decisions of multi-label runs (``segment_runs``)."""

_KEY = ["fold", "clip_id"]
_FACTS = ["stratum", "label", "scene", "location"]


@dataclass(frozen=True)
class Rows:
    """All that a measure needs to know of one system.

    Attributes
    ----------
    measure : Measure
        What is scored.
    clips : DataFrame
        ``fold, clip_id, stratum, label, scene, location``, one row per clip that counts, sorted by fold and clip.
        Clusters are the locations within each value of ``scene``, which is empty where scenes do not matter.
    sums : float64 array, shape (n_repeats, n_clips, n_sums)
        Of the statistic, lowest repeat first.
    """

    measure: Measure
    clips: pd.DataFrame
    sums: Floats

    @cached_property
    def strata(self) -> tuple[str, ...]:
        """Strata, in the order of the measure, or sorted."""
        found = sorted(self.clips["stratum"].unique())
        return tuple(found) if self.measure.pooled else self.measure.of or tuple(found)

    @cached_property
    def _cells(self) -> tuple[npt.NDArray[np.int64], tuple[int, int]]:
        """Stratum and class of each clip as one index, and how many of each there are."""
        stratum = pd.Index(self.strata).get_indexer(pd.Index(self.clips["stratum"]))
        if self.measure.average == "clips":
            group, n_groups = np.zeros(len(self.clips), dtype=np.int64), 1
        else:
            codes, classes = pd.factorize(self.clips["label"], sort=True)
            group, n_groups = codes.astype(np.int64), len(classes)
        return stratum * n_groups + group, (len(self.strata), n_groups)

    def by_cluster(self, cluster: npt.NDArray[np.integer], n_clusters: int, repeat: int) -> Floats:
        """Sums of the clips of each cluster, shape (n_clusters, n_strata, n_classes, n_sums).

        ``n_classes`` is one where the measure averages over clips.
        """
        cell, shape = self._cells
        n_cells = shape[0] * shape[1]
        index = np.asarray(cluster) * n_cells + cell
        columns = [np.bincount(index, column, minlength=n_clusters * n_cells) for column in self.sums[repeat].T]
        return np.stack(columns, axis=-1, dtype=np.float64).reshape(n_clusters, *shape, self.sums.shape[2])

    def stratum_values(self, sums: Floats) -> Floats:
        """Value in each stratum, shape (..., n_strata), of sums of shape (..., n_strata, n_classes, n_sums).

        A class without a clip in a stratum is left out of its mean.
        """
        return mean_of_defined(self.measure.scored_by.value(sums))

    def values(self, repeat: int | None = None) -> pd.Series:
        """Value in each stratum of the clips as they are, of one repeat or the mean over all of them."""
        cluster = np.zeros(len(self.clips), dtype=np.int64)
        repeats = range(len(self.sums)) if repeat is None else (repeat,)
        found = [self.stratum_values(self.by_cluster(cluster, 1, r)[0]) for r in repeats]
        return pd.Series(np.mean(found, axis=0), index=pd.Index(self.strata, name="stratum"))

    def value(self, repeat: int | None = None) -> float:
        """The measure: mean over strata of ``values``."""
        return float(mean_of_defined(self.values(repeat).to_numpy(float)))

    def clip_weights(self) -> Floats:
        """Share of each clip in the measure, shape (n_clips,): strata weigh the same, and in them classes do."""
        cell, shape = self._cells
        counts = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
        classes = (counts > 0).sum(axis=1, keepdims=True)
        share = 1 / np.maximum(counts * classes * (classes > 0).sum(), 1)
        return np.asarray(share.ravel()[cell])

    @property
    def n_locations(self) -> int:
        """Number of clusters: distinct locations, counted per scene."""
        return len(self.clips[["scene", "location"]].drop_duplicates())


def mean_of_defined(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    there = ~np.isnan(values)
    n = there.sum(axis=-1)
    total = np.where(there, values, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, n, out=np.full(np.shape(n), np.nan), where=n > 0))


def lacking_levels(predictions: Predictions, measure: Measure, *, split: str = "test") -> tuple[str, ...]:
    """Label levels that a measure needs and that a system did not predict; then it has no value.

    A measure of probabilities lacks its levels where a system gave nothing but class names, see `named_frame` of
    ``asc_bench.scoring.predictions``.
    """
    if not isinstance(predictions, pd.DataFrame):
        return ()
    rows = predictions[predictions["split"] == split]
    there = set(rows["level"])
    if measure.needs_probabilities:
        # A run states them for all of its clips or for none.
        of_runs = rows.drop_duplicates([c for c in ("level", "fold", "repeat") if c in rows.columns])
        there -= set(of_runs["level"][unstated(of_runs["probabilities"])])
    return tuple(level for level in measure.levels if level not in there) if len(rows) else ()


def unstated(probabilities: pd.Series) -> npt.NDArray[np.bool_]:
    """Of each clip, whether its prediction came as a class name, without probabilities."""
    return np.fromiter((np.isnan(p[0]) for p in probabilities), np.bool_, len(probabilities))


def clip_rows(predictions: pd.DataFrame, measure: Measure, *, split: str = "test") -> Rows:
    """Rows of one system whose clips have one label each.

    Parameters
    ----------
    predictions : DataFrame
        Of one system. A frame of a single run, without the columns that ``stack_runs`` adds, counts as fold ``""``
        and repeat 0.
    measure : Measure
        What is scored.
    split : str
        ``test`` or ``validation``.

    Raises
    ------
    ConfigError
        If the measure is of segments, or asks for strata that the frame has no column for.
    DataError
        If several systems are mixed, a clip occurs twice within one fold and repeat, no clip counts, a stratum
        named in ``measure.of`` has none, or the repeats do not cover the same clips.
    """
    chosen = counted_predictions(predictions, measure, split=split)
    repeats = sorted(predictions["repeat"].unique()) if "repeat" in predictions.columns else [0]
    covered = chosen.groupby(_KEY).size().reset_index(name="n")
    ragged = (covered["n"] != len(repeats)).to_numpy()
    if ragged.any():
        clip = covered.iloc[int(ragged.argmax())]
        raise DataError(
            f"measure {measure.name!r}: clip {clip['clip_id']!r} of fold {clip['fold']!r} was predicted in "
            f"{clip['n']} of {len(repeats)} repeats ({ragged.sum()} such clips); complete the runs"
        )
    sums = []
    of_repeat = dict(iter(chosen.groupby("repeat")))
    for repeat in repeats:
        rows = of_repeat[repeat]
        agrees = rows["agrees"].to_numpy(bool) if "agrees" in rows.columns else None
        clips = ScoredClips(rows["label_rank"].to_numpy(), rows["probabilities"].to_numpy(), agrees)
        sums.append(_checked_sums(measure, measure.scored_by.per_clip(clips), len(rows)))
    clips_table = of_repeat[repeats[0]][[*_KEY, *_FACTS]].reset_index(drop=True)
    return Rows(measure, clips_table, np.stack(sums))


def _checked_sums(measure: Measure, sums: npt.ArrayLike, n_clips: int) -> Floats:
    array = np.asarray(sums, dtype=np.float64)
    if array.ndim != 2 or len(array) != n_clips:
        raise ConfigError(
            f"statistic {measure.scored_by.name!r}: per_clip gave shape {array.shape}, expected ({n_clips}, n_sums)"
        )
    return array


def counted_predictions(predictions: pd.DataFrame, measure: Measure, *, split: str = "test") -> pd.DataFrame:
    """Predictions of one system that count for a measure, one row per fold, clip and repeat, sorted by them.

    Returns
    -------
    DataFrame
        ``fold, repeat, clip_id, stratum, label, scene, location, label_rank, probabilities``, and ``agrees`` for
        an agreement; of a measure of recordings, a row for each of these in the place of clips. Errors are those
        of `clip_rows`, but for the repeats.
    """
    if measure.scored_by.over != "clips":
        raise ConfigError(f"measure {measure.name!r} is of multi-label predictions, these have one label a clip")
    if measure.strata not in ("", "known") and measure.strata not in predictions.columns:
        raise ConfigError(f"measure {measure.name!r}: the predictions have no column {measure.strata!r}")
    if "system" in predictions.columns and predictions["system"].nunique() > 1:
        systems = sorted(predictions["system"].unique())
        raise DataError(f"measure {measure.name!r} is of one system, the predictions hold {systems}")
    chosen = predictions[(predictions["split"] == split) & (predictions["level"] == measure.levels[0])]
    columns: dict[str, Any] = {
        "fold": chosen["fold"] if "fold" in chosen.columns else "",
        "repeat": chosen["repeat"] if "repeat" in chosen.columns else 0,
        "clip_id": chosen["clip_id"],
        "stratum": _strata(chosen, measure),
        # Clusters are locations within this column's values.
        "scene": chosen["scene"] if measure.clusters == "scene" else "",
        "location": chosen["location"],
        "label": chosen["label"],
        "label_rank": chosen["label_rank"],
        "probabilities": chosen["probabilities"],
    }
    if measure.derived:
        columns |= _derived(predictions, chosen, measure, split)
    if measure.aggregate:
        columns[RECORDING] = chosen["recording_id"] + "-" + chosen["device"]
    rows = pd.DataFrame(columns, index=chosen.index)
    if measure.of:
        rows = rows[rows["stratum"].isin(measure.of)].copy()
    absent = [s for s in measure.of if s not in set(rows["stratum"].unique())]
    if absent or rows.empty:
        where = f"{measure.strata} {absent}" if absent else f"level {measure.levels[0]!r}"
        raise DataError(f"measure {measure.name!r}: no {split} prediction for {where}")
    if measure.pooled:
        rows["stratum"] = ""
    rows = rows.sort_values([*_KEY, "repeat"], kind="stable", ignore_index=True)
    twice = rows.duplicated([*_KEY, "repeat"])
    if twice.any():
        row = rows.iloc[int(twice.to_numpy().argmax())]
        raise DataError(
            f"{twice.sum()} predictions occur twice, such as {split} clip {row['clip_id']!r} of fold "
            f"{row['fold']!r}, repeat {row['repeat']}, level {measure.levels[0]!r}"
        )
    return whole_recordings(rows) if measure.aggregate else rows


def _strata(chosen: pd.DataFrame, measure: Measure) -> Any:
    if measure.strata == "known":
        return chosen["scene"].eq(UNKNOWN_SCENE).map({True: "unknown", False: "known"})
    return chosen[measure.strata] if measure.strata else ""


def _derived(
    predictions: pd.DataFrame, fine: pd.DataFrame, measure: Measure, split: str
) -> dict[str, npt.NDArray[Any]]:
    """True coarse class of each row of the fine level, with its rank, or whether both levels agree."""
    labels = measure.derived
    assert labels is not None
    names = np.asarray(labels.coarse, dtype=object)
    true = labels.to_coarse(labels.encode(fine["scene"]))
    if isinstance(measure.scored_by, Accuracy):
        probabilities = np.stack(fine["probabilities"].to_list()) if len(fine) else np.empty((0, len(labels.fine)))
        named = unstated(fine["probabilities"])
        probabilities[named] = np.eye(len(labels.fine))[labels.encode(fine["predicted"][named])]
        return {
            "label": names[true],
            "label_rank": derived_ranks(probabilities, np.asarray(labels.coarse_of), true),
        }
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
    return {"label": names[true], "agrees": np.asarray(mapped == heads.to_numpy(dtype=object), dtype=np.bool_)}


def segment_rows(runs: Sequence[SegmentRun], measure: Measure) -> Rows:
    """Rows of one system whose clips have several labels each.

    Parameters
    ----------
    runs : sequence of SegmentRun
        Of one system, decided; the folds of each repeat are put together.
    measure : Measure
        Of segments or tags. Systems are compared where their clips have equal references, see ``label``.

    Raises
    ------
    ConfigError
        If the measure is of clips with one label.
    DataError
        If the repeats are of different clips.
    """
    if measure.scored_by.over != "segments":
        raise ConfigError(f"measure {measure.name!r} is of clips with one label, these predictions have several")
    by_repeat: dict[int, list[SegmentRun]] = {}
    for run in sorted(runs, key=lambda r: (r.repeat, r.fold)):
        by_repeat.setdefault(run.repeat, []).append(run)
    tables, sums = [], []
    for own in by_repeat.values():
        tables.append(pd.concat([_segment_clips(run) for run in own], ignore_index=True)[[*_KEY, *_FACTS]])
        sums.append(np.concatenate([measure.scored_by.per_clip(run) for run in own]))
    for repeat, table in zip(by_repeat, tables, strict=True):
        if not table.equals(tables[0]):
            raise DataError(
                f"{runs[0].system}: repeat {repeat} has {len(table)} test clips, repeat {min(by_repeat)} has "
                f"{len(tables[0])}, and they are not the same ones; complete the runs"
            )
    return Rows(measure, tables[0], np.stack(sums))


def _segment_clips(run: SegmentRun) -> pd.DataFrame:
    """Clips of a run; ``label`` counts the reference by class, so that different references are noticed."""
    reference = [" ".join(f"{n:g}" for n in row) for row in run.detection.n_reference]
    return run.clips.assign(fold=run.fold, stratum="", scene="", label=reference)


def by_system(predictions: pd.DataFrame, systems: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """Split stacked predictions by system, in order of first appearance.

    Raises
    ------
    DataError
        If the frame has no column ``system``.
    """
    if "system" not in predictions.columns:
        raise DataError("the predictions have no column 'system'; put runs together with stack_runs")
    frames = {str(name): frame for name, frame in predictions.groupby("system", sort=False)}
    return {name: frames[name] for name in systems} if systems else frames


def of_systems(predictions: Predictions, systems: Collection[str]) -> Predictions:
    """Only the predictions of these systems."""
    if isinstance(predictions, pd.DataFrame):
        return predictions[predictions["system"].isin(systems)]
    return [run for run in predictions if run.system in systems]


def refuse_unpaired(rows: Mapping[str, Rows]) -> None:
    """Paired comparisons need systems that were scored on the same clips.

    Raises
    ------
    DataError
        If two systems were scored on different clips, or disagree in what is known of a clip.
    """
    first, *others = rows
    for other in others:
        _refuse_difference(first, rows[first].clips, other, rows[other].clips)


def _refuse_difference(a: str, clips_a: pd.DataFrame, b: str, clips_b: pd.DataFrame) -> None:
    if clips_a.equals(clips_b):
        return
    ids_a, ids_b = (set(zip(s["fold"], s["clip_id"], strict=True)) for s in (clips_a, clips_b))
    if ids_a != ids_b:
        raise DataError(
            f"{a!r} and {b!r} were not scored on the same clips: {_some(ids_a - ids_b)} only in {a!r}, "
            f"{_some(ids_b - ids_a)} only in {b!r}; complete the runs, or compare runs of one data set"
        )
    unlike = (clips_a[_FACTS].to_numpy(object) != clips_b[_FACTS].to_numpy(object)).any(axis=1)
    if not unlike.any():
        return
    row = int(unlike.argmax())
    raise DataError(
        f"{a!r} and {b!r} know different things of {int(unlike.sum())} clips: "
        f"{clips_a['clip_id'].iloc[row]!r} is {clips_a[_FACTS].iloc[row].to_dict()} for the one, "
        f"{clips_b[_FACTS].iloc[row].to_dict()} for the other; "
        "their runs were made from different versions of the data"
    )


def _some(clips: set[tuple[str, str]]) -> str:
    if not clips:
        return "0"
    fold, clip_id = min(clips)
    return f"{len(clips)} (such as {clip_id!r}" + (f" of {fold})" if fold else ")")
