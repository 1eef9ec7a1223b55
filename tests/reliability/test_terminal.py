"""Locales that are not UTF-8, names that are no text, and foreign text that would steer the terminal."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from asc_bench.errors import ConfigError
from asc_bench.names import require_text
from asc_bench.runs.store import ResultsStore
from asc_bench.runs.variant import parse_variants
from tests.conftest import Cli
from tests.reliability.helpers import ASCII, FOREIGN, PLUGINS, STEERING, run_arguments


@pytest.mark.parametrize("locale", [ASCII, {"PYTHONIOENCODING": "latin-1"}], ids=["ascii", "latin-1"])
def test_tables_are_printed_in_every_locale_the_first_time_and_from_the_file(
    cli: Cli, tmp_path: Path, locale: dict[str, str]
) -> None:
    arguments = run_arguments(tmp_path / "results", "toy-a,toy-b")
    first, again = (cli(*arguments, **locale) for _ in range(2))
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert first.stdout == again.stdout
    assert re.search(r"^toy-[ab] +0\.0  -$", first.stdout, re.MULTILINE), "a dash, as such a terminal shows it"
    for columns, most in (("60", 60), ("", 100)):
        asked = ("report", "-p", "dcase2018", "-b", "smoke", "--synthetic", "--results", str(tmp_path / "results"))
        narrow = cli(*asked, COLUMNS=columns, TERM="dumb", NO_COLOR="1", **locale)
        assert narrow.returncode == 0 and "\x1b" not in narrow.stdout + narrow.stderr, narrow.stderr
        assert most / 2 < max(map(len, narrow.stdout.splitlines())) <= most
    (text,) = (tmp_path / "results").rglob("results.txt")
    assert "A − B (points)" in text.read_text(encoding="utf-8")


def test_names_that_are_no_text_are_refused_in_one_sentence(cli: Cli, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    told = re.escape(rf"{tmp_path}/caf\xe9 has a name with bytes that are no utf-8 text; rename it or")
    with pytest.raises(ConfigError, match=f"^results folder {told}"):
        ResultsStore(Path(odd))
    with pytest.raises(ConfigError, match=r"^system caa-net\[weights=.*caf\\xe9\] has a name"):
        parse_variants(f"caa-net[weights={odd}]")
    require_text(tmp_path / "café", what="folder")
    done = cli(*run_arguments(Path(odd), "toy-a"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"asc-bench: results folder {tmp_path}/caf\\xe9 has a name")


def test_foreign_text_steers_no_terminal(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "rude.py").write_text(FOREIGN, encoding="utf-8")
    found = {"ASC_BENCH_PLUGINS": f"{tmp_path / 'plugins'}", "PYTHONPATH": str(PLUGINS)}
    arguments = run_arguments(tmp_path / "results", "rude,shy")
    commands = {
        "run": arguments,
        "side by side": run_arguments(tmp_path / "beside", "rude,logmel-svm", "--jobs", "2"),
        "status": ["status", *arguments[1:]],
        "list": ["list", "systems"],
        "info": ["info", "rude"],
        "explain": ["explain", "rude", "--results", str(tmp_path / "results")],
        "check": ["check", "rude"],
        "usage": ["run", "--protocol", "\x1b[2J", "--systems", "rude"],
    }
    for name, words in commands.items():
        done = cli(*words, **found)
        seen = done.stdout + done.stderr
        steering = re.findall(STEERING, seen)
        assert not steering, f"{name}: {seen!r}"
        assert name == "explain" or r"\x1b[2J" in seen or "owned" in seen, f"{name} shows none of it: {seen}"
