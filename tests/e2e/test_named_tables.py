"""A table belongs to the systems that it was made of: later runs and other commands do not change it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from asc_bench.names import slug

ON_TINY = ("-p", "esc10", "--synthetic", "--synthetic-size", "tiny", "-b", "smoke", "--threads", "1")
REPORT = ("report", "-p", "esc10", "--synthetic", "-b", "smoke")


def digits(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".csv", ".md", ".tex")}


def test_report_makes_each_table_again_and_no_other(cli, tmp_path: Path) -> None:
    first = cli("run", *ON_TINY, "-s", "toy-a,toy-b")
    assert first.returncode == 0, first.stderr
    tables = tmp_path / "results/tables/esc10-synthetic-tiny/smoke"
    pair, named = tables / slug("toy-a,toy-b"), tables / "study"
    before = digits(pair)
    other = cli("run", *ON_TINY, "-s", "toy-a,toy-b,toy-c", "--table", "study", "--reference", "toy-b")
    assert other.returncode == 0, other.stderr
    assert digits(pair) == before
    for path in pair.iterdir():
        if path.name != "table.json":
            path.unlink()

    again = cli(*REPORT)
    assert again.returncode == 0, again.stderr
    assert digits(pair) == before
    assert again.stdout == first.stdout + other.stdout or again.stdout == other.stdout + first.stdout
    assert {p.name for p in tables.iterdir()} == {pair.name, "study"}
    assert set(pd.read_csv(named / "significance.csv")[["system_a", "system_b"]].to_numpy().ravel()) == {
        "toy-a", "toy-b", "toy-c",
    }  # fmt: skip
    assert json.loads((named / "table.json").read_bytes())["reference"] == "toy-b"

    part = cli(*REPORT, "--folds", "fold1,fold2")
    assert part.returncode == 0, part.stderr
    assert digits(pair) == before, "the committed table stays"
    some = pd.read_csv(pair / "fold1-fold2" / "results.csv")
    assert set(some["system"]) == {"toy-a", "toy-b"}

    alone = cli(*REPORT, "-s", "toy-c")
    assert alone.returncode == 0 and "toy-a" not in alone.stdout
    assert set(pd.read_csv(tables / "toy-c" / "results.csv")["system"]) == {"toy-c"}


def test_a_table_whose_runs_are_gone_says_so(cli, tmp_path: Path) -> None:
    import shutil

    assert cli("run", *ON_TINY, "-s", "toy-a,toy-b", "--folds", "fold1", "--table", "mine").returncode == 0
    shutil.rmtree(tmp_path / "results/runs/esc10-synthetic-tiny/smoke/toy-b")
    report = cli(*REPORT)
    assert report.returncode == 2
    assert "mine/fold1/table.json: no run of 'toy-b' is among these" in report.stderr
    (tmp_path / "results/tables/esc10-synthetic-tiny/smoke/mine/fold1/table.json").write_text("{}")
    report = cli(*REPORT)
    assert report.returncode == 1 and "table.json cannot be read: KeyError: 'systems'" in report.stderr
    shutil.rmtree(tmp_path / "results/tables")
    stored = cli(*REPORT)
    assert stored.returncode == 0
    assert (tmp_path / "results/tables/esc10-synthetic-tiny/smoke/stored/results.csv").exists()


def test_a_table_is_made_again_without_systems_that_did_not_fit(cli, tmp_path: Path) -> None:
    one_fold = (*ON_TINY, "--folds", "fold1")
    assert cli("run", *one_fold, "-s", "toy-a,logmel-svm-one-device", "--table", "mine").returncode == 0
    cli("run", *one_fold, "-s", "logmel-svm-one-device", "--table", "none")
    report = cli(*REPORT)
    assert report.returncode == 0, report.stderr
    made = pd.read_csv(tmp_path / "results/tables/esc10-synthetic-tiny/smoke/mine/fold1/results.csv")
    assert set(made["system"]) == {"toy-a"}
