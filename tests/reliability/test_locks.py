"""File systems without locks: NFS without lockd, some Lustre and FUSE mounts."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import Timeout

from asc_bench.errors import StoreError
from asc_bench.files import locked
from tests.conftest import Cli
from tests.reliability.helpers import NO_LOCKS, fits, run_arguments

REFUSALS = ["ENOLCK", "EOPNOTSUPP", "ENOTSUP", "ENOSYS"]


@pytest.mark.filterwarnings("ignore:flock not supported")
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_told_with_the_folder_and_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    number = getattr(errno, name)

    def refuse(_: int, __: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError) as caught, locked(tmp_path / "locks" / "x.lock"):
        pytest.fail("nothing is locked")
    told = str(caught.value)
    assert told.startswith(f"{tmp_path}/locks: this file system refuses locks ({os.strerror(number)})")
    assert told.endswith("choose a folder on another one, such as a local disk")
    assert caught.value.is_below(tmp_path)


def test_a_lock_is_exclusive_and_ends_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.lock"
    holder = "import sys, time\nfrom pathlib import Path\nfrom asc_bench.files import locked\n"
    holder += "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    process = subprocess.Popen([sys.executable, "-c", holder, str(path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(Timeout), locked(path, wait=False):
            pytest.fail("two hold it")
    finally:
        process.kill()
        process.wait()
    with locked(path, wait=False):
        pass
    with locked(path):
        pass


def test_another_error_of_the_folder_is_not_called_a_missing_lock(tmp_path: Path) -> None:
    (tmp_path / "x.lock").mkdir()
    with (
        pytest.raises(StoreError, match=r"x\.lock cannot be written \(Is a directory\)"),
        locked(tmp_path / "x.lock"),
    ):
        pytest.fail("nothing is locked")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="tells the folder of a descriptor by /proc")
@pytest.mark.usefixtures("bench")  # it writes the synthetic dataset
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_results_without_locks_are_refused_before_anything_is_computed(
    cli: Cli, tmp_path: Path, cache: Path, jobs: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_LOCKS, encoding="utf-8")
    results, own = tmp_path / "results", tmp_path / "cache"
    own.mkdir()
    (own / "synthetic").symlink_to(cache / "synthetic")
    extra = {"PYTHONPATH": str(tmp_path), "NO_LOCKS_BELOW": str(results)}
    done = cli(*run_arguments(results, "toy-a,toy-b", "--jobs", jobs, "--cache", str(own)), **extra)
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert told.startswith(f"asc-bench: {results}/locks: this file system refuses locks (No locks available)")
    assert "Traceback" not in done.stderr
    assert not (own / "features").exists()
    assert not fits(tmp_path / "toy.log")
