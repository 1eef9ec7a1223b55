"""Options given as plain Python values, held against type hints before anything is computed."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from asc_bench.errors import ConfigError
from asc_bench.names import near

_WORDS: dict[object, str] = {
    bool: "True or False",
    int: "a whole number",
    str: "a text",
    Path: "a path",
    types.NoneType: "None",
    float: "a number",
}


def checked(given: Mapping[str, object], contract: type) -> dict[str, object]:
    """The values, each of the type that a typed dictionary states for it; iterables as tuples.

    Parameters
    ----------
    given : mapping
        Values by name.
    contract : type
        A ``TypedDict`` of texts, whole numbers, truth values, paths, None, and iterables of these.

    Raises
    ------
    ConfigError
        For a name that there is not, with the near ones, or a value of another type.
    """
    hints = typing.get_type_hints(contract)
    for name in given:
        if name not in hints:
            raise ConfigError(f"there is no option {name!r}{near(name, hints)}")
    return {name: _value(name, value, _choices(hints[name])) for name, value in given.items()}


def texts(given: str | Iterable[str] | None) -> tuple[str, ...]:
    """Names that were given as one text, as several, or not at all."""
    return (given,) if given and isinstance(given, str) else tuple(given or ())


def paths(given: str | Path | Iterable[str | Path] | None) -> tuple[Path, ...]:
    """Folders that were given as one path, as several, or not at all."""
    return tuple(Path(path) for path in ((given,) if isinstance(given, str | Path) else given or ()))


def _choices(hint: object) -> tuple[object, ...]:
    union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    return tuple(c for part in typing.get_args(hint) for c in _choices(part)) if union else (hint,)


def _value(name: str, value: object, choices: tuple[object, ...]) -> object:
    inner = next((typing.get_args(c)[0] for c in choices if typing.get_origin(c)), None)
    if int in choices and isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if float in choices and isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return float(value)
    if any(_is(value, choice) for choice in choices):
        return value
    if inner is not None and isinstance(value, Iterable) and not isinstance(value, str | bytes):
        items = tuple(value)
        if all(any(_is(item, choice) for choice in _choices(inner)) for item in items):
            return items
    words = [_WORDS[c] for c in choices if c in _WORDS] + (["several of these"] if inner is not None else [])
    raise ConfigError(f"{name} is {value!r}, but must be {' or '.join(words)}")


def _is(value: object, kind: object) -> bool:
    return isinstance(kind, type) and kind is not int and isinstance(value, kind)
