"""A protocol of a plug-in, whose primary measure is a statistic of its own in which lower is better."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from asc_bench.protocols.dcase2018 import Dcase2018

from asc_bench.api import Measure, ScoredClips, Statistic, mean_of


class Surprise(Statistic):
    """Mean surprise at the true class, in nats."""

    name = "surprise"
    unit: ClassVar = "nats"
    higher_is_better = False
    bounds = (0.0, math.inf)

    def per_clip(self, clips: ScoredClips) -> np.ndarray:
        return np.stack([np.ones(len(clips)), -np.log(np.maximum(clips.label_probability, 1e-9))], axis=1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        return mean_of(sums)


class InNats(Dcase2018):
    """The clips of DCASE 2018, scored by surprise."""

    name = "in-nats"
    title = "DCASE 2018 in nats"
    measures = (Measure("surprise", statistic=Surprise(), average="clips"), Measure("accuracy"))
    references = ()
