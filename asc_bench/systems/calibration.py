"""Late fusion of scores: multi-class linear logistic regression with one scale for each system."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asc_bench.errors import SystemFailure

Array = npt.NDArray[np.float64]

FLOOR = 1e-7
"""A vanished probability counts as this one, so that no single system can rule a class out for good."""

GRADIENT_TOLERANCE = 1e-4
"""Largest slope of the mean loss that counts as the minimum."""

TEMPERATURE_RANGE = (1e-3, 1e3)


def log_probabilities(probabilities: npt.ArrayLike) -> Array:
    """Logarithms with a floor, in double precision; any shape."""
    logarithms: Array = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), FLOOR))
    return logarithms


def fit_fusion(
    scores: Sequence[npt.ArrayLike], labels: npt.ArrayLike, *, prior: float = 1.0
) -> tuple[Array, Array]:
    """Fit ``softmax(sum_k scales[k] * scores[k] + offsets)`` to labels.

    The sum of the clips' log-losses plus ``prior / 2`` times the squared distance of the scales from ``1 / K`` and
    of the offsets from 0 is minimised: convex, so that there is one answer. Without any prior the scales of
    separable clips and the offset of a class without clips would be infinite; the default is a unit normal one.

    Parameters
    ----------
    scores : sequence of K arrays, shape (n_clips, n_classes)
        Log-likelihoods, log-probabilities or other scores that rise with the belief in a class, of K systems.
        Where they are log-probabilities, the prior's mean is the geometric mean of the systems.
    labels : int array, shape (n_clips,)
        Class indices.
    prior : float
        Weight of the prior, 0 or more.

    Returns
    -------
    scales : float64 ndarray, shape (K,)
    offsets : float64 ndarray, shape (n_classes,)
        Summing to zero.

    Raises
    ------
    SystemFailure
        If the arrays do not fit together, hold values that are not finite, or no minimum is found.

    References
    ----------
    N. Brümmer and D. A. van Leeuwen, "On calibration of language recognition scores", IEEE Odyssey 2006, which has
    no prior.
    """
    from scipy.optimize import minimize

    stacked = _stacked(scores)
    n_systems, n_clips, n_classes = stacked.shape
    classes = np.asarray(labels)
    if classes.shape != (n_clips,) or classes.dtype.kind not in "iu":
        raise SystemFailure(
            f"fusion: expected {n_clips} class indices, got {classes.dtype} of shape {classes.shape}"
        )
    if classes.min() < 0 or classes.max() >= n_classes:
        raise SystemFailure(
            f"fusion: labels from {classes.min()} to {classes.max()}, but the scores have {n_classes} classes"
        )
    if not prior >= 0:
        raise SystemFailure(f"fusion: prior is {prior}, must not be negative")
    start = np.concatenate([np.full(n_systems, 1 / n_systems), np.zeros(n_classes)])
    found = minimize(
        fusion_loss,
        start,
        args=(stacked, classes, prior),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 10_000, "maxfun": 20_000, "gtol": 1e-9, "ftol": 1e-15},
    )
    steepest = float(np.abs(found.jac).max())
    if not np.isfinite(found.fun) or steepest > GRADIENT_TOLERANCE:
        raise SystemFailure(f"fusion: no minimum found, the slope is still {steepest:.2g}: {found.message}")
    scales, offsets = found.x[:n_systems], found.x[n_systems:]
    return scales, offsets - offsets.mean()


def fit_temperature(values: npt.ArrayLike, labels: npt.ArrayLike, *, prior: float = 1.0) -> float:
    """Fit the temperature T of ``softmax(values / T)`` to labels, by ``fit_fusion``'s loss without offsets.

    Dividing by T moves no class past another. The prior keeps T finite where the values part the classes, and
    above zero where they tell nothing.

    Parameters
    ----------
    values : array, shape (n_clips, n_classes)
        Decision values of clips that the classifier was not fitted to; minus infinity for a class that it does not
        know. Clips of such a class are left out.
    labels : int array, shape (n_clips,)
    prior : float
        Weight of half the squared distance of 1 / T from 1.

    Raises
    ------
    SystemFailure
        If the shapes do not fit together, or no clip is left.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    given, classes = np.asarray(values, dtype=np.float64), np.asarray(labels)
    if given.ndim != 2 or classes.shape != given.shape[:1]:
        raise SystemFailure(f"calibration: values of shape {given.shape} do not suit labels of {classes.shape}")
    own = given[np.arange(len(given)), classes]
    given, classes = given[np.isfinite(own)], classes[np.isfinite(own)]
    if not len(given):
        raise SystemFailure("calibration: no clip is of a class that the classifier knows")
    rows = np.arange(len(given))

    def loss(logarithm: float) -> float:
        scale = np.exp(logarithm)
        log_loss = -log_softmax(given * scale, axis=1)[rows, classes].sum()
        return float(log_loss + prior / 2 * (scale - 1) ** 2)

    low, high = (math.log(bound) for bound in TEMPERATURE_RANGE)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return math.exp(-float(found.x))


def fusion_loss(
    parameters: Array, scores: Array, labels: npt.NDArray[np.int64], prior: float
) -> tuple[float, Array]:
    """Mean over the clips of what ``fit_fusion`` minimises, and its gradient.

    Parameters
    ----------
    parameters : float64 array, shape (n_systems + n_classes,)
        Scales, then offsets.
    scores : float64 array, shape (n_systems, n_clips, n_classes)
    labels : int array, shape (n_clips,)
    prior : float
    """
    n_systems, n_clips, _ = scores.shape
    logits = _fused(scores, parameters[:n_systems], parameters[n_systems:])
    log_probabilities = _log_softmax(logits)
    rows = np.arange(n_clips)
    distance = parameters.copy()
    distance[:n_systems] -= 1 / n_systems
    loss = prior / 2 * (distance @ distance) - log_probabilities[rows, labels].sum()
    residual = np.exp(log_probabilities)
    residual[rows, labels] -= 1.0
    by_scale = np.tensordot(scores, residual, axes=([1, 2], [0, 1]))
    gradient = np.concatenate([by_scale, residual.sum(axis=0)]) + prior * distance
    return float(loss) / n_clips, gradient / n_clips


def fused_probabilities(
    scores: Sequence[npt.ArrayLike], scales: npt.ArrayLike, offsets: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Probabilities, shape (n_clips, n_classes), by weights that ``fit_fusion`` gave.

    Raises
    ------
    SystemFailure
        If the arrays do not fit together, or hold values that are not finite.
    """
    stacked, a, b = _stacked(scores), np.asarray(scales, dtype=np.float64), np.asarray(offsets, dtype=np.float64)
    if a.shape != stacked.shape[:1] or b.shape != stacked.shape[2:]:
        raise SystemFailure(
            f"fusion: {stacked.shape[0]} systems and {stacked.shape[2]} classes, but scales of shape {a.shape} and "
            f"offsets of shape {b.shape}"
        )
    return np.exp(_log_softmax(_fused(stacked, a, b)))


def _stacked(scores: Sequence[npt.ArrayLike]) -> Array:
    arrays = [np.asarray(s, dtype=np.float64) for s in scores]
    shapes = sorted({a.shape for a in arrays})
    if len(shapes) != 1 or len(shapes[0]) != 2 or 0 in shapes[0]:
        raise SystemFailure(f"fusion: expected scores of one shape (n_clips, n_classes), got {shapes}")
    stacked = np.stack(arrays)
    bad = np.argwhere(~np.isfinite(stacked))
    if len(bad):
        system, clip, label = bad[0]
        raise SystemFailure(
            f"fusion: {len(bad)} scores are not finite, the first is {stacked[tuple(bad[0])]} of class {label}, "
            f"clip {clip}, system {system}; put a floor under probabilities before their logarithm"
        )
    return stacked


def _fused(scores: Array, scales: Array, offsets: Array) -> Array:
    fused: Array = np.tensordot(scales, scores, axes=1) + offsets
    return fused


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    normalised: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised
