"""The contract of a published table that is run again: its cells, and where each published number stands."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from asc_bench.experiment.paper import PaperItem, Place
from asc_bench.systems.base import Published


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One number of a published table.

    Attributes
    ----------
    at : mapping
        Value on each axis of the table.
    row : tuple of str
        Labels of its row, one for each of ``Reproduction.row_titles``.
    column : (str, str)
        Group of columns (empty where the table has none) and the column's own title.
    variant : str
        System that it belongs to, such as ``my-cnn[width=64]``. Several cells may share one.
    measure : str
        Name of a measure of the protocol.
    published : Published, optional
        Where the paper's number stands, by ``measure``; None where the paper printed none.
    """

    at: Place
    row: tuple[str, ...]
    column: tuple[str, str]
    variant: str
    measure: str
    published: Published | None = None


class Reproduction(PaperItem):
    """Base of every published table; a subclass lives beside its system. Importing it must be cheap."""

    row_titles: ClassVar[tuple[str, ...]]
    best_of: ClassVar[str] = ""
    """Measure whose best value in each row is marked, as the paper does; none is if empty."""
    best_means: ClassVar[str] = ""
    """What the mark says, such as ``best of the four layers``."""

    @abstractmethod
    def cells(self) -> Sequence[Cell]:
        """Every cell, row by row in the order of the paper."""

    def remarks(self) -> Sequence[str]:
        """Sentences about the published numbers, shown where these stand beside measured ones."""
        return ()
