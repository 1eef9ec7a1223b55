"""Tables of numbers as TOML files, and their reader, which takes nothing that it does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from tomllib import TOMLDecodeError, loads
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from asc_bench.data.signals import Curve
from asc_bench.errors import DataError
from asc_bench.names import near

_SCALARS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def read_table(file: str, kind: Any, *, folder: Traversable | None = None) -> Mapping[str, Any]:
    """Read a table whose entries are all of one kind.

    Parameters
    ----------
    file : str
        Name of the TOML file.
    kind : type
        A frozen dataclass, the fields of which are the keys of an entry, or anything that a field may be: ``str``,
        ``bool``, ``int``, ``float``, a ``Literal``, a tuple, a mapping from names, a dataclass, such a type or
        None, or a union of dataclasses that the literals of their fields ``kind`` tell apart. For a ``Curve`` the
        file has its name in ``curves.toml``.
    folder : Traversable, optional
        Where the file is; by default in this package.

    Returns
    -------
    mapping
        Entries by name, in the order of the file; every number of a field of type float is a float.

    Raises
    ------
    DataError
        If the file is no TOML, or an entry lacks a key, has one that its kind does not know, or a value of another
        type, naming the file and the place in it.
    """
    text = ((folder or files(__package__)) / file).read_text(encoding="utf-8")
    try:
        entries = loads(text)
    except TOMLDecodeError as error:
        raise DataError(f"{file}: is no TOML: {error}") from error
    return MappingProxyType({name: _value(entry, kind, f"{file}: {name}") for name, entry in entries.items()})


@cache
def curves() -> Mapping[str, Curve]:
    """Spectra that recipes name: points (frequency in Hz, level in dB)."""
    return read_table("curves.toml", tuple[tuple[float, float], ...])


def _value(value: Any, kind: Any, where: str) -> Any:
    """``value`` as one of ``kind``."""
    if kind in _SCALARS:
        if type(value) is not kind and (kind, type(value)) != (float, int):
            raise _wrong(value, _SCALARS[kind], where)
        return kind(value)
    if kind == Curve:
        if not isinstance(value, str) or value not in curves():
            raise DataError(f"{where}: {value!r} is no curve of curves.toml{near(str(value), curves())}")
        return curves()[value]
    if is_dataclass(kind):
        return _record(value, kind, where)
    if isinstance(kind, UnionType):
        return _one_of(value, [choice for choice in get_args(kind) if choice is not NoneType], where)
    form, of = get_origin(kind), get_args(kind)
    if form is Literal:
        if value not in of:
            raise DataError(f"{where}: {value!r} is not one of {', '.join(of)}")
        return value
    if form is tuple:
        return _tuple(value, of, where)
    if form is Mapping:
        if not isinstance(value, dict):
            raise _wrong(value, "a table", where)
        return MappingProxyType({name: _value(its, of[1], f"{where}.{name}") for name, its in value.items()})
    raise TypeError(f"{where}: there is no reading {kind}")


def _tuple(value: Any, kinds: Sequence[Any], where: str) -> tuple[Any, ...]:
    any_length = kinds[-1] is Ellipsis
    n = "" if any_length else f"{len(kinds)} "
    if not isinstance(value, list) or not (any_length or len(value) == len(kinds)):
        raise _wrong(value, f"a list of {n}values", where)
    each = [kinds[0]] * len(value) if any_length else kinds
    return tuple(
        _value(item, kind, f"{where}[{i}]") for i, (item, kind) in enumerate(zip(value, each, strict=True))
    )


def _record(value: Any, kind: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(value, "a table", where)
    its = {field.name: field.default is MISSING for field in fields(kind)}
    unknown = next((key for key in value if key not in its), None)
    if unknown is not None:
        raise DataError(f"{where}: unknown key {unknown!r}{near(unknown, its)}")
    missing = [key for key, needed in its.items() if needed and key not in value]
    if missing:
        raise DataError(f"{where}: {', '.join(missing)} is missing")
    hints = get_type_hints(kind)
    return kind(**{key: _value(item, hints[key], f"{where}.{key}") for key, item in value.items()})


def _one_of(value: Any, choices: Sequence[Any], where: str) -> Any:
    if len(choices) == 1:
        return _value(value, choices[0], where)
    if not isinstance(value, dict):
        raise _wrong(value, "a table", where)
    of_kind = {name: choice for choice in choices for name in get_args(get_type_hints(choice)["kind"])}
    if "kind" not in value:
        raise DataError(f"{where}: kind is missing")
    name = _value(value["kind"], Literal[tuple(of_kind)], f"{where}.kind")
    return _record(value, of_kind[name], where)


def _wrong(value: Any, wanted: str, where: str) -> DataError:
    return DataError(f"{where}: {value!r} should be {wanted}")
