"""Quantisation after training: rounding against numpy, bytes by hand, and signs of the changes."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from asc_bench.analysis.quantised import Change, changes, n_bytes, quantised, round_weights
from asc_bench.api import Budget, ConfigError, Measure, TrainingPlan
from asc_bench.cli.quantise import changes_table
from asc_bench.runs.variant import parse_variants
from tests.unit.made_predictions import LABELS, clips_of, frame_of
from tests.unit.small_sets import TinyNet, task, tones

PLAN = TrainingPlan(batch_size=1, epochs=1, test_precision="float16")


def fitted() -> TinyNet:
    torch.manual_seed(0)
    system = TinyNet(PLAN)
    system.module = system.build()
    return system


@pytest.mark.parametrize(
    ("layer", "axis"), [(nn.Conv2d(3, 4, 3), 0), (nn.Linear(5, 4), 0), (nn.ConvTranspose1d(3, 4, 2), 1)]
)
def test_each_output_channel_has_255_steps_of_its_own(layer: nn.Module, axis: int) -> None:
    assert isinstance(layer.weight, torch.Tensor) and isinstance(layer.bias, torch.Tensor)
    with torch.no_grad():
        layer.weight.select(axis, 1).zero_()
    before, bias = layer.weight.detach().numpy().copy(), layer.bias.detach().clone()
    round_weights(layer)
    others = tuple(i for i in range(before.ndim) if i != axis)
    step = np.abs(before).max(axis=others, keepdims=True) / 127
    expected = np.rint(np.divide(before, step, out=np.zeros_like(before), where=step > 0)) * step
    np.testing.assert_allclose(layer.weight.detach().numpy(), expected, atol=1e-6)
    assert torch.equal(layer.bias, bias)


def test_bytes_by_hand() -> None:
    module = nn.Sequential(nn.Conv1d(3, 4, 5), nn.BatchNorm1d(4))
    every = 3 * 4 * 5 + 4 + 2 * 4
    assert [n_bytes(module, p) for p in ("float32", "float16")] == [4 * every, 2 * every]
    assert n_bytes(module, "int8") == 60 + 4 * (4 + 4 + 8)


def test_a_copy_is_rounded_and_the_system_stays_as_it_is() -> None:
    system, clips = fitted(), tones(4, (20, 12))
    assert system.module is not None
    before = [p.detach().clone() for p in system.module.parameters()]
    found = {p: quantised(system, p).predict(clips) for p in ("float32", "float16", "int8")}
    assert all(torch.equal(a, b) for a, b in zip(before, system.module.parameters(), strict=True))
    assert system.training_plan().test_precision == "float16"
    np.testing.assert_array_equal(found["float16"], system.predict(clips))
    for precision in ("float16", "int8"):
        assert 0 < np.abs(np.asarray(found[precision]) - np.asarray(found["float32"])).max() < 0.05


def test_of_a_distilled_system_the_student_is_quantised() -> None:
    system, clips = fitted(), tones(4, (20, 12))
    wrapper = parse_variants("distilled[student=sb-cnn,teachers=raw-cnn]")[0].build(task(), Budget.SMOKE)
    wrapper.inner = system  # type: ignore[attr-defined]
    np.testing.assert_array_equal(
        np.asarray(quantised(wrapper, "int8").predict(clips)), np.asarray(quantised(system, "int8").predict(clips))
    )


def test_a_system_without_its_network_is_refused() -> None:
    with pytest.raises(ConfigError, match="tiny-net is not a single neural network, and only such are quantised"):
        quantised(TinyNet(PLAN), "int8")


def rows(n_right: int) -> pd.DataFrame:
    """Of the twelve clips of each scene and device, the first so many are right."""
    clips = clips_of(devices=("A",))
    truth = LABELS.encode(clips["scene"])
    place = np.tile(np.arange(12), 3)
    return frame_of(clips, np.where(place < n_right, truth, (truth + 1) % 3))


def test_a_change_is_the_score_less_that_in_float32() -> None:
    manifest = {"variant": "net", "fold": "fold1", "repeat": 0}
    given = {"float32": 9, "float16": 9, "int8": 6}
    found = changes({p: [(manifest, rows(n))] for p, n in given.items()}, Measure("accuracy"))
    assert [c.precision for c in found] == list(given)
    assert [c.value for c in found] == pytest.approx([0.75, 0.75, 0.5])
    assert np.isnan(found[0].change)
    assert [c.change for c in found[1:]] == pytest.approx([0.0, -0.25])
    assert found[2].change_low <= found[2].change <= found[2].change_high


@pytest.mark.parametrize(
    ("width", "titles"),
    [(100, ["precision", "bytes", "accuracy", "change"]), (50, ["precision", "accuracy", "change"])],
)
def test_the_table_is_as_wide_as_the_terminal_and_says_what_it_leaves_out(width: int, titles: list[str]) -> None:
    found = [
        Change("float32", 0.75, 0.7, 0.8, *[float("nan")] * 3),
        Change("int8", 0.5, 0.45, 0.55, -0.25, -0.3, -0.2),
    ]
    sizes = {"float32": 123_456, "int8": 34_567}
    text = changes_table(found, Measure("accuracy"), sizes, "A protocol: net quantised", ["A caveat."]).text(width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert lines[2].split() == titles
    (row,) = (line for line in lines if line.startswith("int8 "))
    assert "50.0" in row and "25.0" in row
    assert ("34,567" in row) == ("bytes" in titles)
    assert ("Not shown: bytes. Widen the window." in " ".join(text.split())) == ("bytes" not in titles)
