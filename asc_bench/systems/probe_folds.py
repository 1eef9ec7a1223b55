"""Cross-validation inside training clips, for the settings of classifiers on embeddings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from asc_bench.errors import SystemFailure

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

N_FOLDS = 5


def folds(
    y: Array, locations: npt.NDArray[np.str_] | None = None, *, several: bool = False
) -> list[tuple[Rows, Rows]]:
    """Rows to train on and rows to test on, for each of five folds or as many as the clips allow.

    Parameters
    ----------
    y : array, shape (n, n_classes)
        One-hot, or with ``several`` multi-hot.
    locations : str array, shape (n,), optional
        Clips of one location stay in one fold; without it each clip stands for itself.
    several : bool
        Folds of equal size; otherwise of equal shares of the classes too.

    Raises
    ------
    SystemFailure
        If there are too few locations or clips of a class.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    n = len(y)
    groups = np.arange(n) if locations is None else np.unique(locations, return_inverse=True)[1]
    n_groups, n_most = len(np.unique(groups)), int(y.sum(axis=0).max())
    n_folds = min(N_FOLDS, n_groups, n if several else n_most)
    if n_folds < 2:
        raise SystemFailure(
            f"settings cannot be chosen by cross-validation: {n} training clips of {n_groups} locations, at most "
            f"{n_most} of a class; at least 2 are needed of each"
        )
    with warnings.catch_warnings():
        # A class of fewer clips than folds is absent from some of them, which is no mistake.
        warnings.filterwarnings("ignore", message="The least populated class in y", category=UserWarning)
        splitter = GroupKFold(n_folds) if several else StratifiedGroupKFold(n_folds)
        found = list(splitter.split(y, None if several else y.argmax(axis=1), groups))
    for number, (train, test) in enumerate(found, start=1):
        if len(test) == 0 or not _differ(y[train]):
            raise SystemFailure(
                f"settings cannot be chosen by cross-validation: without fold {number} ({len(test)} clips of "
                f"{n}), all training clips have the same labels, or fold {number} is empty"
            )
    return found


def choose(
    values: Sequence[float],
    predict: Callable[[float, Rows, Rows], Array],
    y: Array,
    locations: npt.NDArray[np.str_] | None = None,
    *,
    several: bool = False,
) -> tuple[float, float, int]:
    """The best of ``values``, the first of equal ones.

    Parameters
    ----------
    values : sequence of float
        What there is to choose from.
    predict : callable
        ``predict(value, train, test)`` trains on some rows and gives scores of the others, (n_test, n_classes).
    y, locations, several
        As in ``folds``.

    Returns
    -------
    value : float
    score : float
        Mean over the folds: accuracy, or with ``several`` the average precision, mean over the classes that some
        but not all test clips of the fold have.
    n_folds : int
    """
    parts = folds(y, locations, several=several)
    scored = [float(np.mean([_score(y[b], predict(value, a, b), several) for a, b in parts])) for value in values]
    best = int(np.argmax(scored))
    return float(values[best]), scored[best], len(parts)


def _differ(y: Array) -> bool:
    return bool((y != y[0]).any())


def _score(y: Array, scores: Array, several: bool) -> float:
    if not several:
        return float((scores.argmax(axis=1) == y.argmax(axis=1)).mean())
    from sklearn.metrics import average_precision_score

    scorable = np.flatnonzero((y.min(axis=0) == 0) & (y.max(axis=0) == 1))
    if not len(scorable):
        raise SystemFailure(
            f"settings cannot be chosen by cross-validation: in a fold of {len(y)} clips each class has all or none"
        )
    return float(np.mean([average_precision_score(y[:, c], scores[:, c]) for c in scorable]))
