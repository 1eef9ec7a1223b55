"""What is stored, what is left, and what may be left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from asc_bench.budget import Budget
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.variant import parse_variants
from asc_bench.runs.work import Work, survey
from tests.unit.made_runs import SETTINGS, made_bench, publish

SYSTEMS = "logmel-svm,sb-cnn,sample-cnn"


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    return ResultsStore(tmp_path)


def surveyed(store: ResultsStore, systems: str = SYSTEMS, **options: object) -> Work:
    bench = made_bench()
    specs = plan(bench, parse_variants(systems), budget=Budget.SMOKE)
    return survey(specs, bench, store, SETTINGS, **options)  # type: ignore[arg-type]


def names(specs: tuple[RunSpec, ...] | list[RunSpec]) -> list[str]:
    return [spec.variant.name for spec in specs]


def test_what_is_missing_or_failed_is_left_to_do(store: ResultsStore) -> None:
    work = surveyed(store)
    assert names(work.todo) == ["logmel-svm", "sb-cnn", "sample-cnn"]
    publish(store, work.bench, work.specs[0])
    publish(store, work.bench, work.specs[1], error="no")
    work = surveyed(store)
    assert names(work.todo) == names(work.unfinished) == ["sb-cnn", "sample-cnn"]
    assert [run.manifest["status"] for run in work.runs] == ["done", "failed"]
    assert {name: [r and r.done for r in runs] for name, runs in work.by_variant().items()} == {
        "logmel-svm": [True],
        "sb-cnn": [False],
        "sample-cnn": [None],
    }
    assert names(surveyed(store, only="failed").todo) == ["sb-cnn"]
    assert names(surveyed(store, only="missing").todo) == ["sample-cnn"]
    assert names(surveyed(store, force=True).todo) == ["logmel-svm", "sb-cnn", "sample-cnn"]


def test_runs_that_are_not_wanted_are_shown_but_never_computed(store: ResultsStore) -> None:
    work = surveyed(store)
    publish(store, work.bench, work.specs[0])

    def wanted(spec: RunSpec) -> bool:
        return spec.variant.name == "sb-cnn"

    work = surveyed(store, wanted=wanted)
    assert names(work.wanted) == names(work.todo) == names(work.unfinished) == ["sb-cnn"]
    assert len(work.runs) == 1
    # Computing again what is wanted does not hide what else is stored.
    assert len(surveyed(store, wanted=wanted, force=True).runs) == 1


def test_a_system_that_refuses_the_task_is_neither_computed_nor_unfinished(store: ResultsStore) -> None:
    bench = made_bench()
    specs = plan(bench, parse_variants("logmel-svm"), budget=Budget.SMOKE)
    refusing = [replace(spec, refusal="no devices here") for spec in specs]
    work = survey(refusing, bench, store, SETTINGS)
    assert work.todo == ()
    assert work.unfinished == []
    assert [run.manifest["status"] for run in work.runs] == ["skipped"]
