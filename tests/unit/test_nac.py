"""NAC: published sizes, its networks against numpy, its support set, its plans, and both heads in training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asc_bench.baselines._nac_network import (
    LearnedLog,
    PrototypicalNetwork,
    draw_support,
    mean_squared_distances,
    vgg,
)
from asc_bench.baselines.nac import Nac, NacParams
from torch import nn

from asc_bench.api import FINE, Budget, Clips, ConfigError, Features, LabelledClips, SystemFailure
from asc_bench.runs.variant import parse_variants
from tests.unit.small_sets import accuracy, clips, context, task, tones

NAMES = ("street", "park", "tram")


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("settings", "n_classes", "expected"),
    [
        ({}, 10, 42_764),
        ({}, 15, 45_329),
        ({}, 70, 73_544),
        ({"filters": 128}, 70, 736_328),
        ({"head": "proto"}, 10, 613_642),
        ({"head": "proto"}, 70, 613_642),
        ({"compression": "learned"}, 10, 42_766),
    ],
)
def test_parameters_are_the_published_ones(settings: dict[str, Any], n_classes: int, expected: int) -> None:
    assert parameters(Nac(task(n_classes), NacParams(**settings)).build()) == expected


def test_layers_come_in_the_published_order() -> None:
    kinds = [type(layer).__name__ for layer in Nac(task(10)).build()]
    block = ["Conv2d", "ELU", "BatchNorm2d", "MaxPool2d"]
    assert kinds == ["AddChannel", "BatchNorm2d", *5 * block, "Flatten", "Dropout", "Linear"]


def test_weights_begin_within_the_bound_of_glorot() -> None:
    network = vgg((32, 32), filters=8, n_outputs=5, normalise="all")
    second = [layer for layer in network if isinstance(layer, nn.Conv2d)][1]
    bound = np.sqrt(6 / (8 * 9 + 8 * 9))
    assert 0.9 * bound < second.weight.abs().max().item() <= bound
    assert not second.bias.any() and not network[-1].bias.any()


def test_input_is_normalised_as_one_or_for_each_frame() -> None:
    x = torch.randn(6, 32, 40) * 3 + torch.arange(32.0)[:, None]
    whole = vgg((32, 40), filters=2, n_outputs=3, normalise="all")[:2](x)[:, 0].detach().numpy()
    np.testing.assert_allclose(whole, (x - x.mean()) / (x.var(correction=0) + 1e-3).sqrt(), atol=1e-4)
    frames = vgg((32, 40), filters=2, n_outputs=3, normalise="per-frame")[:2](x)[:, 0].detach().numpy()
    mean = x.mean(dim=(0, 2), keepdim=True)
    deviation = (x.var(dim=(0, 2), correction=0, keepdim=True) + 1e-3).sqrt()
    np.testing.assert_allclose(frames, (x - mean) / deviation, atol=1e-4)


def test_learned_compression_begins_at_7_and_1_and_learns() -> None:
    power = np.array([0.0, 1e-6, 0.5, 20.0])
    module = LearnedLog()
    found = module(torch.tensor(np.log10(power + 2.0**-52), dtype=torch.float32))
    np.testing.assert_allclose(found.detach(), np.log(np.exp(7) * power + np.log1p(np.e)), rtol=1e-5)
    found.sum().backward()
    assert all(p.grad is not None and p.grad.abs() > 0 for p in module.parameters())


def test_distances_worked_on_paper() -> None:
    found = mean_squared_distances(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0], [4.0, 6.0]]))
    assert found.tolist() == [[2.0, 12.5]]


def prototypical(support: torch.Tensor) -> PrototypicalNetwork:
    torch.manual_seed(0)
    return PrototypicalNetwork(nn.Sequential(nn.Flatten(), nn.Linear(12, 4)), size=4, support=support)


def test_logits_are_minus_distances_to_class_means_in_training_and_after() -> None:
    support, x = torch.randn(3, 5, 2, 6), torch.randn(7, 2, 6)
    module = prototypical(support)
    weight, bias = (p.detach().numpy() for p in module.embed[1].parameters())

    def embedded(patches: torch.Tensor) -> np.ndarray:
        return patches.reshape(-1, 12).numpy() @ weight.T + bias

    means = np.stack([embedded(patches).mean(axis=0) for patches in support])
    expected = -((embedded(x)[:, None] - means) ** 2).mean(axis=2)
    np.testing.assert_allclose(module(x).detach(), expected, rtol=1e-4, atol=1e-5)
    module.eval()
    np.testing.assert_allclose(module(x).detach(), expected, rtol=1e-4, atol=1e-5)


def test_prototypes_follow_the_weights_at_each_eval_and_gradients_reach_the_support_set() -> None:
    module = prototypical(torch.randn(2, 3, 2, 6)).eval()
    before = module.prototypes.clone()
    with torch.no_grad():
        module.embed[1].bias.add_(1.0)
    torch.testing.assert_close(module.eval().prototypes, before + 1.0)
    # Distances do not feel a shift of queries and support alike, so that it has a gradient through one alone.
    module.train()
    module(torch.randn(4, 2, 6)).sum().backward()
    np.testing.assert_allclose(module.embed[1].bias.grad, 0, atol=1e-5)


def test_support_set_is_drawn_from_each_class_from_different_clips() -> None:
    labels = np.repeat([0, 1, 2], 7)
    rows, frames = draw_support(
        labels, class_names=NAMES, n_shots=5, n_frames=20, length=8, rng=np.random.default_rng(0)
    )
    assert rows.shape == (3, 5) and frames.shape == (3, 5, 8)
    assert (labels[rows] == np.arange(3)[:, None]).all()
    assert all(len(set(own)) == 5 for own in rows)
    assert (np.diff(frames, axis=2) == 1).all()
    assert frames.min() >= 0 and frames.max() <= 19
    assert len(set(frames[:, :, 0].flatten())) > 3


def test_short_clips_and_small_classes_are_repeated_in_the_support_set() -> None:
    rows, frames = draw_support(
        np.array([0, 0, 1, 2]), class_names=NAMES, n_shots=5, n_frames=3, length=8, rng=np.random.default_rng(0)
    )
    assert sorted(np.bincount(rows[0], minlength=2)) == [2, 3]
    assert (rows[1] == 2).all() and (rows[2] == 3).all()
    assert frames[0, 0].tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_class_without_a_clip_has_no_prototype(tmp_path: Path) -> None:
    train = clips(np.zeros((4, 40, 128)), np.array([0, 0, 2, 2]))
    with pytest.raises(SystemFailure, match=r"no training clip of class 'scene1'.*use head=softmax"):
        Nac(task(3), NacParams(head="proto"), Budget.SMOKE).fit(train, None, context(tmp_path))


def test_kernels_alone_decay_and_every_parameter_is_trained_once() -> None:
    system = Nac(task(10))
    module = system.build()
    others, kernels = system.parameter_groups(module)
    shapes = [tuple(p.shape) for p in kernels["params"]]
    assert shapes == [(32, 1, 3, 3), *4 * [(32, 32, 3, 3)], (10, 512)]
    assert kernels["weight_decay"] == 1e-3
    assert "weight_decay" not in others and system.training_plan().weight_decay == 0
    given = [id(p) for p in others["params"] + kernels["params"]]
    assert sorted(given) == sorted(id(p) for p in module.parameters())


def test_prototypes_are_trained_without_decay() -> None:
    system = Nac(task(3), NacParams(head="proto"), Budget.SMOKE)
    (group,) = system.parameter_groups(system.build())
    assert "weight_decay" not in group


@pytest.mark.parametrize(("head", "batch_size"), [("softmax", 256), ("proto", 50)])
def test_paper_budget_trains_as_published(head: Any, batch_size: int) -> None:
    plan = Nac(task(10), NacParams(head=head), Budget.PAPER).training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.momentum) == ("sgd", 0.1, 0.0)
    assert (plan.batch_size, plan.epochs, plan.clip_gradient_norm) == (batch_size, 200, 5.0)
    assert plan.standardise == "none" and plan.crop is not None and plan.crop.length == 128


def test_multiply_adds_counted_by_hand() -> None:
    conv = sum(n_in * 32 * 9 * side**2 for n_in, side in ((1, 128), (32, 64), (32, 32), (32, 16), (32, 8)))
    system = Nac(task(10))
    assert system.front_end().shape(5.0) == (216, 128)
    n_patches = len(range(0, 216 - 128 + 1, 8))
    assert system.complexity()["n_multiply_adds"] == n_patches * (conv + 512 * 10)


def test_multiply_adds_of_prototypes_leave_out_the_support_set() -> None:
    conv = sum(n_in * 128 * 9 * side**2 for n_in, side in ((1, 128), (128, 64), (128, 32), (128, 16), (128, 8)))
    system = Nac(task(10), NacParams(head="proto", test_hop=88))
    cost = system.complexity()
    assert (cost["n_parameters"], cost["n_multiply_adds"]) == (613_642, 2 * (conv + 2_048 * 10))


def test_the_published_number_of_filters_has_one_name() -> None:
    assert NacParams(filters=32) == NacParams()
    assert str(parse_variants("nac[head=proto,filters=128]")[0]) == "nac[head=proto]"
    assert str(parse_variants("nac[head=proto,filters=32]")[0]) == "nac[head=proto,filters=32]"
    assert (NacParams().n_filters, NacParams(head="proto").n_filters, NacParams(filters=7).n_filters) == (
        32,
        128,
        7,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nac[filters=-1]", "filters must be at least 1, or 0 for the published number, got -1"),
        ("nac[test_hop=0]", "test_hop must be at least 1 frame, got 0"),
        ("nac[head=prototypes]", "head is 'prototypes', but must be one of softmax, proto"),
    ],
)
def test_impossible_settings_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_variants(text)


def unlabelled(labelled: LabelledClips) -> Clips:
    return Clips(Features(labelled.features.source, labelled.features.rows))


@pytest.mark.parametrize("settings", [{}, {"compression": "learned"}, {"head": "proto"}])
def test_learns_separable_clips_shorter_than_a_patch(tmp_path: Path, settings: dict[str, Any]) -> None:
    def logarithms(labelled: LabelledClips) -> LabelledClips:
        # From -60 or so to powers of ten that a spectrogram has.
        return clips((labelled.features.load() + 40) / 6 - 1, labelled.labels[FINE])

    train, test = logarithms(tones(8, (60, 128))), logarithms(tones(4, (60, 128), seed=1))
    system = Nac(task(3), NacParams(**settings), Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(unlabelled(test))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9


def test_saved_weights_carry_the_support_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = NacParams(head="proto")
    short = replace(Nac(task(3), settings, Budget.SMOKE).training_plan(), iterations=2, batch_size=4)
    monkeypatch.setattr(Nac, "training_plan", lambda self: short)
    train, test = tones(6, (60, 128)), tones(1, (60, 128), seed=1)

    def fitted(seed: int) -> Nac:
        system = Nac(task(3), settings, Budget.SMOKE)
        system.fit(train, None, context(tmp_path / str(seed), seed=seed))
        return system

    system = fitted(1)
    assert isinstance(system.module, PrototypicalNetwork)
    for place, patch in enumerate(system.module.support.numpy()):
        own = train.features.load()[train.labels[FINE] == place // 5]
        repeated = np.tile(own, (1, 3, 1))[:, :128]
        assert (repeated == patch).all(axis=(1, 2)).any()

    system.save(tmp_path / "saved")
    other = Nac(task(3), settings, Budget.SMOKE)
    other.load(tmp_path / "saved")
    np.testing.assert_allclose(other.predict(unlabelled(test)), system.predict(unlabelled(test)), atol=1e-6)
    drawn = fitted(2).module
    assert isinstance(drawn, PrototypicalNetwork) and not torch.equal(drawn.support, system.module.support)
