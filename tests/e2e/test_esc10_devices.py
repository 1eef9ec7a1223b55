"""A protocol on computed recordings, as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from asc_bench.names import slug
from tests.conftest import Cli
from tests.real_data import real_esc10
from tests.reliability.test_resume import start


@pytest.mark.slow
def test_it_runs_and_says_that_devices_and_sounds_are_made_up(cli: Cli, tmp_path: Path) -> None:
    systems = "logmel-svm,logmel-svm-one-device"
    done = cli(
        *("run", "-p", "esc10-devices", "--synthetic", "--synthetic-size", "tiny", "-b", "smoke"),
        *("-s", systems),
    )
    assert done.returncode == 0, done.stderr
    title = done.stdout.splitlines()[0]
    assert title.startswith("ESC-10 through three simulated devices")
    assert "synthetic (tiny)" in title
    frame = pd.read_csv(tmp_path / f"results/tables/esc10-devices-synthetic-tiny/smoke/{slug(systems)}/results.csv")
    of_a = frame[frame["measure"] == "A"]
    assert set(of_a["n"]) == {100}
    assert set(frame.loc[frame["measure"] == "average", "n_locations"]) == set(of_a["n_locations"])


def test_list_and_info_say_what_it_is(cli: Cli, tmp_path: Path) -> None:
    listed = cli("list", "datasets", "--data", str(tmp_path)).stdout
    assert "computed from esc-10 or esc-50: not found" in " ".join(listed.split())
    told = " ".join(cli("info", "esc-10-devices").stdout.split())
    assert "holds: real recordings through simulated devices" in told
    assert "computed into the cache on first use, from esc-10 or esc-50" in told
    assert "the devices are simulated" in " ".join(cli("info", "esc10-devices").stdout.split())


def test_absent_recordings_exit_3(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", "-p", "esc10-devices", "--data", str(tmp_path))
    assert done.returncode == 3
    assert "ESC-10 or ESC-50 was not found." in done.stderr
    assert str(tmp_path) in done.stderr


@pytest.mark.slow
def test_killed_and_interrupted_it_ends_with_the_same_files_and_the_devices_matter(
    cli: Cli, environment: dict[str, str], tmp_path: Path
) -> None:
    data = str(real_esc10().resolve())
    environment |= {"ASC_BENCH_CACHE": str(tmp_path / "killed")}
    for signal_number in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT):
        process = start(["prepare", "esc10-devices", "--data", data], environment, tmp_path)
        n_before = n_files(tmp_path / "killed")
        while n_files(tmp_path / "killed") < n_before + 60:
            assert process.poll() is None, "it finished before it was killed"
            time.sleep(0.05)
        os.killpg(process.pid, signal_number)
        assert process.wait(timeout=30) in (-signal.SIGKILL, 130)
    digests = {}
    for name in ("killed", "whole"):
        done = cli("prepare", "esc10-devices", "--data", data, ASC_BENCH_CACHE=str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        digests[name] = done.stdout.split("content digest ")[1]
    assert digests["killed"] == digests["whole"]

    run = ("run", "-p", "esc10-devices", "-s", "logmel-svm-one-device", "--data", data)
    done = cli(*run, ASC_BENCH_CACHE=str(tmp_path / "whole"))
    assert done.returncode == 0, done.stderr
    frame = pd.read_csv(
        tmp_path / "results/tables/esc10-devices-esc-10-devices/quick/logmel-svm-one-device/results.csv"
    )
    score = frame.set_index("measure")["value"]
    assert frame.set_index("measure")["n"].to_dict() == {"average": 1200, "A": 400, "B": 400, "C": 400, "B/C": 800}
    assert score["A"] > 0.74
    assert score["B/C"] < score["A"] - 0.05
    (manifest,) = (tmp_path / "results/runs").glob("*/quick/*/fold1-*/manifest.json")
    assert json.loads(manifest.read_text())["expected"]["fold1"] == {"A": 80, "B": 80, "C": 80}


def n_files(cache: Path) -> int:
    return len(list(cache.glob("derived/*/.ESC-10-devices.partial/audio/*.wav")))
