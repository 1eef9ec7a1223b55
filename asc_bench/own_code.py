"""Code outside the harness that a class depends on: what a researcher edits must make stored runs stale.

From a file on, imports are followed without importing anything: absolute and relative ones, those inside functions,
``import_module("name")``, files beside a plug-in and modules of packages, wherever Python would find them. They end
at the harness, the standard library and installed packages. Data files beside such code, weights above all, count
too, since the code may read them.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sysconfig
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from asc_bench.loaded_code import refuse_outdated

DATA_SUFFIXES = frozenset(
    (
        *(".bin", ".ckpt", ".h5", ".hdf5", ".joblib", ".mat", ".npy", ".npz", ".onnx", ".pkl", ".pt", ".pth"),
        *(".safetensors", ".tflite", ".csv", ".json", ".toml", ".yaml", ".yml"),
    )
)
"""Files beside own code that count, as it may read them."""

_HARNESS = Path(__file__).resolve().parent
_INSTALLED = tuple(
    {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_FOLLOWED = ("asc_bench.baselines", "asc_bench.proposed", "asc_bench.modules")
"""Packages of the harness that are followed: no integer of a plug-in's bases is raised with what they hold."""


def own_code(start: Path) -> dict[str, str]:
    """Digest of a file, of all code that it imports outside the harness, and of the data files beside these.

    Comments, docstrings and formatting do not count.

    Parameters
    ----------
    start : Path
        A Python file.

    Returns
    -------
    dict of str to str
        By path, relative to the folder of ``start`` where it lies below it.

    Raises
    ------
    ConfigError
        If a file was edited after it was imported: what is in memory is not what the digest says.
    """
    found: dict[Path, str] = {}
    pending = [start.resolve()]
    while pending:
        path = pending.pop()
        if path in found:
            continue
        found[path] = code_digest(path)
        refuse_outdated(path)
        pending += [imported for imported in _imports(path) if imported not in found]
    for folder in {path.parent for path in found}:
        if not _in_harness(folder):
            found |= {path: _data_digest(path) for path in _data_files(folder)}
    return {_name(path, start.resolve().parent): digest for path, digest in sorted(found.items())}


def code_digest(path: Path) -> str:
    """Digest of the syntax tree of a Python file, without docstrings."""
    state = path.stat()
    return _code_digest(path, state.st_mtime_ns, state.st_size)


def is_own(path: Path) -> bool:
    """Whether a file belongs neither to the harness nor to the standard library or an installed package."""
    resolved = path.resolve()
    installed = "site-packages" in resolved.parts or "dist-packages" in resolved.parts
    return not (installed or _in_harness(resolved) or any(resolved.is_relative_to(p) for p in _INSTALLED))


def _in_harness(path: Path) -> bool:
    return path.is_relative_to(_HARNESS) or any(
        path.is_relative_to(folder) for folder in _followed_folders().values()
    )


@cache
def _followed_folders() -> dict[str, Path]:
    specs = {package: importlib.util.find_spec(package) for package in _FOLLOWED}
    places = {package: (spec.submodule_search_locations or [])[:1] for package, spec in specs.items() if spec}
    return {package: Path(place).resolve() for package, found in places.items() for place in found}


def _name(path: Path, start: Path) -> str:
    return path.relative_to(start).as_posix() if path.is_relative_to(start) else path.as_posix()


def _imports(path: Path) -> set[Path]:
    """Files of own code that one imports directly."""
    found: set[Path] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.update(files_of_import(alias.name))
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.update(_relative(path, node.level, node.module or "", names) if node.level else ())
            found.update(() if node.level else files_of_import(node.module or "", names))
        elif isinstance(node, ast.Call) and node.args and _is_import_call(node.func):
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.update(files_of_import(first.value) if not first.value.startswith(".") else ())
    return {file.resolve() for file in found}


def _is_import_call(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")


def files_of_import(module: str, names: tuple[str, ...] = ()) -> Iterator[Path]:
    """Files of own code that an absolute import of a module, or of names from it, runs."""
    top, *rest = module.split(".")
    if top == "asc_bench":
        for package, folder in _followed_folders().items():
            if module == package or module.startswith(f"{package}."):
                inner = module.removeprefix(package).lstrip(".")
                yield from _within(folder, inner.split(".") if inner else [], names)
        return
    try:
        spec = importlib.util.find_spec(top) if top else None
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    if spec.submodule_search_locations is None:
        if spec.origin and spec.origin.endswith(".py") and is_own(Path(spec.origin)):
            yield Path(spec.origin)
        return
    for place in spec.submodule_search_locations:
        if is_own(Path(place)):
            yield from _within(Path(place), rest, names)


def _relative(path: Path, level: int, module: str, names: tuple[str, ...]) -> Iterator[Path]:
    folder = path.parent
    for _ in range(level - 1):
        folder = folder.parent
    yield from _within(folder, module.split(".") if module else [], names)


def _within(folder: Path, parts: list[str], names: tuple[str, ...]) -> Iterator[Path]:
    """Files of a module below a package's folder: its own, those of the packages on the way, and sub-modules."""
    yield from _module_files(folder)
    for part in parts:
        folder = folder / part
        yield from _module_files(folder)
    for name in names:
        yield from _module_files(folder / name)


def _module_files(stem: Path) -> Iterator[Path]:
    for file in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
        if file.is_file():
            yield file


def _data_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in DATA_SUFFIXES and path.is_file())


def _data_digest(path: Path) -> str:
    state = path.stat()
    return _file_digest(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4096)
def _file_digest(path: Path, mtime_ns: int, n_bytes: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@lru_cache(maxsize=4096)
def _code_digest(path: Path, mtime_ns: int, n_bytes: int) -> str:
    tree = ast.parse(path.read_bytes(), filename=str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _tree(path: Path) -> ast.Module:
    state = path.stat()
    return _parsed(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1024)
def _parsed(path: Path, mtime_ns: int, n_bytes: int) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))
