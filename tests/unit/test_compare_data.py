"""``compare`` where a protocol was run on several data sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from asc_bench.cli.main import build_app
from asc_bench.errors import ConfigError
from asc_bench.runs.store import ResultsStore
from tests.unit.made_runs import made_bench, publish, specs_of

FLOOR, OTHER = "logmel-svm", "logmel-svm-one-device"


def compare(results: Path) -> Result:
    arguments = [
        "compare",
        FLOOR,
        OTHER,
        "-p",
        "dcase2018",
        "-b",
        "paper",
        "--synthetic",
        "--results",
        str(results),
    ]
    return CliRunner().invoke(build_app(), arguments)


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    """One system on the synthetic dataset ``tiny``."""
    store, bench = ResultsStore(tmp_path / "results"), made_bench(synthetic=True)
    (spec,) = specs_of(bench, FLOOR)
    publish(store, bench, spec)
    return store


def on_other_data(store: ResultsStore, *systems: str) -> None:
    bench = made_bench(synthetic=True)
    bench = replace(bench, dataset=replace(bench.dataset, root=Path("/nonexistent/small/set")))
    for name in systems:
        (spec,) = specs_of(bench, name)
        publish(store, bench, spec)


def test_data_on_which_only_one_of_them_was_run_are_passed_over(store: ResultsStore) -> None:
    on_other_data(store, FLOOR, OTHER)
    done = compare(store.root)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("pairwise tests") == 1
    assert "synthetic (small)" in " ".join(done.stdout.split())


def test_two_systems_that_never_met_are_refused_with_where_each_is(store: ResultsStore) -> None:
    on_other_data(store, OTHER)
    done = compare(store.root)
    assert isinstance(done.exception, ConfigError), done.output
    message = str(done.exception)
    assert f"{FLOOR} and {OTHER} are not stored on the same data" in message
    assert f"dcase2018-synthetic-tiny has {FLOOR}" in message
    assert f"dcase2018-synthetic-small has {OTHER}" in message
