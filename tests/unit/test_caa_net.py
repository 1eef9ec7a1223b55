import numpy as np
import pytest
import torch
from asc_bench.proposed.caa_net import CaaNet, CaaNetParams

from asc_bench.api import FINE, Budget, Constant, Step
from asc_bench.modules.pooling import AttentionPooling
from tests.unit.small_sets import accuracy, context, task, tones


def pooled_by_hand(x, attention, classes, *, mixture):
    """Equations 5 and 6 with loops: x (channels, bins); attention and classes (n_classes, channels)."""
    n_classes, n_bins = len(classes), x.shape[1]
    scores = np.zeros(n_classes)
    for k in range(n_classes):
        weights = [1 / (1 + np.exp(-attention[k] @ x[:, b])) for b in range(n_bins)]
        if mixture == "geometric":
            weights = [min(max(w + 0.1, 0.1), 0.9) for w in weights]
        for b in range(n_bins):
            exps = [np.exp(classes[j] @ x[:, b]) for j in range(n_classes)]
            p = exps[k] / sum(exps)
            scores[k] += weights[b] / sum(weights) * (np.log(p) if mixture == "geometric" else p)
    return scores if mixture == "geometric" else np.log(scores)


@pytest.mark.parametrize("mixture", ["geometric", "arithmetic"])
def test_attention_pooling_follows_the_equations(mixture):
    rng = np.random.default_rng(0)
    x, attention, classes = rng.normal(size=(4, 6)), rng.normal(size=(3, 4)) * 3, rng.normal(size=(3, 4))
    pooling = AttentionPooling(4, 3, mixture=mixture)
    with torch.no_grad():
        pooling.att.weight.copy_(torch.tensor(attention)[:, :, None, None])
        pooling.cla.weight.copy_(torch.tensor(classes)[:, :, None, None])
        pooling.att.bias.zero_()
        pooling.cla.bias.zero_()
        maps = torch.tensor(x, dtype=torch.float32).reshape(1, 4, 2, 3)
        found = pooling(maps)[0].numpy()
        weights = pooling.attention(maps)
    np.testing.assert_allclose(found, pooled_by_hand(x, attention, classes, mixture=mixture), rtol=1e-4)
    np.testing.assert_allclose(weights.sum(dim=(2, 3)), 1, rtol=1e-5)


def test_two_bins_worked_on_paper():
    """Attention 0 and ln 3 gives sigmoid 1/2 and 3/4: weights 2/5 and 3/5; limited, 0.6 and 0.85."""
    for mixture, expected in (
        ("arithmetic", np.log(0.4 * 0.5 + 0.6 * 0.8)),
        ("geometric", (0.6 * np.log(0.5) + 0.85 * np.log(0.8)) / 1.45),
    ):
        pooling = AttentionPooling(2, 2, mixture=mixture)
        with torch.no_grad():
            for layer in (pooling.att, pooling.cla):
                layer.bias.zero_()
                layer.weight.zero_()
            pooling.att.weight[:, 0, 0, 0] = float(np.log(3))
            pooling.cla.weight[0, 1, 0, 0] = float(np.log(4))
            found = pooling(torch.tensor([[0.0, 1.0], [0.0, 1.0]]).reshape(1, 2, 1, 2))
        assert found[0, 0].item() == pytest.approx(expected, rel=1e-5)


def test_improbable_class_stays_finite():
    pooling = AttentionPooling(1, 2, mixture="arithmetic")
    with torch.no_grad():
        pooling.cla.weight.copy_(torch.tensor([500.0, -500.0]).reshape(2, 1, 1, 1))
        assert pooling(torch.ones(1, 1, 2, 2)).isfinite().all()


def test_network_at_the_start():
    system = CaaNet(task(10))
    module = system.build()
    assert not module.attention.att.weight.any() and not module.attention.att.bias.any()
    for i, fan_in in enumerate((25, 25 * 64, 25 * 128, 25 * 256), start=1):
        weight = module.emb.get_submodule(f"conv{i}").weight
        bound = np.sqrt(6 / fan_in)
        assert weight.abs().max().item() <= bound
        assert weight.std().item() == pytest.approx(bound / np.sqrt(3), rel=0.05)
    with torch.no_grad():
        attention = module.attention.attention(module.emb(torch.randn(1, 1, 64, 64)))
    np.testing.assert_allclose(attention, 1 / (4 * 4), rtol=1e-5)


def test_parameters_are_those_of_the_conditioned_network_less_its_condition():
    """4,316,628 are stated for the same widths conditioned at layer 4 by three devices (3 x 512 + 512)."""
    assert CaaNet(task(10)).complexity()["n_parameters"] == 4_316_628 - (3 * 512 + 512)


def test_names_are_those_of_the_authors_checkpoints():
    names = set(CaaNet(task(10)).build().state_dict())
    assert {f"emb.conv{i}.weight" for i in range(1, 5)} <= names
    assert {f"emb.bn{i}.running_mean" for i in range(1, 5)} <= names
    assert {
        "attention.att.weight",
        "attention.att.bias",
        "attention.cla.weight",
        "attention.cla.bias",
    } <= names


@pytest.mark.parametrize(("variant", "schedule"), [("code", Constant()), ("paper", Step(every=200, gamma=0.9))])
def test_paper_budget_trains_as_published(variant, schedule):
    plan = CaaNet(task(10), CaaNetParams(variant=variant), Budget.PAPER).training_plan()
    assert plan.schedule == schedule
    assert (plan.iterations, plan.batch_size, plan.optimiser, plan.learning_rate) == (
        15_000,
        16,
        "adam",
        1e-3,
    )


@pytest.mark.parametrize("variant", ["code", "paper"])
def test_learns_separable_clips(tmp_path, variant):
    train, test = tones(10, (48, 32)), tones(4, (48, 32), seed=1)
    system = CaaNet(task(3), CaaNetParams(variant=variant), Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
