"""What the shell offers behind an option: names of systems with their settings, protocols, data sets, budgets.

Nothing here imports torch: a shell waits for it at every press of the tabulator.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing
from collections.abc import Iterable, Iterator

_SPECIAL_SYSTEMS = ("all",)


def budgets(incomplete: str) -> list[str]:
    """Names of budgets."""
    from asc_bench.budget import Budget

    return _beginning(map(str, Budget), incomplete)


def protocols(incomplete: str) -> list[str]:
    """Names of protocols."""
    from asc_bench.registry import protocols

    return _beginning(protocols().names(), incomplete)


def datasets(incomplete: str) -> list[str]:
    """Names of data sets, and of protocols, whose data sets are meant."""
    from asc_bench.registry import layouts

    return _beginning(sorted(layouts().found), incomplete) + protocols(incomplete)


def system(incomplete: str) -> list[str]:
    """One system, and behind its bracket its settings with their values."""
    name, bracket, settings = incomplete.partition("[")
    if not bracket:
        return _systems(incomplete)
    given, comma, last = _last_item(settings)
    setting, equals, value = last.partition("=")
    head = f"{name}[{given}{comma}"
    if not equals:
        taken = {item.partition("=")[0].strip() for item in given.split(",")}
        return [f"{head}{key}=" for key in _settings(name) if key.startswith(setting) and key not in taken]
    return [f"{head}{setting}={choice}" for choice in _choices(name, setting) if choice.startswith(value)]


def systems(incomplete: str) -> list[str]:
    """Systems separated by commas, the last of which is completed."""
    given, comma, last = _last_item(incomplete)
    found = system(last) + ([] if given else _beginning(_SPECIAL_SYSTEMS, last))
    return [f"{given}{comma}{item}" for item in found]


def named(incomplete: str) -> list[str]:
    """What ``info`` tells of: systems, protocols and data sets."""
    return system(incomplete) + datasets(incomplete)


def _last_item(text: str) -> tuple[str, str, str]:
    """A list up to its last comma outside brackets, that comma, and what is behind it."""
    depth = at = 0
    for place, character in enumerate(text):
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            at = place + 1
    return (text[: at - 1], ",", text[at:]) if at else ("", "", text)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _systems(incomplete: str) -> list[str]:
    from asc_bench.registry import systems

    return _beginning(systems().names(), incomplete)


def _settings(name: str) -> Iterator[str]:
    """Keys of the settings of a system, and for networks those of its training plan."""
    from asc_bench.registry import systems
    from asc_bench.systems.torch_system import TorchSystem
    from asc_bench.training.plan_changes import KEYS

    cls = systems().found.get(name)
    if cls is None:
        return
    yield from (field.name for field in dataclasses.fields(cls.Params))
    if issubclass(cls, TorchSystem):
        yield from KEYS


def _choices(name: str, setting: str) -> list[str]:
    """Values of a setting that has few; names of transforms for ``augment``."""
    from asc_bench.registry import systems
    from asc_bench.training.plan import TrainingPlan
    from asc_bench.training.plan_changes import AUGMENT, KEYS

    if setting == AUGMENT:
        from asc_bench.training.transforms.table import TRANSFORMS

        return ["none", *TRANSFORMS]
    cls = systems().found.get(name)
    if cls is None:
        return []
    of_plan = setting in KEYS and setting not in {field.name for field in dataclasses.fields(cls.Params)}
    owner, key = (TrainingPlan, KEYS[setting]) if of_plan else (cls.Params, setting)
    hints: dict[str, object] = {}
    with contextlib.suppress(NameError, TypeError):
        hints = typing.get_type_hints(owner)
    return _values(hints.get(key))


def _values(kind: object) -> list[str]:
    if kind is bool:
        return ["true", "false"]
    if typing.get_origin(kind) is typing.Literal:
        return [str(value) for value in typing.get_args(kind)]
    return []
