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
from asc_bench.scoring.predictions import (
    PREDICTION_COLUMNS,
    prediction_frame,
    read_predictions,
    stack_runs,
    write_predictions,
)
from tests.unit.made_predictions import LABELS, clips_of, frame_of

CLIPS = clips_of(per_location=1, n_locations=1, devices=("A",))
FINE = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.2, 0.4, 0.4]], dtype=np.float32)
COARSE = np.array([[0.5, 0.5], [0.1, 0.9], [0.0, 1.0]], dtype=np.float32)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    frame = prediction_frame(CLIPS, LABELS, {"fine": FINE, "coarse": COARSE}, split="test")
    write_predictions(frame, tmp_path / "predictions.parquet", LABELS)
    return tmp_path / "predictions.parquet"


def test_frame_by_hand() -> None:
    frame = prediction_frame(CLIPS, LABELS, {"coarse": COARSE, "fine": FINE}, split="test")
    assert tuple(frame.columns) == PREDICTION_COLUMNS
    assert frame["level"].tolist() == ["fine"] * 3 + ["coarse"] * 3
    assert frame["label"].tolist() == ["airport", "mall", "park", "indoor", "indoor", "outdoor"]
    # Equal probabilities: the lower class index is predicted, and ranks first.
    assert frame["predicted"].tolist() == ["airport", "airport", "mall", "indoor", "outdoor", "outdoor"]
    assert frame["label_rank"].tolist() == [1, 2, 2, 1, 2, 1]
    assert frame["scene"].tolist() == ["airport", "mall", "park"] * 2
    assert frame["clip_id"].tolist() == CLIPS["clip_id"].tolist() * 2
    assert {p.dtype for p in frame["probabilities"]} == {np.dtype(np.float32)}


def test_a_system_may_leave_out_a_level() -> None:
    assert set(prediction_frame(CLIPS, LABELS, {"fine": FINE}, split="test")["level"]) == {"fine"}


def test_rows_are_kept_whatever_the_index_of_the_clips() -> None:
    shuffled = CLIPS.iloc[[2, 0, 1]]
    frame = prediction_frame(shuffled, LABELS, {"fine": FINE}, split="validation")
    assert frame["label"].tolist() == ["park", "airport", "mall"]
    assert frame["location"].tolist() == shuffled["location"].tolist()
    assert set(frame["split"]) == {"validation"}


def changed(value: float, at: tuple[int, int] = (1, 2)) -> np.ndarray:
    array = FINE.copy()
    array[at] = value
    return array


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ({"fine": FINE[:2]}, r"expected numbers of shape \(3, 3\) .* got float32 of shape \(2, 3\)"),
        ({"fine": FINE[:, :2]}, r"shape \(3, 2\)"),
        ({"fine": FINE.ravel()}, r"shape \(9,\)"),
        ({"fine": FINE.astype(str)}, r"expected numbers"),
        ({"fine": changed(np.nan)}, r"clip 'mall-0-0-A' are negative or not finite \(1 clips of 3\)"),
        ({"fine": changed(np.inf)}, "not finite"),
        ({"fine": changed(-0.25)}, "negative"),
        ({"fine": changed(0.5)}, r"clip 'mall-0-0-A' sum to 1.25, not to 1 within 0.001 \(1 clips of 3\)"),
        ({"fine": FINE, "device": FINE}, r"levels \['device', 'fine'\], expected \('fine', 'coarse'\)"),
        ({}, r"levels \[\]"),
    ],
)
def test_probabilities_are_checked(probabilities: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(SystemFailure, match=message):
        prediction_frame(CLIPS, LABELS, probabilities, split="test")


def test_the_worst_row_is_the_one_named() -> None:
    array = FINE.copy()
    array[0, 0], array[2, 0] = 0.6, 0.9
    with pytest.raises(SystemFailure, match=re.escape("'park-0-0-A' sum to 1.7")):
        prediction_frame(CLIPS, LABELS, {"fine": array}, split="test")


def test_sums_within_the_tolerance_are_left_as_they_are() -> None:
    array = changed(0.2505)
    frame = prediction_frame(CLIPS, LABELS, {"fine": array}, split="test")
    np.testing.assert_array_equal(np.stack(frame["probabilities"].to_list()), array)


def test_unknown_split_and_unknown_scene() -> None:
    with pytest.raises(ConfigError, match="split 'train'"):
        prediction_frame(CLIPS, LABELS, {"fine": FINE}, split="train")
    with pytest.raises(DataError, match="scene 'beach'"):
        prediction_frame(CLIPS.assign(scene="beach"), LABELS, {"fine": FINE}, split="test")


def test_round_trip(stored: Path) -> None:
    written = prediction_frame(CLIPS, LABELS, {"fine": FINE, "coarse": COARSE}, split="test")
    read = read_predictions(stored)
    pd.testing.assert_frame_equal(
        read.drop(columns="probabilities"), written.drop(columns="probabilities"), check_exact=True
    )
    for a, b in zip(read["probabilities"], written["probabilities"], strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == np.float32


def test_metadata_and_bytes(stored: Path, tmp_path: Path) -> None:
    about = json.loads(pq.read_schema(stored).metadata[b"asc_bench"])
    assert about == {
        "schema_version": 1,
        "classes": {"fine": ["airport", "mall", "park"], "coarse": ["indoor", "outdoor"]},
    }
    write_predictions(read_predictions(stored), tmp_path / "again.parquet", LABELS)
    assert (tmp_path / "again.parquet").read_bytes() == stored.read_bytes()


def test_every_flipped_byte_is_noticed_or_harmless(stored: Path) -> None:
    """No damage may change a value unseen; a few bytes (paddings, encodings) carry none."""
    whole = stored.read_bytes()
    good = read_predictions(stored)
    good["probabilities"] = good["probabilities"].map(lambda p: p.tobytes())
    noticed = 0
    positions = np.random.default_rng(0).choice(len(whole), size=200, replace=False)
    for position in positions:
        damaged = bytearray(whole)
        damaged[position] ^= 0x90
        stored.write_bytes(bytes(damaged))
        try:
            frame = read_predictions(stored)
        except StoreError as error:
            assert str(stored) in str(error)
            noticed += 1
            continue
        frame["probabilities"] = frame["probabilities"].map(lambda p: p.tobytes())
        pd.testing.assert_frame_equal(frame, good)
    assert noticed > len(positions) / 2


@pytest.mark.parametrize("content", [b"", b"PAR1", b"<!DOCTYPE html>" * 50, b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_what_is_no_parquet_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "predictions.parquet"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=re.escape(str(path))):
        read_predictions(path)


def test_truncated_and_absent_files(stored: Path) -> None:
    stored.write_bytes(stored.read_bytes()[: stored.stat().st_size // 2])
    with pytest.raises(StoreError, match="could not be read"):
        read_predictions(stored)
    stored.unlink()
    with pytest.raises(StoreError, match="could not be read"):
        read_predictions(stored)


def rewritten(path: Path, *, metadata: dict[bytes, bytes] | None = None, **columns: pa.Array) -> None:
    table = pq.read_table(path)
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, values)
    if metadata is not None:
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path)


def test_foreign_content_is_refused(stored: Path) -> None:
    whole = stored.read_bytes()

    def refused(message: str, **changes: object) -> None:
        stored.write_bytes(whole)
        rewritten(stored, **changes)  # type: ignore[arg-type]
        with pytest.raises(StoreError, match=message):
            read_predictions(stored)

    classes = {"fine": ["airport", "mall", "park"], "coarse": ["indoor", "outdoor"]}
    newer = json.dumps({"schema_version": 2, "classes": classes}).encode()
    no_map = json.dumps({"schema_version": 1, "classes": ["airport"]}).encode()
    refused("no metadata of ours", metadata={})
    refused("no metadata of ours", metadata={b"asc_bench": b"not json"})
    refused("no metadata of ours", metadata={b"asc_bench": b"[1]"})
    refused("schema 2, this version of asc-bench reads 1", metadata={b"asc_bench": newer})
    refused("name no classes by level", metadata={b"asc_bench": no_map})
    refused("not a prediction file, its columns", label_rank=pa.array([1.0] * 6))
    refused(r"empty cells in columns \['label'\]", label=pa.array([None] * 6, pa.string()))
    refused(r"foreign labels \['beach'\]", label=pa.array(["beach"] * 6))
    refused(r"unknown levels \['device'\]", level=pa.array(["device"] * 6))
    refused(r"unknown splits \['train'\]", split=pa.array(["train"] * 6))
    short = pa.array([[0.5, 0.5]] * 6, pa.list_(pa.float32()))
    refused(r"rows of \[2\] probabilities", probabilities=short)


def test_writing_fails_loudly(tmp_path: Path) -> None:
    frame = frame_of(CLIPS, [0, 1, 2])
    with pytest.raises(StoreError, match="could not be written"):
        write_predictions(frame, tmp_path / "nowhere" / "predictions.parquet", LABELS)
    with pytest.raises(StoreError, match="columns"):
        write_predictions(frame.drop(columns="scene"), tmp_path / "predictions.parquet", LABELS)


def test_stacking() -> None:
    frame = frame_of(CLIPS, [0, 1, 2])
    runs = [({"variant": "a", "fold": f, "repeat": r}, frame) for f in ("fold1", "fold2") for r in (0, 1)]
    whole = stack_runs(runs)
    assert len(whole) == 12
    assert whole.groupby(["system", "fold", "repeat"]).size().to_dict() == {
        ("a", fold, repeat): 3 for fold in ("fold1", "fold2") for repeat in (0, 1)
    }
    assert pd.api.types.is_integer_dtype(whole["repeat"])
    assert whole.index.equals(pd.RangeIndex(12))


def test_stacking_refuses() -> None:
    frame = frame_of(CLIPS, [0, 1, 2])
    run = ({"variant": "a", "fold": "fold1", "repeat": 0}, frame)
    with pytest.raises(StoreError, match="two runs of a, fold 'fold1', repeat 0"):
        stack_runs([run, run])
    with pytest.raises(StoreError, match="no 'fold'"):
        stack_runs([({"variant": "a", "repeat": 0}, frame)])
    with pytest.raises(StoreError, match="no finished run"):
        stack_runs([])
