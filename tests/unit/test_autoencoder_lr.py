"""The autoencoder-based regression: its closed form, its gradient, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import solve_sylvester
from scipy.optimize import approx_fprime, minimize

from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.systems.autoencoder_lr import (
    WEIGHTS,
    choose_weight,
    closed_form,
    fit_autoencoder_lr,
    objective,
)
from asc_bench.systems.probe_folds import choose, folds


def toy(n: int = 60, d: int = 5, n_classes: int = 3, *, spread: float = 1.0, seed: int = 0):
    """Gaussian clouds about corners, and their one-hot labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    return 3 * np.eye(n_classes, d)[labels] + spread * rng.normal(size=(n, d)), np.eye(n_classes)[labels]


def tags(n: int = 200, d: int = 6, *, seed: int = 0):
    """Three tags, each the sign of a direction of its own; about half of the clips have each."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, (x[:, :3] > 0).astype(float)


@pytest.mark.parametrize("weight", [0.1, 2.0])
def test_closed_form_is_the_sylvester_solution_and_the_minimum(weight: float) -> None:
    x, y = toy(d=4)

    def loss(w: np.ndarray) -> float:
        encoder = w.reshape(3, 4)
        return np.sum((x - y @ encoder) ** 2) + weight * np.sum((x @ encoder.T - y) ** 2)

    found = closed_form(x, y, weight=weight)
    # The stationarity equation, written with a column for each clip.
    a, b, q = y.T @ y, weight * x.T @ x, (1 + weight) * y.T @ x
    np.testing.assert_allclose(a @ found + found @ b, q, atol=1e-9)
    np.testing.assert_allclose(found, solve_sylvester(a, b, q), atol=1e-9)
    direct = minimize(loss, np.zeros(12), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(found.ravel(), direct.x, atol=1e-5)
    assert loss(found.ravel()) <= direct.fun * (1 + 1e-12)


def test_closed_form_where_sylvester_has_no_single_solution() -> None:
    """A class without clips and a dimension that is the sum of two: of many minima the shortest is given."""
    x, y = toy(d=4)
    x = np.c_[x, x[:, 0] + x[:, 1], np.zeros(len(x))]
    y = np.c_[y, np.zeros(len(y))]
    found = closed_form(x, y, weight=1.0)
    a, b, q = y.T @ y, x.T @ x, 2 * y.T @ x
    np.testing.assert_allclose(a @ found + found @ b, q, atol=1e-8)
    np.testing.assert_allclose(found[3], 0, atol=1e-12)
    # What leads nowhere in x has no share in the solution.
    np.testing.assert_allclose(found @ np.array([1, 1, 0, 0, -1, 0]), 0, atol=1e-9)
    assert np.abs(found).max() < 10


@pytest.mark.parametrize("several", [False, True])
def test_gradient_is_that_of_finite_differences(several: bool) -> None:
    rng = np.random.default_rng(1)
    x, y = tags(20, 4) if several else toy(20, 4)
    rest = x, y, x.T @ x / len(x), 0.3, several
    point = rng.normal(size=3 * 4 + 3)
    value, gradient = objective(point, *rest)
    np.testing.assert_allclose(gradient, approx_fprime(point, lambda p: objective(p, *rest)[0]), atol=1e-4)
    # The value, clip by clip.
    w, b = point[:12].reshape(3, 4), point[12:]
    total = 0.0
    for one, label in zip(x, y, strict=True):
        logits = w @ one + b
        if several:
            p = 1 / (1 + np.exp(-logits))
            total -= np.sum(label * np.log(p) + (1 - label) * np.log(1 - p))
        else:
            total -= np.log(np.exp(logits[label == 1][0]) / np.exp(logits).sum())
        total += 0.3 * np.sum((one - w.T @ (w @ one)) ** 2)
    assert value == pytest.approx(total / len(x))


@pytest.mark.parametrize("mode", ["logistic", "closed_form"])
def test_clouds_are_told_apart(mode) -> None:
    x, y = toy(120, 8, spread=0.8)
    fresh, truth = toy(300, 8, spread=0.8, seed=1)
    model = fit_autoencoder_lr(100 + 50 * x, y, weight=1.0, mode=mode)
    probabilities = model.probabilities(100 + 50 * fresh)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    # The best rule for these clouds, the nearest corner, is right in 98 to 99 %.
    assert (probabilities.argmax(axis=1) == truth.argmax(axis=1)).mean() > 0.95
    assert model.converged and (model.n_iterations > 0) == (mode == "logistic")


@pytest.mark.parametrize("mode", ["logistic", "closed_form"])
def test_tags_are_found(mode) -> None:
    x, y = tags(400)
    fresh, truth = tags(500, seed=1)
    model = fit_autoencoder_lr(x, y, weight=1.0, mode=mode, several=True)
    probabilities = model.probabilities(fresh)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    # Of the closed form these are no calibrated probabilities; chance is one half.
    assert ((probabilities > 0.5) == truth).mean() > (0.95 if mode == "logistic" else 0.88)


def test_logistic_ends_in_a_minimum_below_its_start_and_reconstruction_matters() -> None:
    x, y = toy()
    start = fit_autoencoder_lr(x, y, weight=1.0, mode="closed_form")
    model, loose = (fit_autoencoder_lr(x, y, weight=1.0, beta=b) for b in (0.1, 1e-4))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    rest = z, y, z.T @ z / len(z), 0.1, False

    def at(found):
        return objective(np.concatenate([found.encoder.ravel(), found.bias]), *rest)

    assert at(model)[0] < at(start)[0] and at(model)[0] < at(loose)[0]
    assert np.abs(at(model)[1]).max() < 1e-3

    def rebuilt(found) -> float:
        return float(np.sum((z - z @ found.encoder.T @ found.encoder) ** 2))

    assert rebuilt(model) < rebuilt(loose)


@pytest.mark.parametrize("mode", ["logistic", "closed_form"])
@pytest.mark.parametrize("several", [False, True])
def test_constant_collinear_and_absent_break_nothing(mode, several: bool) -> None:
    x, y = tags() if several else toy(90, 6)
    worse = np.c_[x, x[:, 0] - 2 * x[:, 1], np.full(len(x), 7.0), np.zeros(len(x))]
    hot = np.c_[y, np.zeros(len(y))]
    model = fit_autoencoder_lr(worse, hot, weight=1.0, mode=mode, several=several)
    probabilities = model.probabilities(worse)
    assert np.isfinite(probabilities).all()
    guessed = probabilities[:, :3] > 0.5 if several else np.eye(4)[probabilities.argmax(axis=1)][:, :3]
    assert (guessed == y).mean() > 0.9
    # Another constant at test time than in training stays finite, too.
    assert np.isfinite(model.probabilities(worse + 1)).all()


def test_lambda_is_the_best_over_locations() -> None:
    x, y = toy(100, 12, spread=2.5)
    places = np.repeat(np.array(list("abcde")), 20)
    by_hand = {}
    for weight in WEIGHTS:
        right = []
        for place in "abcde":
            out = places == place
            model = fit_autoencoder_lr(x[~out], y[~out], weight=weight, mode="closed_form")
            right.append(np.mean(model.scores(x[out]).argmax(axis=1) == y[out].argmax(axis=1)))
        by_hand[weight] = np.mean(right)
    found = choose_weight(x, y, places, mode="closed_form")
    assert len(set(by_hand.values())) > 1, "a set on which lambda does not matter would prove nothing"
    assert found.score == pytest.approx(max(by_hand.values())) and found.n_folds == 5
    assert found.value == next(w for w in WEIGHTS if by_hand[w] == max(by_hand.values()))


@pytest.mark.parametrize("several", [False, True])
def test_a_location_is_never_on_both_sides(several: bool) -> None:
    _, y = tags(120) if several else toy(120)
    places = np.array([f"place{i % 24}" for i in range(120)])
    parts = folds(y, places, several=several)
    assert sorted(np.concatenate([test for _, test in parts])) == list(range(120))
    for train, test in parts:
        assert not set(places[train]) & set(places[test])


def test_average_precision_chooses_among_several_labels() -> None:
    """Scores that rank perfectly win over noise, however small they are; the first of equal ones is taken."""
    _, y = tags(60)
    noise = np.random.default_rng(0).random(y.shape)
    scores = {1.0: noise, 2.0: 1e-3 * y, 3.0: y}
    value, score, n_folds = choose((1.0, 2.0, 3.0), lambda v, train, test: scores[v][test], y, several=True)
    assert (value, score, n_folds) == (2.0, 1.0, 5)


@pytest.mark.parametrize(
    ("y", "places", "several", "message"),
    [
        (np.eye(2)[[0, 0, 1, 1]], ["a"] * 4, False, "4 training clips of 1 locations"),
        (np.eye(4), None, False, "at most 1 of a class"),
        (np.eye(2)[[0, 0, 1, 1]], list("aabb"), False, "have the same labels"),
        (np.ones((6, 2)), None, True, "have the same labels"),
    ],
)
def test_what_cannot_be_parted(y, places, several: bool, message: str) -> None:
    with pytest.raises(SystemFailure, match=message):
        folds(y, None if places is None else np.array(places), several=several)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "sylvester"}, "mode 'sylvester' is not one of logistic, closed_form"),
        ({"weight": 0.0}, "lambda is 0.0, must be above 0"),
        ({"beta": -1.0}, "beta is -1.0, must be above 0"),
        ({"weight": np.inf}, "lambda is inf"),
    ],
)
def test_settings_out_of_range(settings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit_autoencoder_lr(*toy(), **{"weight": 1.0, **settings})
