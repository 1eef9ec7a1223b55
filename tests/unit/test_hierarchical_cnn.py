"""The hierarchical CNN: Table I's sizes, its numbers against numpy, its settings, and every variant in training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.proposed._hierarchical_cnn_network import HierarchicalNetwork, Shape
from asc_bench.proposed._hierarchical_cnn_settings import PIPELINES, Layer, least_samples, n_steps
from asc_bench.proposed.hierarchical_cnn import HierarchicalCnn, HierarchicalCnnParams, orthogonality_factor

from asc_bench.api import (
    COARSE,
    FINE,
    Budget,
    Clips,
    ConfigError,
    Context,
    Features,
    LabelledClips,
    LabelSpace,
    Task,
)
from asc_bench.runs.variant import parse_variants
from asc_bench.training.batches import Batch
from tests.unit.small_sets import refusal

MERGED = {f"fine{i}": f"coarse{i % 8}" for i in range(70)}
TOY = LabelSpace.from_map({"low": "tone", "high": "tone", "white": "noise", "clicks": "noise"})
TINY = {
    "short": (Layer(4, 2, 3, 3, 3), Layer(2, 1, 4, 2, 1), Layer(1, 1, 5)),
    "long": (Layer(9, 3, 3, 2, 2), Layer(1, 1, 5)),
}


def system(space=TOY, duration_s=5.0, budget=Budget.SMOKE, **settings) -> HierarchicalCnn:
    return HierarchicalCnn(Task(space, (), duration_s), HierarchicalCnnParams(**settings), budget)


def merged(**settings) -> HierarchicalCnn:
    return system(LabelSpace.from_map(MERGED), budget=Budget.PAPER, **settings)


def tiny(**settings) -> HierarchicalNetwork:
    shape = Shape(
        pipelines=TINY,
        dense=(7, 6),
        n_classes={FINE: 4, COARSE: 3},
        n_prototypes=3,
        reading="A",
        rnn="none",
        attention=True,
        chunk=60,
        hop=45,
        dropout="last",
        probability=0.9,
    )
    torch.manual_seed(0)
    return HierarchicalNetwork(replace(shape, **settings))


@pytest.mark.parametrize(
    ("name", "n_samples", "expected"),
    [
        ("short", 32_000, 223),
        ("long", 32_000, 22),
        ("short", 16_000, 104),
        ("long", 16_000, 4),
        ("short", 80_000, 578),
        ("long", 80_000, 76),
        ("long", 12_500, 1),
        ("long", 12_499, 0),
        ("short", 1_995, 1),
        ("short", 1_994, 0),
    ],
)
def test_steps_of_table_1(name: str, n_samples: int, expected: int) -> None:
    assert n_steps(PIPELINES[name], n_samples) == expected


def test_steps_are_those_that_the_network_makes() -> None:
    module = merged(prototypes="no").build().eval()
    with torch.no_grad():
        for name, n_samples in (("short", 3_000), ("long", 13_500)):
            maps = module.pipelines[name](torch.zeros(1, n_samples))
            assert maps.shape == (1, n_steps(PIPELINES[name], n_samples), 500)
    assert (least_samples(PIPELINES["short"]), least_samples(PIPELINES["long"])) == (1_995, 12_500)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 4_542_462),
        ({"pipelines": "short"}, 2_793_950),
        ({"pipelines": "long"}, 1_825_006),
        ({"reading": "B"}, 3_902_462),
        ({"reading": "C"}, 3_902_462),
        ({"reading": "D"}, 4_302_846),
        ({"reading": "F"}, 4_542_462),
        ({"attention": "no"}, 4_542_462 - 256_256),
        ({"reading": "E"}, 4_542_462 - 256_256 + 2 * 64_256),
        ({"labels": "fine"}, 4_542_462 - 1_032),
        ({"labels": "coarse"}, 4_542_462 - 9_030),
        ({"rnn": "lstm"}, 4_542_462 - 256_256 - 1_032 - 9_030 + 26_640 + 248 + 2_170),
        ({"rnn": "gru"}, 4_542_462 - 256_256 - 1_032 - 9_030 + 19_980 + 248 + 2_170),
    ],
)
def test_parameters_at_70_and_8_classes(settings: dict[str, str], expected: int) -> None:
    if settings.get("labels") != "fine":
        settings = settings | {"prototypes": "no"}
    module = merged(**settings).build()
    assert sum(p.numel() for p in module.parameters()) == expected


def test_parameters_of_the_parts() -> None:
    module = merged().build()
    found = {name: sum(p.numel() for p in pipeline.parameters()) for name, pipeline in module.pipelines.items()}
    assert found == {"short": 2_077_456, "long": 1_108_512}
    assert module.prototypes.shape == (8, 128)
    torch.testing.assert_close(module.prototypes.norm(dim=1), torch.ones(8))
    assert {level: head.scale for level, head in module.heads.items()} == pytest.approx(
        {FINE: 6.417, COARSE: 3.989}, abs=5e-4
    )


def test_multiply_adds_worked_by_hand() -> None:
    """Convolutions of Table I on three chunks of 2 s, and the dense layers."""
    short = (
        6397 * 20 * 100 + 2123 * 1000 * 300 + 705 * 900 * 300 + 233 * 900 * 512 + 227 * 1536 * 512 + 223 * 512 * 500
    )
    long = 318 * 300 * 100 + 104 * 300 * 300 + 32 * 900 * 300 + 26 * 900 * 512 + 22 * 512 * 500
    per_chunk = short + long + 2000 * 512 + 512 * 128 + 2000 * 128 + 128
    # The attention's weighted sum is no matrix product.
    found = merged().complexity()
    assert found["n_multiply_adds"] == 3 * per_chunk + 128 * (70 + 8)
    assert found["n_parameters"] == 4_542_462 + 1_024


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def numpy_maps(pipeline, layers, chunk):
    """One chunk, (samples,), to maps, (steps, channels): loops over windows."""
    x = chunk[:, None]
    for convolution, layer in zip(pipeline.convolutions(), layers, strict=True):
        w = convolution.weight.detach().numpy()[:, :, 0].astype(np.float64)
        b = convolution.bias.detach().numpy()
        starts = range(0, len(x) - layer.kernel + 1, layer.stride)
        x = elu(np.array([np.tensordot(w, x[t : t + layer.kernel].T, axes=2) + b for t in starts]))
        if layer.pool:
            starts = range(0, len(x) - layer.pool + 1, layer.pool_stride)
            x = np.array([x[t : t + layer.pool].max(axis=0) for t in starts])
    return x


def dense(layer, x):
    return x @ layer.weight.detach().numpy().T + (0 if layer.bias is None else layer.bias.detach().numpy())


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def statistics(maps):
    return np.concatenate([maps.mean(axis=0), np.sqrt(maps.var(axis=0) + 1e-8)])


def attention(module, x):
    (attend,) = module.attention
    return softmax(dense(attend.score, np.tanh(dense(attend.hidden, x)))[:, 0])


def numpy_embedding(module, clip, reading):
    """Embedding and chunk weights of one clip, (samples,), by sections III and IV."""
    emphasised = np.concatenate([clip[:1], clip[1:] - 0.97 * clip[:-1]])
    chunks = [emphasised[s : s + 60] for s in (0, 45, 90)]
    maps = [[numpy_maps(module.pipelines[n], TINY[n], c - c.mean()) for n in TINY] for c in chunks]
    if reading == "B":
        h = np.array([statistics(np.concatenate(both)) for both in maps])
    elif reading == "C":
        h = np.array([(statistics(a) + statistics(b)) / 2 for a, b in maps])
    else:
        h = np.array([np.concatenate([statistics(x) for x in both]) for both in maps])

    def embed(x):
        return np.maximum(dense(module.fc2, np.maximum(dense(module.fc1, x), 0)), 0)

    a = attention(module, embed(h) if reading == "D" else h)
    return (embed(a @ h) if reading == "F" else a @ embed(h)), a


@pytest.mark.parametrize("reading", ["A", "B", "C", "D", "F"])
def test_forward_pass_against_numpy(reading: str) -> None:
    module = tiny(reading=reading).eval()
    for parameter in module.parameters():  # biases begin as zero, which would hide their absence
        parameter.data += 0.3 * torch.randn(parameter.shape)
    x = torch.randn(2, 150)
    with torch.no_grad():
        embedding, weights = module.embed(x)
        outputs = module(x)
    for i in range(2):
        r, a = numpy_embedding(module, x[i].numpy().astype(np.float64), reading)
        np.testing.assert_allclose(embedding[i], r, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(weights[i], a, rtol=1e-3)
        unit = r / np.linalg.norm(r)
        for level, n_classes in ((FINE, 4), (COARSE, 3)):
            logits = dense(module.heads[level].dense, np.log(9 * (n_classes - 2)) * unit)
            np.testing.assert_allclose(outputs[level][i], logits, rtol=1e-3, atol=1e-3)
        d = ((unit - module.prototypes.detach().numpy()) ** 2).sum(axis=1)
        np.testing.assert_allclose(outputs["distances"][i], d, rtol=1e-3, atol=1e-3)


def test_uniform_attention_inside_the_statistics_is_none() -> None:
    """Reading E with a score of zero is the plain mean and deviation, all chunks alike."""
    inside, without = tiny(reading="E"), tiny(attention=False)
    for attend in inside.attention:
        attend.score.weight.data.zero_()
    inside.load_state_dict({**inside.state_dict(), **without.state_dict()})
    x = torch.randn(2, 150)
    for module in (inside, without):
        module.eval()
    torch.testing.assert_close(inside.embed(x), without.embed(x))
    torch.testing.assert_close(inside.embed(x)[1], torch.full((2, 3), 1 / 3))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent_layers_end_in_their_last_state(kind: str) -> None:
    module = tiny(rnn=kind, attention=False).eval()
    x = torch.randn(1, 150)
    with torch.no_grad():
        r, weights = module.embed(x)
        e = torch.cat([tiny_dense(module, x[:, s : s + 60], x[:, s - 1 : s] if s else None) for s in (0, 45, 90)])
        states, _ = module.rnn(e[None])
    assert r.shape == (1, 30) and weights.tolist() == [[0.0, 0.0, 1.0]]
    torch.testing.assert_close(r, states[:, -1])


def tiny_dense(module, chunk, before):
    previous = torch.cat([torch.zeros(1, 1) if before is None else before, chunk[:, :-1]], dim=1)
    emphasised = chunk - 0.97 * previous
    maps = [p(emphasised - emphasised.mean()) for p in module.pipelines.values()]
    h = torch.cat([s for x in maps for s in (x.mean(dim=1), (x.var(dim=1, correction=0) + 1e-8).sqrt())], dim=1)
    return module.fc2(module.fc1(h).relu()).relu()


def test_all_weights_begin_orthogonal() -> None:
    for name, weight in merged().build().named_parameters():
        if weight.ndim < 2 or name == "prototypes":
            continue
        w = weight.detach().flatten(start_dim=1).double().numpy()
        gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "settings", [{}, {"reading": "E"}, {"reading": "B"}, {"rnn": "lstm"}, {"orthogonality": "so"}]
)
def test_digital_silence_has_a_finite_gradient(settings: dict[str, str]) -> None:
    one = system(duration_s=1.0, **settings)
    module = one.build().train()
    labels = {FINE: torch.tensor([0, 3]), COARSE: torch.tensor([0, 1])}
    batch = Batch(torch.zeros(2, 16_000), labels)
    loss = one.loss(one.forward(module, batch), batch)
    loss.backward()
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    assert loss.isfinite() and len(gradients) > 10 and all(g.isfinite().all() for g in gradients)


def test_loss_is_the_sum_that_the_card_states() -> None:
    one = system(duration_s=1.0)
    outputs = {
        FINE: torch.log(torch.tensor([[0.5, 0.25, 0.125, 0.125]])),
        COARSE: torch.log(torch.tensor([[0.8, 0.2]])),
        "distances": torch.tensor([[0.3, 0.4]]),
        "orthogonality": torch.tensor(2.0),
    }
    labels = {FINE: torch.tensor([1]), COARSE: torch.tensor([0])}
    expected = -np.log(0.25) - np.log(0.8) + 0.1 * (0.3 + 0.6)
    for progress, weight in ((0.0, 1e-2), (0.25, 1e-5), (0.5, 1e-6), (0.9, 1e-8)):
        batch = Batch(torch.zeros(1, 1), labels, progress=progress)
        assert float(one.loss(outputs, batch)) == pytest.approx(expected + 2 * weight)
    assert orthogonality_factor(0.19) == 1.0 and orthogonality_factor(0.2) == 1e-3


def test_penalty_is_of_the_convolutions_and_of_training_alone() -> None:
    one = system(duration_s=1.0, orthogonality="so")
    module = one.build()
    for convolution in module.convolutions():
        convolution.weight.data *= 2**0.5
    batch = Batch(torch.zeros(1, 16_000))
    # Of each convolution the smaller Gram matrix is twice the identity: as many ones are left as it has rows.
    sides = [min(c.weight.shape[0], c.weight[0].numel()) for c in module.convolutions()]
    penalty = one.forward(module.train(), batch)["orthogonality"].detach()
    assert float(penalty) == pytest.approx(sum(sides), rel=1e-4)
    assert "orthogonality" not in one.forward(module.eval(), batch)
    assert "orthogonality" not in system(orthogonality="none").forward(module.train(), batch)


@pytest.mark.parametrize(
    ("space", "duration_s", "settings", "message"),
    [
        (
            TOY,
            0.5,
            {},
            "have 8,000 samples at 16 kHz, and the long pipeline needs at least 12,500.*pipelines=short",
        ),
        (TOY, 0.78, {}, "12,480 samples"),
        (TOY, 0.1, {"pipelines": "short"}, r"the short pipeline needs at least 1,995 \(0.12 s\)$"),
        (LabelSpace(("a", "b")), 5.0, {"labels": "coarse"}, "no coarse classes; use labels=fine"),
        (LabelSpace.from_map({"a": "x", "b": "x"}), 5.0, {}, "there is 1 coarse class; use labels=fine"),
    ],
)
def test_what_cannot_work_is_refused(space, duration_s, settings, message) -> None:
    why = refusal(system(space, duration_s, **settings))
    assert why is not None and re.search(message, why), why


@pytest.mark.parametrize(
    ("space", "duration_s", "settings"),
    [
        (TOY, 0.782, {}),
        (TOY, 0.5, {"pipelines": "short"}),
        (LabelSpace(("a", "b")), 5.0, {}),
        (LabelSpace(("a", "b")), 5.0, {"labels": "fine"}),
    ],
)
def test_what_can_work_is_not_refused(space, duration_s, settings) -> None:
    assert refusal(system(space, duration_s, **settings)) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "hierarchical-cnn[reading=B,pipelines=long]",
            "two pipelines become 1000-D, and there is only the long one",
        ),
        ("hierarchical-cnn[reading=D,attention=no]", "where attention looks, and there is none"),
        ("hierarchical-cnn[reading=F,rnn=gru]", "which rnn=gru takes the place of; choose reading=A, B or C"),
        ("hierarchical-cnn[labels=both]", "must be one of coarse\\+fine, fine, coarse"),
    ],
)
def test_impossible_settings_are_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_variants(text)


def test_grids_leave_out_what_is_impossible_and_name_equal_runs_alike() -> None:
    readings = [str(v) for v in parse_variants("hierarchical-cnn[pipelines=long,reading=*]")]
    assert readings == [
        f"hierarchical-cnn[pipelines=long{r}]" for r in ("", ",reading=D", ",reading=E", ",reading=F")
    ]
    assert len(parse_variants("hierarchical-cnn[labels=*,attention=*]")) == 6
    assert [str(v) for v in parse_variants("hierarchical-cnn[labels=fine,prototypes=*]")] == [
        "hierarchical-cnn[labels=fine]"
    ]
    assert [str(v) for v in parse_variants("hierarchical-cnn[rnn=gru,attention=*]")] == [
        "hierarchical-cnn[rnn=gru]"
    ]


def toy_clips(n: int, seed: int) -> LabelledClips:
    """0.8 s each of a low tone, a high tone, noise or clicks."""
    rng = np.random.default_rng(seed)
    fine = np.arange(n) % 4
    t = np.arange(12_800) / 16_000
    made = {
        0: lambda: np.sin(2 * np.pi * 400 * t + rng.uniform(0, 6)),
        1: lambda: np.sin(2 * np.pi * 5_000 * t + rng.uniform(0, 6)),
        2: lambda: rng.standard_normal(t.size),
        3: lambda: 20.0 * (rng.random(t.size) < 0.002),
    }
    x = np.array([0.1 * made[int(c)]() for c in fine], dtype=np.float32)
    return LabelledClips(Features(x, np.arange(n)), None, {FINE: fine, COARSE: TOY.to_coarse(fine)})


VARIANTS = [
    {},
    {"labels": "fine"},
    {"labels": "coarse"},
    {"attention": "no"},
    {"prototypes": "no"},
    {"pipelines": "short"},
    {"pipelines": "long"},
    *({"reading": reading} for reading in "BCDEF"),
    {"rnn": "lstm"},
    {"rnn": "gru"},
    {"orthogonality": "so"},
    {"orthogonality": "none"},
    {"example": "clip"},
    {"dropout": "all"},
]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums of two threads are rounded in another order, and so few steps on so few clips amplify that."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("settings", VARIANTS, ids=lambda s: ",".join(s.values()) or "default")
def test_every_variant_learns_is_saved_and_loaded(settings: dict[str, str], tmp_path: Path, monkeypatch) -> None:
    one = system(duration_s=0.8, **settings)
    plan = replace(one.training_plan(), batch_size=8, iterations=36, learning_rate=3e-3, precision="float32")
    monkeypatch.setattr(HierarchicalCnn, "training_plan", lambda self: plan)
    train, test = toy_clips(32, 0), toy_clips(16, 1)
    one.fit(train, None, Context(seed=1, folder=tmp_path))
    found = one.predict(Clips(test.features))
    assert isinstance(found, dict)
    assert set(found) == set(settings.get("labels", "coarse+fine").split("+"))
    for level, probabilities in found.items():
        assert probabilities.shape == (16, len(TOY.classes(level)))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        chance = 1 / len(TOY.classes(level))
        assert (probabilities.argmax(axis=1) == test.labels[level]).mean() > 1.4 * chance

    width = 30 if "rnn" in settings else 16
    assert one.embed(Clips(test.features)).shape == (16, width)
    np.testing.assert_allclose(one.chunk_attention(Clips(test.features)), np.ones((16, 1)))
    shapes = {"short": (12, 20), "long": (12, 300)}
    names = [settings["pipelines"]] if "pipelines" in settings else ["short", "long"]
    assert {n: f.shape for n, f in one.first_layer_filters().items()} == {n: shapes[n] for n in names}

    one.save(tmp_path)
    again = system(duration_s=0.8, **settings)
    again.load(tmp_path)
    for level, probabilities in again.predict(Clips(test.features)).items():
        np.testing.assert_allclose(probabilities, found[level], atol=1e-6)


def test_embedding_is_what_the_heads_read(tmp_path: Path) -> None:
    one = system(duration_s=5.0)
    one.module = one.build().eval()
    x = np.random.default_rng(0).standard_normal((3, 80_000)).astype(np.float32)
    clips = Clips(Features(x, np.arange(3)))
    r, found = one.embed(clips), one.predict(clips)
    unit = r / np.linalg.norm(r, axis=1, keepdims=True)
    for level in (FINE, COARSE):
        head = one.module.heads[level]
        np.testing.assert_allclose(found[level], softmax(dense(head.dense, head.scale * unit)), atol=1e-5)
    attention = one.chunk_attention(clips)
    assert attention.shape == (3, 3) and one.facts()["n_chunks"] == 3
    np.testing.assert_allclose(attention.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", ["dcase2018", "dcase2019", "esc10", "esc50"])
def test_levels_of_the_protocols(name: str) -> None:
    from asc_bench.registry import protocols

    protocol = protocols().get(name)
    task = Task(protocol.labels, (), protocol.clip_duration_s)
    one = HierarchicalCnn(task, HierarchicalCnnParams(), Budget.QUICK)
    assert refusal(one) is None and set(one.levels) == {FINE, COARSE}
    assert one.facts()["n_chunks"] == (6 if protocol.clip_duration_s == 10 else 3)
    names = protocol.labels.coarse
    assert len(names) == (5 if name.startswith("esc") else 3)


def test_budgets() -> None:
    plans = {budget: system(budget=budget).training_plan() for budget in Budget}
    assert plans[Budget.PAPER].epochs == 100 and plans[Budget.PAPER].batch_size == 32
    assert plans[Budget.PAPER].patience == 15 and plans[Budget.PAPER].monitor == "loss"
    assert not plans[Budget.QUICK].needs_validation and plans[Budget.QUICK].iterations == 800
    # 100 passes over 320 clips of 5 s are 1,000 updates of 32 clips, and over 20,000 clips 62,500.
    assert plans[Budget.PAPER].n_steps(320) == 1_000 and plans[Budget.PAPER].n_steps(20_000) == 62_500
    assert all(plan.clip_gradient_norm == 10.0 for plan in plans.values())
    assert all(plan.learning_rate == 1e-3 for plan in plans.values())
