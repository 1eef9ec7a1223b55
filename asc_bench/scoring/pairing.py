"""Several systems side by side, clip by clip: what every paired comparison starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.errors import DataError

_KEY = ["fold", "clip_id"]
_FACTS = ["stratum", "label", "scene", "location"]


def side_by_side(scores: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, npt.NDArray[np.float64]]:
    """Line up the clip scores of systems that were scored on the same clips.

    Parameters
    ----------
    scores : mapping of system to DataFrame
        Each from ``clip_scores`` with the same measure.

    Returns
    -------
    clips : DataFrame
        The clips, without ``correct``.
    correct : float array, shape (n_clips, n_systems)

    Raises
    ------
    DataError
        If two systems were scored on different clips, or disagree in what is known of a clip.
    """
    first, *others = scores
    reference = scores[first]
    for other in others:
        _refuse_difference(first, reference, other, scores[other])
    correct = np.stack([frame["correct"].to_numpy(float) for frame in scores.values()], axis=1)
    return reference.drop(columns="correct"), correct


def _refuse_difference(a: str, scores_a: pd.DataFrame, b: str, scores_b: pd.DataFrame) -> None:
    if scores_a[[*_KEY, *_FACTS]].equals(scores_b[[*_KEY, *_FACTS]]):
        return
    clips_a, clips_b = (set(zip(s["fold"], s["clip_id"], strict=True)) for s in (scores_a, scores_b))
    if clips_a != clips_b:
        raise DataError(
            f"{a!r} and {b!r} were not scored on the same clips: {_some(clips_a - clips_b)} only in {a!r}, "
            f"{_some(clips_b - clips_a)} only in {b!r}; complete the runs, or compare runs of one data set"
        )
    unlike = (scores_a[_FACTS].to_numpy(object) != scores_b[_FACTS].to_numpy(object)).any(axis=1)
    if not unlike.any():
        return
    row = int(unlike.argmax())
    raise DataError(
        f"{a!r} and {b!r} know different things of {int(unlike.sum())} clips: "
        f"{scores_a['clip_id'].iloc[row]!r} is {scores_a[_FACTS].iloc[row].to_dict()} for the one, "
        f"{scores_b[_FACTS].iloc[row].to_dict()} for the other; "
        "their runs were made from different versions of the data"
    )


def _some(clips: set[tuple[str, str]]) -> str:
    if not clips:
        return "0"
    fold, clip_id = min(clips)
    return f"{len(clips)} (such as {clip_id!r}" + (f" of {fold})" if fold else ")")


def by_system(predictions: pd.DataFrame, systems: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """Split stacked predictions by system, in order of first appearance.

    Raises
    ------
    DataError
        If the frame has no column ``system``.
    """
    if "system" not in predictions.columns:
        raise DataError("the predictions have no column 'system'; put runs together with stack_runs")
    frames = {str(name): frame for name, frame in predictions.groupby("system", sort=False)}
    return {name: frames[name] for name in systems} if systems else frames


def first_repeat(predictions: pd.DataFrame) -> pd.DataFrame:
    """Rows of the lowest repeat of one system; the frame itself where it has no repeats."""
    if "repeat" not in predictions.columns:
        return predictions
    rows: pd.DataFrame = predictions[predictions["repeat"] == predictions["repeat"].min()]
    return rows
