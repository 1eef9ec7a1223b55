"""The encoder EfficientAT: files in the layout of the release with random weights, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from asc_bench.baselines.efficientat import Efficientat, EfficientatParams
from asc_bench.baselines.embedding_linear import EmbeddingLinear, EmbeddingLinearParams
from torch import Tensor, nn

from asc_bench.api import Budget, DataError, StoreError, encoder
from asc_bench.features.encoders import dymn_network, efficientat_network
from asc_bench.modules.efficientat import DynamicMobileNet
from tests.parity.filling import fill_dynamic
from tests.unit import test_dymn, test_efficientat
from tests.unit.small_sets import task
from tests.unit.test_encoders import sound

RELEASED: dict[str, Callable[[], dict[str, Tensor]]] = {
    "mn": test_efficientat.released,
    "dymn": test_dymn.released,
}
"""Names and shapes of the release at width 0.1, written down apart from the networks."""


@pytest.fixture(params=sorted(RELEASED))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def saved(content: object, folder: Path) -> str:
    torch.save(content, folder / "x.pt")
    return str(folder / "x.pt")


def test_an_embedding_is_what_the_trained_network_averages_before_its_classifier(kind: str, tmp_path: Path) -> None:
    clip = sound(1.0, 32_000)
    clip[16_000:] *= 0.02
    system = Efficientat(
        task(527, duration_s=0.5),
        EfficientatParams(network=kind, width=0.1),
        Budget.PAPER,  # type: ignore[arg-type]
    )
    # This network is held against the authors' code, from bands to logits, in tests/parity.
    network, front_end = fill_dynamic(system.build()), system.front_end()
    frames = torch.from_numpy(np.stack([front_end(half) for half in clip.reshape(2, -1)]))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    if isinstance(network, DynamicMobileNet):
        network.temperature.fill_(1.0)
    network.train()(frames)  # statistics that keep the two halves apart through all layers
    network.eval()
    content = {name: tensor for name, tensor in network.state_dict().items() if name != "temperature"}
    assert content.keys() == RELEASED[kind]().keys()
    seen: list[Tensor] = []
    classifier = network.classifier
    assert isinstance(classifier, nn.Sequential)
    classifier[2].register_forward_hook(lambda _, given, __: seen.append(given[0]))
    with torch.inference_mode():
        network(frames)
    expected = seen[0].numpy()
    assert expected.shape == (2, 96) and np.abs(expected[0] - expected[1]).max() > 0.1
    made = encoder("efficientat", weights=saved(content, tmp_path), window_s=0.5)
    np.testing.assert_allclose(made(clip), [expected.mean(axis=0), expected.std(axis=0)], atol=1e-5)
    assert made.shape(1.0) == (2, 96)


@pytest.mark.parametrize(
    ("module", "width", "published", "within", "dimensions"),
    [
        (efficientat_network, 0.4, 983_000, 5_000, 384),
        (efficientat_network, 1.0, 4_880_000, 5_000, 960),
        (dymn_network, 0.4, 1_961_239, 0, 384),
        (dymn_network, 1.0, 10_548_479, 0, 960),
    ],
)
def test_sizes_are_the_published_ones_without_the_classifier(
    module: ModuleType, width: float, published: int, within: int, dimensions: int
) -> None:
    """Of the README; those of dymn are what the authors' code counts."""
    with torch.device("meta"):
        network = module.Backbone(width=width)
    hidden = round(1_280 * width)
    classifier = (dimensions + 1) * hidden + (hidden + 1) * 527
    assert network.n_dimensions == dimensions
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(published - classifier, abs=within)


def test_the_count_is_that_of_the_file_without_its_classifier(kind: str, tmp_path: Path) -> None:
    content = RELEASED[kind]()
    buffers = ("running_mean", "running_var", "num_batches_tracked", "lambdas", "init_v")
    trained = {name: t for name, t in content.items() if not name.endswith(buffers)}
    expected = sum(t.numel() for name, t in trained.items() if not name.startswith("classifier."))
    assert encoder("efficientat", weights=saved(content, tmp_path)).n_parameters == expected
    assert encoder("efficientat", weights="nowhere.pt").n_parameters is None


def test_kind_and_width_are_those_of_the_file(tmp_path: Path) -> None:
    system = Efficientat(task(527), EfficientatParams(width=0.4), Budget.PAPER)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        path = saved(system.build().state_dict(), tmp_path)
    assert encoder("efficientat", weights=path).shape(10.0) == (2, 384)
    saved(test_dymn.released(), tmp_path)
    assert encoder("efficientat", weights=path).shape(10.0) == (2, 96), "another content of the same path"


def test_files_that_are_no_efficientat(kind: str, tmp_path: Path) -> None:
    clip = sound(0.1, 32_000)

    def refused(content: object, match: str) -> None:
        with pytest.raises(StoreError, match=match):
            encoder("efficientat", weights=saved(content, tmp_path))(clip)

    content = RELEASED[kind]()
    first = {"mn": "features.0.0.weight", "dymn": "in_c.1.weight"}[kind]
    refused({"a": torch.zeros(3)}, r"x.pt: no checkpoint of EfficientAT with its usual classifier, it lacks classi")
    refused([1], r"x.pt: holds a list, expected a dict of tensors")
    refused(
        {k: t for k, t in content.items() if k != first}, rf"not an? {kind} of width 0.1, it lacks {first} and 0"
    )
    wide = content | {"classifier.2.weight": torch.zeros(512, 96)}
    refused(wide, rf"not an? {kind} of width 0.4: \S+ has the shape|of width 0.4, it lacks")
    refused(content | {first: torch.zeros(3)}, rf"{first} has the shape \(3,\) instead of \(8")
    refused(content | {"features.4.se.1": torch.zeros(1)}, r"which has no features.4.se.1 \(1 such tensors\)")
    refused(content | {"temperature": torch.tensor(9.0)}, "which has no temperature")
    imagenet = content | {"classifier.5.weight": torch.zeros(1_000, 128)}
    refused(imagenet, "x.pt: a network of 1000 classes, those that were trained on AudioSet have 527; take one wi")


def test_lengths_that_it_does_not_hear(tmp_path: Path) -> None:
    made = encoder("efficientat", weights=saved(test_efficientat.released(), tmp_path))
    with pytest.raises(DataError, match="extractor=efficientat: 800 samples, at least 801 are needed"):
        made.shape(0.025)
    assert made(sound(1.0, 32_000)[:801]).shape == (2, 96) == made.shape(801 / 32_000)


def test_without_weights_it_is_said_where_they_are() -> None:
    reason = EmbeddingLinear.why_not(EmbeddingLinearParams(extractor="efficientat"))
    assert reason is not None and reason.kind == "missing-file"
    assert reason.text.startswith("extractor efficientat has no weights here: no package: fetch mn10_as_mAP_471.pt")
