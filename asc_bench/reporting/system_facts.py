"""What is said of a system's settings and published numbers, in the terminal, in the documentation and on pages."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asc_bench.reporting.published import PublishedNumber

if TYPE_CHECKING:
    from asc_bench.systems.base import System


@dataclass(frozen=True)
class SettingFact:
    """One setting of a system.

    Attributes
    ----------
    name : str
        As it is typed.
    default : object
        Its value where none is given; ``dataclasses.MISSING`` where one must be.
    kind : str
        Its choices, or the name of its type.
    """

    name: str
    default: object
    kind: str

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is dataclasses.MISSING


def settings_of(cls: type[System]) -> list[SettingFact]:
    """All settings of a system, in the order of its ``Params``."""
    hints = typing.get_type_hints(cls.Params)
    return [
        SettingFact(
            field.name,
            field.default if field.default_factory is dataclasses.MISSING else field.default_factory(),
            _kind(hints[field.name]),
        )
        for field in dataclasses.fields(cls.Params)
    ]


def row_named(number: PublishedNumber, cls: type[System]) -> str:
    """Which row of its table a published number is, and what else must be set to compare with it."""
    entry = number.entry
    defaults = {setting.name: str(setting.default) for setting in settings_of(cls)}
    needed = {k: v for k, v in entry.when.items() if v != defaults.get(k)}
    stated = {k: v for k, v in {**entry.where, **needed}.items() if k != "protocol"}  # that has a column of its own
    settings = ", ".join(f"{k}={v}" for k, v in stated.items())
    return "; ".join(filter(None, (settings, entry.comment)))


def table_named(number: PublishedNumber) -> str:
    """The file that holds a published number, with its publication where that is not the one of the card."""
    return f"results/published/{number.entry.table}.csv" + (f": {number.source}" if number.source else "")


def _kind(hint: object) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(str(choice) for choice in typing.get_args(hint))
    return getattr(hint, "__name__", str(hint))
