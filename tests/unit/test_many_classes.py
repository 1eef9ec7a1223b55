"""Of many classes: blocks of the coarse ones, and a table of the worst confusions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from asc_bench.errors import ConfigError
from asc_bench.labels import LabelSpace
from asc_bench.reporting.class_figure import draw_recalls
from asc_bench.reporting.confusion_figure import coarse_counts
from asc_bench.reporting.plots import Plots
from asc_bench.reporting.report import text_files
from asc_bench.reporting.worst_confusions import worst_confusions, worst_table
from asc_bench.scoring.measure import Measure
from tests.unit.figure_frames import LONG, made
from tests.unit.reporting_frames import confusion

LABELS = LabelSpace.from_map({"bus": "vehicle", "tram": "vehicle", "park": "outside", "beach": "outside"})
COUNTS = [[5, 3, 2, 0], [3, 7, 0, 0], [0, 0, 4, 1], [1, 0, 3, 0]]
FRAME = confusion(LABELS.fine, COUNTS)


def test_blocks_are_sums_over_pairs_of_classes() -> None:
    summed = coarse_counts({"A": FRAME}, LABELS)["A"]
    for true in LABELS.coarse:
        for predicted in LABELS.coarse:
            cells = [
                int(FRAME.loc[t, p])
                for i, t in enumerate(LABELS.fine)
                for j, p in enumerate(LABELS.fine)
                if LABELS.coarse[LABELS.coarse_of[i]] == true and LABELS.coarse[LABELS.coarse_of[j]] == predicted
            ]
            assert summed.loc[true, predicted] == sum(cells)
    already = confusion(LABELS.coarse, [[1, 2], [3, 4]])
    assert coarse_counts({"A": already}, LABELS)["A"] is already


def test_the_worst_come_first_and_ties_by_share() -> None:
    found = worst_confusions({"cnn": FRAME}, LABELS, n=4)
    # Of three clips each: a share of 3/4, of 3/10 and 3/10; then two clips.
    assert found[["true", "predicted", "n", "share", "same_coarse"]].to_numpy().tolist() == [
        ["beach", "park", 3, 0.75, True],
        ["bus", "tram", 3, 0.3, True],
        ["tram", "bus", 3, 0.3, True],
        ["bus", "park", 2, 0.2, False],
    ]
    table = worst_table(found, title="a title")
    assert table.rows[0] == ("cnn", "beach", "park", "3", "75.0", "yes")
    without = worst_table(worst_confusions({"cnn": FRAME}, None), title="a title")
    assert without.columns[-1] == "share" and len(without.rows) == 6


def test_a_matrix_of_many_classes_is_drawn_as_blocks_and_listed() -> None:
    made_of = made(2, n_classes=40)
    figure = Plots(made_of).confusion(LONG[0], "A").figure
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["indoor", "outdoor"]
    # 20 classes of either kind: 8 + 20 of the 48 clips of each stay in the block.
    assert np.asarray(figure.axes[0].images[0].get_array()) == pytest.approx(
        100 * np.array([[28, 20], [20, 28]]) / 48
    )
    assert "40 fine ones" in figure.get_suptitle().replace("\n", " ")
    texts = text_files(made_of)
    assert len(texts["worst-confusions.csv"].splitlines()) == 1 + 2 * 10
    assert not [name for name in text_files(made(2)) if name.startswith("worst")], "few classes are drawn whole"


def test_systems_that_predict_other_classes_are_named() -> None:
    made_of = made(3)
    coarse = {device: confusion(("indoor", "outdoor"), [[3, 1], [1, 3]]) for device in "ABC"}
    made_of.confusions[LONG[1]] = coarse  # type: ignore[index]
    figure = Plots(made_of).classes().figure
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [LONG[2], LONG[0]]
    assert f"Not shown, as they predict other classes: {LONG[1]}." in figure.get_suptitle().replace("\n", " ")


def test_chance_is_one_of_the_classes_that_a_measure_counts() -> None:
    measures = [
        Measure("fine"),
        Measure("top-3", top_k=3),
        Measure("coarse", level="coarse"),
        Measure("derived", derived=LABELS),
        Measure("loss", statistic="log-loss", average="clips"),
        Measure("all of them", level="coarse", top_k=3),
    ]
    guessed = replace(made(2), measures=measures, labels=LABELS).chance()
    assert guessed == {"fine": 0.25, "top-3": 0.75, "coarse": 0.5, "derived": 0.5, "all of them": 1.0}
    assert replace(made(2), labels=None).chance() == {}


def test_recalls_of_other_classes_are_refused() -> None:
    frame = pd.DataFrame({"system": ["a", "b"], "label": ["bus", "tram"], "recall": [0.5, 0.6]})
    with pytest.raises(ConfigError, match="'b' has other classes than 'a'"):
        draw_recalls(frame, systems=["a", "b"])
    with pytest.raises(ConfigError, match="'c' has no recall"):
        draw_recalls(frame, systems=["c"])
