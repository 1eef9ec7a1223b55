"""Which systems no other one beats in score and cost, and what is said of those whose cost is not known."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asc_bench.limits import Limits
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.pareto import costs_of, non_dominated, pareto_frame, pareto_table
from asc_bench.reporting.pareto_figure import _round_numbers
from asc_bench.reporting.report import text_files
from asc_bench.reporting.report_figures import pareto_figure
from asc_bench.scoring.measure import Measure
from tests.unit.reporting_frames import failed, manifest, scores

VALUES = {"svm": 0.5, "cnn": 0.7, "crnn": 0.7, "fusion": 0.8}
POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


def seconds(fit: float) -> dict[str, float]:
    return {"features": 0.0, "fit": fit, "predict": 0.0}


MANIFESTS = [
    manifest("svm", n_parameters=None, n_multiply_adds=None, durations_s=seconds(1.0)),
    manifest("cnn", n_parameters=1000, n_multiply_adds=10**6, durations_s=seconds(60.0)),
    manifest("crnn", n_parameters=1000, n_multiply_adds=2 * 10**6, durations_s=seconds(50.0)),
    manifest("fusion", n_parameters=5000, n_multiply_adds=None, made_elsewhere="a package"),
    failed("broken"),
]


def evaluation(measure: Measure | None = None, **changes: object) -> Evaluation:
    measure = measure or Measure("average")
    given_scores = scores({name: {measure.name: value} for name, value in VALUES.items()})
    arguments: dict[str, object] = {
        "scores": given_scores,
        "significance": pd.DataFrame(columns=["measure", "system_a", "system_b", "p_bootstrap_holm", "dof"]),
        "manifests": MANIFESTS,
        "measures": [measure],
    }
    return Evaluation(**(arguments | changes))  # type: ignore[arg-type]


@given(POINTS, st.booleans())
def test_the_front_is_that_of_all_pairs_compared(points: list[tuple[int, int]], higher: bool) -> None:
    def beats(a: tuple[int, int], b: tuple[int, int]) -> bool:
        better, as_good = (a[1] > b[1], a[1] >= b[1]) if higher else (a[1] < b[1], a[1] <= b[1])
        return a[0] <= b[0] and as_good and (a[0] < b[0] or better)

    costs, values = zip(*points, strict=True)
    expected = [not any(beats(other, point) for other in points) for point in points]
    assert non_dominated(costs, values, higher_is_better=higher) == expected


def test_numbers_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="a cost or a score is NaN"):
        non_dominated([1.0, math.nan], [0.5, 0.6])
    with pytest.raises(ValueError, match="shorter"):
        non_dominated([1.0, 2.0], [0.5])


def test_each_cost_has_its_own_front_and_what_is_not_known_is_named() -> None:
    made = evaluation()
    fronts = {cost.title: (set(cost.front), cost.unknown) for cost in made.costs}
    assert fronts == {
        "MACs": ({"cnn"}, ["fusion", "svm"]),
        "parameters": ({"cnn", "crnn", "fusion"}, ["svm"]),
        "train time (s)": ({"svm", "crnn"}, ["fusion"]),
    }
    table = pareto_table(made.outcomes, made.measures[0], made.costs, made.setting)
    assert [(row[0], row[-1]) for row in table.rows] == [
        ("fusion", "parameters"),
        ("cnn", "MACs, parameters"),
        ("crnn", "parameters, train time (s)"),
        ("svm", "train time (s)"),
    ]
    assert "MACs: fusion, svm; parameters: svm; train time (s): fusion." in " ".join(table.notes)
    assert "Without a score: broken." in table.notes
    frame = pareto_frame(made.outcomes, made.measures[0], made.costs).set_index(["system", "cost"])
    assert frame.loc[("svm", "MACs"), "non_dominated"] is None
    assert frame.loc[("cnn", "MACs"), "non_dominated"] is True
    assert frame.loc[("crnn", "MACs"), ["value", "amount"]].tolist() == [0.7, 2e6]


def test_of_a_loss_the_lowest_wins() -> None:
    loss = Measure("log loss", average="clips", statistic="log-loss")
    fronts = {cost.title: set(cost.front) for cost in evaluation(loss).costs}
    assert fronts == {"MACs": {"cnn"}, "parameters": {"cnn", "crnn"}, "train time (s)": {"svm"}}


def test_the_rule_of_the_challenge_counts_only_where_it_covers_all() -> None:
    counted = [{**run, "n_macs_dcase": 3 * 10**6, "n_stored": 800} for run in MANIFESTS[:3]]
    limits = Limits(n_bytes=10**6, n_macs=10**9)
    every = evaluation(manifests=[*counted, *MANIFESTS[3:]], limits=limits).costs
    assert [cost.title for cost in every] == ["MACs (DCASE)", "parameters", "train time (s)"], "fusion has no bytes"
    whole = [*counted, {**MANIFESTS[3], "n_stored": 10}, MANIFESTS[4]]
    first, size, _ = evaluation(manifests=whole, limits=limits).costs
    assert size.title == "bytes" and size.amounts == {"fusion": 40, "cnn": 3200, "crnn": 3200, "svm": 3200}
    assert size.front == {"fusion"} and first.texts["cnn"] == "3.00 M"
    some = evaluation(manifests=[counted[0], *MANIFESTS[1:]]).costs
    assert some[0].title == "MACs"


def test_without_any_cost_there_is_no_table() -> None:
    bare = [manifest(s, n_parameters=None, n_multiply_adds=None, made_elsewhere="a package") for s in VALUES]
    assert costs_of(evaluation(manifests=bare).outcomes, Measure("average"), None) == []
    assert not [name for name in text_files(evaluation(manifests=bare)) if name.startswith("pareto")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.9e6, 1.1e9, [1e6, 1e7, 1e8, 1e9]),
        (0.9, 1.1e7, [1, 100, 1e4, 1e6]),
        (2.0, 60.0, [3, 10, 30]),
        (0.8e3, 2.5e3, [1e3, 1.5e3, 2e3]),
        (240.0, 406.0, [300, 400]),
    ],
)
def test_ticks_are_few_and_round(low: float, high: float, expected: list[float]) -> None:
    assert _round_numbers(low, high) == pytest.approx(expected)


def test_of_many_systems_only_those_on_a_front_are_numbered() -> None:
    names = [f"cnn[width={i}]" for i in range(40)]
    # The best two cost least; the others are dominated, and of the last one nothing is known.
    runs = [
        manifest(s, n_parameters=max(i, 1) * 10, n_multiply_adds=None, durations_s=seconds(max(i, 1)))
        for i, s in enumerate(names[:-1])
    ] + [manifest(names[-1], n_parameters=None, n_multiply_adds=None, made_elsewhere="a package")]
    frame = scores({s: {"average": 0.9 - 0.01 * max(i, 1)} for i, s in enumerate(names)})
    texts = [t.get_text() for t in pareto_figure(evaluation(scores=frame, manifests=runs)).texts]
    assert [text for text in texts if text in names] == names[:2], "equal in both"
    assert "38 further systems have no number; all stand in pareto.md" in texts
    assert "parameters not known: 1 without a number" in texts
