"""Small networks to transfer, and clips for them: four frames a second, three bands."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from asc_bench.baselines.transfer import Transfer
from torch import Tensor, nn

from asc_bench.api import FINE, Card, Context, Features, LabelledClips, LogMel, Task, TorchSystem, TrainingPlan
from asc_bench.api import caa_net_log_mel as some_log_mel
from asc_bench.budget import Budget
from asc_bench.modules.conv import AddChannel
from asc_bench.systems.base import MultiLabelTask
from asc_bench.systems.transfer.settings import TransferParams
from tests.unit.small_sets import task

FRAMES_PER_S, N_BANDS = 4, 3
SEED = 11


class ConvNet(TorchSystem):
    """Takes clips of any length."""

    card = Card(name="conv-net", title="Convolution", citation="none", year=2026, input="toy")
    plan: ClassVar[TrainingPlan] = TrainingPlan(
        batch_size=1_000, iterations=1, optimiser="sgd", learning_rate=0.5, standardise="global"
    )

    def front_end(self) -> LogMel:
        return some_log_mel()

    def build(self) -> nn.Module:
        return nn.Sequential(
            AddChannel(),
            nn.Conv2d(1, 5, 3, padding=1, bias=False),
            nn.BatchNorm2d(5),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d((1, 2)),
            nn.Flatten(),
            nn.Linear(10, len(self.task.labels.fine)),
        )

    def training_plan(self) -> TrainingPlan:
        return self.plan


class FlatNet(ConvNet):
    """Takes clips of the one length that it was built for."""

    card = Card(name="flat-net", title="Flat", citation="none", year=2026, input="toy")

    def build(self) -> nn.Module:
        n_frames = round(FRAMES_PER_S * self.task.clip_duration_s)
        n_classes = len(self.task.labels.fine)
        return nn.Sequential(nn.Flatten(), nn.Linear(n_frames * N_BANDS, 8), nn.Tanh(), nn.Linear(8, n_classes))


class _Loudness(nn.Module):
    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.classes = nn.Linear(1, n_classes)

    def embed(self, features: Tensor) -> Tensor:
        return features.flatten(start_dim=1).mean(dim=1, keepdim=True)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classes(self.embed(features))
        return logits


class LoudNet(ConvNet):
    """Hears nothing but how loud a window is."""

    card = Card(name="loud-net", title="Loudness", citation="none", year=2026, input="toy")
    plan = TrainingPlan(batch_size=8, iterations=60, learning_rate=0.1)

    def build(self) -> nn.Module:
        return _Loudness(len(self.task.labels.fine))


def several(n_classes: int = 3, *, duration_s: float = 10.0) -> MultiLabelTask:
    """A task with several labels a clip."""
    return MultiLabelTask(task(n_classes).labels, (), duration_s)


def noise(n: int, *, duration_s: float, seed: int) -> npt.NDArray[np.float32]:
    """Features of n clips, shape (n, frames, N_BANDS), neither centred nor of deviation 1."""
    shape = (n, round(FRAMES_PER_S * duration_s), N_BANDS)
    return (np.random.default_rng(seed).normal(size=shape) * 3 + 5).astype(np.float32)


def clips_of(x: npt.NDArray[np.float32], y: npt.ArrayLike, *, n_per_location: int = 2) -> LabelledClips:
    """Clips with class indices, or with rows of ones and zeros; neighbours share a location."""
    location = np.array([f"place {i // n_per_location}" for i in range(len(x))])
    return LabelledClips(Features(x, np.arange(len(x))), None, {FINE: np.asarray(y)}, location)


def trained(kind: type[ConvNet], n_classes: int, *, duration_s: float, seed: int = 3) -> ConvNet:
    """A network with weights and statistics, as one that comes from another task."""
    system = kind(task(n_classes, duration_s=duration_s), None, Budget.SMOKE)
    x = noise(40, duration_s=duration_s, seed=seed)
    # One step moves the running statistics as well.
    with tempfile.TemporaryDirectory() as folder:
        system.fit(clips_of(x, np.arange(40) % n_classes), None, Context(seed=seed, folder=Path(folder)))
    return system


def moved(kind: type[ConvNet], target: Task, source: TorchSystem | None = None, **settings: Any) -> Transfer:
    """A transfer of one of these networks, as the runner puts it together."""
    system = Transfer(target, TransferParams(system=kind.card.name, source="elsewhere", **settings), Budget.SMOKE)
    system.inner = kind(system.inner_task, None, Budget.SMOKE)
    system.pretrained = source
    return system


def copied(module: nn.Module | None) -> dict[str, Tensor]:
    """Tensors of a network as they are now."""
    assert module is not None
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(module: nn.Module | None, before: dict[str, Tensor]) -> set[str]:
    """Names of those that are other ones now."""
    assert module is not None
    return {name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])}


def standardised(x: npt.NDArray[np.float32], source: ConvNet) -> Tensor:
    """Features by the mean and the deviation of what ``trained`` trained on."""
    seen = noise(40, duration_s=source.task.clip_duration_s, seed=3).astype(np.float64)
    return torch.from_numpy(((x - seen.mean()) / seen.std()).astype(np.float32))


def losses(texts: list[str]) -> list[float]:
    """Of the messages of a training."""
    return [float(text.split("loss ")[1].split()[0]) for text in texts if "loss " in text]


def listening(folder: Path, texts: list[str]) -> Context:
    """Circumstances of a run whose messages are written down."""
    note: Callable[[float, str], None] = lambda fraction, text: texts.append(text)  # noqa: E731
    return Context(seed=SEED, folder=folder, progress=note)
