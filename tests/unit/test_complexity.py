import pytest
import torch
from torch import nn

from asc_bench.api import Crop, TrainingPlan
from asc_bench.training.complexity import count_multiply_adds, count_parameters
from tests.unit.small_sets import TinyNet


class ByHand(TinyNet):
    def build(self):
        return nn.Sequential(nn.Conv1d(20, 8, 3, bias=True), nn.BatchNorm1d(8), nn.Flatten(), nn.Linear(80, 5))


PLAN = TrainingPlan(batch_size=1, epochs=1)


def test_convolution_and_dense_layer_by_hand():
    system = ByHand(PLAN)
    module = system.build()
    assert count_parameters(module) == (20 * 3 * 8 + 8) + 16 + (80 * 5 + 5)
    assert count_multiply_adds(module, system, (20, 12), PLAN) == 8 * 10 * 20 * 3 + 80 * 5


def test_frozen_parameters_do_not_count():
    module = nn.Linear(3, 2)
    module.bias.requires_grad_(False)
    assert count_parameters(module) == 6


def test_all_excerpts_of_a_clip_count():
    system = ByHand(PLAN)
    plan = TrainingPlan(batch_size=1, epochs=1, crop=Crop(length=20, n_test=3))
    once = count_multiply_adds(system.build(), system, (20, 12), plan)
    assert count_multiply_adds(system.build(), system, (50, 12), plan) == 3 * once


def test_counting_changes_no_weight_and_no_mode():
    system = ByHand(PLAN)
    module = system.build().train()
    before = [p.clone() for p in module.parameters()]
    count_multiply_adds(module, system, (20, 12), PLAN)
    assert module.training
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    assert module[1].num_batches_tracked == 0


def test_caa_net_pooled_network_costs_what_the_notes_say():
    from asc_bench.proposed.caa_net import CaaNet

    from asc_bench.api import caa_net_log_mel
    from tests.unit.small_sets import task

    assert caa_net_log_mel().shape(10.0) == (320, 64)
    found = CaaNet(task(10, duration_s=10.0)).complexity()["n_multiply_adds"]
    convolutions = sum(
        (320 >> i) * (64 >> i) * 25 * n_in * n_out
        for i, (n_in, n_out) in enumerate([(1, 64), (64, 128), (128, 256), (256, 512)])
    )
    assert found == convolutions + 2 * 20 * 4 * 512 * 10
    device_branch = 320 * 64 * 25 * 64 + 160 * 32 * 25 * 64 * 128 + 128 * 3
    assert found + device_branch == pytest.approx(4.2e9, rel=0.02)
