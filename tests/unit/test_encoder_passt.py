"""The encoder PaSST against hear21passt with random weights, and what it refuses."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asc_bench.baselines.embedding_linear import EmbeddingLinear, EmbeddingLinearParams
from asc_bench.baselines.passt import Passt, PasstParams

from asc_bench.api import Budget, DataError, StoreError, encoder
from asc_bench.features.encoders.passt import passt_log_mel
from asc_bench.features.torchaudio_import import torchaudio
from tests.parity.filling import fill_places
from tests.unit.small_sets import task
from tests.unit.test_encoders import sound


@pytest.fixture
def hear21passt(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its modules of network, front end and embedding; timm, of which they import a downloader, may be absent."""
    if importlib.util.find_spec("hear21passt") is None:
        pytest.skip("hear21passt is not installed: pip install --no-deps hear21passt==0.0.26")
    torchaudio()
    for name in ("timm", "timm.models", "timm.models._hub"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["timm.models._hub"].download_cached_file = None  # type: ignore[attr-defined]
    parts = ("models.passt", "models.preprocess", "wrapper")
    return [importlib.import_module(f"hear21passt.{part}") for part in parts]


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("stride", [10, 14])
def test_passt_is_that_of_hear21passt(hear21passt: Any, stride: int, tmp_path: Path) -> None:
    networks, front_ends, wrappers = hear21passt
    mel = front_ends.AugmentMelSTFT(
        n_mels=128, sr=32_000, win_length=800, hopsize=320, n_fft=1_024, freqm=48, timem=192, htk=False, fmin=0.0,
        fmax=None, norm=1, fmin_aug_range=10, fmax_aug_range=2_000,
    )  # fmt: skip
    network = fill_places(networks.PaSST(stride=(stride, stride), num_classes=527, depth=2, distilled=True))
    with torch.no_grad():
        for block in network.blocks:
            block.attn.qkv.weight.mul_(10.0)  # attention that tells tokens apart
    torch.save(network.state_dict(), tmp_path / "passt.pt")
    original = wrappers.PasstBasicWrapper(mel=mel, net=network, mode="embed_only").eval()
    clip = sound(4.0, 32_000)
    clip[64_000:] *= 0.02
    halves = torch.from_numpy(clip.reshape(2, -1))
    with torch.inference_mode():
        frames = original.mel(halves)[0].T.numpy()
        expected = original.get_scene_embeddings(halves).numpy()
        logits = original.net(original.mel(halves)[:, None])[0].numpy()
    np.testing.assert_allclose(passt_log_mel()(clip[:64_000]), frames, atol=2e-4)
    made = encoder("passt", weights=str(tmp_path / "passt.pt"), window_s=2.0)
    assert expected.shape == (2, 768) and np.abs(expected[0] - expected[1]).max() > 0.5
    np.testing.assert_allclose(made(clip), [expected.mean(axis=0), expected.std(axis=0)], atol=1e-4)
    # The whole release as a network that is trained further: all but the last layer.
    system = Passt(
        task(527, duration_s=2.0),
        PasstParams(stride=stride, depth=2, weights=str(tmp_path / "passt.pt")),
        Budget.PAPER,
    )
    further = system.starting_network().eval()
    further.head[1].load_state_dict(network.head[1].state_dict())  # type: ignore[index, union-attr, arg-type]
    with torch.inference_mode():
        found = further(torch.from_numpy(frames[np.newaxis])).numpy()
    np.testing.assert_allclose(found, logits[:1], atol=1e-4)


def saved(folder: Path, *, stride: int = 10, depth: int = 1, drop: str = "", columns: int = 0) -> str:
    """A file of the names of the release, which are held against it in ``test_passt``."""
    system = Passt(task(527), PasstParams(stride=stride, depth=depth, patchout_frequency=0), Budget.PAPER)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        content = system.build().state_dict() | {"head_dist.weight": torch.zeros(527, 768)}
    if columns:
        content["time_new_pos_embed"] = torch.zeros(1, 768, 1, columns)
    content.pop(drop, None)
    torch.save(content, folder / "passt.pt")
    return str(folder / "passt.pt")


def test_stride_and_depth_are_those_of_the_file(tmp_path: Path) -> None:
    one_block = 12 * 768**2 + 13 * 768
    rest = 257 * 768 + 4 * 768 + 2 * 768  # patches; tokens and their places; the last normalisation
    made = encoder("passt", weights=saved(tmp_path))
    assert made.n_parameters == one_block + rest + 768 * (12 + 99)
    clip = sound(2.0, 32_000)
    first = made(clip)
    assert made.shape(2.0) == first.shape == (2, 768) and not first[1].any()
    made = encoder("passt", weights=saved(tmp_path, stride=16, depth=2), window_s=0.5)
    assert made.n_parameters == 2 * one_block + rest + 768 * (8 + 62)
    found = made(clip)
    assert found[1].all() and not np.allclose(found[0], first[0], atol=0.1), "another content of the same path"


def test_lengths_that_it_does_not_hear() -> None:
    made = encoder("passt", weights="x")
    with pytest.raises(DataError, match="extractor=passt hears 10 s, not 30 s; set window_s=10 or less"):
        made.shape(30.0)
    with pytest.raises(DataError, match="extractor=passt: 4800 samples, at least 4801 are needed"):
        made.shape(0.15)
    assert made.n_parameters is None, "there is no file"
    assert made.shape(10.0) == (2, 768) == encoder("passt", weights="x", window_s=10.0).shape(30.0)
    assert passt_log_mel().shape(4_801 / 32_000) == (16, 128)


def test_files_that_are_no_passt_for_ten_seconds(tmp_path: Path) -> None:
    clip = sound(1.0, 32_000)
    path = tmp_path / "x.pt"
    path.write_bytes(b"<html>")
    with pytest.raises(StoreError, match=r"x.pt: not a checkpoint, it begins with b'<html>'"):
        encoder("passt", weights=str(path))(clip)
    torch.save({**torch.load(saved(tmp_path)), "blocks.0.ls1.gamma": torch.zeros(768)}, path)
    with pytest.raises(
        StoreError, match=r"no checkpoint of PaSST, which has no blocks.0.ls1.gamma \(1 such tensors\)"
    ):
        encoder("passt", weights=str(path))(clip)
    torch.save({"bn0.weight": torch.zeros(64)}, path)
    with pytest.raises(StoreError, match=r"x.pt: no checkpoint of PaSST, it lacks cls_token and \d+ more tensors"):
        encoder("passt", weights=str(path))(clip)
    torch.save(dict.fromkeys(torch.load(saved(tmp_path)), torch.zeros(3)), path)
    with pytest.raises(StoreError, match=r"cls_token has the shape \(3,\) instead of \(1, 1, 768\)$"):
        encoder("passt", weights=str(path))(clip)
    with pytest.raises(StoreError, match=r"it lacks blocks.0.attn.qkv.weight and 0 more tensors"):
        encoder("passt", weights=saved(tmp_path, drop="blocks.0.attn.qkv.weight"))(clip)
    with pytest.raises(
        StoreError,
        match=r"for 10 s and a hop of 10 ms: time_new_pos_embed has the shape \(1, 768, 1, 200\) instead",
    ):
        encoder("passt", weights=saved(tmp_path, columns=200))(clip)


def test_a_checkpoint_of_a_wrapped_network_gives_the_same(tmp_path: Path) -> None:
    clip, path = sound(1.0, 32_000), tmp_path / "wrapped.pt"
    plain = saved(tmp_path)
    torch.save({"state_dict": {f"module.{name}": t for name, t in torch.load(plain).items()}}, path)
    np.testing.assert_array_equal(encoder("passt", weights=str(path))(clip), encoder("passt", weights=plain)(clip))


def test_without_weights_it_is_said_where_they_are() -> None:
    reason = EmbeddingLinear.why_not(EmbeddingLinearParams(extractor="passt"))
    assert reason is not None and reason.kind == "missing-file"
    assert reason.text.startswith("extractor passt has no weights here: no package: fetch passt-s-f128-p16-s10-ap")
