"""The networks of CAA-Net (Ren et al. 2021), with names as in the checkpoints of its authors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from asc_bench.api import ConfigError
from asc_bench.modules.conv import ConvStack
from asc_bench.modules.initialise import he_uniform
from asc_bench.modules.pooling import AttentionPooling

DILATIONS = (1, 2, 4, 8)
ROI = 16
"""Side of a region of interest, in bins: as many as four poolings by two merge into one (section III.D)."""

ATTENTIVE = ("att", "roi+att")
REGIONAL = ("roi", "roi+att")

FIRST_DEVICE_WEIGHT, LATER_DEVICE_WEIGHT = 1.0, 1e-4


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a network is built from.

    Attributes
    ----------
    topology, pooling : str
        As in ``CaaNetParams``.
    widths, device_widths : sequence of int
        Channels of the layers of the scene branch and of the device branch.
    n_classes, n_frames, n_bands : int
        Scenes to tell apart, and size of one input.
    n_devices : int
        Devices to condition on; 0 for none.
    condition_layer : int
        Layer (from 1) whose convolution the device is added to.
    predicts_device : bool
        Whether a branch of the network finds the device, which is given otherwise.
    mixture : {"geometric", "arithmetic"}
        See ``AttentionPooling``.
    """

    topology: str
    pooling: str
    widths: Sequence[int]
    device_widths: Sequence[int]
    n_classes: int
    n_frames: int
    n_bands: int
    n_devices: int
    condition_layer: int
    predicts_device: bool
    mixture: Literal["geometric", "arithmetic"]


class DeviceBranch(ConvStack):
    """CNN-d: two pooled convolutions, global maximum, one dense layer (section III.B.4)."""

    def __init__(self, widths: Sequence[int], n_devices: int) -> None:
        super().__init__(widths)
        self.fc1 = nn.Linear(widths[-1], n_devices)

    def forward(self, x: Tensor, *, shift: Tensor | None = None, shifted_layer: int = 0) -> Tensor:
        """(n, 1, time, mel) to device logits, (n, n_devices)."""
        logits: Tensor = self.fc1(super().forward(x, shift=shift, shifted_layer=shifted_layer).amax(dim=(2, 3)))
        return logits


class ConditionedStack(ConvStack):
    """Convolutions, one of which the device is added to (equation 1).

    The paper expands the one-hot device to maps and convolves them 1-by-1. All bins of the result are equal, so
    that one column of the same weights, plus the bias, gives the same numbers for next to nothing.
    """

    def __init__(
        self, widths: Sequence[int], *, pool: int, dilations: Sequence[int], n_devices: int, layer: int
    ) -> None:
        super().__init__(widths, pool=pool, dilations=dilations)
        self.layer = layer
        self.name = "cond" if layer == 1 else f"cond{layer}"
        self.add_module(self.name, nn.Conv2d(n_devices, widths[layer - 1], 1))

    def conditioned(self, x: Tensor, device: Tensor) -> Tensor:
        """(n, 1, time, mel) and device indices, (n,), to (n, widths[-1], time', mel')."""
        condition = self.get_submodule(self.name)
        assert isinstance(condition, nn.Conv2d) and condition.bias is not None
        shift = condition.weight[:, :, 0, 0].t()[device] + condition.bias
        maps: Tensor = self(x, shift=shift, shifted_layer=self.layer)
        return maps


class CaaNetwork(nn.Module):
    """Four convolutions, a global pooling, and what conditions them.

    ``forward`` gives a mapping: ``scene``, log scores (n, n_classes); with a device branch also ``device``,
    logits (n, n_devices), and ``device_weight``, the lambda of equation 2 as it is now.
    """

    device_weight: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        pool = 2 if shape.topology == "cnn-pool" else 1
        dilations = DILATIONS if shape.topology == "atrous" else (1,) * len(shape.widths)
        self.emb: ConvStack = (
            ConditionedStack(
                shape.widths,
                pool=pool,
                dilations=dilations,
                n_devices=shape.n_devices,
                layer=shape.condition_layer,
            )
            if shape.n_devices
            else ConvStack(shape.widths, pool=pool, dilations=dilations)
        )
        width, n_bins = shape.widths[-1], (shape.n_frames // ROI) * (shape.n_bands // ROI)
        if shape.pooling in ATTENTIVE:
            self.attention = AttentionPooling(width, shape.n_classes, mixture=shape.mixture)
        else:
            n_inputs = width * n_bins if shape.pooling in ("flatten", "roi") else width
            self.fc_final = nn.Linear(n_inputs, shape.n_classes)
        if shape.predicts_device:
            self.cnn_device = DeviceBranch(shape.device_widths, shape.n_devices)
            # A buffer, so that checkpoints of a training carry it.
            self.register_buffer("device_weight", torch.tensor(FIRST_DEVICE_WEIGHT))
        he_uniform(self)
        if shape.pooling in ATTENTIVE:
            # As in the released code: attention starts uniform over the bins.
            nn.init.zeros_(self.attention.att.weight)

    def forward(self, features: Tensor, device: Tensor | None = None) -> Mapping[str, Tensor]:
        """Log-mel, (n, time, mel), and device indices, (n,), where they are given to the network."""
        outputs: dict[str, Tensor] = {}
        maps, found = self.maps(features, device)
        if found is not None:
            outputs = {"device": found, "device_weight": self.device_weight}
        return {"scene": self._scores(maps), **outputs}

    def maps(self, features: Tensor, device: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """What the global pooling sees, (n, channels, time', mel'), and device logits where there are any."""
        x, found = features.unsqueeze(1), None
        if isinstance(self.emb, ConditionedStack):
            if self.shape.predicts_device:
                found = self.cnn_device(x)
                # No gradient flows through the choice, as in the released code.
                device = found.argmax(dim=1)
            assert device is not None
            maps = self.emb.conditioned(x, device)
        else:
            maps = self.emb(x)
        if self.shape.pooling in REGIONAL:
            maps = nn.functional.max_pool2d(maps, ROI)
        return maps, found

    def embed(self, features: Tensor) -> Tensor:
        """What the classification layer sees of log-mel, (n, time, mel), in one vector for each clip, (n, size).

        Attention classifies each bin of the maps: there it is their mean over the bins.

        Raises
        ------
        ConfigError
            If the network needs the device of each clip.
        """
        if self.shape.n_devices and not self.shape.predicts_device:
            raise ConfigError(
                "caa-net: training=teacher-forcing needs the device of each clip, so that clips alone have "
                "no embedding; use training=joint or multi-task"
            )
        maps, _ = self.maps(features)
        return maps.mean(dim=(2, 3)) if self.shape.pooling in ATTENTIVE else self._pooled(maps)

    def _scores(self, maps: Tensor) -> Tensor:
        if self.shape.pooling in ATTENTIVE:
            scores: Tensor = self.attention(maps)
            return scores
        logits: Tensor = self.fc_final(self._pooled(maps))
        return logits.float().log_softmax(dim=1)

    def _pooled(self, maps: Tensor) -> Tensor:
        """(n, channels, time', mel') to (n, size), by a pooling without attention."""
        if self.shape.pooling == "max":
            return maps.amax(dim=(2, 3))
        if self.shape.pooling == "avg":
            return maps.mean(dim=(2, 3))
        return maps.flatten(start_dim=1)
