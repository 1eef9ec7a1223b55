"""Networks with the weights of ``values`` against numbers that the original code computed from the same ones.

``outputs.json`` is written by ``originals``, which runs the authors' published code; none of that is kept here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from asc_bench.baselines.beats import Beats
from asc_bench.baselines.cp_mobile import CpMobile
from asc_bench.baselines.cp_resnet import CpResnet, CpResnetParams
from asc_bench.baselines.cp_resnet_128k import CpResnet128k, CpResnet128kParams
from asc_bench.baselines.dcase2018_baseline import Dcase2018Baseline
from asc_bench.baselines.dcase2024_baseline import Dcase2024Baseline
from asc_bench.baselines.efficientat import Efficientat, EfficientatParams
from asc_bench.baselines.n_cnn import NCnn
from asc_bench.baselines.panns import Panns, PannsParams
from asc_bench.baselines.passt import Passt, PasstParams
from asc_bench.baselines.raw_cnn import RawCnn, RawCnnParams
from asc_bench.baselines.sample_cnn import SampleCnn, SampleCnnParams
from asc_bench.baselines.tf_sepnet import TfSepnet, TfSepnetParams
from asc_bench.baselines.vggish_svm import VggishSvm
from asc_bench.proposed.caa_net import BEST_LAYER, CaaNet, CaaNetParams
from torch import Tensor, nn

from asc_bench.api import Budget
from asc_bench.modules.beats import BeatsClassifier, BeatsSettings
from asc_bench.modules.vggish import VggishNetwork
from tests.parity.filling import fill, fill_by_key, fill_dynamic, fill_places, fill_response_norms
from tests.parity.values import drawn, long, one_second, uneven
from tests.unit.small_sets import task

pytestmark = pytest.mark.parity

OUTPUTS = Path(__file__).parent / "outputs.json"
TOLERANCE = 2e-5
"""Of logits and log scores, which are of order 1: rounding of single precision."""

HALF_TOLERANCE = 2e-3
"""Four steps of half precision near 1: another processor adds in another order."""

TEN = task(10, duration_s=10.0, devices=("A", "B", "C"))


@pytest.fixture(scope="module")
def outputs() -> dict[str, npt.NDArray[np.float64]]:
    if not OUTPUTS.exists():
        pytest.skip(f"{OUTPUTS} is missing: tests/parity/originals.py tells how it is made from the authors' code")
    return {name: np.array(rows) for name, rows in json.loads(OUTPUTS.read_text(encoding="utf-8")).items()}


@torch.inference_mode()
def logits(module: nn.Module, features: npt.NDArray[np.float32]) -> Tensor:
    found = module(torch.from_numpy(np.ascontiguousarray(features)))
    if isinstance(found, Tensor):
        return found
    return torch.cat([found["scene"], found["device"].log_softmax(dim=1)], dim=1)


def largest_difference(
    module: nn.Module, features: npt.NDArray[np.float32], expected: npt.NDArray[np.float64]
) -> float:
    return float(np.abs(logits(module, features).float().numpy() - expected).max())


def filled_like_keras(module: nn.Module, *, n_channels: int) -> nn.Module:
    """Keras flattens maps with the channels last: inputs of the first dense layer stand in another order."""
    fill(module)
    first_dense = next(layer for layer in module.modules() if isinstance(layer, nn.Linear))
    by_bin = first_dense.weight.detach().unflatten(1, (-1, n_channels))
    first_dense.weight.data = by_bin.transpose(1, 2).flatten(start_dim=1)
    return module


@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("block", ["basic", "se", "res", "rese"])
def test_sample_cnn(outputs, block, multi):
    """github.com/tae-jun/resemul, model.py."""
    module = fill(SampleCnn(TEN, SampleCnnParams(block=block, multi=multi), Budget.PAPER).build())
    samples, expected = 0.1 * drawn("samples", (2, 59_049)), outputs[f"sample-cnn block={block} multi={multi}"]
    assert largest_difference(module, samples, expected) < TOLERANCE


@pytest.mark.parametrize("depth", ["M3", "M5", "M11", "M18"])
def test_raw_cnn(outputs, monkeypatch, depth):
    """github.com/philipperemy/very-deep-convnets-raw-waveforms, models.py, whose padding is given by hand."""
    module = fill(RawCnn(TEN, RawCnnParams(depth=depth), Budget.PAPER).build())
    waveform = drawn("waveform", (2, 32_000)).astype(np.float64)
    waveform = (waveform - waveform.mean(axis=1, keepdims=True)) / waveform.std(axis=1, keepdims=True)
    monkeypatch.setattr(
        "asc_bench.baselines._raw_cnn_network.standardised", lambda x: nn.functional.pad(x, (38, 38))
    )
    expected = outputs[f"raw-cnn depth={depth}"]
    assert largest_difference(module, waveform.astype(np.float32), expected) < TOLERANCE


def test_dcase2018_baseline(outputs):
    """github.com/DCASE-REPO/dcase2018_baseline, task1/task1b.yaml."""
    bands = drawn("bands", (2, 40, 500)).transpose(0, 2, 1)
    module = filled_like_keras(Dcase2018Baseline(TEN, budget=Budget.PAPER).build(), n_channels=64)
    assert largest_difference(module, bands, outputs["dcase2018-baseline"]) < TOLERANCE


def test_n_cnn(outputs):
    """github.com/edufonseca/icassp19, architectures.py."""
    module = filled_like_keras(NCnn(TEN, budget=Budget.PAPER).build(), n_channels=48)
    assert largest_difference(module, drawn("patches", (2, 100, 96)), outputs["n-cnn"]) < TOLERANCE


def test_dcase2024_baseline(outputs):
    """github.com/CPJKU/dcase2024_task1_baseline, models/baseline.py, in single and in half precision."""
    module = fill(Dcase2024Baseline(TEN, budget=Budget.PAPER).build())
    bands = drawn("seconds", (2, 1, 256, 65))[:, 0].transpose(0, 2, 1)
    assert largest_difference(module, bands, outputs["dcase2024-baseline"]) < TOLERANCE
    half = outputs["dcase2024-baseline half"]
    assert largest_difference(module.half(), bands.astype(np.float16), half) < HALF_TOLERANCE


@pytest.mark.parametrize("rho", [3, 5, 7, 8])
def test_cp_resnet(outputs, rho):
    """github.com/kkoutini/cpjku_dcase20, models/cp_resnet.py, with one channel of input."""
    module = fill(CpResnet(TEN, CpResnetParams(rho=rho), Budget.PAPER).build())
    decibels = drawn("decibels", (2, 1, 256, 43))[:, 0].transpose(0, 2, 1)
    assert largest_difference(module, decibels, outputs[f"cp-resnet rho={rho}"]) < TOLERANCE


def test_cp_mobile(outputs):
    """github.com/fschmid56/cpjku_dcase23, models/cp_mobile_clean.py, with response norms that have an effect."""
    module = fill_response_norms(fill(CpMobile(TEN, budget=Budget.PAPER).build()))
    assert largest_difference(module, one_second(256), outputs["cp-mobile"]) < TOLERANCE


@pytest.mark.parametrize("rho", [3, 5, 8])
def test_cp_resnet_128k(outputs, rho):
    """github.com/fschmid56/cpjku_dcase23, models/cp_resnet.py."""
    module = fill(CpResnet128k(TEN, CpResnet128kParams(rho=rho), Budget.PAPER).build())
    assert largest_difference(module, one_second(256), outputs[f"cp-resnet-128k rho={rho}"]) < TOLERANCE


@pytest.mark.parametrize("depth", [16, 17])
def test_tf_sepnet(outputs, monkeypatch, depth):
    """github.com/yqcai888/easy_dcase_task1, model/backbones.py, whose norms divide by one bin less."""
    var_mean = torch.var_mean
    monkeypatch.setattr(torch, "var_mean", lambda x, **options: var_mean(x, **{**options, "correction": 1}))
    module = fill(TfSepnet(TEN, TfSepnetParams(depth=depth), Budget.PAPER).build())
    assert largest_difference(module, one_second(512), outputs[f"tf-sepnet depth={depth}"]) < TOLERANCE


def test_vggish(outputs):
    """torchvggish 0.2, without the rectification at its end."""
    module = fill(VggishNetwork(VggishSvm.widths))
    examples = drawn("examples", (2, 1, 96, 64))[:, 0]
    assert largest_difference(module, examples, outputs["vggish"]) < TOLERANCE


@pytest.mark.parametrize(("topology", "pooling"), list(BEST_LAYER))
def test_caa_net(outputs, topology, pooling):
    """github.com/EIHW/CAANet_DCASE_ASC, pytorch-pred/models_pytorch.py: scenes and devices."""
    layer = BEST_LAYER[topology, pooling]
    params = CaaNetParams(topology=topology, pooling=pooling, training="multi-task", condition_layer=layer)
    module = fill_by_key(CaaNet(TEN, params, Budget.PAPER).build())
    expected = outputs[f"caa-net topology={topology} pooling={pooling} condition_layer={layer}"]
    n_frames = 320 if pooling in ("flatten", "roi") else 32
    frames = drawn(f"{n_frames} frames", (len(expected), n_frames, 64))
    assert largest_difference(module, frames, expected) < TOLERANCE


@pytest.mark.parametrize("network", ["cnn6", "cnn10", "cnn14", "mobilenet-v1"])
def test_panns(outputs, network):
    """github.com/qiuqiangkong/audioset_tagging_cnn, pytorch/models.py, from decibels to logits."""
    module = fill_by_key(Panns(TEN, PannsParams(network=network), Budget.PAPER).build())
    expected = outputs[f"panns network={network}"]
    assert largest_difference(module, uneven(64), expected) < TOLERANCE


def test_beats(outputs):
    """github.com/microsoft/unilm, beats, from the normalised filterbank to logits, on a second and on 20 s."""
    module = fill_by_key(Beats(TEN, budget=Budget.PAPER).build())
    assert largest_difference(module, uneven(128), outputs["beats published"]) < TOLERANCE
    small = BeatsSettings(
        embed_dim=24,
        encoder_layers=2,
        encoder_embed_dim=32,
        encoder_ffn_embed_dim=64,
        encoder_attention_heads=4,
        conv_pos=16,
        conv_pos_groups=4,
    )
    module = fill_by_key(BeatsClassifier(small, 10))
    assert largest_difference(module, long(), outputs["beats small"]) < TOLERANCE
    module.encoder.max_distance = 1_280
    assert largest_difference(module, long(), outputs["beats small"]) > 5 * TOLERANCE


@pytest.mark.parametrize("width", [0.4, 1.0])
def test_efficientat(outputs, width):
    """github.com/fschmid56/EfficientAT, models/mn, from normalised bands to logits."""
    module = fill_by_key(Efficientat(TEN, EfficientatParams(width=width), Budget.PAPER).build())
    expected = outputs[f"efficientat width={width}"]
    assert largest_difference(module, uneven(128), expected) < TOLERANCE


@pytest.mark.parametrize("stride", [10, 16])
def test_passt(outputs, stride):
    """github.com/kkoutini/PaSST, models/passt.py, from normalised bands to logits."""
    module = fill_places(Passt(TEN, PasstParams(stride=stride), Budget.PAPER).build())
    assert largest_difference(module, uneven(128) / 10, outputs[f"passt stride={stride}"]) < TOLERANCE


@pytest.mark.parametrize("width", [0.4, 1.0])
def test_dynamic_efficientat(outputs, width):
    """github.com/fschmid56/EfficientAT, models/dymn, at two temperatures; the batch is what norms go by."""
    params = EfficientatParams(network="dymn", width=width)
    module = fill_dynamic(Efficientat(TEN, params, Budget.PAPER).build()).train()
    module.classifier.eval()
    for temperature in (30, 1):
        module.temperature.fill_(temperature)
        expected = outputs[f"efficientat network=dymn width={width} temperature={temperature}"]
        assert largest_difference(module, uneven(128), expected) < TOLERANCE
    module.temperature.fill_(1.1)
    assert largest_difference(module, uneven(128), expected) > 50 * TOLERANCE


def test_another_constant_of_normalisation_is_noticed(outputs):
    module = filled_like_keras(Dcase2018Baseline(TEN, budget=Budget.PAPER).build(), n_channels=64)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1e-5
    bands = drawn("bands", (2, 40, 500)).transpose(0, 2, 1)
    assert largest_difference(module, bands, outputs["dcase2018-baseline"]) > 50 * TOLERANCE
