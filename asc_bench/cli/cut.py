"""The name of a paper's table or figure, and the options that are named after its axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import typer

    from asc_bench.papers.item import Cut, PaperItem
    from asc_bench.registry import Registry

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Settings of typer for a verb that takes such options."""

Item = TypeVar("Item", bound="PaperItem")


def find(registry: Registry[type[Item]], arguments: Sequence[str], known: Iterable[str]) -> tuple[Item, Cut]:
    """Read ``system/item --axis value,value``.

    Parameters
    ----------
    registry : Registry
        Tables or figures.
    arguments : sequence of str
        What is left of the command line once the verb's own options are taken.
    known : iterable of str
        The verb's own options, for near names.

    Raises
    ------
    ConfigError
        For an unknown name, option or value, with the near ones; for an option without a value or given twice.
    """
    from asc_bench.errors import ConfigError
    from asc_bench.names import near

    names, given = _split(arguments)
    if len(names) != 1:
        what = f"{len(names)} names are given: {', '.join(names)}" if names else "no name is given"
        raise ConfigError(f"{what}; name one {registry.kind}{near('', registry.names())}")
    item = registry.get(names[0])()
    axes = {_option(axis): axis for axis in item.axes}
    cut: dict[str, tuple[str, ...]] = {}
    for option, text in given:
        if option not in axes:
            raise ConfigError(f"{item.name} has no option {option!r}{near(option, [*axes, *known])}")
        values = tuple(value.strip() for value in (text or "").split(",") if value.strip())
        if not values:
            raise ConfigError(f"{option} needs a value: {', '.join(item.axes[axes[option]])}")
        if axes[option] in cut:
            raise ConfigError(f"{option} is given twice; separate its values by commas")
        cut[axes[option]] = values
    item.check(cut)
    return item, cut


def listing(registry: Registry[type[Item]]) -> str:
    """What there is, with the options that cut it."""
    lines = []
    for name in registry.names():
        item = registry.found[name]
        lines.append(f"{name}  {item.title} ({item.protocol})")
        lines += [f"    {_option(axis)} {','.join(values)}" for axis, values in item.axes.items()]
    lines += [f"{u.name}  unavailable: {u.reason}" for _, u in sorted(registry.unavailable.items())]
    return "\n".join(lines)


def own_options(context: typer.Context) -> list[str]:
    """Names of the options that the verb itself has."""
    return [option for parameter in context.command.params for option in parameter.opts if option[:1] == "-"]


def _split(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, str | None]]]:
    """Names, and options with their texts; an option without one has None."""
    names: list[str] = []
    given: list[tuple[str, str | None]] = []
    pending = list(arguments)
    while pending:
        word = pending.pop(0)
        if not word.startswith("-"):
            names.append(word)
        elif "=" in word:
            option, _, text = word.partition("=")
            given.append((option, text))
        else:
            given.append((word, pending.pop(0) if pending and not pending[0].startswith("-") else None))
    return names, given


def _option(axis: str) -> str:
    return "--" + axis.replace("_", "-")
