"""Figures of some results, as pictures that a notebook shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asc_bench.errors import ConfigError
from asc_bench.names import near
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.figures import draw_confusions, figure_bytes, save_figure
from asc_bench.reporting.report import confusion_panels, confusion_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plots:
    """Figures of some results."""

    evaluation: Evaluation

    def scores(self) -> Picture:
        """Every measure of every system with its interval."""
        return Picture(self.evaluation.score_figure())

    def confusion(self, system: str, device: str | None = None) -> Picture:
        """Confusion matrices of a system, one for each recording device.

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
        chosen = panels if device is None else {device: panels[device]}
        return Picture(draw_confusions(chosen, title=confusion_title(system, self.evaluation.setting)))


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure that a notebook shows."""

    figure: Figure

    def save(self, stem: Path | str) -> tuple[Path, Path]:
        """Write ``stem`` with ``.png`` and ``.svg``; raises StoreError if they cannot be written."""
        return save_figure(self.figure, Path(stem))

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure, "png")
