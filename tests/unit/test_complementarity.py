"""Which clips systems get right: hand-worked cases."""

from __future__ import annotations

import pandas as pd
import pytest

from asc_bench.api import DataError, Measure
from asc_bench.reporting.fusion_report import complementarity_table
from asc_bench.scoring.complementarity import complementarity, right_answers

TOP1 = Measure("accuracy")


def stacked(ranks: dict[str, list[int]], *, split: str = "test", level: str = "fine") -> pd.DataFrame:
    return pd.concat(
        pd.DataFrame(
            {
                "system": system,
                "fold": "fold1",
                "repeat": 0,
                "clip_id": [f"clip{i}" for i in range(len(values))],
                "split": split,
                "level": level,
                "label_rank": values,
            }
        )
        for system, values in ranks.items()
    )


RANKS = {"a": [1, 1, 1, 2, 3], "b": [1, 2, 1, 1, 3], "c": [1, 2, 3, 4, 1]}


def test_pairs_by_hand() -> None:
    frame = pd.concat([stacked(RANKS), stacked({"a": [9], "b": [9]}, split="validation")])
    pairs = complementarity(frame, TOP1, systems=["a", "b", "c"]).set_index(["system_a", "system_b"])
    assert pairs.loc[("a", "b")].to_dict() == pytest.approx(
        {"n": 5, "both": 0.4, "only_a": 0.2, "only_b": 0.2, "neither": 0.2, "oracle": 0.8}
    )
    assert pairs.loc[("a", "c"), "oracle"] == pytest.approx(0.8)
    assert right_answers(frame, TOP1, systems=["a", "b", "c"]).any(axis=1).mean() == 1.0


def test_among_the_first_two() -> None:
    pairs = complementarity(stacked(RANKS), Measure("top-2", top_k=2), systems=["a", "b"])
    assert pairs[["both", "only_a", "only_b", "neither"]].to_numpy().tolist() == [[0.8, 0.0, 0.0, 0.2]]


def test_systems_must_have_the_same_clips() -> None:
    frame = pd.concat([stacked({"a": [1, 1, 1]}), stacked({"b": [1, 1]})])
    with pytest.raises(DataError, match="'b' was not scored with fine classes on all clips"):
        complementarity(frame, TOP1, systems=["a", "b"])


def test_the_table_shows_plain_percent() -> None:
    manifest = {
        "protocol": "p",
        "protocol_title": "P",
        "protocol_version": 1,
        "dataset": "d",
        "synthetic": False,
        "budget": "quick",
        "repeat": 0,
        "started": "2026-11-22T00:00:00+00:00",
    }
    pairs = complementarity(stacked(RANKS), TOP1, systems=["a", "b"])
    table = complementarity_table(pairs, [manifest], measure="accuracy", oracle=0.8)
    assert table.rows == (("a", "b", "5", "40.0", "20.0", "20.0", "20.0", "80.0"),)
    assert "Oracle over all members: 80.0." in table.notes
