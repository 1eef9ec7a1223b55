"""From i-vectors to class scores: length normalisation, LDA, WCCN and the cosine to class means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asc_bench.errors import SystemFailure

Array = npt.NDArray[np.float64]

_SMOOTHING, _TINY = 1e-3, 1e-12
"""Added to the within-class covariance, which few clips may leave singular: a share of its mean variance, and what
is left where there is no variance at all."""


@dataclass(frozen=True)
class CosineScoring:
    """A fitted back end.

    Attributes
    ----------
    centre : float64 array, shape (n_inputs,)
        Mean of the training vectors, which is subtracted first.
    projection : float64 array, shape (n_inputs, n_outputs)
        LDA, then WCCN.
    offset : float64 array, shape (n_outputs,)
        Projected mean of the training vectors of unit length, which LDA subtracts.
    targets : float64 array, shape (n_classes, n_outputs)
        Projected class means of unit length; zeros for a class without training vectors.
    """

    centre: Array
    projection: Array
    offset: Array
    targets: Array

    def project(self, vectors: Array) -> Array:
        """Length normalisation, LDA and WCCN of vectors (n, n_inputs): (n, n_outputs)."""
        return unit_length(vectors - self.centre) @ self.projection - self.offset

    def scores(self, vectors: Array) -> Array:
        """Cosines, shape (n, n_classes), -1 to 1; -1 for a class without training vectors."""
        cosines = unit_length(self.project(vectors)) @ self.targets.T
        return np.where(self.targets.any(axis=1), cosines, -1.0)


def fit_cosine_scoring(vectors: Array, labels: npt.NDArray[np.int64], *, n_classes: int) -> CosineScoring:
    """Fit the back end to vectors, shape (n, n_inputs), and their class indices.

    LDA keeps as many directions as there are classes less one (or fewer, if the vectors span fewer). WCCN
    multiplies them by the Cholesky factor of the inverse of the within-class covariance, the mean over the classes.
    LDA has whitened it already where classes are equally large; they often are not.

    Raises
    ------
    SystemFailure
        If there are fewer than two classes, none has two vectors, or those of each class are all the same.

    References
    ----------
    A. O. Hatch, S. Kajarekar and A. Stolcke, "Within-class covariance normalization for SVM-based speaker
    recognition", Interspeech 2006; N. Dehak et al., IEEE TASLP 19(4), 2011, section III.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    present = np.unique(labels)
    if len(present) < 2 or len(labels) <= len(present):
        raise SystemFailure(
            f"back end of i-vectors: {len(labels)} vectors of {len(present)} classes; it needs two classes, and "
            "more vectors than classes"
        )
    centre = vectors.mean(axis=0)
    normalised = unit_length(vectors - centre)
    if all(np.ptp(normalised[labels == label], axis=0).max() < _TINY for label in present):
        raise SystemFailure("back end of i-vectors: the vectors of each class are all the same")
    # Not the Ledoit-Wolf rule: scikit-learn shrinks the total and the within-class covariance by amounts of their
    # own, and the directions that lead from one to the other no longer tell classes apart.
    lda = LinearDiscriminantAnalysis(solver="svd").fit(normalised, labels)
    directions = np.asarray(lda.scalings_, dtype=np.float64)[:, : len(present) - 1]
    projection = directions @ _within_class_factor(normalised @ directions, labels)
    offset: Array = np.asarray(lda.xbar_, dtype=np.float64) @ projection
    projected = normalised @ projection - offset
    targets = np.zeros((n_classes, projection.shape[1]))
    for label in present:
        targets[label] = projected[labels == label].mean(axis=0)
    return CosineScoring(centre, projection, offset, unit_length(targets))


def unit_length(vectors: Array) -> Array:
    """Vectors, shape (n, d), divided by their lengths; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)


def _within_class_factor(vectors: Array, labels: npt.NDArray[np.int64]) -> Array:
    """Lower triangular B with ``B B' = W**-1``."""
    classes = [vectors[labels == label] for label in np.unique(labels)]
    deviations = [of_class - of_class.mean(axis=0) for of_class in classes]
    within: Array = np.mean([d.T @ d / len(d) for d in deviations], axis=0)
    within += (_SMOOTHING * np.trace(within) / len(within) + _TINY) * np.eye(len(within))
    factor: Array = np.linalg.cholesky(np.linalg.inv(within))
    return factor
