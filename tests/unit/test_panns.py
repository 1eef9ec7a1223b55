"""Networks of PANNs: published sizes, and checkpoints in the layout of the release with random weights."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.baselines.panns import Panns, PannsParams
from torch import Tensor

from asc_bench.api import FINE, Budget, ConfigError, Crop, StoreError, panns_log_mel
from asc_bench.modules.panns import Panns as Network
from tests.unit.small_sets import accuracy, context, refusal, task, tones

CLASSIFIER = {"fc_audioset.weight", "fc_audioset.bias"}


@pytest.mark.parametrize(
    ("network", "n_parameters", "giga_macs"),
    [
        ("cnn6", 4_837_455, 9.93),
        ("cnn10", 5_219_279, 13.02),
        ("cnn14", 80_753_615, 20.04),
        ("mobilenet-v1", 4_796_303, 0.74),
    ],
)
def test_sizes_are_the_published_ones(network, n_parameters, giga_macs):
    """Of 527 classes, and of 10 s: 1,001 frames."""
    system = Panns(task(527, duration_s=10.0), PannsParams(network=network), Budget.PAPER)
    with torch.device("meta"):
        system.module = system.build()
    assert sum(p.numel() for p in system.module.parameters()) == n_parameters
    assert system.front_end().shape(10.0) == (1_001, 64)
    assert round(system.network_cost().n_multiply_adds / 1e9, 2) == giga_macs


def test_the_front_end_is_that_of_the_release():
    made = panns_log_mel()
    assert (made.sample_rate_hz, made.n_fft, made.window_length, made.hop_length) == (32_000, 1_024, 1_024, 320)
    assert (made.n_mels, made.fmin_hz, made.fmax_hz, made.window, made.pad) == (64, 50, 14_000, "hann", "reflect")
    # torchlibrosa: 10 log10(max(power, 1e-10)).
    np.testing.assert_allclose(made(np.zeros(32_000, dtype=np.float32)), -100, atol=1e-3)


@pytest.mark.parametrize("network", ["cnn6", "cnn10", "cnn14", "mobilenet-v1"])
def test_time_is_pooled_by_its_maximum_and_its_mean(network):
    torch.manual_seed(0)
    module = Network(network, 3, divisor=16).eval()
    with torch.no_grad():
        torch.nn.init.eye_(module.fc1.weight)
    seen = {}
    last = module.features if network == "mobilenet-v1" else module.get_submodule(f"conv_block{module.n_blocks}")
    last.register_forward_hook(lambda layer, inputs, output: seen.update(maps=output))
    module.fc_audioset.register_forward_hook(lambda layer, inputs, output: seen.update(embedding=inputs[0]))
    with torch.no_grad():
        logits = module(torch.randn(2, 100, 64))
    maps = seen["maps"]
    # Four poolings of 100 frames and 64 bands, or five.
    assert maps.shape[2:] == ((6, 4) if network in ("cnn6", "cnn10") else (3, 2))
    over_bands = maps.sum(dim=3) / maps.shape[3]
    expected = over_bands.max(dim=2).values + over_bands.sum(dim=2) / maps.shape[2]
    torch.testing.assert_close(seen["embedding"], expected)
    assert logits.shape == (2, 3)


def test_dropout_stands_where_the_release_has_it():
    """0.2 after each of the blocks, 0.5 before and after the dense layer."""
    module, seen = Network("cnn10", 3, divisor=16), []
    for layer in module.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.register_forward_hook(lambda layer, inputs, output: seen.append(layer.p))
    module(torch.randn(2, 32, 64))
    assert seen == [0.2] * 4 + [0.5] * 2


def released(network: str, *, seed: int = 0) -> dict[str, Tensor]:
    """What a published file holds under "model", by the classes of the released code; weights are random."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, width: int) -> None:
        shapes.update({f"{name}.{key}": (width,) for key in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["spectrogram_extractor.stft.conv_real.weight"] = (513, 1, 1_024)
    shapes["spectrogram_extractor.stft.conv_imag.weight"] = (513, 1, 1_024)
    norm("bn0", 64)
    if network == "mobilenet-v1":
        widths = [32, 64, 128, 128, 256, 256, *[512] * 6, 1_024, 1_024]
        shapes["features.0.0.weight"] = (32, 1, 3, 3)
        norm("features.0.2", 32)
        for i, (before, width) in enumerate(pairwise(widths), start=1):
            shapes[f"features.{i}.0.weight"] = (before, 1, 3, 3)
            norm(f"features.{i}.2", before)
            shapes[f"features.{i}.4.weight"] = (width, before, 1, 1)
            norm(f"features.{i}.5", width)
        size = 1_024
    else:
        assert network == "cnn6"
        for i, (before, width) in enumerate(((1, 64), (64, 128), (128, 256), (256, 512)), start=1):
            shapes[f"conv_block{i}.conv1.weight"] = (width, before, 5, 5)
            norm(f"conv_block{i}.bn1", width)
        size = 512
    shapes |= {"fc1.weight": (size, size), "fc1.bias": (size,)}
    shapes |= {"fc_audioset.weight": (527, size), "fc_audioset.bias": (527,)}
    draw = torch.Generator().manual_seed(seed)
    tensors = {name: 0.05 * torch.rand(shape, generator=draw) for name, shape in shapes.items()}
    for name in shapes:
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(7)
    return {**tensors, "logmel_extractor.melW": torch.from_numpy(panns_log_mel().mel_filters().copy())}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of MobileNetV1."""
    path = tmp_path_factory.mktemp("panns") / "MobileNetV1.pth"
    torch.save({"iteration": 600_000, "model": released("mobilenet-v1")}, path)
    return path


def starting_from(path: Path, *, network: str = "mobilenet-v1", layers: str = "all") -> Panns:
    params = PannsParams(network=network, weights=str(path), layers=layers)
    return Panns(task(3, duration_s=1.0), params, Budget.SMOKE)


def test_a_released_checkpoint_is_taken_over_but_for_the_last_layer(checkpoint):
    system = starting_from(checkpoint)
    assert system.external_files() == (checkpoint,)
    module, given = system.starting_network(), released("mobilenet-v1")
    state = module.state_dict()
    of_front_end = {name for name in given if name.startswith(("spectrogram_extractor.", "logmel_extractor."))}
    assert len(of_front_end) == 3 and state.keys() == given.keys() - of_front_end
    for name in state.keys() - CLASSIFIER:
        torch.testing.assert_close(state[name], given[name], rtol=0, atol=0, msg=name)
    assert state["fc_audioset.weight"].shape == (3, 1_024) and not state["fc_audioset.bias"].any()
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_so_is_one_of_blocks_and_without_the_dictionary_around_it(tmp_path):
    torch.save(released("cnn6"), tmp_path / "Cnn6.pth")
    state = starting_from(tmp_path / "Cnn6.pth", network="cnn6").starting_network().state_dict()
    given = released("cnn6")
    for name in state.keys() - CLASSIFIER:
        assert torch.equal(state[name], given[name]), name


@pytest.mark.parametrize("layers", ["classifier", "all"])
def test_what_is_trained_from_a_checkpoint(layers, checkpoint, tmp_path, monkeypatch):
    system = starting_from(checkpoint, layers=layers)
    plan = replace(system.training_plan(), iterations=2, batch_size=4, crop=Crop(length=32, n_test=1))
    monkeypatch.setattr(Panns, "training_plan", lambda self: plan)
    system.fit(tones(2, (101, 64)), None, context(tmp_path))
    state, given = system.module.state_dict(), released("mobilenet-v1")
    moved = {name for name in state.keys() - CLASSIFIER if not torch.equal(state[name].cpu(), given[name])}
    backbone = {name for name in state.keys() - CLASSIFIER if name.endswith(("weight", "bias"))}
    assert moved == set() if layers == "classifier" else moved >= backbone
    assert state["fc_audioset.bias"].any()
    assert system.complexity()["n_parameters"] == 4_796_303 - 524 * 1_025
    system.save(tmp_path)
    again = Panns(system.task, replace(system.params, weights="gone.pth"), Budget.SMOKE)
    again.load(tmp_path)  # what is stored is whole
    test = tones(1, (101, 64), seed=1)
    np.testing.assert_allclose(again.predict(test), system.predict(test), atol=1e-5)


def test_files_that_are_no_checkpoint_of_the_network(checkpoint, tmp_path):
    with pytest.raises(StoreError, match=r"^panns: .*gone.pth: no such file$"):
        starting_from(tmp_path / "gone.pth").starting_network()
    with pytest.raises(
        StoreError,
        match=r"^panns: .*MobileNetV1.pth: no checkpoint of PANNs, network=cnn6: it lacks "
        r"conv_block1.conv1.weight, and \d+ more tensors differ$",
    ):
        starting_from(checkpoint, network="cnn6").starting_network()
    path = tmp_path / "x.pth"
    wrong = released("cnn6") | {"fc1.bias": torch.zeros(5)}
    torch.save(wrong, path)
    with pytest.raises(StoreError, match=r"x.pth: .*: fc1.bias has the shape \(5,\) instead of \(512,\)$"):
        starting_from(path, network="cnn6").starting_network()
    torch.save(released("cnn6") | {"extra.bias": torch.zeros(5)}, path)
    with pytest.raises(StoreError, match=r"x.pth: .*: extra.bias belongs to another network$"):
        starting_from(path, network="cnn6").starting_network()
    torch.save(released("cnn6") | {"logmel_extractor.melW": torch.zeros(257, 64)}, path)
    with pytest.raises(StoreError, match=r"panns: .*x.pth: another front end than 64 bands at 32 kHz"):
        starting_from(path, network="cnn6").starting_network()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": "cnn12"}, "panns: network is 'cnn12', must be one of cnn6, cnn10, cnn14, mobilenet-v1"),
        ({"layers": "last", "weights": "x"}, "layers is 'last', must be all or classifier"),
        ({"layers": "classifier"}, "layers=classifier trains the last layer .* name its checkpoint with weights="),
    ],
)
def test_senseless_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        PannsParams(**settings)


def test_clips_that_are_too_short():
    systems = (Panns(task(3, duration_s=0.2), PannsParams(network=n)) for n in ("cnn10", "cnn14"))
    assert [refusal(s) for s in systems] == [None, "clips of 0.2 s have 21 frames; network=cnn14 needs 32"]


def test_paper_budget():
    scratch = Panns(task(10, duration_s=10.0), budget=Budget.PAPER).training_plan()
    tuned = Panns(task(10), PannsParams(weights="x"), budget=Budget.PAPER).training_plan()
    for plan, rate in ((scratch, 1e-3), (tuned, 1e-4)):
        assert (plan.optimiser, plan.learning_rate, plan.batch_size, plan.iterations) == ("adam", rate, 32, 10_000)
        assert plan.augment[-1].alpha == 1.0 and plan.crop is None
    masks = scratch.augment[0]
    assert (int(masks.time * 1_001), masks.frequency, masks.n_time, masks.n_frequency) == (64, 8, 2, 2)


def test_learns_separable_clips(tmp_path):
    train, test = (tones(n, (101, 64), seed=n) for n in (16, 4))
    system = Panns(task(3, duration_s=1.0), budget=Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
