"""Clips with several labels: what is true of their segments, and the rows that are stored of a run on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.bench.bench import Bench
from asc_bench.data.tags import DETECTION, SEGMENT_S, TAGGING, multi_hot
from asc_bench.errors import DataError, SystemFailure
from asc_bench.scoring.rolls import segment_rolls
from asc_bench.scoring.segment_predictions import segment_frame
from asc_bench.systems.base import MultiLabelTask, Probabilities


def segment_rows(bench: Bench, ids: Sequence[str], given: Probabilities, *, split: str) -> pd.DataFrame:
    """What a system gave for some clips, beside what is true of them.

    Parameters
    ----------
    bench : Bench
        Of a protocol with several labels a clip.
    ids : sequence of str
        The clips, in the order in which the system was given them.
    given : mapping
        ``tagging`` and ``detection``, see ``TransferredSystem.predict``.
    split : {"test", "validation"}
        Test clips have strong labels; a segment of a validation clip is held to have all labels of its clip.

    Raises
    ------
    SystemFailure
        If one of the two is missing, or of the wrong shape.
    """
    if not isinstance(given, Mapping) or set(given) != {TAGGING, DETECTION}:
        levels = sorted(given) if isinstance(given, Mapping) else type(given).__name__
        raise SystemFailure(f"predict returned {levels}; clips with several labels need {TAGGING} and {DETECTION}")
    clips, labels = bench.select(ids), bench.protocol.labels
    present = multi_hot(clips["scene"], labels).astype(bool)
    task = bench.task(bench.folds[0])
    assert isinstance(task, MultiLabelTask)
    return segment_frame(
        clips,
        labels,
        split=split,
        tagging=given[TAGGING],
        detection=given[DETECTION],
        tagging_reference=present,
        detection_reference=(
            _strong(bench, clips, task.clip_duration_s)
            if split == "test"
            else np.repeat(present[:, None], task.n_segments, axis=1)
        ),
    )


def _strong(bench: Bench, clips: pd.DataFrame, duration_s: float) -> npt.NDArray[np.bool_]:
    """Which class is heard in which segment, shape (n_clips, n_segments, n_classes)."""
    if bench.dataset.events is None:
        raise DataError(f"{bench.dataset.name} has no strong labels to test with")
    classes = bench.protocol.labels.fine
    return segment_rolls(
        bench.dataset.events, list(clips["clip_id"]), classes, duration_s=duration_s, segment_s=SEGMENT_S
    )
