"""A crash is a row and is not remembered as a result; a full disk is told, not swallowed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.reliability.helpers import digests, fits, run_arguments


def test_a_crash_is_a_failed_row_the_others_go_on_and_a_retry_heals_it(cli: Cli, tmp_path: Path) -> None:
    crash = tmp_path / "crash"
    crash.touch()
    results = tmp_path / "results"
    arguments = run_arguments(results, "toy-a,toy-crash,toy-liar")
    first = cli(*arguments, TOY_CRASH=str(crash))
    assert first.returncode == 1
    assert "RuntimeError: the toy crashed" in first.stdout
    assert "2 of 3 runs failed" in first.stderr
    tracebacks = {p.parent.parent.name: p.read_text() for p in (results / "runs").rglob("traceback.txt")}
    assert set(tracebacks) == {"toy-crash", "toy-liar"}
    assert "RuntimeError: the toy crashed" in tracebacks["toy-crash"]
    assert "sum" in tracebacks["toy-liar"]
    assert len(digests(results)) == 1

    crash.unlink()
    only_missing = cli(*arguments, "--only", "missing", TOY_CRASH=str(crash))
    assert only_missing.returncode == 1
    assert fits(tmp_path / "toy.log")["toy-crash"] == 0
    healed = cli(*arguments, "--only", "failed", TOY_CRASH=str(crash))
    assert healed.returncode == 1, "toy-liar still fails"
    assert fits(tmp_path / "toy.log") == {"toy-a": 1, "toy-crash": 1, "toy-liar": 2}
    assert len(digests(results)) == 2


PLUGIN = """
import numpy as np
from asc_bench.api import StoreError

def unread(waveforms):
    raise StoreError("own.bin: no such file")

def leaves(waveforms):
    raise SystemExit("the extractor called sys.exit")

def lazy(waveforms):
    return waveforms[:, :2].astype("float32")

def helped(waveforms):
    import broken_helper
"""


@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_what_is_wrong_with_the_files_of_one_system_is_its_own_failed_row(
    cli: Cli, tmp_path: Path, jobs: str
) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"iteration": 1, "model": {"conv.weight": torch.zeros(3, 3)}}, tmp_path / "other.pth")
    (tmp_path / "page.pth").write_text("<html>404</html>")
    (tmp_path / "one_extractor.py").write_text(PLUGIN.partition("def helped")[0])
    (tmp_path / "with_helper.py").write_text(PLUGIN)
    (tmp_path / "broken_helper.py").write_text("def f(:\n")
    expected = {
        f"caa-net[weights={tmp_path}/other.pth]": "does not fit CaaNetwork",
        f"caa-net[weights={tmp_path}/page.pth]": "page.pth: not a checkpoint, it begins with",
        f"caa-net[weights={tmp_path}/absent.pth]": "absent.pth cannot be read: No such file or directory",
        f"caa-net[weights={tmp_path}]": f"{tmp_path} cannot be read: Is a directory",
        "embedding-svm[extractor=one_extractor:unread]": "own.bin: no such file",
        "embedding-svm[extractor=one_extractor:leaves]": "the extractor called sys.exit",
        # It would run: but what it imports is a part of its key, and has none.
        "embedding-svm[extractor=with_helper:lazy]": "SyntaxError: invalid syntax (broken_helper.py, line 1)",
    }
    results = tmp_path / "results"
    systems = ",".join(["toy-a", *expected, "toy-b"])
    done = cli(*run_arguments(results, systems, "--jobs", jobs), PYTHONPATH=str(tmp_path))
    assert done.returncode == 1, done.stderr
    assert f"{len(expected)} of {len(expected) + 2} runs failed" in done.stderr
    manifests = [json.loads(p.read_text()) for p in (results / "runs").rglob("manifest.json")]
    assert {m["system"] for m in manifests if m["status"] == "done"} == {"toy-a", "toy-b"}
    told = {m["variant"]: m["error"]["message"] for m in manifests if m["status"] == "failed"}
    assert told.keys() == expected.keys()
    for system, message in expected.items():
        assert message in told[system]
    assert list((results / "tables").rglob("results.md"))


@pytest.mark.parametrize("backend", ["loky", pytest.param("dask", marks=pytest.mark.slow)])
def test_side_by_side_gives_what_one_after_the_other_gives(cli: Cli, tmp_path: Path, backend: str) -> None:
    systems = "toy-a,toy-b,toy-crash"
    crash = tmp_path / "crash"
    crash.touch()
    serial = cli(*run_arguments(tmp_path / "serial", systems, "--threads", "1"), TOY_CRASH=str(crash))
    parallel = cli(
        *run_arguments(tmp_path / "parallel", systems, "--jobs", "2", "--backend", backend, "--threads", "1"),
        TOY_CRASH=str(crash),
    )
    assert serial.returncode == parallel.returncode == 1, parallel.stderr
    assert digests(tmp_path / "serial") == digests(tmp_path / "parallel")
    assert len(digests(tmp_path / "serial")) == 2


def test_adding_a_system_changes_no_other_number(cli: Cli, tmp_path: Path) -> None:
    assert cli(*run_arguments(tmp_path / "one", "toy-b")).returncode == 0
    assert cli(*run_arguments(tmp_path / "more", "toy-a,toy-b,toy-c")).returncode == 0
    assert digests(tmp_path / "one").items() <= digests(tmp_path / "more").items()


def test_damaged_predictions_are_computed_again(cli: Cli, tmp_path: Path) -> None:
    results = tmp_path / "results"
    arguments = run_arguments(results, "toy-a")
    assert cli(*arguments).returncode == 0
    before = digests(results)
    (path,) = (results / "runs").rglob("predictions.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    again = cli(*arguments)
    assert again.returncode == 0
    assert "put aside" in again.stderr
    assert digests(results) == before
    assert fits(tmp_path / "toy.log")["toy-a"] == 2


def test_a_full_disk_ends_with_a_message_and_leaves_nothing_half_written(cli: Cli, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        done = cli(*run_arguments(small / "results", "toy-a,toy-b,toy-c"))
        assert done.returncode == 1
        assert "No space left" in done.stderr or "make room for" in done.stderr
        assert str(small) in done.stderr
        assert "Traceback" not in done.stderr
        assert not list(small.rglob("*.tmp"))
        for manifest in small.rglob("manifest.json"):
            json.loads(manifest.read_text())
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_results_folder_that_cannot_be_written_is_named(cli: Cli, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "results").write_text("a file")
    else:
        (tmp_path / "results").mkdir(mode=0o500)
    done = cli(*run_arguments(tmp_path / "results", "toy-a"))
    assert done.returncode == 1
    assert str(tmp_path / "results") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_audio_file_gives_incomplete_and_no_score(cli: Cli, tmp_path: Path, cache: Path) -> None:
    name = "TUT-urban-acoustic-scenes-2018-mobile-development"
    assert cli(*run_arguments(tmp_path / "r", "toy-a")).returncode == 0
    (original,) = cache.glob(f"synthetic/tiny/{name}")
    data = tmp_path / "data" / "tiny"
    shutil.copytree(original, data / name)
    next((data / name / "audio").glob("*-b.wav")).unlink()
    done = cli("run", "--protocol", "dcase2018", "--systems", "toy-a", "--data", str(data), "--budget", "smoke")
    assert done.returncode == 1
    assert "incomplete" in done.stderr
    assert "1 audio files are missing" in done.stderr
    assert done.stdout == ""


def test_a_system_that_refuses_the_task_is_skipped_with_its_reason(cli: Cli, tmp_path: Path) -> None:
    system = "logmel-svm-one-device[train_device=Z]"
    done = cli(*run_arguments(tmp_path / "results", f"toy-a,{system}"))
    assert done.returncode == 0, done.stderr
    assert "skipped" in done.stdout
    assert "no training clips of device 'Z'" in " ".join(done.stdout.split())
    assert len(digests(tmp_path / "results")) == 1
    status = cli("status", *run_arguments(tmp_path / "results", f"toy-a,{system}")[1:])
    (row,) = (line for line in status.stdout.splitlines() if line.startswith("logmel"))
    assert row.split()[1:5] == ["0", "0", "0", "1"]
