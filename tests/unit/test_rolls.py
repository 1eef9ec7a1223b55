from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from asc_bench.errors import ConfigError, DataError
from asc_bench.scoring.rolls import segment_roll, segment_rolls

CLASSES = ("Train horn", "Air horn, truck horn", "Car")


def events(*rows: tuple[float, float, str], clip_id: str = "Y1") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["onset_s", "offset_s", "label"])
    return frame.assign(clip_id=clip_id)


def marked(
    *rows: tuple[float, float, str], duration_s: float = 5.0, segment_s: float = 1.0
) -> set[tuple[int, int]]:
    roll = segment_roll(events(*rows), CLASSES, duration_s=duration_s, segment_s=segment_s)
    assert roll.shape == (math.ceil(duration_s / segment_s), 3) and roll.dtype == np.bool_
    return {(int(i), int(j)) for i, j in np.argwhere(roll)}


@pytest.mark.parametrize(
    ("onset_s", "offset_s", "segments"),
    [
        (0.2, 0.9, {0}),
        (0.9, 1.1, {0, 1}),
        (1.0, 3.0, {1, 2}),
        (1.0, 3.001, {1, 2, 3}),
        (0.0, 5.0, {0, 1, 2, 3, 4}),
        (4.5, 9.0, {4}),
        (5.0, 6.0, set()),
        (0.0, 0.0, set()),
        (2.0, 2.0, set()),
        (2.5, 2.5, {2}),
    ],
)
def test_an_event_marks_every_segment_it_touches(onset_s: float, offset_s: float, segments: set[int]) -> None:
    assert marked((onset_s, offset_s, "Car")) == {(i, 2) for i in segments}


def test_events_of_one_and_of_several_classes() -> None:
    rows = [(0.0, 1.5, "Car"), (1.2, 2.0, "Car"), (0.5, 0.6, "Train horn"), (4.0, 4.1, "Air horn, truck horn")]
    assert marked(*rows) == {(0, 2), (1, 2), (0, 0), (4, 1)}
    assert marked() == set()


def test_other_segments_and_a_last_one_that_is_short() -> None:
    assert marked((0.9, 1.1, "Car"), segment_s=0.5) == {(1, 2), (2, 2)}
    assert marked((4.0, 5.3, "Car"), duration_s=4.5) == {(4, 2)}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1.0, 2.0, "Bus"), r"labels \['Bus'\], which are not among the classes"),
        (
            (2.0, 1.0, "Car"),
            r"event 'Car' of clip 'Y1' from 2.0 s to 1.0 s: times must be finite.*1 such events of 2",
        ),
        ((-0.1, 1.0, "Car"), "not negative"),
        ((math.nan, 1.0, "Car"), "finite"),
        ((0.0, math.inf, "Car"), "finite"),
        ((33.0, 35.0, "Car"), r"begins after the end of the clip \(5 s\); .* not of the video"),
    ],
)
def test_events_that_cannot_be(row: tuple[float, float, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        segment_roll(events((0.0, 1.0, "Car"), row), CLASSES, duration_s=5.0)


def test_wrong_settings_and_frames() -> None:
    with pytest.raises(ConfigError, match="segment_s is 0"):
        segment_roll(events(), CLASSES, duration_s=5.0, segment_s=0)
    with pytest.raises(ConfigError, match="duration_s is nan"):
        segment_roll(events(), CLASSES, duration_s=math.nan)
    with pytest.raises(DataError, match=r"\['offset_s'\] are not among them"):
        segment_roll(events().drop(columns="offset_s"), CLASSES, duration_s=5.0)
    two = pd.concat([events((0, 1, "Car")), events((0, 1, "Car"), clip_id="Y2")])
    with pytest.raises(DataError, match="a roll is of one clip"):
        segment_roll(two, CLASSES, duration_s=5.0)
    with pytest.raises(DataError, match="'clip_id' is not among them"):
        segment_rolls(two.drop(columns="clip_id"), ["Y1"], CLASSES, duration_s=5.0)


def test_rolls_of_many_clips() -> None:
    table = pd.concat([events((0, 1, "Car"), clip_id="b"), events((2, 4, "Train horn"), clip_id="x")])
    rolls = segment_rolls(table, ["a", "b", "x"], CLASSES, duration_s=5.0)
    assert rolls.shape == (3, 5, 3)
    assert np.argwhere(rolls).tolist() == [[1, 0, 2], [2, 2, 0], [2, 3, 0]]
