"""Figure 7 of the CAA-Net paper: where the network looks, in clips that several devices recorded at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from asc_bench.api import (
    INK,
    LINE_IN,
    TITLE_PT,
    Clips,
    DataError,
    LogMel,
    Material,
    PaperFigure,
    Part,
    System,
    attention_limits,
    attention_maps,
    log_mel_of,
    plain,
    show_bins,
    title_lines,
    tut_mobile,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_WIDTH_IN, _ROW_IN, _MARGIN_IN = 7.16, 0.56, 0.75
"""The text of a page in two columns is 7.16 inches wide."""
_FONT = 6.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A clip, and the attention of its own class.

    Attributes
    ----------
    scene, device, instant : str
        Row, column, and what was recorded.
    log_mel, attention : array, shape (n_frames, n_bands)
        The weights sum to one.
    """

    scene: str
    device: str
    instant: str
    log_mel: npt.NDArray[np.float32]
    attention: npt.NDArray[np.float32]


def parallel_clips(table: pd.DataFrame, scenes: Sequence[str]) -> pd.DataFrame:
    """For each scene the first instant, in order of name, that every device of the table recorded.

    Parameters
    ----------
    table : DataFrame
        Clip table rows to choose from.
    scenes : sequence of str
        Classes, in order; one without such an instant is left out.

    Returns
    -------
    DataFrame
        Rows of ``table``: scene by scene, within one by device.

    Raises
    ------
    DataError
        If there is no such instant at all, or fewer than two devices.
    """
    devices = sorted(set(table["device"]) - {""})
    if len(devices) < 2:
        raise DataError(f"no clips in parallel: {' and '.join(devices) or 'no device'} is all that is named")
    recorders = table[table["device"] != ""].groupby("recording_id")["device"].nunique()
    everywhere = table[table["recording_id"].isin(recorders.index[recorders == len(devices)])]
    firsts = everywhere.groupby("scene")["recording_id"].min()
    chosen = [firsts[scene] for scene in scenes if scene in firsts.index]
    if not chosen:
        raise DataError(f"no instant of {', '.join(scenes)} was recorded by all of {', '.join(devices)}")
    rows = everywhere.sort_values("device", kind="stable").set_index("recording_id", drop=False)
    return rows.loc[chosen].reset_index(drop=True)


def look(system: System, clips: Clips, table: pd.DataFrame) -> list[Seen]:
    """Ask a fitted system where it looks.

    Parameters
    ----------
    system : System
        With attention.
    clips : Clips
        The clips of ``table``, in its order.
    table : DataFrame
        Clip table rows.
    """
    maps = attention_maps(system, clips)
    fine = system.task.labels.fine
    return [
        Seen(
            scene=scene,
            device=device,
            instant=instant,
            log_mel=log_mel,
            attention=one[fine.index(scene)],
        )
        for scene, device, instant, log_mel, one in zip(
            *(table[c].astype(str) for c in ("scene", "device", "recording_id")),
            clips.features.load(),
            maps,
            strict=True,
        )
    ]


def figure7(seen: Sequence[Seen], front_end: LogMel, *, duration_s: float, title: str) -> Figure:
    """Draw a row for each scene; for each device the log-mel and the attention beside it.

    Parameters
    ----------
    seen : sequence of Seen
        One for each scene and device.
    front_end : LogMel
        What the bins mean.
    duration_s : float
        Length of the clips, in s.
    title : str
        May have several lines.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    by_place = {(s.scene, s.device): s for s in seen}
    scenes, devices = list(dict.fromkeys(s.scene for s in seen)), sorted({s.device for s in seen})
    loud = np.percentile(np.stack([s.log_mel for s in seen]), [1, 99.5])
    relative = {place: s.attention * s.attention.size for place, s in by_place.items()}
    weights = attention_limits(np.stack(list(relative.values())))
    lines = title_lines(title, _WIDTH_IN)
    height_in = _ROW_IN * len(scenes) + _MARGIN_IN + LINE_IN * len(lines)
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    figure = Figure(figsize=(_WIDTH_IN, height_in), layout=layout)
    grid = figure.subplots(len(scenes), 2 * len(devices), squeeze=False, sharex=True, sharey=True)
    for i, scene in enumerate(scenes):
        for j, device in enumerate(devices):
            left, right = grid[i, 2 * j : 2 * j + 2]
            show = partial(show_bins, front_end=front_end, duration_s=duration_s, font=_FONT - 1, gap=0.18)
            log_mel = by_place[scene, device].log_mel
            heard = show(left, log_mel, cmap="gray", vmin=loud[0], vmax=loud[1])
            looked = show(right, relative[scene, device], cmap="viridis", vmin=weights[0], vmax=weights[1])
        _name_row(grid[i, 0], scene, by_place[scene, devices[0]].instant)
    for j, device in enumerate(devices):
        grid[0, 2 * j].set_title(f"{plain(device)}: log-mel", fontsize=_FONT + 1, color=INK)
        grid[0, 2 * j + 1].set_title(f"{plain(device)}: attention", fontsize=_FONT + 1, color=INK)
    for ax in grid.flat:
        ax.label_outer()
    half = (len(scenes) + 1) // 2
    _bar(figure, heard, list(grid[:half].flat), f"log-mel, {front_end.log}")
    _bar(figure, looked, list((grid[half:] if len(scenes) > 1 else grid).flat), "attention, times the mean")
    figure.supxlabel("time, s", fontsize=_FONT + 1, color=INK)
    figure.supylabel("frequency, Hz", fontsize=_FONT + 1, color=INK)
    figure.suptitle("\n".join(lines), fontsize=TITLE_PT, color=INK)
    return figure


class Figure7(PaperFigure):
    """Attention of multi-task CAA-Net in one instant of each class, as every device heard it."""

    name = "caa-net/fig7"
    title = "CAA-Net, Figure 7: attention in clips that all devices recorded at once"
    protocol = "dcase2018"
    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {"scene": tuple(tut_mobile.COARSE_OF_SCENE)}
    notes = (
        "Each row: of a class, the first instant in order of name that all devices of the test split recorded.",
        "The paper does not name its clips. Shown is the attention of the true class.",
    )
    needs_weights = True

    def parts(self) -> Sequence[Part]:
        """The atrous network with attention, in multi-task training, conditioned at the last layer."""
        return (Part(at={}, variant="caa-net[topology=atrous,pooling=att,training=multi-task,condition_layer=4]"),)

    def draw(self, material: Material) -> Figure:
        """Load the network of the first run and look at the test split."""
        from asc_bench.api import given_clips, rebuilt

        bench, settings = material.bench, material.settings
        run, *others = material.parts[0].runs
        system = rebuilt(run, bench, device=settings.device)
        fold = next(f for f in bench.folds if f.name == run.manifest["fold"])
        scenes = [s for s in bench.protocol.labels.fine if s in material.cut.get("scene", (s,))]
        table = parallel_clips(bench.select(fold.test), scenes)
        clips = given_clips(bench, list(table["clip_id"]), system, settings)
        left_out = sorted(set(scenes) - set(table["scene"]))
        remarks = [f"There is no such instant of {', '.join(left_out)}."] if left_out else []
        if others:
            remarks.append(f"Of {1 + len(others)} trained networks this is the first.")
        return figure7(
            look(system, clips, table),
            log_mel_of(system.front_end()),
            duration_s=bench.protocol.clip_duration_s,
            title="\n".join([material.title, *self.notes, *remarks]),
        )


def _name_row(ax: Axes, scene: str, instant: str) -> None:
    of_scene = instant.removeprefix(f"{scene}-")
    ax.set_ylabel(
        f"{plain(scene)}\n{plain(of_scene)}", fontsize=_FONT, color=INK, rotation=0, ha="right", va="center"
    )


def _bar(figure: Figure, image: AxesImage, beside: Sequence[Axes], label: str) -> None:
    bar = figure.colorbar(image, ax=beside, aspect=20, pad=0.01, fraction=0.03)
    bar.set_label(label, fontsize=_FONT, color=INK)
    bar.ax.tick_params(labelsize=_FONT - 1, length=2, width=0.5)
