"""VGGish: published counts, checkpoints of three kinds, post-processing, and the system on a narrow network."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from asc_bench.baselines import vggish_svm
from asc_bench.baselines.vggish_svm import NETWORK_FILE, PCA_FILE, WEIGHTS, VggishSvm, VggishSvmParams
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from asc_bench.api import FINE, DataError, Reason, StoreError
from asc_bench.data.weights import weight_files, weights_folder
from asc_bench.modules.vggish import PostProcessing, VggishNetwork, load_network
from tests.unit.small_sets import clips, context, task

NARROW = (2, 3, 4, 4, 5, 5, 8, 8, 6)
TORCH_NAMES = [f"features.{i}" for i in (0, 3, 6, 8, 11, 13)] + [f"embeddings.{i}" for i in (0, 2, 4)]
TF_NAMES = ["conv1", "conv2", "conv3/conv3_1", "conv3/conv3_2", "conv4/conv4_1", "conv4/conv4_2"]
TF_NAMES += ["fc1/fc1_1", "fc1/fc1_2", "fc2"]


class Narrow(VggishSvm):
    """The same system with a network of a few thousand parameters."""

    widths: ClassVar[tuple[int, ...]] = NARROW


def network(seed: int = 0) -> VggishNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return VggishNetwork(NARROW).requires_grad_(False).eval()


def torch_state(made: VggishNetwork) -> OrderedDict[str, torch.Tensor]:
    pairs = zip(TORCH_NAMES, made.layers(), strict=True)
    return OrderedDict((f"{n}.{k}", getattr(layer, k)) for n, layer in pairs for k in ("weight", "bias"))


def tensorflow_state(made: VggishNetwork) -> dict[str, np.ndarray]:
    found = {}
    for name, layer in zip(TF_NAMES, made.layers(), strict=True):
        weight = layer.weight.numpy()
        found[f"vggish/{name}/weights"] = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
        found[f"vggish/{name}/biases"] = layer.bias.numpy()
    return found


def written(folder: Path, state: object, name: str = "weights.pth") -> Path:
    torch.save(state, folder / name)
    return folder / name


@pytest.fixture
def examples() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(3, 96, 64)).astype(np.float32))


# The network.


def test_published_counts() -> None:
    with torch.device("meta"):
        made = VggishNetwork(VggishSvm.widths)
    count = [sum(p.numel() for p in layer.parameters()) for layer in made.layers()]
    assert sum(count[:6]) == 4_499_712
    assert sum(count[6:]) == 67_641_472
    assert sum(count) == 72_141_184
    assert 4 * sum(count) == 288_564_736
    assert made(torch.empty(5, 96, 64, device="meta")).shape == (5, 128)


def test_the_network_is_the_published_sequence(examples: torch.Tensor) -> None:
    """As torchvggish writes it: one Sequential for each half, and channels moved to the end between them."""
    made = network()
    conv, dense = made.layers()[:6], made.layers()[6:]
    features, pool = torch.nn.Sequential(), torch.nn.MaxPool2d(2, 2)
    for layers in (conv[:1], conv[1:2], conv[2:4], conv[4:6]):
        for layer in layers:
            features.extend([layer, torch.nn.ReLU()])
        features.append(pool)
    maps = features(examples[:, None])
    assert maps.shape == (3, 5, 6, 4)
    flat = torch.stack([m[:, t, b] for m in maps for t in range(6) for b in range(4)]).reshape(3, -1)
    hidden = torch.relu(dense[1](torch.relu(dense[0](flat))))
    torch.testing.assert_close(made(examples), dense[2](hidden))
    made.final_relu = True
    torch.testing.assert_close(made(examples), dense[2](hidden).relu())


# Checkpoints.


@pytest.mark.parametrize(
    "rename",
    [
        lambda n: n,
        lambda n: f"module.{n}",
        lambda n: n.replace("embeddings", "fc"),
        lambda n: n.replace("features", "features_network").replace("embeddings", "embedding_network"),
        lambda n: f"stage_{n}",
    ],
    ids=["torchvggish", "prefix", "tcvrick", "torchaudio", "unknown names in order"],
)
def test_torch_files(tmp_path: Path, examples: torch.Tensor, rename) -> None:
    made = network()
    state = OrderedDict((rename(n), t) for n, t in torch_state(made).items())
    torch.testing.assert_close(load_network(written(tmp_path, state), NARROW)(examples), made(examples))


def test_a_file_with_its_post_processor_and_state_dict_inside(tmp_path: Path, examples: torch.Tensor) -> None:
    made = network()
    state = torch_state(made) | {"pproc.pca_eigen_vectors": torch.eye(6), "pproc.pca_means": torch.zeros(6, 1)}
    path = written(tmp_path, {"state_dict": state})
    torch.testing.assert_close(load_network(path, NARROW)(examples), made(examples))
    assert PostProcessing.of(path, "pca", 6).matrix.shape == (6, 6)


@pytest.mark.parametrize("suffix", ["", ":0"])
def test_tensorflow_variables(tmp_path: Path, examples: torch.Tensor, suffix: str) -> None:
    made = network()
    state = {f"{n}{suffix}": array for n, array in sorted(tensorflow_state(made).items(), reverse=True)}
    np.savez(tmp_path / "vggish.npz", **state)
    torch.testing.assert_close(load_network(tmp_path / "vggish.npz", NARROW)(examples), made(examples))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s.pop("features.6.weight"),
            r"features.6.bias has the shape \(4,\), and features.6.weight should",
        ),
        (
            lambda s: s.pop("embeddings.4.bias"),
            r"embeddings.4.bias of shape \(6,\) is absent after embeddings.4.we",
        ),
        (lambda s: s.update(classifier=torch.zeros(2, 2)), "classifier is too many"),
        (
            lambda s: s.update({"features.11.weight": torch.zeros(5, 4, 5, 5)}),
            r"features.11.weight has the shape \(5, 4, 5, 5\), and features.11.weight should be \(5, 4, 3, 3\)",
        ),
        (lambda s: s.update(epoch=3), "epoch is no tensor of floating point numbers but a int"),
        (lambda s: s.clear(), "holds no weights"),
    ],
)
def test_the_first_name_that_does_not_fit_is_named(tmp_path: Path, change, message: str) -> None:
    state = torch_state(network())
    change(state)
    with pytest.raises(StoreError, match=message) as raised:
        load_network(written(tmp_path, state), NARROW)
    assert str(tmp_path / "weights.pth") in str(raised.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        load_network(tmp_path / "a.npz", NARROW)
    with pytest.raises(StoreError, match="refused, it holds more than tensors"):
        load_network(written(tmp_path, {"features.0.weight": Path()}), NARROW)
    np.savez(tmp_path / "b.npz", a=np.array([object()]))
    with pytest.raises(StoreError, match=r"not a readable .npz file of arrays"):
        load_network(tmp_path / "b.npz", NARROW)
    (tmp_path / "c.npz").write_bytes(b"<html>")
    with pytest.raises(StoreError, match=r"not a readable .npz file of arrays"):
        load_network(tmp_path / "c.npz", NARROW)


# What follows the embedding.


@pytest.mark.parametrize("form", ["npz", "pth"])
def test_post_processing_by_hand(tmp_path: Path, form: str) -> None:
    matrix, means = np.array([[0, 2], [1, 0]], dtype=np.float32), np.array([1, -1], dtype=np.float32)
    path = tmp_path / f"pca.{form}"
    if form == "npz":
        np.savez(path, pca_eigen_vectors=matrix, pca_means=means)
    else:
        torch.save({"pca_eigen_vectors": torch.tensor(matrix), "pca_means": torch.tensor(means)[:, None]}, path)
    embeddings = np.array([[1, -1], [2, 9], [-9, -1.5], [1.5, -1]], dtype=np.float32)
    projected = [[0, 0], [20, 1], [-1, -10], [0, 0.5]]
    np.testing.assert_array_equal(PostProcessing.of(path, "pca", 2)(embeddings), projected)
    # -2 is 0, 0 is 127.5 (rounded to even), 1 is 191.25, 2 and above 255; 0.5 is 159.375, -1 is 63.75.
    quantised = PostProcessing.of(path, "pca_quantised", 2)(embeddings)
    np.testing.assert_array_equal(quantised, [[128, 128], [255, 191], [64, 0], [128, 159]])
    with pytest.raises(StoreError, match=r"pca_eigen_vectors has the shape \(2, 2\), not 9 numbers"):
        PostProcessing.of(path, "pca", 3)
    np.savez(tmp_path / "other.npz", a=matrix)
    with pytest.raises(StoreError, match="no pca_eigen_vectors; it holds a"):
        PostProcessing.of(tmp_path / "other.npz", "pca", 2)


# The system.


def scenes(n_each: int, seed: int = 0):
    """Clips of two examples; class c is loud in its own third of the bands."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(3), n_each)
    features = rng.normal(size=(len(labels), 2, 96, 64))
    for row, label in enumerate(labels):
        features[row, :, :, 20 * label : 20 * label + 20] += 5
    return clips(features, labels)


@pytest.mark.parametrize("aggregation", ["mean", "mean+std"])
@pytest.mark.parametrize("postprocess", ["none", "pca", "pca_quantised"])
def test_embedding_of_clips(tmp_path: Path, aggregation: str, postprocess: str) -> None:
    made, given = network(), scenes(2).features.load()
    path = written(tmp_path, torch_state(made))
    rng = np.random.default_rng(3)
    np.savez(tmp_path / "pca.npz", pca_eigen_vectors=rng.normal(size=(6, 6)), pca_means=rng.normal(size=6))
    params = VggishSvmParams(
        weights=str(path), aggregation=aggregation, postprocess=postprocess, pca=str(tmp_path / "pca.npz")
    )
    embeddings = made(torch.from_numpy(given.reshape(-1, 96, 64))).numpy()
    if postprocess != "none":
        embeddings = PostProcessing.of(tmp_path / "pca.npz", postprocess, 6)(embeddings)
    embeddings = embeddings.reshape(6, 2, 6)
    first, second = embeddings[:, 0], embeddings[:, 1]
    expected = [(first + second) / 2, np.abs(first - second) / 2][: 1 + (aggregation == "mean+std")]
    np.testing.assert_allclose(Narrow(task(3), params).embed(given), np.hstack(expected), rtol=1e-5, atol=1e-5)


def test_fit_save_load_and_cost(tmp_path: Path) -> None:
    path = written(tmp_path, torch_state(network()))
    params = VggishSvmParams(weights=str(path))
    system, other = Narrow(task(3), params), Narrow(task(3), params)
    train, test = scenes(8), scenes(3, seed=1)
    assert system.why_not(params) is None
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    assert system.cost is not None
    svm = SVC(kernel="poly", degree=3, coef0=1, gamma="scale", C=system.cost.C)
    by_hand = make_pipeline(StandardScaler(), svm).fit(system.embed(train.features.load()), train.labels[FINE])
    expected = by_hand.decision_function(system.embed(test.features.load())).argsort(axis=1)
    np.testing.assert_array_equal(probabilities.argsort(axis=1), expected)
    system.save(tmp_path)
    other.load(tmp_path)
    np.testing.assert_array_equal(other.predict(test), probabilities)
    assert len(str(system.facts()["sha256 weights.pth"])) == 64
    machine = system.estimator[-1]
    n_stored = machine.support_vectors_.size + machine.dual_coef_.size + machine.intercept_.size
    # By hand: 9 inputs per map and bin of the six convolutions at 6144, 1536, 384, 384, 96, 96 bins; 24 x 5 inputs.
    convolutions = 9 * (6_144 * 2 + 1_536 * 2 * 3 + 384 * (3 * 4 + 4 * 4) + 96 * (4 * 5 + 5 * 5))
    dense = 120 * 8 + 8 * 8 + 8 * 6
    assert system.complexity() == {
        "n_parameters": sum(p.numel() for p in network().parameters()) + n_stored,
        "n_multiply_adds": 5 * (convolutions + dense) + machine.support_vectors_.size,
    }


def test_settings_that_nothing_reads_are_reset() -> None:
    assert VggishSvmParams(pca="x.npz") == VggishSvmParams()
    assert VggishSvmParams(pca="x.npz", postprocess="pca").pca == "x.npz"


# Weights in the cache.


def listed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    monkeypatch.setenv("ASC_BENCH_CACHE", str(folder))
    place = weights_folder(WEIGHTS)
    place.mkdir(parents=True)
    return place


def test_without_weights_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed(monkeypatch, tmp_path)
    reason = "fetch them with `asc-bench prepare vggish --download`, or name them with weights=FILE"
    assert VggishSvm.why_not(VggishSvmParams()) == Reason("missing-file", f"no weights here: {reason}")
    assert VggishSvm.why_not() is None  # other settings may name a file
    assert VggishSvm(task(3)).external_files() == ()
    both = VggishSvm.why_not(VggishSvmParams(postprocess="pca"))
    assert both is not None
    assert both.text.endswith("weights=FILE and pca=FILE")
    assert VggishSvm.why_not(VggishSvmParams(weights="w.pth")) is None
    assert "pca=FILE" in str(VggishSvm.why_not(VggishSvmParams(weights="w.pth", postprocess="pca")))


def test_the_cache_is_used_only_if_its_content_is_the_published_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = listed(monkeypatch, tmp_path)
    path = written(place, torch_state(network()), NETWORK_FILE)
    assert VggishSvm.why_not(VggishSvmParams()) is None
    assert VggishSvm(task(3)).external_files() == (path,)
    with pytest.raises(DataError, match=r"is not the published file: its sha256 is .*, not 10086976...; delete it"):
        Narrow(task(3)).fit(scenes(8), None, context(tmp_path))


def test_names_are_those_of_the_list() -> None:
    assert [archive.file for archive in weight_files(WEIGHTS)] == [NETWORK_FILE, PCA_FILE]
    assert [archive.sha256 for archive in weight_files(WEIGHTS)] == ["10086976", "970ea276"]
    assert vggish_svm.VggishSvm.card.published[0].where == {"system": "VGGish"}


@pytest.mark.slow
def test_full_size(tmp_path: Path) -> None:
    """The published widths with random weights, 289 MB on disk: loads, and embeds a clip of 5 s."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = VggishNetwork(VggishSvm.widths).requires_grad_(False)
    path = written(tmp_path, torch_state(made))
    assert path.stat().st_size == pytest.approx(288_564_736, rel=1e-4)
    features = np.random.default_rng(0).normal(size=(1, 5, 96, 64)).astype(np.float32)
    found = VggishSvm(task(3), VggishSvmParams(weights=str(path))).embed(features)
    expected = made(torch.from_numpy(features[0])).mean(dim=0)
    np.testing.assert_allclose(found[0], expected.numpy(), rtol=1e-4, atol=1e-6)
