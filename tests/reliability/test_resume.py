"""Killed at any moment, the same command gives the same results and repeats no finished run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.forked_command import start
from tests.reliability.helpers import digests, fits, run_arguments

SYSTEMS = "toy-a[pause_s=0.8],toy-b[pause_s=0.8]"
REPEATS = ("--repeats", "3")


@pytest.mark.parametrize("n_kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_ends_with_the_same_digests(
    cli: Cli, environment: dict[str, str], tmp_path: Path, n_kills: int
) -> None:
    undisturbed = tmp_path / "undisturbed"
    assert cli(*run_arguments(undisturbed, SYSTEMS, *REPEATS)).returncode == 0
    expected = digests(undisturbed)
    assert len(expected) == 6
    log = tmp_path / "toy.log"
    log.unlink()

    rng, n_killed, n_finished, n_halfway = random.Random(7), 0, 0, 0
    while n_killed < n_kills:
        results = tmp_path / f"killed-{n_finished}"
        arguments = run_arguments(results, SYSTEMS, *REPEATS)
        before, n_before = digests(results), sum(fits(log).values())
        process = start(arguments, environment, tmp_path, rendered=False)
        # Counted in runs and not in seconds since the start, so that a busy machine is no other test.
        n_begun = rng.randint(2, 4)
        while process.poll() is None and sum(fits(log).values()) < n_before + n_begun:
            time.sleep(0.02)
        try:
            assert process.wait(timeout=rng.uniform(0.0, 0.9)) == 0
            n_finished += 1
            assert digests(results) == expected
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)
            n_killed += 1
        stored = digests(results)
        assert stored.items() <= expected.items(), "a half-written or different result was published"
        assert before.keys() <= stored.keys(), "a finished run was lost"
        n_halfway += 0 < len(stored) < len(expected)
    assert n_halfway >= 1, "no kill came between two runs, so nothing was tested"

    assert cli(*arguments).returncode == 0
    assert digests(results) == expected
    n_fits = sum(fits(log).values())
    assert n_fits <= 6 * (n_finished + 1) + n_killed, "more than one run was repeated for a kill"
    assert not list((results / "scratch").iterdir())


def test_a_second_identical_command_fits_nothing_and_is_fast(cli: Cli, tmp_path: Path) -> None:
    arguments = run_arguments(tmp_path / "results", "toy-a,toy-b")
    first = cli(*arguments)
    assert first.returncode == 0, first.stderr
    started = time.perf_counter()
    second = cli(*arguments)
    seconds = time.perf_counter() - started
    assert second.returncode == 0
    assert second.stdout == first.stdout
    assert sum(fits(tmp_path / "toy.log").values()) == 2
    assert seconds < 3.0 * (2 if os.environ.get("PYTEST_XDIST_WORKER") else 1)


def test_interrupted_it_exits_130_with_a_hint_and_goes_on(
    cli: Cli, environment: dict[str, str], tmp_path: Path
) -> None:
    arguments = run_arguments(tmp_path / "results", "toy-a,toy-b[pause_s=30]")
    process = start(arguments, environment, tmp_path, rendered=False)
    deadline = time.monotonic() + 120
    while (
        not list((tmp_path / "results").glob("scratch/*/progress.txt")) or not fits(tmp_path / "toy.log")["toy-b"]
    ):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate(timeout=0)[1]
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on where this one stopped" in errors
    assert "Traceback" not in errors
    status = cli(*("status", *arguments[1:]))
    assert status.returncode == 0, status.stderr
    rows = {line.split()[0]: line.split()[1:4] for line in status.stdout.splitlines() if line.startswith("toy")}
    assert rows == {"toy-a": ["1", "0", "0"], "toy-b[pause_s=30.0]": ["0", "0", "1"]}
    assert "pausing" in status.stdout


@pytest.mark.parametrize("disjoint", [False, True])
def test_processes_side_by_side_fit_every_run_once(
    environment: dict[str, str], tmp_path: Path, cli: Cli, disjoint: bool
) -> None:
    results = tmp_path / "results"
    systems = ["toy-a", "toy-b", "toy-c"]
    slow = [f"{s}[pause_s=0.5]" for s in systems]
    selections = slow if disjoint else [",".join(slow)] * 3
    processes = [start(run_arguments(results, s), environment, tmp_path, rendered=False) for s in selections]
    assert [p.wait(timeout=200) for p in processes] == [0, 0, 0]
    assert fits(tmp_path / "toy.log") == dict.fromkeys(systems, 1)
    assert len(digests(results)) == 3
