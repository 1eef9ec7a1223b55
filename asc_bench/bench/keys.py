"""What a run depends on, as named parts, and the digest over them."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from asc_bench.features.frontends import FrontEnd, parts_of
from asc_bench.loaded_code import refuse_outdated
from asc_bench.notebook_code import file_of, typed_code
from asc_bench.own_code import is_own, own_code
from asc_bench.systems.base import System
from asc_bench.training.transforms.base import Transform

OUTSIDE = (
    "asc_bench.bench",
    "asc_bench.cli",
    "asc_bench.data",
    "asc_bench.papers",
    "asc_bench.protocol",
    "asc_bench.reporting",
    "asc_bench.runs",
    "asc_bench.scoring",
    "asc_bench.synthetic",
)
"""Packages that no fitted number depends on; audio decoding, which one does, is added by name."""

ALWAYS = ("asc_bench.data.audio",)
TRANSPARENT = ("asc_bench.api",)
"""Modules that only pass names on: what counts is where the names that are taken from them come from."""
DEPENDENCIES = ("torch", "numpy", "scipy", "scikit-learn", "librosa", "soxr")


_CODE = {".py", ".js", ".css", ".j2"}
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def digest(value: object) -> str:
    """sha256 of the canonical JSON of ``value``."""
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()


def code_parts(system: type[System]) -> dict[str, str]:
    """Digest by module of all code that the fitted numbers may depend on, for `provenance`.

    The closure of imports, also those inside functions, from the system's own file through asc_bench and
    through the files beside it that it imports relatively. Comments, docstrings and formatting do not count; a
    module that this system never imports does not either.
    """
    own = file_of(system)
    if own is None:
        return typed_code(system)
    parts = {"system": _file_digest(own)}
    pending = [*ALWAYS, *_imports(own)]
    beside = [*_siblings(own)]
    while beside:
        sibling = beside.pop()
        if sibling.name not in parts:
            parts[sibling.name] = _file_digest(sibling)
            pending += _imports(sibling)
            beside += _siblings(sibling)
    while pending:
        module = pending.pop()
        if module in parts or (module.startswith(OUTSIDE) and module not in ALWAYS):
            continue
        path = _source(module)
        if path is not None:
            parts[module] = _file_digest(path)
            pending += _imports(path)
    return dict(sorted(parts.items()))


NUMERICS = {"audio": 1, "views": 1, "deformations": 1}
"""Versions of what is no class: decoding and resampling, binaural views, deformed copies. Raised whenever a number
that they give moves."""


def numerics(
    system: type[System], front_end: FrontEnd | None, transforms: Iterable[Transform] = ()
) -> dict[str, object]:
    """What stands for the code of a run in its key.

    Parameters
    ----------
    system : type
        Class of the system.
    front_end : FrontEnd, optional
        What it reads.
    transforms : iterable of Transform
        Those of its training plan.

    Returns
    -------
    dict
        ``versions``: the ``numerics_version`` of the system, its bases, and the classes of its front end, by class
        name, that of decoding, and those of transforms from the second on. ``code``: digests of ``own_code`` where
        the system or a front end declares none in its own body, or is no part of the harness or an installed
        package; absent where there is none.
    """
    versions: dict[str, int] = {"audio": NUMERICS["audio"]}
    # First versions are left out: keys of runs do not change for a transform that never did.
    versions |= {t.name: t.numerics_version for t in transforms if t.numerics_version > 1}
    code: dict[str, str] = {}
    for cls in (system, *(type(part) for part in parts_of(front_end))):
        declared = {c.__name__: n for c in cls.__mro__ if (n := vars(c).get("numerics_version")) is not None}
        versions |= declared
        # An integer in a plug-in, copied there with a built-in system, is nobody's promise: no test holds it.
        file = file_of(cls)
        if file is None:
            code |= typed_code(cls)
        elif vars(cls).get("numerics_version") is None or is_own(file):
            if is_own(file):
                refuse_outdated(file.resolve(), cls)
            code |= own_code(file)
    return {"versions": dict(sorted(versions.items())), **({"code": dict(sorted(code.items()))} if code else {})}


@cache
def provenance(system: type[System]) -> str:
    """Digest of all code, the harness's too, that predictions may depend on: kept in manifests, part of no key."""
    return digest(code_parts(system))


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries that compute: the major one, or the minor one of 0.x."""
    return {name: significant(version(name)) for name in DEPENDENCIES}


def significant(text: str) -> str:
    """``2`` of ``2.13.0``, ``0.11`` of ``0.11.0``."""
    parts = text.split(".")
    return ".".join(parts[:2]) if parts[0] == "0" else parts[0]


def changed_parts(before: Mapping[str, object], now: Mapping[str, object], prefix: str = "") -> list[str]:
    """Dotted names of the parts that differ."""
    names: list[str] = []
    for name in sorted(set(before) | set(now)):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            names += changed_parts(old, new, f"{prefix}{name}: ")
        elif old != new:
            names.append(f"{prefix}{name}")
    return names


@cache
def _source(module: str) -> Path | None:
    """File of a module of asc_bench, found without importing it or its parents (torch is slow to import)."""
    base = Path(__file__).parents[1].joinpath(*module.split(".")[1:])
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Modules of asc_bench that a file imports, ``from package import module`` and their packages included."""
    names: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names.update(_passed_on(alias.name).values() if alias.name in TRANSPARENT else (alias.name,))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module in TRANSPARENT:
                given = _passed_on(node.module)
                taken = [alias.name for alias in node.names]
                names.update(given.values() if "*" in taken else (given[name] for name in taken if name in given))
            else:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
    names |= {name.rpartition(".")[0] for name in names}
    return tuple(sorted(n for n in names if n.startswith("asc_bench.")))


@cache
def _passed_on(module: str) -> dict[str, str]:
    """Names that a transparent module passes on, and the modules that they come from, or are."""
    path = _source(module)
    assert path is not None
    nodes = [n for n in ast.walk(_tree(path)) if isinstance(n, ast.ImportFrom) and n.module]
    given = {(alias.asname or alias.name): (str(n.module), alias.name) for n in nodes for alias in n.names}
    return {name: inner if _source(inner := f"{home}.{of}") else home for name, (home, of) in given.items()}


@cache
def _siblings(path: Path) -> tuple[Path, ...]:
    """Files beside this one that it imports relatively (``from ._name import x``, ``from . import _name``)."""
    nodes = [n for n in ast.walk(_tree(path)) if isinstance(n, ast.ImportFrom) and n.level == 1]
    names = {n.module for n in nodes if n.module} | {a.name for n in nodes if not n.module for a in n.names}
    return tuple(p for name in sorted(names) if (p := path.parent / f"{name.replace('.', '/')}.py").is_file())


@cache
def _file_digest(path: Path) -> str:
    tree = _tree(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _has_docstring(
            node.body
        ):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _has_docstring(body: Iterable[ast.stmt]) -> bool:
    first = next(iter(body), None)
    return (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )


def package_digest(*packages: str) -> str:
    """Digest of all files of code in some packages, scripts and templates of pages among them.

    Comments count: what is made again for them, such as a report, costs less than reading every syntax tree.
    """
    whole = hashlib.sha256()
    for package in packages:
        source = _source(package)
        if source is None:
            raise ModuleNotFoundError(package)
        for path in sorted(path for path in source.parent.iterdir() if path.suffix in _CODE):
            content = path.read_bytes()
            whole.update(f"{package}/{path.name} {len(content)}\n".encode() + content)
    return whole.hexdigest()
