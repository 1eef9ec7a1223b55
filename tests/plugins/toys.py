"""Systems that train in no time and write down every fit: for tests of the harness itself."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asc_bench.api import Card, Clips, Context, FrontEnd, LabelledClips, LogMel, Params, System


class Toy(System):
    """Nearest class mean of the log-mel's mean over time, with a little seeded jitter."""

    @dataclass(frozen=True, kw_only=True)
    class Params(Params):
        """Settings that make it slow or faulty."""

        jitter: float = 0.01
        pause_s: float = 0.0

    def front_end(self) -> FrontEnd:
        return LogMel(
            sample_rate_hz=8_000,
            n_fft=256,
            window_length=256,
            hop_length=4_000,
            n_mels=16,
            fmin_hz=0.0,
            fmax_hz=4_000.0,
        )

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        self.log("fit")
        x = self.embed(train)
        y = train.labels["fine"]
        jitter = context.rng().normal(scale=self.params.jitter, size=(len(self.task.labels.fine), x.shape[1]))
        self.means = jitter + np.stack([x[y == c].mean(0) for c in range(len(self.task.labels.fine))])
        for step in range(10):
            context.progress(step / 10, "pausing")
            time.sleep(self.params.pause_s / 10)

    def predict(self, clips: Clips) -> np.ndarray:
        scores = -((self.embed(clips)[:, None] - self.means) ** 2).sum(-1)
        odds = np.exp(scores - scores.max(1, keepdims=True))
        return (odds / odds.sum(1, keepdims=True)).astype(np.float32)

    def embed(self, clips: Clips) -> np.ndarray:
        return clips.features.load().mean(1)

    def log(self, event: str) -> None:
        if "TOY_LOG" in os.environ:
            with Path(os.environ["TOY_LOG"]).open("a") as file:
                file.write(json.dumps([event, self.card.name, os.getpid()]) + "\n")


def _card(name: str) -> Card:
    return Card(name=name, title=f"Toy {name}", citation="none: a test double", year=2026, input="log-mel")


class ToyA(Toy):
    card = _card("toy-a")


class ToyB(Toy):
    card = _card("toy-b")


class ToyC(Toy):
    card = _card("toy-c")


class ToyCrash(Toy):
    """Crashes as long as the file TOY_CRASH names exists."""

    card = _card("toy-crash")

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        if Path(os.environ["TOY_CRASH"]).exists():
            raise RuntimeError("the toy crashed, as it was told to")
        super().fit(train, validation, context)


class ToyLiar(Toy):
    """Returns probabilities that do not sum to one."""

    card = _card("toy-liar")

    def predict(self, clips: Clips) -> np.ndarray:
        return 2 * super().predict(clips)


class ToyKilled(Toy):
    """Is killed, as the out-of-memory killer does it, as often as the file TOY_KILLS has lines left."""

    card = _card("toy-killed")

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        super().fit(train, validation, context)
        path = Path(os.environ["TOY_KILLS"])
        left = path.read_text().splitlines()
        if left:
            path.write_text("\n".join(left[1:]))
            os.kill(os.getpid(), signal.SIGKILL)
