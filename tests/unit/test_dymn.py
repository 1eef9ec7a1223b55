"""Dynamic MobileNets of EfficientAT: published sizes, parts by hand, checkpoints in the release's layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.baselines.efficientat import Efficientat, EfficientatParams
from torch import Tensor, nn

from asc_bench.api import FINE, Budget, ConfigError, Crop, StoreError
from asc_bench.features.encoders.dymn_network import Context, DynamicConvolution, DynamicRelu
from asc_bench.modules.efficientat import DynamicMobileNet
from tests.unit.small_sets import accuracy, clips, context, task, tones

CLASSIFIER = {"classifier.5.weight", "classifier.5.bias"}


def dymn(n_classes: int = 3, *, budget: Budget = Budget.SMOKE, **settings: object) -> Efficientat:
    params = EfficientatParams(network="dymn", **settings)  # type: ignore[arg-type]
    return Efficientat(task(n_classes, duration_s=10.0 if budget is Budget.PAPER else 1.0), params, budget)


@pytest.mark.parametrize(
    ("width", "n_parameters", "mega", "giga_macs"),
    [(0.4, 1_961_239, 1.97, 0.12), (1.0, 10_548_479, 10.57, 0.58), (2.0, 39_966_143, 40.02, 2.2)],
)
def test_sizes_are_the_published_ones(width, n_parameters, mega, giga_macs):
    """Of 527 classes, and of 10 s. The README's millions hold running statistics, the first count is the code's."""
    system = dymn(527, width=width, budget=Budget.PAPER)
    with torch.device("meta"):
        system.module = system.build()
    found = sum(p.numel() for p in system.module.parameters())
    assert found == n_parameters
    running = sum(b.numel() for name, b in system.module.named_buffers() if ".running_" in name)
    assert (found + running) / 1e6 == pytest.approx(mega, abs=0.005)
    assert system.network_cost().n_multiply_adds / 1e9 == pytest.approx(
        giga_macs, abs=0.025 if width > 1 else 0.005
    )


@pytest.mark.parametrize(("groups", "kernel", "stride"), [(1, 1, 1), (8, 3, 2), (8, 5, 1)])
def test_every_clip_is_convolved_with_its_own_mean_of_four_kernels(groups, kernel, stride):
    torch.manual_seed(0)
    layer = DynamicConvolution(8, 8, kernel, context=6, stride=stride, groups=groups)
    x, given, temperature = torch.randn(3, 8, 9, 7), torch.randn(3, 6), torch.tensor(0.5)
    kernels = layer.weight.detach().reshape(4, 8, 8 // groups, kernel, kernel)
    expected = []
    for clip, vector in zip(x, given, strict=True):
        scores = torch.exp(2 * layer.residuals(vector))
        own = sum(share * one for share, one in zip(scores / scores.sum(), kernels, strict=True))
        expected.append(nn.functional.conv2d(clip[None], own, stride=stride, padding=kernel // 2, groups=groups))
    torch.testing.assert_close(layer(x, given, temperature), torch.cat(expected))
    hot = layer(x, given, torch.tensor(1e6))
    mean = nn.functional.conv2d(x, kernels.mean(dim=0), stride=stride, padding=kernel // 2, groups=groups)
    torch.testing.assert_close(hot, mean, atol=1e-4, rtol=1e-4)


def test_dynamic_relu_begins_as_relu_and_is_the_larger_of_two_lines():
    layer, x = DynamicRelu(1, context=2), torch.tensor([-2.0, -0.5, 1.0])[None, None, None]
    nn.init.zeros_(layer.coef_net[0].weight)
    nn.init.zeros_(layer.coef_net[0].bias)
    torch.testing.assert_close(layer(x, torch.ones(1, 2)), x.relu())
    # Sigmoids of 3/4, 1/4, 3/4 and 1/4 move slopes by 1/2 and offsets by 1/4: 1.5 x + 0.25 and -0.5 x - 0.25.
    layer.coef_net[0].bias.data = torch.tensor([3.0, 1 / 3, 3.0, 1 / 3]).log()
    torch.testing.assert_close(layer(x, torch.ones(1, 2)), torch.tensor([0.75, 0.0, 1.75])[None, None, None])


def test_bands_and_frames_are_weighted_by_their_own_means():
    torch.manual_seed(0)
    made = Context(1, 1, context=1, stride=2, momentum=0.1).eval()
    for layer in (made.joint_conv, made.conv_f, made.conv_t):
        nn.init.ones_(layer.weight)
    nn.init.zeros_(made.conv_f.bias)
    nn.init.zeros_(made.conv_t.bias)
    x = torch.tensor([[1.0, 4.0, 1.0, 2.0], [4.0, 2.0, 6.0, 4.0]])[None, None]
    with torch.no_grad():
        vector, weights = made(x)

    def hard(mean: float) -> float:
        mean /= np.sqrt(1 + 1e-3)
        return mean * min(max(mean + 3, 0), 6) / 6

    bands, frames = [hard(m) for m in (2.0, 4.0)], [hard(m) for m in (2.5, 3.0, 3.5, 3.0)]
    assert float(vector) == pytest.approx(np.mean(bands + frames), rel=1e-5)
    # Of every second place the mean with both neighbours, of which 0 stands beyond the ends.
    of_band = 1 / (1 + np.exp(-sum(bands) / 3))
    of_frames = 1 / (1 + np.exp(-np.array([sum(frames[:2]), sum(frames[1:])]) / 3))
    np.testing.assert_allclose(weights[0, 0], [of_band * of_frames], rtol=1e-5)


def test_the_temperature_falls_as_in_the_source():
    """models/dymn/dy_block.py: T_max 30, T_min 1, slopes 1 and 0.02, by epochs; here of 80."""
    module, found = dymn().build(), []
    for epoch in range(80):
        module.cool(epoch / 80 + 1e-6)
        found.append(float(module.temperature))
    expected = [max(30 - epoch, 1 + 0.02 * 29 - 0.02 * epoch, 1) for epoch in range(80)]
    assert found == pytest.approx(expected) and found[0] == 30 and found[28:31] == [2, 1, 1]
    module.cool(0.0)
    assert float(module.temperature) == 1, "it never rises"


def trained(system: Efficientat, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Temperatures of three steps and of the test after them."""
    plan = replace(system.training_plan(), iterations=3, batch_size=4, crop=Crop(length=32, n_test=1))
    monkeypatch.setattr(system, "training_plan", lambda: plan)
    seen: list[float] = []
    forward = DynamicMobileNet.forward

    def watched(self: DynamicMobileNet, frames: Tensor) -> Tensor:
        if len(frames) == 4 or not self.training:
            seen.append(float(self.temperature))
        return forward(self, frames)

    monkeypatch.setattr(DynamicMobileNet, "forward", watched)
    system.fit(tones(2, (100, 128)), None, context(folder))
    system.predict(tones(1, (100, 128)))
    return seen[-4:]


def test_a_training_cools_the_kernels_and_the_test_keeps_the_last_temperature(tmp_path, monkeypatch):
    system = dymn()
    assert trained(system, tmp_path, monkeypatch) == [30, 30 - 26, 1, 1]
    system.save(tmp_path)
    again = dymn()
    again.load(tmp_path)
    assert float(again.module.temperature) == 1


def released(*, seed: int = 0) -> dict[str, Tensor]:
    """The state dict of a published network at width 0.1, by the authors' classes; weights are random."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, width: int) -> None:
        for key in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{key}"] = (width,)
        shapes[f"{name}.num_batches_tracked"] = ()

    def dynamic(name: str, size: int, vector: int) -> None:
        shapes[f"{name}.weight"] = (1, 1, 4, size)
        shapes[f"{name}.residuals.0.weight"], shapes[f"{name}.residuals.0.bias"] = (4, vector), (4,)

    # Channels inside and after the blocks at width 0.1, in eights, kernels, and sizes of the context.
    inside = (8, 8, 8, 8, 16, 16, 24, 24, 24, 24, 48, 64, 64, 96, 96)
    outside = (8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16, 16)
    kernels = (3, 3, 3, 5, 5, 5, 3, 3, 3, 3, 3, 3, 5, 5, 5)
    vectors = (8,) * 10 + (16,) * 5
    shapes["in_c.0.weight"] = (8, 1, 3, 3)
    norm("in_c.1", 8)
    before = 8
    for i, (wide, out, kernel, vector) in enumerate(zip(inside, outside, kernels, vectors, strict=True)):
        block = f"layers.{i}"
        if wide != before:
            dynamic(f"{block}.exp_conv", wide * before, vector)
            norm(f"{block}.exp_norm", wide)
        dynamic(f"{block}.depth_conv", wide * kernel**2, vector)
        norm(f"{block}.depth_norm", wide)
        shapes |= {f"{block}.depth_act.lambdas": (4,), f"{block}.depth_act.init_v": (4,)}
        shapes[f"{block}.depth_act.coef_net.0.weight"] = (4 * wide, vector)
        shapes[f"{block}.depth_act.coef_net.0.bias"] = (4 * wide,)
        dynamic(f"{block}.proj_conv", out * wide, vector)
        norm(f"{block}.proj_norm", out)
        shapes[f"{block}.context_gen.joint_conv.weight"] = (vector, before, 1, 1)
        norm(f"{block}.context_gen.joint_norm", vector)
        for axis in ("conv_f", "conv_t"):
            shapes[f"{block}.context_gen.{axis}.weight"] = (wide, vector, 1, 1)
            shapes[f"{block}.context_gen.{axis}.bias"] = (wide,)
        before = out
    shapes["out_c.0.weight"] = (96, 16, 1, 1)
    norm("out_c.1", 96)
    shapes |= {"classifier.2.weight": (128, 96), "classifier.2.bias": (128,)}
    shapes |= {"classifier.5.weight": (527, 128), "classifier.5.bias": (527,)}
    draw = torch.Generator().manual_seed(seed)
    tensors = {name: 0.1 * (torch.rand(shape, generator=draw) - 0.3) for name, shape in shapes.items()}
    for name in shapes:
        if name.endswith("running_var"):
            tensors[name] += 1.0
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(7)
        if name.endswith("lambdas"):
            tensors[name] = torch.tensor([1.0, 1.0, 0.5, 0.5])
        if name.endswith("init_v"):
            tensors[name] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    return tensors


def test_a_released_checkpoint_is_taken_over_but_for_the_last_layer(tmp_path):
    torch.save(released(), tmp_path / "dymn01.pt")
    system = dymn(width=0.1, weights=str(tmp_path / "dymn01.pt"))
    state, given = system.starting_network().state_dict(), released()
    assert state.keys() == given.keys() | {"temperature"} and float(state["temperature"]) == 1
    for name in given.keys() - CLASSIFIER:
        assert torch.equal(state[name], given[name]), name
    assert state["classifier.5.weight"].shape == (3, 128)


@pytest.mark.parametrize("layers", ["classifier", "all"])
def test_training_from_a_checkpoint_goes_on_at_its_last_temperature(layers, tmp_path, monkeypatch):
    torch.save(released(), tmp_path / "dymn01.pt")
    system = dymn(width=0.1, weights=str(tmp_path / "dymn01.pt"), layers=layers)
    assert trained(system, tmp_path, monkeypatch) == [1, 1, 1, 1]
    state, given = system.module.state_dict(), released()
    moved = {name for name in given.keys() - CLASSIFIER if not torch.equal(state[name].cpu(), given[name])}
    assert (moved == set()) == (layers == "classifier")


def test_networks_of_the_other_kind_are_refused(tmp_path):
    torch.save(released(), tmp_path / "dymn01.pt")
    plain = EfficientatParams(width=0.1, weights=str(tmp_path / "dymn01.pt"))
    with pytest.raises(
        StoreError,
        match=r"^efficientat: \S*dymn01.pt: no checkpoint of EfficientAT \(MobileNetV3\), network=mn, width=0.1: "
        r"it lacks features.0.0.weight, and \d+ more tensors differ$",
    ):
        Efficientat(task(3), plain, Budget.SMOKE).starting_network()
    with pytest.raises(
        StoreError, match=r"network=dymn, width=1.0: it lacks layers.1.exp_conv.weight, and \d+ more"
    ):
        dymn(weights=str(tmp_path / "dymn01.pt")).starting_network()
    with pytest.raises(ConfigError, match="efficientat: network is 'dy', must be one of mn, dymn"):
        EfficientatParams(network="dy")  # type: ignore[arg-type]


def test_paper_budget_is_the_recipe_for_tau_2020():
    plan, plain = (
        Efficientat(task(10, duration_s=10.0), EfficientatParams(network=n), Budget.PAPER).training_plan()
        for n in ("dymn", "mn")
    )
    assert (plan.batch_size, plan.learning_rate) == (32, 3e-4) and (plain.batch_size, plain.learning_rate) == (
        64,
        8e-4,
    )
    same = replace(plan, batch_size=64, learning_rate=8e-4, channels_last=True)
    assert same == plain


@pytest.mark.slow
def test_learns_separable_clips(tmp_path):
    train, test = (tones(n, (100, 128), seed=n) for n in (16, 4))
    train, test = (clips((c.features.load() + 40) / 3, c.labels[FINE]) for c in (train, test))
    system = dymn()
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
