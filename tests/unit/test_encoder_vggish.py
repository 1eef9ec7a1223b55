"""The encoders VGGish: what the system ``vggish-svm`` embeds, from files by name and from fetched ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from asc_bench.baselines.embedding_linear import EmbeddingLinear, EmbeddingLinearParams
from asc_bench.baselines.vggish_svm import NETWORK_FILE, PCA_FILE, VggishSvmParams

from asc_bench.api import ENCODERS, ConfigError, DataError, StoreError, VggishExamples, encoder
from asc_bench.features.encoders.vggish import Vggish, VggishPca, VggishQuantised
from asc_bench.modules.vggish import VggishNetwork
from tests.parity.filling import fill
from tests.unit.small_sets import task
from tests.unit.test_encoders import sound
from tests.unit.test_vggish_svm import NARROW, Narrow, listed, network, torch_state, written


@dataclass(frozen=True, kw_only=True)
class Plain(Vggish):
    """Of a few thousand parameters, as the two below."""

    widths: ClassVar[tuple[int, ...]] = NARROW


@dataclass(frozen=True, kw_only=True)
class Whitened(VggishPca):
    widths: ClassVar[tuple[int, ...]] = NARROW


@dataclass(frozen=True, kw_only=True)
class Quantised(VggishQuantised):
    widths: ClassVar[tuple[int, ...]] = NARROW


def whitening(seed: int = 3) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(seed)
    matrix, means = rng.normal(size=(6, 6)), rng.normal(size=6)
    return {"pca_eigen_vectors": torch.tensor(matrix), "pca_means": torch.tensor(means)}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder with both files by the names of the release, with random weights."""
    made = VggishNetwork(NARROW).requires_grad_(False)
    fill(made)  # weights that keep two examples apart
    written(tmp_path, torch_state(made), NETWORK_FILE)
    written(tmp_path, whitening(), PCA_FILE)
    return tmp_path


@pytest.mark.parametrize("kind", [Plain, Whitened, Quantised])
def test_an_embedding_is_that_of_the_system(kind: type[Vggish], published: Path) -> None:
    clip = sound(2.5, 16_000)
    clip[20_000:] *= 0.05
    examples = VggishExamples()(clip)
    params = VggishSvmParams(
        weights=str(published / NETWORK_FILE),
        pca=str(published / PCA_FILE),
        postprocess=kind.postprocess,
        aggregation="mean+std",
    )
    expected = Narrow(task(3), params).embed(examples[np.newaxis])[0].reshape(2, 6)
    assert len(examples) == 2 and expected[1].any()
    found = kind(weights=str(published))(clip)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert kind(weights=str(published)).shape(2.5) == (2, 6)


def test_whitening_by_hand(published: Path) -> None:
    clip, given = sound(1.0, 16_000), whitening()
    plain = Plain(weights=str(published / NETWORK_FILE))(clip)[0]
    expected = given["pca_eigen_vectors"].numpy() @ (plain - given["pca_means"].numpy())
    np.testing.assert_allclose(Whitened(weights=str(published))(clip)[0], expected, rtol=1e-4, atol=1e-4)
    rounded = np.round((np.clip(expected, -2, 2) + 2) * 255 / 4)
    np.testing.assert_array_equal(Quantised(weights=str(published))(clip)[0], rounded)


def test_counts_and_lengths() -> None:
    with torch.device("meta"):
        made = VggishNetwork(Vggish.widths)
    assert Vggish().n_parameters == sum(p.numel() for p in made.parameters()) == 72_141_184
    for name in ("vggish", "vggish-pca", "vggish-pca-quantised"):
        assert ENCODERS[name](weights="x").shape(10.0) == (2, 128)
    with pytest.raises(DataError, match=r"windows of 1 s in clips of 0.5 s"):
        Vggish(weights="x", window_s=1.0).shape(0.5)
    with pytest.raises(ConfigError, match="extractor=vggish hears 16000 Hz, not sample_rate_hz=44100; drop it"):
        encoder("vggish", weights="x", sample_rate_hz=44_100)


def test_less_than_an_example_is_filled_up_with_silence(published: Path) -> None:
    made, clip = Plain(weights=str(published)), sound(0.5, 16_000)
    filled = np.pad(clip, (0, 15_600 - len(clip)))
    np.testing.assert_array_equal(made(clip), made(filled))


def test_a_file_may_hold_both_and_only_then_serves_for_whitening(published: Path, tmp_path: Path) -> None:
    clip = sound(1.0, 16_000)
    both = {f"pproc.{name}": tensor for name, tensor in whitening().items()}
    path = written(tmp_path, {**torch.load(published / NETWORK_FILE), **both}, "both.pth")
    one = Whitened(weights=str(path))
    assert one.files() == (path,)
    np.testing.assert_array_equal(one(clip), Whitened(weights=str(published))(clip))
    alone = Whitened(weights=str(published / NETWORK_FILE))
    with pytest.raises(StoreError, match=rf"{NETWORK_FILE}: no pca_eigen_vectors; it holds features.0.weight, "):
        alone(clip)


def test_files_that_are_no_vggish(tmp_path: Path) -> None:
    clip = sound(1.0, 16_000)
    state = torch_state(network())
    state.pop("embeddings.4.bias")
    with pytest.raises(StoreError, match=r"x.pth: no VGGish, embeddings.4.bias of shape \(6,\) is absent"):
        Plain(weights=str(written(tmp_path, state, "x.pth")))(clip)
    (tmp_path / "y.pth").write_bytes(b"<html>")
    with pytest.raises(StoreError, match=r"y.pth: not a checkpoint, it begins with b'<html>'"):
        Plain(weights=str(tmp_path / "y.pth"))(clip)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=rf"empty/{NETWORK_FILE} cannot be read: No such file"):
        Plain(weights=str(tmp_path / "empty"))(clip)


def test_fetched_files_must_be_the_published_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = listed(monkeypatch, tmp_path)
    how = "fetch it with `asc-bench prepare vggish --download`, or weights=FILE"
    assert Vggish().lacking() == f"extractor vggish has no weights here: no package: {how}" and not Vggish().files()
    with pytest.raises(ConfigError, match="extractor vggish has no weights here"):
        Vggish()(sound(1.0, 16_000))
    path = written(place, torch_state(network()), NETWORK_FILE)
    assert not Vggish().lacking() and Vggish().files() == (path,)
    with pytest.raises(DataError, match=r"is not the published file: its sha256 is .*, not 10086976...; delete it"):
        Plain()(sound(1.0, 16_000))
    assert encoder("vggish", weights="w.pth").files() == (Path("w.pth"),), "a named file goes before"
    reason = EmbeddingLinear.why_not(EmbeddingLinearParams(extractor="vggish-pca"))
    assert reason is not None and reason.kind == "missing-file"
    assert reason.text.endswith(
        f"or weights=FOLDER with {NETWORK_FILE} and {PCA_FILE}, or weights=FILE that holds both"
    )


def test_the_key_holds_both_files_by_their_contents(published: Path) -> None:
    plain, before = Plain(weights=str(published)), Whitened(weights=str(published)).key()
    assert len(plain.files()) == 1 and plain.key()["files"] == before["files"][:1]  # type: ignore[index]
    written(published, whitening(seed=4), PCA_FILE)
    assert Whitened(weights=str(published)).key() != before and plain.key() == Plain(weights=str(published)).key()
