"""Ratios of counts; what is not defined is NaN, never zero."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from asc_bench.errors import DataError

Counts = npt.NDArray[np.float64]


def ratio(part: Counts, whole: Counts) -> Counts:
    """``part / whole``, NaN where ``whole`` is zero."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0))


def f_score(true_positives: Counts, n_reference: Counts, n_estimated: Counts) -> Counts:
    """Harmonic mean of precision and recall, ``2 TP / (n_reference + n_estimated)``.

    NaN only where there is nothing in the reference and nothing was estimated. Where one of the two is empty it is
    zero; sed_eval gives NaN there, unless given ``empty_system_output_handling="zero_score"``, because one of
    precision and recall is not defined.
    """
    return ratio(2 * np.asarray(true_positives), np.asarray(n_reference) + n_estimated)


def checked_pair(
    reference: npt.ArrayLike, estimated: npt.ArrayLike, *, axes: tuple[str, ...]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Both as bool arrays of one shape.

    Raises
    ------
    DataError
        If one is not of type bool (scores without a threshold, say), or if the shapes differ or do not have the
        axes named.
    """
    pair = np.asarray(reference), np.asarray(estimated)
    for name, array in zip(("reference", "estimated"), pair, strict=True):
        if array.dtype != np.bool_:
            raise DataError(f"{name} is of type {array.dtype}, must be bool: put a threshold on scores first")
    if pair[0].shape != pair[1].shape or pair[0].ndim != len(axes):
        raise DataError(
            f"reference has shape {pair[0].shape}, estimated {pair[1].shape}; both must be ({', '.join(axes)})"
        )
    return pair
