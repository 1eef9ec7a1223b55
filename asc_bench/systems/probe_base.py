"""The contract of a classifier on embeddings of a frozen network: numbers in and numbers out."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, DataError, SystemFailure

Array = npt.NDArray[np.float64]
Facts = dict[str, str | int | float]


class Probe(ABC):
    """A classifier on embeddings.

    Whether a clip has one label or may have several follows from the labels that ``fit`` is given.
    """

    n_classes: int = 0
    n_dimensions: int = 0
    several: bool = False

    def fit(
        self,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        n_classes: int,
        location: npt.NDArray[np.str_] | None = None,
        seed: int = 0,
    ) -> None:
        """Fit to labelled embeddings.

        Parameters
        ----------
        x : array, shape (n, d)
            Embeddings.
        y : array
            Class indices, int, shape (n,), or multi-hot, shape (n, n_classes).
        n_classes : int
        location : str array, shape (n,), optional
            Rows of one location stand on one side where a setting is chosen by cross-validation.
        seed : int
            Not negative.

        Raises
        ------
        DataError
            If embeddings, labels or locations have a wrong shape, or are no such numbers.
        SystemFailure
            If nothing can be learned or chosen from them.
        """
        embeddings, targets = _embeddings(x), np.asarray(y)
        _check_labels(targets, n=len(embeddings), n_classes=n_classes)
        if location is not None and np.shape(location) != (len(embeddings),):
            raise DataError(f"probe: {len(embeddings)} embeddings but locations of shape {np.shape(location)}")
        several = targets.ndim == 2
        if not several and len(np.unique(targets)) < 2:
            raise SystemFailure(f"probe: all {len(targets)} training clips are of class {targets[0]}")
        self.n_classes, self.n_dimensions, self.several = n_classes, embeddings.shape[1], several
        hot = targets.astype(np.float64) if several else np.eye(n_classes)[targets]
        with warnings.catch_warnings():
            # A few examples of many classes are no sign of a regression, which scikit-learn warns of.
            warnings.filterwarnings("ignore", message="The number of unique classes is greater")
            self._fit(embeddings, hot, None if location is None else np.asarray(location), seed)

    def predict(self, x: npt.ArrayLike) -> Array:
        """Probabilities of embeddings.

        Parameters
        ----------
        x : array, shape (n, d)

        Returns
        -------
        float64 ndarray, shape (n, n_classes)
            Rows that sum to one, or where there may be several labels a score in [0, 1] for each.

        Raises
        ------
        SystemFailure
            Before ``fit``.
        DataError
            If embeddings are not as wide as those of ``fit``, or no numbers.
        """
        if not self.n_classes:
            raise SystemFailure("probe: it is not fitted; call fit first")
        embeddings = _embeddings(x)
        if embeddings.shape[1] != self.n_dimensions:
            raise DataError(
                f"probe: embeddings of {embeddings.shape[1]} numbers, it was fitted to {self.n_dimensions}"
            )
        return self._predict(embeddings)

    def facts(self) -> Facts:
        """What was chosen; empty before ``fit``."""
        return {}

    @abstractmethod
    def _fit(self, x: Array, hot: Array, location: npt.NDArray[np.str_] | None, seed: int) -> None:
        """``hot``, (n, n_classes): a row of ones and zeros for each clip."""

    @abstractmethod
    def _predict(self, x: Array) -> Array:
        """See ``predict``."""


def check_positive(kind: str, **settings: float) -> None:
    """Refuse settings of a kind of probe that are no numbers above 0."""
    for name, value in settings.items():
        if not (np.isfinite(value) and value > 0):
            raise ConfigError(f"probe {kind}: {name} is {value}, must be above 0")


def _embeddings(x: npt.ArrayLike) -> Array:
    found = np.asarray(x, dtype=np.float64)
    if found.ndim != 2 or 0 in found.shape:
        raise DataError(f"probe: embeddings of shape {found.shape}, expected (n, d) with at least one of each")
    faulty = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(faulty):
        raise DataError(
            f"probe: {len(faulty)} of {len(found)} embeddings have NaN or infinite numbers, the first is row "
            f"{faulty[0]}"
        )
    return found


def _check_labels(y: npt.NDArray[Any], *, n: int, n_classes: int) -> None:
    if y.shape not in ((n,), (n, n_classes)):
        raise DataError(
            f"probe: {n} embeddings and {n_classes} classes, but labels of shape {y.shape}; expected ({n},) or "
            f"({n}, {n_classes})"
        )
    if y.ndim == 1:
        if y.dtype.kind not in "iu":
            raise DataError(f"probe: class indices must be integers, got {y.dtype}")
        if y.min() < 0 or y.max() >= n_classes:
            raise DataError(f"probe: labels from {y.min()} to {y.max()}, but there are {n_classes} classes")
    elif not np.isin(y, (0, 1)).all():
        raise DataError(f"probe: multi-hot labels must be 0 or 1, got {y[~np.isin(y, (0, 1))][0]}")
