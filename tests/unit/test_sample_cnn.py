import numpy as np
import pytest
from asc_bench.baselines.sample_cnn import SampleCnn, SampleCnnParams

from asc_bench.api import FINE, Budget, Plateau
from tests.unit.small_sets import accuracy, context, task, waves


@pytest.mark.parametrize(
    ("n_classes", "multi", "expected"),
    [(50, False, 1_869_874), (70, False, 1_880_134), (50, True, 2_683_442)],
)
def test_parameter_count_is_the_published_one(n_classes, multi, expected):
    system = SampleCnn(task(n_classes), SampleCnnParams(multi=multi))
    assert system.complexity()["n_parameters"] == expected


def test_three_excerpts_reach_both_ends_of_a_clip():
    system = SampleCnn(task(10))
    n_samples = system.front_end().shape(5.0)[0]
    starts = system.training_plan().crop.test_starts(n_samples)
    assert starts == (0, (110_250 - 59_049) // 2, 110_250 - 59_049)


def test_paper_budget_has_five_stages():
    plan = SampleCnn(task(10), budget=Budget.PAPER).training_plan()
    assert plan.schedule == Plateau(gamma=0.2, patience=3, n_stages=5, own_best=True, decay=1e-6)
    assert (plan.batch_size, plan.momentum, plan.nesterov, plan.monitor) == (23, 0.9, True, "loss")


def test_learns_separable_waves(tmp_path):
    train, test = waves(23, 66_150), waves(3, 66_150, seed=1)
    system = SampleCnn(task(3), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
