"""Heads, losses, penalties and pooling that embeddings need, against numpy and hand-worked cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from asc_bench.api import ConfigError
from asc_bench.modules.dropout import ByteDropout
from asc_bench.modules.inputs import chunked, n_chunks, pre_emphasis
from asc_bench.modules.losses import (
    L2Softmax,
    l2_softmax_scale,
    on_unit_sphere,
    prototype_loss,
    squared_distances,
)
from asc_bench.modules.orthogonal import orthogonal, soft_orthogonality, spectral_residue
from asc_bench.modules.pooling import SharedAttention, statistics_pooling


@pytest.mark.parametrize(
    ("n_classes", "probability", "expected"),
    [(8, 0.9, 3.989), (70, 0.9, 6.417), (10, 0.9, 4.277), (50, 0.9, 6.068), (8, 0.5, 1.792), (15, 0.99, 7.160)],
)
def test_scale_is_the_lower_bound(n_classes: int, probability: float, expected: float) -> None:
    assert l2_softmax_scale(n_classes, probability=probability) == pytest.approx(expected, abs=5e-4)


def test_scale_gives_that_probability_to_a_perfect_embedding() -> None:
    """The bound takes the logits of the C - 2 rivals that matter for 0, and that of the class for alpha."""
    scale = l2_softmax_scale(8)
    assert math.exp(scale) / (math.exp(scale) + 6) == pytest.approx(0.9)
    two = l2_softmax_scale(2)
    assert two == pytest.approx(2 * math.log(9))
    assert math.exp(two) / (math.exp(two) + math.exp(-two)) > 0.9


@pytest.mark.parametrize(("n_classes", "probability"), [(1, 0.9), (8, 1.0), (8, 0.0), (3, 0.2)])
def test_scale_that_does_not_exist_is_refused(n_classes: int, probability: float) -> None:
    with pytest.raises(ConfigError, match="l2-softmax"):
        l2_softmax_scale(n_classes, probability=probability)


def test_head_sees_directions_only() -> None:
    head = L2Softmax(2, 3)
    nn.init.zeros_(head.dense.bias)
    x = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    expected = l2_softmax_scale(3) * np.array([0.6, 0.8]) @ head.dense.weight.detach().numpy().T
    np.testing.assert_allclose(head(x).detach(), [expected, expected], rtol=1e-5)


def test_embedding_of_zeros_has_a_finite_gradient() -> None:
    x = torch.zeros(1, 4, requires_grad=True)
    on_unit_sphere(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_prototype_loss_worked_by_hand() -> None:
    """Clip 1 (class 0): pull 0.25, pushes max(0, 1 - 0.5) and 0. Clip 2 (class 2): pull 1, pushes 0 and 0.9."""
    distances = torch.tensor([[0.25, 0.5, 3.0], [1.0, 0.1, 1.0]])
    found = prototype_loss(distances, torch.tensor([0, 2]))
    assert float(found) == pytest.approx((0.25 + 1.0) / 2 + (0.5 + 0.0 + 0.0 + 0.9) / 4)


def test_prototype_loss_is_equation_4_with_loops() -> None:
    rng = np.random.default_rng(0)
    r, z, labels = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), np.array([0, 3, 3, 1, 2])
    total = 0.0
    for i, own in enumerate(labels):
        for j in range(4):
            d = float(np.linalg.norm(r[i] - z[j]) ** 2)
            total += d if j == own else max(0.0, 2.0 - d) / 3
    distances = squared_distances(torch.tensor(r), torch.tensor(z))
    assert float(prototype_loss(distances, torch.tensor(labels), margin=2.0)) == pytest.approx(total / 5)


def test_prototypes_move_to_their_own_clips_and_off_the_others() -> None:
    z = torch.tensor([[0.0, 0.5], [0.0, -0.5]], requires_grad=True)
    prototype_loss(squared_distances(torch.tensor([[0.0, 0.0]]), z), torch.tensor([0])).backward()
    assert z.grad is not None
    assert z.grad[0, 1] > 0 and z.grad[1, 1] > 0  # descent: the own one down to 0, the other one further down


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (6, 2, 1, 4), (12, 1, 1, 3)])
def test_penalties_look_at_the_smaller_gram_matrix(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weight = torch.randn(shape, dtype=torch.float64).float()
    w = weight.flatten(start_dim=1).numpy().astype(np.float64)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    residue = gram - np.eye(len(gram))
    converged = spectral_residue(weight, n_iterations=200)
    assert float(converged) == pytest.approx(np.linalg.norm(residue, 2), rel=1e-4)
    assert float(soft_orthogonality(weight)) == pytest.approx(np.linalg.norm(residue) ** 2, rel=1e-4)


def test_two_iterations_as_the_paper_writes_them() -> None:
    rng = np.random.default_rng(1)
    w, v = rng.normal(size=(4, 6)), rng.normal(size=4)
    m = w @ w.T - np.eye(4)
    u = m @ v
    expected = np.linalg.norm(m @ u) / np.linalg.norm(u)
    found = spectral_residue(torch.tensor(w), start=torch.tensor(v, dtype=torch.float32))
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("penalty", [spectral_residue, soft_orthogonality])
@pytest.mark.parametrize("shape", [(5, 8), (8, 5)])
def test_penalties_vanish_for_orthogonal_weights_and_pull_towards_them(penalty, shape) -> None:
    torch.manual_seed(2)
    layer = orthogonal(nn.Linear(shape[1], shape[0]))
    assert isinstance(layer, nn.Linear)
    assert float(penalty(layer.weight.detach())) == pytest.approx(0.0, abs=1e-5)
    layer.weight.data *= 1.5
    before = float(penalty(layer.weight.detach()))
    for _ in range(200):
        (gradient,) = torch.autograd.grad(penalty(layer.weight), layer.weight)
        layer.weight.data -= 0.01 * gradient
    assert float(penalty(layer.weight.detach())) < 0.1 * before


def test_penalty_of_an_exact_identity_has_a_finite_gradient() -> None:
    weight = torch.eye(4, requires_grad=True)
    spectral_residue(weight).backward()
    assert weight.grad is not None and weight.grad.isfinite().all()


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(3, 4, (1, 5)), nn.Conv2d(1, 9, (1, 4)), nn.Linear(7, 3), nn.Conv1d(2, 5, 3)]
)
def test_orthogonal_initialisation(layer: nn.Module) -> None:
    orthogonal(layer)
    w = layer.weight.detach().flatten(start_dim=1).numpy()
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5)
    assert not layer.bias.detach().any()


def test_statistics_are_those_of_numpy() -> None:
    x = np.random.default_rng(3).normal(size=(2, 22, 5)).astype(np.float32)
    found = statistics_pooling(torch.from_numpy(x).bfloat16().float())
    x = torch.from_numpy(x).bfloat16().float().numpy()
    np.testing.assert_allclose(found, np.concatenate([x.mean(axis=1), x.std(axis=1)], axis=1), atol=1e-5)


def test_weighted_statistics_are_those_of_repeated_steps() -> None:
    x = torch.randn(1, 3, 4)
    weights = torch.tensor([[0.5, 0.25, 0.25]])
    repeated = torch.cat([x[:, :1], x], dim=1)
    torch.testing.assert_close(statistics_pooling(x, weights), statistics_pooling(repeated))


def test_constant_channels_have_a_finite_gradient() -> None:
    x = torch.zeros(1, 22, 3, requires_grad=True)
    statistics_pooling(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_attention_is_equations_2_and_3() -> None:
    torch.manual_seed(4)
    attend, h = SharedAttention(5, 3), torch.randn(2, 4, 5)
    w, b = (p.detach().numpy() for p in attend.hidden.parameters())
    v = attend.score.weight.detach().numpy()[0]
    scores = np.tanh(h.numpy() @ w.T + b) @ v
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(attend(h).detach(), expected, rtol=1e-5)
    assert sum(p.numel() for p in SharedAttention(2000, 128).parameters()) == 256_256


@pytest.mark.parametrize(
    ("n_samples", "expected"), [(80_000, 3), (160_000, 6), (32_000, 1), (20_000, 1), (56_000, 2)]
)
def test_number_of_chunks(n_samples: int, expected: int) -> None:
    assert n_chunks(n_samples, length=32_000, hop=24_000) == expected
    assert chunked(torch.zeros(1, n_samples), length=32_000, hop=24_000).shape[1] == expected


def test_chunks_overlap_and_begin_at_the_start() -> None:
    chunks = chunked(torch.arange(12.0)[None], length=4, hop=3)
    assert chunks.tolist() == [[[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]]


def test_pre_emphasis_is_that_of_scipy() -> None:
    from scipy.signal import lfilter

    x = np.random.default_rng(5).normal(size=(2, 50)).astype(np.float32)
    np.testing.assert_allclose(
        pre_emphasis(torch.from_numpy(x), 0.97), lfilter([1, -0.97], [1], x, axis=1), atol=1e-6
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_keeps_the_mean_at_its_rate_in_any_layout(dtype: torch.dtype) -> None:
    torch.manual_seed(6)
    dropout = ByteDropout(0.2)
    x = torch.ones(40, 7, 1, 501, dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
    y = dropout(x)
    kept = y != 0
    n, rate = x.numel(), 51 / 256
    assert dropout.rate == rate
    # Five standard deviations of a binomial share.
    assert float(kept.float().mean()) == pytest.approx(1 - rate, abs=5 * math.sqrt(rate * (1 - rate) / n))
    torch.testing.assert_close(y[kept].unique(), torch.tensor([1 / (1 - rate)], dtype=dtype))
    assert y.stride() == x.stride() and y.dtype == dtype
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach())
    # Neighbours fall out independently of each other.
    both = (~kept[:-1] & ~kept[1:]).float().mean()
    assert float(both) == pytest.approx(rate**2, abs=0.005)


def test_dropout_does_nothing_at_evaluation_and_repeats_with_its_seed() -> None:
    dropout, x = ByteDropout(0.5), torch.randn(3, 5)
    assert torch.equal(dropout.eval()(x), x)
    assert torch.equal(ByteDropout(0.0)(x), x)
    dropout.train()
    first, second = (torch.manual_seed(7) and dropout(x) for _ in range(2))
    assert torch.equal(first, second)
