"""Clips and predictions of made-up systems, small enough to check by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.labels import LabelSpace
from asc_bench.scoring.predictions import prediction_frame, stack_runs

LABELS = LabelSpace.from_map({"airport": "indoor", "mall": "indoor", "park": "outdoor"})


def clips_of(
    *,
    per_location: int = 4,
    n_locations: int = 3,
    devices: Sequence[str] = ("A", "B"),
    scenes: Sequence[str] = LABELS.fine,
) -> pd.DataFrame:
    """Every scene at every location on every device, equally often."""
    rows = [
        {
            "clip_id": f"{scene}-{place}-{i}-{device}",
            "scene": scene,
            "device": device,
            "city": "lyon",
            "location": f"{scene}-{place}",
            "recording_id": f"{scene}-{place}-{i}",
        }
        for scene in scenes
        for place in range(n_locations)
        for i in range(per_location)
        for device in devices
    ]
    return pd.DataFrame(rows)


def frame_of(
    clips: pd.DataFrame,
    predicted: Sequence[int] | npt.NDArray[np.int64],
    labels: LabelSpace = LABELS,
    split: str = "test",
) -> pd.DataFrame:
    """Predictions at the fine level that put 0.6 on the given class and share the rest equally."""
    n_classes = len(labels.fine)
    probabilities = np.full((len(clips), n_classes), 0.4 / (n_classes - 1), dtype=np.float32)
    probabilities[np.arange(len(clips)), np.asarray(predicted)] = 0.6
    return prediction_frame(clips, labels, {"fine": probabilities}, split=split)


def guesses(clips: pd.DataFrame, accuracy: float, seed: int, labels: LabelSpace = LABELS) -> npt.NDArray[np.int64]:
    """Class indices that are right with the given probability, otherwise the next class."""
    true = labels.encode(clips["scene"])
    wrong = np.random.default_rng(seed).random(len(true)) >= accuracy
    return np.where(wrong, (true + 1) % len(labels.fine), true)


def stacked(runs: Mapping[str, pd.DataFrame | list[pd.DataFrame]], fold: str = "fold1") -> pd.DataFrame:
    """Stack predictions by system; a list holds the repeats."""
    return stack_runs(
        ({"variant": system, "fold": fold, "repeat": repeat}, frame)
        for system, frames in runs.items()
        for repeat, frame in enumerate(frames if isinstance(frames, list) else [frames])
    )
