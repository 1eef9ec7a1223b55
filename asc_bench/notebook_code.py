"""The code of a class that has no file, such as one typed in a notebook: what it consists of, as a digest.

Of its methods count the bytecode, the constants and every global name that they load, followed through functions
and classes of the same session; a name from a file of one's own counts with that file (see ``asc_bench.own_code``);
one from the harness or an installed package ends there. Comments, docstrings and line numbers do not count, nor do
cells that the class does not use.
"""

from __future__ import annotations

import dataclasses
import dis
import enum
import functools
import hashlib
import inspect
import json
import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from asc_bench.digests import file_digest
from asc_bench.errors import ConfigError
from asc_bench.loaded_code import refuse_outdated
from asc_bench.own_code import files_of_import, is_own, own_code

_OF_EVERY_CLASS = frozenset(
    (
        *("__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__qualname__", "__slots__"),
        *("__abstractmethods__", "_abc_impl", "__parameters__", "__orig_bases__", "__static_attributes__"),
        *("__dataclass_params__", "__dataclass_fields__", "__match_args__", "__firstlineno__"),
    )
)
_OF_DATACLASSES = frozenset(
    ("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__", "__replace__")
)
_GENERATED = "<string>"
"""File name of the methods that ``dataclass`` writes."""


def file_of(cls: type) -> Path | None:
    """The file that a class is defined in, or None for one that was typed.

    A class of the main program counts as typed unless its methods come from that program's file: in an interactive
    session classes may have been typed after a file had run.
    """
    try:
        name = inspect.getsourcefile(cls)
    except (OSError, TypeError):
        return None
    if name is None or not _is_file(name):
        return None
    if cls.__module__ == "__main__":
        places = {place for value in vars(cls).values() for place in _places(value)}
        if not any(_is_file(place) and Path(place).samefile(name) for place in places):
            return None
    return Path(name)


def _places(value: object) -> Iterator[str]:
    function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
    if isinstance(function, FunctionType):
        yield inspect.unwrap(function).__code__.co_filename


def _is_file(name: str) -> bool:
    """Whether code comes from a file that stays; a debugger writes cells of a notebook into passing ones."""
    path = Path(name)
    return path.is_file() and not path.parent.name.startswith("ipykernel_")


def _was_typed(cls: type) -> bool:
    module = sys.modules.get(cls.__module__)
    if cls.__module__ in sys.builtin_module_names or file_of(cls) is not None:
        return False
    return module is None or cls.__module__ == "__main__" or getattr(module, "__file__", None) is None


def typed_code(cls: type) -> dict[str, str]:
    """Digest of a class without a file, and of the files of one's own that it uses.

    Returns
    -------
    dict of str to str
        By name of the class, and by path.

    Raises
    ------
    ConfigError
        If it uses an object whose state cannot be read; the message names it.
    """
    walk = _Walk()
    described = walk.class_(cls)
    text = json.dumps(described, sort_keys=True)
    return {f"<{cls.__qualname__}>": hashlib.sha256(text.encode()).hexdigest(), **walk.files}


class _Walk:
    """From a class to everything of this session that it uses, each thing once."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._seen: dict[int, str] = {}

    def value(self, value: object, name: str) -> Any:
        """A description of a value that is equal for equal values, in any session."""
        if value is None or isinstance(value, bool | int | float | complex | bytes) or value is Ellipsis:
            return repr(value)
        if isinstance(value, str | Path):
            return [type(value).__name__, str(value), *self._file(Path(value))]
        if isinstance(value, enum.Enum):
            return [self.value(type(value), name), value.name]
        if isinstance(value, type):
            return self._once(value, self.class_)
        if isinstance(value, ModuleType):
            return self._module(value)
        if isinstance(value, FunctionType):
            return self._once(value, self._function)
        if isinstance(value, CodeType):
            return self._code(value, None)
        return self._container(value, name)

    def _container(self, value: object, name: str) -> Any:
        if isinstance(value, tuple | list):
            return [type(value).__name__, *(self.value(item, name) for item in value)]
        if isinstance(value, set | frozenset):
            return [type(value).__name__, *sorted(json.dumps(self.value(item, name)) for item in value)]
        if isinstance(value, Mapping):
            return [type(value).__name__, *([self.value(k, name), self.value(v, name)] for k, v in value.items())]
        if isinstance(value, staticmethod | classmethod | MethodType):
            return [type(value).__name__, self.value(value.__func__, name)]
        if isinstance(value, property):
            return ["property", *(self.value(f, name) for f in (value.fget, value.fset, value.fdel))]
        if isinstance(value, functools.cached_property):
            return ["cached_property", self.value(value.func, name)]
        if isinstance(value, functools.partial):
            return ["partial", *(self.value(part, name) for part in (value.func, value.args, value.keywords))]
        if isinstance(value, np.ndarray) and value.dtype != object:
            return ["array", str(value.dtype), value.shape, hashlib.sha256(value.tobytes()).hexdigest()]
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            own = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            return [self.value(type(value), name), self.value(own, name)]
        return self._object(value, name)

    def _object(self, value: object, name: str) -> Any:
        if (wrapped := getattr(value, "__wrapped__", None)) is not None:
            return [type(value).__qualname__, self.value(wrapped, name)]
        if callable(value) and getattr(value, "__module__", None) and hasattr(value, "__qualname__"):
            return f"{value.__module__}.{value.__qualname__}"
        try:
            state = pickle.dumps(value, protocol=4)
        except Exception as error:
            raise ConfigError(
                f"{name!r}, {_article(type(value).__name__)}, cannot be made a part of the run key ({error}); "
                "define the system in a file, or make it inside a method"
            ) from error
        return [self.value(type(value), name), hashlib.sha256(state).hexdigest()]

    def class_(self, cls: type) -> Any:
        """Bases, attributes and methods of a class of this session; other ones end the walk."""
        if not _was_typed(cls):
            return self._elsewhere(f"{cls.__module__}.{cls.__qualname__}", file_of(cls), cls)
        attributes = {
            name: self.value(value, f"{cls.__qualname__}.{name}")
            for name, value in sorted(vars(cls).items())
            if name not in _OF_EVERY_CLASS and not (name in _OF_DATACLASSES and _generated(value))
        }
        if dataclasses.is_dataclass(cls):
            for field in dataclasses.fields(cls):
                default = (field.name, str(field.type), field.default, field.default_factory)
                attributes[f"field {field.name}"] = [
                    "missing" if part is dataclasses.MISSING else self.value(part, field.name) for part in default
                ]
        return [
            "class",
            cls.__qualname__,
            [self.value(base, cls.__qualname__) for base in cls.__bases__],
            attributes,
        ]

    def _function(self, function: FunctionType) -> Any:
        name = function.__qualname__
        cells = dict(_closure(function))
        if _is_file(function.__code__.co_filename):
            # A decorator from a file may hold a function that was typed.
            held = [self.value(value, key) for key, value in cells.items() if callable(value)]
            file = Path(function.__code__.co_filename)
            return [self._elsewhere(f"{function.__module__}.{name}", file, function), held]
        used = {
            key: function.__globals__[key] for key in sorted(_globals(function.__code__) & {*function.__globals__})
        }
        for module in sorted(_imported(function.__code__)):
            for file in files_of_import(module):
                self._elsewhere(module, file)
        return [
            "function",
            self._code(function.__code__, function.__doc__),
            self.value(function.__defaults__, name),
            self.value(function.__kwdefaults__, name),
            self.value(cells, name),
            {key: self.value(value, key) for key, value in used.items()},
        ]

    def _code(self, code: CodeType, docstring: str | None) -> Any:
        constants = list(code.co_consts)
        if constants and docstring is not None and constants[0] == docstring:
            constants[0] = None
        counts = (code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        described = [self.value(constant, code.co_name) for constant in constants]
        return [sys.version_info[:2], code.co_code.hex(), code.co_exceptiontable.hex(), counts, names, described]

    def _module(self, module: ModuleType) -> str:
        """One's own modules count with all their loaded sub-modules, as an attribute may reach any of them."""
        loaded = [m for name, m in sys.modules.items() if f"{name}.".startswith(f"{module.__name__}.") and m]
        for part in loaded:
            if file := getattr(part, "__file__", None):
                self._elsewhere(part.__name__, Path(file))
        return f"module {module.__name__}"

    def _elsewhere(self, name: str, file: Path | None, held: type | FunctionType | None = None) -> str:
        if file is not None and file.suffix == ".py" and is_own(file):
            refuse_outdated(file.resolve(), held)
            self.files |= own_code(file)
        return name

    def _file(self, path: Path) -> Iterator[str]:
        try:
            if path.name and path.is_file():
                yield file_digest(path)
        except (OSError, ValueError):
            return  # no path after all, but a long or odd text

    def _once(self, value: Any, describe: Any) -> Any:
        if id(value) not in self._seen:
            self._seen[id(value)] = f"number {len(self._seen)}"
            return describe(value)
        return self._seen[id(value)]


def _generated(value: object) -> bool:
    return isinstance(value, FunctionType) and value.__code__.co_filename == _GENERATED


def _closure(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Variables of the functions around it, but for the one by which ``super()`` finds the class itself."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            if name != "__class__":
                yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            yield name, None


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _globals(code: CodeType) -> set[str]:
    """Global names that a function loads, also in functions and classes inside it."""
    loads = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
    return {str(i.argval) for part in _codes(code) for i in dis.get_instructions(part) if i.opname in loads}


def _imported(code: CodeType) -> set[str]:
    """Modules that a function imports when it is called."""
    return {str(i.argval) for part in _codes(code) for i in dis.get_instructions(part) if i.opname == "IMPORT_NAME"}


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
