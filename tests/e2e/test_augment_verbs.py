"""``--augment`` on the verbs beside ``run``: a table, a figure, a clip explained, features made ahead.

The commands run inside this process, with the toys plugged in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from asc_bench import registry
from asc_bench.cli.main import build_app
from asc_bench.errors import AscBenchError
from asc_bench.papers import registry as papers
from tests.reliability.helpers import fits

Cli = Callable[..., Result]
REGISTRIES = (registry.systems, registry.protocols, papers.reproductions, papers.figures)
SMALL = ("--synthetic", "--synthetic-size", "tiny", "--budget", "smoke")


@pytest.fixture
def ab(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """``asc-bench`` in an empty folder."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    for found in REGISTRIES:
        found.cache_clear()
    yield lambda *arguments: CliRunner().invoke(build_app(), arguments)
    for found in REGISTRIES:
        found.cache_clear()


def refused(done: Result) -> AscBenchError:
    assert isinstance(done.exception, AscBenchError), done.output
    return done.exception


def test_a_table_with_copies_has_other_runs_and_another_folder_and_says_so(ab: Cli, tmp_path: Path) -> None:
    part = ("reproduce", "toy/table1", "--toy", "a", *SMALL)
    plain, augmented = ab(*part), ab(*part, "--augment", "2")
    assert plain.exit_code == augmented.exit_code == 0, augmented.output
    assert fits(tmp_path / "toy.log") == {"toy-a": 4}
    assert "augmentation" not in plain.stdout
    told = " ".join(augmented.stdout.split())
    assert "smoke budget, 1 seed, augmentation 2" in told
    assert "also trained on deformed copies of each training clip: 2 of the 20 deformations" in told
    tables = {}
    for path in (tmp_path / "results" / "reproductions" / "toy" / "table1").glob("*/smoke/table.csv"):
        tables[path.parents[1].name] = pd.read_csv(path, keep_default_na=False, dtype=str)
    own, copies = sorted(tables)
    assert copies == f"{own}-augment-2"
    assert set(tables[own]["augmentation"]) == {""}
    assert set(tables[copies]["augmentation"]) == {"2"}
    keys = {name: set(filter(None, " ".join(table["runs"]).split())) for name, table in tables.items()}
    assert len(keys[own]) == len(keys[copies]) == 2
    assert not keys[own] & keys[copies]
    again = ab(*part, "--augment", "2")
    assert again.stdout == augmented.stdout
    assert fits(tmp_path / "toy.log") == {"toy-a": 4}, "nothing is computed twice"
    report = ab("report", "-p", "dcase2018", "--synthetic", "-b", "smoke", "--augment", "2")
    assert report.exit_code == 0, report.output
    (table,) = (tmp_path / "results" / "tables").glob("*-augment-2/smoke/*/results.csv")
    assert set(pd.read_csv(table)["augmentation"].astype(str)) == {"2"}


def test_a_figure_with_copies_has_another_folder_and_says_so(ab: Cli, tmp_path: Path) -> None:
    done = ab("figure", "toy/fig1", "--toy", "a", *SMALL, "--augment", "drc-radio")
    assert done.exit_code == 0, done.output
    png, svg = (tmp_path / line for line in done.stdout.split())
    assert png.parents[1].name.endswith("-augment-drc-radio")
    assert "drc-radio" in svg.read_text()
    (manifest,) = (tmp_path / "results" / "runs").rglob("manifest.json")
    assert json.loads(manifest.read_text())["augmentation"] == "drc-radio"


def test_a_clip_is_explained_by_the_run_with_copies(ab: Cli, bench, tmp_path: Path) -> None:
    test_clip = bench.select(bench.folds[0].test)["path"].iloc[0]
    explain = ("explain-clip", test_clip, "-p", "dcase2018", "-s", "logmel-svm", *SMALL)
    made = ab(
        "run", "-p", "dcase2018", "-s", "logmel-svm", *SMALL, "--augment", "drc-radio", "--keep-weights", "-q"
    )
    assert made.exit_code == 0, made.output
    done = ab(*explain, "--augment", "drc-radio")
    assert done.stdout.startswith("logmel-svm fold1, dcase2018 on tut-urban-2018-mobile (synthetic)")
    assert "smoke budget, augmentation drc-radio" in done.stdout.splitlines()[0]
    assert "has no attention to show" in str(refused(done)), "after the probabilities"
    (path,) = (tmp_path / "results" / "runs").rglob("predictions.parquet")
    frame = pd.read_parquet(path).query("level == 'fine' and split == 'test'").set_index("clip_id")
    stored = max(frame.loc[bench.folds[0].test[0], "probabilities"])
    first_row = next(line for line in done.stdout.splitlines() if line.startswith("---")).strip()
    lines = done.stdout.splitlines()
    assert float(lines[lines.index(first_row) + 1].split()[1]) == pytest.approx(stored, abs=6e-4)
    without = refused(ab(*explain))
    assert "holds no run of logmel-svm fold1" in str(without)
    assert "--augment" not in str(without)
    assert "--augment 3 --synthetic" in str(refused(ab(*explain, "--augment", "3")))


def test_features_of_copies_are_made_ahead(ab: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = ab("prepare", "dcase2018", *SMALL, "-s", "toy-a", "--augment", "bg-park")
    assert done.exit_code == 0, done.output
    assert "of dcase2018 are cached, with copies (augmentation bg-park)" in done.stdout

    def never(*arguments: object, **more: object) -> None:
        raise AssertionError("a feature is computed that was cached")

    monkeypatch.setattr("asc_bench.features.cache._extract", never)
    assert ab("run", "-p", "dcase2018", *SMALL, "-s", "toy-a", "--augment", "bg-park", "-q").exit_code == 0
    lonely = refused(ab("prepare", "dcase2018", *SMALL, "--augment", "2"))
    assert "say for which systems with --systems" in str(lonely)


@pytest.mark.parametrize(
    "command",
    [
        ("reproduce", "toy/table1"),
        ("figure", "toy/fig1"),
        ("prepare", "dcase2018", "-s", "toy-a"),
        ("status", "-p", "dcase2018", "-s", "toy-a"),
        ("explain-clip", "none.wav", "-p", "dcase2018", "-s", "toy-a"),
    ],
)
def test_a_wrong_name_is_answered_at_once_with_the_near_one(ab: Cli, command: tuple[str, ...]) -> None:
    error = refused(ab(*command, *SMALL, "--augment", "drk"))
    assert "there is no augmentation 'drk'; did you mean 'drc'" in str(error)
    assert error.exit_code == 2
    assert "must be among 1 to 20" in str(refused(ab(*command, *SMALL, "--augment", "21")))
