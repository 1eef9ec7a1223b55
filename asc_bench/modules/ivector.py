"""I-vectors in numpy: universal background model, Baum-Welch statistics, total variability by EM.

A clip's frames come from a mixture of Gaussians whose means are shifted by ``T w``; the i-vector is the posterior
mean of the hidden ``w``, a standard normal one. All is in units of the mixture's deviations: statistics are centred
and divided by them, so that the noise about the shifted means has unit variance.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asc_bench.errors import SystemFailure

Array = npt.NDArray[np.float64]

_VARIANCE_FLOOR = 1e-3
_START = 0.1
_CLIPS_AT_ONCE = 64
"""Posterior covariances of so many clips are in memory at a time."""

_NO_FRAMES = 1e-6


@dataclass(frozen=True)
class DiagonalMixture:
    """Mixture of Gaussians with diagonal covariances.

    Attributes
    ----------
    weights : float64 array, shape (n_gaussians,)
    means, variances : float64 arrays, shape (n_gaussians, n_dimensions)
    """

    weights: Array
    means: Array
    variances: Array

    def posteriors(self, frames: npt.NDArray[np.floating]) -> Array:
        """Probability of each Gaussian given each frame: (n_frames, n_dimensions) to (n_frames, n_gaussians)."""
        x = frames.astype(np.float64)
        precisions = 1.0 / self.variances
        constant = np.log(self.weights) - 0.5 * (np.log(self.variances) + self.means**2 * precisions).sum(axis=1)
        joint = x @ (self.means * precisions).T - 0.5 * (x**2 @ precisions.T) + constant
        joint -= joint.max(axis=1, keepdims=True)
        np.exp(joint, out=joint)
        posteriors: Array = joint / joint.sum(axis=1, keepdims=True)
        return posteriors

    def statistics(self, clips: npt.NDArray[np.floating]) -> tuple[Array, Array]:
        """Baum-Welch statistics of clips, shape (n_clips, n_frames, n_dimensions).

        Returns
        -------
        zeroth : float64 ndarray, shape (n_clips, n_gaussians)
            Expected number of frames of each Gaussian.
        first : float64 ndarray, shape (n_clips, n_gaussians, n_dimensions)
            Sum of these frames, less their means, divided by the deviations.
        """
        n_clips, n_frames, n_dimensions = clips.shape
        flat = self.posteriors(clips.reshape(-1, n_dimensions))
        responsibilities = flat.reshape(n_clips, n_frames, -1)
        zeroth = responsibilities.sum(axis=1)
        sums = responsibilities.transpose(0, 2, 1) @ clips.astype(np.float64)
        return zeroth, (sums - zeroth[:, :, None] * self.means) / np.sqrt(self.variances)


def fit_mixture(
    frames: npt.NDArray[np.floating], *, n_gaussians: int, n_iterations: int, seed: int
) -> DiagonalMixture:
    """Fit a mixture to frames, shape (n_frames, n_dimensions), by a fixed number of EM iterations.

    Frames should be standardised: the floor of the variances is 0.001.

    Raises
    ------
    SystemFailure
        If there are fewer frames than Gaussians.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    if len(frames) < n_gaussians:
        raise SystemFailure(f"background model: {len(frames)} frames cannot feed {n_gaussians} Gaussians")
    mixture = GaussianMixture(
        n_gaussians,
        covariance_type="diag",
        max_iter=n_iterations,
        reg_covar=_VARIANCE_FLOOR,
        init_params="k-means++",
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations is a setting here
        mixture.fit(frames.astype(np.float64))
    return DiagonalMixture(mixture.weights_, mixture.means_, mixture.covariances_)


def ivectors(matrix: Array, zeroth: Array, first: Array) -> Array:
    """Posterior means of the factors of clips.

    Parameters
    ----------
    matrix : float64 array, shape (n_gaussians, n_dimensions, n_factors)
        Total variability.
    zeroth, first : float64 arrays
        As ``DiagonalMixture.statistics`` gives them.

    Returns
    -------
    float64 ndarray, shape (n_clips, n_factors)
        ``L**-1 T' F`` with ``L = I + T' N T`` (Dehak et al. 2011, equation 2).
    """
    return np.concatenate([mean for _, mean, _, _ in _posteriors(matrix, zeroth, first)])


def log_evidence(matrix: Array, zeroth: Array, first: Array) -> float:
    """Log-likelihood of clips whose frames are assigned to Gaussians, against that without any factors."""
    return float(sum(evidence for _, _, _, evidence in _posteriors(matrix, zeroth, first)))


def em_step(matrix: Array, zeroth: Array, first: Array) -> Array:
    """Total variability after one iteration, which never lowers ``log_evidence``.

    The covariance of the factors is estimated, too, and then moved into the matrix (minimum divergence): the prior
    is a standard normal one again.
    """
    n_gaussians, n_dimensions, n_factors = matrix.shape
    moments = np.zeros((n_gaussians, n_factors**2))
    products = np.zeros((n_gaussians * n_dimensions, n_factors))
    total = np.zeros((n_factors, n_factors))
    for part, mean, covariance, _ in _posteriors(matrix, zeroth, first):
        second = covariance + mean[:, :, None] * mean[:, None, :]
        moments += zeroth[part].T @ second.reshape(len(mean), -1)
        products += first[part].reshape(len(mean), -1).T @ mean
        total += second.sum(axis=0)
    updated = matrix.copy()
    # A Gaussian without frames says nothing about its own shift, and its moments could not be inverted.
    seen = zeroth.sum(axis=0) > _NO_FRAMES
    updated[seen] = np.linalg.solve(
        moments.reshape(n_gaussians, n_factors, n_factors)[seen],
        products.reshape(matrix.shape)[seen].transpose(0, 2, 1),
    ).transpose(0, 2, 1)
    spread: Array = updated @ np.linalg.cholesky(total / len(zeroth))
    return spread


def fit_total_variability(
    zeroth: Array, first: Array, *, n_factors: int, n_iterations: int, rng: np.random.Generator
) -> Array:
    """Total variability, shape (n_gaussians, n_dimensions, n_factors), by EM from a small random start.

    References
    ----------
    N. Dehak et al., "Front-end factor analysis for speaker verification", IEEE TASLP 19(4), 2011; P. Kenny, G.
    Boulianne and P. Dumouchel, "Eigenvoice modeling with sparse training data", IEEE TSAP 13(3), 2005.
    """
    matrix: Array = _START * rng.standard_normal((*first.shape[1:], n_factors))
    for _ in range(n_iterations):
        matrix = em_step(matrix, zeroth, first)
    return matrix


def _posteriors(matrix: Array, zeroth: Array, first: Array) -> Iterator[tuple[slice, Array, Array, float]]:
    """Which clips, their posterior means and covariances, and their evidence, some clips at a time."""
    n_factors = matrix.shape[2]
    squares = (matrix.transpose(0, 2, 1) @ matrix).reshape(len(matrix), -1)
    for begin in range(0, len(zeroth), _CLIPS_AT_ONCE):
        part = slice(begin, begin + _CLIPS_AT_ONCE)
        precision = np.eye(n_factors) + (zeroth[part] @ squares).reshape(-1, n_factors, n_factors)
        projected = first[part].reshape(len(precision), -1) @ matrix.reshape(-1, n_factors)
        covariance = np.linalg.inv(precision).astype(np.float64, copy=False)
        mean = (covariance @ projected[:, :, None])[:, :, 0]
        evidence = 0.5 * (projected * mean).sum() - 0.5 * np.linalg.slogdet(precision)[1].sum()
        yield part, mean, covariance, float(evidence)
