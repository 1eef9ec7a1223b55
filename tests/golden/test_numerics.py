"""Predictions and training plans of every built-in system against stored ones.

Numbers that move need a higher ``numerics_version``. Each network is trained for a few steps on one thread and in
float32, on the smallest synthetic data, and the probabilities of some test clips are compared: after so few steps,
another processor's rounding has hardly been magnified, while another loss, layer or front end shows. Learning
rates, schedules and numbers of steps, of every budget, are compared as the training plan itself.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from asc_bench.api import Constant, Cosine, Crop, Linear, Plateau, Step, TrainingPlan
from asc_bench.bench.examples import by_level
from asc_bench.bench.source import Source
from asc_bench.budget import Budget
from asc_bench.conformance import subject
from asc_bench.registry import remark, systems
from asc_bench.systems.fused import FusedSystem
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.training.precision import Decision
from asc_bench.training.transforms.table import TRANSFORMS

STORED = Path(__file__).parent / "predictions.json"
REWRITE = "ASC_BENCH_REWRITE_GOLDEN"
"""Under this variable the numbers are written instead of compared: ``make golden``."""

N_CLIPS, N_STEPS = 12, 4
LARGEST = 0.01
"""Of a probability. One thread and two differ by 0.002 at most."""

UNSTABLE = {"nac": 0.1}
"""Where rounding is magnified within a few steps; one thread and two differ by 0.034."""


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


def as_plan(text: str) -> TrainingPlan:
    """Read a stored plan; what it does not name has its default, so that a new setting moves no other plan."""
    settings = (Constant, Cosine, Crop, Linear, Plateau, Step, TrainingPlan, *TRANSFORMS.values())
    known = {cls.__name__: cls for cls in settings}
    plan = eval(text, {"__builtins__": {}, **known})
    assert isinstance(plan, TrainingPlan)
    return plan


def plans(name: str, source: Source) -> dict[str, str]:
    """The training plan of each budget as text, where the system has one."""
    examined = subject(name, source)
    built = {str(budget): examined.variant.build(examined.task, budget) for budget in Budget}
    return {b: repr(system.training_plan()) for b, system in built.items() if isinstance(system, TorchSystem)}


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every network takes a few steps in float32."""
    train_in_float32(monkeypatch)
    for cls in systems().found.values():
        if issubclass(cls, TorchSystem):
            monkeypatch.setattr(cls, "training_plan", shortened(cls.training_plan))


def train_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no timing decide."""
    found = Decision("float32", "for the test")
    monkeypatch.setattr("asc_bench.training.precision.choose_precision", lambda device: found)


def shortened(plan: Any, *, factor: float = 1.0) -> Any:
    def training_plan(self: TorchSystem) -> Any:
        whole = plan(self)
        rate = factor * whole.learning_rate
        return replace(whole, epochs=None, iterations=N_STEPS, learning_rate=rate, select="last", patience=None)

    return training_plan


def names() -> list[str]:
    return sorted(name for name, cls in systems().found.items() if not issubclass(cls, FusedSystem))


def moved(name: str, found: dict[str, npt.NDArray[np.float64]], stored: dict[str, Any]) -> float:
    """Largest difference of a probability."""
    return max(float(np.abs(found[level] - np.array(stored[level])).max()) for level in found)


@pytest.mark.parametrize("name", names())
def test_numbers_stand_where_they_stood(
    name: str, tiny: Source, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cls = systems().get(name)
    if note := remark(cls):
        pytest.skip(note)
    now = plans(name, tiny)
    request.getfixturevalue("few_steps")
    found = predicted(name, tiny, tmp_path)
    if os.environ.get(REWRITE):
        every = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
        rounded = {level: values.round(5).tolist() for level, values in found.items()}
        every[name] = {"numerics_version": cls.numerics_version, "plans": now, "predictions": rounded}
        STORED.write_text(json.dumps(dict(sorted(every.items())), indent=0) + "\n", encoding="utf-8")
        return
    stored = json.loads(STORED.read_text(encoding="utf-8"))[name]
    assert cls.numerics_version == stored["numerics_version"], (
        f"{name} declares another numerics_version than the stored numbers have: run `make golden`"
    )
    advice = f"raise numerics_version of {name}, or of the class that moved them, and run `make golden`"
    moved_plans = [b for b in now if as_plan(now[b]) != as_plan(stored["plans"][b])]
    assert not moved_plans, (
        f"training plans of {name} changed ({', '.join(moved_plans)}), so will numbers: {advice}"
    )
    largest = moved(name, found, stored["predictions"])
    assert largest <= UNSTABLE.get(name, LARGEST), (
        f"numbers of {name} moved by {largest:.4f}: {advice}; or find out why"
    )


def test_a_changed_learning_rate_is_noticed(tiny: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is hidden from the plan."""
    cls = systems().get("sb-cnn")
    assert issubclass(cls, TorchSystem)
    plan = cls.training_plan
    train_in_float32(monkeypatch)
    monkeypatch.setattr(cls, "training_plan", shortened(plan, factor=3.0))
    stored = json.loads(STORED.read_text(encoding="utf-8"))["sb-cnn"]
    assert moved("sb-cnn", predicted("sb-cnn", tiny, tmp_path), stored["predictions"]) > LARGEST
