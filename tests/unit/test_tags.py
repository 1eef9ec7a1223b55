"""Several labels of one clip, and a table of events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asc_bench.data.manifest import Dataset, clip_table, event_table
from asc_bench.data.tags import SEPARATOR, joined, multi_hot, separated
from asc_bench.errors import DataError
from asc_bench.labels import LabelSpace

LABELS = LabelSpace(("Air horn, truck horn", "Car", "Train"))


def test_labels_are_joined_and_separated_again() -> None:
    assert SEPARATOR == "|"
    assert joined(["Air horn, truck horn", "Car"]) == "Air horn, truck horn|Car"
    assert separated("Air horn, truck horn|Car") == ("Air horn, truck horn", "Car")
    assert separated(joined(["Car"])) == ("Car",)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((), "at least one label"),
        (("Car", ""), "none is empty"),
        (("Car", "Car"), "'Car' is given twice"),
        (("Car|Bus",), r"'Car\|Bus' holds '\|'"),
    ],
)
def test_what_cannot_be_joined_is_refused(labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        joined(labels)


def test_multi_hot_by_hand() -> None:
    hot = multi_hot(["Car", "Air horn, truck horn|Train", "Train|Car"], LABELS)
    assert hot.dtype == np.float32
    assert hot.tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 1]]
    assert multi_hot([], LABELS).shape == (0, 3)
    with pytest.raises(DataError, match=r"labels of row 1, 'Car\|Bus': scene 'Bus' is not one of"):
        multi_hot(["Car", "Car|Bus"], LABELS)


def _clips() -> pd.DataFrame:
    same = {"path": "/a.wav", "start_s": 0.0, "coarse": "", "device": "", "city": "", "location": "x"}
    return clip_table(
        [{**same, "clip_id": c, "recording_id": c, "duration_s": 10.0, "scene": "Car"} for c in ("a", "b")]
    )


def _event(clip: str = "a", onset_s: float = 1.0, offset_s: float = 2.0, label: str = "Car") -> dict[str, object]:
    return {"clip_id": clip, "onset_s": onset_s, "offset_s": offset_s, "label": label}


def test_events_lie_in_their_clips() -> None:
    events = event_table([_event(), _event("b", 0.0, 10.0)], _clips())
    assert list(events.columns) == ["clip_id", "onset_s", "offset_s", "label"]
    assert events["offset_s"].tolist() == [2.0, 10.0]
    assert list(event_table([], _clips()).columns) == list(events.columns)
    for wrong in (_event("c"), _event(offset_s=10.5), _event(onset_s=-1.0), _event(onset_s=2.0), _event(label="")):
        with pytest.raises(DataError, match="does not lie in a clip"):
            event_table([wrong], _clips())
    with pytest.raises(DataError, match="the columns are"):
        event_table([{"clip_id": "a"}], _clips())


def test_events_are_part_of_the_digest_where_there_are_any() -> None:
    clips = _clips()
    plain = Dataset("set", Path("/"), clips, splits=(), file_digests={"/a.wav": "0"})
    none, one, other = (
        replace(plain, events=event_table(rows, clips)) for rows in ([], [_event()], [_event(offset_s=2.5)])
    )
    assert len({d.digest() for d in (plain, none, one, other)}) == 4
    # Computed before data sets could have events: that of a set without any must stay.
    assert plain.digest() == "2e26afd2f914fd9bf05943c488cf665889310313ad3f1c6eb0e20e545d68ba46"
