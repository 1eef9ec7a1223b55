"""Embeddings of frozen networks and a polynomial support vector machine on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.systems.calibration import fit_temperature
from asc_bench.systems.frozen_system import Cost, FrozenSystem, held_out_values
from asc_bench.systems.probe_folds import folds

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

COSTS = (0.1, 1.0, 10.0)


def polynomial_svm(C: float) -> ClassifierMixin:
    """Standardisation by the training clips and an SVM with the kernel ``(x.y / n_dimensions + 1)**3``.

    The degree is that of Abrol and Sharma 2020; they name nothing else. Without Platt scaling: classes are ranked
    by the decision function, which counts the votes of the one-versus-one machines.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    # Nothing here is random, but without a state of its own SVC would draw from the process-wide generator.
    svm = SVC(kernel="poly", degree=3, coef0=1.0, gamma="scale", C=C, random_state=0)
    return make_pipeline(StandardScaler(), svm)


def choose_cost(
    embedding: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    locations: npt.NDArray[np.str_] | None = None,
) -> Cost:
    """The best of ``COSTS`` for ``polynomial_svm`` by cross-validated accuracy; the least of equal ones.

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
    from sklearn.model_selection import GridSearchCV

    parts = folds(np.eye(int(labels.max()) + 1)[labels], locations)
    search = GridSearchCV(polynomial_svm(1.0), {"svc__C": list(COSTS)}, cv=parts, refit=False, error_score="raise")
    search.fit(embedding, labels)
    return Cost(float(search.best_params_["svc__C"]), float(search.best_score_), len(parts))


class SvmSystem(FrozenSystem):
    """A polynomial SVM on the embeddings that a frozen network makes of clips.

    A subclass gives ``front_end`` and ``embed``, and names in ``external_files`` the files that the embedding
    depends on. The cost is chosen on the training clips alone. Decision values become probabilities by a softmax
    whose temperature is fitted, once the cost is chosen, to values of the same folds that the machine was not
    fitted to; the ranking of the classes stays that of the machine.
    """

    numerics_version: ClassVar[int | None] = 2
    state_file: ClassVar[str] = "svm.json"

    def choose(
        self,
        embedding: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        locations: npt.NDArray[np.str_] | None,
    ) -> Cost:
        """See ``choose_cost``; with the temperature."""
        cost = choose_cost(embedding, labels, locations)
        parts = folds(np.eye(int(labels.max()) + 1)[labels], locations)
        values = held_out_values(lambda: polynomial_svm(cost.C), embedding, labels, parts)
        return replace(cost, temperature=fit_temperature(values, labels))

    def classifier(self, C: float) -> ClassifierMixin:
        """See ``polynomial_svm``."""
        return polynomial_svm(C)

    def classifier_cost(self) -> tuple[int, int]:
        """Numbers that the fitted machine stores, and multiply-adds of its kernel for one clip."""
        machine: Any = self._fitted()[-1]
        n_vectors, n_dimensions = machine.support_vectors_.shape
        n_stored = n_vectors * n_dimensions + machine.dual_coef_.size + machine.intercept_.size
        return int(n_stored), int(n_vectors * n_dimensions)
