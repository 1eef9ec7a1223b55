"""The encoder OpenL3 against torchopenl3 and librosa with random weights, and what it refuses."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
import pytest
import torch
from asc_bench.baselines.dcase2020_baseline import Dcase2020Baseline, Dcase2020BaselineParams
from asc_bench.baselines.embedding_linear import EmbeddingLinear, EmbeddingLinearParams

from asc_bench.api import Budget, ConfigError, DataError, StoreError, encoder
from asc_bench.features.encoders.openl3_network import REPRESENTATIONS, Network
from tests.parity.filling import fill_by_key
from tests.unit.small_sets import refusal, task
from tests.unit.test_encoders import sound

RATE_HZ = 48_000


@pytest.fixture
def torchopenl3(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its module of embeddings; the resamplers that it imports are not needed at 48 kHz, and may be absent."""
    if importlib.util.find_spec("torchopenl3") is None:
        pytest.skip("torchopenl3 is not installed: pip install --no-deps torchopenl3==1.0.1")
    for name in ("julius", "resampy", "six"):
        if importlib.util.find_spec(name) is None:
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    return importlib.import_module("torchopenl3.core")


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("representation", "n_dimensions", "seconds", "n_parameters"),
    [("mel256", 512, 0.65, 4_687_042), ("mel128", 6_144, 0.5, 4_687_042), ("linear", 6_144, 0.5, 4_687_042)],
)
def test_embeddings_are_those_of_torchopenl3(
    torchopenl3: Any, representation: str, n_dimensions: int, seconds: float, n_parameters: int, tmp_path: Path
) -> None:
    original = torchopenl3.PytorchOpenl3("music", representation, n_dimensions)
    content = original.state_dict()
    kept = {name: value.clone() for name, value in content.items() if name.startswith("speclayer.")}
    if representation != "linear":
        # librosa has since changed what the norm of 1 means by which the class makes its filters; the published
        # files hold those of their time.
        kept["speclayer.mel_basis"] = htk_filters(int(representation[3:]))
    fill_by_key(original).load_state_dict(kept, strict=False)
    torch.save(original.state_dict(), tmp_path / "openl3.pth.tar")
    clip = sound(seconds, RATE_HZ)
    clip[RATE_HZ // 4 :] *= 0.02
    expected, _ = torchopenl3.get_audio_embedding(clip, RATE_HZ, model=original.cpu(), center=True, hop_size=0.1)
    made = encoder({512: "openl3", 6_144: "openl3-6144"}[n_dimensions], weights=str(tmp_path / "openl3.pth.tar"))
    found = made.embed(clip[np.newaxis])
    assert found.shape == expected.shape
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected.cpu().numpy(), rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert sum(p.numel() for p in original.parameters()) == n_parameters == made.n_parameters


def htk_filters(n_mels: int) -> torch.Tensor:
    filters = librosa.filters.mel(
        sr=RATE_HZ, n_fft=2_048, n_mels=n_mels, fmin=0.0, fmax=24_000.0, htk=True, norm="slaney"
    )
    return torch.from_numpy(filters)


@cache
def filled() -> dict[str, torch.Tensor]:
    """All convolutions and normalisations, which are of one size whatever the network sees."""
    return fill_by_key(Network(REPRESENTATIONS["linear"])).state_dict()


def saved(folder: Path, *, representation: str = "mel128", drop: str = "", **other: torch.Tensor) -> str:
    """A file of the names of the release; of the cosines of its front end all rows are the first."""
    shape = REPRESENTATIONS[representation]
    content = dict(filled())
    window = torch.hann_window(shape.n_fft)
    content["speclayer.dft_real_kernels"] = window.expand(1 + shape.n_fft // 2, 1, shape.n_fft)
    if shape.n_mels:
        content["speclayer.mel_basis"] = htk_filters(shape.n_mels)
    content |= {name.replace("__", "."): tensor for name, tensor in other.items()}
    content.pop(drop, None)
    torch.save(content, folder / "openl3.pth.tar")
    return str(folder / "openl3.pth.tar")


@pytest.mark.parametrize("name", ["linear", "mel128"])
def test_the_spectrogram_is_that_of_librosa(name: str) -> None:
    clip = sound(1.0, RATE_HZ)
    clip[: RATE_HZ // 2] = 0.0  # as in the first window of a clip
    padded = np.pad(clip, 982) if name == "mel128" else clip
    n_fft = 2_048 if name == "mel128" else 512
    magnitudes = np.abs(librosa.stft(padded.astype(np.float64), n_fft=n_fft, hop_length=242, center=False))
    if name == "mel128":
        magnitudes = np.sqrt(htk_filters(128).numpy() @ magnitudes**2)
    decibels = librosa.power_to_db(magnitudes, ref=np.max, amin=1e-10, top_db=None)
    found = REPRESENTATIONS[name].spectrogram(torch.from_numpy(clip[np.newaxis]))[0].numpy()
    assert found.shape == {"mel128": (128, 199), "linear": (257, 197)}[name]
    assert found.min() == -80.0 and found.max() == 0.0
    np.testing.assert_allclose(found, np.maximum(decibels, -80.0), atol=1e-4)


def test_parameters_and_parts_of_the_last_map(tmp_path: Path) -> None:
    channels = [1, 64, 64, 128, 128, 256, 256, 512, 512]
    by_hand = sum(2 * n + 9 * n * m + m for n, m in pairwise(channels))
    assert by_hand == 4_687_042 == encoder("openl3", weights="x").n_parameters
    second, weights = sound(1.0, RATE_HZ)[np.newaxis], saved(tmp_path)
    short, long = (encoder(n, weights=weights, window_s=1.0).embed(second) for n in ("openl3", "openl3-6144"))
    assert short.shape == (1, 1, 512) and long.shape == (1, 1, 6_144)
    np.testing.assert_array_equal(long.reshape(12, 512).max(axis=0), short[0, 0])
    assert len(np.unique(long)) > 6_000


def test_seconds_begin_half_a_second_early_every_tenth(tmp_path: Path) -> None:
    weights = saved(tmp_path)
    clip = sound(0.55, RATE_HZ)
    made, alone = encoder("openl3", weights=weights), encoder("openl3", weights=weights, window_s=1.0)
    found = made.embed(clip[np.newaxis])
    assert found.shape == (1, 2, 512)
    first = np.concatenate([np.zeros(24_000, np.float32), clip[:24_000]])
    second = np.concatenate([np.zeros(19_200, np.float32), clip, np.zeros(2_400, np.float32)])
    expected: npt.NDArray[np.float32] = alone.embed(np.stack([first, second]))
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    np.testing.assert_allclose(found[0], expected[:, 0], atol=1e-5)
    # The baseline of DCASE 2020 lays the same windows, and hands each to the encoder.
    params = Dcase2020BaselineParams(weights=weights)
    baseline = Dcase2020Baseline(task(10, duration_s=10.0), params, Budget.SMOKE)
    np.testing.assert_allclose(baseline.embedded(clip[np.newaxis]), found, atol=1e-5)
    assert baseline.n_windows == 96 and baseline.complexity()["n_parameters"] == 329_610
    assert baseline.facts()["encoder"] == "OpenL3"
    assert baseline.external_files() == (Path(weights),)


def test_shapes_keys_and_lengths(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"a")
    made = encoder("openl3", weights=str(path))
    assert made.shape(0.2) == made.shape(30.0) == (2, 512)
    assert encoder("openl3-6144", weights=str(path)).shape(10.0) == (2, 6_144)
    keys = [made.key(), encoder("openl3-6144", weights=str(path)).key()]
    keys.append(encoder("openl3", weights=str(path), window_s=1.0).key())
    path.write_bytes(b"b")
    keys.append(made.key())
    assert all(a != b for i, a in enumerate(keys) for b in keys[:i])
    with pytest.raises(DataError, match=r"windows of 1 s in clips of 0\.5 s"):
        encoder("openl3", weights="x", window_s=1.0).shape(0.5)
    with pytest.raises(DataError, match="extractor=openl3: 0 samples, at least 1 is needed"):
        made.embed(np.zeros((1, 0), np.float32))
    short = Dcase2020Baseline(task(3, duration_s=0.5), Dcase2020BaselineParams(weights="x"), Budget.SMOKE)
    assert refusal(short) == "windows of 1 s in clips of 0.5 s"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window_s": 2.0}, "extractor=openl3 hears a second at a time: window_s is 2, must be 0 .* or 1 "),
        ({"sample_rate_hz": 44_100}, "hears 48000 Hz, not sample_rate_hz=44100; drop it"),
    ],
)
def test_settings_that_it_does_not_have(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        encoder("openl3", weights="x", **settings)


def test_files_that_are_not_of_torchopenl3(tmp_path: Path) -> None:
    clip = sound(0.1, RATE_HZ)
    path = tmp_path / "x.h5"
    path.write_bytes(b"\x89HDF")
    with pytest.raises(StoreError, match=r"x.h5: not a checkpoint, it begins with b'.x89HDF'"):
        encoder("openl3", weights=str(path))(clip)

    def refused(message: str, **changes: Any) -> None:
        with pytest.raises(StoreError, match=message):
            encoder("openl3", weights=saved(tmp_path, **changes))(clip)

    refused("it lacks speclayer.dft_real_kernels$", drop="speclayer.dft_real_kernels")
    refused("it lacks conv2d_3.bias and 0 more tensors$", drop="conv2d_3.bias")
    wide = {"audio_embedding_layer__weight": torch.zeros(64, 512, 3, 3)}
    refused(r"audio_embedding_layer.weight has the shape \(64, 512, 3, 3\) instead of \(512, 512, 3, 3\)$", **wide)
    other = r"another front end than those of OpenL3 \(linear, mel128, mel256\)"
    slaney = librosa.filters.mel(sr=RATE_HZ, n_fft=2_048, n_mels=128)
    refused(other, speclayer__mel_basis=torch.from_numpy(slaney))
    refused(other, speclayer__mel_basis=torch.zeros(64, 1_025))
    refused(other, drop="speclayer.mel_basis")
    hamming = torch.hamming_window(512).expand(257, 1, 512)
    refused(other, representation="linear", speclayer__dft_real_kernels=hamming)


def test_without_weights_it_is_said_where_they_are() -> None:
    reason = EmbeddingLinear.why_not(EmbeddingLinearParams(extractor="openl3"))
    assert reason is not None and reason.kind == "missing-file"
    where = "no package: fetch torchopenl3_mel256_music_512.pth.tar from github.com/torchopenl3/torchopenl3-models"
    assert reason.text == f"extractor openl3 has no weights here: {where}, weights=FILE"
