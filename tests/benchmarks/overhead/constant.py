"""A system that does nothing: a run of it costs what the harness costs. The plug-in of ``bench_overhead``."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asc_bench.api import Card, Clips, Context, FrontEnd, LabelledClips, LogMel, Params, System


class Constant(System):
    """Equal probabilities for every clip, after a pause."""

    card = Card(name="constant", title="Constant", citation="none: a benchmark", year=2026, input="log-mel")

    @dataclass(frozen=True, kw_only=True)
    class Params(Params):
        """How long a fit sleeps."""

        pause_s: float = 0.0

    params: Params

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
        time.sleep(self.params.pause_s)

    def predict(self, clips: Clips) -> npt.NDArray[np.float32]:
        n_classes = len(self.task.labels.fine)
        return np.full((len(clips), n_classes), 1 / n_classes, dtype=np.float32)
