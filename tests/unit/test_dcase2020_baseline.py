"""Embeddings of overlapping windows and two hidden layers."""

from __future__ import annotations

import importlib
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.baselines.dcase2020_baseline import Dcase2020Baseline, Dcase2020BaselineParams

from asc_bench.api import FINE, Budget, ConfigError, LabelSpace
from asc_bench.registry import remark
from asc_bench.runs.variant import parse_variants
from tests.unit.small_sets import accuracy, context, task, waves

SOURCE = """
import numpy as np

seen = []

def crossings(waveforms):
    seen.append(waveforms.shape)
    halves = (np.diff(np.sign(waveforms), axis=1) != 0).mean(axis=1, keepdims=True)
    return np.concatenate([halves, waveforms.std(axis=1, keepdims=True)], axis=1).astype(np.float32)

def sums_of_halves(waveforms):
    n = waveforms.shape[1] // 2
    return np.stack([waveforms[:, :n], waveforms[:, n:]], axis=1).sum(axis=2, keepdims=True)

def wide(waveforms):
    return np.zeros((len(waveforms), 512), dtype=np.float32)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    (tmp_path / "made_up_extractors.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "made_up_extractors", raising=False)
    importlib.invalidate_caches()
    return importlib.import_module("made_up_extractors")


def system(function: str, *, n_classes: int = 3, duration_s: float = 1.0, budget=Budget.SMOKE, **settings):
    params = Dcase2020BaselineParams(extractor=f"made_up_extractors:{function}", **settings)
    return Dcase2020Baseline(task(n_classes, duration_s=duration_s), params, budget)


def test_counts_are_the_published_ones(module):
    made = system("wide", n_classes=10, duration_s=10.0)
    assert made.n_windows == 96, "OpenL3 makes 96 of 10 s with hops of 100 ms, centred"
    assert made.complexity() == {
        "n_parameters": 329_610,
        "n_multiply_adds": 96 * (512 * 512 + 512 * 128 + 128 * 10),
    }


def test_windows_begin_half_a_window_early_and_end_in_zeros(module):
    """Ten samples, windows of four every three: from -2, 1, 4 and 7, the last of which lacks one sample."""
    made = system("sums_of_halves", duration_s=1.0, sample_rate_hz=10, window_s=0.4, hop_s=0.3)
    x = np.arange(1.0, 11.0, dtype=np.float32)[np.newaxis]
    parts = [[0, 0, 1, 2], [2, 3, 4, 5], [5, 6, 7, 8], [8, 9, 10, 0]]
    expected = [(sum(w[:2]) + sum(w[2:])) / 2 for w in parts]
    assert made.embedded(x).tolist() == [[[value] for value in expected]] and made.n_windows == 4


def test_trains_on_windows_and_averages_them(module, tmp_path: Path):
    settings = {"sample_rate_hz": 1_000, "window_s": 0.2, "hop_s": 0.1}
    made, test = system("crossings", **settings), waves(4, 1_000, seed=1)
    made.task = replace(made.task, labels=LabelSpace(made.task.labels.fine, ("in", "out"), (0, 1, 1)))
    train = waves(10, 1_000)
    made.fit(train, train, context(tmp_path))
    given = made.predict(test)
    assert accuracy(given, test.labels[FINE]) > 0.6
    vectors = torch.from_numpy(made.embedded(test.features.load()))
    with torch.no_grad():
        each = made.module(vectors.reshape(-1, 1, 2)).softmax(dim=1).reshape(12, -1, 3).mean(dim=1)
    np.testing.assert_allclose(given, each.numpy(), atol=1e-6)

    (tmp_path / "saved").mkdir()
    made.save(tmp_path / "saved")
    again = system("crossings", **settings)
    again.load(tmp_path / "saved")
    np.testing.assert_allclose(again.predict(test), given, atol=1e-6)

    before = len(module.seen)
    system("crossings", **settings).fit(train, train, context(tmp_path))
    assert len(module.seen) == before, "embeddings in the scratch folder are taken up"


def test_paper_budget_takes_the_steps_of_the_source(module):
    plan = system("wide", duration_s=10.0, budget=Budget.PAPER).training_plan()
    assert (plan.batch_size, plan.learning_rate, plan.select) == (64, 1e-3, "best")
    assert (plan.epochs, plan.validate_every, plan.validate_after) == (200 * 96, 96, 26 * 96)


def test_rates_are_those_of_the_extractor(module):
    rates = [Dcase2020BaselineParams(extractor=e, weights="x").encoder.sample_rate_hz for e in ("passt", "openl3")]
    assert rates == [32_000, 48_000]
    assert system("wide").params.encoder.sample_rate_hz == 48_000, "that of OpenL3, not the 16 kHz of others"
    assert system("wide", sample_rate_hz=8_000).front_end().sample_rate_hz == 8_000
    made = Dcase2020BaselineParams(extractor="passt", weights="x")
    assert (made.window_samples, made.hop_samples) == (32_000, 3_200)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"extractor": "openl3"},
            "^dcase2020-baseline: extractor openl3 has no weights here: no package: fetch torcho",
        ),
        ({"extractor": ""}, "^dcase2020-baseline: no extractor is named: give extractor=NAME"),
        ({"extractor": "x.pth"}, "extractor=x.pth is no known name, and none of package.module:function, FILE.pt"),
        (
            {"extractor": "openl3", "weights": "x", "window_s": 0.5},
            "^dcase2020-baseline: extractor=openl3 hears a sec",
        ),
        ({"sample_rate_hz": -1}, "sample_rate_hz is -1, must be at least 1"),
        ({"hop_s": -0.1}, "hop_s is -0.1, must be positive"),
        ({"window_s": float("inf")}, "window_s is inf, must be positive"),
        ({"hop_s": 1e-9}, "window_s and hop_s must be a sample at least"),
    ],
)
def test_wrong_settings(settings, message: str):
    with pytest.raises(ConfigError, match=message):
        Dcase2020BaselineParams(**{"extractor": "a.b:c", **settings})


def test_without_the_module_it_says_what_to_install():
    assert remark(Dcase2020Baseline).startswith(
        "needs settings: dcase2020-baseline: extractor openl3 has no weights"
    )
    reason = Dcase2020Baseline.why_not(Dcase2020BaselineParams(extractor="nowhere_to_be_found:x"))
    assert reason is not None and reason.kind == "missing-dependency"
    assert reason.text == "there is no module nowhere_to_be_found: install it, or put its folder on PYTHONPATH"


def test_what_changes_sound_is_refused_for_a_network_on_embeddings(module):
    (gain,) = parse_variants("dcase2020-baseline[extractor=made_up_extractors:wide,augment=gain]")
    assert gain.build(task(3, duration_s=1.0), Budget.SMOKE).plan_fault()
    (mixup,) = parse_variants("dcase2020-baseline[extractor=made_up_extractors:wide,augment=mixup]")
    assert not mixup.build(task(3, duration_s=1.0), Budget.SMOKE).plan_fault()
