"""The floor of a joined task: scores of a guess that knows the source of a clip, worked by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from asc_bench.labels import COARSE, LabelSpace
from asc_bench.reporting.groups import groups_table
from asc_bench.reporting.results import results_table
from asc_bench.reporting.tidy import tidy_results, tidy_runs
from asc_bench.scoring.measure import Measure
from asc_bench.scoring.source_only import class_counts, source_alone
from tests.unit.made_predictions import frame_of, stacked
from tests.unit.reporting_frames import manifest, scores

LABELS = LabelSpace.from_map({"bus": "vehicle", "car": "vehicle", "mall": "indoor", "office": "indoor"})
TEST = [
    ("one", "bus"), ("one", "car"), ("one", "mall"),
    ("two", "office"), ("two", "office"), ("two", "bus"), ("two", "mall"),
]  # fmt: skip
COUNTS = {"one": {"bus": 3, "mall": 2, "car": 2}, "two": {"office": 4, "bus": 3, "car": 3}}
"""So one who knows the source says, best first, of ``one`` bus, car (as frequent as mall, but earlier), mall,
office, and vehicle (5 of 7); of ``two`` office, bus, car, mall, and vehicle (6 of 10)."""

FINE_1, FINE_2 = Measure("fine top-1"), Measure("fine top-2", top_k=2)
COARSE_1 = Measure("coarse top-1", level=COARSE)
DERIVED = Measure("coarse from fine", level=COARSE, derived=LABELS)
AGREE = Measure("heads agree", level=COARSE, derived=LABELS, statistic="agreement")
ONLY_ONE = Measure("fine top-1, one", strata="source", of=("one",), group="one")


def clips_of(clips: list[tuple[str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(clips, columns=["source", "scene"]).assign(device="", city="", flag="")
    table["clip_id"] = [f"clip-{i}" for i in range(len(table))]
    return table.assign(location=table["clip_id"], recording_id=table["clip_id"])


def predictions_of(clips: list[tuple[str, str]]) -> pd.DataFrame:
    """Of two systems that always say bus: what they say must not matter."""
    frame = frame_of(clips_of(clips), [0] * len(clips), LABELS)
    return stacked({"a": frame, "b": frame})


def test_counts_by_source() -> None:
    assert class_counts(clips_of(TEST)) == {
        "one": {"bus": 1, "car": 1, "mall": 1},
        "two": {"bus": 1, "mall": 1, "office": 2},
    }


def test_every_accuracy_worked_by_hand() -> None:
    measures = [FINE_1, FINE_2, COARSE_1, DERIVED, AGREE, ONLY_ONE]
    found = source_alone(predictions_of(TEST), {"fold1": COUNTS}, LABELS, measures)
    assert found == pytest.approx(
        {
            # Bus: right in one, wrong in two. Car and mall: never the first guess. Office: twice right.
            "fine top-1": (1 / 2 + 0 + 0 + 1) / 4,
            # Guesses {bus, car} and {office, bus}.
            "fine top-2": (1 + 1 + 0 + 1) / 4,
            # Vehicle in both sources.
            "coarse top-1": (1 + 0) / 2,
            # From bus and office: vehicle in one (2 of 3 vehicles), indoor in two (3 of 4 indoors).
            "coarse from fine": (2 / 3 + 3 / 4) / 2,
            "fine top-1, one": (1 + 0 + 0) / 3,
        }
    )


def test_each_fold_has_its_own_training_clips() -> None:
    first = predictions_of(TEST)
    both = pd.concat([first, first.assign(fold="fold2")])
    other = {**COUNTS, "one": {"mall": 1}}
    found = source_alone(both, {"fold1": COUNTS, "fold2": other}, LABELS, [FINE_1])
    # In the second fold the bus of one is wrong as well, and its mall is right: one of its two malls.
    assert found["fine top-1"] == pytest.approx((1 / 4 + 0 + 1 / 4 + 1) / 4)


def test_a_source_without_training_clips_tells_nothing() -> None:
    found = source_alone(predictions_of(TEST), {"fold1": {"two": COUNTS["two"]}}, LABELS, [FINE_1, FINE_2])
    assert found == pytest.approx({"fine top-1": 0.375, "fine top-2": 0.75}), "the first classes in their order"


def test_there_is_none_for_one_source_or_without_counts() -> None:
    alone = predictions_of([clip for clip in TEST if clip[0] == "one"])
    assert source_alone(alone, {"fold1": COUNTS}, LABELS, [FINE_1]) == {}
    assert source_alone(predictions_of(TEST), {}, LABELS, [FINE_1]) == {}
    unnamed = predictions_of(TEST).drop(columns="source")
    assert source_alone(unnamed, {"fold1": COUNTS}, LABELS, [FINE_1]) == {}


def test_tables_show_it_below_a_rule_and_frames_beside_each_score() -> None:
    frame = scores({"svm": {"top": 0.5, "top, one": 0.4}})
    runs = [manifest("svm", class_counts={"fold1": COUNTS})]
    floor = {"top": 0.375, "top, one": 1 / 3}
    table = results_table(frame, runs, measures=[Measure("top")], published={}, source_only=floor)
    assert [row[:2] for row in table.rows] == [("svm", "50.0 [47.9, 51.9]"), ("source-only baseline", "37.5")]
    assert table.apart == 1
    assert any(note.startswith("Source-only baseline: predicts, for each clip, the") for note in table.notes)
    grouped = groups_table(
        frame,
        runs,
        groups={"one": {"top": Measure("top, one")}},
        by="source",
        primary=Measure("top"),
        source_only=floor,
    )
    assert grouped is not None
    assert grouped.rows[1][:3] == ("source-only baseline", "one", "33.3")
    assert grouped.apart == 1
    tidy = tidy_results(
        frame, runs, measures=[Measure("top"), Measure("top, one")], published={}, source_only=floor
    )
    assert tidy["source_alone"].tolist() == [0.375, 1 / 3]
    assert not [column for column in tidy_runs(runs) if column.startswith("class_counts")]


def test_without_it_nothing_is_added() -> None:
    frame, runs = scores({"svm": {"top": 0.5}}), [manifest("svm")]
    table = results_table(frame, runs, measures=[Measure("top")], published={}, source_only={})
    assert len(table.rows) == 1
    assert table.apart is None
    assert "ource-only" not in " ".join(table.notes)
    assert "source_alone" not in tidy_results(frame, runs, measures=[Measure("top")], published={})
