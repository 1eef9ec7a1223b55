"""The contract of a paper's figure: the runs that it is drawn from, and the drawing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from asc_bench.papers.item import Cut, PaperItem, Place

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from asc_bench.bench.bench import Bench
    from asc_bench.runs.settings import Settings
    from asc_bench.runs.store import StoredRun


def silent(fraction: float, text: str) -> None:
    """Report nothing."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One system's part in a figure."""

    at: Place
    """Where it stands on the figure's axes."""
    variant: str
    """Such as ``my-cnn[width=64]``."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A part with its runs.

    Attributes
    ----------
    at : mapping
        Where it stands on the figure's axes.
    variant : str
        Canonical name.
    runs : tuple of StoredRun
        One for each fold and repeat, finished ones only.
    """

    at: Place
    variant: str
    runs: tuple[StoredRun, ...]


@dataclass(frozen=True, kw_only=True)
class Material:
    """All that a figure is drawn from.

    Attributes
    ----------
    parts : tuple of Drawn
        Those that were asked for and whose runs are all done, in the order of ``PaperFigure.parts``.
    scores : DataFrame
        ``score_table`` of ``asc_bench.scoring.frames`` over ``parts``, for all measures of the protocol;
        ``system`` is the canonical variant.
    cut : mapping
        What was asked for; may name axes that no part lies on, such as which clips to show.
    bench : Bench
        Protocol, recordings and folds.
    settings : Settings
        Where features are cached, and the device: for figures that need the fitted systems.
    title : str
        What every figure must say: protocol, data, budget and caveats. May have several lines.
    progress : callable
        To be given the finished fraction, from 0 to 1, and a few words, where drawing takes long.
    """

    parts: tuple[Drawn, ...]
    scores: pd.DataFrame
    bench: Bench
    settings: Settings
    title: str
    cut: Cut = field(default_factory=dict)
    progress: Callable[[float, str], None] = silent


class PaperFigure(PaperItem):
    """Base of every figure; a subclass lives beside its system. Importing it must be cheap."""

    needs_weights: ClassVar[bool] = False
    """Whether ``draw`` loads the fitted systems; their runs are computed again where the weights were not kept."""

    @abstractmethod
    def parts(self) -> Sequence[Part]:
        """The systems that it shows."""

    @abstractmethod
    def draw(self, material: Material) -> Figure:
        """Draw it; ``material.title`` stands in it. No metric is computed here."""
