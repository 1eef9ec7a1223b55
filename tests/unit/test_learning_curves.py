"""Learning curves: the numbers of the histories, thinned and bounded, in the figure and on the page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from asc_bench.errors import ConfigError
from asc_bench.reporting.curve_figure import draw_curves
from asc_bench.reporting.curves import MOST_POINTS, MOST_RUNS, SystemCurves, curves_of, mean_points
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.figures import BLUE, ORANGE, FigureStyle
from asc_bench.reporting.page import html_page
from asc_bench.reporting.page.curves import learning_curves
from asc_bench.reporting.plots import Plots
from asc_bench.reporting.report import text_files
from asc_bench.reporting.report_figures import FigureChoice, figures_of
from asc_bench.runs.store import ResultsStore
from asc_bench.stored_results import load_results
from tests.unit.figure_frames import history, made, outside, overlapping
from tests.unit.made_runs import made_bench, publish, specs_of
from tests.unit.page_parts import CAA, Page, evaluation
from tests.unit.reporting_frames import HOSTILE, manifest

COLUMN = FigureStyle.of("one-column")


def run_of(system: str, *, fold: str = "fold1", repeat: int = 0) -> dict[str, Any]:
    return manifest(system, fold=fold, repeat=repeat, key=f"{system} {fold} {repeat}")


def curves(frames: dict[str, list[pd.DataFrame]]) -> dict[str, SystemCurves]:
    """Of systems, with a history for each of their folds."""
    runs = [(run_of(s, fold=f"fold{i}"), frame) for s, own in frames.items() for i, frame in enumerate(own, 1)]
    read: dict[str, Callable[[], pd.DataFrame]] = {run["key"]: lambda frame=frame: frame for run, frame in runs}
    return curves_of([run for run, _ in runs], read, systems=list(frames))


def texts(figure: Figure) -> str:
    own = [t for f in (figure, *figure.subfigs) for t in (*f.texts, f._suptitle)]
    return "\n".join(t.get_text() for t in own if t is not None)


def test_short_histories_come_as_they_are() -> None:
    frame = history(10, validated=3)
    (curve,) = curves({"sb-cnn": [frame]})["sb-cnn"].parts["training"]
    assert (curve.run, curve.n_steps, curve.n_epochs) == ("fold1, repeat 0", 30, 10)
    assert curve.points["train_loss"] == tuple(zip(frame["step"], frame["train_loss"], strict=True))
    assert curve.points["validation_accuracy"] == ((9, 0.15), (18, 0.3), (27, 0.45))
    assert curve.lowest_loss == frame["validation_loss"][8] == curve.last("validation_loss")
    assert curve.highest_accuracy == 0.45


def test_long_ones_are_thinned_and_rare_validations_are_kept() -> None:
    frame = history(500, validated=40)
    (curve,) = curves({"sb-cnn": [frame]})["sb-cnn"].parts["training"]
    train = curve.points["train_loss"]
    assert 80 <= len(train) <= MOST_POINTS
    assert set(train) <= set(zip(frame["step"], frame["train_loss"], strict=True))
    assert (train[0][0], train[-1][0]) == (3, 1500)
    assert [step for step, _ in curve.points["validation_loss"]] == [120 * i for i in range(1, 13)]


def test_parts_of_a_run_share_its_points_and_keep_their_order() -> None:
    frame = pd.concat([history(500, part=name) for name in ("pretraining", "b", "a", "b-2")])
    found = curves({"sample-cnn": [frame]})["sample-cnn"].parts
    assert list(found) == ["pretraining", "b", "a", "b-2"]
    assert all(len(curve.points["train_loss"]) <= MOST_POINTS / 4 for (curve,) in found.values())


def test_runs_of_one_length_and_a_shorter_one_keep_the_steps_that_coincide() -> None:
    runs = curves({"sb-cnn": [history(500, loss=2.0), history(300, loss=4.0)]})["sb-cnn"].parts["training"]
    long, short = (dict(curve.points["train_loss"]) for curve in runs)
    mean = dict(mean_points([curve.points["train_loss"] for curve in runs]))
    assert len(mean) == 50, "every sixth of the first 300"
    assert mean == {step: pytest.approx((long[step] + short[step]) / 2) for step in long.keys() & short.keys()}


def test_a_mean_is_that_of_steps_that_all_have_and_where_it_is_finite() -> None:
    one, other = ((1, 2.0), (2, 1.0), (3, 0.5)), ((1, 4.0), (2, 2.0), (4, 0.5))
    assert mean_points([one, other, ()]) == ((1, 3.0), (2, 1.5))
    assert mean_points([one]) == mean_points([one, ()]) == mean_points([]) == ()
    assert mean_points([one, ((5, 1.0), (6, 1.0))]) == ()
    diverged = ((1, 4.0), (2, math.nan), (3, 1.5))
    assert mean_points([one, diverged]) == ((1, 3.0), (3, 1.0))


def test_of_very_many_runs_the_first_ones_are_read_and_the_page_stays_small() -> None:
    read: list[str] = []
    frame = pd.concat([history(110, validated=1, part=part, steps=4321) for part in ("training", "training-2")])
    systems = ("sb-cnn", CAA, "raw-cnn")
    runs = [run_of(s, fold=f"fold{f}", repeat=r) for s in systems for r in range(20) for f in range(1, 11)]
    histories = {run["key"]: lambda key=run["key"]: (read.append(key), frame)[1] for run in runs}
    found = curves_of(runs, histories, systems=systems)
    assert len(read) == len(set(read)) == MOST_RUNS < len(runs)
    assert {(own.n_runs, own.n_shown) for own in found.values()} == {(200, MOST_RUNS // 3)}
    page = learning_curves(evaluation(manifests=runs, histories=histories, scores=evaluation().scores[:0]))
    assert len(json.dumps(page, separators=(",", ":"))) < 2_000_000
    figure = draw_curves({s: found[s] for s in ("sb-cnn",)})
    assert "Runs shown: sb-cnn 100 of 200." in texts(figure)


def test_histories_are_read_for_the_page_and_not_for_the_tables(tmp_path: Path) -> None:
    store, bench = ResultsStore(tmp_path), made_bench()
    written = [history(6, validated=2), history(6, validated=2, loss=3.0)]
    for spec, frame in zip(specs_of(bench, "sb-cnn", repeats=(0, 1)), written, strict=True):
        publish(store, bench, spec, history=frame)
    publish(store, bench, specs_of(bench, "logmel-svm")[0])
    whole = load_results(tmp_path, "dcase2018", budget="paper").evaluation
    text_files(whole), whole.text(), list(figures_of(whole, FigureChoice.of("all")))
    assert len(whole.histories) == 2 and "curves" not in vars(whole)
    shown = Page(html_page(whole, files={})).data["curves"]
    assert shown["without"] == ["logmel-svm"]
    (part,) = shown["systems"]["sb-cnn"]["parts"]
    assert [run["run"] for run in part["runs"]] == ["fold1, repeat 0", "fold1, repeat 1"]
    for run, frame in zip(part["runs"], written, strict=True):
        steps, values = run["points"]["train_loss"]
        assert steps == frame["step"].tolist() and values == pytest.approx(frame["train_loss"].tolist(), rel=5e-4)
        assert run["points"]["validation_accuracy"] == [[6, 12, 18], [0.1667, 0.3333, 0.5]]
        low = f"{frame['validation_loss'].min():.2f}"
        assert run["texts"] == ["6", "18", f"{frame['train_loss'][5]:.2f}", low, low, "50.0", "50.0"]
    mean = (written[0]["train_loss"] + written[1]["train_loss"]) / 2
    assert part["means"]["train_loss"] == [[3, 6, 9, 12, 15, 18], pytest.approx(mean.tolist(), rel=5e-4)]


def test_a_diverged_training_is_a_gap_and_no_broken_page() -> None:
    frame = history(4)
    frame.loc[2:, "train_loss"] = [math.inf, math.nan]
    made_of = evaluation(histories={f"key-{CAA}": lambda: frame})
    (run,) = Page(html_page(made_of, files={})).data["curves"]["systems"][CAA]["parts"][0]["runs"]
    assert run["points"]["train_loss"][1][2:] == [None, None]
    assert run["texts"][2] == "–"
    line = Plots(made_of).learning_curves().figure.axes[0].lines[0]
    assert np.isnan(np.asarray(line.get_ydata(), float)).tolist() == [False, False, True, True]


def test_without_a_history_there_is_no_section_and_the_figure_says_why() -> None:
    data = Page(html_page(evaluation(), files={})).data
    assert data["curves"] == {"systems": {}, "without": []}
    assert figures_of(evaluation(), FigureChoice.of("learning-curves")) == {}
    with pytest.raises(ConfigError, match=r"no run has a history; systems without a network .* --force"):
        Plots(evaluation()).learning_curves()


def test_lines_of_the_figure_are_runs_and_their_mean() -> None:
    frames = [history(6, validated=2, loss=loss) for loss in (1.0, 3.0)]
    figure = draw_curves(curves({"sb-cnn": frames, "raw-cnn": [history(6)]}), without=["logmel-svm"])
    losses, accuracies, alone, empty = figure.axes
    shown = [(line.get_color(), np.asarray(line.get_ydata(), float)) for line in losses.lines]
    assert [colour for colour, _ in shown] == [BLUE] * 3 + [ORANGE] * 3
    for (_, values), frame in zip(shown, frames, strict=False):
        assert values == pytest.approx(frame["train_loss"])
    assert shown[2][1] == pytest.approx((frames[0]["train_loss"] + frames[1]["train_loss"]) / 2)
    widths = [line.get_linewidth() for line in losses.lines]
    assert widths[2] > 2 * widths[0] == 2 * widths[1]
    assert accuracies.lines[-1].get_ydata() == pytest.approx([100 / 6, 200 / 6, 50])
    assert len(alone.lines) == 1 and alone.lines[0].get_linewidth() == widths[2], "one run is no thin line"
    assert [text.get_text() for text in empty.texts] == ["no validation\naccuracy noted"]
    assert "Without a history: logmel-svm." in texts(figure)


def test_few_parts_have_panels_of_their_own_and_many_share_theirs() -> None:
    few = pd.concat([history(4, part=f"device-{i}") for i in range(3)])
    many = pd.concat([history(4, part=f"member-{i}") for i in range(7)])
    figure = draw_curves(curves({"caa-net": [few], "cnn-ensemble": [many]}))
    names = [cell._suptitle.get_text() for cell in figure.subfigs if cell._suptitle is not None]
    assert names == [*(f"caa-net: device-{i}" for i in range(3)), "cnn-ensemble: 7 trainings a run"]
    assert [len(ax.lines) for ax in figure.axes] == [1, 1, 1, 8]


def test_foreign_names_fit_into_a_column_and_open_no_formula() -> None:
    long = "hierarchical-cnn[labels=fine,attention=no,x=$a_{b]"
    frames = {long: [history(300, validated=2, steps=100)] * 2, HOSTILE: [history(2)]}
    figure = draw_curves(curves(frames), without=[long, HOSTILE], title="on synthetic clips", style=COLUMN)
    figure.set_dpi(COLUMN.dpi)
    figure.draw_without_rendering()
    assert figure.get_figwidth() == 3.5
    assert outside(figure) == [] and overlapping(figure) == []


def test_systems_come_in_the_order_of_the_table() -> None:
    whole: Evaluation = made(4)
    assert list(whole.curves) == [outcome.system for outcome in whole.outcomes][:3]
