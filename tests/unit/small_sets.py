"""Tiny separable sets and throwaway systems for the tests of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asc_bench.api import (
    FINE,
    Card,
    Context,
    Features,
    LabelledClips,
    LabelSpace,
    LogMel,
    System,
    Task,
    TorchSystem,
    TrainingPlan,
    caa_net_log_mel,
)


def task(n_classes: int = 3, *, duration_s: float = 5.0, devices: tuple[str, ...] = ()) -> Task:
    return Task(
        labels=LabelSpace(fine=tuple(f"scene{i}" for i in range(n_classes))),
        devices=devices,
        clip_duration_s=duration_s,
    )


def tones(n_per_class: int, shape: tuple[int, int], *, n_classes: int = 3, seed: int = 0) -> LabelledClips:
    """Noise spectrograms in which class c has more energy in its own third (or nth) of the bands."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(n_classes), n_per_class)
    features = rng.normal(size=(len(labels), *shape)).astype(np.float32)
    width = shape[1] // n_classes
    for row, label in enumerate(labels):
        features[row, :, label * width : (label + 1) * width] += 2.0
    return clips(features * 3 - 40, labels)


def waves(n_per_class: int, n_samples: int, *, n_classes: int = 3, seed: int = 0) -> LabelledClips:
    """Noisy sinusoids, one frequency for each class."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(n_classes), n_per_class)
    time = np.arange(n_samples)
    phase = rng.uniform(0, 2 * np.pi, size=(len(labels), 1))
    signal = np.sin(2 * np.pi * 0.01 * 4.0 ** labels[:, None] * time + phase)
    return clips((0.3 * signal + 0.05 * rng.normal(size=signal.shape)).astype(np.float32), labels)


def clips(features: np.ndarray, labels: np.ndarray) -> LabelledClips:
    rows = np.arange(len(features))
    return LabelledClips(
        features=Features(features.astype(np.float32), rows), labels={FINE: labels.astype(np.int64)}
    )


def context(folder: Path, *, seed: int = 1, **settings: object) -> Context:
    return Context(seed=seed, folder=folder, **settings)  # type: ignore[arg-type]


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float((probabilities.argmax(axis=1) == labels).mean())


def refusal(system: System) -> str | None:
    """Why a system that is built for a task cannot run."""
    reason = system.why_not(system.params, built=system)
    return reason.text if reason else None


class TinyNet(TorchSystem):
    """A small network with what makes training hard to repeat: dropout, normalisation, excerpts."""

    card = Card(name="tiny-net", title="Tiny", citation="none", year=2024, input="toy")
    checkpoint_every_s = 0.0

    def __init__(self, plan: TrainingPlan, n_classes: int = 3) -> None:
        super().__init__(task(n_classes))
        self.plan = plan

    def front_end(self) -> LogMel:
        return caa_net_log_mel()

    def build(self):
        from torch import nn

        from asc_bench.modules.conv import AddChannel

        return nn.Sequential(
            AddChannel(),
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.AdaptiveAvgPool2d((1, 12)),
            nn.Flatten(),
            nn.Linear(48, len(self.task.labels.fine)),
        )

    def training_plan(self) -> TrainingPlan:
        return self.plan
