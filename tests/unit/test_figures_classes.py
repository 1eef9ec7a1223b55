"""Which classes a confusion figure shows, and what the axes of a score figure say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asc_bench.registry import protocols
from asc_bench.reporting.confusion_figure import draw_confusions
from asc_bench.reporting.figures import save_figure
from asc_bench.reporting.score_figure import draw_scores
from asc_bench.scoring.measure import Measure
from tests.unit.reporting_frames import confusion, scores

NAMES = ("bus", "car", "dog", "mall", "park")


def shown(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


def test_only_classes_that_are_true_or_predicted_are_shown_and_the_others_counted() -> None:
    counts = np.zeros((5, 5), dtype=int)
    counts[1, 1], counts[1, 3], counts[4, 4] = 3, 1, 2
    figure = draw_confusions({"A": confusion(NAMES, counts.tolist())}, title="a title")
    assert shown(figure) == ["car", "mall", "park"], "mall is only predicted"
    found = {t.get_position(): t.get_text() for t in figure.axes[0].texts}
    assert found == {(0, 0): "75\n(3)", (1, 0): "25\n(1)", (2, 2): "100\n(2)"}
    title = " ".join(figure.get_suptitle().split())
    assert title == "a title Not shown: 2 of 5 classes, neither true nor predicted in these clips."


def test_a_class_of_one_device_is_shown_for_all() -> None:
    first, second = np.zeros((5, 5), dtype=int), np.zeros((5, 5), dtype=int)
    first[0, 0] = second[2, 2] = 1
    figure = draw_confusions({"A": confusion(NAMES, first.tolist()), "B": confusion(NAMES, second.tolist())})
    assert shown(figure) == ["bus", "dog"]
    assert [np.asarray(ax.images[0].get_array()).shape for ax in figure.axes[:2]] == [(2, 2)] * 2


def test_official_test_sets_are_shown_whole(tmp_path: Path) -> None:
    classes = protocols().get("dcase2018").labels.fine
    frame = confusion(classes, np.eye(len(classes), dtype=int).tolist())
    figure = draw_confusions({"A": frame}, title="a title")
    assert shown(figure) == list(classes)
    assert figure.get_suptitle() == "a title"
    nothing = draw_confusions({"A": confusion(NAMES, np.zeros((5, 5), dtype=int).tolist())})
    _, svg = save_figure(nothing, tmp_path / "none")
    assert "Not shown" not in svg.read_text(), "without any clip there is nothing to choose by"


def test_each_axis_says_what_its_measure_is() -> None:
    frame = scores(
        {"svm": {"top": 0.5, "loss": 0.9, "calibration": 0.1}, "cnn": {"top": 0.4, "loss": 0.4, "calibration": 0.2}}
    )
    measures = [
        Measure("loss", statistic="log-loss"),
        Measure("top"),
        Measure("calibration", statistic="calibration-error", average="clips"),
    ]
    figure = draw_scores(frame, measures=measures)
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "log loss, nats\n(lower is better)",
        "accuracy, percent",
        "calibration error, percent\n(lower is better)",
    ]
    # The best is on top: of a loss, the lowest. Only percent are multiplied, and no axis is shared across units.
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["svm", "cnn"]
    np.testing.assert_allclose(np.asarray(figure.axes[0].lines[0].get_xdata(), dtype=float), [0.9, 0.4])
    np.testing.assert_allclose(np.asarray(figure.axes[1].lines[0].get_xdata(), dtype=float), [50, 40])
    assert figure.axes[0].get_xlim() != figure.axes[1].get_xlim()


def test_more_than_five_panels_stand_in_rows_of_equal_length() -> None:
    figure = draw_scores(
        scores({"svm": {f"m{i}": 0.1 * i for i in range(1, 8)}}), measures=[Measure(f"m{i}") for i in range(1, 8)]
    )
    assert [ax.get_title() for ax in figure.axes] == [f"m{i}" for i in range(1, 8)]
    places = [ax.get_subplotspec() for ax in figure.axes]
    assert [(p.rowspan.start, p.colspan.start) for p in places if p] == [
        *((0, i) for i in range(4)),
        *((1, i) for i in range(3)),
    ]
    figure.draw_without_rendering()
    assert all(ax.xaxis.get_ticklabels()[0].get_visible() for ax in figure.axes), "each panel has its numbers"
    five = draw_scores(
        scores({"svm": {f"m{i}": 0.5 for i in range(5)}}), measures=[Measure(f"m{i}") for i in range(5)]
    )
    assert {ax.get_subplotspec().rowspan.start for ax in five.axes} == {0}  # type: ignore[union-attr]
