"""Base of the systems that hand an embedding of each clip to a scikit-learn classifier."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.clips import Clips, Features, LabelledClips
from asc_bench.errors import DataError, StoreError, SystemFailure
from asc_bench.labels import FINE
from asc_bench.systems.base import Context, Probabilities, System

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

_CHUNK = 64
_FILE = "training-embedding.safetensors"


class SklearnSystem(System):
    """An embedding of fixed length and a classifier on it.

    A subclass gives ``front_end``, ``embed`` and ``build``. Where the classifier has ``predict_proba`` those
    are its probabilities. Otherwise they are the softmax of its one-versus-rest decision values divided by
    ``temperature``: these rank the classes as the classifier does, but with a temperature of 1 are not calibrated.
    """

    numerics_version: ClassVar[int | None] = 1

    estimator: ClassifierMixin | None = None
    temperature: float = 1.0
    _embedding: npt.NDArray[np.float32] | None = None
    _labels: npt.NDArray[np.int64] | None = None

    @abstractmethod
    def embed(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Turn features, shape (n_clips, n_frames, ...), into vectors, shape (n_clips, n_dimensions)."""

    @abstractmethod
    def build(self) -> ClassifierMixin:
        """Make the classifier, unfitted and deterministic."""

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        """Embed the training clips and fit the classifier."""
        embedding = self._embed_all(train.features)
        context.progress(0.5, f"{len(embedding)} clips embedded")
        self._fit(embedding, train.labels[FINE])
        context.progress(1.0, "classifier fitted")

    def predict(self, clips: Clips) -> Probabilities:
        """Class probabilities; a class without training clips gets none."""
        from scipy.special import softmax

        estimator = self._fitted()
        embedding = self._embed_all(clips.features)
        if hasattr(estimator, "predict_proba"):
            found = estimator.predict_proba(embedding)
        else:
            values = estimator.decision_function(embedding)
            both = np.column_stack([-values, values]) if values.ndim == 1 else values
            found = softmax(both / self.temperature, axis=1)
        probabilities = np.zeros((len(embedding), len(self.task.labels.fine)), dtype=np.float32)
        probabilities[:, estimator.classes_] = found
        return probabilities

    def save(self, folder: Path) -> None:
        """Write the training embedding and its labels.

        The classifier itself would need pickle; ``load`` fits it again, which gives the same one.
        """
        import torch

        from asc_bench.training.checkpoint import write_tensors

        self._fitted()
        assert self._embedding is not None and self._labels is not None
        tensors = {"embedding": torch.from_numpy(self._embedding), "labels": torch.from_numpy(self._labels)}
        write_tensors(folder / _FILE, tensors, {"system": self.card.name, "params": repr(self.params)})

    def load(self, folder: Path) -> None:
        """Read what ``save`` wrote and fit the classifier on it.

        Raises
        ------
        StoreError
            If the file is missing or damaged, or belongs to another system or other parameters.
        """
        from asc_bench.training.checkpoint import read_tensors

        tensors, facts = read_tensors(folder / _FILE)
        for what, mine in (("system", self.card.name), ("params", repr(self.params))):
            if facts.get(what) != mine:
                raise StoreError(f"{folder / _FILE}: written for {what} {facts.get(what)!r}, not {mine!r}")
        self._fit(tensors["embedding"].numpy(), tensors["labels"].numpy())

    def _fit(self, embedding: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> None:
        if len(np.unique(labels)) < 2:
            raise SystemFailure(f"{self.card.name}: all {len(labels)} training clips are of one class")
        self._embedding, self._labels = embedding, np.asarray(labels, dtype=np.int64)
        self.estimator = self.build().fit(embedding, labels)

    def _embed_all(self, features: Features) -> npt.NDArray[np.float32]:
        parts = [self.embed(features[slice(i, i + _CHUNK)]) for i in range(0, len(features), _CHUNK)]
        if not parts:
            raise DataError(f"{self.card.name}: a split without a single clip")
        embedding = np.concatenate(parts).astype(np.float32, copy=False)
        bad = np.flatnonzero(~np.isfinite(embedding).all(axis=1))
        if len(bad):
            raise DataError(f"{self.card.name}: embedding of clip number {bad[0]} of the split is NaN or infinite")
        return embedding

    def _fitted(self) -> Any:
        if self.estimator is None:
            raise SystemFailure(f"{self.card.name} is neither fitted nor loaded; call fit or load first")
        return self.estimator

    def complexity(self) -> Mapping[str, int]:
        """Nothing in general: a subclass that knows its classifier's cost says so."""
        return {}
