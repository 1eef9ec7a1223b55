"""Classifiers on embeddings: one contract for all kinds, one label or several."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from asc_bench.errors import ConfigError, DataError, SystemFailure
from asc_bench.systems import probes
from asc_bench.systems.probes import KINDS, probe
from asc_bench.systems.svm_system import COSTS, polynomial_svm


def clouds(n: int = 90, d: int = 6, n_classes: int = 3, *, seed: int = 0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    return 4 * np.eye(n_classes, d)[y] + rng.normal(size=(n, d)), y


def tags(n: int = 150, *, seed: int = 0):
    """Two tags by the signs of two directions, one that no clip has and one that all have."""
    x = np.random.default_rng(seed).normal(size=(n, 5))
    return x, np.c_[x[:, 0] > 0, x[:, 1] > 0.5, np.zeros(n), np.ones(n)].astype(float)


def places(n: int) -> np.ndarray:
    return np.array([f"place{i // 3}" for i in range(n)])


@pytest.mark.parametrize("kind", KINDS)
def test_one_label(kind: str) -> None:
    (x, y), (fresh, truth) = clouds(), clouds(200, seed=1)
    given = probe(kind)
    # A fourth class that nobody has.
    given.fit(x, y, n_classes=4, location=places(90), seed=3)
    found = given.predict(fresh)
    assert found.shape == (200, 4)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()
    # The nearest corner, the best rule, is right in 99 %.
    assert (found.argmax(axis=1) == truth).mean() > 0.95
    again = probe(kind)
    again.fit(x.astype(np.float32), y, n_classes=4, location=places(90), seed=3)
    np.testing.assert_allclose(again.predict(fresh), found, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_several_labels(kind: str) -> None:
    (x, y), (fresh, truth) = tags(), tags(300, seed=1)
    given = probe(kind)
    given.fit(x, y, n_classes=4, location=places(150), seed=3)
    found = given.predict(fresh)
    assert found.shape == (300, 4) and ((found >= 0) & (found <= 1)).all()
    assert ((found[:, :2] > 0.5) == truth[:, :2]).mean() > 0.85
    assert (found[:, 2] < 0.5).all() and (found[:, 3] > 0.5).all()
    if kind == "svm":
        assert (found[:, 2] == 0).all() and (found[:, 3] == 1).all()


def test_one_and_several_are_told_apart_by_the_labels() -> None:
    """The same clips with one label each, as indices and as rows: probabilities, and scores."""
    x, y = clouds()
    for kind in KINDS:
        one, several = probe(kind), probe(kind)
        one.fit(x, y, n_classes=3)
        several.fit(x, np.eye(3)[y], n_classes=3)
        np.testing.assert_allclose(one.predict(x).sum(axis=1), 1)
        assert np.abs(several.predict(x).sum(axis=1) - 1).max() > 1e-3


def test_svm_is_the_machine_with_the_chosen_cost() -> None:
    x, y = clouds(60)
    given = probe("svm")
    given.fit(x, y, n_classes=3, location=places(60))
    facts = given.facts()
    assert facts["C"] in COSTS and facts["C_folds"] == 5 and facts["C_accuracy"] > 0.9
    by_hand = polynomial_svm(facts["C"]).fit(x, y).decision_function(x)
    np.testing.assert_allclose(given.predict(x), softmax(by_hand, axis=1), atol=1e-9)
    x, y = tags()
    given.fit(x, y, n_classes=4)
    machine = polynomial_svm(given.facts()["C"]).fit(x, y[:, 1].astype(int))
    np.testing.assert_allclose(given.predict(x)[:, 1], expit(machine.decision_function(x)), atol=1e-9)
    assert 0.8 < given.facts()["C_average_precision"] <= 1 and "C_accuracy" not in given.facts()


def test_two_classes_of_one_label() -> None:
    x, y = clouds(60, n_classes=2)
    for kind in KINDS:
        given = probe(kind)
        given.fit(x, y, n_classes=2)
        found = given.predict(x)
        np.testing.assert_allclose(found.sum(axis=1), 1)
        assert (found.argmax(axis=1) == y).mean() > 0.95


def test_svm_draws_from_too_many_examples_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "MAX_EXAMPLES", 60)
    (x, y), (fresh, truth) = clouds(300), clouds(100, seed=1)
    found = {}
    for seed in (0, 0, 1):
        given = probe("svm")
        given.fit(x, y, n_classes=3, seed=seed)
        assert (given.facts()["n_examples"], given.facts()["n_examples_given"]) == (60, 300)
        values = given.predict(fresh)
        assert (values.argmax(axis=1) == truth).mean() > 0.9
        if seed in found:
            np.testing.assert_array_equal(found[seed], values)
        found[seed] = values
    assert not np.array_equal(found[0], found[1])


def test_lr_tells_lambda_and_its_descent() -> None:
    x, y = clouds()
    given = probe("lr")
    assert given.facts() == {}
    given.fit(x, y, n_classes=3)
    facts = given.facts()
    assert facts["lambda"] in (0.1, 1.0, 10.0) and facts["converged"] == "true" and facts["n_iterations"] > 0
    closed = probe("lr", mode="closed_form")
    closed.fit(x, y, n_classes=3)
    assert "n_iterations" not in closed.facts()


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("svn", {}, "probe 'svn' is not one of svm, lr"),
        ("svm", {"C": 1.0}, "probe svm has no setting 'C'; there is none"),
        ("lr", {"bta": 1.0}, "probe lr has no setting 'bta'; there are mode, beta"),
        ("lr", {"mode": "linear"}, "probe lr: mode 'linear' is not one of logistic, closed_form"),
        ("lr", {"beta": 0.0}, "probe lr: beta is 0.0, must be above 0"),
    ],
)
def test_wrong_settings(kind: str, settings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        probe(kind, **settings)


X, Y = clouds(12)


@pytest.mark.parametrize(
    ("x", "y", "more", "message"),
    [
        (X[:, 0], Y, {}, r"embeddings of shape \(12,\), expected \(n, d\)"),
        (np.where(X[4, 1] == X, np.nan, X), Y, {}, "1 of 12 embeddings have NaN .* row 4"),
        (X, Y[:-1], {}, r"labels of shape \(11,\); expected \(12,\) or \(12, 3\)"),
        (X, np.eye(4)[Y], {}, r"labels of shape \(12, 4\)"),
        (X, Y.astype(float), {}, "class indices must be integers, got float64"),
        (X, Y + 1, {}, "labels from 1 to 3, but there are 3 classes"),
        (X, 0.5 * np.eye(3)[Y], {}, "multi-hot labels must be 0 or 1, got 0.5"),
        (X, Y, {"location": np.array(["a"])}, r"12 embeddings but locations of shape \(1,\)"),
    ],
)
def test_wrong_data(x, y, more, message: str) -> None:
    with pytest.raises(DataError, match=message):
        probe("lr").fit(x, y, n_classes=3, **more)


def test_what_cannot_be_learned_or_asked() -> None:
    with pytest.raises(SystemFailure, match="all 12 training clips are of class 0"):
        probe("lr").fit(X, 0 * Y, n_classes=3)
    with pytest.raises(SystemFailure, match="not fitted; call fit first"):
        probe("lr").predict(X)
    given = probe("lr")
    given.fit(X, Y, n_classes=3)
    with pytest.raises(DataError, match="embeddings of 5 numbers, it was fitted to 6"):
        given.predict(X[:, :5])
