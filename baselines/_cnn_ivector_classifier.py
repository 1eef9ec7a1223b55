"""The i-vector half of CNN/i-vec: from cepstral coefficients to cosines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asc_bench.api import Features
from asc_bench.modules.cosine_scoring import CosineScoring, fit_cosine_scoring
from asc_bench.modules.ivector import DiagonalMixture, fit_mixture, fit_total_variability, ivectors

Array = npt.NDArray[np.float64]

_CLIPS_AT_ONCE = 32
_MOST_FRAMES = 200_000
"""Frames that the background model is fitted to, drawn from all training clips alike."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large the model is, and how long it is fitted."""

    n_gaussians: int
    n_factors: int
    n_iterations: int


@dataclass(frozen=True)
class IvectorClassifier:
    """A fitted model.

    Attributes
    ----------
    mean, deviation : float64 arrays, shape (n_dimensions,)
        Of the training frames, which are standardised by them.
    mixture : DiagonalMixture
        Universal background model.
    matrix : float64 array, shape (n_gaussians, n_dimensions, n_factors)
        Total variability.
    scoring : CosineScoring
    """

    mean: Array
    deviation: Array
    mixture: DiagonalMixture
    matrix: Array
    scoring: CosineScoring

    def scores(self, features: Features) -> Array:
        """Cosines of clips, (n_clips, n_frames, n_dimensions) to (n_clips, n_classes)."""
        vectors = [
            ivectors(self.matrix, *self.mixture.statistics((chunk - self.mean) / self.deviation))
            for chunk in _chunks(features)
        ]
        return self.scoring.scores(np.concatenate(vectors))

    def arrays(self) -> dict[str, Array]:
        """All that there is to store."""
        return {
            "mean": self.mean,
            "deviation": self.deviation,
            "mixture/weights": self.mixture.weights,
            "mixture/means": self.mixture.means,
            "mixture/variances": self.mixture.variances,
            "matrix": self.matrix,
            "scoring/centre": self.scoring.centre,
            "scoring/projection": self.scoring.projection,
            "scoring/offset": self.scoring.offset,
            "scoring/targets": self.scoring.targets,
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Array]) -> IvectorClassifier:
        """The model whose ``arrays`` these are."""
        mixture = DiagonalMixture(*(arrays[f"mixture/{name}"] for name in ("weights", "means", "variances")))
        scoring = CosineScoring(
            *(arrays[f"scoring/{name}"] for name in ("centre", "projection", "offset", "targets"))
        )
        return cls(arrays["mean"], arrays["deviation"], mixture, arrays["matrix"], scoring)

    def multiply_adds(self, n_frames: int) -> int:
        """Of the matrix products for one clip; a Cholesky factorisation counts a third of the cube of its size."""
        n_gaussians, n_dimensions, n_factors = self.matrix.shape
        posteriors_and_statistics = 3 * n_frames * n_gaussians * n_dimensions
        posterior = n_gaussians * n_factors**2 + n_factors**3 // 3 + n_factors**2 + self.matrix.size
        scoring = self.scoring.projection.size + self.scoring.targets.size
        return int(posteriors_and_statistics + posterior + scoring)


def fit_classifier(
    features: Features,
    labels: npt.NDArray[np.int64],
    *,
    n_classes: int,
    size: Size,
    rng: np.random.Generator,
    progress: Callable[[float, str], None],
) -> IvectorClassifier:
    """Fit all stages to training clips, features (n_clips, n_frames, n_dimensions)."""
    mean, deviation = _moments(features)
    progress(0.0, "i-vectors: background model")
    frames = (_some_frames(features, rng) - mean) / deviation
    seed = int(rng.integers(2**31))
    mixture = fit_mixture(frames, n_gaussians=size.n_gaussians, n_iterations=size.n_iterations, seed=seed)
    progress(0.5, "i-vectors: total variability")
    statistics = [mixture.statistics((chunk - mean) / deviation) for chunk in _chunks(features)]
    zeroth, first = (np.concatenate(arrays) for arrays in zip(*statistics, strict=True))
    matrix = fit_total_variability(zeroth, first, n_factors=size.n_factors, n_iterations=size.n_iterations, rng=rng)
    progress(0.95, "i-vectors: LDA and WCCN")
    scoring = fit_cosine_scoring(ivectors(matrix, zeroth, first), labels, n_classes=n_classes)
    return IvectorClassifier(mean, deviation, mixture, matrix, scoring)


def _chunks(features: Features) -> Iterator[Array]:
    for begin in range(0, len(features), _CLIPS_AT_ONCE):
        yield features[slice(begin, begin + _CLIPS_AT_ONCE)].astype(np.float64)


def _moments(features: Features) -> tuple[Array, Array]:
    """Mean and deviation of all frames; a constant dimension keeps a deviation of 1."""
    count, total = 0, np.zeros(features.shape[2])
    for chunk in _chunks(features):
        count, total = count + chunk.shape[0] * chunk.shape[1], total + chunk.sum(axis=(0, 1))
    mean = total / count
    squares = sum(np.square(chunk - mean).sum(axis=(0, 1)) for chunk in _chunks(features))
    deviation = np.sqrt(squares / count)
    return mean, np.where(deviation > 1e-6 * np.maximum(1.0, np.abs(mean)), deviation, 1.0)


def _some_frames(features: Features, rng: np.random.Generator) -> Array:
    """As many frames of each clip as the limit allows, without repetition: shape (n, n_dimensions)."""
    n_clips, n_frames, _ = features.shape
    n_each = min(n_frames, max(1, _MOST_FRAMES // n_clips))
    drawn = [
        chunk[:, rng.permutation(n_frames)[:n_each]].reshape(-1, chunk.shape[2]) for chunk in _chunks(features)
    ]
    return np.concatenate(drawn)
