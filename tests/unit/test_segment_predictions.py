from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asc_bench.errors import ConfigError, DataError, StoreError, SystemFailure
from asc_bench.scoring.predictions import read_predictions, write_predictions
from asc_bench.scoring.segment_predictions import (
    SEGMENT_COLUMNS,
    read_segment_predictions,
    segment_arrays,
    segment_frame,
    write_segment_predictions,
)
from tests.unit import made_predictions
from tests.unit.segment_factory import LABELS, clips_of, run_of

CLIPS = clips_of(2)
TAGS = np.array([[0.5, 0.25, 1.0], [0.0, 0.1, 0.2]], dtype=np.float32)
SEGMENTS = np.arange(12, dtype=np.float32).reshape(2, 2, 3) / 16
TAGS_TRUE = np.array([[1, 0, 1], [0, 0, 0]])
SEGMENTS_TRUE = np.zeros((2, 2, 3), dtype=bool)
SEGMENTS_TRUE[0, 1, 2] = True


def frame(**changes: object) -> pd.DataFrame:
    given: dict[str, object] = {
        "split": "test",
        "tagging": TAGS,
        "detection": SEGMENTS,
        "tagging_reference": TAGS_TRUE,
        "detection_reference": SEGMENTS_TRUE,
    }
    return segment_frame(CLIPS, LABELS, **(given | changes))  # type: ignore[arg-type]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    write_segment_predictions(frame(), tmp_path / "predictions.parquet", LABELS)
    return tmp_path / "predictions.parquet"


def test_frame_by_hand() -> None:
    made = frame()
    assert tuple(made.columns) == SEGMENT_COLUMNS
    assert made["level"].tolist() == ["tagging"] * 2 + ["detection"] * 4
    assert made["clip_id"].tolist() == ["Y000", "Y001", "Y000", "Y000", "Y001", "Y001"]
    assert set(made["location"]) == {"video Y0"}
    assert made["segment"].tolist() == [-1, -1, 0, 1, 0, 1]
    assert made["onset_s"].tolist() == [0, 0, 0, 1, 0, 1]
    assert made["offset_s"].tolist() == [2, 2, 1, 2, 1, 2]
    assert made["reference"].map(list).tolist() == [
        [1, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]
    np.testing.assert_array_equal(np.stack(made["scores"].to_list()), np.vstack([TAGS, SEGMENTS.reshape(4, 3)]))
    assert {s.dtype for s in made["scores"]} == {np.dtype(np.float32)}


def with_value(array: np.ndarray, value: float) -> np.ndarray:
    changed = array.astype(float)
    changed.reshape(-1)[-1] = value
    return changed


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"tagging": TAGS[:1]}, SystemFailure, r"tagging scores: .* shape \(2, 3\) \(clips, classes\).* \(1, 3\)"),
        (
            {"detection": SEGMENTS[:, :, :2]},
            SystemFailure,
            r"detection scores: .*\(2, 2, 3\).*of shape \(2, 2, 2\)",
        ),
        ({"detection": TAGS}, SystemFailure, r"\(clips, segments, classes\), got float32 of shape \(2, 3\)"),
        ({"tagging": TAGS.astype(str)}, SystemFailure, "expected numbers"),
        (
            {"tagging": with_value(TAGS, np.nan)},
            SystemFailure,
            r"clip 'Y001' are not all between 0 and 1, such as nan",
        ),
        ({"tagging": with_value(TAGS, 1.01)}, SystemFailure, r"such as 1.01.* \(1 clips of 2\): return sigmoid"),
        (
            {"detection": with_value(SEGMENTS, -0.5)},
            SystemFailure,
            "detection scores of clip 'Y001'.* such as -0.5",
        ),
        ({"detection_reference": TAGS_TRUE}, DataError, r"reference has shape \(2, 3\), expected \(2, 2, 3\)"),
        ({"tagging_reference": TAGS_TRUE * 2}, DataError, "tagging reference of clip 'Y000' holds other values"),
        ({"split": "train"}, ConfigError, "split 'train'"),
    ],
)
def test_what_is_not_accepted(changes: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        frame(**changes)


def test_round_trip(stored: Path, tmp_path: Path) -> None:
    read, made = read_segment_predictions(stored), frame()
    lists = ["reference", "scores"]
    pd.testing.assert_frame_equal(read.drop(columns=lists), made.drop(columns=lists), check_exact=True)
    for name in lists:
        np.testing.assert_array_equal(np.stack(read[name].to_list()), np.stack(made[name].to_list()))
    about = json.loads(pq.read_schema(stored).metadata[b"asc_bench"])
    assert about == {
        "kind": "segments",
        "schema_version": 1,
        "classes": {"fine": ["Train horn", "Screaming", "Car"]},
    }
    write_segment_predictions(read, tmp_path / "again.parquet", LABELS)
    assert (tmp_path / "again.parquet").read_bytes() == stored.read_bytes()


def test_neither_reader_takes_the_files_of_the_other(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"multi-label predictions by segment, not predictions of one label for each"
    ):
        read_predictions(stored)
    single = tmp_path / "single.parquet"
    clips = made_predictions.clips_of(per_location=1, n_locations=1, devices=("A",))
    write_predictions(made_predictions.frame_of(clips, [0, 1, 2]), single, made_predictions.LABELS)
    with pytest.raises(StoreError, match="predictions of one label for each clip, not multi-label predictions"):
        read_segment_predictions(single)


def test_damage_and_foreign_content_are_refused(stored: Path, tmp_path: Path) -> None:
    whole = stored.read_bytes()

    def refused(message: str, **columns: pa.Array) -> None:
        stored.write_bytes(whole)
        table = pq.read_table(stored)
        for name, values in columns.items():
            table = table.set_column(table.schema.get_field_index(name), name, values)
        pq.write_table(table, stored)
        with pytest.raises(StoreError, match=message):
            read_segment_predictions(stored)

    def lists(value: float, kind: pa.DataType, n: int = 3) -> pa.Array:
        return pa.array([[value] * n] * 6, pa.list_(kind))

    refused("not a prediction file, its columns", segment=pa.array([0.0] * 6))
    refused(r"unknown levels \['fine'\]", level=pa.array(["fine"] * 6))
    refused(r"unknown splits \['train'\]", split=pa.array(["train"] * 6))
    refused("two rows of .*'segment': -1", segment=pa.array([-1] * 6, pa.int32()))
    refused(r"3 classes, but rows of \[2, 3\]", scores=lists(0.5, pa.float32(), 2))
    refused("scores outside 0 to 1", scores=lists(2.0, pa.float32()))
    refused("neither 0 nor 1", reference=lists(2, pa.int8()))
    refused(r"empty cells in columns \['location'\]", location=pa.array([None] * 6, pa.string()))
    stored.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=re.escape(str(stored))):
        read_segment_predictions(stored)
    with pytest.raises(StoreError, match="columns"):
        write_segment_predictions(frame().drop(columns="scores"), tmp_path / "x.parquet", LABELS)


def test_a_flipped_byte_in_the_scores_is_noticed(stored: Path) -> None:
    whole = bytearray(stored.read_bytes())
    noticed = 0
    for position in range(100, len(whole) - 200, 97):
        damaged = bytearray(whole)
        damaged[position] ^= 0x90
        stored.write_bytes(bytes(damaged))
        try:
            read = read_segment_predictions(stored)
        except StoreError:
            noticed += 1
            continue
        np.testing.assert_array_equal(np.stack(read["scores"].to_list()), np.stack(frame()["scores"].to_list()))
    assert noticed > 0


def test_arrays_whatever_the_order_of_the_rows() -> None:
    _, rows = run_of("a", noise=0.5, seed=1, n_clips=5)
    mixed = rows.sample(frac=1, random_state=0)
    arrays, again = segment_arrays(rows, split="test"), segment_arrays(mixed, split="test")
    assert arrays.detection.shape == arrays.detection_reference.shape == (5, 4, 3)
    assert arrays.tagging.shape == (5, 3) and arrays.tagging_reference.dtype == np.bool_
    assert arrays.clips["clip_id"].tolist() == [f"Y{i:03d}" for i in range(5)]
    np.testing.assert_array_equal(arrays.detection, again.detection)
    np.testing.assert_array_equal(arrays.tagging, arrays.detection.max(axis=1))
    np.testing.assert_array_equal(arrays.tagging_reference, again.detection_reference.any(axis=1))


def test_ragged_predictions_are_refused() -> None:
    _, rows = run_of("a", noise=0.5, seed=1, n_clips=5)
    one = (rows["clip_id"] == "Y003") & (rows["segment"] == 2)
    with pytest.raises(DataError, match="not 4 segments for each, such as 'Y003' with 3"):
        segment_arrays(rows[~one], split="test")
    tag = (rows["clip_id"] == "Y003") & (rows["level"] == "tagging")
    with pytest.raises(DataError, match="4 clips with tags, 5 with segments"):
        segment_arrays(rows[~tag], split="test")
    with pytest.raises(DataError, match="no test rows of detection"):
        segment_arrays(rows[rows["level"] == "tagging"], split="test")
