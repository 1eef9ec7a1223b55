"""Base of the systems that choose one number of a classifier on embeddings of a frozen network."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
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
from asc_bench.systems.probe_folds import Rows
from asc_bench.systems.sklearn_system import SklearnSystem

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

Pooling = Literal["mean", "mean+std"]


@dataclass(frozen=True)
class Cost:
    """A cost of margin violations or of the log-loss, and how it was found.

    Attributes
    ----------
    C : float
        The cost.
    accuracy : float
        Mean accuracy of the folds with it.
    n_folds : int
        Folds of the training clips.
    temperature : float
        By which decision values are divided before their softmax.
    """

    C: float
    accuracy: float
    n_folds: int
    temperature: float = 1.0


class FrozenSystem(SklearnSystem):
    """A classifier on the embeddings that a frozen network makes of clips, its cost chosen on the training clips.

    A subclass gives ``front_end``, ``embed``, ``choose`` and ``classifier``, and names in ``external_files`` the
    files that the embedding depends on.
    """

    numerics_version: ClassVar[int | None] = 1
    state_file: ClassVar[str]

    cost: Cost | None = None
    _device: str = "cpu"

    @abstractmethod
    def choose(
        self,
        embedding: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        locations: npt.NDArray[np.str_] | None,
    ) -> Cost:
        """The cost for these training clips; clips of one location stay on one side of each split."""

    @abstractmethod
    def classifier(self, C: float) -> ClassifierMixin:
        """The classifier with a cost, unfitted and deterministic."""

    @abstractmethod
    def classifier_cost(self) -> tuple[int, int]:
        """Numbers that the fitted classifier stores, and multiply-adds for one clip."""

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Embed the training clips, choose the cost and fit the classifier."""
        self._device = context.device
        embedding = self._embed_all(train.features)
        context.progress(0.6, f"{len(embedding)} clips embedded")
        labels = np.asarray(train.labels[FINE], dtype=np.int64)
        if len(np.unique(labels)) > 1:  # else _fit says what is wrong
            self._take(self.choose(embedding, labels, train.location))
            context.progress(0.9, f"C = {self._cost().C:g} chosen")
        self._fit(embedding, labels)
        context.progress(1.0, "classifier fitted")

    def build(self) -> ClassifierMixin:
        """The classifier with the chosen cost."""
        return self.classifier(self._cost().C)

    def save(self, folder: Path) -> None:
        """Write what ``SklearnSystem.save`` does, the cost, and digests of the files that made the embedding."""
        from asc_bench.files import write_atomic

        super().save(folder)
        state = {"cost": vars(self._cost()), "files": self._digests()}
        write_atomic(folder / self.state_file, json.dumps(state, indent=1))

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote.

        Raises
        ------
        StoreError
            If a file is missing or damaged, or was written for another system, other settings or other files.
        """
        path = folder / self.state_file
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            cost, files = Cost(**content["cost"]), content["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
        now = self._digests()
        if files != now:
            raise StoreError(f"{path}: written with files of the sha256 {files}, now they have {now}")
        self._take(cost)
        super().load(folder)

    def move_to(self, device: str) -> None:
        """See ``System.move_to``."""
        self._device = device

    def facts(self) -> Mapping[str, str | int | float]:
        """The chosen cost, its accuracy in the folds, the temperature, and the full digest of every file."""
        found: dict[str, str | int | float] = {}
        if self.cost is not None:
            found |= {
                "C": self.cost.C,
                "C_accuracy": round(self.cost.accuracy, 4),
                "C_folds": self.cost.n_folds,
                "temperature": round(self.cost.temperature, 4),
            }
        names = [path.name for path in self.external_files()]
        return found | {f"sha256 {name}": d for name, d in zip(names, self._digests(), strict=True)}

    def _take(self, cost: Cost) -> None:
        self.cost, self.temperature = cost, cost.temperature

    def _cost(self) -> Cost:
        if self.cost is None:
            raise SystemFailure(f"{self.card.name} is neither fitted nor loaded; call fit or load first")
        return self.cost

    def _digests(self) -> list[str]:
        return [file_digest(path) for path in self.external_files()]


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


def held_out_values(
    make: Callable[[], ClassifierMixin],
    embedding: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    parts: Sequence[tuple[Rows, Rows]],
    *,
    two: tuple[float, float] = (-1.0, 1.0),
) -> npt.NDArray[np.float64]:
    """Decision values of each clip by a classifier that was not fitted to it.

    Parameters
    ----------
    make : callable
        Gives an unfitted classifier.
    embedding, labels
        Of the training clips.
    parts : sequence of pairs
        Rows to fit to and rows to predict, as ``folds`` gives them.
    two : tuple of float
        Of two classes there is one decision value; each has this multiple of it.

    Returns
    -------
    float64 ndarray, shape (n_clips, n_classes)
        Minus infinity for a class that the classifier of a fold never saw.
    """
    values = np.full((len(labels), int(labels.max()) + 1), -np.inf)
    for train, test in parts:
        fitted: Any = make().fit(embedding[train], labels[train])
        found = fitted.decision_function(embedding[test])
        both = np.outer(found, two) if found.ndim == 1 else found
        values[np.ix_(test, fitted.classes_)] = both
    return values
