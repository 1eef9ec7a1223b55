"""The polynomial machine that systems on embeddings share."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from asc_bench.api import FINE, Card, LabelledClips, LogMel, StoreError, SvmSystem, SystemFailure, caa_net_log_mel
from asc_bench.systems.frozen_system import pooled
from asc_bench.systems.svm_system import COSTS, choose_cost, polynomial_svm
from tests.unit.small_sets import accuracy, clips, context, task


class Rows(SvmSystem):
    """Takes the features for the embedding."""

    card = Card(name="rows", title="Rows", citation="none", year=2024, input="toy")
    files: tuple[Path, ...] = ()

    def front_end(self) -> LogMel:
        return caa_net_log_mel()

    def embed(self, features: np.ndarray) -> np.ndarray:
        return features

    def external_files(self) -> tuple[Path, ...]:
        return self.files


def blobs(n_each: int = 12, n_classes: int = 4, seed: int = 0, spread: float = 1.2) -> LabelledClips:
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(n_classes), n_each)
    centres = 2 * np.eye(n_classes, 6)
    return clips(centres[labels] + spread * rng.normal(size=(len(labels), 6)), labels)


def test_pooling_by_hand() -> None:
    embeddings = np.array([[[1, 10], [3, 10]], [[0, -1], [0, 1]]], dtype=np.float32)
    np.testing.assert_array_equal(pooled(embeddings, "mean"), [[2, 10], [0, 0]])
    np.testing.assert_array_equal(pooled(embeddings, "mean+std"), [[2, 10, 1, 0], [0, 0, 0, 1]])


def test_the_kernel_is_the_stated_polynomial() -> None:
    train, test = blobs(), blobs(seed=1)
    x, y = train.features.load().astype(np.float64), train.labels[FINE]
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    z, t = (x - mean) / deviation, (test.features.load() - mean) / deviation
    by_hand = SVC(kernel="precomputed", C=1.0).fit((z @ z.T / 6 + 1) ** 3, y)
    found = polynomial_svm(1.0).fit(x, y)
    np.testing.assert_allclose(
        found.decision_function(test.features.load()), by_hand.decision_function((t @ z.T / 6 + 1) ** 3), atol=1e-3
    )


def test_the_cost_is_the_best_of_three_by_cross_validation_over_locations() -> None:
    train = blobs(n_each=20, spread=1.8)
    x, y = train.features.load(), train.labels[FINE]
    # Five locations of all classes: any split into five folds by location is this one.
    places = np.repeat(np.array(["a", "b", "c", "d", "e"]), len(y) // 5)
    folds = [(np.flatnonzero(places != p), np.flatnonzero(places == p)) for p in "abcde"]
    scores = {C: cross_val_score(polynomial_svm(C), x, y, cv=folds).mean() for C in COSTS}
    assert len(set(scores.values())) > 1, "a set on which C does not matter would prove nothing"
    found = choose_cost(x, y, places)
    assert found.accuracy == pytest.approx(max(scores.values()))
    best = [C for C in COSTS if scores[C] == max(scores.values())]
    assert best[0] == found.C
    assert found.n_folds == 5


def test_copies_of_a_clip_never_stand_on_both_sides() -> None:
    """Labels are noise and each clip occurs five times: only a split that parts copies could do well."""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(60, 8)).astype(np.float32), 5, axis=0)
    y = np.repeat(rng.integers(0, 2, size=60), 5)
    names = np.repeat([f"clip{i}" for i in range(60)], 5)
    assert choose_cost(x, y, names).accuracy < 0.7
    assert choose_cost(x, y, None).accuracy > 0.95


def test_fewer_locations_give_fewer_folds_and_a_rare_class_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    train = blobs()
    labels = train.labels[FINE].copy()
    labels[0] = 4
    places = np.where(np.arange(len(labels)) < 24, "a", "b")
    assert choose_cost(train.features.load(), labels, places).n_folds == 2
    assert not recwarn.list


@pytest.mark.parametrize(
    ("labels", "places", "message"),
    [
        ([0, 0, 1, 1], ["a"] * 4, "4 training clips of 1 locations"),
        ([0, 1, 2, 3], None, "at most 1 of a class"),
        ([0, 0, 1, 1], ["a", "a", "b", "b"], "all training clips have the same labels"),
    ],
)
def test_what_cannot_be_cross_validated(labels: list[int], places: list[str] | None, message: str) -> None:
    where = None if places is None else np.array(places)
    with pytest.raises(SystemFailure, match=message):
        choose_cost(np.eye(4, dtype=np.float32), np.array(labels), where)


def test_fit_predict_and_facts(tmp_path: Path) -> None:
    system, train, test = Rows(task(4)), blobs(spread=0.3), blobs(seed=1, spread=0.3)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    assert accuracy(probabilities, test.labels[FINE]) == 1
    order = system.estimator.decision_function(test.features.load()).argsort(axis=1)
    np.testing.assert_array_equal(probabilities.argsort(axis=1), order)
    assert not hasattr(system.estimator, "predict_proba"), "no Platt scaling"
    assert system.facts()["C"] in COSTS
    assert system.facts()["C_accuracy"] == 1


def test_saved_and_loaded_machine_is_the_same_and_keeps_its_cost(tmp_path: Path) -> None:
    train, test = blobs(n_each=20, spread=1.8), blobs(seed=1)
    system, other = Rows(task(4)), Rows(task(4))
    system.fit(replace(train, location=np.repeat(np.array(list("abcde")), 16)), None, context(tmp_path))
    system.save(tmp_path)
    other.load(tmp_path)
    assert other.cost == system.cost
    assert other.temperature == system.temperature != 1
    np.testing.assert_array_equal(system.predict(test), other.predict(test))


def test_a_machine_of_another_file_is_refused(tmp_path: Path) -> None:
    network = tmp_path / "network.pt"
    network.write_text("old")
    system, other = Rows(task(4)), Rows(task(4))
    system.files = other.files = (network,)
    system.fit(blobs(), None, context(tmp_path))
    system.save(tmp_path)
    # printf old | sha256sum
    assert system.facts()["sha256 network.pt"].startswith("cba06b5736")
    other.load(tmp_path)
    network.write_text("new")
    with pytest.raises(StoreError, match=r"svm.json: written with files of the sha256"):
        other.load(tmp_path)
    (tmp_path / "svm.json").write_text(json.dumps({"cost": {}}))
    with pytest.raises(StoreError, match=r"svm.json cannot be read: TypeError"):
        other.load(tmp_path)


def test_one_class_cannot_be_fitted(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match="all 8 training clips are of one class"):
        Rows(task(4)).fit(clips(np.ones((8, 3)), np.zeros(8)), None, context(tmp_path))


def test_predict_before_fit_says_what_to_do() -> None:
    with pytest.raises(SystemFailure, match="call fit or load first"):
        Rows(task(4)).predict(blobs())
    with pytest.raises(SystemFailure, match="call fit or load first"):
        Rows(task(4)).build()
