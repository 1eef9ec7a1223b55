"""Figures of some results, as pictures that a notebook shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asc_bench.errors import ConfigError
from asc_bench.names import near
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.figures import SCREEN, FigureStyle, figure_bytes, save_figure
from asc_bench.reporting.report_figures import (
    class_figure,
    confusion_figure,
    confusion_panels,
    curve_figure,
    device_figure,
    pareto_figure,
    rank_figure,
    score_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plots:
    """Figures of some results.

    Attributes
    ----------
    evaluation : Evaluation
        What is shown.
    style : FigureStyle
        Width and titles.
    """

    evaluation: Evaluation
    style: FigureStyle = SCREEN

    def sized(self, width: str | float, *, titles: bool = True) -> Plots:
        """The same in a width for print: ``one-column``, ``two-columns`` or inches; ConfigError for another one."""
        return Plots(self.evaluation, FigureStyle.of(width, titles=titles))

    def scores(self) -> Picture:
        """Every measure of every system with its interval."""
        return Picture(score_figure(self.evaluation, self.style), self.style)

    def ranks(self) -> Picture:
        """Systems by the primary measure, and bars that join those that do not differ significantly.

        Raises
        ------
        ConfigError
            Where there are not two systems of which every pair was tested.
        """
        return Picture(rank_figure(self.evaluation, self.style), self.style)

    def pareto(self) -> Picture:
        """The primary measure against what systems cost; raises ConfigError where no cost is known."""
        return Picture(pareto_figure(self.evaluation, self.style), self.style)

    def devices(self) -> Picture:
        """Scores on each recording device; raises ConfigError where the protocol has no measure for each."""
        return Picture(device_figure(self.evaluation, self.style), self.style)

    def classes(self) -> Picture:
        """Recall of each class by system; raises ConfigError where clips have several labels."""
        return Picture(class_figure(self.evaluation, self.style), self.style)

    def learning_curves(self) -> Picture:
        """How losses and accuracies went in training; raises ConfigError where no run has a history."""
        return Picture(curve_figure(self.evaluation, self.style), self.style)

    def confusion(self, system: str, device: str | None = None) -> Picture:
        """Confusion matrices of a system, one for each recording device; of many classes those of the coarse ones.

        Raises
        ------
        ConfigError
            For a system without a score, or an unknown device.
        """
        found = self.evaluation.confusions
        if system not in found:
            raise ConfigError(f"{system!r} has no confusion matrix here{near(system, found)}")
        panels = confusion_panels(found[system])
        if device is not None and device not in panels:
            raise ConfigError(f"{system} has no device {device!r}{near(device, panels)}")
        chosen = [] if device is None else [device]
        return Picture(confusion_figure(self.evaluation, system, devices=chosen, style=self.style), self.style)


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure that a notebook shows."""

    figure: Figure
    style: FigureStyle = SCREEN

    def save(self, stem: Path | str) -> tuple[Path, ...]:
        """Write ``stem`` with ``.png`` and ``.svg``, in a width for print with ``.pdf`` too.

        Raises
        ------
        StoreError
            If a file cannot be written.
        """
        return save_figure(self.figure, Path(stem), self.style)

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure, "png", self.style)
