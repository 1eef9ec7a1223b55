"""Runs as jobs: of submitit's local executor, and of a Slurm whose three commands are stood in for by scripts."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from asc_bench.errors import ConfigError, StoreError
from asc_bench.runs.slurm import Chunk, SlurmOptions, script
from asc_bench.runs.store import ResultsStore
from tests.conftest import Cli
from tests.reliability.helpers import digests, fits, run_arguments

pytest.importorskip("submitit")

OPTIONS = """
runs_per_job = 2
time = 240            # minutes
partition = "gpu"
gpus_per_node = 1
cpus_per_task = 1
mem = "32GB"
setup = ["export TOY_SETUP=yes"]
"""

# Jobs begin once there is a file `go`; states are what the file of that name says.
SBATCH = """#!/bin/bash
cp "$1" {folder}/script
n=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$1")
(while [ ! -e {folder}/go ]; do sleep 0.1; done
for i in $(seq 0 ${{n:-0}}); do
  export SLURM_JOB_ID=77
  if [ -n "$n" ]; then export SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_ID=$i SLURM_JOB_ID=$((100 + i)); fi
  export SLURM_JOB_NUM_NODES=1 SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_JOB_NODELIST=here
  bash "$1"
done; echo done > {folder}/done) > {folder}/log 2>&1 &
echo Submitted batch job 77
"""
SRUN = """#!/bin/bash
for argument in "$@"; do case $argument in --output|--error) skip=2;; --*) skip=1;; *) skip=0;; esac
  if [ "$previous" = 2 ]; then previous=0; shift; continue; fi
  previous=$skip; [ $skip = 0 ] && break; shift; done
exec "$@"
"""
SACCT = """#!/bin/bash
echo 'JobID|State|NodeList'
for i in 0 1 2; do echo "77_$i|$(cat {folder}/state)|here"; done
echo "77|$(cat {folder}/state)|here"
"""


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """An environment with commands of these names."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("sacct", SACCT)):
        path = folder / name
        path.write_text(text.format(folder=folder) if name != "srun" else text)
        path.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def options_file(tmp_path: Path, text: str = OPTIONS) -> Path:
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time = 'four hours'", "time is 'four hours', but must be an integer: minutes that a job may take"),
        ("partition = 'gpu'", "time is None, but must be an integer"),
        ("time = 5\npartitoin = 'gpu'", "there is no option 'partitoin'; did you mean 'partition'?"),
        ("time = 5\nruns_per_job = 0", "runs_per_job is 0, but must be an integer of at least 1"),
        ("time = 5\nexecutor = 'slrum'", "executor is 'slrum'; did you mean 'slurm'?"),
        ("time = ", "is no TOML: "),
    ],
)
def test_a_faulty_file_is_told_with_the_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SlurmOptions.read(options_file(tmp_path, text))
    assert message in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        SlurmOptions.read(tmp_path / "absent.toml")


def test_the_script_asks_for_what_the_file_says(tmp_path: Path) -> None:
    lines = script(SlurmOptions.read(options_file(tmp_path)), ResultsStore(tmp_path / "results")).splitlines()
    assert lines[0] == "#!/bin/bash"
    for line in (
        "job-name=asc-bench",
        "time=240",
        "partition=gpu",
        "gpus-per-node=1",
        "cpus-per-task=1",
        "mem=32GB",
    ):
        assert f"#SBATCH --{line}" in lines
    assert lines.index("export TOY_SETUP=yes") < next(i for i, line in enumerate(lines) if line.startswith("srun "))


def test_a_bench_that_was_exchanged_is_not_unpacked(tmp_path: Path) -> None:
    packed = tmp_path / "bench.pkl"
    packed.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "run").encode() + b"'\ntR.")
    with pytest.raises(StoreError, match=r"bench\.pkl was changed since the job was submitted"):
        Chunk(packed, "0" * 64, [])()
    assert not (tmp_path / "run").exists()


def test_without_slurm_the_script_is_shown_and_nothing_submitted(cli: Cli, tmp_path: Path) -> None:
    if shutil.which("srun"):
        pytest.skip("Slurm is here")
    arguments = run_arguments(tmp_path / "results", "toy-a,toy-b,toy-c", "--slurm", str(options_file(tmp_path)))
    shown = cli(*arguments, "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "#SBATCH --partition=gpu" in shown.stdout
    assert "3 runs would be submitted in 2 jobs" in shown.stderr
    assert not (tmp_path / "results").exists()
    refused = cli(*arguments)
    assert refused.returncode == 2
    assert "there is no Slurm here: `srun` is not found" in refused.stderr


def test_jobs_of_slurm_give_what_a_run_here_gives(cli: Cli, tmp_path: Path, slurm: dict[str, str]) -> None:
    systems = "toy-a,toy-b,toy-c,fusion[members=toy-a+toy-b]"
    here = cli(*run_arguments(tmp_path / "here", systems, "--threads", "1"))
    assert here.returncode == 0, here.stderr
    arguments = run_arguments(Path("results"), systems, "--threads", "1")
    state = tmp_path / "slurm" / "state"
    state.write_text("PENDING")
    log = str(tmp_path / "jobs.log")
    submitted = cli(*arguments, "--slurm", str(options_file(tmp_path)), **slurm, TOY_LOG=log)
    assert submitted.returncode == 0, submitted.stderr
    assert "3 runs submitted in 2 jobs: 77_0 to 77_1" in submitted.stdout
    again = cli(*arguments, "--slurm", str(options_file(tmp_path)), **slurm, TOY_LOG=log)
    assert "3 of them submitted before" in again.stderr
    assert again.stdout == ""
    let_jobs_run(tmp_path / "slurm")
    collected = cli(*arguments, "--collect", **slurm)
    assert collected.returncode == 0, collected.stderr
    assert "fusion" in collected.stdout
    assert digests(tmp_path / "here") == digests(tmp_path / "results")
    assert fits(Path(log)) == {"toy-a": 1, "toy-b": 1, "toy-c": 1}


@pytest.mark.slow
def test_a_job_that_ended_without_a_result_is_told_and_submitted_again(
    cli: Cli, tmp_path: Path, slurm: dict[str, str]
) -> None:
    kills, state = tmp_path / "kills", tmp_path / "slurm" / "state"
    kills.write_text("once\n")
    state.write_text("RUNNING")
    arguments = run_arguments(tmp_path / "results", "toy-killed,toy-a")
    submit = ("--slurm", str(options_file(tmp_path, "time = 5\n")))
    assert cli(*arguments, *submit, **slurm, TOY_KILLS=str(kills)).returncode == 0
    let_jobs_run(tmp_path / "slurm")
    under_way = cli(*arguments, "--collect", **slurm)
    assert under_way.returncode == 1
    assert "1 run under way: 1 running" in under_way.stderr
    assert "toy-a" in under_way.stdout
    state.write_text("OUT_OF_MEMORY")
    ended = cli(*arguments, "--collect", **slurm)
    assert ended.returncode == 1
    assert "no result  toy-killed fold1: job 77_0 is OUT_OF_MEMORY." in ended.stderr
    again = cli(*arguments, *submit, **slurm, TOY_KILLS=str(kills))
    assert "1 run submitted in 1 job: 77" in again.stdout
    let_jobs_run(tmp_path / "slurm")
    assert cli(*arguments, "--collect", **slurm).returncode == 0
    assert len(digests(tmp_path / "results")) == 2


@pytest.mark.slow
def test_jobs_of_this_machine(cli: Cli, tmp_path: Path) -> None:
    file = options_file(tmp_path, "executor = 'local'\ntime = 5\nruns_per_job = 2\n")
    arguments = run_arguments(tmp_path / "results", "toy-a,toy-b,toy-c")
    assert cli(*arguments, "--slurm", str(file)).returncode == 0
    for _ in range(600):
        collected = cli(*arguments, "--collect")
        if "under way" not in collected.stderr:
            break
    assert collected.returncode == 0, collected.stderr
    assert len(digests(tmp_path / "results")) == 3


def let_jobs_run(folder: Path) -> None:
    (folder / "go").touch()
    deadline = time.monotonic() + 180
    while not (folder / "done").exists():
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.2)
    (folder / "go").unlink()
    (folder / "done").unlink()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--slurm", "x.toml", "--collect"), "give one of them"),
        (("--slurm", "x.toml", "--jobs", "2"), "do not go with --slurm"),
        (("--slurm", "x.toml", "--scheduler", "tcp://127.0.0.1:9"), "do not go with --slurm"),
        (("--scheduler", ""), "--scheduler is empty: give the address of a dask scheduler"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    refused = cli(*run_arguments(tmp_path / "results", "toy-a", *options))
    assert refused.returncode == 2
    assert message in refused.stderr
    assert not (tmp_path / "results").exists()


def test_where_nothing_was_submitted_it_is_said(cli: Cli, tmp_path: Path) -> None:
    collected = cli(*run_arguments(tmp_path / "results", "toy-a", "--collect"))
    assert collected.returncode == 1
    assert "1 run never submitted (--slurm)" in collected.stderr
    assert "Nothing is stored yet: there is no table." in collected.stderr
