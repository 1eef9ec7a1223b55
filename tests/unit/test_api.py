"""What authors import: every name is there, nothing heavy comes with it, and nothing else is imported."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template

import pytest

from asc_bench import api, own_code

ROOT = Path(__file__).parents[2]
FOLDERS = ("baselines", "proposed", "protocols", "tests/plugins")
TEMPLATE = ROOT / "asc_bench" / "cli" / "system.py.tmpl"

ADVICE = (
    "take it from asc_bench.api, or offer it there; what networks share belongs in asc_bench.modules, and what one "
    "system alone needs in a file beside it whose name begins with an underscore"
)


def outside_imports(source: str, file: str) -> list[str]:
    """Imports of the harness past asc_bench.api and asc_bench.modules, wherever in the file they stand."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for module in _modules(node):
            parts = module.split(".")
            climbs = module.startswith("..")
            if climbs or (parts[0] == "asc_bench" and parts[1:2] not in (["api"], ["modules"])):
                found.append(f"{file}:{node.lineno}: imports {module}; {ADVICE}")  # type: ignore[attr-defined]
    return found


def _modules(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        # What `from asc_bench import x` takes may be a module itself.
        yield from (f"{module}.{alias.name}" for alias in node.names) if module == "asc_bench" else (module,)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__"):
            yield str(node.args[0].value)


@pytest.mark.parametrize(
    "path", [p for f in FOLDERS for p in sorted((ROOT / f).rglob("*.py"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_authors_import_from_the_api_and_the_modules_alone(path: Path) -> None:
    found = outside_imports(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    assert not found, "\n".join(found)


def test_the_template_of_a_new_system_does_too() -> None:
    source = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(name="my-cnn", class_name="MyCnn")
    assert "asc_bench.api" in source and not outside_imports(source, TEMPLATE.name)


MADE_UP = """
from typing import TYPE_CHECKING
import asc_bench.training.loop as loop
import asc_bench
from asc_bench import api, modules, registry
from asc_bench.apium import x
from .. import systems
if TYPE_CHECKING:
    from asc_bench.data.manifest import Dataset
def build():
    from importlib import import_module
    from asc_bench.baselines.sb_cnn import SbCnn
    from ..runs.store import StoredRun
    import_module("asc_bench.features.cache")
from asc_bench.api import Card
from asc_bench.modules.conv import ConvStack
import asc_bench.api, asc_bench.modules.conv
import asc_bench_of_another_name
from . import _beside
from ._beside import y
"""


def test_imports_past_the_api_are_named_with_file_line_module_and_advice() -> None:
    found = outside_imports(MADE_UP, "baselines/made_up.py")
    assert sorted(text.partition("; ")[0] for text in found) == sorted(
        f"baselines/made_up.py:{line}: imports {module}"
        for line, module in (
            (3, "asc_bench.training.loop"),
            (4, "asc_bench"),
            (5, "asc_bench.registry"),
            (6, "asc_bench.apium"),
            (7, ".."),
            (9, "asc_bench.data.manifest"),
            (12, "asc_bench.baselines.sb_cnn"),
            (13, "..runs.store"),
            (14, "asc_bench.features.cache"),
        )
    )
    assert all(text.endswith(ADVICE) for text in found)


def declared() -> dict[str, str]:
    """Names that type checkers see, and the modules that they come from."""
    (block,) = (
        node
        for node in ast.parse(Path(str(api.__file__)).read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_type_checkers_see_the_names_that_there_are() -> None:
    assert sorted(declared()) == api.__all__ == dir(api)


@pytest.mark.parametrize(("name", "module"), declared().items())
def test_a_name_is_what_its_module_has(name: str, module: str) -> None:
    try:
        expected = getattr(importlib.import_module(module), name)
    except AttributeError:
        expected = importlib.import_module(f"{module}.{name}")
    assert getattr(api, name) is expected


def test_no_name_comes_from_where_the_key_of_a_plug_in_follows_imports() -> None:
    """Else a plug-in that takes it from the API would not be computed again when it changes."""
    assert not [module for module in declared().values() if module.startswith(own_code._FOLLOWED)]


def test_an_unknown_name_is_answered_with_the_near_ones() -> None:
    with pytest.raises(AttributeError, match=r"asc_bench\.api has no 'Protocl'; did you mean 'Protocol'"):
        _ = api.Protocl  # type: ignore[attr-defined]
    assert not hasattr(api, "__path__")


@pytest.mark.parametrize(
    ("taken", "absent"),
    [
        ("ScoredClips, Statistic, mean_of", "torch, pandas, sklearn, scipy, librosa, matplotlib"),
        ("Measure, Protocol, official_folds, tut_mobile", "torch, sklearn, librosa, matplotlib"),
        ("Card, LogMel, SklearnSystem, TorchSystem, TrainingPlan", "torch, sklearn, librosa, matplotlib"),
        ("Cell, Material, PaperFigure, Part, Published, Reproduction", "torch, sklearn, librosa, matplotlib"),
    ],
)
def test_what_needs_no_torch_does_not_load_it(taken: str, absent: str) -> None:
    code = f"from asc_bench.api import {taken}\nimport sys\nassert not {set(absent.split(', '))} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_finding_all_systems_and_protocols_loads_no_torch() -> None:
    code = (
        "import sys; from asc_bench.registry import protocols, systems; "
        "assert systems().found and protocols().found; "
        "assert not {'torch', 'sklearn', 'librosa', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
