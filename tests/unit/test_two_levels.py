"""Measures over two label levels: top-k, coarse derived from fine, agreement of the heads, strata by source."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

from asc_bench.errors import ConfigError, DataError, StoreError
from asc_bench.labels import LabelSpace
from asc_bench.scoring.accuracy import derived_ranks
from asc_bench.scoring.frames import score_table
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.predictions import (
    PREDICTION_COLUMNS,
    prediction_frame,
    read_predictions,
    stack_runs,
    write_predictions,
)
from tests.unit.made_predictions import clips_of
from tests.unit.scores import clip_scores, measure

LABELS = LabelSpace.from_map(
    {"bus": "vehicle", "park": "outdoor", "tram": "vehicle", "dog": "animal", "square": "outdoor"}
)
"""Coarse of fine: 0 1 0 2 1."""
COARSE_OF = np.array(LABELS.coarse_of)
CLIPS = clips_of(per_location=3, n_locations=4, devices=("A",), scenes=LABELS.fine).assign(device="")


def softmax(scores: np.ndarray) -> np.ndarray:
    odds = np.exp(scores)
    return (odds / odds.sum(1, keepdims=True)).astype(np.float32)


def drawn(levels: tuple[str, ...] = ("fine", "coarse"), seed: int = 0, clips: pd.DataFrame = CLIPS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    given = {level: softmax(rng.normal(size=(len(clips), len(LABELS.classes(level))))) for level in levels}
    return prediction_frame(clips, LABELS, given, split="test")


def arrays(frame: pd.DataFrame, level: str) -> tuple[np.ndarray, np.ndarray]:
    rows = frame[frame["level"] == level]
    return np.stack(rows["probabilities"].to_list()), LABELS.encode(rows["scene"])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_at_both_levels_is_that_of_scikit_learn(k: int) -> None:
    frame = drawn()
    for level, to_level in (("fine", lambda y: y), ("coarse", lambda y: COARSE_OF[y])):
        scores, fine = arrays(frame, level)
        n = scores.shape[1]
        expected = 1.0 if k >= n else top_k_accuracy_score(to_level(fine), scores, k=k, labels=range(n))
        assert measure(frame, Measure("m", average="clips", level=level, top_k=k)) == pytest.approx(expected)


def test_derived_top_1_is_the_mapped_argmax() -> None:
    frame = drawn()
    scores, fine = arrays(frame, "fine")
    expected = balanced_accuracy_score(COARSE_OF[fine], COARSE_OF[scores.argmax(1)])
    assert measure(frame, Measure("m", level="coarse", derived=LABELS)) == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_derived_top_k_ranks_a_coarse_class_by_its_best_fine_class(k: int) -> None:
    frame = drawn(seed=3)
    scores, fine = arrays(frame, "fine")
    best = np.stack([scores[:, c == COARSE_OF].max(1) for c in range(3)], axis=1)
    expected = 1.0 if k == 3 else top_k_accuracy_score(COARSE_OF[fine], best, k=k)
    found = measure(frame, Measure("m", average="clips", level="coarse", top_k=k, derived=LABELS))
    assert found == pytest.approx(expected)


def test_derived_ranks_by_hand() -> None:
    """Fine 0 1 2 3 4 are coarse 0 1 0 2 1."""
    scores = np.array(
        [
            [0.1, 0.2, 0.5, 0.15, 0.05],  # fine 2 first: coarse 0, then 1 (fine 1), then 2
            [0.2, 0.2, 0.2, 0.2, 0.2],  # all equal: coarse 0 (fine 0), 1 (fine 1), 2 (fine 3)
            [0.0, 0.1, 0.0, 0.45, 0.45],  # fine 3 before fine 4: coarse 2, then 1, then 0
        ]
    )
    for coarse, expected in enumerate([[1, 1, 3], [2, 2, 2], [3, 3, 1]]):
        assert derived_ranks(scores, COARSE_OF, np.full(3, coarse)).tolist() == expected
    with pytest.raises(DataError, match="the map has 5 fine classes"):
        derived_ranks(scores[:, :4], COARSE_OF, np.zeros(3, dtype=int))
    with pytest.raises(DataError, match="row 1 hold a NaN"):
        derived_ranks(np.where(scores == 0.2, np.nan, scores)[1:][[1, 0]], COARSE_OF, np.zeros(2, dtype=int))


def test_agreement_by_hand() -> None:
    """Right or wrong does not matter: the coarse head must say what the fine head implies."""
    clips = CLIPS.iloc[:4].reset_index(drop=True)
    fine = np.full((4, 5), 0.1, dtype=np.float32)
    fine[[0, 1, 2, 3], [0, 2, 3, 4]] = 0.6  # coarse 0 0 2 1
    coarse = np.full((4, 3), 0.2, dtype=np.float32)
    coarse[[0, 1, 2, 3], [0, 1, 2, 1]] = 0.6
    frame = prediction_frame(clips, LABELS, {"coarse": coarse, "fine": fine}, split="test")
    agree = Measure("agree", average="clips", level="coarse", derived=LABELS, statistic="agreement")
    assert measure(frame, agree) == 0.75
    shuffled = frame.sample(frac=1.0, random_state=1).reset_index(drop=True)
    assert clip_scores(shuffled, agree)["correct"].tolist() == clip_scores(frame, agree)["correct"].tolist()
    lost = frame.drop(frame.index[(frame["level"] == "coarse") & (frame["clip_id"] == clips["clip_id"][2])])
    with pytest.raises(DataError, match="has a fine prediction and no coarse one"):
        measure(lost, agree)


def test_agreement_pairs_the_heads_within_fold_and_repeat() -> None:
    one, two = drawn(seed=1), drawn(seed=2)
    agree = Measure("agree", average="clips", level="coarse", derived=LABELS, statistic="agreement")
    runs = [({"variant": "s", "fold": "f", "repeat": i}, frame) for i, frame in enumerate((one, two))]
    assert measure(stack_runs(runs), agree) == pytest.approx((measure(one, agree) + measure(two, agree)) / 2)


def test_a_system_without_a_level_has_no_value_there_and_is_not_incomplete() -> None:
    measures = (
        Measure("fine"),
        Measure("coarse", level="coarse"),
        Measure("derived", level="coarse", derived=LABELS),
        Measure("agree", level="coarse", derived=LABELS, statistic="agreement"),
    )
    frames = {"both": drawn(), "fine": drawn(("fine",)), "coarse": drawn(("coarse",))}
    stacked = stack_runs([({"variant": name, "fold": "f", "repeat": 0}, frame) for name, frame in frames.items()])
    table = score_table(stacked, measures, n_resamples=20, expected={"f": {"": len(CLIPS)}})
    assert set(table["incomplete"]) == {""}
    there = table.assign(there=table["value"].notna()).pivot(index="system", columns="measure", values="there")
    assert there.loc["both"].all()
    assert there.loc["fine"].to_dict() == {"fine": True, "derived": True, "coarse": False, "agree": False}
    assert there.loc["coarse"].to_dict() == {"fine": False, "derived": False, "coarse": True, "agree": False}
    assert (table.loc[table["value"].isna(), "n"] == 0).all()


def test_a_gap_in_one_level_leaves_no_score() -> None:
    frame = drawn()
    lost = frame.drop(frame.index[frame["level"] == "coarse"][:1])
    stacked = stack_runs([({"variant": "s", "fold": "f", "repeat": 0}, lost)])
    table = score_table(stacked, [Measure("fine")], n_resamples=20, expected={"f": {"": len(CLIPS)}})
    assert math.isnan(table["value"].iloc[0])
    assert "59/60 in f, coarse labels: incomplete" in table["incomplete"].iloc[0]


def test_strata_by_source() -> None:
    source = np.where(CLIPS["location"].str.endswith(("-0", "-1")), "x", "y")
    clips = CLIPS.assign(source=source, flag="")
    frame = drawn(clips=clips)
    scores, fine = arrays(frame, "fine")
    for name in ("x", "y"):
        inside = source == name
        found = measure(frame, Measure("m", strata="source", of=(name,)))
        assert found == pytest.approx(balanced_accuracy_score(fine[inside], scores[inside].argmax(1)))
    with pytest.raises(DataError, match=r"no test prediction for source \['z'\]"):
        measure(frame, Measure("m", strata="source", of=("z",)))
    with pytest.raises(ConfigError, match="the predictions have no column 'source'"):
        measure(drawn(), Measure("m", strata="source", of=("x",)))


def test_source_and_flag_are_stored_where_there_are_any(tmp_path: Path) -> None:
    clips = CLIPS.assign(source="x", flag=["quiet", *[""] * (len(CLIPS) - 1)])
    for frame, columns in (
        (drawn(clips=clips), (*PREDICTION_COLUMNS, "source", "flag")),
        (drawn(), PREDICTION_COLUMNS),
    ):
        write_predictions(frame, tmp_path / "p.parquet", LABELS)
        found = read_predictions(tmp_path / "p.parquet")
        assert tuple(found.columns) == columns
        pd.testing.assert_frame_equal(found, frame, check_dtype=False)
    with pytest.raises(StoreError, match=r"'colour'\], expected"):
        write_predictions(drawn().assign(colour="red"), tmp_path / "p.parquet", LABELS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"derived": LabelSpace(("a", "b"))}, "nothing can be derived in a label space without coarse classes"),
        ({"statistic": "agreement"}, "an agreement needs the label space that maps fine to coarse"),
        ({"group": "x"}, "its name must end in ', x'"),
    ],
)
def test_measures_that_make_no_sense(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=f"measure 'm'.*{message}"):
        Measure("m", **settings)
