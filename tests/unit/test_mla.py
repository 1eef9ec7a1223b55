"""MLA: published sizes, its head against numpy, its plan, and a training on examples that can be told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from asc_bench.baselines._mla_network import MlaNetwork, MultiLevelHead, SegmentAttention
from asc_bench.baselines.mla import Mla, MlaParams

from asc_bench.api import FINE, Budget, Clips, ConfigError, Features
from asc_bench.runs.variant import parse_variants
from tests.unit.small_sets import accuracy, clips, context, task

Array = npt.NDArray[np.float64]


def head(n_inputs: int, hidden: int, n_classes: int) -> MultiLevelHead:
    return MultiLevelHead(n_inputs, hidden, n_classes, dropout=0.5)


@pytest.mark.parametrize(
    ("hidden", "n_classes", "expected"),
    [(1024, 527, 4_954_381), (1024, 70, 2_534_566), (600, 527, 2_625_349), (600, 70, 980_606)],
)
def test_parameters_of_the_head(hidden: int, n_classes: int, expected: int) -> None:
    with torch.device("meta"):
        module = head(128, hidden, n_classes)
    assert sum(p.numel() for p in module.parameters()) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (MlaParams(), 23_501_760 + 262_272 + 2_534_566),
        (MlaParams(hidden=600), 23_501_760 + 262_272 + 980_606),
        (MlaParams(trunk="resnet18"), 11_170_240 + 512 * 128 + 128 + 2_534_566),
    ],
)
def test_parameters_at_70_classes(settings: MlaParams, expected: int) -> None:
    with torch.device("meta"):
        module = Mla(task(70), settings).build()
    assert sum(p.numel() for p in module.parameters()) == expected


def attended(h: Array, cla: Array, att: Array) -> Array:
    """One level of attention of one clip, with loops: h (segments, inputs), weights (classes, inputs)."""
    n_segments, n_classes = len(h), len(cla)
    share = np.zeros((n_segments, n_classes))
    for t in range(n_segments):
        exps = np.exp(att @ h[t])
        share[t] = np.clip(exps / exps.sum(), 1e-7, 1 - 1e-7)
    scores = np.zeros(n_classes)
    for k in range(n_classes):
        for t in range(n_segments):
            scores[k] += share[t, k] / share[:, k].sum() / (1 + np.exp(-cla[k] @ h[t]))
    return scores


def test_attention_against_numpy() -> None:
    rng = np.random.default_rng(0)
    h, cla, att = rng.normal(size=(2, 4, 5)), rng.normal(size=(3, 5)), 4 * rng.normal(size=(3, 5))
    module = SegmentAttention(5, 3)
    with torch.no_grad():
        for layer, weight in ((module.cla, cla), (module.att, att)):
            layer.weight.copy_(torch.tensor(weight))
            layer.bias.zero_()
        found = module(torch.tensor(h, dtype=torch.float32)).numpy()
        weights = module.weights(torch.tensor(h, dtype=torch.float32))
    np.testing.assert_allclose(found, [attended(clip, cla, att) for clip in h], rtol=1e-4)
    np.testing.assert_allclose(weights.sum(dim=1), 1, rtol=1e-5)


def test_two_segments_worked_on_paper() -> None:
    """Attention ln 3 against 0 of two classes is 3/4, and 1/2 in the other segment: shares 3/5 and 2/5."""
    module = SegmentAttention(1, 2)
    with torch.no_grad():
        for layer in (module.cla, module.att):
            layer.weight.zero_()
            layer.bias.zero_()
        module.att.weight[0, 0] = float(np.log(3))
        module.cla.weight[0, 0] = float(np.log(4))
        score = module(torch.tensor([[[1.0], [0.0]]]))[0, 0].item()
    assert score == pytest.approx(0.6 * 0.8 + 0.4 * 0.5, rel=1e-5)


def test_certain_attention_stays_finite() -> None:
    module = SegmentAttention(1, 2)
    with torch.no_grad():
        module.att.weight.copy_(torch.tensor([[500.0], [-500.0]]))
        module.att.bias.zero_()
        assert module.weights(torch.ones(1, 3, 1)).isfinite().all()


def test_the_levels_are_the_second_and_the_third_dense_layer() -> None:
    module = head(4, 6, 2).eval()
    x = torch.randn(3, 5, 4)
    with torch.no_grad():
        flat = module.norm(x.flatten(end_dim=1))
        second = module.levels[1](module.levels[0](flat))
        third = module.levels[2](second)
        scores = [a(h.unflatten(0, (3, 5))) for a, h in zip(module.attentions, (second, third), strict=True)]
        torch.testing.assert_close(module(x), module.out(torch.cat(scores, dim=1)))
        assert not torch.allclose(*scores)


def test_the_order_of_the_examples_does_not_matter_but_each_of_them_does() -> None:
    module = MlaNetwork("resnet18", n_classes=3, bottleneck=8, hidden=12, width=4, dropout=0.5).eval()
    x = torch.randn(2, 4, 96, 64)
    with torch.no_grad():
        logits = module(x)
        torch.testing.assert_close(module(x.flip(1)), logits, atol=1e-5, rtol=1e-4)
        for i in range(4):
            assert not torch.equal(module(x.clone().index_fill_(1, torch.tensor(i), 5.0)), logits)


@pytest.mark.parametrize(("duration_s", "n_examples"), [(5.0, 5), (10.0, 10)])
def test_one_example_for_each_second_or_so(duration_s: float, n_examples: int) -> None:
    assert Mla(task(3, duration_s=duration_s)).front_end().shape(duration_s) == (n_examples, 96, 64)


def test_multiply_adds_are_those_of_the_trunk_on_every_example_and_of_the_head() -> None:
    """A basic block's convolution costs inputs x outputs x 9 for each bin; 96 x 64 is halved five times."""
    stem = 64 * 49 * 48 * 32
    block1 = 4 * 64 * 64 * 9 * 24 * 16
    halved = [(128, 12 * 8), (256, 6 * 4), (512, 3 * 2)]
    others = sum((w // 2 * w * 9 + 3 * w * w * 9 + w // 2 * w) * bins for w, bins in halved)
    dense = 512 * 128 + 128 * 1_024 + 2 * 1_024 * 1_024 + 4 * 1_024 * 10
    system = Mla(task(10), MlaParams(trunk="resnet18"))
    assert system.complexity()["n_multiply_adds"] == 5 * (stem + block1 + others + dense) + 20 * 10


def test_dropout_goes_with_the_width_of_the_head() -> None:
    rates = {}
    for hidden in (1024, 600):
        with torch.device("meta"):
            module = Mla(task(3), MlaParams(hidden=hidden, trunk="resnet18")).build()
        rates[hidden] = {layer.p for layer in module.modules() if isinstance(layer, torch.nn.Dropout)}
    assert rates == {1024: {0.5}, 600: {0.4}}


def test_paper_budget_trains_as_the_card_says() -> None:
    plan = Mla(task(10), budget=Budget.PAPER).training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.batch_size, plan.epochs) == ("adam", 1e-3, 32, 100)
    assert (plan.select, plan.precision, plan.channels_last) == ("best", "auto", True)


def test_settings_are_read_from_text() -> None:
    assert parse_variants("mla[hidden=600]")[0].params == MlaParams(hidden=600)
    with pytest.raises(ConfigError, match=r"trunk is 'resnet34', but must be one of resnet50, resnet18"):
        parse_variants("mla[trunk=resnet34]")
    with pytest.raises(ConfigError, match=r"hidden is '512', but must be one of 1024, 600"):
        parse_variants("mla[hidden=512]")


def test_learns_separable_clips_from_one_of_their_examples(tmp_path: Path) -> None:
    def noisy(n_per_class: int, seed: int):  # type: ignore[no-untyped-def]
        rng = np.random.default_rng(seed)
        labels = np.tile(np.arange(2), n_per_class)
        features = rng.normal(size=(len(labels), 2, 96, 64))
        for row, label in enumerate(labels):
            features[row, rng.integers(2), :, 32 * label : 32 * (label + 1)] += 3.0
        return clips(features * 2 - 4, labels)

    train, test = noisy(8, 0), noisy(8, 1)
    system = Mla(task(2), MlaParams(trunk="resnet18"), Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(Clips(Features(test.features.source, test.features.rows)))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.8
