"""Weights from a network of other classes: what is new, what is taken over, what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from asc_bench.budget import Budget
from asc_bench.errors import SystemFailure
from asc_bench.labels import LabelSpace
from asc_bench.runs.variant import parse_variants
from asc_bench.systems.base import Task
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.transfer.weights import class_tensors, freeze, take_over
from asc_bench.training.batches import ClipStore
from asc_bench.training.loop import train
from asc_bench.training.plan import TrainingPlan
from tests.unit.small_sets import TinyNet, task, tones

LEVELS = LabelSpace.from_map({"bus": "vehicle", "tram": "vehicle", "park": "nature"})
SHAPE = (16, 12)


def made(variant: str, labels: LabelSpace) -> TorchSystem:
    (found,) = parse_variants(variant)
    system = found.build(Task(labels, (), 5.0), Budget.SMOKE)
    assert isinstance(system, TorchSystem)
    return system


def tiny(n_classes: int, *, seed: int = 0, plan: TrainingPlan | None = None) -> tuple[TinyNet, nn.Module]:
    system = TinyNet(plan or TrainingPlan(batch_size=6, iterations=1), n_classes)
    torch.manual_seed(seed)
    return system, system.build()


def copied(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_of_sb_cnn_the_last_dense_layer_alone_depends_on_the_classes() -> None:
    system = made("sb-cnn", task(3).labels)
    modules = dict(system.build().named_modules())
    (last,) = (name for name, m in modules.items() if isinstance(m, nn.Linear) and m.out_features == 3)
    assert class_tensors(system) == {f"{last}.weight", f"{last}.bias"}


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        (
            "hierarchical-cnn",
            {
                "heads.fine.dense.weight",
                "heads.fine.dense.bias",
                "heads.coarse.dense.weight",
                "heads.coarse.dense.bias",
            }
            | {"prototypes"},
        ),
        ("hierarchical-cnn[labels=fine]", {"heads.fine.dense.weight", "heads.fine.dense.bias"}),
    ],
)
def test_of_the_hierarchical_cnn_it_is_heads_and_prototypes(variant: str, expected: set[str]) -> None:
    assert class_tensors(made(variant, LEVELS)) == expected


def test_a_task_of_one_level_has_no_coarse_head() -> None:
    fine = class_tensors(made("hierarchical-cnn", task(3).labels))
    assert fine == {"heads.fine.dense.weight", "heads.fine.dense.bias"}


def test_a_normalised_class_layer_is_new_with_its_statistics() -> None:
    system = made("cp-resnet", task(3).labels)
    names = {name for name, t in system.build().state_dict().items() if t.shape[:1] == (3,)}
    # A convolution without bias, and the batch normalisation of its maps.
    assert {name.rpartition(".")[2] for name in names} == {"weight", "bias", "running_mean", "running_var"}
    assert len(names) == 5
    assert class_tensors(system) == names


def test_looking_for_them_moves_no_random_number() -> None:
    system = made("sb-cnn", task(3).labels)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    class_tensors(system)
    torch.testing.assert_close(torch.rand(3), expected)


def test_all_but_the_classes_is_taken_over() -> None:
    _, source = tiny(5, seed=1)
    _, module = tiny(3, seed=2)
    before = copied(module)
    with torch.no_grad():
        source[2].running_mean.fill_(0.5)
    fresh = take_over(module, source, fresh={"7.weight", "7.bias"}, title="tiny-net")
    assert fresh == {"7.weight", "7.bias"}
    for name, tensor in module.state_dict().items():
        expected = before[name] if name in fresh else source.state_dict()[name]
        assert torch.equal(tensor, expected), name
    # A copy: training the one network leaves the other alone.
    with torch.no_grad():
        module[1].weight.zero_()
    assert source[1].weight.abs().max() > 0


def test_what_the_source_lacks_is_new_as_well() -> None:
    source, module = nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
    assert take_over(module, source, fresh=set(), title="two") == {"1.weight", "1.bias"}


def test_another_shape_is_refused_with_both() -> None:
    source, module = nn.Sequential(nn.Linear(4, 2)), nn.Sequential(nn.Linear(6, 2))
    before = copied(module)
    with pytest.raises(
        SystemFailure, match=r"flat-net: 0\.weight has the shape \(2, 4\) in the source and \(2, 6\)"
    ):
        take_over(module, source, fresh=set(), title="flat-net")
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())


def test_nothing_in_common_is_refused() -> None:
    source, module = nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Flatten(), nn.Linear(2, 3))
    with pytest.raises(SystemFailure, match="flat-net: no weight of the source fits this network"):
        take_over(module, source, fresh={"1.weight", "1.bias"}, title="flat-net")


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
def test_training_leaves_what_is_frozen_as_it_was_bit_by_bit(optimiser: str) -> None:
    plan = TrainingPlan(batch_size=6, iterations=5, learning_rate=0.1, optimiser=optimiser, weight_decay=0.1)  # type: ignore[arg-type]
    system, module = tiny(3, plan=plan)
    before = copied(module)
    freeze(module, trained={"7.weight", "7.bias", "no.such.tensor"})
    train(module, system, ClipStore(tones(4, SHAPE), device="cpu"), None, plan, seed=1)
    changed = {name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"7.weight", "7.bias"}


def test_without_freezing_the_statistics_move_too() -> None:
    plan = TrainingPlan(batch_size=6, iterations=5, learning_rate=0.1)
    system, module = tiny(3, plan=plan)
    before = copied(module)
    train(module, system, ClipStore(tones(4, SHAPE), device="cpu"), None, plan, seed=1)
    assert all(not torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_frozen_parts_compute_as_at_test_whatever_they_are_told() -> None:
    _, module = tiny(3)
    freeze(module, trained={"7.weight", "7.bias"})
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32))
    at_test = module.eval()(x)
    module.train()
    assert module.training and module[7].training
    assert not any(module[i].training for i in range(7))
    torch.testing.assert_close(module(x), at_test)
    assert [name for name, p in module.named_parameters() if p.requires_grad] == ["7.weight", "7.bias"]


def test_a_part_that_holds_something_trained_still_listens() -> None:
    inner = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2))
    module = nn.Sequential(nn.Sequential(nn.BatchNorm1d(2)), inner)
    freeze(module, trained={"1.1.weight"})
    module.train()
    assert [m.training for m in (module, module[0], module[0][0], inner, inner[0], inner[1])] == [
        *(True, False, False),
        *(True, False, True),
    ]
    assert not module.eval()[1][1].training


def test_nothing_to_train_is_refused() -> None:
    _, module = tiny(3)
    with pytest.raises(SystemFailure, match="no parameter is left to train: every one was taken from the source"):
        freeze(module, trained={"7.running_mean"})
