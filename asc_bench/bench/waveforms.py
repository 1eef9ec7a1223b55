"""Clips that are given as several waveforms: their rows in the feature array, and one prediction for each clip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

_COLUMNS = ["clip_id", "path", "start_s", "duration_s"]


def waveform_table(clips: pd.DataFrame) -> pd.DataFrame:
    """One row per waveform: the clip table itself, or for clips with ``views`` a row for each of these.

    Parameters
    ----------
    clips : DataFrame
        Clip table; the column ``views``, if there is one, names the views of a clip, separated by blanks.

    Returns
    -------
    DataFrame
        In the order of the clips. With views it has the columns that features are made from, and ``view``, which
        is ``""`` for a clip that is read as it is.
    """
    if "views" not in clips.columns:
        return clips
    views = clips["views"].str.split().map(lambda names: names or [""])
    return clips[_COLUMNS].assign(view=views).explode("view", ignore_index=True)


def waveform_rows(clips: pd.DataFrame) -> Mapping[str, npt.NDArray[np.int64]]:
    """Rows of each clip in ``waveform_table``."""
    if "views" not in clips.columns:
        return {clip: np.array([row]) for row, clip in enumerate(clips["clip_id"])}
    n = clips["views"].str.split().map(lambda names: len(names) or 1).to_numpy()
    ends = np.cumsum(n)
    return {clip: np.arange(end - k, end) for clip, end, k in zip(clips["clip_id"], ends, n, strict=True)}


def averaged(
    probabilities: Mapping[str, npt.NDArray[np.float32]], owner: npt.NDArray[np.int64]
) -> Mapping[str, npt.NDArray[np.float32]]:
    """Mean over the waveforms of each clip, level by level; as it is where every clip has one.

    Parameters
    ----------
    probabilities : mapping of str to array, shape (n_waveforms, n_classes)
        By label level.
    owner : int array, shape (n_waveforms,)
        Number of the clip of each waveform: 0, 0, 0, 0, 1, ...
    """
    n_each = np.bincount(owner)
    if (n_each == 1).all():
        return probabilities
    starts = np.cumsum(n_each) - n_each
    means: dict[str, npt.NDArray[np.float32]] = {}
    for level, values in probabilities.items():
        array = np.asarray(values)
        # A wrong number of rows is reported by the check of predictions.
        whole = array.ndim == 2 and len(array) == len(owner)
        means[level] = (
            (np.add.reduceat(array, starts, axis=0) / n_each[:, None]).astype(np.float32) if whole else array
        )
    return means
