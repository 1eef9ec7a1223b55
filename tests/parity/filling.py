"""Put the numbers of ``values`` into networks of torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from tests.parity.values import bias, drawn, kernel, normalisation


def named_layers(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers with weights, each named by its kind and its place among those of that kind: "conv0", "norm0"."""
    kinds = {
        "conv": (nn.Conv1d, nn.Conv2d),
        "norm": (nn.BatchNorm1d, nn.BatchNorm2d),
        "dense": (nn.Linear,),
    }
    seen = dict.fromkeys(kinds, 0)
    for layer in module.modules():
        for kind, classes in kinds.items():
            if isinstance(layer, classes):
                yield f"{kind}{seen[kind]}", layer
                seen[kind] += 1


@torch.no_grad()
def fill(module: nn.Module) -> nn.Module:
    """Give all layers the weights of their names, in place, and evaluation mode."""
    for name, layer in named_layers(module):
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            values = normalisation(name, layer.num_features)
            targets = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
            for target, value in zip(targets, values, strict=True):
                assert target is not None
                target.copy_(torch.from_numpy(value))
            continue
        assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear)
        layer.weight.copy_(torch.from_numpy(kernel(name, tuple(layer.weight.shape))))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(bias(name, len(layer.bias))))
    return module.eval()


@torch.no_grad()
def fill_by_key(module: nn.Module) -> nn.Module:
    """Give all tensors the values of their names in the state dict, in place, and evaluation mode."""
    for key, value in module.state_dict().items():
        if not value.is_floating_point() or value.ndim == 0:
            continue
        if key.endswith("running_var"):
            drawn_values = normalisation(key, len(value))[3]
        elif value.ndim > 1:
            drawn_values = kernel(key, tuple(value.shape))
        else:
            drawn_values = bias(key, len(value)) + np.float32(key.endswith("weight"))
        value.copy_(torch.from_numpy(drawn_values))
    return module.eval()


@torch.no_grad()
def fill_response_norms(module: nn.Module) -> nn.Module:
    """Give global response normalisations, which begin without effect, a scale and a shift of their own."""
    for i, layer in enumerate(layer for layer in module.modules() if hasattr(layer, "gamma")):
        layer.gamma.fill_(0.1 - 0.05 * i)
        layer.beta.fill_(0.05 * i - 0.1)
    return module


@torch.no_grad()
def fill_places(module: nn.Module) -> nn.Module:
    """As ``fill_by_key``, with tokens and embeddings of places large enough that an exchange of two shows."""
    fill_by_key(module)
    for key, value in module.state_dict().items():
        if key.endswith(("_token", "pos_embed")):
            value.copy_(torch.from_numpy(drawn(key, tuple(value.shape))))
    return module


@torch.no_grad()
def fill_dynamic(module: nn.Module) -> nn.Module:
    """As ``fill_by_key``, with the kernels of dynamic convolutions, stored as (1, 1, k, n), as large as others."""
    state = fill_by_key(module).state_dict()
    for key, value in state.items():
        if key.endswith("_conv.weight") and value.shape[:2] == (1, 1):
            n_out = len(state[key.replace("_conv.", "_norm.")])
            values = kernel(key, (value.shape[2] * n_out, value.shape[3] // n_out))
            value.copy_(torch.from_numpy(values).reshape(value.shape))
    return module.eval()
