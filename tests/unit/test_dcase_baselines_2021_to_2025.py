"""Baselines of DCASE 2021 to 2023 and 2025: counts that their sources print, and what their code does."""

import numpy as np
import pytest
import torch
from asc_bench.baselines.dcase2021_baseline import Dcase2021Baseline
from asc_bench.baselines.dcase2022_baseline import Dcase2022Baseline
from asc_bench.baselines.dcase2024_baseline import Dcase2024Baseline, Dcase2025Baseline
from asc_bench.baselines.device_specific import DeviceSpecific
from torch import nn

from asc_bench.api import FINE, Batch, Budget, DeviceSpecificParams
from asc_bench.reporting.published import published_numbers, published_values, same_settings
from tests.unit.small_sets import accuracy, context, task, tones


@pytest.mark.parametrize(("kind", "duration_s"), [(Dcase2021Baseline, 10.0), (Dcase2022Baseline, 1.0)])
def test_counts_are_those_that_the_sources_print(kind, duration_s):
    """46,118 trainable ones, and 46,246 with the running statistics."""
    system = kind(task(10, duration_s=duration_s), budget=Budget.PAPER)
    assert system.complexity()["n_parameters"] == 46_118
    stored = system.build().state_dict()
    assert sum(t.numel() for name, t in stored.items() if "num_batches" not in name) == 46_246


def test_each_layer_has_the_printed_count():
    """Of the summary in both READMEs, which counts running statistics."""
    found = [
        sum(t.numel() for name, t in layer.state_dict().items() if "num_batches" not in name)
        for layer in Dcase2022Baseline(task(10, duration_s=1.0)).build().modules()
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.Linear)
    ]
    assert found == [800, 64, 12_560, 64, 25_120, 128, 6_500, 1_010]


def test_multiply_adds_of_convolutions_are_those_of_the_schedule_in_the_readme():
    found = Dcase2022Baseline(task(10, duration_s=1.0)).complexity()["n_multiply_adds"]
    assert found == 1_599_360 + 25_589_760 + 2_007_040 + 64 * 100 + 100 * 10
    longer = Dcase2021Baseline(task(10, duration_s=10.0)).complexity()["n_multiply_adds"]
    assert longer == 40 * 500 * 49 * (16 + 16 * 16) + 8 * 100 * 49 * 16 * 32 + 64 * 100 + 100 * 10


def test_the_count_by_the_rules_of_2022():
    """Weights and biases times positions, all others once: 29,271,638, as torchinfo counts."""
    total, positions = 0, iter([40 * 51, 40 * 51, 8 * 10])
    for layer in Dcase2022Baseline(task(10, duration_s=1.0)).build().modules():
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.Linear):
            n = sum(p.numel() for p in layer.parameters())
            total += n * next(positions) if isinstance(layer, nn.Conv2d) else n
    assert total == 29_271_638


def test_shapes_between_the_layers_are_the_printed_ones():
    x, seen = torch.zeros(1, 1, 40, 51), []
    module = Dcase2022Baseline(task(10, duration_s=1.0)).build()[1].eval()
    for layer in module:
        x = layer(x)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.Flatten | nn.Linear):
            seen.append(tuple(x.shape[1:]))
    assert seen == [(16, 40, 51), (16, 40, 51), (16, 8, 10), (32, 8, 10), (32, 2, 1), (64,), (100,), (10,)]


@pytest.mark.parametrize("kind", [Dcase2021Baseline, Dcase2022Baseline])
def test_batch_normalisation_has_the_constants_of_keras(kind):
    module = kind(task(10, duration_s=10.0), budget=Budget.PAPER).build()
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert {(layer.eps, layer.momentum) for layer in norms} == {(1e-3, 0.01)}


def test_paper_budgets_train_as_the_configurations_say():
    plan = Dcase2021Baseline(task(10, duration_s=10.0), budget=Budget.PAPER).training_plan()
    assert (plan.batch_size, plan.epochs, plan.learning_rate, plan.standardise) == (16, 200, 1e-3, "per-band")
    later = Dcase2022Baseline(task(10, duration_s=1.0), budget=Budget.PAPER).training_plan()
    assert (later.batch_size, later.epochs, later.learning_rate, later.standardise) == (64, 200, 1e-3, "none")
    for each in (plan, later):
        assert (each.select, each.monitor, each.validate_every, each.validate_after) == ("best", "accuracy", 1, 51)
    long = Dcase2022Baseline(task(10, duration_s=10.0), budget=Budget.PAPER).training_plan()
    assert (long.epochs, long.validate_every, long.validate_after) == (2_000, 10, 510)
    assert long.crop.test_starts(501) == tuple(range(0, 500, 50))


def test_labels_are_smoothed_and_features_divided_as_the_source_does():
    """``labels * (1 - 0.1) + 0.1 / n_classes``, and ``x / max|x|`` where that exceeds 1."""
    system = Dcase2022Baseline(task(4, duration_s=1.0))
    logits = torch.tensor([[2.0, -1.0, 0.5, 0.0]])
    target = np.eye(4)[[2]] * 0.9 + 0.1 / 4
    log_p = np.log(np.exp(logits.numpy()) / np.exp(logits.numpy()).sum())
    batch = Batch(features=torch.tensor([[[3.0, -6.0]], [[0.25, -0.5]]]), labels={FINE: torch.tensor([2])})
    assert float(system.loss(logits, batch)) == pytest.approx(-(target * log_p).sum(), rel=1e-6)
    given = system.forward(nn.Identity(), batch)
    assert given.tolist() == [[[0.5, -1.0]], [[0.25, -0.5]]]


@pytest.mark.parametrize("kind", [Dcase2021Baseline, Dcase2022Baseline])
def test_learns_separable_clips(tmp_path, kind):
    train, test = tones(5, (51, 40)), tones(4, (51, 40), seed=1)
    system = kind(task(3, duration_s=1.0), budget=Budget.SMOKE)
    system.fit(train, train, context(tmp_path))
    assert accuracy(system.predict(test), test.labels[FINE]) >= 0.9


def test_published_numbers_are_those_of_the_readmes():
    assert published_values(Dcase2021Baseline.card.published[0])["log loss, S4"] == 1.934
    by_protocol = {
        n.protocol: n.value for n in published_numbers(Dcase2022Baseline.card) if n.measure == "accuracy"
    }
    assert by_protocol == {"dcase2022": 42.9, "dcase2023": 42.9}
    (general,) = Dcase2025Baseline.card.published
    (each,) = DeviceSpecific.card.published
    assert (published_values(general)["accuracy"], published_values(each)["accuracy"]) == (50.72, 51.89)
    assert published_values(general)["accuracy, S5"] == published_values(each)["accuracy, S5"] == 47.23
    assert same_settings(each, vars(DeviceSpecificParams(of="dcase2025-baseline")))
    assert not same_settings(each, vars(DeviceSpecificParams(of="sb-cnn")))


def test_the_baseline_of_2025_is_that_of_2024():
    """2,000 steps of warm-up on every share of the data, of 4,200 on the smallest."""
    system = Dcase2025Baseline(task(10, duration_s=1.0), budget=Budget.PAPER)
    plan, before = system.training_plan(), Dcase2024Baseline(system.task, budget=Budget.PAPER).training_plan()
    for n_clips, n_steps in ((139_620, 81_900), (34_900, 20_550), (6_980, 4_200)):
        assert (plan.n_steps(n_clips), plan.schedule.n_warm(n_steps)) == (n_steps, 2_000)
    assert (plan.epochs, plan.augment, plan.test_precision) == (150, before.augment, "float16")
    assert system.complexity()["n_parameters"] == 61_148
