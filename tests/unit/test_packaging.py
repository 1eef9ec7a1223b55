"""What is installed is what is in the tree."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_package_of_the_tree_is_listed() -> None:
    folders = {f"asc_bench.{n}" for n in ("baselines", "proposed", "protocols", "published")}
    for init in (ROOT / "asc_bench").rglob("__init__.py"):
        folders.add(".".join(init.parent.relative_to(ROOT).parts))
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders


def test_every_dependency_is_pinned() -> None:
    pins = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    project = PROJECT["project"]
    wanted = chain(project["dependencies"], *project["optional-dependencies"].values())
    names = {re.split(r"[<>=[]", w)[0].lower().replace("_", "-") for w in wanted}
    assert names <= pins, names - pins
