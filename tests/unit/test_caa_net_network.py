"""The networks of CAA-Net against their equations, worked by hand or with numpy."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.proposed._caa_net_network import CaaNetwork, ConditionedStack, Shape
from asc_bench.proposed.caa_net import BEST_LAYER, POOLINGS, CaaNet, CaaNetParams
from torch import nn

from asc_bench.api import Budget, ConfigError
from asc_bench.runs.variant import parse_variants
from tests.unit.small_sets import task

THREE = task(10, duration_s=10.0, devices=("A", "B", "C"))
ATROUS = {"topology": "atrous", "training": "multi-task"}


def shape(**changes: object) -> Shape:
    base = Shape(
        topology="cnn-no-pool",
        pooling="avg",
        widths=(2, 3, 4, 5),
        device_widths=(2, 3),
        n_classes=3,
        n_frames=32,
        n_bands=16,
        n_devices=0,
        condition_layer=1,
        predicts_device=False,
        mixture="geometric",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layer", "n_parameters"), [(1, 4_522_007), (2, 4_522_263), (3, 4_522_775), (4, 4_523_799)]
)
def test_parameters_of_the_atrous_network_by_conditioning_layer(layer: int, n_parameters: int) -> None:
    system = CaaNet(THREE, CaaNetParams(**ATROUS, condition_layer=layer), Budget.PAPER)  # type: ignore[arg-type]
    assert sum(p.numel() for p in system.build().parameters()) == n_parameters


def test_parameters_of_the_two_branches() -> None:
    module = CaaNet(THREE, CaaNetParams(**ATROUS), Budget.PAPER).build()  # type: ignore[arg-type]
    device = sum(p.numel() for p in module.cnn_device.parameters())
    assert device == 207_171
    assert sum(p.numel() for p in module.parameters()) - device == 4_316_628


def test_dense_layer_of_flattened_maps_sees_40960_values() -> None:
    for setting in ({"pooling": "flatten"}, {"topology": "atrous", "pooling": "roi"}):
        module = CaaNet(THREE, CaaNetParams(**setting), Budget.PAPER).build()  # type: ignore[arg-type]
        assert module.fc_final.weight.shape == (10, 40_960)


def test_receptive_field_of_the_atrous_network_is_61_bins() -> None:
    """1 + 4 (1 + 2 + 4 + 8): what one output bin depends on, found by the gradient."""
    module = CaaNetwork(shape(topology="atrous", n_frames=128, n_bands=128)).eval()
    x = torch.zeros(1, 128, 128, requires_grad=True)
    for weight in module.emb.parameters():
        nn.init.constant_(weight, 0.1)
    maps, _ = module.maps(x)
    maps[0, :, 64, 64].sum().backward()
    touched = x.grad[0].abs() > 0
    assert touched.any(dim=1).sum() == 61 and touched.any(dim=0).sum() == 61
    assert maps.shape[2:] == (128, 128)


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_conditioning_equals_the_convolution_of_expanded_one_hot_maps(layer: int) -> None:
    """Equation 1 as printed: W * M + V * E, with E the one-hot device in every bin, then normalisation and ReLU."""
    torch.manual_seed(layer)
    stack = ConditionedStack((4, 5, 6, 7), pool=1, dilations=(1, 2, 4, 8), n_devices=3, layer=layer).double().eval()
    condition = stack.get_submodule("cond" if layer == 1 else f"cond{layer}")
    nn.init.normal_(condition.bias)
    x, device = torch.randn(6, 1, 9, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 2, 1, 0])
    expected = x
    for i in range(1, 5):
        expected = stack.get_submodule(f"conv{i}")(expected)
        if i == layer:
            one_hot = nn.functional.one_hot(device, 3).double()[:, :, None, None]
            expected = expected + condition(one_hot.expand(-1, -1, 9, 8))
        expected = torch.relu(stack.get_submodule(f"bn{i}")(expected))
    torch.testing.assert_close(stack.conditioned(x, device), expected, rtol=1e-12, atol=1e-12)


def test_gradient_of_the_condition_equals_that_of_the_expanded_maps() -> None:
    stack = ConditionedStack((4,), pool=1, dilations=(1,), n_devices=2, layer=1).double()
    x, device = torch.randn(3, 1, 6, 5, dtype=torch.float64), torch.tensor([0, 1, 1])
    stack.conditioned(x, device).square().sum().backward()
    found = [p.grad.clone() for p in stack.cond.parameters()]
    stack.zero_grad()
    one_hot = nn.functional.one_hot(device, 2).double()[:, :, None, None].expand(-1, -1, 6, 5)
    torch.relu(stack.bn1(stack.conv1(x) + stack.cond(one_hot))).square().sum().backward()
    for ours, theirs in zip(found, stack.cond.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.grad, rtol=1e-9, atol=1e-9)


def test_predicted_device_is_the_argmax_and_no_gradient_flows_through_it() -> None:
    module = CaaNetwork(shape(n_devices=3, predicts_device=True, condition_layer=2)).eval()
    nn.init.normal_(module.emb.cond2.bias)
    x = torch.randn(5, 32, 16)
    outputs = module(x)
    told = CaaNetwork(shape(n_devices=3, condition_layer=2)).eval()
    told.load_state_dict({k: v for k, v in module.state_dict().items() if k in told.state_dict()})
    torch.testing.assert_close(told(x, outputs["device"].argmax(dim=1))["scene"], outputs["scene"])
    outputs["scene"].sum().backward()
    assert all(p.grad is None for p in module.cnn_device.parameters())


def pooled(maps: np.ndarray, pooling: str) -> np.ndarray:
    """Equations 3 and 4 and regions of 16 x 16 with numpy: maps (n, channels, time, mel)."""
    if pooling == "max":
        return maps.max(axis=(2, 3))
    if pooling == "avg":
        return maps.mean(axis=(2, 3))
    n, channels, frames, bands = maps.shape
    regions = maps[:, :, : frames // 16 * 16, : bands // 16 * 16]
    regions = regions.reshape(n, channels, frames // 16, 16, bands // 16, 16).max(axis=(3, 5))
    return regions.reshape(n, -1)


@pytest.mark.parametrize("pooling", ["max", "avg", "roi"])
def test_global_pooling_and_the_dense_layer(pooling: str) -> None:
    torch.manual_seed(1)
    module = CaaNetwork(shape(pooling=pooling, n_frames=40, n_bands=37)).eval()
    x = torch.randn(2, 40, 37)
    with torch.no_grad():
        maps = module.emb(x[:, None]).numpy()
        found = module(x)["scene"].numpy()
    logits = pooled(maps, pooling) @ module.fc_final.weight.detach().numpy().T
    expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_regions_are_pooled_before_attention() -> None:
    torch.manual_seed(2)
    module = CaaNetwork(shape(pooling="roi+att", n_bands=64)).eval()
    nn.init.normal_(module.attention.att.weight)
    x = torch.randn(2, 32, 64)
    with torch.no_grad():
        maps = module.emb(x[:, None])
        regions = torch.from_numpy(pooled(maps.numpy(), "roi").reshape(2, 5, 2, 4))
        torch.testing.assert_close(module(x)["scene"], module.attention(regions))
        assert module.attention.attention(module.maps(x)[0]).shape == (2, 3, 2, 4)


def test_flattened_maps_feed_the_dense_layer() -> None:
    torch.manual_seed(3)
    module = CaaNetwork(shape(topology="cnn-pool", pooling="flatten", n_bands=32)).eval()
    x = torch.randn(2, 32, 32)
    with torch.no_grad():
        logits = module.fc_final(module.emb(x[:, None]).reshape(2, -1))
        torch.testing.assert_close(module(x)["scene"], logits.log_softmax(dim=1))


def test_best_layers_are_those_of_the_published_table() -> None:
    path = Path(__file__).parents[2] / "results" / "published" / "caanet_table1.csv"
    table: dict[tuple[str, str], dict[int, float]] = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            accuracies = table.setdefault((row["topology"], row["pooling"]), {})
            accuracies[int(row["condition_layer"])] = float(row["accuracy"])
    assert {model: max(layers, key=layers.__getitem__) for model, layers in table.items()} == dict(BEST_LAYER)
    assert set(table) == {(topology, pooling) for topology, some in POOLINGS.items() for pooling in some}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("caa-net[pooling=roi]", "pooling roi does not go with topology cnn-pool.*choose flatten, max, avg, att"),
        ("caa-net[topology=atrous,pooling=flatten]", "flatten does not go with topology atrous"),
        ("caa-net[condition_layer=5]", "must be one of 1, 2, 3, 4"),
        ("caa-net[training=single-device,weights=x.tar]", "one network, and training=single-device needs one"),
    ],
)
def test_impossible_settings_are_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_variants(text)


def test_equal_runs_have_equal_names() -> None:
    (variant,) = {str(v) for v in parse_variants("caa-net[condition_layer=*]")}
    assert variant == "caa-net"
    assert len(parse_variants("caa-net[condition_layer=*,training=multi-task]")) == 4
