"""From stored multi-label predictions to counts: thresholds from validation rows, decisions on test rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.data.tags import DETECTION, TAGGING
from asc_bench.errors import ConfigError, DataError
from asc_bench.labels import LabelSpace
from asc_bench.scoring.detection import DetectionCounts, detection_counts
from asc_bench.scoring.predictions import run_key
from asc_bench.scoring.segment_predictions import segment_arrays
from asc_bench.scoring.tagging import TaggingCounts, tagging_counts
from asc_bench.scoring.thresholds import choose_thresholds, decide


@dataclass(frozen=True)
class SegmentRun:
    """One run, decided.

    Attributes
    ----------
    system, fold, repeat
        Variant, fold and repeat of the run.
    per_class : bool
        Whether each class has a threshold of its own.
    clips : DataFrame
        Test clips: ``clip_id, location``.
    thresholds : mapping of level to float array, shape (n_classes,)
        Chosen on the validation rows of the run.
    detection : DetectionCounts
        Of each test clip.
    tagging : TaggingCounts
        Of each test clip.
    """

    system: str
    fold: str
    repeat: int
    per_class: bool
    clips: pd.DataFrame
    thresholds: Mapping[str, npt.NDArray[np.float64]]
    detection: DetectionCounts
    tagging: TaggingCounts


def segment_runs(
    runs: Iterable[tuple[Mapping[str, Any], pd.DataFrame]], labels: LabelSpace, *, per_class: bool = False
) -> list[SegmentRun]:
    """Choose the thresholds of every run and count its test clips; frames are read one after the other.

    Parameters
    ----------
    runs : iterable of (manifest, predictions)
        Of each manifest ``variant``, ``fold`` and ``repeat`` are read; predictions as of ``segment_frame``.
    labels : LabelSpace
        Of the protocol.
    per_class : bool
        A threshold for each class, as in ``choose_thresholds``.

    Raises
    ------
    StoreError
        If a manifest lacks one of the three, or two runs agree in all three.
    ConfigError
        If a run has no validation rows or thresholds cannot be chosen on them.
    DataError
        If predictions lack test rows, are ragged, or are of another number of classes.
    """
    found: dict[tuple[str, str, int], SegmentRun] = {}
    for manifest, frame in runs:
        key = run_key(manifest, found)
        name = f"{key[0]}, fold {key[1]!r}, repeat {key[2]}"
        if not (frame["split"] == "validation").any():
            raise ConfigError(f"{name}: no validation rows, so no threshold can be chosen for the test rows")
        try:
            found[key] = _decided(key, frame, labels, per_class=per_class)
        except (ConfigError, DataError) as error:
            raise type(error)(f"{name}: {error}") from error
    return list(found.values())


def _decided(key: tuple[str, str, int], frame: pd.DataFrame, labels: LabelSpace, *, per_class: bool) -> SegmentRun:
    validation, test = (segment_arrays(frame, split=split) for split in ("validation", "test"))
    for arrays in (validation, test):
        if arrays.tagging.shape[1] != len(labels.fine):
            raise DataError(
                f"predictions of {arrays.tagging.shape[1]} classes, the protocol has {len(labels.fine)}"
            )
    thresholds = {
        TAGGING: choose_thresholds(
            validation.tagging_reference, validation.tagging, per_class=per_class, classes=labels.fine
        ),
        DETECTION: choose_thresholds(
            validation.detection_reference, validation.detection, per_class=per_class, classes=labels.fine
        ),
    }
    system, fold, repeat = key
    return SegmentRun(
        system=system,
        fold=fold,
        repeat=repeat,
        per_class=per_class,
        clips=test.clips,
        thresholds=thresholds,
        detection=detection_counts(test.detection_reference, decide(test.detection, thresholds[DETECTION])),
        tagging=tagging_counts(test.tagging_reference, decide(test.tagging, thresholds[TAGGING])),
    )


@dataclass(frozen=True)
class SystemCounts:
    """All runs of one system: the clips of all folds, counted once in every repeat.

    Attributes
    ----------
    runs : tuple of SegmentRun
        In the order given.
    clips : DataFrame
        ``fold, clip_id, location``, sorted by fold and clip.
    detection, tagging : tuple of counts, one per repeat
        Of each clip, in the order of ``clips``.
    """

    runs: tuple[SegmentRun, ...]
    clips: pd.DataFrame
    detection: tuple[DetectionCounts, ...]
    tagging: tuple[TaggingCounts, ...]


def system_counts(runs: Sequence[SegmentRun]) -> dict[str, SystemCounts]:
    """Put the folds of each repeat of each system together, systems in order of first appearance.

    Raises
    ------
    DataError
        If the repeats of a system are of different clips.
    """
    return {system: _together(system, own) for system, own in runs_by_system(runs).items()}


def test_clips(runs: Sequence[SegmentRun]) -> pd.DataFrame:
    """Test clips of some runs, in the columns that ``completeness`` reads, and ``location``."""
    return pd.concat(
        [
            run.clips.assign(split="test", level=DETECTION, repeat=run.repeat, fold=run.fold, device="")
            for run in runs
        ],
        ignore_index=True,
    )


def runs_by_system(runs: Sequence[SegmentRun]) -> dict[str, tuple[SegmentRun, ...]]:
    """Runs of each system, in order of first appearance."""
    names = dict.fromkeys(run.system for run in runs)
    return {name: tuple(run for run in runs if run.system == name) for name in names}


def _together(system: str, runs: tuple[SegmentRun, ...]) -> SystemCounts:
    by_repeat: dict[int, list[SegmentRun]] = {}
    for run in sorted(runs, key=lambda r: (r.repeat, r.fold)):
        by_repeat.setdefault(run.repeat, []).append(run)
    tables = [
        pd.concat([run.clips.assign(fold=run.fold) for run in own], ignore_index=True)[
            ["fold", "clip_id", "location"]
        ]
        for own in by_repeat.values()
    ]
    for repeat, table in zip(by_repeat, tables, strict=True):
        if not table.equals(tables[0]):
            raise DataError(
                f"{system}: repeat {repeat} has {len(table)} test clips, repeat {min(by_repeat)} has "
                f"{len(tables[0])}, and they are not the same ones; complete the runs"
            )
    return SystemCounts(
        runs=runs,
        clips=tables[0],
        detection=tuple(
            DetectionCounts(**_joined([vars(run.detection) for run in own])) for own in by_repeat.values()
        ),
        tagging=tuple(TaggingCounts(**_joined([vars(run.tagging) for run in own])) for own in by_repeat.values()),
    )


def _joined(counts: Sequence[Mapping[str, npt.NDArray[np.float64]]]) -> dict[str, npt.NDArray[np.float64]]:
    return {name: np.concatenate([one[name] for one in counts]) for name in counts[0]}
