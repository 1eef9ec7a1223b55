"""Figures 5 and 6 of the CAA-Net paper, to be drawn again: ``asc-bench figure caa-net/fig5``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from asc_bench.api import FINE, Material, PaperFigure, Part

from .caa_net_tables import DEVICES, LAYERS, TOPOLOGIES, Table1, variant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHORT = {"flatten": "fla", "roi": "ROI", "roi+att": "r+a"}
_COLOURS = ("#8cbcdb", "#4a98c9", "#1764ab", "#08306b")
"""Of one hue, from light to dark, as layers have an order."""
_MARKERS = ("o", "s", "^", "D")
_SPREAD = 0.62
"""Share of the room of a pooling that its four layers take."""


class Figure5(PaperFigure):
    """Accuracy on each device, by topology, pooling and conditioned layer."""

    name = "caa-net/fig5"
    title = "CAA-Net, Figure 5: accuracy on each device, by topology, pooling and layer that is conditioned"
    protocol = Table1.protocol
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = Table1.axes
    notes = (
        "Lines: 95 % intervals, bootstrap over recording locations.",
        "Teacher forcing: the networks use the device label of every test clip.",
    )

    def parts(self) -> Sequence[Part]:
        """The systems of Table I."""
        return [Part(at=cell.at, variant=cell.variant) for cell in Table1().cells()]

    def draw(self, material: Material) -> Figure:
        """A row for each topology, a column for each device; points with their 95 % intervals."""
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D

        from asc_bench.api import INK, LINE_IN, TITLE_PT, title_lines

        topologies = [t for t in TOPOLOGIES if any(part.at["topology"] == t for part in material.parts)]
        width_in = 7.16
        lines = title_lines("\n".join([material.title, *self.notes]), width_in)
        height_in = 1.75 * len(topologies) + 0.75 + LINE_IN * len(lines)
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        grid = figure.subplots(len(topologies), len(DEVICES), squeeze=False, sharex="row", sharey=True)
        for i, topology in enumerate(topologies):
            poolings = list(
                dict.fromkeys(part.at["pooling"] for part in material.parts if part.at["topology"] == topology)
            )
            for ax, device in zip(grid[i], DEVICES, strict=True):
                _points(ax, _values(material, topology, device), poolings)
                ax.set_title(f"{topology}, device {device}", fontsize=8, color=INK)
            grid[i, 0].set_ylabel("accuracy, percent", fontsize=7, color=INK)
        shown = {part.at["condition_layer"] for part in material.parts}
        handles = [
            Line2D([], [], color=colour, marker=marker, markersize=4, linewidth=1, label=f"layer {layer}")
            for layer, colour, marker in zip(LAYERS, _COLOURS, _MARKERS, strict=True)
            if layer in shown
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=7, frameon=False)
        figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
        return figure


class Figure6(PaperFigure):
    """Confusion matrices on each device of the network that did best in the paper."""

    name = "caa-net/fig6"
    title = "CAA-Net, Figure 6: confusion matrices of the multi-task atrous network with attention"
    protocol = Table1.protocol

    def parts(self) -> Sequence[Part]:
        """One network."""
        return [Part(at={}, variant=variant("atrous", "att", "multi-task"))]

    def draw(self, material: Material) -> Figure:
        """A panel for each device."""
        import pandas as pd

        from asc_bench.api import confusion, draw_confusions

        (part,) = material.parts
        classes = material.bench.protocol.labels.fine
        predictions = pd.concat([run.predictions for run in part.runs], ignore_index=True)
        return draw_confusions(
            {
                f"device {device}": confusion(predictions, FINE, device=device, classes=classes)
                for device in DEVICES
            },
            title=material.title,
        )


def _values(material: Material, topology: str, device: str) -> dict[tuple[str, str], Mapping[str, float]]:
    """Score on one device by pooling and layer; systems that are incomplete have none."""
    scores = material.scores
    percents = 100 * scores[["value", "low", "high"]].set_axis(scores["system"])
    rows = percents[((scores["measure"] == device) & (scores["incomplete"] == "")).to_numpy()].T.to_dict()
    return {
        (part.at["pooling"], part.at["condition_layer"]): {str(k): float(v) for k, v in rows[part.variant].items()}
        for part in material.parts
        if part.at["topology"] == topology and part.variant in rows
    }


def _points(ax: Axes, values: Mapping[tuple[str, str], Mapping[str, float]], poolings: Sequence[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    from asc_bench.api import INK

    for (pooling, layer), score in values.items():
        j = LAYERS.index(layer)
        place = poolings.index(pooling) + _SPREAD * (j / (len(LAYERS) - 1) - 0.5)
        ax.vlines(place, score["low"], score["high"], color=_COLOURS[j], linewidth=1.0)
        ax.plot(place, score["value"], _MARKERS[j], color=_COLOURS[j], markersize=3.5)
    ax.set_xticks(range(len(poolings)), [_SHORT.get(p, p) for p in poolings])
    ax.set_xlim(-0.6, len(poolings) - 0.4)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.grid(axis="y", color="#e5e5e5", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(axis="both", length=0, labelsize=7, colors=INK)
    ax.spines[["top", "right", "left"]].set_visible(False)
