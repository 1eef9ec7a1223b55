"""Segment rolls: which classes sound in which segment of a clip."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.errors import ConfigError, DataError

_COLUMNS = ("onset_s", "offset_s", "label")


def segment_roll(
    events: pd.DataFrame, classes: Sequence[str], *, duration_s: float, segment_s: float = 1.0
) -> npt.NDArray[np.bool_]:
    """Mark every segment of one clip that an event touches.

    An event occupies the segments ``floor(onset / segment)`` to ``ceil(offset / segment) - 1``, so one that ends on
    a boundary does not touch the segment behind it. An event of no length marks the segment it falls into, and
    nothing if it lies on a boundary. What reaches beyond the end of the clip is cut off there, as sed_eval does
    when it is given the length.

    Parameters
    ----------
    events : DataFrame
        Strong labels of one clip: ``onset_s, offset_s, label``, in seconds from the start of the clip.
    classes : sequence of str
        Class names in the order of the columns of the roll.
    duration_s, segment_s : float
        Length of the clip and of a segment in seconds. The last segment may be a shorter one.

    Returns
    -------
    bool array, shape (n_segments, n_classes)
        ``n_segments`` is ``ceil(duration_s / segment_s)``.

    Raises
    ------
    ConfigError
        For a duration or segment that is not positive and finite.
    DataError
        For events of several clips, missing columns, unknown labels, times that are not finite, negative or in the
        wrong order, and for an event that begins after the end of the clip: its times are then most likely those of
        the whole video.

    References
    ----------
    A. Mesaros, T. Heittola, T. Virtanen, "Metrics for polyphonic sound event detection", Applied Sciences 6 (2016),
    section 3.1.
    """
    n_segments = _n_segments(duration_s, segment_s)
    _check_events(events, classes, duration_s)
    if "clip_id" in events.columns and events["clip_id"].nunique() > 1:
        raise DataError(f"a roll is of one clip, got events of {sorted(events['clip_id'].unique())[:3]}")
    roll = np.zeros((n_segments, len(classes)), dtype=np.bool_)
    column = {name: i for i, name in enumerate(classes)}
    for onset_s, offset_s, label in zip(*(events[name] for name in _COLUMNS), strict=True):
        roll[math.floor(onset_s / segment_s) : math.ceil(offset_s / segment_s), column[label]] = True
    return roll


def segment_rolls(
    events: pd.DataFrame,
    clip_ids: Sequence[str],
    classes: Sequence[str],
    *,
    duration_s: float,
    segment_s: float = 1.0,
) -> npt.NDArray[np.bool_]:
    """Rolls of many clips of one length; a clip without events has an empty one.

    Parameters
    ----------
    events : DataFrame
        As ``Dataset.events``: ``clip_id, onset_s, offset_s, label``. Events of other clips are passed over.
    clip_ids : sequence of str
        Clips in the order wanted.
    classes, duration_s, segment_s
        As in `segment_roll`.

    Returns
    -------
    bool array, shape (n_clips, n_segments, n_classes)

    Raises
    ------
    ConfigError, DataError
        As `segment_roll`.
    """
    rolls = np.zeros((len(clip_ids), _n_segments(duration_s, segment_s), len(classes)), dtype=np.bool_)
    if "clip_id" not in events.columns:
        raise DataError(f"events have the columns {list(events.columns)}, 'clip_id' is not among them")
    by_clip = dict(iter(events.groupby("clip_id", sort=False)))
    for i, clip_id in enumerate(clip_ids):
        if clip_id in by_clip:
            rolls[i] = segment_roll(by_clip[clip_id], classes, duration_s=duration_s, segment_s=segment_s)
    return rolls


def _n_segments(duration_s: float, segment_s: float) -> int:
    for name, value in (("duration_s", duration_s), ("segment_s", segment_s)):
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{name} is {value}, must be a positive number of seconds")
    return math.ceil(duration_s / segment_s)


def _check_events(events: pd.DataFrame, classes: Sequence[str], duration_s: float) -> None:
    absent = [name for name in _COLUMNS if name not in events.columns]
    if absent:
        raise DataError(f"events have the columns {list(events.columns)}, {absent} are not among them")
    unknown = sorted(set(events["label"]) - set(classes))
    if unknown:
        raise DataError(f"events have labels {unknown}, which are not among the classes {list(classes)}")
    onset, offset = (events[name].to_numpy(float) for name in ("onset_s", "offset_s"))
    # A comparison with NaN is false, so what is not in order includes what is not a number.
    ordered = (onset >= 0) & (offset >= onset) & np.isfinite(offset)
    if not ordered.all():
        raise DataError(
            f"{_told(events, ordered)}: times must be finite, not negative, and in order "
            f"({(~ordered).sum()} such events of {len(events)})"
        )
    inside = onset <= duration_s
    if not inside.all():
        raise DataError(
            f"{_told(events, inside)}: it begins after the end of the clip ({duration_s:g} s); "
            "times must count from the start of the clip, not of the video"
        )


def _told(events: pd.DataFrame, good: npt.NDArray[np.bool_]) -> str:
    row = events.iloc[int(good.argmin())]
    clip = f" of clip {row['clip_id']!r}" if "clip_id" in events.columns else ""
    return f"event {row['label']!r}{clip} from {row['onset_s']} s to {row['offset_s']} s"
