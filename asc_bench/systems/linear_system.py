"""Embeddings of frozen networks and a multinomial logistic regression on them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.systems.frozen_system import Cost, FrozenSystem, held_out_values
from asc_bench.systems.probe_folds import folds

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

WEIGHTS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Of the log-loss against half the squared length of the weights; scikit-learn's ``C``."""

_MAX_ITERATIONS = 5_000


def logistic_regression(C: float) -> ClassifierMixin:
    """Standardisation by the training clips and a multinomial logistic regression with an L2 penalty."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=_MAX_ITERATIONS))


def choose_weight(
    embedding: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    locations: npt.NDArray[np.str_] | None = None,
) -> Cost:
    """The best of ``WEIGHTS`` for ``logistic_regression`` by cross-validated log-loss; the least of equal ones.

    The log-loss tells apart what the accuracy of a few hundred clips does not, and probabilities are wanted.
    Clips of a class that the training part of a fold lacks are left out of the loss of all weights.

    Parameters
    ----------
    embedding : array, shape (n_clips, n_dimensions)
        Of the training clips.
    labels : int array, shape (n_clips,)
        Their classes.
    locations : str array, shape (n_clips,), optional
        Clips of one location, copies of one clip included, stay in one fold; see ``folds``.

    Raises
    ------
    SystemFailure
        If the clips cannot be parted in two in any sensible way.
    """
    from scipy.special import log_softmax

    parts = folds(np.eye(int(labels.max()) + 1)[labels], locations)
    rows = np.arange(len(labels))
    found = []
    for C in WEIGHTS:
        # The softmax of 0 and v is the logistic function of v, which a regression on two classes is.
        values = held_out_values(partial(logistic_regression, C), embedding, labels, parts, two=(0.0, 1.0))
        logarithms = log_softmax(values, axis=1)[rows, labels]
        accuracy = float((values.argmax(axis=1) == labels).mean())
        found.append((-float(logarithms[np.isfinite(logarithms)].mean()), C, accuracy))
    _, best, accuracy = min(found)
    return Cost(best, accuracy, len(parts))


class LinearSystem(FrozenSystem):
    """A logistic regression on the embeddings that a frozen network makes of clips; see ``FrozenSystem``."""

    numerics_version: ClassVar[int | None] = 1
    state_file: ClassVar[str] = "linear.json"

    def choose(
        self,
        embedding: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        locations: npt.NDArray[np.str_] | None,
    ) -> Cost:
        """See ``choose_weight``."""
        return choose_weight(embedding, labels, locations)

    def classifier(self, C: float) -> ClassifierMixin:
        """See ``logistic_regression``."""
        return logistic_regression(C)

    def classifier_cost(self) -> tuple[int, int]:
        """Weights and offsets, and multiply-adds for one clip."""
        regression: Any = self._fitted()[-1]
        return int(regression.coef_.size + regression.intercept_.size), int(regression.coef_.size)
