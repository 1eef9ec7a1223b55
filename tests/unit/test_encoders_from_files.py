"""Encoders whose weights lie in a file or folder, against public implementations with random weights."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asc_bench.baselines.embedding_linear import EmbeddingLinear, EmbeddingLinearParams

from asc_bench.api import DataError, StoreError, encoder
from asc_bench.features.encoders import cnn14
from asc_bench.features.torchaudio_import import torchaudio
from tests.unit.test_encoders import sound

NEEDS = "is not installed: docs/encoders.md"


@pytest.fixture
def panns(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of networks alone: importing the package would download."""
    pytest.importorskip("torchlibrosa", reason=f"torchlibrosa {NEEDS}")
    spec = importlib.util.find_spec("panns_inference")
    if spec is None:
        pytest.skip(f"panns_inference {NEEDS}")
    package = types.ModuleType("panns_inference")
    package.__path__ = list(spec.submodule_search_locations or [])
    monkeypatch.setitem(sys.modules, "panns_inference", package)
    return importlib.import_module("panns_inference.models")


@pytest.mark.parity
def test_cnn14_is_that_of_panns(panns: Any, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        original = panns.Cnn14(32_000, 1_024, 320, 64, 50, 14_000, 527).eval()
        # At its initial values the network hardly tells sounds apart.
        original.bn0.running_mean.fill_(-30.0)
        original.bn0.running_var.fill_(100.0)
    torch.save({"iteration": 1, "model": original.state_dict()}, tmp_path / "cnn14.pth")
    waveform = sound(1.2, 32_000)
    given = torch.from_numpy(waveform[np.newaxis])
    with torch.inference_mode():
        frames = original.logmel_extractor(original.spectrogram_extractor(given))[0, 0].numpy()
        expected = original(given)["embedding"].numpy()
    np.testing.assert_allclose(cnn14.panns_log_mel()(waveform), frames, atol=1e-3)
    made = encoder("panns-cnn14", weights=str(tmp_path / "cnn14.pth"))
    np.testing.assert_allclose(made.embed(waveform[np.newaxis])[0], expected, rtol=1e-3, atol=1e-5 * expected.max())
    of_others = sum(p.numel() for p in original.fc_audioset.parameters())
    trained = sum(p.numel() for p in original.parameters() if p.requires_grad)
    assert trained == 80_753_615, "as published"
    assert made.n_parameters == trained - of_others
    matrix = original.logmel_extractor.melW.detach()
    cnn14.refuse_other_front_end(tmp_path, {"logmel_extractor.melW": matrix})


def test_the_counts_of_cnn14_without_its_package() -> None:
    with torch.device("meta"):
        network = cnn14.build()
    # 80,753,615 as published, less the classification layer of 527 outputs.
    n_parameters = sum(p.numel() for p in network.parameters())
    assert n_parameters == 80_753_615 - 527 * (2_048 + 1) == encoder("panns-cnn14", weights="x").n_parameters


def test_files_that_are_no_cnn14(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    made = encoder("panns-cnn14", weights=str(path))
    path.write_bytes(b"<html>")
    with pytest.raises(StoreError, match=r"x.pth: not a checkpoint, it begins with b'<html>'"):
        made(sound(1.0, 32_000))
    torch.save({"model": {"bn0.weight": torch.zeros(64)}}, path)
    with pytest.raises(StoreError, match=r"x.pth: no checkpoint of CNN14, it lacks bn0.bias and \d+ more tensors"):
        made(sound(1.0, 32_000))
    other = {"logmel_extractor.melW": torch.from_numpy(cnn14.panns_log_mel().mel_filters()).roll(1, 0)}
    with pytest.raises(StoreError, match=r"x.pth: another front end than 64 bands at 32 kHz"):
        cnn14.refuse_other_front_end(path, other)
    with pytest.raises(DataError, match="9600 samples, at least 9920 are needed"):
        made.shape(0.3)


@pytest.mark.parametrize("name", ["ast", "beats", "clap", "panns-cnn14"])
def test_without_weights_it_is_said_where_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asc_bench.features.encoders.base.Encoder.absent", lambda self: "")
    reason = EmbeddingLinear.why_not(EmbeddingLinearParams(extractor=name))
    assert reason is not None and reason.kind == "missing-file"
    assert reason.text.startswith(f"extractor {name} has no weights here: ")
    assert reason.text.endswith("weights=FOLDER" if name in ("ast", "clap") else "weights=FILE")


@pytest.fixture
def transformers() -> Any:
    torchaudio()
    return pytest.importorskip("transformers", reason=f"transformers {NEEDS}")


def saved(network: Any, front_end: Any, folder: Path) -> str:
    network.save_pretrained(folder)
    front_end.save_pretrained(folder)
    return str(folder)


def test_ast_is_that_of_transformers(transformers: Any, tmp_path: Path) -> None:
    config = transformers.ASTConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48
    )
    network, front_end = transformers.ASTModel(config).eval(), transformers.ASTFeatureExtractor()
    made = encoder("ast", weights=saved(network, front_end, tmp_path), window_s=1.0)
    waveform = sound(2.0, 16_000)
    with torch.inference_mode():
        given = front_end([waveform[:16_000], waveform[16_000:]], sampling_rate=16_000, return_tensors="pt")
        expected = network(**given).pooler_output.numpy()
    found = made(waveform)
    assert found.shape == made.shape(2.0) == (2, 24)
    np.testing.assert_allclose(found, [expected.mean(axis=0), expected.std(axis=0)], atol=1e-5)
    config_file = tmp_path / "config.json"
    config_file.write_text(json.dumps({"model_type": "wav2vec2"}))
    with pytest.raises(StoreError, match=r"a 'wav2vec2', extractor ast is 'audio-spectrogram-transformer'"):
        made.shape(2.0)


def test_clap_is_that_of_transformers(transformers: Any, tmp_path: Path) -> None:
    audio = {"depths": [1, 1], "num_attention_heads": [1, 1], "patch_embeds_hidden_size": 8, "hidden_size": 16}
    text = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 20}
    config = transformers.ClapConfig(audio_config=audio, text_config=text, projection_dim=12)
    network, front_end = (
        transformers.ClapModel(config).eval(),
        transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad"),
    )
    made = encoder("clap", weights=saved(network, front_end, tmp_path))
    waveform = sound(3.0, 48_000)
    with torch.inference_mode():
        given = network.get_audio_features(**front_end(waveform, sampling_rate=48_000, return_tensors="pt"))
    expected = getattr(given, "pooler_output", given)[0].numpy()
    assert made.shape(3.0) == (2, 12)
    np.testing.assert_allclose(made(waveform)[0], expected, atol=1e-5)
    with pytest.raises(DataError, match="extractor=clap hears 10 s, not 30 s; set window_s=10 or less"):
        made.shape(30.0)


def test_a_folder_without_a_network(tmp_path: Path) -> None:
    made = encoder("ast", weights=str(tmp_path))
    with pytest.raises(StoreError, match=r"config.json cannot be read: .*No such file"):
        made.shape(2.0)
