"""Embeddings of any torch system: all that are registered, and networks that have none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from asc_bench.analysis.embedding import embeddings
from asc_bench.api import Budget, Clips, ConfigError, Crop, Features, SystemFailure, TorchSystem, TrainingPlan
from asc_bench.registry import systems
from asc_bench.runs.variant import needs_settings
from asc_bench.systems.embedding import check_embedding, embed_clips, embedding
from asc_bench.training.batches import Batch, Statistics
from tests.unit.small_sets import TinyNet, task, tones

SIZES = {
    "bc-resnet": 20,
    "bc-resnet-mod": 20,
    "beats": 32,
    "caa-net": 512 // 4,
    "caa-net[pooling=flatten]": 512 // 4 * 9 * 4,
    "caa-net[training=multi-task]": 512 // 4,
    "cnn-ensemble-member": 256 // 8,
    "cnn-ivector[part=cnn]": 64,
    "cp-mobile": 40,
    "cp-resnet": 64,
    "cp-resnet-128k": 24,
    "dcase2018-baseline": 100,
    "dcase2024-baseline": 24,
    "efficientat": 1_280 // 10,
    "efficientat[network=dymn]": 1_280 // 10,
    "hierarchical-cnn": 128 // 8,
    "mla": 1_024 // 8,
    "n-cnn": 64,
    "nac": 16 * 4 * 4,
    "nac[head=proto]": 10,
    "panns": 512 // 8,
    "panns[network=mobilenet-v1]": 1_024 // 8,
    "passt": 128,
    "raw-cnn": 64,
    "sample-cnn": 64,
    "sb-cnn": 64,
    "tf-sepnet": 40,
}
"""Of the networks of the smoke budget, from what their files say; clips of 5 s."""


def registered() -> list[str]:
    """Every torch system: with its defaults, or where these have no embedding with the settings above."""
    usable = [name for name in systems().names() if not needs_settings(name)]
    names = [name for name in usable if issubclass(systems().get(name), TorchSystem)]
    listed = {variant.partition("[")[0] for variant in SIZES}
    return [*SIZES, *(name for name in names if name not in listed)]


def made(variant: str, *, duration_s: float = 5.0) -> TorchSystem:
    name, _, settings = variant.rstrip("]").partition("[")
    cls = systems().get(name)
    params = dict(part.split("=") for part in settings.split(",")) if settings else {}
    system = cls(task(5, duration_s=duration_s, devices=("a", "b")), cls.Params(**params), Budget.SMOKE)
    torch.manual_seed(0)
    system.module = system.build()
    return system


def some(system: TorchSystem, n: int = 3, *, duration_s: float = 5.0) -> Clips:
    shape = system.front_end().shape(duration_s)
    x = 0.1 * np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)
    return Clips(Features(x, np.arange(n)))


def batch_of(system: TorchSystem, n: int = 3) -> Batch:
    x = torch.from_numpy(some(system, n).features.load())
    crop = system.training_plan().crop
    return Batch(x if crop is None else x[:, : crop.length])


@pytest.mark.parametrize("variant", registered())
def test_every_system_embeds_clips_and_lets_gradients_through(variant: str) -> None:
    system = made(variant)
    clips = some(system)
    found = embed_clips(system, clips, device="cpu")
    assert found.dtype == np.float32 and np.isfinite(found).all()
    assert found.shape == (3, SIZES.get(variant, found.shape[1]))
    assert found.std(axis=0).max() > 0, "all clips at one point"
    # One clip alone is where it is among others.
    np.testing.assert_allclose(embed_clips(system, some(system, 1), device="cpu"), found[:1], rtol=2e-3, atol=2e-4)

    module = system.module.train()
    vectors = embedding(system, module, batch_of(system))
    assert vectors.shape == found.shape and vectors.dtype == torch.float32
    (vectors * torch.randn(vectors.shape)).sum().backward()
    first = next(x for x in module.modules() if isinstance(x, nn.Conv1d | nn.Conv2d | nn.Linear))
    assert first.weight.grad is not None and first.weight.grad.abs().max() > 0


def test_what_the_last_layer_sees_by_hand() -> None:
    system = made("sb-cnn")
    x = batch_of(system).features
    with torch.no_grad():
        by_hand = system.module.eval()[:-1](x)
    torch.testing.assert_close(embedding(system, system.module, Batch(x)), by_hand)

    system = made("raw-cnn")
    x = batch_of(system, 6).features
    with torch.no_grad():
        by_hand = system.module.eval().maps(x).mean(dim=3).squeeze(2)
    torch.testing.assert_close(embedding(system, system.module, Batch(x)), by_hand)

    system = made("bc-resnet-mod")
    x = batch_of(system).features
    first, network = system.module.eval()
    with torch.no_grad():
        maps = network[:-3](first(x))
    assert maps.shape[2] > 1 and maps.shape[3] > 1
    torch.testing.assert_close(embedding(system, system.module, Batch(x)), maps.mean(dim=(2, 3)))


def test_networks_with_a_method_of_their_own() -> None:
    hierarchical = made("hierarchical-cnn")
    clips = some(hierarchical)
    np.testing.assert_allclose(embed_clips(hierarchical, clips), hierarchical.embed(clips), rtol=1e-5, atol=1e-6)

    mla = made("mla")
    x = batch_of(mla).features
    with torch.no_grad():
        network = mla.module.eval()
        vectors = network.bottleneck(network.trunk(x.flatten(end_dim=1).unsqueeze(1)).mean(dim=(2, 3)))
        third = network.head.norm(vectors)
        for level in network.head.levels:
            third = level(third)
        by_hand = third.reshape(3, -1, third.shape[1]).mean(dim=1)
    torch.testing.assert_close(embedding(mla, mla.module, Batch(x)), by_hand)

    caa = made("caa-net")
    x = batch_of(caa).features
    with torch.no_grad():
        by_hand = caa.module.eval().emb(x.unsqueeze(1)).mean(dim=(2, 3))
    torch.testing.assert_close(embedding(caa, caa.module, Batch(x)), by_hand)


def test_excerpts_of_a_clip_are_averaged_and_features_standardised() -> None:
    plan = TrainingPlan(batch_size=4, iterations=1, crop=Crop(length=6, test_hop=3, average="geometric"))
    system, clips = TinyNet(plan), tones(2, (15, 12))
    torch.manual_seed(0)
    system.module = system.build()
    system._statistics = Statistics.of(clips.features, "global")
    found = embed_clips(system, clips)
    x = torch.from_numpy((clips.features.load() - clips.features.load().mean()) / clips.features.load().std())
    with torch.no_grad():
        parts = [system.module.eval()[:-1](x[:, start : start + 6]) for start in (0, 3, 6, 9)]
    np.testing.assert_allclose(found, torch.stack(parts).mean(dim=0).numpy(), rtol=1e-4, atol=1e-5)
    # The verb's way to the same numbers, of a system without a method embed(clips).
    np.testing.assert_array_equal(embeddings(system, clips), found)


class Own(TinyNet):
    """A network that the test gives."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__(TrainingPlan(batch_size=4, iterations=1))
        self.module = module

    def build(self) -> nn.Module:
        raise NotImplementedError


class Branched(nn.Module):
    """Two networks whose answers are added; only the second one's layer is the last."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Sequential(nn.Flatten(), nn.Linear(24, 3)) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.parts[0](x) + self.parts[1](x)


class Twice(nn.Module):
    """Its last layer runs on both halves of a clip, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(x[:, 0]) + self.last(x[:, 1])


class Rows(nn.Module):
    """Frames are rows of their own, whose answers are averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(x.flatten(end_dim=1)).unflatten(0, x.shape[:2]).mean(dim=1)


class Steps(Rows):
    """The same, with frames as an axis."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(x).mean(dim=1)


class Odd(nn.Sequential):
    """A method ``embed`` that gives maps."""

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize("kind", [Rows, Steps])
def test_further_axes_are_averaged(kind) -> None:
    x = torch.randn(5, 4, 6)
    system = Own(kind())
    torch.testing.assert_close(embedding(system, system.module, Batch(x)), x.mean(dim=1))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Branched(), "answer depends on more than the input of its last layer.*give the network a method embed"),
        (Twice(), "its last layer, Linear.*ran 2 times for one batch"),
        (nn.Sequential(nn.Flatten(), nn.Linear(24, 7)), "has 7 outputs, not one for each of the 3 fine classes"),
        (nn.Flatten(), "has no dense or convolutional layer; give the network a method embed"),
        (Odd(nn.Flatten(), nn.Linear(24, 3)), r"embed of its network gave shape \(6, 4, 6\), expected \(6, d\)"),
    ],
)
def test_networks_without_an_embedding(module: nn.Module, message: str) -> None:
    with pytest.raises(ConfigError, match=f"tiny-net: .*{message}"):
        embed_clips(Own(module), tones(2, (4, 6)))
    assert not [hook for layer in module.modules() for hook in layer._forward_pre_hooks]


def test_settings_without_an_embedding() -> None:
    system = made("caa-net[training=teacher-forcing]")
    with pytest.raises(ConfigError, match=r"needs the device of each clip.*use training=joint"):
        embed_clips(system, some(system))
    system = made("cnn-ivector")
    for n in (1, 3):
        with pytest.raises(
            SystemFailure, match=r"cnn-ivector: .*shape \(85416,\) \(.* only a part of the features"
        ):
            embed_clips(system, some(system, n))


def test_neither_fitted_nor_one_network() -> None:
    system = made("caa-net[training=single-device]")
    system.module = None
    with pytest.raises(ConfigError, match=r"caa-net: there is no fitted network .* of several networks"):
        embed_clips(system, some(system))


def test_check_leaves_the_mode_as_it_is() -> None:
    system = made("sb-cnn")
    system.module.train()
    check_embedding(system, system.module, batch_of(system))
    assert system.module.training


def test_clips_of_another_duration() -> None:
    """Most networks average over time; the one that flattens it says for which clips it was built."""
    system = made("cp-resnet")
    assert embed_clips(system, some(system, duration_s=2.0)).shape == (3, SIZES["cp-resnet"])
    system = made("dcase2018-baseline")
    with pytest.raises(SystemFailure, match=r"cannot take .*\(it was built for clips of 5 s\): .*Output"):
        embed_clips(system, some(system, duration_s=2.0))
