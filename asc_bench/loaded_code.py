"""Is code in memory that of its file? In a long session a file may be edited after it was imported.

Run keys hold what the files say (see ``asc_bench.own_code``), but a run computes what is in memory: where these
differ, old numbers would be stored under the new code. Compared are functions and methods by bytecode, without
positions and docstrings, and constants of modules and classes that are plain literals. Code that an import hook
rewrote is left out.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from asc_bench.errors import ConfigError

_PLAIN = (type(None), bool, int, float, complex, str, bytes, tuple)


def refuse_outdated(path: Path, held: type | FunctionType | None = None) -> None:
    """Refuse code that was edited in its file after it was imported.

    Parameters
    ----------
    path : Path
        A Python file; whatever module was loaded from it is examined.
    held : type or function, optional
        Something of this file that a session holds, maybe from before the module was loaded again.

    Raises
    ------
    ConfigError
        Naming the first thing that differs.
    """
    for module in _loaded(path):
        if name := next(_differing(path, module, ""), None):
            raise ConfigError(
                f"{path} was edited after it was imported: {name} in memory is another one. Restart the session, "
                f"or import it again (importlib.reload({module.__name__})) with all that takes names from it"
            )
        if held is not None and (name := next(_differing(path, held, held.__qualname__), None)):
            raise ConfigError(
                f"{held.__qualname__} was taken from {path} before an edit: {name} is another one there. "
                f"Take it again: from {module.__name__} import {held.__qualname__.split('.')[0]}"
            )


def _loaded(path: Path) -> list[ModuleType]:
    """Modules that Python's own loader made from a file."""
    found = []
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(module, ModuleType) and isinstance(file, str) and file.endswith(path.name):
            own = type(module.__loader__) is SourceFileLoader and Path(file).resolve() == path
            found += [module] if own else []
    return found


def _differing(path: Path, held: object, within: str) -> Iterator[str]:
    """Names of what differs between a file and a module, or a class or function called ``within`` there."""
    state = path.stat()
    codes, literals = _on_disk(path, state.st_mtime_ns, state.st_size)
    for name, versions in codes.items():
        functions = list(_functions(_found(held, name, within)))
        own = [f for f in functions if f.__code__.co_qualname == name]
        if own and not any(_same(f.__code__, code, f.__doc__) for f in own for code in versions):
            yield name
    for name, literal in literals.items():
        value = _found(held, name, within)
        if type(value) in _PLAIN and value is not _MISSING and (type(value), value) != (type(literal), literal):
            yield name


_MISSING = object()


def _found(held: object, name: str, within: str) -> object:
    """What a dotted name of the file stands for, without calling descriptors."""
    if within and name != within and not name.startswith(f"{within}."):
        return _MISSING
    value = held
    for part in name.removeprefix(within).strip(".").split("."):
        if part:
            value = vars(value).get(part, _MISSING) if isinstance(value, type | ModuleType) else _MISSING
    return value


def _functions(value: object) -> Iterator[FunctionType]:
    """A function, what decorators wrapped, and the functions of methods and properties."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, FunctionType):
            yield value
        if isinstance(value, property):
            pending += [value.fget, value.fset, value.fdel]
        elif isinstance(value, staticmethod | classmethod):
            pending.append(value.__func__)
        elif isinstance(value, functools.cached_property | functools.partial):
            pending.append(value.func)
        elif "__wrapped__" in getattr(value, "__dict__", ()):
            pending.append(vars(value)["__wrapped__"])


def _same(held: CodeType, disk: CodeType, docstring: str | None) -> bool:
    ours, theirs = list(held.co_consts), list(disk.co_consts)
    if docstring is not None and ours and theirs and ours[0] == docstring and isinstance(theirs[0], str | None):
        ours[0] = theirs[0]
    if len(ours) != len(theirs) or _outside(held) != _outside(disk):
        return False
    return all(
        _same(a, b, None) if isinstance(a, CodeType) and isinstance(b, CodeType) else (type(a), a) == (type(b), b)
        for a, b in zip(ours, theirs, strict=True)
    )


def _outside(code: CodeType) -> tuple[object, ...]:
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return code.co_code, code.co_exceptiontable, code.co_argcount, code.co_kwonlyargcount, code.co_flags, names


@lru_cache(maxsize=1024)
def _on_disk(path: Path, mtime_ns: int, n_bytes: int) -> tuple[dict[str, list[CodeType]], dict[str, object]]:
    """Code of functions and values of literals of a file, by dotted name."""
    tree = ast.parse(path.read_bytes(), filename=str(path))
    codes: dict[str, list[CodeType]] = {}
    # IPython's autoreload compiles an edited function alone, which may give other bytecode for the same text.
    alone = [ast.Module([part], []) for part in tree.body if isinstance(part, ast.FunctionDef)]
    pending = [compile(part, str(path), "exec", dont_inherit=True) for part in (tree, *alone)]
    while pending:
        inner = [constant for constant in pending.pop().co_consts if isinstance(constant, CodeType)]
        for code in inner:
            if "<" not in code.co_qualname:
                codes.setdefault(code.co_qualname, []).append(code)
        pending += inner
    # A name that is bound twice anywhere may have a value that no line states.
    bound = Counter(
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    bound.update(name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names * 2)
    return codes, {name: value for name, value in _literals(tree, "") if bound[name.rpartition(".")[2]] == 1}


def _literals(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, object]]:
    for statement in node.body:
        if isinstance(statement, ast.ClassDef):
            yield from _literals(statement, f"{prefix}{statement.name}.")
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        value = getattr(statement, "value", None)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and len(targets) == 1 and value is not None:
            try:
                literal = ast.literal_eval(value)
            except ValueError:
                continue
            if isinstance(targets[0], ast.Name) and type(literal) in _PLAIN:
                yield prefix + targets[0].id, literal
