"""A protocol of a plug-in, whose primary measure is a statistic of its own in which lower is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from asc_bench.api import (
    Dataset,
    Fold,
    LabelSpace,
    Measure,
    Protocol,
    ScoredClips,
    Statistic,
    mean_of,
    official_folds,
    tut_mobile,
)


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


class InNats(Protocol):
    """The clips of DCASE 2018, scored by surprise."""

    name = "in-nats"
    title = "DCASE 2018 in nats"
    datasets = ("tut-urban-2018-mobile",)
    labels = LabelSpace.from_map(tut_mobile.COARSE_OF_SCENE)
    clip_duration_s = 10.0
    measures = (Measure("surprise", statistic=Surprise(), average="clips"), Measure("accuracy"))

    def folds(self, dataset: Dataset) -> Sequence[Fold]:
        return official_folds(self.clips(dataset), dataset.splits, validation_fraction=0.15)
