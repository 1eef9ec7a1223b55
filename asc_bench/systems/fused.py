"""Late fusion: systems that combine the stored predictions of others, and train nothing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from asc_bench.clips import Clips, LabelledClips
from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.features.frontends import FrontEnd
from asc_bench.systems.base import Context, Params, Probabilities, System
from asc_bench.systems.calibration import fit_fusion, fused_probabilities, log_probabilities

Rule = Literal["mean", "product", "rank", "stacking"]

Levels = Mapping[str, npt.NDArray[np.float32]]
"""Probabilities (n_clips, n_classes) by label level."""


@dataclass(frozen=True, kw_only=True)
class RuleParams(Params):
    """How stored predictions are combined.

    Attributes
    ----------
    rule : {"mean", "product", "rank", "stacking"}
        Mean of the probabilities, their geometric mean, the mean rank of each class, or a logistic regression with
        one scale for each member and an offset for each class, fitted on validation predictions.
    """

    rule: Rule = "mean"


class FusedSystem(System):
    """Base of a fusion. A subclass names its ``members``; their runs are made where they are not stored.

    A level is fused if all members predict it. No clip is ever read: the base class of all systems wants
    ``front_end``, ``fit`` and ``predict``, which nobody calls here.
    """

    numerics_version: ClassVar[int | None] = 1

    Params: ClassVar[type[Params]] = RuleParams
    params: RuleParams

    @property
    @abstractmethod
    def members(self) -> tuple[str, ...]:
        """Variants, such as ``my-cnn[width=64]``; two at least. One may be a fusion itself."""

    @property
    def uses_validation(self) -> bool:
        """Whether weights are fitted on the validation predictions of the members."""
        return self.params.rule == "stacking"

    def weights(
        self, validation: Sequence[Levels], truth: Mapping[str, npt.NDArray[np.int64]]
    ) -> dict[str, Weights]:
        """Fit the weights of the rule "stacking", for each level.

        Parameters
        ----------
        validation : sequence of mappings
            Of each member, on the validation clips.
        truth : mapping
            Class indices of these clips by level.
        """
        return {
            level: fit_fusion([log_probabilities(member[level]) for member in validation], truth[level])
            for level in shared_levels(validation)
        }

    def combine(
        self, given: Sequence[Levels], weights: Mapping[str, Weights]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """One prediction from those of all members, for each level that all of them predict.

        Raises
        ------
        SystemFailure
            If there is no such level.
        """
        levels = shared_levels(given)
        if not levels:
            raise SystemFailure(f"the members predict no common label level: {[sorted(g) for g in given]}")
        return {level: self._combined([member[level] for member in given], weights.get(level)) for level in levels}

    def _combined(self, given: list[npt.NDArray[np.float32]], weights: Weights | None) -> npt.NDArray[np.float32]:
        if self.params.rule == "stacking":
            assert weights is not None
            return fused_probabilities([log_probabilities(member) for member in given], *weights).astype(np.float32)
        return COMBINE[self.params.rule](np.stack(given).astype(np.float64)).astype(np.float32)

    def front_end(self) -> FrontEnd:
        """There is none."""
        self._refuse()

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """There is nothing to fit on clips."""
        self._refuse()

    def predict(self, clips: Clips) -> Probabilities:
        """It predicts from predictions."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ConfigError(f"{self.card.name} combines stored predictions and reads no clips; see `asc-bench fuse`")


Weights = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Scales of the members, (n_members,), and offsets of the classes, (n_classes,)."""


def shared_levels(given: Sequence[Levels]) -> list[str]:
    """Label levels that all members predict, in the order of the first one."""
    return [level for level in given[0] if all(level in member for member in given)]


def mean(given: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of probabilities (n_members, n_clips, n_classes), over the members."""
    average: npt.NDArray[np.float64] = given.mean(axis=0)
    return average


def product(given: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Geometric mean over the members, divided by its sum over the classes."""
    average = log_probabilities(given).mean(axis=0)
    return _divided_by_sum(np.exp(average - average.max(axis=1, keepdims=True)))


def mean_rank(given: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Borda count: each member gives a class as many points as it ranks classes below it; equal ones share.

    Points are divided by their sum, so that rows sum to one; they are no probabilities in any other sense.
    """
    from scipy.stats import rankdata

    return _divided_by_sum((rankdata(given, axis=2) - 1.0).mean(axis=0))


def _divided_by_sum(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = rows / rows.sum(axis=1, keepdims=True)
    return shares


COMBINE = {"mean": mean, "product": product, "rank": mean_rank}
