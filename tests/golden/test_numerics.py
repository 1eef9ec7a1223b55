"""Predictions of every built-in system against stored ones: numbers that move need a higher ``numerics_version``.

Each system is trained at the smoke budget on the smallest synthetic data, on one thread, and the probabilities of
some test clips are compared. Another processor, or library, rounds otherwise, and training magnifies that: the
tolerance is a tenth of a probability for single values and a fiftieth on average, which a few hundredths of a changed
learning rate do not pass unnoticed, see ``test_a_changed_learning_rate_is_noticed``.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from asc_bench.bench.examples import by_level
from asc_bench.bench.source import Source
from asc_bench.conformance import subject
from asc_bench.registry import remark, systems
from asc_bench.systems.fused import FusedSystem

STORED = Path(__file__).parent / "predictions.json"
REWRITE = "ASC_BENCH_REWRITE_GOLDEN"
"""Names the variable under which the numbers are written instead of compared: ``make golden``."""

SLOW = ("cnn-ensemble-member", "raw-cnn", "cnn-ivector", "hierarchical-cnn", "nac", "caa-net")
N_CLIPS = 12
LARGEST, MEAN = 0.1, 0.02


@pytest.fixture(autouse=True)
def _same_arithmetic_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training in float32, also where the processor multiplies bfloat16."""
    monkeypatch.setattr("asc_bench.training.device._native_bfloat16", lambda device: False)


def predicted(name: str, source: Source, folder: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Probabilities of the first test clips by label level, shape (n_clips, n_classes)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        examined = subject(name, source)
        system, clips = examined.fitted(folder)
        first = clips.where(np.arange(len(clips)) < N_CLIPS)
        given = by_level(system.predict(first), examined.task.labels)
    finally:
        torch.set_num_threads(before)
    return {level: np.asarray(values, dtype=np.float64) for level, values in given.items()}


def differences(name: str, found: dict[str, npt.NDArray[np.float64]]) -> tuple[float, float]:
    stored = json.loads(STORED.read_text(encoding="utf-8"))[name]
    assert stored["numerics_version"] == systems().get(name).numerics_version, (
        f"{name} declares another numerics_version than the stored predictions: run `make golden`"
    )
    gaps = np.concatenate([np.abs(found[level] - np.array(stored[level])).ravel() for level in found])
    return float(gaps.max()), float(gaps.mean())


def names() -> list[object]:
    single = [n for n, cls in systems().found.items() if not issubclass(cls, FusedSystem)]
    return [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in sorted(single)]


@pytest.mark.parametrize("name", names())
def test_numbers_stand_where_they_stood(name: str, tiny: Source, tmp_path: Path) -> None:
    if note := remark(systems().get(name)):
        pytest.skip(note)
    found = predicted(name, tiny, tmp_path)
    if os.environ.get(REWRITE):
        stored = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
        rounded = {level: values.round(5).tolist() for level, values in found.items()}
        stored[name] = {"numerics_version": systems().get(name).numerics_version, **rounded}
        STORED.write_text(json.dumps(dict(sorted(stored.items())), indent=0) + "\n", encoding="utf-8")
        return
    largest, mean = differences(name, found)
    assert largest <= LARGEST and mean <= MEAN, (
        f"numbers of {name} moved (by {largest:.3f} at most, {mean:.4f} on average): raise numerics_version of "
        f"{name}, or of the class that moved them, and run `make golden`; or find out why"
    )


@pytest.mark.parametrize("name", ["sb-cnn"])
def test_a_changed_learning_rate_is_noticed(
    name: str, tiny: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = systems().get(name)
    plan = cls.training_plan  # type: ignore[attr-defined]
    monkeypatch.setattr(
        cls, "training_plan", lambda self: replace(plan(self), learning_rate=2 * plan(self).learning_rate)
    )
    largest, mean = differences(name, predicted(name, tiny, tmp_path))
    assert largest > LARGEST or mean > MEAN
