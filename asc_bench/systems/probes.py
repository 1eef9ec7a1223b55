"""Classifiers on embeddings of a frozen network: a polynomial machine, and a regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.systems.autoencoder_lr import (
    BETA,
    MODES,
    AutoencoderLr,
    Mode,
    Weight,
    choose_weight,
    fit_autoencoder_lr,
)
from asc_bench.systems.probe_base import Array, Facts, Probe, check_positive
from asc_bench.systems.probe_folds import choose
from asc_bench.systems.svm_system import COSTS, choose_cost, polynomial_svm

__all__ = ["KINDS", "LrProbe", "Probe", "SvmProbe", "probe"]

MAX_EXAMPLES = 20_000
"""That a support vector machine is fitted to; of more, so many are drawn (a guess: the paper names no limit)."""

MAX_CHOICE_EXAMPLES = 3_000
"""On which the cost is chosen where a clip may have several labels: there is a machine for each class (a guess)."""


class SvmProbe(Probe):
    """A support vector machine with a polynomial kernel of degree 3, its cost chosen by cross-validation.

    Several labels: a machine for each class against the rest, with one cost for all; a class that all or none of
    the training clips have gets the score 1 or 0. Decision values become a softmax, or with several labels the
    logistic function of each: they rank as the machine does, but are not calibrated.
    """

    def __init__(self) -> None:
        self._machines: list[Any] = []
        self._facts: Facts = {}

    def facts(self) -> Facts:
        """Cost, its score in the folds, and how many examples were fitted."""
        return dict(self._facts)

    def _fit(self, x: Array, hot: Array, location: npt.NDArray[np.str_] | None, seed: int) -> None:
        rng = np.random.default_rng(seed)
        n_given = len(x)
        rows = np.sort(rng.permutation(n_given)[:MAX_EXAMPLES])
        x, hot, location = x[rows], hot[rows], None if location is None else location[rows]
        if self.several:
            few = np.sort(rng.permutation(len(x))[:MAX_CHOICE_EXAMPLES])
            where = None if location is None else location[few]
            x_few, hot_few = x[few], hot[few]
            cost, score, n_folds = choose(
                COSTS,
                lambda C, train, test: _scores(_machines(x_few[train], hot_few[train], C), x_few[test]),
                hot_few,
                where,
                several=True,
            )
            self._machines = _machines(x, hot, cost)
        else:
            labels = hot.argmax(axis=1)
            found = choose_cost(x.astype(np.float32), labels, location)
            cost, score, n_folds = found.C, found.accuracy, found.n_folds
            self._machines = [polynomial_svm(cost).fit(x, labels)]
        self._facts = {
            "C": cost,
            "C_average_precision" if self.several else "C_accuracy": round(score, 4),
            "C_folds": n_folds,
            "n_examples": len(x),
            "n_examples_given": n_given,
        }

    def _predict(self, x: Array) -> Array:
        from scipy.special import softmax

        if self.several:
            return _scores(self._machines, x)
        (machine,) = self._machines
        values = machine.decision_function(x)
        probabilities = np.zeros((len(x), self.n_classes))
        both = np.column_stack([-values, values]) if values.ndim == 1 else values
        probabilities[:, machine.classes_] = softmax(both, axis=1)
        return probabilities


@dataclass
class LrProbe(Probe):
    """Autoencoder-based logistic regression, its lambda chosen by cross-validation.

    Attributes
    ----------
    mode : {"logistic", "closed_form"}
    beta : float
        Weight of the reconstruction in ``logistic``.
    """

    mode: Mode = "logistic"
    beta: float = BETA

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"probe lr: mode {self.mode!r} is not one of {', '.join(MODES)}")
        check_positive("lr", beta=self.beta)
        self._model: AutoencoderLr | None = None
        self._weight: Weight | None = None

    def facts(self) -> Facts:
        """lambda, its score in the folds, and how the last descent ended."""
        if self._model is None or self._weight is None:
            return {}
        found: Facts = {
            "lambda": self._weight.value,
            "lambda_average_precision" if self.several else "lambda_accuracy": round(self._weight.score, 4),
            "lambda_folds": self._weight.n_folds,
        }
        if self.mode == "logistic":
            found |= {"n_iterations": self._model.n_iterations, "converged": str(self._model.converged).lower()}
        return found

    def _fit(self, x: Array, hot: Array, location: npt.NDArray[np.str_] | None, seed: int) -> None:
        how: dict[str, Any] = {"mode": self.mode, "beta": self.beta, "several": self.several}
        self._weight = choose_weight(x, hot, location, **how)
        self._model = fit_autoencoder_lr(x, hot, weight=self._weight.value, **how)

    def _predict(self, x: Array) -> Array:
        assert self._model is not None
        return self._model.probabilities(x)


KINDS: Mapping[str, type[Probe]] = MappingProxyType({"svm": SvmProbe, "lr": LrProbe})


def probe(kind: str, **settings: Any) -> Probe:
    """A classifier, not yet fitted.

    Parameters
    ----------
    kind : {"svm", "lr"}
    **settings
        Attributes of ``LrProbe``.

    Raises
    ------
    ConfigError
        For another kind, a setting that it does not have, or one out of range.
    """
    if kind not in KINDS:
        raise ConfigError(f"probe {kind!r} is not one of {', '.join(KINDS)}")
    cls = KINDS[kind]
    known = ("mode", "beta") if kind == "lr" else ()
    unknown = sorted(set(settings) - set(known))
    if unknown:
        there = f"there are {', '.join(known)}" if known else "there is none"
        raise ConfigError(f"probe {kind} has no setting {unknown[0]!r}; {there}")
    return cls(**settings)


def _machines(x: Array, hot: Array, C: float) -> list[Any]:
    """A fitted machine for each class, or the constant that stands for it, minus or plus infinity."""
    found: list[Any] = []
    for c in range(hot.shape[1]):
        y = hot[:, c].astype(np.int64)
        constant = y.min() == y.max()
        found.append((np.inf if y[0] else -np.inf) if constant else polynomial_svm(C).fit(x, y))
    return found


def _scores(machines: list[Any], x: Array) -> Array:
    """Logistic function of the decision values, (n, n_classes)."""
    from scipy.special import expit

    columns = [
        np.full(len(x), machine) if isinstance(machine, float) else machine.decision_function(x)
        for machine in machines
    ]
    found: Array = expit(np.column_stack(columns))
    return found
