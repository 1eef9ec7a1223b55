import pytest
import torch
import torchinfo
from asc_bench.baselines.bc_resnet_mod import BcResnetMod, BcResnetModParams
from asc_bench.baselines.dcase2024_baseline import Dcase2024Baseline, Dcase2024BaselineParams
from torch import nn

from asc_bench.api import Crop, TrainingPlan
from asc_bench.training.complexity import (
    OUTSIDE,
    NetworkCost,
    count_multiply_adds,
    count_parameters,
    count_stored,
    network_cost,
)
from asc_bench.training.evaluate import copy_of
from tests.unit.small_sets import TinyNet, task


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

    assert caa_net_log_mel().shape(10.0) == (320, 64)
    found = CaaNet(task(10, duration_s=10.0)).complexity()["n_multiply_adds"]
    convolutions = sum(
        (320 >> i) * (64 >> i) * 25 * n_in * n_out
        for i, (n_in, n_out) in enumerate([(1, 64), (64, 128), (128, 256), (256, 512)])
    )
    assert found == convolutions + 2 * 20 * 4 * 512 * 10
    device_branch = 320 * 64 * 25 * 64 + 160 * 32 * 25 * 64 * 128 + 128 * 3
    assert found + device_branch == pytest.approx(4.2e9, rel=0.02)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(12, 5, batch_first=True)

    def forward(self, x):
        return self.gru(x)[0]


class Own(nn.Module):
    """A scale that is called neither weight nor bias, and a product that no layer computes."""

    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(12))
        self.mix = nn.Parameter(torch.ones(12, 7))

    def forward(self, x):
        return (x * self.gamma) @ self.mix


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(12, 12)

    def forward(self, x):
        return self.layer(self.layer(x))


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(12, 6), nn.ReLU())

    def forward(self, x):
        return self.inner(x) @ torch.ones(6, 4, device=x.device)


class WeightNormed(nn.Module):
    """The first kind of weight normalisation holds a computed weight, which copy.deepcopy refuses."""

    def __init__(self):
        super().__init__()
        with pytest.warns(FutureWarning, match="weight_norm"):
            self.layer = nn.utils.weight_norm(nn.Conv1d(20, 8, 3))

    def forward(self, x):
        return self.layer(x)


def cost_of(module: nn.Module, shape: tuple[int, ...] = (20, 12)) -> NetworkCost:
    return network_cost(module, TinyNet(PLAN), shape, PLAN)


LAYERS = {
    "convolution: numbers times positions": (nn.Conv1d(20, 8, 3), (20 * 3 * 8 + 8) * 10, 8 * 10 * 20 * 3),
    "groups": (nn.Conv1d(20, 20, 3, groups=20, bias=False), 20 * 3 * 10, 20 * 3 * 10),
    "transposed": (nn.ConvTranspose1d(20, 8, 3), (20 * 8 * 3 + 8) * 14, 20 * 8 * 3 * 12),
    "batch normalisation: two numbers a channel": (nn.BatchNorm1d(20), 40, 0),
    "dense: once, whatever the frames": (nn.Linear(12, 7), 12 * 7 + 7, 20 * 12 * 7),
    "two calls": (Twice(), 2 * (12 * 12 + 12), 2 * 20 * 12 * 12),
    "recurrent: numbers times frames": (Recurrent(), 20 * (3 * 5 * 12 + 3 * 5 * 5 + 2 * 3 * 5), None),
    "attention is not seen": (Attention(), 0, 4 * 20 * 12 * 12 + 2 * 20 * 20 * 12),
    "other names are not seen": (Own(), 0, 20 * 12 * 7),
    "functions are not seen": (Functional(), 12 * 6 + 6, 20 * 12 * 6 + 20 * 6 * 4),
    "pooling and activations": (nn.Sequential(nn.ReLU(), nn.MaxPool1d(2)), 0, 0),
}


@pytest.mark.parametrize(("module", "macs", "multiply_adds"), LAYERS.values(), ids=LAYERS)
def test_the_challenges_rule_by_hand_and_as_torchinfo_has_it(module, macs, multiply_adds):
    found = cost_of(module)
    summary = torchinfo.summary(module, input_size=(1, 20, 12), verbose=0, device="cpu")
    assert found.n_macs_dcase == macs == summary.total_mult_adds
    assert multiply_adds in (None, found.n_multiply_adds)
    assert count_stored(module)["n_stored"] == summary.total_params


def test_a_network_of_computed_weights_is_counted_and_stays_as_it_is():
    module = WeightNormed()
    given = torch.ones(1, 20, 12)
    before = module(given)
    found = cost_of(module)
    summary = torchinfo.summary(module, input_size=(1, 20, 12), verbose=0, device="cpu")
    assert found.n_macs_dcase == summary.total_mult_adds
    assert found.n_multiply_adds == 8 * 10 * 20 * 3
    copied = copy_of(module)
    with torch.no_grad():
        copied.layer.weight_g.zero_()
        copied.layer.bias.zero_()
    assert not copied(given).any()
    assert torch.equal(module(given), before)


def test_the_rule_sees_a_hundredth_of_a_transformer():
    layer = nn.TransformerEncoderLayer(192, 3, dim_feedforward=768, batch_first=True)
    found = cost_of(layer, (100, 192))
    assert found.n_macs_dcase == 2 * 192 * 768 + 768 + 192 + 2 * 2 * 192 == 296_640
    assert found.n_multiply_adds == 100 * (4 * 192 * 192 + 2 * 192 * 768) + 2 * 100 * 100 * 192


class Scorer(TinyNet):
    """Multiplies the outputs of the network by a matrix of its own."""

    def forward(self, module, batch):
        return super().forward(module, batch) @ torch.ones(4, 3, device=batch.features.device)


def test_rows_are_layers_without_those_in_them_and_add_up():
    found = network_cost(Functional(), Scorer(PLAN), (20, 12), PLAN)
    assert [
        (row.name, row.kind, row.n_parameters, row.n_macs_dcase, row.n_multiply_adds) for row in found.layers
    ] == [
        ("", "Functional", 0, 0, 20 * 6 * 4),
        ("inner.0", "Linear", 78, 78, 20 * 12 * 6),
        (OUTSIDE, "", 0, 0, 20 * 4 * 3),
    ]
    assert found.n_multiply_adds == 20 * (6 * 4 + 12 * 6 + 4 * 3)


@pytest.mark.parametrize(
    ("system", "shape", "n_stored", "macs"),
    [
        # The official figures of the baseline of 2024 and 2025.
        (Dcase2024Baseline(task(10)), (65, 256), 61_148, 29_419_156),
        # BC-ResNet as others count it, on one second.
        (BcResnetMod(task(10), BcResnetModParams(width=40, sub_bands=1)), (65, 256), 81_770, 30_284_560),
        (BcResnetMod(task(10), BcResnetModParams(width=40, sub_bands=4)), (65, 256), 85_730, 30_288_520),
        (BcResnetMod(task(10), BcResnetModParams(width=80, sub_bands=4)), (65, 256), 314_650, 100_203_280),
    ],
)
def test_published_figures_of_networks(system, shape, n_stored, macs):
    module = system.build()
    assert count_stored(module)["n_stored"] == n_stored
    assert network_cost(module, system, shape, PLAN).n_macs_dcase == macs


def test_parameters_of_the_smallest_cp_mobile_are_the_official_ones():
    params = Dcase2024BaselineParams(width=8, multiplier=1.5, expansion=2.1)
    assert Dcase2024Baseline(task(10), params).complexity()["n_stored"] == 5_722


def test_numbers_that_are_zero_count_until_a_training():
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    nn.init.ones_(module[0].weight)
    nn.init.zeros_(module[0].bias)
    # Of 8 + 4 parameters, the bias of two and the shift of two are zero; of the statistics, two means.
    counted = count_stored(module)
    assert counted == {
        "n_stored": 12,
        "n_nonzero_parameters": 6 + 2,
        "n_nonzero": 6 + 2 + 2,
        "n_nonzero_outside_batch_norm": 6,
    }
    counted = count_stored(module, trained=False)
    assert counted == {
        "n_stored": 12,
        "n_nonzero_parameters": 12,
        "n_nonzero": 12 + 4,
        "n_nonzero_outside_batch_norm": 8,
    }
    module[0].weight.requires_grad_(False)
    assert count_stored(module)["n_stored"] == 12
