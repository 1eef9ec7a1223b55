"""The figure of ranks joins just the systems that share a letter in the table."""

from __future__ import annotations

import io
from itertools import combinations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from asc_bench.errors import ConfigError
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.rank_figure import draw_ranks
from asc_bench.reporting.report import text_files
from asc_bench.reporting.report_figures import FigureChoice, figures_of, rank_figure
from asc_bench.scoring.measure import Measure
from tests.unit.figure_frames import made
from tests.unit.reporting_frames import manifest, scores, significance

NAMES = "abcde"
PAIRS = list(combinations(NAMES, 2))


def evaluated(different: set[tuple[str, str]]) -> Evaluation:
    values = {name: {"average": 0.9 - 0.1 * i} for i, name in enumerate(NAMES)}
    tests = [significance(*pair, p_bootstrap_holm=0.01 if pair in different else 0.5) for pair in PAIRS]
    return Evaluation(
        scores=scores(values),
        significance=pd.concat(tests, ignore_index=True),
        manifests=[manifest(name) for name in NAMES],
        measures=[Measure("average")],
    )


def joined(figure: Figure) -> dict[str, list[str]]:
    """Letter above each bar to the systems at its dots, the best first, as they are drawn."""
    left, right = figure.axes
    rows = dict(zip(map(float, left.get_yticks()), (t.get_text() for t in left.get_yticklabels()), strict=True))
    letters = {round(text.xy[0]): text.get_text() for text in right.texts}  # type: ignore[attr-defined]
    dots = [line for line in right.lines if line.get_marker() == "o"]
    return {
        letters[round(float(line.get_xdata()[0]))]: [rows[float(y)] for y in sorted(line.get_ydata(), reverse=True)]
        for line in dots
    }


@given(st.sets(st.sampled_from(PAIRS)))
@settings(max_examples=15, deadline=None)
def test_bars_are_the_letters_of_the_table(different: set[tuple[str, str]]) -> None:
    made_of = evaluated(different)
    table = pd.read_csv(io.StringIO(text_files(made_of)["results.csv"])).set_index("system")["letters"]
    drawn = joined(rank_figure(made_of))
    assert {system: "".join(c for c, group in drawn.items() if system in group) for system in NAMES} == dict(table)


def test_what_is_filled_does_not_differ_from_the_best() -> None:
    figure = rank_figure(evaluated({("a", "c"), ("a", "d"), ("a", "e")}))
    filled = [line.get_markerfacecolor() != "white" for line in figure.axes[0].lines]
    assert filled == [True, True, False, False, False]


def test_the_line_of_guessing_is_drawn_where_the_axis_comes_near_it() -> None:
    figure = draw_ranks(made(5).ranked(), made(5).equal_groups, measure=Measure("average"), chance=0.7)
    assert list(figure.axes[0].lines[-1].get_xdata()) == [70, 70]
    far = draw_ranks(made(5).ranked(), made(5).equal_groups, measure=Measure("average"), chance=0.1)
    assert len(far.axes[0].lines) == len(figure.axes[0].lines) - 1


def test_without_a_test_of_every_pair_there_is_no_figure() -> None:
    whole = evaluated(set())
    of_reference = Evaluation(
        scores=whole.scores,
        significance=whole.significance.iloc[:4],
        manifests=whole.manifests,
        measures=whole.measures,
    )
    assert "ranks" not in figures_of(of_reference, FigureChoice.of("all"))
    with pytest.raises(ConfigError, match="no group of systems"):
        rank_figure(of_reference)
    with pytest.raises(ConfigError, match="no score of 'z'"):
        draw_ranks(whole.ranked(), [frozenset("az")], measure=Measure("average"))
