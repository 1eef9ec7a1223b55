"""Figures 3 and 4 of the paper, to be drawn again: ``asc-bench figure hierarchical-cnn/fig3``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from asc_bench.api import (
    INK,
    LINE_IN,
    TITLE_PT,
    ConfigError,
    Drawn,
    Landscape,
    Material,
    PaperFigure,
    Part,
    Plane,
    Responses,
    landscape,
    magnitude_responses,
    mean_loss,
    mel_curve_hz,
    title_lines,
)

from ._hierarchical_cnn_settings import PIPELINES, SAMPLE_RATE_HZ
from .hierarchical_cnn import HierarchicalCnn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from asc_bench.api import Cut

ATTENTION = {"yes": "with attention", "no": "without attention"}

CONFIGURATIONS: Mapping[str, tuple[str, str]] = {
    "hierarchy": ("(a) hierarchy", "hierarchical-cnn[attention=no]"),
    "attention": ("(b) attention", "hierarchical-cnn[labels=fine]"),
    "both": ("(c) attention + hierarchy", "hierarchical-cnn"),
    "long": ("(d) as (c), long kernels only", "hierarchical-cnn[pipelines=long]"),
    "short": ("(e) as (c), short kernels only", "hierarchical-cnn[pipelines=short]"),
}
"""Figure 4: panel title and system."""

GRID, CLIPS = 21, 64
"""Figure 4 by default: points along each direction, and training clips."""
SEED = 0
"""Of the directions and of the choice of clips."""

_FINE_ALONE = "(b) learns fine classes alone (a guess): its loss lacks the others' coarse and prototype terms."

_WIDTH_IN, _ROW_IN = 7.16, 1.9
_FONT = 7.0
_FLOOR_DB = -40.0
_LINES = {"yes": ("#0072B2", "-"), "no": ("#D55E00", "--")}


class Figure3(PaperFigure):
    """Magnitude responses of the first convolution of each pipeline, sorted, beside a mel filter bank."""

    name = "hierarchical-cnn/fig3"
    title = "Hierarchical CNN, Figure 3: magnitude responses of the filters that the first layers learned"
    protocol = "merged"
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {"attention": tuple(ATTENTION)}
    notes = (
        "Filters stand in order of their peaks; their responses are without the pre-emphasis before them.",
        "Mel: centres of as many triangles on HTK's mel scale from 0 to 8 kHz.",
    )
    needs_weights = True

    def parts(self) -> Sequence[Part]:
        """The network with attention and without, as the paper's text compares them."""
        return [Part(at={"attention": a}, variant=f"hierarchical-cnn[attention={a}]") for a in ATTENTION]

    def draw(self, material: Material) -> Figure:
        """A row for each pipeline: responses of each network, then the peaks of all."""
        from asc_bench.api import rebuilt

        found: dict[str, dict[str, Responses]] = {}
        for part in material.parts:
            system = rebuilt(part.runs[0], material.bench, device=material.settings.device)
            assert isinstance(system, HierarchicalCnn)
            found[part.at["attention"]] = {
                name: magnitude_responses(filters, sample_rate_hz=SAMPLE_RATE_HZ).by_peak()
                for name, filters in system.first_layer_filters().items()
            }
        return figure3(found, title="\n".join([material.title, *self.notes, *_first_of_several(material)]))


class Figure4(PaperFigure):
    """Loss over a plane through the weights, for five configurations of the network."""

    name = "hierarchical-cnn/fig4"
    title = "Hierarchical CNN, Figure 4: loss landscapes with filter-normalised directions"
    protocol = "merged"
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "configuration": tuple(CONFIGURATIONS),
        "grid": ("3", "5", "11", str(GRID), "31", "51"),
        "clips": ("4", "16", str(CLIPS), "256", "1024"),
    }
    notes = (
        "Filters move by up to their own length; losses are of training clips (as Li et al. 2018; a guess).",
        "Loss: as trained, without dropout, augmentation and orthogonality penalty.",
    )
    needs_weights = True

    def check(self, cut: Cut) -> None:
        """See ``PaperItem.check``; grid and clips have one value each."""
        super().check(cut)
        for axis in ("grid", "clips"):
            if len(cut.get(axis, ())) > 1:
                raise ConfigError(f"{self.name} takes one value for {axis}, got {' and '.join(cut[axis])}")

    def parts(self) -> Sequence[Part]:
        """Five networks."""
        return [Part(at={"configuration": c}, variant=variant) for c, (_, variant) in CONFIGURATIONS.items()]

    def draw(self, material: Material) -> Figure:
        """Compute the landscapes, as far as they are not kept in the cache, and draw them."""
        from asc_bench.api import draw_landscapes

        plane = Plane(n_points=int(material.cut.get("grid", (str(GRID),))[0]), seed=SEED)
        ids = _training_clips(material, int(material.cut.get("clips", (str(CLIPS),))[0]))
        found: dict[str, Landscape] = {}
        for k, part in enumerate(material.parts):
            title = CONFIGURATIONS[part.at["configuration"]][0]
            found[title] = _landscape(part, material, plane, ids, partial(_report, material, title, k))
        size = f"{plane.n_points} x {plane.n_points} points, {len(ids)} training clips, the same for all."
        remarks = [_FINE_ALONE] if any(p.at["configuration"] == "attention" for p in material.parts) else []
        remarks += _first_of_several(material)
        return draw_landscapes(found, title="\n".join([material.title, size, *self.notes, *remarks]))


def figure3(found: Mapping[str, Mapping[str, Responses]], *, title: str) -> Figure:
    """Draw responses, a row for each pipeline.

    Parameters
    ----------
    found : mapping
        By attention ("yes", "no"), then by pipeline, in order of the peaks.
    title : str
        May have several lines.
    """
    from matplotlib.figure import Figure

    names = [name for name in PIPELINES if any(name in by_name for by_name in found.values())]
    n_zero = sum(int(np.isnan(r.peaks_hz).sum()) for by_name in found.values() for r in by_name.values())
    zero = [f"Filters that are zero, have no peak and stand last: {n_zero}."] if n_zero else []
    lines = title_lines("\n".join([title, *zero]), _WIDTH_IN)
    height_in = _ROW_IN * len(names) + LINE_IN * len(lines) + 0.2
    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
    grid = figure.subplots(len(names), len(found) + 1, squeeze=False)
    for row, name in zip(grid, names, strict=True):
        for ax, (attention, by_name) in zip(row, found.items(), strict=False):
            image = _show(ax, by_name[name])
            ax.set_title(f"{name} kernels, {ATTENTION[attention]}", fontsize=_FONT + 1, color=INK)
        _peaks(row[-1], {attention: by_name[name] for attention, by_name in found.items()})
        row[-1].set_title(f"{name} kernels, peaks", fontsize=_FONT + 1, color=INK)
        row[0].set_ylabel("frequency, kHz", fontsize=_FONT, color=INK)
    for ax in grid[-1]:
        ax.set_xlabel("filter, in order of peak", fontsize=_FONT, color=INK)
    bar = figure.colorbar(image, ax=list(grid[:, -2]), aspect=30, pad=0.02)
    bar.set_label("dB below the filter's peak", fontsize=_FONT, color=INK)
    bar.ax.tick_params(labelsize=_FONT - 1, length=2, width=0.5)
    figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    return figure


def _show(ax: Axes, responses: Responses) -> AxesImage:
    n, highest_khz = len(responses.magnitudes), responses.frequencies_hz[-1] / 1000
    half_khz = responses.frequencies_hz[1] / 2000
    image = ax.imshow(
        responses.relative_db(floor_db=_FLOOR_DB).T,
        origin="lower",
        aspect="auto",
        extent=(0.5, n + 0.5, -half_khz, highest_khz + half_khz),
        cmap="viridis",
        vmin=_FLOOR_DB,
        vmax=0.0,
        interpolation="nearest",
    )
    ax.tick_params(labelsize=_FONT - 1, length=2, width=0.5)
    return image


def _peaks(ax: Axes, found: Mapping[str, Responses]) -> None:
    for attention, responses in found.items():
        colour, style = _LINES[attention]
        numbers = np.arange(1, len(responses.peaks_hz) + 1)
        ax.plot(numbers, responses.peaks_hz / 1000, style, color=colour, linewidth=1.2, label=ATTENTION[attention])
    n, highest_hz = len(numbers), float(responses.frequencies_hz[-1])
    ax.plot(numbers, mel_curve_hz(n, highest_hz=highest_hz) / 1000, ":", color=INK, linewidth=1.2, label="mel")
    ax.set_xlim(0.5, n + 0.5)
    ax.set_ylim(0, highest_hz / 1000)
    ax.grid(color="#e5e5e5", linewidth=0.6)
    ax.legend(fontsize=_FONT - 1, frameon=False, loc="upper left")
    ax.tick_params(labelsize=_FONT - 1, length=2, width=0.5)


def _training_clips(material: Material, n: int) -> tuple[str, ...]:
    """So many training clips of the fold that is shown, at most all; validation clips are not for every network."""
    shown = material.parts[0].runs[0].manifest["fold"]
    train = next(fold.train for fold in material.bench.folds if fold.name == shown)
    rows = np.random.default_rng(SEED).choice(len(train), size=min(n, len(train)), replace=False)
    return tuple(train[row] for row in sorted(rows))


def _landscape(
    part: Drawn, material: Material, plane: Plane, ids: Sequence[str], progress: Callable[[float, str], None]
) -> Landscape:
    from asc_bench.api import labelled_clips, rebuilt

    bench, settings, run = material.bench, material.settings, part.runs[0]
    system = rebuilt(run, bench, device=settings.device)
    assert isinstance(system, HierarchicalCnn) and system.module is not None
    return landscape(
        system.module,
        mean_loss(system, labelled_clips(bench, ids, system, settings)),
        plane,
        folder=settings.cache / "landscapes",
        # A GPU rounds otherwise than a CPU.
        identity={"run": run.manifest["key"], "clips": list(ids), "device": settings.device.partition(":")[0]},
        progress=progress,
    )


def _report(material: Material, title: str, k: int, fraction: float, text: str) -> None:
    material.progress((k + fraction) / len(material.parts), f"{title}: {text}")


def _first_of_several(material: Material) -> list[str]:
    n_runs = max(len(part.runs) for part in material.parts)
    return [f"Of {n_runs} trained networks of each kind this is the first."] if n_runs > 1 else []
