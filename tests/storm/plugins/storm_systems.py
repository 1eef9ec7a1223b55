"""Systems that the storm needs beside the toys."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from toys import Toy

from asc_bench.api import Card, FrontEnd, TorchSystem, TrainingPlan

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asc_bench.api import Batch


class ToyKept(Toy):
    """A toy whose means are kept as its weights."""

    card = Card(name="toy-kept", title="Toy kept", citation="none: a test double", year=2026, input="log-mel")

    def save(self, folder: Path) -> None:
        (folder / "means.json").write_text(json.dumps(self.means.tolist()))

    def load(self, folder: Path) -> None:
        self.means = np.array(json.loads((folder / "means.json").read_bytes()))


class Finer(Toy):
    """Takes other features than the other toys."""

    card = Card(name="storm-finer", title="Finer", citation="none: a test double", year=2026, input="log-mel")

    def front_end(self) -> FrontEnd:
        return replace(super().front_end(), n_mels=20)


class StormNet(TorchSystem):
    """A linear network with a checkpoint after each epoch; it pauses, or stops, where the environment says so."""

    card = Card(name="storm-net", title="Storm net", citation="none: a test double", year=2026, input="log-mel")
    checkpoint_every_s = 0.0  # after each epoch

    def front_end(self) -> FrontEnd:
        return Toy.front_end(self)  # type: ignore[arg-type]

    def build(self) -> nn.Module:
        from torch import nn

        return nn.Sequential(nn.AdaptiveAvgPool2d((1, 16)), nn.Flatten(), nn.Linear(16, len(self.task.labels.fine)))

    def training_plan(self) -> TrainingPlan:
        return TrainingPlan(batch_size=64, epochs=12, optimiser="sgd", learning_rate=0.05, standardise="global")

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        if batch.step == int(os.environ.get("STORM_STOP", -1)):
            raise KeyboardInterrupt
        time.sleep(float(os.environ.get("STORM_PAUSE_S", 0)))
        return super().loss(outputs, batch)
