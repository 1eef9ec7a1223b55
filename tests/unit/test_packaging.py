"""What is installed is what is in the tree."""

from __future__ import annotations

import json
import re
import tomllib
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

import yaml

import asc_bench

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


def test_every_data_file_of_a_package_is_in_its_wheel() -> None:
    folders = PROJECT["tool"]["setuptools"]["package-dir"]
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    left_out = []
    for package in PROJECT["tool"]["setuptools"]["packages"]:
        folder = ROOT / folders.get(package, package.replace(".", "/"))
        data = {path.name for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", ".md")}
        left_out += [name for name in data if not any(fnmatch(name, p) for p in patterns.get(package, ()))]
    assert left_out == []


def test_the_files_of_citation_and_packaging_agree() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    meta = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
    project = PROJECT["project"]
    assert project["name"] == meta["name"] == cited["title"].partition(":")[0]
    assert asc_bench.__version__ == meta["version"] == cited["version"]
    assert "version" in project["dynamic"]  # from the package alone
    assert project["license"] == cited["license"] == meta["license"].removeprefix("https://spdx.org/licenses/")
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith(f"{cited['license']} License")
    assert [a["name"] for a in meta["author"]] == [a["name"] for a in cited["authors"]]
    assert meta["description"] == project["description"]
    assert meta["keywords"] == project["keywords"]
    assert meta["runtimePlatform"] == f"Python {project['requires-python']}"
