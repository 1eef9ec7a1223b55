"""A dask scheduler and its workers as processes of their own, each in another folder: what a cluster is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.reliability.helpers import PLUGINS, digests, fits, run_arguments

pytest.importorskip("distributed")


class DaskProcesses:
    """Starts a scheduler and workers, and stops them.

    Parameters
    ----------
    folder : Path
        Each process has a folder in it.
    environment : mapping
        Of all of them.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder, self.environment = folder, dict(environment)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        file = folder / "scheduler.json"
        address = ("--port", "0", "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file))
        self._start("scheduler", "scheduler", *address)
        deadline = time.monotonic() + 120
        while not file.exists():
            assert time.monotonic() < deadline, (folder / "scheduler" / "log").read_text()
            time.sleep(0.1)
        self.address = str(json.loads(file.read_text())["address"])

    def worker(self, name: str, **environment: str) -> None:
        """Start a worker with a nanny, which starts it again when it is killed."""
        place = str(self.folder / name)
        options = ("--nthreads", "1", "--name", name, "--local-directory", place, "--no-dashboard")
        self._start(name, "worker", self.address, *options, **environment)

    def stop(self, name: str) -> None:
        """Kill a process and its children."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_all(self) -> None:
        """Kill all processes."""
        for name in list(self.processes):
            self.stop(name)

    def _start(self, name: str, *arguments: str, **environment: str) -> None:
        place = self.folder / name
        place.mkdir(parents=True)
        with (place / "log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=place,
                env={**self.environment, "TOY_LOG": str(place / "toy.log"), **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[DaskProcesses]:
    """One scheduler for all tests but the one that kills it."""
    environment = {**os.environ, "ASC_BENCH_CACHE": str(cache), "ASC_BENCH_PLUGINS": str(PLUGINS)}
    processes = DaskProcesses(tmp_path_factory.mktemp("dask"), environment)
    yield processes
    processes.stop_all()


@pytest.fixture
def dask(scheduler: DaskProcesses) -> Iterator[DaskProcesses]:
    """The scheduler, whose workers end with the test."""
    yield scheduler
    for name in [name for name in scheduler.processes if name != "scheduler"]:
        scheduler.stop(name)
        shutil.rmtree(scheduler.folder / name)


def test_runs_go_to_the_workers_alone_and_give_the_same_digests(
    cli: Cli, tmp_path: Path, dask: DaskProcesses
) -> None:
    dask.worker("one")
    serial = cli(
        *run_arguments(Path("serial"), "toy-a,toy-b", "--threads", "1"), TOY_LOG=str(tmp_path / "serial.log")
    )
    assert serial.returncode == 0
    # One job, one run and one worker of one thread: none of them is a reason to compute here.
    one = cli(*run_arguments(Path("results"), "toy-a", "--threads", "1", "--scheduler", dask.address))
    assert one.returncode == 0, one.stderr
    assert "1 dask worker on 1 machine: " in one.stderr
    assert fits(tmp_path / "toy.log") == {}
    assert fits(dask.folder / "one" / "toy.log") == {"toy-a": 1}
    dask.worker("two")
    two = cli(*run_arguments(Path("results"), "toy-a,toy-b", "--threads", "1", "--scheduler", dask.address))
    assert two.returncode == 0, two.stderr
    assert digests(tmp_path / "serial") == digests(tmp_path / "results")
    # The folder of results was relative, and the workers lie in other ones.
    assert {path.name for path in (dask.folder / "one").iterdir()} <= {"log", "toy.log", "dask-scratch-space"}
    manifests = [json.loads(path.read_text()) for path in (tmp_path / "results" / "runs").rglob("manifest.json")]
    assert {manifest["host"]["name"] for manifest in manifests} == {os.uname().nodename}
    assert not list((tmp_path / "results" / "locks").glob("planner-*"))


@pytest.mark.slow
def test_a_worker_that_would_compute_something_else_is_refused_first(
    cli: Cli, tmp_path: Path, dask: DaskProcesses
) -> None:
    other = tmp_path / "other"
    shutil.copytree(PLUGINS, other, ignore=shutil.ignore_patterns("__pycache__"))
    toys = other / "toys.py"
    toys.write_text(toys.read_text().replace("scores = -((", "scores = -2 * (("))
    dask.worker("edited", ASC_BENCH_PLUGINS=str(other))
    edited = cli(*run_arguments(tmp_path / "results", "toy-a", "--scheduler", dask.address))
    assert edited.returncode == 2
    assert "1 of 1 workers cannot compute these runs" in edited.stderr
    assert "what differs: numerics: ToyA: code: toys.py" in edited.stderr.replace("\n", " ")
    dask.stop("edited")
    dask.worker("bare", ASC_BENCH_PLUGINS="")
    bare = cli(*run_arguments(tmp_path / "results", "toy-a", "--scheduler", dask.address))
    assert bare.returncode == 2
    assert "there is no system 'toy-a'" in bare.stderr
    assert digests(tmp_path / "results") == {}


@pytest.mark.slow
def test_a_worker_that_joins_late_and_differs_is_left_out(
    environment: dict[str, str], tmp_path: Path, dask: DaskProcesses
) -> None:
    dask.worker("good")
    arguments = run_arguments(tmp_path / "results", "toy-a[pause_s=3],toy-b[pause_s=3]", "--repeats", "3")
    with subprocess.Popen(
        [sys.executable, "-m", "asc_bench.cli.main", *arguments, "--scheduler", dask.address],
        cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 120
        while not fits(dask.folder / "good" / "toy.log"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        dask.worker("bare", ASC_BENCH_PLUGINS="")
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.wait() == 0, told
    assert "has joined and is left out: there is no system 'toy-" in " ".join(told.split()), told
    assert sum(fits(dask.folder / "good" / "toy.log").values()) == len(digests(tmp_path / "results")) == 6


@pytest.mark.slow
def test_a_run_whose_worker_is_killed_is_begun_once_more_and_then_failed(
    cli: Cli, tmp_path: Path, dask: DaskProcesses
) -> None:
    kills = tmp_path / "kills"
    for name in ("one", "two"):
        dask.worker(name, TOY_KILLS=str(kills))
    kills.write_text("once\n")
    arguments = ("toy-a,toy-killed,toy-b", "--scheduler", dask.address)
    once = cli(*run_arguments(tmp_path / "once", *arguments), TOY_KILLS=str(kills))
    assert once.returncode == 0, once.stderr
    assert "again   toy-killed fold1" in once.stderr
    assert len(digests(tmp_path / "once")) == 3
    kills.write_text("once\ntwice\nthrice\n")
    twice = cli(*run_arguments(tmp_path / "twice", *arguments), TOY_KILLS=str(kills))
    assert twice.returncode == 1
    assert "FAILED  toy-killed fold1: WorkerKilled: its process was killed 2 times" in twice.stderr
    assert len(digests(tmp_path / "twice")) == 2


@pytest.mark.parametrize(
    ("lines", "done"), [pytest.param("once\n", 3, marks=pytest.mark.slow), ("once\ntwice\nthrice\n", 2)]
)
def test_a_killed_process_of_this_machine_costs_its_run_alone(
    cli: Cli, tmp_path: Path, lines: str, done: int
) -> None:
    kills = tmp_path / "kills"
    kills.write_text(lines)
    ran = cli(*run_arguments(tmp_path / "results", "toy-a,toy-killed,toy-b", "--jobs", "2"), TOY_KILLS=str(kills))
    assert ran.returncode == (0 if done == 3 else 1), ran.stderr
    assert "again   toy-killed fold1: its process on " in ran.stderr
    assert ("WorkerKilled: its process was killed 2 times" in ran.stderr) == (done == 2)
    assert len(digests(tmp_path / "results")) == done
    assert fits(tmp_path / "toy.log") == {"toy-a": 1, "toy-b": 1, "toy-killed": 2}


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_told_and_the_rest_is_computed_later(
    environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dask = DaskProcesses(tmp_path / "dask", environment)
    request.addfinalizer(dask.stop_all)
    dask.worker("one")
    arguments = run_arguments(tmp_path / "results", "toy-a,toy-b[pause_s=60]")
    with subprocess.Popen(
        [sys.executable, "-m", "asc_bench.cli.main", *arguments, "--scheduler", dask.address],
        cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 120
        while len(fits(dask.folder / "one" / "toy.log")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        dask.stop("scheduler")
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.wait() == 2
    assert "what is stored is kept, and the same command computes the rest" in told
    assert "Traceback" not in told
    assert len(digests(tmp_path / "results")) == 1


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ("tcp://127.0.0.1:9", "no dask scheduler answers at 'tcp://127.0.0.1:9' within 1 s"),
        ("nonsense://x", "no dask scheduler answers at 'nonsense://x'"),
    ],
)
def test_a_scheduler_that_is_not_there_is_told(cli: Cli, tmp_path: Path, scheduler: str, message: str) -> None:
    hurry = "from asc_bench.runs import cluster\ncluster.CONNECT_S = 1.0\n"
    (tmp_path / "sitecustomize.py").write_text(hurry, encoding="utf-8")
    ran = cli(*run_arguments(tmp_path / "results", "toy-a", "--scheduler", scheduler), PYTHONPATH=str(tmp_path))
    assert ran.returncode == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
