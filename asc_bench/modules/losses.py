"""Losses, and heads on an embedding of bounded length: L_q, distillation, l2-softmax and class prototypes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asc_bench.errors import ConfigError

_TINY = 1e-12
"""Added to a squared length: an embedding of zeros stays zeros, with a finite gradient."""


def l2_softmax_scale(n_classes: int, *, probability: float = 0.9) -> float:
    """Least length of an embedding that lets a softmax reach a probability: ``ln(p (C - 2) / (1 - p))``.

    Parameters
    ----------
    n_classes : int
        The formula needs more than two; for two it is ``2 ln(p / (1 - p))``, which is beyond what they need.
    probability : float
        Mean probability of the true class, in 0 to 1.

    Raises
    ------
    ConfigError
        For fewer than two classes, or a probability that makes the scale negative.

    References
    ----------
    R. Ranjan, C. D. Castillo and R. Chellappa, "L2-constrained softmax loss for discriminative face verification",
    arXiv:1703.09507, equation 7.
    """
    if n_classes < 2 or not 0 < probability < 1:
        raise ConfigError(f"l2-softmax needs at least 2 classes and 0 < p < 1, got {n_classes} and {probability}")
    odds = probability / (1 - probability)
    scale = 2 * math.log(odds) if n_classes == 2 else math.log(odds * (n_classes - 2))
    if scale <= 0:
        raise ConfigError(f"l2-softmax: p = {probability} of {n_classes} classes is reached without any scale")
    return scale


def on_unit_sphere(x: Tensor) -> Tensor:
    """Vectors (..., d) divided by their lengths; zeros stay zeros."""
    return x / (x.square().sum(dim=-1, keepdim=True) + _TINY).sqrt()


class L2Softmax(nn.Module):
    """A dense layer on embeddings of one fixed length, whose outputs are logits for an ordinary softmax.

    Parameters
    ----------
    n_inputs, n_classes : int
    probability : float
        Sets the length, see ``l2_softmax_scale``; the weights of the layer are free.
    """

    def __init__(self, n_inputs: int, n_classes: int, *, probability: float = 0.9) -> None:
        super().__init__()
        self.scale = l2_softmax_scale(n_classes, probability=probability)
        self.dense = nn.Linear(n_inputs, n_classes)

    def forward(self, embedding: Tensor) -> Tensor:
        """(n, n_inputs) to logits, (n, n_classes)."""
        logits: Tensor = self.dense(self.scale * on_unit_sphere(embedding))
        return logits


def squared_distances(x: Tensor, prototypes: Tensor) -> Tensor:
    """Squared Euclidean distances of (n, d) to (n_classes, d): (n, n_classes)."""
    return (x[:, None] - prototypes).square().sum(dim=2)


def prototype_loss(distances: Tensor, labels: Tensor, *, margin: float = 1.0) -> Tensor:
    """Pull to the prototype of the own class, push from those of the others within a margin.

    ``d_own + mean over the others of max(0, margin - d)``, averaged over the clips. The mean over the others keeps
    the push from outgrowing the pull where there are many classes.

    Parameters
    ----------
    distances : Tensor, shape (n, n_classes)
        Squared, see ``squared_distances``.
    labels : Tensor, shape (n,)
        Index of each clip's own prototype.

    References
    ----------
    V. Abrol and P. Sharma, "Learning hierarchy aware embedding from raw audio for acoustic scene classification",
    TASLP 2020, equation 4, after F. Wang et al., "NormFace", ACM Multimedia 2017.
    """
    own = torch.nn.functional.one_hot(labels, distances.shape[1])
    pull = (own * distances).sum(dim=1)
    push = ((1 - own) * (margin - distances).clamp_min(0.0)).sum(dim=1) / (distances.shape[1] - 1)
    return (pull + push).mean()


def lq_loss(logits: Tensor, labels: Tensor, *, q: float = 0.7) -> Tensor:
    """Mean over the clips of ``(1 - p_y**q) / q``, with ``p_y`` the softmax probability of the label.

    Its limit for q to 0 is cross-entropy; with q = 1 it is the mean absolute error but for a factor.

    Parameters
    ----------
    logits : Tensor, shape (n, n_classes)
    labels : Tensor, shape (n,)
        Class indices.
    q : float
        Above 0, at most 1.

    Raises
    ------
    ConfigError
        For any other q.

    References
    ----------
    Z. Zhang and M. R. Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy
    labels", NeurIPS 2018, equation 6.
    """
    if not 0 < q <= 1:
        raise ConfigError(f"loss L_q: q is {q}, must be above 0 and at most 1")
    log_p = logits.log_softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    # expm1 keeps the digits of 1 - p**q where p is nearly 1; and the gradient of a vanished p stays finite.
    return (-torch.expm1(q * log_p) / q).mean()


def distillation_loss(logits: Tensor, teacher_logits: Tensor, *, temperature: float = 2.0) -> Tensor:
    """``T^2 KL(softmax(teacher_logits / T) || softmax(logits / T))``, averaged over the clips and the classes.

    The mean is also over the classes, since the published recipe has ``KLDivLoss(reduction="none")`` and then the
    mean of all elements: ten times less than the divergence itself where there are ten classes.

    Parameters
    ----------
    logits, teacher_logits : Tensor, shape (n, n_classes)
        Up to a constant for each clip, so that log-probabilities will do. No gradient reaches the teacher's.
    temperature : float
        T, above 0.

    Raises
    ------
    ConfigError
        For any other temperature.

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network", arXiv:1503.02531; as in
    https://github.com/fschmid56/cpjku_dcase23, run_training.py.
    """
    if not 0 < temperature < math.inf:
        raise ConfigError(f"distillation: temperature is {temperature}, must be above 0")
    target = (teacher_logits.detach() / temperature).log_softmax(dim=1)
    own = (logits / temperature).log_softmax(dim=1)
    return temperature**2 * nn.functional.kl_div(own, target, reduction="none", log_target=True).mean()
