import math

import numpy as np
import pytest
import torch
from asc_bench.baselines.raw_cnn import STAGES, RawCnn, RawCnnParams
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from asc_bench.api import FINE, Budget, Plateau
from asc_bench.reporting.published import published_values
from asc_bench.runs.variant import parse_variants
from tests.unit.small_sets import accuracy, context, refusal, task, waves

COUNTS = {
    "M3": (221_194, 236_614),
    "M5": (559_114, 589_894),
    "M8": (801_098, 831_878),
    "M11": (1_786_442, 1_817_222),
    "M18": (3_683_786, 3_714_566),
}
"""With 10 and with 70 classes. Those of Dai et al.'s depths and 10 classes are in the logs of the public
re-implementation."""


@pytest.mark.parametrize("depth", COUNTS)
def test_parameter_count_is_the_published_one(depth):
    for n_classes, expected in zip((10, 70), COUNTS[depth], strict=True):
        with torch.device("meta"):
            module = RawCnn(task(n_classes), RawCnnParams(depth=depth)).build()
        assert sum(p.numel() for p in module.parameters() if p.requires_grad) == expected


@pytest.mark.parametrize(("depth", "n_convolutions"), [("M3", 2), ("M5", 4), ("M8", 8), ("M11", 10), ("M18", 17)])
def test_dai_et_al_count_the_dense_layer_and_m8_does_not(depth, n_convolutions):
    with torch.device("meta"):
        module = RawCnn(task(10), RawCnnParams(depth=depth)).build()
    assert len([layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]) == n_convolutions


def test_lengths_of_five_seconds_at_16_khz():
    with torch.device("meta"):
        module = RawCnn(task(10)).build()
        lengths = []
        for layer in module.modules():
            if isinstance(layer, nn.MaxPool2d):
                layer.register_forward_hook(lambda _, x, y: lengths.extend([x[0].shape[3], y.shape[3]]))
        module.eval()(torch.empty(1, 80_000))
    assert lengths == [19_981, 4_995, 4_995, 1_248, 1_248, 312, 312, 78]


def test_multiply_adds_counted_by_hand():
    first = 19_981 * 64 * 80
    second = 4_995 * 2 * 64 * 64 * 3
    third = 1_248 * (64 + 128) * 128 * 3
    fourth = 312 * (128 + 256) * 256 * 3
    last = 78 * 256 * 512 * 3 + 512 * 10
    assert RawCnn(task(10)).complexity()["n_multiply_adds"] == first + second + third + fourth + last


def reference(module, x, depth, stride):
    """The network from torch's one-dimensional functions, ReLU before the pooling; not in training."""
    pooled_last = depth in ("M3", "M5")
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    convolutions = iter(layer for layer in layers if isinstance(layer, nn.Conv2d))
    norms = iter(layer for layer in layers if isinstance(layer, nn.BatchNorm2d))
    x = (x - x.mean(dim=1, keepdim=True)) / x.std(dim=1, keepdim=True, correction=0)
    x = x[:, None]
    for i, stage in enumerate(STAGES[depth]):
        for j in range(len(stage)):
            conv, norm = next(convolutions), next(norms)
            first = i == j == 0
            x = F.conv1d(
                x, conv.weight[:, :, 0], conv.bias, stride=stride if first else 1, padding=0 if first else 1
            )
            x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-3).relu()
        if i < len(STAGES[depth]) - 1 or pooled_last:
            x = F.max_pool1d(x, 4)
    return F.linear(x.mean(dim=2), module.dense.weight, module.dense.bias)


@pytest.mark.parametrize(("depth", "kernel"), [("M8", 80), ("M5", 160)])
def test_network_is_that_of_one_dimensional_layers(depth, kernel):
    torch.manual_seed(0)
    module = RawCnn(task(4), RawCnnParams(depth=depth, kernel=kernel), Budget.SMOKE).build().eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            # Weights of either sign tell pooling before the normalisation from pooling after it.
            for values in (layer.weight.data, layer.bias.data, layer.running_mean):
                values.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    waveform = 0.1 * torch.randn(6, 9_000)
    expected = reference(module, waveform, depth, kernel // 20)
    torch.testing.assert_close(module(waveform), expected, rtol=1e-3, atol=1e-4)


def test_level_and_offset_of_a_clip_do_not_count_and_silence_is_finite():
    torch.manual_seed(0)
    module = RawCnn(task(3), budget=Budget.SMOKE).build().eval()
    waveform = 0.1 * torch.randn(2, 4_000)
    torch.testing.assert_close(module(1e-3 * waveform + 0.2), module(waveform), rtol=1e-2, atol=1e-2)
    assert module(torch.zeros(1, 4_000)).isfinite().all()


def test_weights_begin_as_glorot_and_bengio_draw_them():
    torch.manual_seed(0)
    module = RawCnn(task(10)).build()
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            n_out, n_in = layer.weight.shape[:2]
            n_taps = layer.weight[0, 0].numel()
            bound = math.sqrt(6 / ((n_in + n_out) * n_taps))
            assert 0.97 * bound < float(layer.weight.detach().abs().max()) <= bound
            assert not layer.bias.any()


def test_convolutions_alone_decay_and_every_parameter_is_trained_once():
    system = RawCnn(task(10), budget=Budget.SMOKE)
    module = system.build()
    others, convolutions = system.parameter_groups(module)
    assert all(p.dim() == 4 for p in convolutions["params"]) and len(convolutions["params"]) == 8
    assert convolutions["weight_decay"] == pytest.approx(2e-4) and "weight_decay" not in others
    given = [id(p) for p in others["params"] + convolutions["params"]]
    assert sorted(given) == sorted(id(p) for p in module.parameters())


def test_paper_budget():
    plan = RawCnn(task(10), budget=Budget.PAPER).training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.batch_size, plan.epochs) == ("adam", 1e-3, 128, 400)
    assert plan.schedule == Plateau(gamma=0.5, patience=11, restart=False, floor=0.1)
    assert plan.select == "last" and plan.short_batches and plan.crop is None


@pytest.mark.parametrize(
    ("settings", "n_samples"),
    # Through the poolings by four backwards: 256 windows are needed for M8 and M5, 16 for M3.
    [("depth=M8", 1_100), ("depth=M5,kernel=160", 2_200), ("depth=M3,sample_rate_hz=8000", 140)],
)
def test_a_clip_too_short_is_refused_and_the_shortest_is_not(settings, n_samples):
    (variant,) = parse_variants(f"raw-cnn[{settings}]")
    rate = variant.params.sample_rate_hz
    shortest = variant.build(task(3, duration_s=n_samples / rate), Budget.SMOKE)
    assert refusal(shortest) is None
    assert shortest.build().eval()(torch.randn(1, n_samples)).isfinite().all()
    reason = refusal(variant.build(task(3, duration_s=(n_samples - 1) / rate), Budget.SMOKE))
    assert f"have {n_samples - 1:,} samples at {rate:,} Hz" in reason and f"at least {n_samples:,}" in reason


def test_the_published_row_is_there():
    (entry,) = RawCnn.card.published
    assert {80.32, 85.42} <= set(published_values(entry).values())


def test_learns_separable_waves(tmp_path):
    train, test = waves(16, 8_000), waves(3, 8_000, seed=1)
    system = RawCnn(task(3, duration_s=0.5), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
