"""``reproduce`` and ``figure`` as a user types them, and the choice of what is selected on which clips.

The commands run inside this process: dozens of them would otherwise import the same libraries again and again.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from asc_bench import registry
from asc_bench.cli.main import main
from asc_bench.papers import registry as papers
from tests.reliability.helpers import fits, run_arguments

Cli = Callable[..., subprocess.CompletedProcess[str]]
REGISTRIES = (registry.systems, registry.protocols, papers.reproductions, papers.figures)
SMALL = ("--synthetic", "--synthetic-size", "tiny", "--budget", "smoke")


@pytest.fixture
def cli(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Cli]:
    """Run ``asc-bench`` in an empty folder, with the toys plugged in."""

    def forget() -> None:
        for found in REGISTRIES:
            found.cache_clear()

    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        for name, value in {**environment, **extra}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["asc-bench", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(leaving.value.code or 0), out, err)

    monkeypatch.chdir(tmp_path)
    forget()
    yield run
    forget()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reproduce", "caa-net/tabel2"], "no reproduction 'caa-net/tabel2'; did you mean 'caa-net/table2'"),
        (["reproduce", "caa-net"], "no reproduction 'caa-net'"),
        (
            ["reproduce", "caa-net/table1", "--topolgy", "atrous"],
            "no option '--topolgy'; did you mean '--topology'",
        ),
        (["reproduce", "caa-net/table1", "--buget", "smoke"], "no option '--buget'; did you mean '--budget'"),
        (["reproduce", "caa-net/table1", "--pooling=max,at"], "has no pooling 'at'; did you mean 'att'"),
        (["reproduce", "caa-net/table1", "--pooling"], "--pooling needs a value: flatten, max"),
        (["reproduce", "caa-net/table1", "--pooling", "max", "--pooling", "att"], "--pooling is given twice"),
        (["reproduce", "--topology", "atrous"], "no name is given; name one reproduction"),
        (["reproduce", "caa-net/table1", "caa-net/table2"], "2 names are given"),
        (["reproduce", "--pooling", "roi", "caa-net/table1", "--topology", "cnn-pool"], "has no cell with pooling"),
        (["reproduce", "caa-net/table1", "--as-published", "--hold-out"], "give one of them"),
        (["figure", "caa-net/fig"], "no figure 'caa-net/fig'; did you mean 'caa-net/fig"),
        (["figure", "caa-net/fig6", "--topology", "atrous"], "caa-net/fig6 has no option '--topology'"),
        (["run", "-p", "dcase2018", "--as-published", "--hold-out"], "give one of them"),
        (["report", "-p", "dcase2018", "--hold-out"], "on real data with selection held-out"),
        (["list", "reproduction"], "did you mean 'reproductions'"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_right(cli: Cli, arguments: list[str], message: str) -> None:
    done = cli(*arguments)
    assert done.returncode == 2, done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_what_there_is_is_listed_with_its_options(cli: Cli) -> None:
    tables = cli("reproduce").stdout
    for part in ("caa-net/table1", "caa-net/table2", "caa-net/table3", "toy/table1", "--condition-layer 1,2,3,4"):
        assert part in tables
    drawn = cli("figure").stdout
    assert "caa-net/fig5" in drawn
    listed = cli("list").stdout
    assert "toy/table1" in listed
    assert "toy/fig1" in listed


def test_a_table_is_made_piece_by_piece_and_nothing_twice(cli: Cli, tmp_path: Path) -> None:
    log = tmp_path / "toy.log"
    planned = cli("reproduce", "toy/table1", "--toy", "a,b", *SMALL, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    first, *rest = planned.stdout.splitlines()
    assert first.startswith("toy/table1, 4 of 6 cells: dcase2018 on tut-urban-2018-mobile (SYNTHETIC dataset): ")
    assert first.endswith("4 systems, 1 fold, 4 runs; 0 stored or skipped, 4 to compute")
    assert [line.split()[:2] for line in rest] == [["to", "do"]] * 4
    assert not log.exists()

    part = cli("reproduce", "toy/table1", "--toy", "a", *SMALL)
    assert part.returncode == 0, part.stderr
    assert fits(log) == {"toy-a": 2}
    more = cli("reproduce", "toy/table1", "--toy=a,b", *SMALL)
    assert more.returncode == 0, more.stderr
    assert fits(log) == {"toy-a": 2, "toy-b": 2}
    again = cli("reproduce", "toy/table1", "--toy", "a", *SMALL)
    assert again.stdout == part.stdout
    assert sum(fits(log).values()) == 4

    # The file holds what the screen of the last command did not show, and the numbers are those of the runs.
    (folder,) = (tmp_path / "results" / "reproductions" / "toy" / "table1").glob("*/smoke")
    table = pd.read_csv(folder / "table.csv", keep_default_na=False).set_index(["toy", "column"])
    assert list(table["status"]) == [""] * 4 + ["not run"] * 2
    assert "synthetic" in again.stdout
    for (toy, jitter), row in table[table["status"] == ""].iterrows():
        (run,) = (
            path.parent
            for path in (tmp_path / "results" / "runs").rglob("manifest.json")
            if f'"key": "{row["runs"]}"' in path.read_text()
        )
        frame = pd.read_parquet(run / "predictions.parquet").query("split == 'test' and level == 'fine'")
        by_device = [balanced_accuracy_score(g["label"], g["predicted"]) for _, g in frame.groupby("device")]
        assert float(row["value"]) == pytest.approx(sum(by_device) / 3), (toy, jitter)


def test_a_failed_run_is_a_marked_cell_and_exit_code_1(cli: Cli, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.touch()
    command = ("reproduce", "toy/table1", *SMALL, "--jitter", "0.01", "--quiet")
    done = cli(*command, TOY_CRASH=str(trap))
    assert done.returncode == 1, done.stderr
    assert "1 of 3 runs failed or are missing" in done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("crash ")]
    assert row.split() == ["crash", "fail"]
    assert "RuntimeError: the toy crashed, as it was told to." in " ".join(done.stdout.split())
    trap.unlink()
    mended = cli(*command, TOY_CRASH=str(trap))
    assert mended.returncode == 0, mended.stderr
    assert "fail" not in mended.stdout


def test_a_figure_is_drawn_from_the_runs_it_needs(cli: Cli, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.touch()
    planned = cli("figure", "toy/fig1", *SMALL, "--dry-run", TOY_CRASH=str(trap))
    assert len(planned.stdout.splitlines()) == 1 + 3
    part = cli("figure", "toy/fig1", "--toy", "a,b", *SMALL, TOY_CRASH=str(trap))
    assert part.returncode == 0, part.stderr
    png, svg = (Path(line) for line in part.stdout.split())
    assert (tmp_path / png).read_bytes()[:4] == b"\x89PNG"
    assert png.name.startswith("figure-a-b")
    whole = cli("figure", "toy/fig1", *SMALL, TOY_CRASH=str(trap))
    assert whole.returncode == 1
    assert whole.stdout.split()[0].endswith("figure.png")
    assert fits(tmp_path / "toy.log") == {"toy-a": 1, "toy-b": 1}
    nothing = cli("figure", "toy/fig1", "--toy", "crash", *SMALL, TOY_CRASH=str(trap))
    assert nothing.returncode == 1
    assert "no run is done, so nothing is drawn" in nothing.stderr
    assert svg.suffix == ".svg"


def test_runs_of_another_selection_are_kept_apart_and_found_again(cli: Cli, tmp_path: Path) -> None:
    results = tmp_path / "results"
    own = cli(*run_arguments(results, "toy-a,toy-b"))
    held = cli(*run_arguments(results, "toy-a,toy-b", "--hold-out"))
    assert own.returncode == held.returncode == 0, held.stderr
    assert fits(tmp_path / "toy.log") == {"toy-a": 2, "toy-b": 2}
    assert "held out" in held.stdout.splitlines()[0]
    assert "held out" not in own.stdout
    common = ("-p", "dcase2018", "-b", "smoke", "--synthetic")
    assert cli("report", *common, "--hold-out").stdout == held.stdout
    assert cli("report", *common).stdout == own.stdout
    compared = cli("compare", "toy-a", "toy-b", *common, "--hold-out")
    assert compared.returncode == 0, compared.stderr
    assert "held out" in compared.stdout
    status = cli("status", *common, "--synthetic-size", "tiny", "-s", "toy-a", "--as-published")
    assert status.stdout.splitlines()[-1].split() == ["toy-a", "0", "0", "1", "0"]
    status = cli("status", *common, "--synthetic-size", "tiny", "-s", "toy-a", "--hold-out")
    assert status.stdout.splitlines()[-1].split() == ["toy-a", "1", "0", "0", "0"]
    folders = {path.parents[3].name for path in (results / "runs").rglob("toy-a/*/manifest.json")}
    assert len(folders) == 2
    (manifest,) = (results / "runs").glob("*held-out*/smoke/toy-a/*/manifest.json")
    explained = cli("explain", str(manifest.parent))
    assert explained.returncode == 0, explained.stderr
    assert "selection held-out" in explained.stdout
    assert "nothing it depends on has changed" in explained.stdout
