"""Accuracy of stored predictions, as a measure of a protocol defines it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.errors import DataError


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
