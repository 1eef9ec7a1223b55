"""What the training loop notes of a training: against the losses themselves, and across an interruption."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from asc_bench.api import FINE, Cosine, TrainingPlan
from asc_bench.clips import LabelledClips
from asc_bench.training.history import HISTORY_COLUMNS, History, HistoryRow
from asc_bench.training.step_losses import StepLosses
from tests.unit.small_sets import TinyNet, context, tones

SHAPE = (20, 12)
PLAN = TrainingPlan(batch_size=8, epochs=4, learning_rate=0.01, schedule=Cosine(), validate_every=2)
TRAIN, VALIDATION = tones(8, SHAPE), tones(4, SHAPE, seed=5)


class InterruptionError(Exception):
    pass


def fitted(
    plan: TrainingPlan,
    folder: Path,
    train: LabelledClips = TRAIN,
    progress: Callable[[float, str], None] = lambda fraction, text: None,
) -> tuple[History, list[tuple[str, HistoryRow]], TinyNet]:
    """The history of a training, the rows as they came, and the trained system."""
    heard: list[tuple[str, HistoryRow]] = []
    history, system = History(lambda part, row: heard.append((part, row))), TinyNet(plan)
    with suppress(InterruptionError):
        system.fit(train, VALIDATION, context(folder, history=history, progress=progress))
    return history, heard, system


def test_rows_are_those_of_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[float, float]] = []
    real = StepLosses.watch

    def watch(self: StepLosses, step: int, loss: torch.Tensor, norm: torch.Tensor, rate: float) -> None:
        steps.append((float(loss), rate))
        real(self, step, loss, norm, rate)

    monkeypatch.setattr(StepLosses, "watch", watch)
    history, heard, system = fitted(replace(PLAN, select="best"), tmp_path)
    rows = history.parts["training"].rows
    assert [("training", row) for row in rows] == heard
    assert len(steps) == 12, "three batches of 8 in each epoch of 24 clips"
    assert [(row.step, row.epoch) for row in rows] == [(3, 1), (6, 2), (9, 3), (12, 4)]
    for row, of_epoch in zip(rows, (steps[i : i + 3] for i in range(0, 12, 3)), strict=True):
        assert row.train_loss == pytest.approx(np.mean([loss for loss, _ in of_epoch]), rel=1e-12)
        assert row.learning_rate == of_epoch[-1][1]
    assert [row.validation_accuracy is None for row in rows] == [True, False, True, False]
    # The weights that were kept are those of the better validation, which comes out once more.
    probabilities = system.predict(VALIDATION)
    assert isinstance(probabilities, np.ndarray)
    best = max(
        (row for row in rows if row.validation_accuracy is not None), key=lambda row: row.validation_accuracy
    )
    assert np.mean(probabilities.argmax(axis=1) == VALIDATION.labels[FINE]) == pytest.approx(
        best.validation_accuracy
    )
    frame = history.frame()
    assert tuple(frame.columns) == HISTORY_COLUMNS
    assert frame["validation_loss"].isna().tolist() == [True, False, True, False]


def test_an_accuracy_is_noted_only_where_it_is_what_decides(tmp_path: Path) -> None:
    history, _, _ = fitted(replace(PLAN, monitor="loss"), tmp_path)
    last = history.parts["training"].rows[-1]
    assert last.validation_loss is not None and last.validation_accuracy is None
    assert set(last.values()) == {"epoch", "learning_rate", "train_loss", "validation_loss"}


def test_an_interrupted_training_gives_the_rows_of_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asc_bench.training.loop.REPORT_EVERY_S", 0.0)
    monkeypatch.setattr(TinyNet, "checkpoint_every_s", 1e-9)  # after every step, so within an epoch

    def interrupt(fraction: float, text: str) -> None:
        if fraction >= 8 / 12:
            raise InterruptionError

    straight, _, _ = fitted(PLAN, tmp_path / "straight")
    cut, _, _ = fitted(PLAN, tmp_path / "cut", progress=interrupt)
    resumed, heard, _ = fitted(PLAN, tmp_path / "cut")
    assert [row.step for row in cut.parts["training"].rows] == [3, 6]
    assert resumed.parts["training"].rows == straight.parts["training"].rows
    assert [row.step for _, row in heard] == [3, 6, 9, 12], "earlier rows come again, each once"


def test_of_a_long_training_not_every_epoch_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asc_bench.training.loop.MOST_EPOCHS", 3)
    steps: list[float] = []
    real = StepLosses.watch
    monkeypatch.setattr(StepLosses, "watch", lambda self, *a: (steps.append(float(a[1])), real(self, *a)))
    history, _, _ = fitted(replace(PLAN, epochs=8, validate_every=0), tmp_path)
    rows = history.parts["training"].rows
    assert [row.epoch for row in rows] == [3, 6, 8]
    assert rows[1].train_loss == pytest.approx(np.mean(steps[9:18]), rel=1e-12), "of all steps since the row before"


def test_trainings_of_one_run_have_names_of_their_own() -> None:
    history = History()
    row = HistoryRow(step=1, epoch=1, learning_rate=0.1, train_loss=2.0)
    for name in ("training", "device-1", "training", "training"):
        history.part(name).add(row)
    assert list(history.frame()["part"]) == ["training", "device-1", "training-2", "training-3"]
