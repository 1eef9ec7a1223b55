"""The benchmark of what the harness costs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.benchmarks.bench_overhead import AGAIN, ALONE, FIRST, LISTED, PAIR, Row, Size, measure, missed


def rows(**wall_s: float) -> list[Row]:
    titles = {"first": FIRST, "again": AGAIN, "alone": ALONE, "pair": PAIR, "listed": LISTED}
    return [Row(titles[name], 200, seconds, 1.0) for name, seconds in wall_s.items()]


def test_goals_that_were_missed_are_told() -> None:
    assert missed(rows(first=2.7, again=1.2, alone=12.0, pair=7.0, listed=2.0)) == []
    assert missed(rows(first=2.8, again=1.0, alone=7.0, pair=7.0)) == [
        "run, first: 2.80 s, not 2.7 s",
        "two jobs take 7.00 s, one takes 7.00 s",
    ]


@pytest.mark.slow
def test_a_program_that_fails_ends_the_measurement(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"false run .* ended with 1"):
        measure(Size(clips="tiny", n_repeats=1, n_stored=0), tmp_path, "false")


@pytest.mark.slow
def test_everything_is_measured_without_benchopt(tmp_path: Path) -> None:
    found = measure(Size(clips="tiny", n_repeats=2, n_stored=10), tmp_path, None)
    assert [(row.title, row.n_runs) for row in found] == [
        (FIRST, 10),
        (AGAIN, 10),
        (ALONE, 10),
        (PAIR, 10),
        ("report", 10),
        (LISTED, 10),
        ("asc-bench run, first, with report", 10),
        ("asc-bench run, all stored, with report", 10),
        ("asc-bench status", 10),
    ]
    assert all(row.wall_s > 0 and row.cpu_s > 0 for row in found)
    wall_s = {row.title: row.wall_s for row in found}
    assert wall_s[ALONE] >= 10 * 0.05
    assert wall_s[AGAIN] < wall_s[FIRST], os.getloadavg()
