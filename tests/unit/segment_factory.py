"""Multi-label clips and runs of made-up systems."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.labels import LabelSpace
from asc_bench.scoring.segment_predictions import segment_frame

LABELS = LabelSpace.from_map({"Train horn": "Warning", "Screaming": "Warning", "Car": "Vehicle"})
N_SEGMENTS = 4


def clips_of(n_clips: int, *, per_location: int = 2, prefix: str = "Y") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "clip_id": [f"{prefix}{i:03d}" for i in range(n_clips)],
            "location": [f"video {prefix}{i // per_location}" for i in range(n_clips)],
        }
    )


def reference_of(n_clips: int, *, seed: int) -> npt.NDArray[np.bool_]:
    """Segment rolls, shape (n_clips, N_SEGMENTS, n_classes)."""
    return np.random.default_rng(seed).random((n_clips, N_SEGMENTS, len(LABELS.fine))) < 0.3


def scores_of(reference: npt.NDArray[np.bool_], *, noise: float, seed: int) -> npt.NDArray[np.float32]:
    """Scores that tell the reference when the noise is small and nothing when it is one."""
    drawn = np.random.default_rng(seed).random(reference.shape)
    return ((1 - noise) * reference + noise * drawn).astype(np.float32)


def split_frame(n_clips: int, *, split: str, noise: float, seed: int, data_seed: int) -> pd.DataFrame:
    reference = reference_of(n_clips, seed=data_seed)
    detection = scores_of(reference, noise=noise, seed=seed)
    return segment_frame(
        clips_of(n_clips, prefix="Y" if split == "test" else "V"),
        LABELS,
        split=split,
        tagging=detection.max(axis=1),
        detection=detection,
        tagging_reference=reference.any(axis=1),
        detection_reference=reference,
    )


def run_of(
    system: str, *, noise: float, seed: int, fold: str = "testing", repeat: int = 0, n_clips: int = 24
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Manifest and predictions of one run; all runs have the same clips."""
    frames = [
        split_frame(n_clips, split="test", noise=noise, seed=seed, data_seed=1),
        split_frame(16, split="validation", noise=noise, seed=seed + 1000, data_seed=2),
    ]
    return {"variant": system, "fold": fold, "repeat": repeat}, pd.concat(frames, ignore_index=True)
