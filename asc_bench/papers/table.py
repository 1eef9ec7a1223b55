"""The contract of a published table that is run again: its cells, and where each published number stands."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from asc_bench.papers.item import PaperItem, Place
from asc_bench.systems.base import Published

if TYPE_CHECKING:
    import pandas as pd

    from asc_bench.bench.bench import Bench
    from asc_bench.runs.settings import Settings
    from asc_bench.runs.store import StoredRun


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
        Name of a measure of the protocol, or of whatever else ``Reproduction.measured`` gives.
    published : Published, optional
        Where the paper's number stands, by ``measure``; None where the paper printed none.
    protocol : str
        That it belongs to, if it is not the table's own.
    in_percent : bool
        Whether it is a fraction that is shown in percent; see ``Reproduction.in_percent`` for a whole table.
    """

    at: Place
    row: tuple[str, ...]
    column: tuple[str, str]
    variant: str
    measure: str
    published: Published | None = None
    protocol: str = ""
    in_percent: bool = True


@dataclass(frozen=True, kw_only=True)
class Finished:
    """All that the numbers of a table come from.

    Attributes
    ----------
    runs : mapping of str to sequence of StoredRun
        By variant, those whose runs are all done; with weights, if the table needs them.
    bench : Bench
        Protocol, recordings and folds.
    settings : Settings
        Where features are cached, and the device: for numbers that need the fitted systems.
    folder : Path
        Where the table goes; what is computed may be kept there.
    """

    runs: Mapping[str, Sequence[StoredRun]]
    bench: Bench
    settings: Settings
    folder: Path


class Reproduction(PaperItem):
    """Base of every published table; a subclass lives beside its system. Importing it must be cheap."""

    row_titles: ClassVar[tuple[str, ...]]
    best_of: ClassVar[str] = ""
    """Measure whose best value in each row is marked, as the paper does; none is if empty."""
    best_means: ClassVar[str] = ""
    """What the mark says, such as ``best of the four layers``."""
    needs_weights: ClassVar[bool] = False
    """Whether ``measured`` loads the fitted systems; runs are computed again where the weights were not kept."""
    in_percent: ClassVar[bool] = True
    """Whether values are fractions, shown in percent as the paper prints them; else they are shown as they are."""

    @abstractmethod
    def cells(self) -> Sequence[Cell]:
        """Every cell, row by row in the order of the paper."""

    def measured(self, finished: Finished) -> pd.DataFrame:
        """Values of all cells; by default the measures of the protocol, from the stored predictions.

        Returns
        -------
        DataFrame
            One row per system and measure with the columns of ``score_table`` in ``asc_bench.scoring.frames``;
            ``low`` and ``high`` are NaN where there is no interval. A column ``reason``, if there is one, says in
            a sentence why a value is NaN.
        """
        from asc_bench.reporting.kept_scores import scored

        return scored(finished.bench.protocol, finished.runs, finished.folder)

    def remarks(self) -> Sequence[str]:
        """Sentences about the published numbers, shown where these stand beside measured ones."""
        return ()


class TransferTable(Reproduction):
    """A published table of transfer: from ``protocol``, the source, to the protocols of its cells, the targets.

    The variant of a cell is a transfer without its source, such as ``transfer[system=my-cnn,variant=svm]``; one of
    the axes is ``target``.
    """
