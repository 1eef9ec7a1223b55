"""The contract of every score: per clip a row of sums, and a value of the sums over clips.

Because a score is a function of sums over clips, its value on resampled recording locations is that function of
weighted sums. Intervals, paired tests, strata, subsets and tables are therefore written once, for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, DataError
from asc_bench.names import near

Unit = Literal["percent", "nats", "ratio"]
Floats = npt.NDArray[np.float64]

EPSILON = 1e-15
"""Probabilities are kept this far from 0 and 1 before a logarithm is taken."""


class Statistic(ABC):
    """Base of every score.

    Attributes
    ----------
    name : str
        What a `Measure` calls it.
    unit : {"percent", "nats", "ratio"}
        ``percent``: a fraction that tables print times one hundred. The others are printed as they are.
    higher_is_better : bool
        Decides sorting, bold face, and what "better" means in words.
    bounds : tuple of float
        Lowest and highest value there can be.
    proportion : bool
        Whether each clip is simply right (1) or wrong (0), the second of two sums, the first one being 1: only
        then do tests of proportions (z, McNemar) have a meaning.
    over : {"clips", "segments"}
        What predictions it is of: those of one label a clip, or multi-label ones by segment.

    Examples
    --------
    A statistic of one's own, usable as ``Measure("margin", statistic=Margin())``:

    >>> import numpy as np
    >>> class Margin(Statistic):
    ...     name = "margin"
    ...     unit = "ratio"
    ...     bounds = (-1.0, 1.0)
    ...     def per_clip(self, clips):
    ...         return np.stack([np.ones(len(clips)), 2 * clips.label_probability - 1], axis=1)
    ...     def value(self, sums):
    ...         return mean_of(sums)
    >>> clips = ScoredClips(np.array([1, 2]), np.array([[0.75, 0.25], [0.5, 0.5]]))
    >>> Margin().value(Margin().per_clip(clips).sum(axis=0)).item()
    0.25
    """

    name: ClassVar[str]
    unit: ClassVar[Unit] = "percent"
    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    proportion: ClassVar[bool] = False
    over: ClassVar[Literal["clips", "segments"]] = "clips"

    @abstractmethod
    def per_clip(self, clips: Any) -> Floats:
        """Sums of each clip.

        Parameters
        ----------
        clips : ScoredClips or SegmentRun
            Predictions of one run and one label level (``over="clips"``), or the decisions of one multi-label run.

        Returns
        -------
        float64 array, shape (n_clips, n_sums)
        """

    @abstractmethod
    def value(self, sums: Floats) -> Floats:
        """The score of summed rows.

        Parameters
        ----------
        sums : float64 array, shape (..., n_sums)
            Weighted sums over clips.

        Returns
        -------
        float64 array, shape (...)
            NaN where it is not defined, such as for no clip at all.
        """


class ScoredClips:
    """Predictions of one label level for some clips, as a statistic is given them.

    Parameters
    ----------
    label_rank : int array, shape (n_clips,)
        Rank of the true class, 1 for the most probable (ties: lower class index first).
    probabilities : array or sequence of arrays, shape (n_clips, n_classes)
        Class probabilities as stored (float32). They are stacked and made float64 when a statistic asks for them.
    agrees : bool array, shape (n_clips,), optional
        Of a measure that compares two label levels: whether they agree on the clip.
    """

    def __init__(
        self,
        label_rank: npt.NDArray[np.integer],
        probabilities: npt.NDArray[np.floating] | Sequence[npt.NDArray[np.floating]],
        agrees: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.label_rank = np.asarray(label_rank, dtype=np.int64)
        self.agrees = agrees
        self._given = probabilities

    def __len__(self) -> int:
        return len(self.label_rank)

    @cached_property
    def probabilities(self) -> Floats:
        """Class probabilities, float64, shape (n_clips, n_classes)."""
        return np.stack(list(self._given)).astype(np.float64) if len(self) else np.empty((0, 1))

    @cached_property
    def label(self) -> npt.NDArray[np.int64]:
        """Index of the true class, shape (n_clips,)."""
        order = np.argsort(-self.probabilities, axis=1, kind="stable")
        return np.asarray(np.take_along_axis(order, self.label_rank[:, None] - 1, axis=1)[:, 0], dtype=np.int64)

    @cached_property
    def label_probability(self) -> Floats:
        """Probability of the true class, shape (n_clips,)."""
        return np.asarray(np.take_along_axis(self.probabilities, self.label[:, None], axis=1)[:, 0])


def mean_of(sums: Floats) -> Floats:
    """``sums[..., 1] / sums[..., 0]``, NaN where nothing was counted."""
    n = sums[..., 0]
    return np.asarray(np.divide(sums[..., 1], n, out=np.full(n.shape, np.nan), where=n > 0))


class _Mean(Statistic):
    """A mean over clips of one number a clip."""

    @abstractmethod
    def of_clip(self, clips: ScoredClips) -> npt.NDArray[Any]:
        """The number of each clip, shape (n_clips,)."""

    def per_clip(self, clips: ScoredClips) -> Floats:
        return np.stack([np.ones(len(clips)), self.of_clip(clips).astype(np.float64)], axis=1)

    def value(self, sums: Floats) -> Floats:
        return mean_of(sums)


@dataclass(frozen=True)
class Accuracy(_Mean):
    """Share of clips whose true class is among the ``top_k`` most probable ones."""

    name = "accuracy"
    proportion = True
    top_k: int = 1

    def of_clip(self, clips: ScoredClips) -> npt.NDArray[np.bool_]:
        return clips.label_rank <= self.top_k


@dataclass(frozen=True)
class Agreement(_Mean):
    """Share of clips on which two label levels agree; no truth is compared."""

    name = "agreement"
    proportion = True

    def of_clip(self, clips: ScoredClips) -> npt.NDArray[np.bool_]:
        if clips.agrees is None:
            raise DataError("an agreement needs the predictions of both label levels")
        return clips.agrees


@dataclass(frozen=True)
class LogLoss(_Mean):
    """Mean negative logarithm of the probability of the true class (cross-entropy), in nats.

    Computed in float64 from the probabilities as stored (float32), kept ``EPSILON`` away from 0 and 1, so that it
    is the same before and after storage. As ``sklearn.metrics.log_loss``.
    """

    name = "log-loss"
    unit = "nats"
    higher_is_better = False
    bounds = (0.0, -float(np.log(EPSILON)))

    def of_clip(self, clips: ScoredClips) -> Floats:
        return np.asarray(-np.log(np.clip(clips.label_probability, EPSILON, 1 - EPSILON)))


@dataclass(frozen=True)
class BrierScore(_Mean):
    """Mean squared distance of the probabilities to the truth, summed over classes: 0 (best) to 2.

    References
    ----------
    G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950).
    """

    name = "brier"
    unit = "ratio"
    higher_is_better = False
    bounds = (0.0, 2.0)

    def of_clip(self, clips: ScoredClips) -> Floats:
        squares = np.square(clips.probabilities).sum(axis=1)
        return np.asarray(squares - 2 * clips.label_probability + 1)


@dataclass(frozen=True)
class CalibrationError(Statistic):
    """Expected calibration error: mean distance of confidence and accuracy over bins of confidence.

    The confidence of a clip is the probability of its predicted class. Bins are of equal width,
    ``(i / n_bins, (i + 1) / n_bins]``, and weighted by the clips in them.

    References
    ----------
    C. Guo et al., "On calibration of modern neural networks", ICML 2017, eq. 3.
    """

    name = "calibration-error"
    unit = "percent"
    higher_is_better = False
    n_bins: int = 15

    def per_clip(self, clips: ScoredClips) -> Floats:
        confidence = clips.probabilities.max(axis=1, initial=0.0)
        # A tiny excess over one, from float32, belongs into the last bin.
        bins = np.clip(np.ceil(confidence * self.n_bins).astype(int) - 1, 0, self.n_bins - 1)
        rows = np.zeros((len(clips), self.n_bins, 3))
        rows[np.arange(len(clips)), bins] = np.stack(
            [np.ones(len(clips)), confidence, clips.label_rank == 1], axis=1
        )
        return rows.reshape(len(clips), -1)

    def value(self, sums: Floats) -> Floats:
        bins = sums.reshape(*sums.shape[:-1], self.n_bins, 3)
        n = bins[..., 0].sum(axis=-1)
        gaps = np.abs(bins[..., 1] - bins[..., 2]).sum(axis=-1)
        return np.asarray(np.divide(gaps, n, out=np.full(n.shape, np.nan), where=n > 0))


def find_statistic(name: str, known: Mapping[str, Statistic]) -> Statistic:
    """The statistic of this name.

    Raises
    ------
    ConfigError
        If there is none, with the near names.
    """
    if name not in known:
        raise ConfigError(f"there is no statistic {name!r}{near(name, known)}")
    return known[name]
