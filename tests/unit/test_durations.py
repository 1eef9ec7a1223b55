"""How long runs will take: from stored ones, and on a simulated clock while they are computed."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from asc_bench.runs.durations import TimeLeft, expectation, shared_out, stored_durations
from asc_bench.runs.store import ResultsStore
from tests.unit.made_runs import made_bench, publish, specs_of


@dataclass(frozen=True)
class Run:
    """What `TimeLeft` looks at of a run."""

    key: str
    variant: str
    seconds: float


def study(seed: int) -> list[Run]:
    """Three systems of very different length in a row, five folds each, which differ by up to a quarter."""
    draw = random.Random(seed)
    lengths = {"svm": 2.0, "cnn": 300.0, "big": 4_000.0}
    return [Run(f"{n}{i}", n, s * draw.uniform(0.75, 1.25)) for n, s in lengths.items() for i in range(5)]


def simulate(runs: list[Run], known: dict[str, float], *, n_jobs: int, pace: float = 1.0) -> list[tuple]:
    """Compute the runs on a simulated clock; (moment, estimate, truth, share done) whenever one reports."""
    now = 0.0
    left = TimeLeft(runs, known, n_jobs, lambda: now)  # type: ignore[arg-type] # all that it looks at
    queue, events, seen = list(runs), [], []

    def begin(moment: float) -> None:
        if queue:
            run = queue.pop(0)
            for step in range(21):
                heapq.heappush(events, (moment + pace * run.seconds * step / 20, run.key, step, run))

    for _ in range(n_jobs):
        begin(0.0)
    while events:
        now, _, step, run = heapq.heappop(events)
        if step == 20:
            left.finished(run, pace * run.seconds)  # type: ignore[arg-type]
            begin(now)
        else:
            left.progress(run, step / 20)  # type: ignore[arg-type]
        seen.append((now, left.left()))
    return [(moment, estimate, now - moment) for moment, estimate in seen]


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
@pytest.mark.parametrize("seed", range(5))
def test_with_stored_durations_it_is_right_within_a_factor_of_two_from_the_start(n_jobs: int, seed: int) -> None:
    known = {"svm": 2.0, "cnn": 300.0, "big": 4_000.0}
    runs = study(seed)
    found = simulate(runs, {run.key: known[run.variant] for run in runs}, n_jobs=n_jobs)
    total = found[-1][0]
    for moment, estimate, truth in found:
        # The last percent may be off by as much as that is.
        assert truth / 2 - 0.01 * total <= estimate <= 2 * truth + 0.01 * total, (moment, estimate, truth)


@pytest.mark.parametrize("pace", [0.3, 4.0])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_on_a_slower_or_faster_machine_it_is_right_soon(pace: float, n_jobs: int) -> None:
    known = {"svm": 2.0, "cnn": 300.0, "big": 4_000.0}
    runs = study(0)
    found = simulate(runs, {run.key: known[run.variant] for run in runs}, n_jobs=n_jobs, pace=pace)
    total = found[-1][0]
    begun = sum(moment < 0.01 * total for moment, *_ in found)
    assert begun < len(found) / 2
    for moment, estimate, truth in found[begun:]:
        assert truth / 2 - 0.01 * total <= estimate <= 2 * truth + 0.01 * total, (moment, estimate, truth)


def test_without_stored_durations_it_is_unknown_until_every_system_has_been_seen_and_right_then() -> None:
    found = simulate(study(1), {}, n_jobs=1)
    total = found[-1][0]
    unknown = [moment for moment, estimate, _ in found if estimate is None]
    assert unknown[-1] <= 0.12 * total, "the long system begins then"
    for moment, estimate, truth in found[len(unknown) :]:
        assert truth / 2 - 0.01 * total <= estimate <= 2 * truth + 0.01 * total, (moment, estimate, truth)


def test_jobs_share_the_time_in_the_order_of_the_runs() -> None:
    assert shared_out([10, 20, 30], 1) == 60
    assert shared_out([10, 10, 10, 10], 2) == 20
    assert shared_out([100, 10, 10], 8) == 100
    assert shared_out([10, 10, 10, 10, 10], 4) == 20, "the fifth waits for one of the others"
    assert shared_out([], 4) == 0


def test_durations_are_those_of_stored_runs_of_the_same_system_budget_and_kind_of_device(tmp_path: Path) -> None:
    store, bench = ResultsStore(tmp_path), made_bench()
    (spec,) = specs_of(bench, "sb-cnn")
    (other,) = specs_of(bench, "logmel-svm")
    run = publish(store, bench, spec)
    took = sum(run.manifest["durations_s"].values())
    assert took > 0 and run.manifest["device"] == "cpu"
    assert stored_durations([spec, other], store, gpu=False) == {spec.key: pytest.approx(took)}
    assert stored_durations([spec, other], store, gpu=True) == {}


def test_the_sentence_says_for_how_many_runs_the_time_is_known() -> None:
    runs = study(0)[:4]
    known = {run.key: 1800.0 for run in runs[:3]}
    said = expectation(runs, known, 1)  # type: ignore[arg-type]
    assert said == "Time: about 1 h 30 min for 3 of 4 runs, by stored ones; unknown for 1 run."
    assert expectation(runs[:3], known, 3) == (  # type: ignore[arg-type]
        "Time: about 30 min, 3 side by side, as stored runs of the same systems took on this kind of device."
    )
    assert expectation(runs, {}, 1).startswith("Time: unknown")  # type: ignore[arg-type]
    assert expectation([], {}, 1) == "Time: nothing is left to compute."
