"""What runs on GitHub, tests and the publishing of pages: real commands, official actions, no host."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from asc_bench.cli.main import build_app

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
FILES = [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in (*WORKFLOWS, *ACTIONS)]


def steps(path: Path) -> Iterator[dict[str, Any]]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for job in content["jobs"].values() if "jobs" in content else [content["runs"]]:
        yield from job["steps"]


def test_there_are_workflows() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "pages"]


@pytest.mark.parametrize("path", FILES)
def test_actions_are_official_and_pinned_or_our_own(path: Path) -> None:
    for step in steps(path):
        used = step.get("uses", "")
        if used.startswith("./"):
            action = yaml.safe_load((ROOT / used / "action.yml").read_text(encoding="utf-8"))
            inputs = action["inputs"]
            assert set(step["with"]) <= set(inputs)
            assert {name for name, entry in inputs.items() if entry.get("required")} <= set(step["with"])
        elif used:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", used)


@pytest.mark.parametrize("path", FILES)
def test_no_address_stands_in_a_workflow(path: Path) -> None:
    assert not re.findall(r"https?://\S+|--[a-z-]*index", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES)
def test_commands_are_commands(path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    verbs = typer.main.get_command(build_app()).commands  # type: ignore[attr-defined]
    for step in steps(path):
        for line in step.get("run", "").splitlines():
            if line.startswith("make "):
                assert set(shlex.split(line, comments=True)[1:]) <= set(targets)
            elif line.startswith(".venv/bin/asc-bench "):
                _, verb, *arguments = shlex.split(line)
                verbs[verb].make_context(verb, arguments)  # unknown options raise
