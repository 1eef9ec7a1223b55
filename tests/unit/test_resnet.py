"""Residual networks: published sizes and costs, and the names of torchvision's layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from asc_bench.modules.resnet import BasicBlock, Bottleneck, ResNet

CLASSIFIER = {"resnet18": 512 * 1_000 + 1_000, "resnet50": 2_048 * 1_000 + 1_000}


def meta(kind: str, n_channels: int) -> ResNet:
    with torch.device("meta"):
        return ResNet(kind, n_channels=n_channels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "n_channels", "expected"),
    [
        ("resnet50", 1, 23_501_760),
        ("resnet50", 3, 25_557_032 - CLASSIFIER["resnet50"]),
        ("resnet18", 3, 11_689_512 - CLASSIFIER["resnet18"]),
        ("resnet18", 1, 11_689_512 - CLASSIFIER["resnet18"] - 2 * 64 * 49),
    ],
)
def test_parameters_are_those_that_torchvision_states_without_the_classifier(
    kind: str, n_channels: int, expected: int
) -> None:
    assert sum(p.numel() for p in meta(kind, n_channels).parameters()) == expected


@pytest.mark.parametrize(("kind", "expected"), [("resnet18", 1.814), ("resnet50", 4.089)])
def test_multiply_adds_of_an_image_are_those_that_torchvision_states(kind: str, expected: float) -> None:
    module = meta(kind, 3).eval()
    with FlopCounterMode(display=False) as counter:
        maps = module(torch.empty(1, 3, 224, 224, device="meta"))
    assert maps.shape == (1, module.n_features, 7, 7)
    classifier = module.n_features * 1_000
    assert round((counter.get_total_flops() // 2 + classifier) / 1e9, 3) == expected


def test_layers_are_named_as_in_torchvision() -> None:
    names = set(meta("resnet50", 3).state_dict())
    stem = {"conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"}
    assert stem <= names
    assert "layer3.5.conv3.weight" in names and "layer3.6.conv1.weight" not in names
    projected = {name.removesuffix(".0.weight") for name in names if name.endswith("downsample.0.weight")}
    assert projected == {f"layer{i}.0.downsample" for i in range(1, 5)}
    n_convolutions = sum(isinstance(layer, nn.Conv2d) for layer in meta("resnet50", 3).modules())
    assert n_convolutions == 53  # 49 on the way, 4 shortcuts


@pytest.mark.parametrize("block", [BasicBlock(3, 3, 1), Bottleneck(8, 2, 1)])
def test_a_block_whose_last_normalisation_is_zero_passes_its_input_through_a_relu(block: nn.Module) -> None:
    last = block.bn2 if isinstance(block, BasicBlock) else block.bn3
    nn.init.zeros_(last.weight)  # type: ignore[arg-type]
    x = torch.randn(2, 3 if isinstance(block, BasicBlock) else 8, 5, 4)
    torch.testing.assert_close(block(x), x.relu())


def test_stride_of_a_bottleneck_is_in_its_middle_convolution() -> None:
    block = Bottleneck(8, 2, 2)
    assert [layer.stride for layer in (block.conv1, block.conv2, block.conv3)] == [(1, 1), (2, 2), (1, 1)]
    assert block(torch.zeros(1, 8, 6, 6)).shape == (1, 8, 3, 3)


def test_width_scales_every_layer() -> None:
    narrow = ResNet("resnet50", width=8)
    assert narrow.n_features == 256
    assert narrow(torch.zeros(1, 1, 96, 64)).shape == (1, 256, 3, 2)
