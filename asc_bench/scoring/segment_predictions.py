"""Stored predictions of a multi-label run: one row per split, level, clip and segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from asc_bench.data.tags import DETECTION, SEGMENT_S, TAGGING
from asc_bench.errors import ConfigError, DataError, StoreError, SystemFailure
from asc_bench.labels import FINE, LabelSpace
from asc_bench.scoring._prediction_file import SEGMENTS, read_table, rows_of, stored_classes, write_rows
from asc_bench.scoring.predictions import SPLITS

SEGMENT_SCHEMA_VERSION = 1
LEVELS = (TAGGING, DETECTION)

WHOLE_CLIP = -1
"""``segment`` of a row that is of the whole clip (tagging)."""

_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("split", "level", "clip_id", "location")),
        pa.field("segment", pa.int32()),
        pa.field("onset_s", pa.float64()),
        pa.field("offset_s", pa.float64()),
        pa.field("reference", pa.list_(pa.int8())),
        pa.field("scores", pa.list_(pa.float32())),
    ]
)
SEGMENT_COLUMNS: tuple[str, ...] = tuple(_SCHEMA.names)
"""Columns of every frame of multi-label predictions.

``segment`` counts from 0, and is -1 in the rows of tagging; ``onset_s`` and ``offset_s`` are its bounds in seconds
from the start of the clip; ``reference`` (int8, 0 or 1) and ``scores`` (float32, in 0 to 1) are arrays in the order
of the fine classes.
"""

_KEY = ["split", "level", "clip_id", "segment"]


def segment_frame(
    clips: pd.DataFrame,
    labels: LabelSpace,
    *,
    split: str,
    tagging: npt.ArrayLike,
    detection: npt.ArrayLike,
    tagging_reference: npt.ArrayLike,
    detection_reference: npt.ArrayLike,
) -> pd.DataFrame:
    """Join what a system returned with the labels of the clips.

    Parameters
    ----------
    clips : DataFrame
        Rows of a clip table (``clip_id, location``), in the order in which the system was given them.
    labels : LabelSpace
        Its fine classes are those of the last axis.
    split : {"test", "validation"}
        Which split the clips are.
    tagging : float array, shape (n_clips, n_classes)
        Scores in 0 to 1 of each clip.
    detection : float array, shape (n_clips, n_segments, n_classes)
        Scores in 0 to 1 of each segment of one second.
    tagging_reference, detection_reference : array of bool or of 0 and 1, shapes as the scores
        Labels. Those of the segments of a validation clip are its weak labels, replicated.

    Returns
    -------
    DataFrame
        The columns of `SEGMENT_COLUMNS`; first the rows of tagging, then those of detection, clip by clip.

    Raises
    ------
    SystemFailure
        For scores of a wrong shape, not finite, or outside 0 to 1.
    DataError
        For a reference of another shape, or with other values than 0 and 1.
    ConfigError
        For an unknown split.
    """
    if split not in SPLITS:
        raise ConfigError(f"split {split!r} is not one of {SPLITS}")
    segments = np.asarray(detection)
    n_segments = segments.shape[1] if segments.ndim == 3 else 1
    shapes = {TAGGING: (len(clips), 1, len(labels.fine)), DETECTION: (len(clips), n_segments, len(labels.fine))}
    clip_ids = clips["clip_id"].to_numpy(dtype=object)
    frames = []
    for level, scores, reference in (
        (TAGGING, np.asarray(tagging), np.asarray(tagging_reference)),
        (DETECTION, segments, np.asarray(detection_reference)),
    ):
        shape = shapes[level]
        asked = (shape[0], shape[2]) if level == TAGGING else shape
        values = _checked_scores(level, scores, asked, clip_ids)
        truth = _checked_reference(level, reference, asked, clip_ids)
        index = np.tile(np.arange(shape[1]), shape[0])
        n_within = n_segments if level == TAGGING else 1
        columns = {
            "split": split,
            "level": level,
            "clip_id": np.repeat(clip_ids, shape[1]),
            "location": np.repeat(clips["location"].to_numpy(dtype=object), shape[1]),
            "segment": np.where(level == TAGGING, WHOLE_CLIP, index).astype(np.int32),
            "onset_s": index * SEGMENT_S,
            "offset_s": (index + n_within) * SEGMENT_S,
            "reference": pd.Series(list(truth.reshape(-1, shape[2])), dtype=object),
            "scores": pd.Series(list(values.reshape(-1, shape[2])), dtype=object),
        }
        frame = pd.DataFrame(columns, index=range(shape[0] * shape[1]))[list(SEGMENT_COLUMNS)]
        frames.append(frame.astype(dict.fromkeys(("split", "level", "clip_id", "location"), "str")))
    return pd.concat(frames, ignore_index=True)


def _checked_scores(
    level: str, scores: npt.NDArray[np.generic], shape: tuple[int, ...], clip_ids: npt.NDArray[np.object_]
) -> npt.NDArray[np.float32]:
    if scores.shape != shape or scores.dtype.kind not in "fiu":
        axes = "(clips, classes)" if level == TAGGING else "(clips, segments, classes)"
        raise SystemFailure(
            f"{level} scores: expected numbers of shape {shape} {axes}, got {scores.dtype} of shape {scores.shape}"
        )
    values = scores.astype(np.float32)
    good = np.asarray(((values >= 0) & (values <= 1)).reshape(len(values), -1).all(axis=1))
    if not good.all():
        row = int(good.argmin())
        beyond = values[row][~((values[row] >= 0) & (values[row] <= 1))]
        raise SystemFailure(
            f"{level} scores of clip {clip_ids[row]!r} are not all between 0 and 1, such as {beyond[0]:.6g} "
            f"({(~good).sum()} clips of {len(good)}): return sigmoid outputs"
        )
    return values


def _checked_reference(
    level: str, reference: npt.NDArray[np.generic], shape: tuple[int, ...], clip_ids: npt.NDArray[np.object_]
) -> npt.NDArray[np.int8]:
    if reference.shape != shape:
        raise DataError(f"{level} reference has shape {reference.shape}, expected {shape} like the scores")
    good = np.asarray(np.isin(reference, (0, 1))).reshape(len(reference), -1).all(axis=1)
    if not good.all():
        raise DataError(
            f"{level} reference of clip {clip_ids[int(good.argmin())]!r} holds other values than 0 and 1"
        )
    return reference.astype(np.int8)


def write_segment_predictions(frame: pd.DataFrame, path: Path, labels: LabelSpace) -> None:
    """Write the predictions of one multi-label run; equal frames give equal bytes (with one version of pyarrow).

    Raises
    ------
    StoreError
        If the frame has other columns than `segment_frame` gives, or the file cannot be written.
    """
    about = {"kind": SEGMENTS, "schema_version": SEGMENT_SCHEMA_VERSION, "classes": {FINE: labels.fine}}
    write_rows(frame, path, _SCHEMA, about)


def read_segment_predictions(path: Path) -> pd.DataFrame:
    """Read the predictions of one multi-label run.

    Raises
    ------
    StoreError
        If the file cannot be read, is damaged, or is not of this schema (a file of a single-label run, say).
    """
    table = read_table(path)
    classes = stored_classes(path, table, kind=SEGMENTS, version=SEGMENT_SCHEMA_VERSION)
    frame = rows_of(path, table, _SCHEMA)
    _check_content(path, frame, classes)
    return frame


def _check_content(path: Path, frame: pd.DataFrame, classes: Mapping[str, list[str]]) -> None:
    splits = sorted(set(frame["split"]) - set(SPLITS))
    levels = sorted(set(frame["level"]) - set(LEVELS))
    if splits or levels:
        raise StoreError(f"{path}: unknown splits {splits}, unknown levels {levels}")
    if frame.duplicated(_KEY).any():
        twice = frame.loc[frame.duplicated(_KEY), _KEY].iloc[0].to_dict()
        raise StoreError(f"{path}: two rows of {twice}")
    n_classes = len(classes.get(FINE, []))
    lengths = {len(cell) for name in ("reference", "scores") for cell in frame[name]}
    if not lengths <= {n_classes}:
        raise StoreError(f"{path}: {n_classes} classes, but rows of {sorted(lengths)} references or scores")
    if frame.empty:
        return
    scores, reference = (np.stack(frame[name].to_list()) for name in ("scores", "reference"))
    if not ((scores >= 0) & (scores <= 1)).all() or not np.isin(reference, (0, 1)).all():
        raise StoreError(f"{path}: scores outside 0 to 1, or references that are neither 0 nor 1")


@dataclass(frozen=True)
class SegmentArrays:
    """Predictions of the clips of one split, as arrays.

    Attributes
    ----------
    clips : DataFrame
        ``clip_id, location``, sorted by clip.
    tagging, tagging_reference : float32 and bool array, shape (n_clips, n_classes)
    detection, detection_reference : float32 and bool array, shape (n_clips, n_segments, n_classes)
    """

    clips: pd.DataFrame
    tagging: npt.NDArray[np.float32]
    tagging_reference: npt.NDArray[np.bool_]
    detection: npt.NDArray[np.float32]
    detection_reference: npt.NDArray[np.bool_]


def segment_arrays(frame: pd.DataFrame, *, split: str) -> SegmentArrays:
    """Arrays of one split of one run.

    Raises
    ------
    DataError
        If the split has no row, if the levels are of different clips, or if a clip lacks a segment.
    """
    rows = frame[frame["split"] == split].sort_values(["clip_id", "segment"], kind="stable")
    tags, segments = (rows[rows["level"] == level] for level in LEVELS)
    if tags.empty or segments.empty:
        raise DataError(f"the predictions have no {split} rows of {TAGGING if tags.empty else DETECTION}")
    clips = tags[["clip_id", "location"]].reset_index(drop=True)
    n_clips = len(clips)
    n_segments = int(segments["segment"].max()) + 1
    wanted = np.repeat(clips["clip_id"].to_numpy(object), n_segments), np.tile(np.arange(n_segments), n_clips)
    found = segments["clip_id"].to_numpy(object), segments["segment"].to_numpy(int)
    if len(segments) != n_clips * n_segments or any((a != b).any() for a, b in zip(wanted, found, strict=True)):
        counts = segments.groupby("clip_id").size().reindex(clips["clip_id"], fill_value=0)
        short = counts[counts != n_segments]
        which = f", such as {short.index[0]!r} with {short.iloc[0]}" if len(short) else ""
        raise DataError(
            f"{split} predictions: {n_clips} clips with tags, {segments['clip_id'].nunique()} with segments, "
            f"not {n_segments} segments for each{which}"
        )

    def stacked(part: pd.DataFrame, name: str) -> npt.NDArray[np.generic]:
        return np.stack(part[name].to_list())

    shape = (n_clips, n_segments, -1)
    return SegmentArrays(
        clips=clips,
        tagging=stacked(tags, "scores").astype(np.float32),
        tagging_reference=stacked(tags, "reference").astype(np.bool_),
        detection=stacked(segments, "scores").astype(np.float32).reshape(shape),
        detection_reference=stacked(segments, "reference").astype(np.bool_).reshape(shape),
    )
