"""Embeddings of frozen networks and a polynomial support vector machine on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from asc_bench.clips import LabelledClips
from asc_bench.digests import file_digest
from asc_bench.errors import StoreError, SystemFailure
from asc_bench.labels import FINE
from asc_bench.systems.base import Context
from asc_bench.systems.probe_folds import folds
from asc_bench.systems.sklearn_system import SklearnSystem

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

Pooling = Literal["mean", "mean+std"]

COSTS = (0.1, 1.0, 10.0)

_FILE = "svm.json"


@dataclass(frozen=True)
class Cost:
    """A cost of margin violations, and how it was found.

    Attributes
    ----------
    C : float
        The cost.
    accuracy : float
        Mean accuracy of the folds with it.
    n_folds : int
        Folds of the training clips.
    """

    C: float
    accuracy: float
    n_folds: int


def pooled(embeddings: npt.NDArray[np.float32], how: Pooling) -> npt.NDArray[np.float32]:
    """One vector for each clip from the embeddings of its parts.

    Parameters
    ----------
    embeddings : array, shape (n_clips, n_parts, n_dimensions)
        In the order of time, which does not matter.
    how : {"mean", "mean+std"}
        Mean over the parts, or that and their standard deviation (of one part: zeros).

    Returns
    -------
    float32 array, shape (n_clips, n_dimensions) or (n_clips, 2 n_dimensions)
    """
    mean: npt.NDArray[np.float32] = embeddings.mean(axis=1)
    return mean if how == "mean" else np.concatenate([mean, embeddings.std(axis=1)], axis=1)


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


class SvmSystem(SklearnSystem):
    """A polynomial SVM on the embeddings that a frozen network makes of clips.

    A subclass gives ``front_end`` and ``embed``, and names in ``external_files`` the files that the embedding
    depends on. The cost is chosen on the training clips alone.
    """

    numerics_version: ClassVar[int | None] = 1

    cost: Cost | None = None
    _device: str = "cpu"

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Embed the training clips, choose the cost and fit the classifier."""
        self._device = context.device
        embedding = self._embed_all(train.features)
        context.progress(0.6, f"{len(embedding)} clips embedded")
        labels = np.asarray(train.labels[FINE], dtype=np.int64)
        if len(np.unique(labels)) > 1:  # else _fit says what is wrong
            self.cost = choose_cost(embedding, labels, train.location)
            context.progress(0.9, f"C = {self.cost.C:g} chosen")
        self._fit(embedding, labels)
        context.progress(1.0, "classifier fitted")

    def build(self) -> ClassifierMixin:
        """The machine with the chosen cost."""
        if self.cost is None:
            raise SystemFailure(f"{self.card.name} is neither fitted nor loaded; call fit or load first")
        return polynomial_svm(self.cost.C)

    def save(self, folder: Path) -> None:
        """Write what ``SklearnSystem.save`` does, the cost, and digests of the files that made the embedding."""
        from asc_bench.files import write_atomic

        super().save(folder)
        assert self.cost is not None
        write_atomic(folder / _FILE, json.dumps({"cost": vars(self.cost), "files": self._digests()}, indent=1))

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote.

        Raises
        ------
        StoreError
            If a file is missing or damaged, or was written for another system, other settings or other files.
        """
        try:
            content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
            cost, files = Cost(**content["cost"]), content["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{folder / _FILE} cannot be read: {type(error).__name__}: {error}") from error
        now = self._digests()
        if files != now:
            raise StoreError(f"{folder / _FILE}: written with files of the sha256 {files}, now they have {now}")
        self.cost = cost
        super().load(folder)

    def move_to(self, device: str) -> None:
        """See ``System.move_to``."""
        self._device = device

    def facts(self) -> Mapping[str, str | int | float]:
        """The chosen cost, its accuracy in the folds, and the full digest of every file."""
        found: dict[str, str | int | float] = {}
        if self.cost is not None:
            found |= {
                "C": self.cost.C,
                "C_accuracy": round(self.cost.accuracy, 4),
                "C_folds": self.cost.n_folds,
            }
        names = [path.name for path in self.external_files()]
        return found | {f"sha256 {name}": d for name, d in zip(names, self._digests(), strict=True)}

    def svm_cost(self) -> tuple[int, int]:
        """Numbers that the fitted machine stores, and multiply-adds of its kernel for one clip."""
        machine: Any = self._fitted()[-1]
        n_vectors, n_dimensions = machine.support_vectors_.shape
        n_stored = n_vectors * n_dimensions + machine.dual_coef_.size + machine.intercept_.size
        return int(n_stored), int(n_vectors * n_dimensions)

    def _digests(self) -> list[str]:
        return [file_digest(path) for path in self.external_files()]
