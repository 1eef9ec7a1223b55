"""Typed settings as text, and back: ``true``, ``0.3``, ``none``, ``cosine(warmup=0.1)``."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence

from asc_bench.errors import ConfigError
from asc_bench.names import near

_OPENING, _CLOSING = "[(", "])"


def split_items(text: str, separator: str = ",") -> list[str]:
    """Items of a list; separators inside brackets or parentheses do not count, and empty items are left out.

    Raises
    ------
    ConfigError
        If a bracket or parenthesis is not closed, or not opened.
    """
    open_ones, items = "", [""]
    for character in text:
        if character in _OPENING:
            open_ones += character
        elif character in _CLOSING:
            if not open_ones:
                raise ConfigError(f"{text!r} has a closing {_kind(character)} too many")
            if _OPENING.index(open_ones[-1]) != _CLOSING.index(character):
                raise ConfigError(f"{text!r} lacks a closing {_kind(open_ones[-1])} before {character!r}")
            open_ones = open_ones[:-1]
        if character == separator and not open_ones:
            items.append("")
        else:
            items[-1] += character
    if open_ones:
        raise ConfigError(f"{text!r} lacks a closing {_kind(open_ones[-1])}")
    return [item.strip() for item in items if item.strip()]


def _kind(character: str) -> str:
    return "bracket" if character in "[]" else "parenthesis"


def to_value(where: str, text: str, kind: object) -> object:
    """The value that a text stands for.

    Parameters
    ----------
    where : str
        What messages call the setting.
    text : str
        As it was typed.
    kind : type
        ``bool``, ``int``, ``float``, ``str``, a ``Literal``, or one of these or None.

    Raises
    ------
    ConfigError
        If it is no text of that type, or the type has none.

    Examples
    --------
    >>> to_value("bn", "True", bool), to_value("patience", "none", int | None)
    (True, None)
    """
    if typing.get_origin(kind) is typing.Literal:
        choices = {str(c): c for c in typing.get_args(kind)}
        if text not in choices:
            raise ConfigError(f"{where} is {text!r}, but must be one of {', '.join(choices)}")
        return choices[text]
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        options = typing.get_args(kind)
        if type(None) in options and text.lower() == "none":
            return None
        return to_value(where, text, next(o for o in options if o is not type(None)))
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ConfigError(f"{where} is {text!r}, but must be true or false")
        return text.lower() == "true"
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise ConfigError(f"{where} is {text!r}, which is not {_a(kind)}") from None
    if kind is str:
        return text
    raise ConfigError(f"{where} cannot be set from text (its type is {kind})")


def to_instance(where: str, text: str, classes: Mapping[str, type]) -> object:
    """An instance of one of several dataclasses, from ``name`` or ``name(value, field=value)``.

    Parameters
    ----------
    where : str
        What messages call the setting.
    text : str
        As it was typed; values without a name are those of the first fields.
    classes : mapping
        Dataclasses by name, with fields of the types that `to_value` reads.

    Raises
    ------
    ConfigError
        For an unknown name or field, with the near ones, a value of the wrong type, or a field that is missing.
    """
    name, parenthesis, rest = (part.strip() for part in text.partition("("))
    if name not in classes:
        raise ConfigError(f"{where}: there is no {name!r}{near(name, classes)}")
    if parenthesis and not rest.endswith(")"):
        raise ConfigError(f"{where}: {text!r} does not end with its closing parenthesis")
    cls = classes[name]
    hints = typing.get_type_hints(cls)
    known = [f.name for f in dataclasses.fields(cls)]
    values: dict[str, object] = {}
    for place, item in enumerate(split_items(rest.removesuffix(")"))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            if place >= len(known):
                raise ConfigError(f"{where}: {text!r} has more values than {name} has parameters ({len(known)})")
            key, value = known[place], item
        if key not in known:
            raise ConfigError(f"{where}: {name} has no parameter {key!r}{near(key, known) or '; it takes none'}")
        if key in values:
            raise ConfigError(f"{where}: {name}: parameter {key!r} is given twice")
        values[key] = to_value(f"{where}: {name}: {key}", value, hints[key])
    needed = [f.name for f in dataclasses.fields(cls) if default_of(f) is dataclasses.MISSING]
    if missing := [key for key in needed if key not in values]:
        raise ConfigError(f"{where}: {name} needs {missing[0]}, as in {name}({missing[0]}=...)")
    return cls(**values)


def to_text(value: object) -> str:
    """The shortest text that is read back as this value; of a sequence, items joined by ``+``.

    Examples
    --------
    >>> to_text(True), to_text(None), to_text(0.3), to_text(())
    ('true', 'none', '0.3', 'none')
    """
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "+".join(to_text(item) for item in value) or "none"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [(f, getattr(value, f.name)) for f in dataclasses.fields(value)]
        changed = [f"{f.name}={to_text(given)}" for f, given in fields if given != default_of(f)]
        return f"{name_of(type(value))}({','.join(changed)})" if changed else name_of(type(value))
    return str(value)


def name_of(cls: type) -> str:
    """What a dataclass is called in texts: its ``name``, or that of the class in lower case."""
    return str(getattr(cls, "name", cls.__name__.lower()))


def default_of(field: dataclasses.Field[typing.Any]) -> object:
    """Default of a field, or ``MISSING``."""
    # By the name of the type: a class that was sent to another process as it is brought a ``MISSING`` of its own.
    missing = type(dataclasses.MISSING).__name__
    if type(field.default_factory).__name__ != missing:
        make: Callable[[], object] = field.default_factory  # type: ignore[assignment] # it is there
        return make()
    return dataclasses.MISSING if type(field.default).__name__ == missing else field.default


def _a(kind: object) -> str:
    return "a whole number" if kind is int else "a number"
