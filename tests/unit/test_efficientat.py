"""MobileNetV3 of EfficientAT: published sizes, and checkpoints in the layout of the release with random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.baselines.device_specific import DeviceSpecific
from asc_bench.baselines.efficientat import Efficientat, EfficientatParams
from torch import Tensor

from asc_bench.api import FINE, Budget, ConfigError, Crop, DeviceSpecificParams, StoreError
from asc_bench.features.encoders import foreign
from asc_bench.features.encoders.efficientat_network import ROWS, Block, Row, SqueezeExcitation
from tests.unit.small_sets import accuracy, clips, context, task, tones

CLASSIFIER = {"classifier.5.weight", "classifier.5.bias"}


@pytest.mark.parametrize(
    ("width", "mega_parameters", "giga_macs"),
    [
        (0.4, 0.983, 0.11),
        (0.5, 1.43, 0.16),
        (1.0, 4.88, 0.54),
        (2.0, 17.91, 2.06),
        (3.0, 39.09, 4.55),
        (4.0, 68.43, 8.03),
    ],
)
def test_sizes_are_the_published_ones(width, mega_parameters, giga_macs):
    """Of 527 classes, and of 10 s: the table of the authors' README."""
    system = Efficientat(task(527, duration_s=10.0), EfficientatParams(width=width), Budget.PAPER)
    with torch.device("meta"):
        system.module = system.build()
    n_parameters = sum(p.numel() for p in system.module.parameters())
    assert n_parameters / 1e6 == pytest.approx(mega_parameters, abs=0.005)
    assert system.front_end().shape(10.0) == (1_000, 128)
    assert system.network_cost().n_multiply_adds / 1e9 == pytest.approx(giga_macs, abs=0.005)


def test_the_front_end_is_that_of_the_source():
    made = Efficientat(task()).front_end()
    assert (made.sample_rate_hz, made.n_fft, made.window_length, made.hop_length) == (32_000, 1_024, 800, 320)
    assert (made.n_mels, made.fmin_hz, made.fmax_hz, made.pre_emphasis) == (128, 0.0, 15_000.0, 0.97)
    assert made.symmetric_window and made.pad == "reflect"
    silence = made(np.zeros(32_000, dtype=np.float32))
    np.testing.assert_allclose(silence, (np.log(1e-5) + 4.5) / 5, atol=1e-5)


def test_channels_are_scaled_by_what_two_dense_layers_make_of_their_means():
    layer = SqueezeExcitation(8)
    with torch.no_grad():
        for dense in (layer.fc1, layer.fc2):
            torch.nn.init.eye_(dense.weight)
            torch.nn.init.zeros_(dense.bias)
    x = torch.tensor([1.0, -2.0, 0.0, 3.0, 0.5, -1.0, 2.0, 4.0])[None, :, None, None] * torch.ones(1, 1, 2, 2)
    x[0, 3] = torch.tensor([[1.0, 5.0], [2.0, 4.0]])  # of the mean 3
    share = torch.tensor([1 / (1 + np.exp(-max(0.0, mean))) for mean in (1, -2, 0, 3, 0.5, -1, 2, 4)])
    torch.testing.assert_close(layer(x), x * share.float()[None, :, None, None])


def test_blocks_add_their_input_where_it_fits():
    x = torch.randn(2, 16, 8, 6)
    for row, n_in, adds in ((ROWS[0], 16, True), (Row(3, 64, 16, True, True, 2), 16, False)):
        block = Block(n_in, row, width=1.0, momentum=0.1).eval()
        torch.nn.init.zeros_(block.block[-1][0].weight)
        found = block(x)
        assert torch.equal(found, x if adds else torch.zeros(2, 16, 4, 3))


def released(*, hidden: int = 128, seed: int = 0) -> dict[str, Tensor]:
    """The state dict of a published network at width 0.1, by the authors' classes; weights are random."""
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int) -> None:
        shapes[f"{name}.0.weight"] = shape
        for key in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.1.{key}"] = shape[:1]
        shapes[f"{name}.1.num_batches_tracked"] = ()

    # Channels inside and after the blocks at width 0.1, in eights; blocks that widen; kernels; squeezed to 8.
    inside = (8, 8, 8, 8, 16, 16, 24, 24, 24, 24, 48, 64, 64, 96, 96)
    outside = (8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16, 16)
    kernels = (3, 3, 3, 5, 5, 5, 3, 3, 3, 3, 3, 3, 5, 5, 5)
    layer("features.0", 8, 1, 3, 3)
    before = 8
    for i, (wide, out, kernel) in enumerate(zip(inside, outside, kernels, strict=True), start=1):
        part = iter(range(4))
        if wide != before:
            layer(f"features.{i}.block.{next(part)}", wide, before, 1, 1)
        layer(f"features.{i}.block.{next(part)}", wide, 1, kernel, kernel)
        if i in (4, 5, 6, 11, 12, 13, 14, 15):
            name, squeezed = f"features.{i}.block.{next(part)}.conc_se_layers.0", {64: 16, 96: 24}.get(wide, 8)
            squeezed = 16 if wide == 48 else squeezed
            shapes |= {f"{name}.fc1.weight": (squeezed, wide), f"{name}.fc1.bias": (squeezed,)}
            shapes |= {f"{name}.fc2.weight": (wide, squeezed), f"{name}.fc2.bias": (wide,)}
        layer(f"features.{i}.block.{next(part)}", out, wide, 1, 1)
        before = out
    layer("features.16", 96, 16, 1, 1)
    shapes |= {"classifier.2.weight": (hidden, 96), "classifier.2.bias": (hidden,)}
    shapes |= {"classifier.5.weight": (527, hidden), "classifier.5.bias": (527,)}
    draw = torch.Generator().manual_seed(seed)
    tensors = {name: torch.rand(shape, generator=draw) - 0.3 for name, shape in shapes.items()}
    for name in shapes:
        if name.endswith("running_var"):
            tensors[name] += 1.0
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(7)
    return tensors


def starting_from(path: Path, *, width: float = 0.1, layers: str = "all") -> Efficientat:
    params = EfficientatParams(width=width, weights=str(path), layers=layers)
    return Efficientat(task(3, duration_s=1.0), params, Budget.SMOKE)


def test_a_released_checkpoint_is_taken_over_but_for_the_last_layer(tmp_path):
    torch.save(released(), tmp_path / "mn01.pt")
    state, given = starting_from(tmp_path / "mn01.pt").starting_network().state_dict(), released()
    assert state.keys() == given.keys()
    for name in state.keys() - CLASSIFIER:
        assert torch.equal(state[name], given[name]), name
    assert state["classifier.5.weight"].shape == (3, 128)


@pytest.mark.parametrize("layers", ["classifier", "all"])
def test_what_is_trained_from_a_checkpoint(layers, tmp_path, monkeypatch):
    torch.save(released(), tmp_path / "mn01.pt")
    system = starting_from(tmp_path / "mn01.pt", layers=layers)
    plan = replace(system.training_plan(), iterations=2, batch_size=4, crop=Crop(length=32, n_test=1))
    monkeypatch.setattr(system, "training_plan", lambda: plan)
    system.fit(tones(2, (100, 128)), None, context(tmp_path))
    state, given = system.module.state_dict(), released()
    moved = {name for name in state.keys() - CLASSIFIER if not torch.equal(state[name].cpu(), given[name])}
    assert (moved == set()) == (layers == "classifier")
    assert system.module.classifier[-1].bias.detach().any()


@pytest.mark.parametrize("layers", ["classifier", "all"])
def test_networks_of_devices_start_from_the_general_one_and_not_from_the_file(layers, tmp_path, monkeypatch):
    torch.save(released(), tmp_path / "mn01.pt")
    inner = starting_from(tmp_path / "mn01.pt", layers=layers)
    plan = replace(inner.training_plan(), iterations=3, batch_size=4, crop=Crop(length=32, n_test=1))
    monkeypatch.setattr(inner, "training_plan", lambda: plan)
    read, load = [], foreign.load_foreign_state
    monkeypatch.setattr(foreign, "load_foreign_state", lambda path: read.append(path) or load(path))
    system = DeviceSpecific(task(3, devices=("A", "B")), DeviceSpecificParams(of="efficientat"), Budget.SMOKE)
    system.inner = inner
    system.fit(replace(tones(4, (100, 128)), device=np.array([0, 1] * 6)), None, context(tmp_path))
    assert system.complexity()["n_device_models"] == 3 and read == [tmp_path / "mn01.pt"]
    general, of_a = (system._models[name].state_dict() for name in ("", "A"))
    moved = {name for name, value in of_a.items() if not torch.equal(value, general[name])}
    assert moved >= CLASSIFIER and (moved == CLASSIFIER) == (layers == "classifier")


def test_checkpoints_of_other_networks_are_refused(tmp_path):
    path = tmp_path / "mn01.pt"
    torch.save(released(), path)
    with pytest.raises(
        StoreError,
        match=r"^efficientat: \S*mn01.pt: no checkpoint of EfficientAT \(MobileNetV3\), network=mn, width=1.0: it "
        r"lacks features.2.block.2.0.weight, and \d+ more tensors differ$",
    ):
        starting_from(path, width=1.0).starting_network()
    torch.save(released(hidden=120), path)
    with pytest.raises(StoreError, match=r"classifier.2.weight has the shape \(120, 96\) instead of \(128, 96\)"):
        starting_from(path).starting_network()


@pytest.mark.parametrize("width", [0.0, float("inf")])
def test_senseless_settings_are_refused(width):
    with pytest.raises(ConfigError, match=f"efficientat: width is {width}, must be a number above 0"):
        EfficientatParams(width=width)


def test_paper_budget_is_the_recipe_for_tau_2020():
    system = Efficientat(task(10, duration_s=10.0), budget=Budget.PAPER)
    plan = system.training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.batch_size, plan.epochs) == ("adam", 8e-4, 64, 80)
    assert (plan.crop, plan.standardise, plan.weight_decay) == (None, "none", 0.0)
    # The source's factors at epochs: exp(-5 (1 - e / 10)^2), then from 1 at 10 to 0.01 at 75.
    expected = [np.exp(-5), np.exp(-5 / 4), 1, 0.505, 0.01, 0.01]
    assert [plan.schedule.factor(e, 160) for e in (0, 10, 20, 85, 150, 159)] == pytest.approx(expected)
    assert [t.name for t in plan.augment] == ["roll", "mixup"] and plan.augment[1].alpha == 0.3
    norms = [m for m in system.build().modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {(m.eps, m.momentum) for m in norms} == {(1e-3, 0.01)}


@pytest.mark.slow
def test_learns_separable_clips(tmp_path):
    train, test = (tones(n, (100, 128), seed=n) for n in (16, 4))
    train, test = (clips((c.features.load() + 40) / 3, c.labels[FINE]) for c in (train, test))
    system = Efficientat(task(3, duration_s=1.0), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
