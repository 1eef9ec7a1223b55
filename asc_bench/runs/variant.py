"""``name[param=value,...]``: one text for a system with its settings, wherever it is named."""

from __future__ import annotations

import dataclasses
import itertools
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from asc_bench.budget import Budget
from asc_bench.errors import ConfigError
from asc_bench.names import near, require_text
from asc_bench.registry import origin, system_fault, systems
from asc_bench.systems.base import Params, System, Task
from asc_bench.systems.transfer.system import TransferredSystem


@dataclass(frozen=True)
class Variant:
    """A system with resolved settings."""

    system: type[System]
    params: Params

    @property
    def name(self) -> str:
        """The system's name."""
        return self.system.card.name

    def __str__(self) -> str:
        """Canonical text: settings that differ from their defaults, in the order of their declaration."""
        changed = [
            f"{f.name}={_show(getattr(self.params, f.name))}"
            for f in dataclasses.fields(self.params)
            if getattr(self.params, f.name) != _default(f)
        ]
        return f"{self.name}[{','.join(changed)}]" if changed else self.name

    def __reduce__(self) -> tuple[Callable[..., Variant], tuple[object, ...]]:
        """Travel to a worker as text, since it may have to load the plug-in first; as its class if unregistered."""
        if systems().found.get(self.name) is self.system:
            return _read_one, (str(self),)
        return Variant, (self.system, self.params)

    def build(self, task: Task, budget: Budget) -> System:
        """The system itself, bound to a task; of transfer also the system that it transfers."""
        system = self.system(task, self.params, budget)
        if isinstance(system, TransferredSystem):
            (inner,) = parse_variants(system.params.system)
            system.inner = inner.build(system.inner_task, budget)
        return system


def _read_one(text: str) -> Variant:
    (variant,) = parse_variants(text)
    return variant


SystemLike = str | type[System] | System | Variant
"""A system by name (with settings in brackets), as a class, an instance or a variant; it need not be registered."""


def variants_of(given: SystemLike | Iterable[SystemLike]) -> list[Variant]:
    """Variants of one or several systems; texts are read as in `parse_variants`, repeats are dropped.

    Raises
    ------
    ConfigError
        As `parse_variants` and `variant_of`; or if nothing is given.
    """
    found: dict[Variant, None] = {}
    for item in listed(given):
        found |= dict.fromkeys(parse_variants(item) if isinstance(item, str) else [variant_of(item)])
    if not found:
        raise ConfigError("no system is named; try 'all'")
    return list(found)


def listed(given: SystemLike | Iterable[SystemLike]) -> list[SystemLike]:
    """One or several systems as a list."""
    several = isinstance(given, Iterable) and not isinstance(given, str | type | System | Variant)
    return list(given) if several else [given]  # type: ignore[arg-type, list-item] # just checked


def variant_of(system: SystemLike, **settings: object) -> Variant:
    """One system with settings given as Python values.

    Parameters
    ----------
    system : str, type, System or Variant
        As ``SystemLike``. An instance and a variant bring settings of their own, which ``settings`` replace.
    **settings
        By the names of the fields of the system's ``Params``.

    Raises
    ------
    ConfigError
        For an unknown system or setting (with the near names), a value of the wrong type, a text that stands for
        several variants, a class that is no complete system, or one whose name another system has.

    Examples
    --------
    >>> str(variant_of("sb-cnn", bn=True))
    'sb-cnn[bn=true]'
    """
    if isinstance(system, str) and "[" not in system and system in systems().found:
        system = systems().get(system)
    if isinstance(system, str):
        found = parse_variants(system)
        if len(found) != 1:
            raise ConfigError(f"{system!r} stands for {len(found)} systems, such as {found[0]}; give one")
        (system,) = found
    if isinstance(system, System):
        system = Variant(_usable(type(system)), system.params)
    if isinstance(system, Variant):
        cls, given = (
            system.system,
            {f.name: getattr(system.params, f.name) for f in dataclasses.fields(system.params)},
        )
    else:
        cls, given = _usable(system), {}
    hints = typing.get_type_hints(cls.Params)
    for key, value in settings.items():
        _check_known(cls, key)
        given[key] = _convert(f"{cls.card.name}: {key}", _show(value), hints[key])
    return Variant(cls, _make(cls, given))


def _usable(system: object) -> type[System]:
    """A class that may be registered or not.

    Raises
    ------
    ConfigError
        If it is no complete system, or if its name is another one's.
    """
    if not (isinstance(system, type) and issubclass(system, System)):
        raise ConfigError(f"{system!r} is no system: give a name, a subclass of asc_bench.api.System or a variant")
    if fault := system_fault(system):
        raise ConfigError(f"{system.__qualname__} cannot be used: {fault}")
    namesake = systems().found.get(system.card.name, system)
    if namesake is not system:
        raise ConfigError(
            f"the name {system.card.name!r} of {system.__qualname__} is that of {origin(namesake)}: "
            "give its card another one"
        )
    return system


def parse_variants(text: str) -> list[Variant]:
    """Read ``all``, names, globs and ``name[param=value,...]``, separated by commas; repeats are dropped.

    ``param=*`` stands for every choice of a parameter that has choices, and ``param=a|b`` for some of them.
    Combinations that the system's settings refuse are left out then, unless all are. ``all`` and globs leave out
    systems that cannot do without settings.

    Raises
    ------
    ConfigError
        For unknown names or parameters (with the near ones) and for values of the wrong type.
    """
    require_text(text, what="system")
    variants: dict[str, Variant] = {}
    for item in split_items(text):
        name, _, settings = item.partition("[")
        if settings and not settings.endswith("]"):
            raise ConfigError(f"{item!r} lacks the closing bracket")
        pattern = "*" if name == "all" else name
        several = any(c in pattern for c in "*?")
        for found in systems().match(pattern) if several else [name]:
            if several and not settings and needs_settings(found):
                continue
            for variant in expand(systems().get(found), settings.removesuffix("]")):
                variants.setdefault(str(variant), variant)
    if not variants:
        raise ConfigError("no system is named; try --systems all")
    return list(variants.values())


def needs_settings(name: str) -> bool:
    """Whether a system cannot do with the defaults of its settings."""
    try:
        systems().get(name).Params()
    except ConfigError:
        return True
    return False


def split_items(text: str) -> Iterable[str]:
    """Items of a comma-separated list; commas inside brackets do not count."""
    depth, item = 0, ""
    for character in text:
        depth += (character == "[") - (character == "]")
        if depth < 0:
            raise ConfigError(f"{text!r} has a closing bracket too many")
        if character == "," and depth == 0:
            yield item.strip()
            item = ""
        else:
            item += character
    if depth:
        raise ConfigError(f"{text!r} lacks a closing bracket")
    if item.strip():
        yield item.strip()


def expand(system: type[System], text: str) -> Iterator[Variant]:
    """Every variant that the settings between the brackets stand for; raises as `parse_variants`."""
    choices = _parse_choices(system, text)
    refused: ConfigError | None = None
    n_found = 0
    for combination in itertools.product(*choices.values()):
        try:
            params = _make(system, dict(zip(choices, combination, strict=True)))
        except ConfigError as error:
            refused = error
            continue
        n_found += 1
        yield Variant(system, params)
    if refused is not None and not n_found:
        raise refused


def _make(system: type[System], values: dict[str, object]) -> Params:
    try:
        return system.Params(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{system.card.name}: {error}") from error


def _check_known(system: type[System], key: str) -> None:
    known = [f.name for f in dataclasses.fields(system.Params)]
    if key not in known:
        hint = near(key, known) if known else "; it takes none"
        raise ConfigError(f"{system.card.name} has no parameter {key!r}{hint}")


def _parse_choices(system: type[System], text: str) -> dict[str, list[object]]:
    name, hints = system.card.name, typing.get_type_hints(system.Params)
    values: dict[str, list[object]] = {}
    for assignment in filter(None, split_items(text)):
        key, equals, value = (part.strip() for part in assignment.partition("="))
        if not equals:
            raise ConfigError(f"{name}: {assignment!r} is not of the form parameter=value")
        _check_known(system, key)
        if key in values:
            raise ConfigError(f"{name}: parameter {key!r} is given twice")
        named = typing.get_origin(hints[key]) is typing.Literal
        if value == "*" and not named:
            raise ConfigError(f"{name}: {key} has no list of choices that * could stand for")
        texts = [str(c) for c in typing.get_args(hints[key])] if value == "*" else [value]
        texts = [t.strip() for t in value.split("|")] if named and "|" in value else texts
        values[key] = [_convert(f"{name}: {key}", t, hints[key]) for t in texts]
    return values


def _convert(where: str, text: str, kind: object) -> object:
    if typing.get_origin(kind) is typing.Literal:
        choices = {str(c): c for c in typing.get_args(kind)}
        if text not in choices:
            raise ConfigError(f"{where} is {text!r}, but must be one of {', '.join(choices)}")
        return choices[text]
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        options = typing.get_args(kind)
        if type(None) in options and text.lower() == "none":
            return None
        return _convert(where, text, next(o for o in options if o is not type(None)))
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


def _a(kind: object) -> str:
    return "a whole number" if kind is int else "a number"


def _show(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _default(field: dataclasses.Field[object]) -> object:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
