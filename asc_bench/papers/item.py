"""What a table and a figure of a paper have in common: a name, a protocol, and axes to cut it along."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from typing import ClassVar

from asc_bench.errors import ConfigError

Place = Mapping[str, str]
"""Value on each axis, such as ``{"topology": "atrous", "pooling": "att"}``."""

Cut = Mapping[str, Sequence[str]]
"""Values that are wanted, by axis; an axis that is not named is left whole."""


class PaperItem(ABC):
    """Base of ``Reproduction`` and ``PaperFigure``."""

    name: ClassVar[str]
    """``system/item``, such as ``my-cnn/table2``."""
    title: ClassVar[str]
    protocol: ClassVar[str]
    """Name of the protocol that the numbers belong to."""
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Parameter to its values in the order of the paper; the command line cuts along them."""
    notes: ClassVar[tuple[str, ...]] = ()
    """Sentences that a reader must see: what the paper leaves open, what it did that we do not."""

    def check(self, cut: Cut) -> None:
        """Refuse a cut along what is no axis, or for values that the axis does not have.

        Raises
        ------
        ConfigError
            With the near names.
        """
        from asc_bench.names import near

        for axis, values in cut.items():
            if axis not in self.axes:
                hint = near(axis, self.axes) if self.axes else "; it has none"
                raise ConfigError(f"{self.name} has no axis {axis!r}{hint}")
            for value in values:
                if value not in self.axes[axis]:
                    raise ConfigError(f"{self.name} has no {axis} {value!r}{near(value, self.axes[axis])}")


def inside(at: Place, cut: Cut) -> bool:
    """Whether a place is wanted; an axis that the place does not lie on says nothing."""
    return all(axis not in at or at[axis] in values for axis, values in cut.items())


def described(cut: Cut) -> str:
    """A cut in words, for messages."""
    return ", ".join(f"{axis} {' or '.join(values)}" for axis, values in cut.items())
