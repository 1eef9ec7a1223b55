"""Autoencoder-based logistic regression: a linear classifier whose transpose must rebuild its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.systems.probe_folds import choose

Array = npt.NDArray[np.float64]
Mode = Literal["logistic", "closed_form"]

MODES: tuple[Mode, ...] = ("logistic", "closed_form")
WEIGHTS = (0.1, 1.0, 10.0)
"""Values of lambda to choose from."""
BETA = 0.1
MAX_ITERATIONS = 2_000

_NULL = 1e-10
"""Share of the largest eigenvalue below which a direction counts as absent from the data."""


@dataclass(frozen=True)
class AutoencoderLr:
    """A fitted classifier.

    Attributes
    ----------
    mean, deviation : float64 arrays, shape (d,)
        Of the training embeddings, which are standardised by them.
    encoder : float64 array, shape (n_classes, d)
        W; its transpose is the decoder.
    bias : float64 array, shape (n_classes,)
        Zero in the closed form.
    several : bool
        Whether a clip may have several labels.
    n_iterations : int
        Of L-BFGS; 0 in the closed form.
    converged : bool
        Whether L-BFGS ended before its limit.
    """

    mean: Array
    deviation: Array
    encoder: Array
    bias: Array
    several: bool
    n_iterations: int = 0
    converged: bool = True

    def scores(self, x: npt.ArrayLike) -> Array:
        """Embeddings, (n, d), to ``W x + b``, (n, n_classes)."""
        standardised = (np.asarray(x, dtype=np.float64) - self.mean) / self.deviation
        scores: Array = standardised @ self.encoder.T + self.bias
        return scores

    def probabilities(self, x: npt.ArrayLike) -> Array:
        """Softmax of the scores, or with several labels the logistic function of each, (n, n_classes)."""
        from scipy.special import expit, softmax

        found: Array = expit(self.scores(x)) if self.several else softmax(self.scores(x), axis=1)
        return found


@dataclass(frozen=True)
class Weight:
    """A chosen lambda.

    Attributes
    ----------
    value : float
    score : float
        Mean over the folds: accuracy, or with several labels the macro average precision.
    n_folds : int
    """

    value: float
    score: float
    n_folds: int


def fit_autoencoder_lr(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    weight: float,
    mode: Mode = "logistic",
    beta: float = BETA,
    several: bool = False,
) -> AutoencoderLr:
    """Fit to embeddings, which are standardised first; a constant dimension becomes zero.

    ``closed_form`` minimises ``||X - W'Y||^2 + weight ||W X - Y||^2`` (``closed_form``). ``logistic`` starts from
    that W and minimises ``objective`` by L-BFGS.

    Parameters
    ----------
    x : array, shape (n, d)
    y : array, shape (n, n_classes)
        One-hot, or with ``several`` multi-hot.
    weight : float
        lambda, above 0.
    mode : {"logistic", "closed_form"}
    beta : float
        Weight of the reconstruction in ``logistic``, above 0.
    several : bool
        Sigmoids and binary cross-entropy instead of a softmax and cross-entropy.

    Raises
    ------
    ConfigError
        If a setting is out of range.
    SystemFailure
        If the objective stops being a number.

    References
    ----------
    V. Abrol and P. Sharma 2020, section V.B: "autoencoder based logistic regression" after P. Sharma, V. Abrol,
    A. Thakur, Interspeech 2018, a linear and symmetric encoder and decoder between embedding and label space. Its
    form (Kodirov, Xiang and Gong, CVPR 2017), the standardisation, the bias, the sum of squares over dimensions and
    of cross-entropies over labels are guesses.
    """
    if mode not in MODES:
        raise ConfigError(f"autoencoder-based regression: mode {mode!r} is not one of {', '.join(MODES)}")
    for name, value in (("lambda", weight), ("beta", beta)):
        if not (np.isfinite(value) and value > 0):
            raise ConfigError(f"autoencoder-based regression: {name} is {value}, must be above 0")
    raw, targets = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    mean, deviation = _moments(raw)
    standardised = (raw - mean) / deviation
    encoder = closed_form(standardised, targets, weight=weight)
    bias = np.zeros(len(encoder))
    if mode == "closed_form":
        return AutoencoderLr(mean, deviation, encoder, bias, several)
    from scipy.optimize import minimize

    gram = standardised.T @ standardised / len(standardised)
    found = minimize(
        objective,
        np.concatenate([encoder.ravel(), bias]),
        args=(standardised, targets, gram, beta, several),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MAX_ITERATIONS, "maxfun": 2 * MAX_ITERATIONS, "gtol": 1e-6, "ftol": 1e-10},
    )
    if not np.isfinite(found.fun):
        raise SystemFailure(
            f"autoencoder-based regression: the objective is {found.fun} after {found.nit} iterations on "
            f"{raw.shape[0]} embeddings of {raw.shape[1]} numbers: {found.message}"
        )
    encoder, bias = found.x[: encoder.size].reshape(encoder.shape), found.x[encoder.size :]
    return AutoencoderLr(mean, deviation, encoder, bias, several, int(found.nit), bool(found.success))


def closed_form(x: Array, y: Array, *, weight: float) -> Array:
    """The W that minimises ``||X - W'Y||^2 + weight ||W X - Y||^2`` over all clips; of several, the shortest.

    Where it is stationary, ``A W + W B = Q`` with ``A = Y Y'``, ``B = weight X X'`` and ``Q = (1 + weight) Y X'``
    (here X and Y have a column for each clip). Both A and B are symmetric, so that their eigenvectors solve it;
    unlike ``scipy.linalg.solve_sylvester`` this does not break down where a class has no clip and a dimension of x
    depends on the others.

    Parameters
    ----------
    x : float64 array, shape (n, d)
    y : float64 array, shape (n, n_classes)
    weight : float
        lambda, above 0.

    Returns
    -------
    float64 ndarray, shape (n_classes, d)
    """
    of_labels, left = np.linalg.eigh(y.T @ y)
    of_dimensions, right = np.linalg.eigh(weight * (x.T @ x))
    rotated = left.T @ ((1 + weight) * (y.T @ x)) @ right
    sums = of_labels[:, None] + of_dimensions[None, :]
    present = sums > _NULL * max(sums.max(), np.finfo(np.float64).tiny)
    # Where both eigenvalues vanish, so does Q, and any number would do.
    shares = np.divide(rotated, sums, out=np.zeros_like(rotated), where=present)
    solution: Array = left @ shares @ right.T
    return solution


def objective(
    parameters: Array, x: Array, y: Array, gram: Array, beta: float, several: bool
) -> tuple[float, Array]:
    """Mean over the clips of cross-entropy plus ``beta ||x - W'W x||^2``, and its gradient.

    Parameters
    ----------
    parameters : float64 array, shape (n_classes * d + n_classes,)
        W row by row, then the bias b. The logits are ``W x + b``.
    x, y : float64 arrays, shapes (n, d) and (n, n_classes)
    gram : float64 array, shape (d, d)
        ``X'X / n``: all that the reconstruction depends on.
    beta : float
    several : bool
        Binary cross-entropy of sigmoids, summed over the classes, instead of the cross-entropy of a softmax.
    """
    from scipy.special import expit, logsumexp

    n, n_classes = y.shape
    encoder, bias = parameters[:-n_classes].reshape(n_classes, -1), parameters[-n_classes:]
    logits = x @ encoder.T + bias
    if several:
        losses = np.logaddexp(0.0, logits) - y * logits
        residual = (expit(logits) - y) / n
    else:
        logarithms = logits - logsumexp(logits, axis=1, keepdims=True)
        losses = -y * logarithms
        residual = (np.exp(logarithms) - y) / n
    seen = encoder @ gram
    outer, spread = encoder @ encoder.T, seen @ encoder.T
    # trace(S) - 2 trace(W S W') + trace(W S W' W W'), with S the Gram matrix.
    reconstruction = np.trace(gram) - 2 * np.trace(spread) + np.sum(spread * outer)
    of_encoder = residual.T @ x + beta * (2 * (outer @ seen + spread @ encoder) - 4 * seen)
    loss = float(losses.sum() / n + beta * reconstruction)
    return loss, np.concatenate([of_encoder.ravel(), residual.sum(axis=0)])


def choose_weight(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    locations: npt.NDArray[np.str_] | None = None,
    *,
    mode: Mode = "logistic",
    beta: float = BETA,
    several: bool = False,
) -> Weight:
    """The best of ``WEIGHTS`` by cross-validation over locations; the least of equal ones.

    Parameters are those of ``fit_autoencoder_lr``; ``locations``, shape (n,), as in ``probe_folds.folds``.

    Raises
    ------
    SystemFailure
        If the clips cannot be parted.
    """
    embeddings, targets = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)

    def predict(value: float, train: npt.NDArray[np.int64], test: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        fitted = fit_autoencoder_lr(
            embeddings[train], targets[train], weight=value, mode=mode, beta=beta, several=several
        )
        return fitted.scores(embeddings[test])

    return Weight(*choose(WEIGHTS, predict, targets, locations, several=several))


def _moments(x: Array) -> tuple[Array, Array]:
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    return mean, np.where(deviation > 1e-6 * np.maximum(1.0, np.abs(mean)), deviation, 1.0)
