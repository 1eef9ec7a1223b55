"""``run --config``: a file of commands is checked as a whole, each fault with its line, and then carried out."""

from __future__ import annotations

from pathlib import Path

import pytest

from asc_bench.cli.study import read_study
from asc_bench.errors import ConfigError

WHOLE = """\
synthetic: true
synthetic-size: tiny
budget: smoke
threads: 1
results: out
runs:
  - protocol: esc10
    systems: [toy-a, toy-b]
    folds: [fold1]
    table: first
  - protocol: esc10
    systems: toy-a
    folds: fold2
    probability-scores: false
"""


def test_a_study_is_carried_out_and_goes_on(cli, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(WHOLE)
    dry = cli("run", "--config", str(path), "--dry-run")
    assert dry.returncode == 0 and not (tmp_path / "out").exists(), dry.stderr
    first = cli("run", "--config", str(path))
    assert first.returncode == 0, first.stderr
    assert "[2/2] asc-bench run" in first.stderr
    assert (tmp_path / "out/studies/study.yaml").read_text() == WHOLE
    tables = {p.name for p in (tmp_path / "out/tables/esc10-synthetic-tiny/smoke").iterdir()}
    assert tables == {"first", "toy-a"}
    again = cli("run", "--config", str(path), "--quiet")
    assert again.returncode == 0 and again.stdout == first.stdout
    stray = cli("run", "--config", str(path), "--jobs", "2")
    assert stray.returncode == 2 and "--jobs goes into" in stray.stderr


def study(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return path


def test_what_is_read_is_what_would_be_typed(tmp_path: Path) -> None:
    text = 'protocol: esc10\nsystems: ["caa-net[training=*]", sb-cnn]\nhold_out: true\nrepeats: 3\ndata: [a, b]\n'
    (step,) = read_study(study(tmp_path, text))
    assert str(step) == (
        "asc-bench run --protocol esc10 --systems 'caa-net[training=*],sb-cnn' --hold-out --repeats 3 --data a "
        "--data b"
    )
    assert step.params["repeats"] == 3 and step.params["hold_out"] is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("protocol: [esc10\n", "line 2: no YAML"),
        ("- esc10\n", "line 1: options stand there as 'name: value'"),
        ("protocol: esc10\nsytems: all\n", "line 2: a study has no 'sytems'; did you mean 'systems'"),
        ("protocol: esc10\nsystems: all\nrepeats: many\n", "line 3: .*repeats"),
        ("protocol: esc10\nsystems: all\nrepeats: 0\n", "line 3: .*repeats"),
        ("protocol: esc10\nsystems: sb-cn\n", "line 2: .*sb-cnn"),
        ("systems: sb-cnn\n\nprotocol: esc11\n", "line 3: .*esc1"),
        ("systems: sb-cnn\n", "line 1: this command names no protocol"),
        ("protocol: esc10\nprotocol: esc50\n", "line 2: protocol stands there a second time"),
        ("protocol: esc10\nhold-out: maybe\n", "line 2: hold_out is 'maybe'; give true or false"),
        ("protocol: esc10\nbudget: true\n", "line 2: budget is true, and takes a value"),
        ("protocol: esc10\nfolds: {a: b}\n", "line 2: folds is {'a': 'b'}; give a text"),
        ("protocol: esc10\nfolds:\n", "line 2: folds is None"),
        ("protocol: esc10\ndry-run: true\n", "line 2: a study has no 'dry-run'; type it"),
        ("runs: esc10\n", "line 1: runs is a list of commands"),
        ("runs:\n- protocol: esc10\n- esc50\n", "line 3: options stand there"),
        ("runs:\n- protocol: esc10\n- protocol: esc50\n  bugdet: smoke\n", "line 4: a study has no 'bugdet'"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_study(study(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_study(tmp_path / "none.yaml")
