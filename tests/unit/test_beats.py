"""BEATs: its parts by hand, and checkpoints in the layout of the release, small and with random weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from asc_bench.baselines.beats import Beats, BeatsParams
from torch import Tensor, nn

from asc_bench.api import FINE, Budget, Crop, DataError, KaldiFbank, StoreError
from asc_bench.features.encoders.beats import Beats as Encoder
from asc_bench.features.encoders.beats_network import (
    Attention,
    Backbone,
    PositionConvolution,
    Transformer,
    position_buckets,
)
from asc_bench.modules.beats import PUBLISHED, BeatsClassifier, BeatsSettings, network_tensors
from tests.unit.small_sets import accuracy, clips, context, refusal, task, tones
from tests.unit.test_encoders import sound

SMALL = BeatsSettings(
    embed_dim=12,
    encoder_layers=2,
    encoder_embed_dim=16,
    encoder_ffn_embed_dim=24,
    encoder_attention_heads=4,
    conv_pos=6,
    conv_pos_groups=2,
    num_buckets=16,
    max_distance=20,
)
CLASSIFIER = {"predictor.weight", "predictor.bias"}
CFG = {
    "input_patch_size": 16, "embed_dim": 12, "conv_bias": False, "encoder_layers": 2, "encoder_embed_dim": 16,
    "encoder_ffn_embed_dim": 24, "encoder_attention_heads": 4, "activation_fn": "gelu",
    "layer_wise_gradient_decay_ratio": 0.6, "layer_norm_first": False, "deep_norm": True, "dropout": 0.0,
    "attention_dropout": 0.0, "activation_dropout": 0.0, "encoder_layerdrop": 0.05, "dropout_input": 0.0,
    "conv_pos": 6, "conv_pos_groups": 2, "relative_position_embedding": True, "num_buckets": 16,
    "max_distance": 20, "gru_rel_pos": True, "finetuned_model": True, "predictor_dropout": 0.0,
    "predictor_class": 527,
}  # fmt: skip


class SmallBeats(Beats):
    numerics_version = None

    def settings(self) -> BeatsSettings:
        return SMALL


@dataclass(frozen=True, kw_only=True)
class SmallEncoder(Encoder):
    settings: ClassVar[BeatsSettings] = SMALL


def released(*, seed: int = 0, finetuned: bool = True) -> dict[str, Any]:
    """What a published file holds, by the authors' classes; weights are random."""
    shapes: dict[str, tuple[int, ...]] = {"patch_embedding.weight": (12, 1, 16, 16)}

    def dense(name: str, n_in: int, n_out: int) -> None:
        shapes.update({f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)})

    def norm(name: str, width: int) -> None:
        shapes.update({f"{name}.weight": (width,), f"{name}.bias": (width,)})

    dense("post_extract_proj", 12, 16)
    norm("layer_norm", 12)
    shapes |= {"encoder.pos_conv.0.bias": (16,), "encoder.pos_conv.0.weight_g": (1, 1, 6)}
    shapes["encoder.pos_conv.0.weight_v"] = (16, 8, 6)
    norm("encoder.layer_norm", 16)
    for i in range(2):
        layer = f"encoder.layers.{i}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            dense(f"{layer}.self_attn.{part}", 16, 16)
        dense(f"{layer}.self_attn.grep_linear", 4, 8)
        shapes[f"{layer}.self_attn.grep_a"] = (1, 4, 1, 1)
        shapes[f"{layer}.self_attn.relative_attention_bias.weight"] = (16, 4)
        norm(f"{layer}.self_attn_layer_norm", 16)
        dense(f"{layer}.fc1", 16, 24)
        dense(f"{layer}.fc2", 24, 16)
        norm(f"{layer}.final_layer_norm", 16)
    if finetuned:
        dense("predictor", 16, 527)
    draw = torch.Generator().manual_seed(seed)
    model = {name: torch.rand(shape, generator=draw) - 0.3 for name, shape in shapes.items()}
    table = "self_attn.relative_attention_bias.weight"
    model[f"encoder.layers.1.{table}"] = model[f"encoder.layers.0.{table}"].clone()
    content: dict[str, Any] = {"cfg": {**CFG, "finetuned_model": finetuned}, "model": model}
    return {**content, "label_dict": {0: "/m/09x0r"}} if finetuned else content


def starting_from(path: Path, *, layers: str = "all", kind: type[Beats] = SmallBeats) -> Beats:
    return kind(task(3, duration_s=1.0), BeatsParams(weights=str(path), layers=layers), Budget.SMOKE)


def test_the_size_is_that_of_the_released_code():
    """90,311,792 parameters by the authors' classes with the published settings, without classes."""
    system = Beats(task(10, duration_s=10.0), budget=Budget.PAPER)
    with torch.device("meta"):
        system.module = system.build()
    n_parameters = sum(p.numel() for p in system.module.parameters())
    assert n_parameters - 10 * 769 == 90_311_792 == Encoder(weights="x").n_parameters
    assert system.front_end() == KaldiFbank() and system.front_end().shape(10.0) == (998, 128)
    # 62 times 8 patches; the convolution of positions makes one more, which is cut off.
    n = 62 * 8
    before = n * (16 * 16 * 512 + 512 * 768) + (n + 1) * 768 * 48 * 128
    layer = n * (4 * 768**2 + 2 * 768 * 3_072 + 12 * 64 * 8) + 2 * n**2 * 768
    assert system.network_cost().n_multiply_adds == before + 12 * layer + n * 768 * 10 == 49_307_721_728


def test_places_share_rows_of_the_table_as_the_logarithm_of_their_distance():
    found = position_buckets(1_000, n_buckets=320, max_distance=800, device=torch.device("cpu"))
    rows = {distance: int(found[0, distance]) for distance in (0, 1, 79, 80, 81, 253, 799, 800, 999)}
    # 160 rows for later places: 80 of one distance each, and 80 from 80 to 800, of which 253 is half way.
    half_way = 80 + math.floor(80 * math.log10(253 / 80))
    assert rows == {0: 0, 1: 161, 79: 239, 80: 240, 81: 240, 253: 160 + half_way, 799: 319, 800: 319, 999: 319}
    assert half_way == 120
    assert torch.equal(found.T[0, 1:] + 160, found[0, 1:]), "earlier places have the other half"
    assert torch.equal(found[5:, 5:], found[:-5, :-5])


def test_positions_come_from_a_weight_normalised_convolution():
    torch.manual_seed(0)
    for kernel in (5, 6):
        made = PositionConvolution(8, kernel, 2)
        nn.init.uniform_(made.weight_g, 0.5, 1.5)
        nn.init.normal_(made.bias)
        plain = nn.Conv1d(8, 8, kernel, padding=kernel // 2, groups=2)
        plain.weight.data, plain.bias.data = made.weight_v.detach(), made.bias.detach()
        expected = nn.utils.parametrizations.weight_norm(plain, dim=2)
        expected.parametrizations.weight.original0.data = made.weight_g.detach()
        x = torch.randn(2, 9, 8)
        by_torch = x + nn.functional.gelu(expected(x.transpose(1, 2))[..., :9]).transpose(1, 2)
        torch.testing.assert_close(made(x), by_torch)


def test_a_gate_scales_what_the_table_says():
    torch.manual_seed(0)
    attention, x, positions = Attention(8, 2), torch.randn(3, 5, 8), torch.randn(2, 5, 5)
    nn.init.zeros_(attention.grep_linear.weight)
    # The four inputs of each gate sum to ln 3 and -ln 3: sigmoids of 3/4 and 1/4.
    attention.grep_linear.bias.data = math.log(3) * torch.tensor([0.25] * 4 + [-1.0, 0.5, -0.5, 0.0])
    attention.grep_a.data = torch.tensor([1.0, 3.0])[None, :, None, None]
    gate = torch.tensor([0.75 * (0.25 * 1 - 1) + 2, 0.75 * (0.25 * 3 - 1) + 2])[:, None, None]
    q, k, v = (
        layer(x).reshape(3, 5, 2, 4).transpose(1, 2)
        for layer in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    heads = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=gate * positions)
    torch.testing.assert_close(attention(x, positions), attention.out_proj(heads.transpose(1, 2).reshape(3, 5, 8)))


def test_initial_weights_are_those_of_deep_norm():
    torch.manual_seed(0)
    layer = Transformer(replace(SMALL, encoder_embed_dim=256, encoder_layers=2), layer_drop=0.0).layers[1]
    narrow = 16**-0.25
    expected = {"q_proj": 1.0, "k_proj": 1.0, "v_proj": narrow, "out_proj": narrow}
    for name, gain in expected.items():
        found = getattr(layer.self_attn, name)
        assert float(found.weight.detach().std()) == pytest.approx(gain / 16, rel=0.02) and not found.bias.any()
    assert layer.alpha == pytest.approx(math.sqrt(2))


def test_layers_are_left_out_in_training_alone():
    x = torch.randn(2, 7, 16)
    module = Transformer(SMALL, layer_drop=1.0)
    with torch.no_grad():
        torch.testing.assert_close(module.train()(x), module.layer_norm(module.pos_conv(x)))
        assert not torch.allclose(module.eval()(x), module.layer_norm(module.pos_conv(x)))


def test_logits_are_the_mean_over_tokens_of_whole_patches():
    torch.manual_seed(0)
    module, x = BeatsClassifier(SMALL, 3).eval(), torch.randn(2, 37, 128)
    with torch.no_grad():
        tokens = Backbone.forward(module, x)
        assert tokens.shape == (2, 2 * 8, 16)
        torch.testing.assert_close(module(x), module.predictor(tokens.mean(dim=1)))
        torch.testing.assert_close(module(x[:, :32]), module(x))


@pytest.mark.parametrize("finetuned", [True, False])
def test_a_released_checkpoint_is_taken_over_without_its_classes(finetuned, tmp_path):
    torch.save(released(finetuned=finetuned), tmp_path / "beats.pt")
    state, given = starting_from(tmp_path / "beats.pt").starting_network().state_dict(), released()["model"]
    assert given.keys() - state.keys() == {"encoder.layers.1.self_attn.relative_attention_bias.weight"}
    for name in state.keys() - CLASSIFIER:
        assert torch.equal(state[name], given[name]), name
    assert state["predictor.weight"].shape == (3, 16)


@pytest.mark.parametrize("layers", ["classifier", "all"])
def test_what_is_trained_from_a_checkpoint(layers, tmp_path, monkeypatch):
    torch.save(released(), tmp_path / "beats.pt")
    system = starting_from(tmp_path / "beats.pt", layers=layers)
    plan = replace(system.training_plan(), iterations=2, batch_size=4, crop=Crop(length=32, n_test=1))
    monkeypatch.setattr(SmallBeats, "training_plan", lambda self: plan)
    system.fit(tones(2, (98, 128)), None, context(tmp_path))
    state, given = system.module.state_dict(), released()["model"]
    moved = {name for name in state.keys() - CLASSIFIER if not torch.equal(state[name].cpu(), given[name])}
    assert (moved == set()) == (layers == "classifier")
    # The file is not needed to load a stored run.
    system.save(tmp_path)
    again = SmallBeats(system.task, replace(system.params, weights="gone.pt"), Budget.SMOKE)
    again.load(tmp_path)
    test = tones(1, (98, 128))
    np.testing.assert_array_equal(again.predict(test), system.predict(test))


def changed(**cfg: object) -> dict[str, Any]:
    return {**released(), "cfg": {**CFG, **cfg}}


def without(*names: str) -> dict[str, Any]:
    content = released()
    return {**content, "model": {name: t for name, t in content["model"].items() if name not in names}}


def other_table() -> dict[str, Tensor]:
    content = released()
    content["model"]["encoder.layers.1.self_attn.relative_attention_bias.weight"] += 1.0
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            released()["model"],
            "no checkpoint of BEATs: those of .* hold cfg and model, this holds encoder.layer_norm.b",
        ),
        (changed(max_distance=1_280), "in its cfg max_distance is 1280 instead of 20$"),
        (
            changed(deep_norm=False, conv_pos=95),
            "in its cfg conv_pos is 95 instead of 6, and 1 more settings differ$",
        ),
        (
            {"cfg": {}, "model": {}},
            "in its cfg input_patch_size is 'not there' instead of 16, and 15 more settings",
        ),
        (other_table(), "layer 1 has another table of relative positions than layer 0"),
        (without("layer_norm.bias"), "beats.pt: no checkpoint of BEATs.*layer_norm.bias"),
    ],
)
def test_checkpoints_of_other_networks_are_refused(content, message, tmp_path):
    path = tmp_path / "beats.pt"
    torch.save(content, path)
    with pytest.raises(StoreError, match=f"^beats: .*{message}"):
        starting_from(path).starting_network()
    with pytest.raises(StoreError, match=message):
        SmallEncoder(weights=str(path))(sound(0.5, 16_000))


def test_a_small_checkpoint_is_no_published_one():
    with pytest.raises(StoreError, match=r"in its cfg embed_dim is 12 instead of 512, and 8 more settings differ$"):
        network_tensors(Path("beats.pt"), released(), PUBLISHED)
    assert starting_from(Path("beats.pt"), kind=Beats).settings() == PUBLISHED


def test_clips_without_a_whole_patch_are_refused():
    assert refusal(Beats(task(3, duration_s=0.17))) == ("clips of 0.17 s have 15 frames; a patch of BEATs needs 16")
    assert refusal(Beats(task(3, duration_s=0.175))) is None


def test_paper_budget_is_the_recipe_for_tau_2022():
    tuned = Beats(task(10, duration_s=1.0), BeatsParams(weights="x"), Budget.PAPER)
    plan = tuned.training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.weight_decay) == ("adamw", 1e-5, 0.01)
    assert (plan.batch_size, plan.epochs, plan.crop, plan.standardise) == (128, 30, None, "none")
    # The source's factors at epochs: exp(-5 (1 - e / 4)^2), then from 1 at 4 to 0.005 at 30.
    expected = [np.exp(-5 / 4), 1, 1 - 0.995 * 13 / 26, 1 - 0.995 * 25 / 26]
    assert [plan.schedule.factor(e, 30) for e in (2, 4, 17, 29)] == pytest.approx(expected)
    assert [t.name for t in plan.augment] == ["freq-mixstyle", "specaugment", "mixup"]
    module = BeatsClassifier(SMALL, 3)
    assert tuned.parameter_groups(module)[0]["betas"] == (0.9, 0.98)
    frozen = replace(tuned.params, layers="classifier")
    alone = Beats(tuned.task, frozen, Budget.PAPER)
    plan = alone.training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.weight_decay) == ("adam", 1e-3, 0.0)
    assert (plan.batch_size, plan.epochs, [t.name for t in plan.augment]) == (256, 60, ["specaugment", "mixup"])
    assert "betas" not in alone.parameter_groups(module)[0]
    assert Beats(tuned.task, budget=Budget.PAPER).training_plan().learning_rate == 5e-4
    assert Beats(tuned.task, budget=Budget.QUICK).settings() == PUBLISHED


def test_the_encoder_gives_the_tokens_of_the_network(tmp_path):
    torch.save(released(), tmp_path / "beats.pt")
    made, waveform = SmallEncoder(weights=str(tmp_path / "beats.pt")), sound(0.7, 16_000)
    network = starting_from(tmp_path / "beats.pt").starting_network().eval()
    with torch.no_grad():
        tokens = Backbone.forward(network, torch.from_numpy(KaldiFbank()(waveform))[None])[0].numpy()
    assert tokens.shape == (4 * 8, 16) and made.shape(0.7) == (2, 16)
    np.testing.assert_allclose(made(waveform), [tokens.mean(axis=0), tokens.std(axis=0)], atol=1e-5)
    with pytest.raises(DataError, match=r"^extractor=beats: 2799 samples, at least 2800 are needed"):
        made.dimensions(2_799)


def test_learns_separable_clips(tmp_path):
    train, test = (tones(n, (98, 128), seed=n) for n in (16, 4))
    train, test = (clips((c.features.load() + 40) / 3, c.labels[FINE]) for c in (train, test))
    system = Beats(task(3, duration_s=1.0), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
