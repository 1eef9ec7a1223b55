"""PaSST: published size, patches and their places, checkpoints in the layout of the release with random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.baselines.passt import Passt, PasstParams
from torch import Tensor

from asc_bench.api import FINE, Budget, ConfigError, Crop, StoreError
from asc_bench.features.encoders.passt import passt_log_mel
from asc_bench.features.encoders.passt_network import Backbone, Placement
from asc_bench.runs.variant import parse_variants
from tests.unit.small_sets import accuracy, clips, context, refusal, task, tones

CLASSIFIER = {"head.1.weight", "head.1.bias"}
ROWS_AND_COLUMNS = {10: (12, 99), 12: (10, 83), 14: (9, 71), 16: (8, 62)}
"""Of 128 bands and 998 frames, the input that the release states for each stride: length // stride."""


@pytest.mark.parametrize("stride", [10, 12, 14, 16])
def test_sizes_are_the_published_ones(stride):
    """85,350,922 parameters with 10 classes; multiply-adds of 10 s layer by layer."""
    system = Passt(task(10, duration_s=10.0), PasstParams(stride=stride), Budget.PAPER)
    with torch.device("meta"):
        system.module = system.build()
    rows, columns = ROWS_AND_COLUMNS[stride]
    n_parameters = sum(p.numel() for p in system.module.parameters())
    assert n_parameters == 85_350_922 - 768 * (12 + 99 - rows - columns)
    assert system.front_end().shape(10.0) == (1_000, 128)
    n = rows * columns + 2
    products = (n - 2) * 256 * 768 + 12 * (n * 12 * 768**2 + 2 * n**2 * 768) + 768 * 10
    assert system.network_cost().n_multiply_adds == products


def test_the_front_end_is_that_of_the_source():
    made = Passt(task()).front_end()
    assert (made.sample_rate_hz, made.n_fft, made.window_length, made.hop_length) == (32_000, 1_024, 800, 320)
    assert (made.n_mels, made.fmin_hz, made.fmax_hz, made.pre_emphasis) == (128, 0.0, 15_000.0, 0.97)
    assert made.symmetric_window and made.pad == "reflect" and made == passt_log_mel()
    silence = made(np.zeros(32_000, dtype=np.float32))
    np.testing.assert_allclose(silence, (np.log(1e-5) + 4.5) / 5, atol=1e-5)


@pytest.mark.parametrize(
    ("n_frames", "patchout", "n_tokens"),
    [(1_000, (6, 0), 6 * 99 + 2), (100, (6, 0), 6 * 9 + 2), (1_000, (4, 40), 8 * 59 + 2), (25, (0, 0), 12 + 2)],
)
def test_training_drops_rows_and_columns_of_patches(n_frames, patchout, n_tokens):
    network = Backbone(depth=1, width=64, patchout=patchout)
    seen = []
    network.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    for training in (True, False):
        assert network.train(training)(torch.randn(1, n_frames, 128)).shape == (1, 64)
    assert seen == [n_tokens, 12 * ((n_frames - 6) // 10) + 2]


def test_patches_are_told_their_places():
    frequency, time = torch.tensor([0.0, 100.0, 200.0])[None, None, :, None], torch.arange(5.0)[None, None, None]
    nothing = torch.zeros(2, 1, 3, 4)
    found = Placement(n_rows=1, n_columns=2).eval()(nothing, frequency, time)
    assert found.shape == (2, 12, 1)
    assert found[1, :, 0].tolist() == [0, 1, 2, 3, 100, 101, 102, 103, 200, 201, 202, 203]
    placement, rows, columns = Placement(n_rows=1, n_columns=2).train(), set(), set()
    torch.manual_seed(0)
    for _ in range(200):
        clip, other = placement(nothing, frequency, time)[..., 0]
        assert torch.equal(clip, other), "all clips of a step lose the same"
        places = [divmod(int(place), 100) for place in clip]
        assert places == sorted(places) and len(set(places)) == 4
        rows.add(tuple(sorted({row for row, _ in places})))
        columns.add(tuple(sorted({column for _, column in places})))
    assert rows == {(0, 1), (0, 2), (1, 2)}
    # Two of the four columns, that begin at the first or at the second place.
    assert columns == {(a, b) for a in range(5) for b in range(a + 1, 5) if b - a < 4}


def test_more_than_ten_seconds_and_patchout_of_everything_are_refused():
    network = Backbone(depth=1, width=64, patchout=(6, 9))
    with pytest.raises(ValueError, match="100 columns of patches, the network knows 99 places"):
        network(torch.zeros(1, 1_006, 128))
    with pytest.raises(ValueError, match="patchout of 9 leaves nothing of 9 columns of patches"):
        network(torch.zeros(1, 105, 128))


def released(*, depth: int = 1, seed: int = 0, columns: int = 99) -> dict[str, Tensor]:
    """The state dict of a published network by the authors' classes; weights are random."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, 768),
        "dist_token": (1, 1, 768),
        "new_pos_embed": (1, 2, 768),
        "freq_new_pos_embed": (1, 768, 12, 1),
        "time_new_pos_embed": (1, 768, 1, columns),
        "patch_embed.proj.weight": (768, 1, 16, 16),
        "patch_embed.proj.bias": (768,),
    }
    for i in range(depth):
        for name, out, into in (("qkv", 2_304, 768), ("proj", 768, 768)):
            shapes |= {f"blocks.{i}.attn.{name}.weight": (out, into), f"blocks.{i}.attn.{name}.bias": (out,)}
        for name, out, into in (("fc1", 3_072, 768), ("fc2", 768, 3_072)):
            shapes |= {f"blocks.{i}.mlp.{name}.weight": (out, into), f"blocks.{i}.mlp.{name}.bias": (out,)}
        for name in ("norm1", "norm2"):
            shapes |= {f"blocks.{i}.{name}.{key}": (768,) for key in ("weight", "bias")}
    for name in ("norm", "head.0"):
        shapes |= {f"{name}.{key}": (768,) for key in ("weight", "bias")}
    for name in ("head.1", "head_dist"):
        shapes |= {f"{name}.weight": (527, 768), f"{name}.bias": (527,)}
    draw = torch.Generator().manual_seed(seed)
    return {name: 0.05 * torch.rand(shape, generator=draw) for name, shape in shapes.items()}


def starting_from(path: Path, *, layers: str = "all", **settings: int) -> Passt:
    params = PasstParams(weights=str(path), layers=layers, **{"depth": 1, **settings})
    return Passt(task(3, duration_s=1.0), params, Budget.SMOKE)


def test_a_released_checkpoint_is_taken_over_but_for_the_classification_layers(tmp_path):
    torch.save(released(), tmp_path / "passt.pt")
    state, given = starting_from(tmp_path / "passt.pt").starting_network().state_dict(), released()
    assert given.keys() - state.keys() == {"head_dist.weight", "head_dist.bias"}
    for name in state.keys() - CLASSIFIER:
        assert torch.equal(state[name], given[name]), name
    assert state["head.1.weight"].shape == (3, 768)


def test_normalisations_have_the_constants_of_the_source():
    module = Passt(task(), budget=Budget.SMOKE).build()
    norms = {name: m.eps for name, m in module.named_modules() if isinstance(m, torch.nn.LayerNorm)}
    assert norms.pop("head.0") == 1e-5
    assert len(norms) == 2 * 2 + 1 and set(norms.values()) == {1e-6}


@pytest.mark.parametrize("layers", ["classifier", "all"])
def test_what_is_trained_from_a_checkpoint(layers, tmp_path, monkeypatch):
    torch.save(released(), tmp_path / "passt.pt")
    system = starting_from(tmp_path / "passt.pt", layers=layers)
    plan = replace(system.training_plan(), iterations=2, batch_size=4, crop=Crop(length=32, n_test=1))
    monkeypatch.setattr(system, "training_plan", lambda: plan)
    n_tokens, build = [], system.build

    def watched():
        module = build()
        module.blocks[0].register_forward_pre_hook(lambda _, inputs: n_tokens.append(inputs[0].shape[1]))
        return module

    monkeypatch.setattr(system, "build", watched)
    system.fit(tones(2, (100, 128)), None, context(tmp_path))
    state, given = system.module.state_dict(), released()
    moved = {name for name in state.keys() - CLASSIFIER if not torch.equal(state[name].cpu(), given[name])}
    assert (moved == set()) == (layers == "classifier")
    assert n_tokens[-2:] == ([26, 26] if layers == "classifier" else [14, 14])
    assert system.module.head[1].bias.detach().any()


@pytest.mark.parametrize(
    ("given", "wanted", "fault"),
    [
        ({}, {"depth": 2}, r"depth=2, .*stride=10: it lacks blocks.1.norm1.weight, and 11 more tensors differ"),
        ({"depth": 2}, {}, r"blocks.1.attn.qkv.weight belongs to another network, and 11 more tensors differ"),
        ({}, {"stride": 16}, r"freq_new_pos_embed has the shape \(1, 768, 12, 1\) instead of \(1, 768, 8, 1\)"),
        ({"columns": 200}, {}, r"time_new_pos_embed has the shape \(1, 768, 1, 200\) instead of "),
    ],
)
def test_checkpoints_of_other_networks_are_refused(given, wanted, fault, tmp_path):
    path = tmp_path / "passt.pt"
    torch.save(released(**given), path)
    with pytest.raises(StoreError, match=rf"^passt: \S*passt.pt: no checkpoint of PaSST, .*{fault}"):
        starting_from(path, **wanted).starting_network()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 8}, "stride is 8, must be one of 10, 12, 14, 16"),
        ({"depth": 0}, "depth is 0, must be at least 1"),
        (
            {"stride": 16, "patchout_frequency": 8},
            "patchout_frequency is 8, must be between 0 and 7, as stride=16 ",
        ),
        ({"patchout_frequency": -1}, "patchout_frequency is -1, must be between 0 and 11"),
        ({"patchout_time": -1}, "patchout_time is -1, must not be negative"),
    ],
)
def test_senseless_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=f"^passt: {message}"):
        PasstParams(**settings)


def test_tasks_that_it_does_not_suit():
    assert refusal(Passt(task(duration_s=0.1))) == "clips of 0.1 s have 10 frames; a patch needs 16"
    # A second has 9 columns of patches.
    found = [refusal(Passt(task(duration_s=1.0), PasstParams(patchout_time=n))) for n in (8, 9)]
    assert found == [None, "patchout_time=9 leaves nothing of the 9 columns of patches of 100 frames"]
    assert refusal(Passt(task(duration_s=10.0), PasstParams(patchout_time=40), Budget.PAPER)) is None
    (variant,) = parse_variants("passt[patchout_time=3,plan.crop=crop(length=30,test_hop=30)]")
    cut = variant.build(task(duration_s=10.0), Budget.SMOKE)
    assert refusal(cut) == "patchout_time=3 leaves nothing of the 2 columns of patches of 30 frames"


@pytest.mark.parametrize(("duration_s", "excerpt"), [(1.0, None), (10.0, None), (30.0, 1_000)])
def test_paper_budget_is_the_recipe_for_tau_2022(duration_s, excerpt):
    system = Passt(task(10, duration_s=duration_s), PasstParams(weights="x"), Budget.PAPER)
    plan = system.training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.weight_decay) == ("adam", 1e-5, 1e-3)
    assert (plan.batch_size, plan.epochs, plan.short_batches, plan.standardise) == (80, 25, True, "none")
    assert plan.crop == (excerpt and Crop(length=excerpt, test_hop=excerpt))
    # The source's factors at epochs: exp(-5 (1 - e / 3)^2), then from 1 at 3 to 0.01 at 13.
    expected = [np.exp(-5 / 9), 1, 0.505, 0.01, 0.01]
    assert [plan.schedule.factor(e, 25) for e in (2, 3, 8, 13, 24)] == pytest.approx(expected)
    roll, masks, style = plan.augment
    assert roll.seconds * 32_000 == 10_000 and (style.p, style.alpha, style.share) == (0.4, 0.4, "clip")
    # Masked bins are 0 before the normalisation.
    assert (masks.frequency, masks.time, masks.value) == (48, 20, pytest.approx((0 + 4.5) / 5))
    assert (system.params.patchout_frequency, system.params.patchout_time) == (6, 0)


@pytest.mark.parametrize(
    ("settings", "rate"), [({}, 1e-4), ({"weights": "x"}, 1e-5), ({"weights": "x", "layers": "classifier"}, 1e-3)]
)
def test_rates_of_the_quick_budget(settings, rate):
    plan = Passt(task(), PasstParams(**settings), Budget.QUICK).training_plan()
    assert plan.learning_rate == rate and plan.crop == Crop(length=200, test_hop=200)


@pytest.mark.slow
def test_learns_separable_clips(tmp_path):
    train, test = (tones(n, (100, 128), seed=n) for n in (16, 4))
    train, test = (clips((c.features.load() + 40) / 3, c.labels[FINE]) for c in (train, test))
    system = Passt(task(3, duration_s=1.0), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
