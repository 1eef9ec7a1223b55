import numpy as np
import pytest
from asc_bench.baselines.sb_cnn import SbCnn, SbCnnParams

from asc_bench.api import FINE, Budget
from tests.unit.small_sets import accuracy, context, task, tones


@pytest.mark.parametrize(
    ("n_classes", "bn", "expected"), [(10, False, 241_434), (70, False, 245_334), (10, True, 241_674)]
)
def test_parameter_count_is_the_published_one(n_classes, bn, expected):
    system = SbCnn(task(n_classes), SbCnnParams(bn=bn))
    assert system.complexity()["n_parameters"] == expected


def test_multiply_adds_counted_by_hand():
    system = SbCnn(task(10), SbCnnParams(test_hop=8))
    conv = 24 * 124 * 124 * 25 + 48 * 27 * 58 * 24 * 25 + 48 * 2 * 25 * 48 * 25
    dense = 2_400 * 64 + 64 * 10
    n_patches = len(range(0, 216 - 128 + 1, 8))
    assert system.front_end().shape(5.0) == (216, 128)
    assert system.complexity()["n_multiply_adds"] == n_patches * (conv + dense)


def test_dense_layers_alone_decay_and_every_parameter_is_trained_once():
    system = SbCnn(task(10))
    module = system.build()
    others, dense = system.parameter_groups(module)
    assert [tuple(p.shape) for p in dense["params"]] == [(64, 2_400), (10, 64)]
    assert dense["weight_decay"] == pytest.approx(2e-3)
    assert "weight_decay" not in others and system.training_plan().weight_decay == 0
    given = [id(p) for p in others["params"] + dense["params"]]
    assert sorted(given) == sorted(id(p) for p in module.parameters())


def test_paper_budget_trains_as_published():
    plan = SbCnn(task(10), budget=Budget.PAPER).training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.momentum) == ("sgd", 0.01, 0.0)
    assert (plan.batch_size, plan.epochs, plan.select) == (100, 50, "best")


def test_learns_separable_clips_shorter_than_a_patch(tmp_path):
    train, test = tones(10, (60, 128)), tones(4, (60, 128), seed=1)
    system = SbCnn(task(3), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
