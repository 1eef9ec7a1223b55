"""CLAP's zero-shot classification, against what transformers gives for the same clips and sentences."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from asc_bench.baselines.clap_zero_shot import ClapZeroShot, ClapZeroShotParams

from asc_bench.api import UNKNOWN_SCENE, ConfigError, Context, LabelSpace, StoreError, SystemFailure, Task
from asc_bench.features.torchaudio_import import torchaudio
from tests.unit.test_encoders import sound

SCENES = ("metro_station", "park", "tram")


def task(scenes: tuple[str, ...] = SCENES) -> Task:
    return Task(labels=LabelSpace(scenes), devices=(), clip_duration_s=2.0)


def clips(system: ClapZeroShot, waveforms: list[np.ndarray[Any, Any]]) -> Any:
    return SimpleNamespace(features=np.stack([system.front_end()(waveform) for waveform in waveforms]))


@pytest.fixture(scope="module")
def transformers() -> Any:
    torchaudio()
    return pytest.importorskip("transformers", reason="transformers is not installed: docs/encoders.md")


@pytest.fixture(scope="module")
def folder(transformers: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network with random weights, its front end, and a tokenizer of whole words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ("[UNK]", "[PAD]", "This", "is", "a", "sound", "of", "metro", "station", "park", "tram", ".")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    audio = {"depths": [1, 1], "num_attention_heads": [1, 1], "patch_embeds_hidden_size": 8, "hidden_size": 16}
    text = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 20}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = transformers.ClapConfig(audio_config=audio, text_config=text, projection_dim=12)
        network = transformers.ClapModel(config).eval()
    target = tmp_path_factory.mktemp("clap")
    network.save_pretrained(target)
    transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad").save_pretrained(target)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]"
    ).save_pretrained(target)
    return target


def test_probabilities_are_those_of_transformers(transformers: Any, folder: Path, tmp_path: Path) -> None:
    system = ClapZeroShot(task(), ClapZeroShotParams(weights=str(folder)))
    waveforms = [sound(2.0, 48_000), 0.3 * sound(2.0, 48_000)[::-1].copy()]
    system.fit(SimpleNamespace(), None, Context(seed=0, folder=tmp_path))  # type: ignore[arg-type] # hears no clip
    network = transformers.ClapModel.from_pretrained(folder).eval()
    front_end = transformers.ClapFeatureExtractor.from_pretrained(folder)
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(
        ["This is a sound of metro station.", "This is a sound of park.", "This is a sound of tram."],
        padding=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        given = front_end(waveforms, sampling_rate=48_000, return_tensors="pt")
        expected = network(**tokens, **given).logits_per_audio.softmax(dim=1).numpy()
    found = system.predict(clips(system, waveforms))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(expected) > 0.01, "else any answer would pass"

    system.save(tmp_path)
    again = ClapZeroShot(task(), ClapZeroShotParams(weights=str(folder)))
    again.load(tmp_path)
    np.testing.assert_array_equal(again.predict(clips(system, waveforms)), found)
    other = ClapZeroShot(task(), ClapZeroShotParams(weights=str(folder), prompt="{} noise"))
    with pytest.raises(StoreError, match="written for sentences 'This is a sound of metro station"):
        other.load(tmp_path)


def test_a_folder_without_a_tokenizer(transformers: Any, folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if "token" not in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    system = ClapZeroShot(task(), ClapZeroShotParams(weights=str(tmp_path)))
    with pytest.raises(StoreError, match=r"holds no tokenizer \(tokenizer.json"):
        system.fit(SimpleNamespace(), None, Context(seed=0, folder=tmp_path))  # type: ignore[arg-type]


def test_weights_that_are_damaged(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(b"junk" if path.suffix == ".safetensors" else path.read_bytes())
    system = ClapZeroShot(task(), ClapZeroShotParams(weights=str(tmp_path)))
    with pytest.raises(StoreError, match="transformers cannot load it"):
        system.fit(SimpleNamespace(), None, Context(seed=0, folder=tmp_path))  # type: ignore[arg-type]


def test_a_tokenizer_that_does_not_know_the_classes(folder: Path, tmp_path: Path) -> None:
    system = ClapZeroShot(task(("cafe", "library", "tram")), ClapZeroShotParams(weights=str(folder)))
    with pytest.raises(StoreError, match="takes different sentences for the same"):
        system.fit(SimpleNamespace(), None, Context(seed=0, folder=tmp_path))  # type: ignore[arg-type]


@pytest.mark.parametrize("prompt", ["a sound", "{} or {}", "{name}", "{{}}"])
def test_prompts_that_name_no_class_or_two(prompt: str) -> None:
    with pytest.raises(ConfigError, match=r"must hold \{\} once, where the class stands"):
        ClapZeroShotParams(weights="x", prompt=prompt)


def test_what_it_cannot_run_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asc_bench.features.encoders.base.Encoder.absent", lambda self: "")
    with pytest.raises(ConfigError, match=r"give weights=FOLDER of huggingface\.co/laion"):
        ClapZeroShotParams()
    given = ClapZeroShotParams(weights="x", window_s=5.0)
    too_long = ClapZeroShot.why_not(given, built=ClapZeroShot(task(), given))
    assert too_long is not None and too_long.text == "windows of 5 s in clips of 2 s"
    open_set = ClapZeroShot(task((*SCENES, UNKNOWN_SCENE)), given)
    assert "'unknown' has no sound" in str(ClapZeroShot.why_not(given, built=open_set))
    with pytest.raises(SystemFailure, match="neither fitted nor loaded"):
        open_set.predict(SimpleNamespace())  # type: ignore[arg-type]
