"""The arrows of the design: who may import whom, and who must stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imported(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Modules that a file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def files(*folders: str) -> list[Path]:
    return [p for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))]


def within(names: set[str], *packages: str) -> set[str]:
    """Those of the names that are one of the packages, or lie in it."""
    return {name for name in names for package in packages if name == package or name.startswith(f"{package}.")}


@pytest.mark.parametrize("path", files("asc_bench/scoring"), ids=lambda p: p.name)
def test_scoring_knows_no_torch_and_no_runs(path: Path) -> None:
    forbidden = ("torch", "asc_bench.training", "asc_bench.runs", "asc_bench.cli", "asc_bench.features")
    assert not within(imported(path), *forbidden)


@pytest.mark.parametrize("path", files("asc_bench/reporting"), ids=lambda p: p.name)
def test_reporting_reads_stored_runs_and_computes_none(path: Path) -> None:
    forbidden = ("torch", "asc_bench.training", "asc_bench.runs.runner", "asc_bench.cli", "asc_bench.features")
    assert not within(imported(path), *forbidden)


@pytest.mark.parametrize("path", files("asc_bench/analysis"), ids=lambda p: p.name)
def test_analysis_looks_into_systems_and_computes_no_run(path: Path) -> None:
    assert not within(imported(path), "asc_bench.runs.runner", "asc_bench.cli")
    assert not imported(path, top_level_only=True) & {"torch", "librosa", "matplotlib"}


@pytest.mark.parametrize("path", files("asc_bench"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_harness_names_no_system_and_nothing_imports_the_command_line(path: Path) -> None:
    names = imported(path)
    plugins = {
        m for m in names if m.startswith(("asc_bench.baselines.", "asc_bench.proposed", "asc_bench.protocols"))
    }
    assert not plugins
    if "cli" not in path.parts:
        assert not within(names, "asc_bench.cli")


@pytest.mark.parametrize("path", files("baselines", "proposed"), ids=lambda p: p.name)
def test_a_system_imports_no_other_system_and_nothing_heavy_at_the_top(path: Path) -> None:
    names = imported(path)
    assert not {m for m in names if m.startswith(("asc_bench.baselines", "asc_bench.proposed"))}
    if not path.name.startswith("_"):
        # Private files beside a system may be all torch: the system imports them inside its methods.
        assert not imported(path, top_level_only=True) & {"torch", "sklearn", "librosa", "torchaudio"}


FROM_THE_PARENT = {"runs/job.py": {"cloudpickle.loads"}, "runs/slurm.py": {"cloudpickle.loads"}}
"""What a worker is sent by who started it, and of a Slurm job a file whose digest came with the job."""


@pytest.mark.parametrize("path", files("asc_bench", "baselines", "proposed", "protocols"), ids=lambda p: p.name)
def test_print_and_pickle_are_nowhere(path: Path) -> None:
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    if "cli" not in path.parts:
        assert "print" not in calls
    refused = {"pickle.load", "pickle.loads", "cloudpickle.load", "cloudpickle.loads", "joblib.load", "dill.load"}
    allowed = FROM_THE_PARENT.get("/".join(path.parts[-2:]), set())
    assert not calls & ({*refused, "eval", "exec"} - allowed)


def test_the_command_line_starts_without_numpy() -> None:
    code = (
        "import sys; from asc_bench.cli.main import build_app; build_app(); "
        "assert not {'numpy', 'pandas', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]


SOURCES = files("asc_bench", "baselines", "proposed", "protocols")


def opened_as_text_without_encoding(call: ast.Call) -> bool:
    """Whether a call opens a file, or a pipe, as text in whatever encoding the locale has."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = {keyword.arg for keyword in call.keywords}
    if isinstance(call.func, ast.Attribute) and name == "open":
        owner = ast.unparse(call.func.value)
        if owner in ("os", "tarfile", "zipfile", "Image", "webbrowser"):
            return False
    if name in ("open", "fdopen"):
        words = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
        modes = [a.value for a in words if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        return "encoding" not in given and not any("b" in mode for mode in modes)
    if name in ("run", "Popen", "check_output"):
        return bool(given & {"text", "universal_newlines"}) and "encoding" not in given
    return name in ("read_text", "write_text", "TextIOWrapper") and "encoding" not in given


def test_the_encoding_rule_sees_what_it_is_for() -> None:
    wrong = "open(p); p.open(); p.open('w'); p.read_text(); p.write_text(t); subprocess.run(a, text=True)"
    right = (
        "open(p, 'rb'); p.open('wb', buffering=0); p.read_text(encoding='utf-8'); tarfile.open(p); p.read_bytes()"
    )
    found = [opened_as_text_without_encoding(n) for n in ast.walk(ast.parse(wrong)) if isinstance(n, ast.Call)]
    assert found == [True] * 6
    assert not any(
        opened_as_text_without_encoding(n) for n in ast.walk(ast.parse(right)) if isinstance(n, ast.Call)
    )


def test_every_file_is_opened_with_an_encoding_of_its_own() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in SOURCES
        for call in calls(path)
        if opened_as_text_without_encoding(call)
    ]
    assert not found, "name encoding='utf-8': the locale of a cluster node may be another"


def test_only_one_module_of_the_command_line_prints() -> None:
    printers = ("print", "typer.echo", "typer.secho", "click.echo", "sys.stdout.write", "sys.stderr.write")
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in files("asc_bench")
        if path.name != "printing.py"
        for call in calls(path)
        if ast.unparse(call.func) in printers
    ]
    assert not found, "print with `echo` of asc_bench.cli.printing, which lets no foreign text steer the terminal"


def test_only_the_screen_makes_a_console() -> None:
    found = [str(path.relative_to(ROOT)) for path in SOURCES if within(imported(path), "rich")]
    assert found == ["asc_bench/screen.py"]


def test_nothing_draws_by_the_global_state_of_pyplot() -> None:
    assert not [str(path.relative_to(ROOT)) for path in SOURCES if "pyplot" in path.read_text(encoding="utf-8")]
