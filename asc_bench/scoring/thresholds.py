"""Thresholds that turn scores into decisions, chosen on clips that are not the test clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError

_Ints = npt.NDArray[np.int64]


def decide(scores: npt.NDArray[np.floating], thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether each score reaches the threshold of its class, shape (..., n_classes) as ``scores``."""
    return np.asarray(scores >= thresholds, dtype=np.bool_)


def choose_thresholds(
    reference: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    per_class: bool = False,
    classes: Sequence[str] = (),
) -> npt.NDArray[np.float64]:
    """Thresholds with the highest micro F-score on the examples given; a score decides if it reaches its threshold.

    Parameters
    ----------
    reference : array of bool or of 0 and 1, shape (..., n_classes)
        Clips or segments of the validation split.
    scores : float array, shape (..., n_classes)
        Larger for what is believed to be there.
    per_class : bool
        A threshold for each class, all of them chosen together for the micro F-score over all classes. Default: one
        for all.
    classes : sequence of str
        Class names for messages.

    Returns
    -------
    float array, shape (n_classes,)
        Each is one of the scores observed; of several that do equally well the highest, which decides for the
        fewest. With ``per_class`` it is infinite for a class that is best never decided for.

    Raises
    ------
    ConfigError
        If there is no example or none is positive (with ``per_class``: of any class), if shapes differ, or if a
        score is not finite.

    Notes
    -----
    The scores are sorted once. For a threshold per class the ratio ``2 TP / (n_reference + n_estimated)`` is
    maximised exactly by Dinkelbach's method: for a given value ``q`` of the ratio, ``2 TP - q n_estimated`` is a
    sum over classes, so each class can be maximised alone; the new ratio is the next ``q``, until it stays.

    References
    ----------
    W. Dinkelbach, "On nonlinear fractional programming", Management Science 13 (1967), 492-498.
    """
    truth, values = _checked(reference, scores)
    n_classes = truth.shape[1]
    names = list(classes) or [str(i) for i in range(n_classes)]
    absent = [name for name, n in zip(names, truth.sum(axis=0), strict=True) if not n]
    if len(absent) == n_classes:
        raise ConfigError(f"none of {len(truth)} validation examples is positive, so no threshold can be chosen")
    if not per_class:
        candidates, right, decided = _curve(truth.ravel(), values.ravel())
        f_scores = 2 * right / (truth.sum() + decided)
        return np.full(n_classes, candidates[int(f_scores.argmax())])
    if absent:
        raise ConfigError(
            f"classes {absent} have no positive validation example, so they cannot have a threshold of their own; "
            "choose one threshold for all classes"
        )
    return _one_per_class(truth, values)


def _checked(
    reference: npt.ArrayLike, scores: npt.ArrayLike
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.floating]]:
    truth, values = np.asarray(reference), np.asarray(scores)
    if truth.shape != values.shape or truth.ndim < 2:
        raise ConfigError(
            f"reference has shape {truth.shape}, scores {values.shape}; both must be (..., n_classes)"
        )
    if not truth.size:
        raise ConfigError(f"no validation example to choose thresholds on: the scores have shape {values.shape}")
    if not np.isin(truth, (0, 1)).all():
        raise ConfigError("the reference of thresholds must be 0 or 1 everywhere")
    if not np.isfinite(values).all():
        raise ConfigError(f"{(~np.isfinite(values)).sum()} of {values.size} scores are not finite")
    n_classes = truth.shape[-1]
    return truth.reshape(-1, n_classes).astype(np.bool_), values.reshape(-1, n_classes)


def _curve(
    truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.float64], _Ints, _Ints]:
    """Distinct scores, highest first, with the number of right and of all decisions that each gives."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    right = np.cumsum(truth[order], dtype=np.int64)[last]
    return ranked[last].astype(np.float64), right, (last + 1).astype(np.int64)


def _one_per_class(truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    curves = []
    for column in range(truth.shape[1]):
        candidates, right, decided = _curve(truth[:, column], scores[:, column])
        curves.append((np.append(np.inf, candidates), np.append(0, right), np.append(0, decided)))
    n_reference = int(truth.sum())
    # The ratio is kept as two whole numbers, so that equal values are seen to be equal.
    above, below = 0, 1
    while True:
        chosen = [int((2 * right * below - above * decided).argmax()) for _, right, decided in curves]
        n_right = sum(int(right[i]) for i, (_, right, _) in zip(chosen, curves, strict=True))
        n_decided = sum(int(decided[i]) for i, (_, _, decided) in zip(chosen, curves, strict=True))
        new_above, new_below = 2 * n_right, n_reference + n_decided
        if new_above * below <= above * new_below:
            return np.array([candidates[i] for i, (candidates, _, _) in zip(chosen, curves, strict=True)])
        above, below = new_above, new_below
