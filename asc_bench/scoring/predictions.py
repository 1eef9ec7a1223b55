"""Stored predictions: one Parquet file per run, one row per split, label level and clip."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from asc_bench.errors import ConfigError, StoreError, SystemFailure
from asc_bench.labels import FINE, LabelSpace
from asc_bench.scoring._prediction_file import read_table, rows_of, stored_classes, write_rows
from asc_bench.scoring.accuracy import label_ranks

SCHEMA_VERSION = 1
SPLITS = ("test", "validation")
EXTRA_COLUMNS = ("source", "flag")
"""Columns of the clip table of joined data sets that predictions carry, too."""

_TEXT = pd.Series(dtype="str").dtype
"""What pandas calls ``str``: to look the name up takes longer than to make a column of it."""

SUM_TOLERANCE = 1e-3
"""How far the probabilities of a clip may sum from one."""

_SCHEMA = pa.schema(
    [
        *(
            pa.field(name, pa.string())
            for name in (
                "split",
                "level",
                "clip_id",
                "label",
                "predicted",
                "device",
                "city",
                "location",
                "recording_id",
                "scene",
            )
        ),
        pa.field("label_rank", pa.int16()),
        pa.field("probabilities", pa.list_(pa.float32())),
    ]
)
PREDICTION_COLUMNS: tuple[str, ...] = tuple(_SCHEMA.names)
"""Columns of every prediction frame; those of ``EXTRA_COLUMNS`` follow where the clip table has them.

``label`` and ``predicted`` are class names of ``level``; ``scene`` is the fine label at every level;
``label_rank`` is the rank of the true class (1 for the most probable; ties: lower class index first), so that
``label_rank <= k`` is top-k correctness; ``probabilities`` is a float32 array in the order of the classes of
``level``.
"""


def checked_probabilities(
    level: str, probabilities: npt.ArrayLike, n_classes: int, clip_ids: pd.Series
) -> npt.NDArray[np.float32]:
    """What a system returned for some clips, refused unless each row holds the probabilities of the classes."""
    array = np.asarray(probabilities)
    expected = (len(clip_ids), n_classes)
    if array.shape != expected or array.dtype.kind not in "fiu":
        raise SystemFailure(
            f"{level} probabilities: expected numbers of shape {expected} (clips, classes), "
            f"got {array.dtype} of shape {array.shape}"
        )
    faulty = ~np.isfinite(array).all(axis=1) | (array < 0).any(axis=1)
    if faulty.any():
        row = int(faulty.argmax())
        raise SystemFailure(
            f"{level} probabilities of clip {clip_ids.iloc[row]!r} are negative or not finite "
            f"({faulty.sum()} clips of {len(array)}): {array[row].tolist()}"
        )
    off = np.abs(array.sum(axis=1, dtype=np.float64) - 1.0)
    if len(off) and off.max() > SUM_TOLERANCE:
        row = int(off.argmax())
        raise SystemFailure(
            f"{level} probabilities of clip {clip_ids.iloc[row]!r} sum to "
            f"{array[row].sum(dtype=np.float64):.6g}, not to 1 within {SUM_TOLERANCE:g} "
            f"({(off > SUM_TOLERANCE).sum()} clips of {len(array)}): "
            "return softmax outputs or divide by the sum"
        )
    return array.astype(np.float32)


def prediction_frame(
    clips: pd.DataFrame,
    labels: LabelSpace,
    probabilities: Mapping[str, npt.NDArray[np.floating]],
    *,
    split: str,
) -> pd.DataFrame:
    """Join what a system returned with what is known of the clips.

    Parameters
    ----------
    clips : DataFrame
        Rows of a clip table, in the order in which the system was given them.
    labels : LabelSpace
        Classes; the true coarse label follows from the scene.
    probabilities : mapping of str to array, shape (n_clips, n_classes)
        By label level; a system may leave out a level that it does not predict.
    split : {"test", "validation"}
        Which split the clips are.

    Returns
    -------
    DataFrame
        The columns of `PREDICTION_COLUMNS`, and ``source`` and ``flag`` where the clip table has them, one row
        per level and clip. ``predicted`` is the most probable class, the lower class index where two are equal.

    Raises
    ------
    SystemFailure
        For an unknown level, a wrong shape, values that are negative or not finite, or rows that do not sum
        to one.
    ConfigError
        For an unknown split.
    """
    if split not in SPLITS:
        raise ConfigError(f"split {split!r} is not one of {SPLITS}")
    unknown = sorted(set(probabilities) - set(labels.levels))
    if unknown or not probabilities:
        raise SystemFailure(f"probabilities for levels {sorted(probabilities)}, expected {labels.levels}")
    fine = labels.encode(clips["scene"])
    frames = []
    for level in (name for name in labels.levels if name in probabilities):
        classes = pd.Series(labels.classes(level), dtype=_TEXT).array
        values = checked_probabilities(level, probabilities[level], len(classes), clips["clip_id"])
        true = fine if level == FINE else labels.to_coarse(fine)
        columns: dict[str, Any] = {
            "split": pd.Series([split], dtype=_TEXT).array.repeat(len(clips)),
            "level": pd.Series([level], dtype=_TEXT).array.repeat(len(clips)),
            "label": classes.take(true),
            "predicted": classes.take(values.argmax(axis=1)),
            "label_rank": label_ranks(values, true).astype(np.int16),
            "probabilities": pd.Series(list(values), dtype=object),
        }
        extra = _extra_columns(clips)
        for name in ("clip_id", "device", "city", "location", "recording_id", "scene", *extra):
            text = clips[name]
            columns[name] = (text if text.dtype == _TEXT else text.astype(_TEXT)).array
        frames.append(pd.DataFrame({name: columns[name] for name in (*PREDICTION_COLUMNS, *extra)}))
    return pd.concat(frames, ignore_index=True)


def named_frame(clips: pd.DataFrame, labels: LabelSpace, predicted: Sequence[str], *, split: str) -> pd.DataFrame:
    """As `prediction_frame`, of class names of the fine level alone: every probability is NaN.

    ``label_rank`` is 1 for a right prediction and the number of classes for a wrong one; no rank between them is
    known, and no measure takes one from here.

    Raises
    ------
    DataError
        For a name that is no class.
    """
    codes = labels.encode(pd.Series(predicted, dtype=_TEXT))
    n_classes = len(labels.fine)
    frame = prediction_frame(clips, labels, {FINE: np.eye(n_classes)[codes]}, split=split)
    right = (frame["predicted"] == frame["label"]).to_numpy()
    frame["label_rank"] = np.where(right, 1, n_classes).astype(np.int16)
    frame["probabilities"] = pd.Series(list(np.full((len(clips), n_classes), np.nan, np.float32)), dtype=object)
    return frame


def _extra_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in EXTRA_COLUMNS if name in frame.columns]


def _schema_of(extra: Iterable[str]) -> pa.Schema:
    return pa.schema([*_SCHEMA, *(pa.field(name, pa.string()) for name in extra)])


def write_predictions(frame: pd.DataFrame, path: Path, labels: LabelSpace) -> None:
    """Write the predictions of one run; equal frames give equal bytes (with one version of pyarrow).

    Raises
    ------
    StoreError
        If the frame has other columns than `prediction_frame` gives, or the file cannot be written.
    """
    about = {"schema_version": SCHEMA_VERSION, "classes": {x: labels.classes(x) for x in labels.levels}}
    write_rows(frame, path, _schema_of(_extra_columns(frame)), about)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read the predictions of one run.

    Raises
    ------
    StoreError
        If the file cannot be read, is damaged, or is not of this schema.
    """
    table = read_table(path)
    classes = stored_classes(path, table, kind="", version=SCHEMA_VERSION)
    frame = rows_of(path, table, _schema_of(name for name in EXTRA_COLUMNS if name in table.column_names))
    _check_content(path, table, classes)
    return frame


def _check_content(path: Path, table: pa.Table, classes: Mapping[str, list[str]]) -> None:
    splits = sorted(_values(table, "split") - set(SPLITS))
    levels = sorted(_values(table, "level") - set(classes))
    if splits or levels:
        raise StoreError(f"{path}: unknown splits {splits}, unknown levels {levels}")
    for level, names in classes.items():
        rows = table.filter(pc.equal(table["level"], level)) if len(classes) > 1 else table
        foreign = sorted((_values(rows, "label") | _values(rows, "predicted")) - set(names))
        lengths = set(pc.unique(pc.list_value_length(rows["probabilities"])).to_pylist())
        if foreign or not lengths <= {len(names)}:
            raise StoreError(
                f"{path}: level {level!r} has {len(names)} classes, but foreign labels {foreign} "
                f"and rows of {sorted(lengths)} probabilities"
            )


def _values(table: pa.Table, column: str) -> set[str]:
    return set(pc.unique(table[column]).to_pylist())


def stack_runs(runs: Iterable[tuple[Mapping[str, Any], pd.DataFrame]]) -> pd.DataFrame:
    """Predictions of many runs as one frame, with the columns ``system``, ``fold`` and ``repeat`` in front.

    Parameters
    ----------
    runs : iterable of (manifest, predictions)
        Of each manifest ``variant`` (canonical name of the system with its parameters), ``fold`` and
        ``repeat`` are read.

    Raises
    ------
    StoreError
        If there is no run, a manifest lacks one of the three, or two runs agree in all three.
    """
    frames: dict[tuple[str, str, int], pd.DataFrame] = {}
    for manifest, predictions in runs:
        key = run_key(manifest, frames)
        frames[key] = predictions
    if not frames:
        raise StoreError("there is no finished run to read predictions of")
    stacked = pd.concat(frames, names=["system", "fold", "repeat"])
    return stacked.reset_index(["system", "fold", "repeat"]).reset_index(drop=True)


def run_key(manifest: Mapping[str, Any], others: Container[tuple[str, str, int]] = ()) -> tuple[str, str, int]:
    """Variant, fold and repeat of a run, from its manifest.

    Raises
    ------
    StoreError
        If the manifest lacks one of the three, or all three are those of one of the ``others``.
    """
    try:
        key = (str(manifest["variant"]), str(manifest["fold"]), int(manifest["repeat"]))
    except KeyError as error:
        raise StoreError(f"a run manifest has no {error.args[0]!r}, only {sorted(manifest)}") from None
    if key in others:
        raise StoreError(f"two runs of {key[0]}, fold {key[1]!r}, repeat {key[2]}: results must not be mixed")
    return key
