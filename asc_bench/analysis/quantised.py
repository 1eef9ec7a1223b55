"""What a fitted network loses when its numbers are stored with fewer bits, measured on the test clips."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from asc_bench.bench.bench import Bench
from asc_bench.bench.examples import by_level
from asc_bench.bench.waveforms import averaged
from asc_bench.errors import ConfigError
from asc_bench.limits import DEFAULT_PRECISION
from asc_bench.protocol import Fold
from asc_bench.runs.fitted import given_clips
from asc_bench.runs.settings import Settings
from asc_bench.scoring.frames import score_table, significance_table
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.predictions import prediction_frame, stack_runs
from asc_bench.systems.base import System
from asc_bench.systems.distilled import DistilledSystem
from asc_bench.systems.torch_system import TorchSystem

if TYPE_CHECKING:
    from torch import Tensor, nn

PRECISIONS = ("float16", "int8")

_MOST = 127


@dataclass(frozen=True)
class Change:
    """A score in one precision, and how it differs from that in float32 on the same clips.

    Attributes
    ----------
    value, low, high : float
        Score, with its 95 % interval over recording locations; percent as fractions.
    change, change_low, change_high : float
        Score less that in float32, with the paired interval; NaN in the row of float32.
    """

    precision: str
    value: float
    low: float
    high: float
    change: float
    change_low: float
    change_high: float


def quantised(system: System, precision: str) -> TorchSystem:
    """A copy of a fitted system that predicts with numbers of another precision.

    Parameters
    ----------
    system : System
        Fitted; it stays as it is. Of a distilled system the student is meant.
    precision : {"float32", "float16", "int8"}
        ``float16``: the network in half precision, arithmetic included. ``int8``: weights of convolutions and
        matrices are rounded to 255 steps, see `round_weights`, and everything is computed in float32. ``float32``:
        single precision, whatever the system's plan says.

    Raises
    ------
    ConfigError
        For a system that is not one network.
    """
    system = system.inner if isinstance(system, DistilledSystem) else system
    if not isinstance(system, TorchSystem) or system.module is None or "n_macs_dcase" not in system.complexity():
        raise ConfigError(f"{system.card.name} is not a single neural network, and only such are quantised")
    from asc_bench.training.evaluate import copy_of

    other = copy.copy(system)
    other.module = copy_of(system.module)
    plan = replace(system.training_plan(), test_precision="float16" if precision == "float16" else "float32")
    other.training_plan = lambda: plan  # type: ignore[method-assign]
    if precision == "int8":
        round_weights(other.module)
    return other


def round_weights(module: nn.Module) -> None:
    """Round the weights of convolutions, dense and recurrent layers to 8-bit integers times a scale, in place.

    Symmetric, with a scale for each output channel: its largest absolute value is 127 steps. Only the values
    change, not their type, so this simulates a network that stores integers and computes in float32. Biases, and
    scales and shifts of normalisations, are few, and stay as they are. No activation is rounded, which a processor
    without floating point would do too; torch rounds weights alone for dense layers only.
    """
    import torch

    with torch.no_grad():
        for tensor, axis in _matrices(module):
            tensor.copy_(_rounded(tensor, axis))


def n_bytes(module: nn.Module, precision: str) -> int:
    """Bytes of the parameters; in int8 with four for each scale and for each number that is not rounded."""
    every = sum(p.numel() for p in module.parameters())
    if precision != "int8":
        return every * (2 if precision == "float16" else 4)
    rounded = _matrices(module)
    n_rounded, n_scales = sum(t.numel() for t, _ in rounded), sum(t.shape[axis] for t, axis in rounded)
    return n_rounded + 4 * (n_scales + every - n_rounded)


def predictions_of_test(system: System, bench: Bench, fold: Fold, settings: Settings) -> pd.DataFrame:
    """Predictions of a fold's test clips, as a run stores them."""
    given = system.predict(given_clips(bench, fold.test, system, settings))
    labels = bench.protocol.labels
    levels = averaged(by_level(given, labels), bench.feature_rows(fold.test)[1])
    return prediction_frame(bench.select(fold.test), labels, levels, split="test")


def changes(
    predictions: Mapping[str, Sequence[tuple[Mapping[str, object], pd.DataFrame]]], measure: Measure
) -> list[Change]:
    """Scores by precision, each beside that in float32.

    Parameters
    ----------
    predictions : mapping of str to sequence of (manifest, predictions)
        By precision, ``float32`` among them; one of each fold and repeat.
    """
    frame = stack_runs(
        ({**manifest, "variant": precision}, rows)
        for precision, runs in predictions.items()
        for manifest, rows in runs
    )
    scores = {str(row["system"]): row for row in score_table(frame, [measure]).to_dict("records")}
    pairs = significance_table(frame, measure, reference=DEFAULT_PRECISION)
    found = []
    for precision in predictions:
        row = scores[precision]
        change = low = high = float("nan")
        for pair in pairs.to_dict("records"):
            if {pair["system_a"], pair["system_b"]} == {precision, DEFAULT_PRECISION}:
                change, low, high = pair["difference"], pair["low"], pair["high"]
                if pair["system_a"] == DEFAULT_PRECISION:
                    change, low, high = -change, -high, -low
        found.append(Change(precision, row["value"], row["low"], row["high"], change, low, high))
    return found


def _matrices(module: nn.Module) -> list[tuple[Tensor, int]]:
    """Tensors of two axes or more in the layers, each once, with the axis of their output channels."""
    from torch import nn

    found: dict[int, tuple[Tensor, int]] = {}
    for layer in module.modules():
        axis = 1 if isinstance(layer, nn.modules.conv._ConvTransposeNd) else 0
        for parameter in layer.parameters(recurse=False):
            if parameter.ndim > 1:
                found.setdefault(id(parameter), (parameter, axis))
    return list(found.values())


def _rounded(tensor: Tensor, axis: int) -> Tensor:
    import torch

    others = [i for i in range(tensor.ndim) if i != axis]
    scale = tensor.abs().amax(dim=others) / _MOST
    scale[scale == 0] = 1.0  # a channel of zeros stays one
    zero = torch.zeros(len(scale), dtype=torch.int32, device=tensor.device)
    return torch.fake_quantize_per_channel_affine(tensor, scale, zero, axis, -_MOST, _MOST)
