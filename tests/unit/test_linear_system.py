"""The logistic regression on frozen embeddings, and the temperature of the support vector machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from asc_bench.api import FINE, Card, LabelledClips, LinearSystem, LogMel, SystemFailure, caa_net_log_mel
from asc_bench.systems.calibration import fit_temperature
from asc_bench.systems.frozen_system import held_out_values
from asc_bench.systems.linear_system import WEIGHTS, choose_weight, logistic_regression
from asc_bench.systems.svm_system import polynomial_svm
from tests.unit.small_sets import context, task
from tests.unit.test_svm_system import Rows, blobs


class LinearRows(LinearSystem):
    """Takes the features for the embedding."""

    card = Card(name="linear-rows", title="Rows", citation="none", year=2024, input="toy")

    def front_end(self) -> LogMel:
        return caa_net_log_mel()

    def embed(self, features: np.ndarray) -> np.ndarray:
        return features


def five_places(train: LabelledClips) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Five locations of all classes, and the only split of them into five folds."""
    places = np.repeat(np.array(list("abcde")), len(train.labels[FINE]) // 5)
    return places, [(np.flatnonzero(places != p), np.flatnonzero(places == p)) for p in "abcde"]


@pytest.mark.parametrize("n_classes", [4, 2])
def test_the_weight_is_the_best_of_five_by_the_log_loss_of_folds_over_locations(n_classes: int) -> None:
    train = blobs(n_each=20, spread=1.8)
    places, folds = five_places(train)
    x, y = train.features.load(), train.labels[FINE] % n_classes
    losses, accuracies = {}, {}
    for C in WEIGHTS:
        plain = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=5_000))
        given = cross_val_predict(plain, x, y, cv=folds, method="predict_proba")
        losses[C], accuracies[C] = log_loss(y, given), (given.argmax(axis=1) == y).mean()
    found = choose_weight(x, y, places)
    assert found.C == min(losses, key=losses.__getitem__) not in (WEIGHTS[0], WEIGHTS[-1])
    assert found.accuracy == pytest.approx(accuracies[found.C])
    assert found.n_folds == 5


def test_probabilities_are_those_of_scikit_learn_and_survive_saving(tmp_path: Path) -> None:
    train, test = blobs(n_each=20, spread=1.8), blobs(seed=1)
    system, other = LinearRows(task(4)), LinearRows(task(4))
    system.fit(train, None, context(tmp_path))
    assert system.cost is not None
    plain = make_pipeline(StandardScaler(), LogisticRegression(C=system.cost.C, max_iter=5_000))
    expected = plain.fit(train.features.load(), train.labels[FINE]).predict_proba(test.features.load())
    np.testing.assert_allclose(system.predict(test), expected, atol=1e-6)
    assert system.classifier_cost() == (4 * 6 + 4, 4 * 6)
    system.save(tmp_path)
    other.load(tmp_path)
    np.testing.assert_array_equal(system.predict(test), other.predict(test))


def test_a_class_that_a_fold_never_saw_counts_in_no_loss() -> None:
    train = blobs(n_each=8)
    labels = train.labels[FINE].copy()
    labels[0] = 4
    values = held_out_values(
        lambda: logistic_regression(1.0),
        train.features.load(),
        labels,
        [(np.arange(1, len(labels)), np.array([0]))],
    )
    assert np.isneginf(values[0, 4]) and np.isfinite(values[0, :4]).all()
    assert np.isfinite(choose_weight(train.features.load(), labels).C)


def test_the_temperature_minimises_the_log_loss_of_held_out_values() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, size=4_000)
    logits = rng.normal(size=(4_000, 5)) + 2 * np.eye(5)[labels]  # their posterior is softmax(2 x)
    found = fit_temperature(6 * logits, labels, prior=0.0)
    expected = minimize_scalar(
        lambda t: log_loss(labels, softmax(6 * logits / t, axis=1)), bounds=(0.5, 20), method="bounded"
    ).x
    assert found == pytest.approx(expected, rel=1e-3)
    assert found == pytest.approx(3.0, rel=0.05)


def test_separable_values_give_a_finite_temperature_and_foreign_classes_are_left_out() -> None:
    values = np.where(np.eye(3, dtype=bool), 1.0, 0.0)
    found = fit_temperature(values, [0, 1, 2])
    # By hand: 3 log(1 + 2 exp(-s)) + (s - 1)^2 / 2 has its slope -6 / (exp(s) + 2) + s - 1 zero there.
    assert -6 / (np.exp(1 / found) + 2) + 1 / found - 1 == pytest.approx(0, abs=1e-4)
    unknown = np.vstack([values, [1.0, 0.0, -np.inf]])
    assert fit_temperature(unknown, [0, 1, 2, 2]) == pytest.approx(found, abs=1e-6)


def test_wrong_values_have_no_temperature() -> None:
    with pytest.raises(SystemFailure, match=r"values of shape \(2, 3\) do not suit labels of \(3,\)"):
        fit_temperature(np.zeros((2, 3)), [0, 1, 2])
    with pytest.raises(SystemFailure, match="no clip is of a class that the classifier knows"):
        fit_temperature([[0.0, -np.inf]], [1])


def test_probabilities_of_the_svm_fit_clips_that_it_never_saw(tmp_path: Path) -> None:
    """Against the softmax of the plain decision values, on many test clips."""
    train, test = blobs(n_each=25, spread=2.0), blobs(n_each=250, seed=1, spread=2.0)
    system = Rows(task(4))
    system.fit(train, None, context(tmp_path))
    assert system.cost is not None
    x, y = test.features.load(), test.labels[FINE]
    machine = polynomial_svm(system.cost.C).fit(train.features.load(), train.labels[FINE])
    values = machine.decision_function(x)
    np.testing.assert_allclose(system.predict(test), softmax(values / system.temperature, axis=1), atol=1e-6)
    assert log_loss(y, system.predict(test)) < log_loss(y, softmax(values, axis=1))
    assert system.facts()["temperature"] == round(system.temperature, 4)
