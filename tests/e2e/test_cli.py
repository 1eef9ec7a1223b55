"""The verbs as a user types them, right and wrong."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from asc_bench.cli.main import VERBS
from tests.conftest import Cli
from tests.reliability.helpers import run_arguments


def test_help_is_fast(cli: Cli) -> None:
    cli("--help")
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        done = cli("--help")
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0
    for verb in VERBS:
        assert f" {verb} " in done.stdout
    assert "130" in done.stdout
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "--protocol", "dcase2081"], 2, "no protocol 'dcase2081'; did you mean 'dcase20"),
        (["run", "-p", "dcase2018", "-s", "sb-cn", "--synthetic"], 2, "did you mean 'sb-cnn'"),
        (["run", "-p", "dcase2018", "-b", "papr", "--synthetic"], 2, "did you mean 'paper'"),
        (["run", "-p", "dcase2018", "--synthetic", "--synthetic-size", "smal"], 2, "did you mean 'small'"),
        (["run", "-p", "dcase2018", "--only", "faild"], 2, "did you mean 'failed'"),
        (["run"], 2, "--protocol"),
        (["rum"], 2, "rum"),
        (["info", "esc-01"], 2, "'esc-10'"),
        (["prepare", "esc-5"], 2, "did you mean 'esc-50'"),
        (["list", "system"], 2, "did you mean 'systems'"),
        (["new", "system", "../../x"], 2, "not a system name"),
        (["new", "system", "sb-cnn"], 2, "there is a system 'sb-cnn' already"),
        (["report", "-p", "dcase2018"], 2, "holds no run of dcase2018"),
        (["explain", "abc"], 2, "no stored run"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_right(
    cli: Cli, arguments: list[str], code: int, message: str
) -> None:
    done = cli(*arguments)
    assert done.returncode == code, done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_absent_data_exit_3_and_say_where_and_how(cli: Cli, tmp_path: Path) -> None:
    place = tmp_path / "nowhere"
    done = cli("run", "--protocol", "dcase2018", ASC_BENCH_DATA=str(place))
    assert done.returncode == 3
    for part in (
        "TUT-urban-acoustic-scenes-2018-mobile-development",
        str(place),
        "prepare tut-urban-2018-mobile --download",
        "ASC_BENCH_DATA",
        "--synthetic",
    ):
        assert part in done.stderr
    assert done.stdout == ""


def test_a_broken_file_stops_everything_before_training(cli: Cli, tmp_path: Path, cache: Path) -> None:
    import shutil

    name = "TUT-urban-acoustic-scenes-2018-mobile-development"
    assert cli("prepare", "tut-urban-2018-mobile", "--synthetic", "--synthetic-size", "tiny").returncode == 0
    (original,) = cache.glob(f"synthetic/tiny/{name}")
    shutil.copytree(original, tmp_path / "data" / name)
    broken = sorted((tmp_path / "data" / name / "audio").glob("*.wav"))[5]
    broken.write_text("<!doctype html><title>not found</title>")
    done = cli("run", "-p", "dcase2018", "-s", "toy-a", "--data", str(tmp_path / "data"))
    assert done.returncode == 3
    assert broken.name in done.stderr
    assert "web page" in done.stderr
    assert not (tmp_path / "toy.log").exists()


def test_download_leaves_a_complete_data_set_alone(cli: Cli, cache: Path) -> None:
    name = "tut-urban-2018-mobile"
    assert cli("prepare", name, "--synthetic", "--synthetic-size", "tiny").returncode == 0
    place = cache / "synthetic" / "tiny"
    done = cli("prepare", name, "--download", "--data", str(place), https_proxy="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert not list(place.glob(".asc-bench-archives.json"))


def test_the_printed_table_is_the_stored_predictions(rendering_cli: Cli, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = rendering_cli(*run_arguments(results, "toy-a,toy-b"))
    assert done.returncode == 0, done.stderr
    assert "synthetic" in done.stdout.splitlines()[0].lower()
    assert "published" not in done.stdout.splitlines()[2].lower()
    (folder,) = (results / "tables").glob("*/smoke/*")
    written = {path.name for path in folder.iterdir()}
    assert {"results.md", "results.csv", "results.tex", "report.html", "scores.png", "runs.csv"} <= written

    (run,) = (results / "runs").rglob("toy-a/*/predictions.parquet")
    frame = pd.read_parquet(run)
    frame = frame[(frame["split"] == "test") & (frame["level"] == "fine")]
    by_device = {d: balanced_accuracy_score(g["label"], g["predicted"]) for d, g in frame.groupby("device")}
    expected = sum(by_device.values()) / 3
    row = next(line for line in done.stdout.splitlines() if line.startswith("toy-a"))
    assert f"{100 * expected:.1f}" in row
    assert str(len(frame)) in row

    manifest = json.loads((run.parent / "manifest.json").read_text())
    assert manifest["synthetic"] is True
    assert manifest["n_clips"]["test"] == len(frame)
    assert {"features", "fit", "predict"} == set(manifest["durations_s"])


def test_report_compare_status_and_explain_read_what_run_stored(cli: Cli, tmp_path: Path) -> None:
    done = cli(*run_arguments(tmp_path / "results", "toy-a,toy-b"))
    assert done.returncode == 0, done.stderr
    reported = cli("report", "-p", "dcase2018", "-b", "smoke", "--synthetic")
    assert reported.stdout == done.stdout
    compared = cli("compare", "toy-a", "toy-b", "-p", "dcase2018", "-b", "smoke", "--synthetic")
    assert compared.returncode == 0, compared.stderr
    assert "McNemar" in compared.stdout
    wrong = cli("compare", "toy-a", "toy-d", "-p", "dcase2018", "-b", "smoke", "--synthetic")
    assert wrong.returncode == 2
    assert "no finished run of 'toy-d'" in wrong.stderr
    plan = cli(*run_arguments(tmp_path / "results", "toy-a", "--dry-run"))
    state, key, *_ = plan.stdout.split()
    assert state == "done"
    explained = cli("explain", key)
    assert explained.returncode == 0, explained.stderr
    assert "nothing it depends on has changed" in explained.stdout


def test_explain_names_the_part_that_changed(cli: Cli, tmp_path: Path) -> None:
    plugins = tmp_path / "plugged"
    plugins.mkdir()
    source = (Path(__file__).parents[1] / "plugins" / "toys.py").read_text()
    (plugins / "toys.py").write_text(source)
    assert cli(*run_arguments(tmp_path / "results", "toy-a"), ASC_BENCH_PLUGINS=str(plugins)).returncode == 0
    (manifest,) = (tmp_path / "results" / "runs").rglob("manifest.json")
    (plugins / "toys.py").write_text(source.replace(".mean(1)", ".max(1)"))
    explained = cli("explain", str(manifest.parent), ASC_BENCH_PLUGINS=str(plugins))
    assert explained.returncode == 0, explained.stderr
    changed = [line.split(maxsplit=1)[1] for line in explained.stdout.splitlines() if "changed" in line]
    assert changed == ["numerics: ToyA: code: toys.py"]


def test_list_info_and_env(cli: Cli) -> None:
    listed = cli("list", ASC_BENCH_DATA="/nonexistent")
    assert listed.returncode == 0
    for name in ("sb-cnn", "dcase2019", "esc-10", "not found"):
        assert name in listed.stdout
    assert "guess" in cli("info", "sb-cnn").stdout or "leave open" in cli("info", "sb-cnn").stdout
    assert "transportation" in cli("info", "dcase2018").stdout
    assert "Tampere" in cli("info", "tau-urban-2019-mobile").stdout
    env = cli("env")
    assert env.returncode == 0, env.stderr
    for word in ("torch", "python", "n_cores", "GPU", "cache"):
        assert word in env.stdout


def test_a_new_system_passes_the_check_without_another_file_touched(cli: Cli, tmp_path: Path) -> None:
    made = cli("new", "system", "my-cnn", "--into", str(tmp_path / "mine"))
    assert made.returncode == 0, made.stderr
    started = time.perf_counter()
    checked = cli("check", "my-cnn", ASC_BENCH_PLUGINS=str(tmp_path / "mine"))
    assert checked.returncode == 0, checked.stdout
    assert "FAIL" not in checked.stdout
    assert time.perf_counter() - started < 60


def test_check_finds_a_system_that_breaks_its_contract(cli: Cli) -> None:
    checked = cli("check", "toy-liar")
    assert checked.returncode == 1
    assert "FAIL" in checked.stdout
    assert "sum" in checked.stdout
