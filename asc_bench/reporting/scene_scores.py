"""Scores of each scene, over all devices and on each: what the official pages of the mobile subtasks print."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from asc_bench.labels import FINE, LabelSpace
from asc_bench.reporting.table import Table
from asc_bench.reporting.text import MISSING, in_unit
from asc_bench.scoring.statistic import LogLoss, ScoredClips

SCENE_COLUMNS = ("system", "scene", "device", "n", "accuracy", "log_loss")


def scene_scores(predictions: pd.DataFrame, labels: LabelSpace) -> pd.DataFrame:
    """Accuracy and log loss of the test clips of each scene, means over repeats.

    Parameters
    ----------
    predictions : DataFrame
        Of one or more systems, from ``stack_runs``. Clips of all folds count alike.
    labels : LabelSpace
        Of the protocol.

    Returns
    -------
    DataFrame
        One row per system, scene and device, in the order of the label space, columns `SCENE_COLUMNS`; ``device``
        is ``""`` in the rows of all devices. Accuracy is a fraction (the recall of the scene), log loss in nats,
        ``n`` counts clips. A system that does not predict scenes has no rows.
    """
    chosen = predictions[(predictions["split"] == "test") & (predictions["level"] == FINE)]
    clips = ScoredClips(chosen["label_rank"].to_numpy(), chosen["probabilities"].to_numpy())
    scored = chosen[["system", "repeat", "device"]].assign(
        scene=chosen["label"], accuracy=clips.label_rank == 1, log_loss=LogLoss().of_clip(clips), n=1
    )
    everywhere = scored.assign(device="")
    rows = pd.concat([everywhere, scored[scored["device"] != ""]], ignore_index=True)
    keys = ["system", "scene", "device"]
    by_repeat = rows.groupby([*keys, "repeat"], sort=False).agg(
        n=("n", "sum"), accuracy=("accuracy", "mean"), log_loss=("log_loss", "mean")
    )
    means = by_repeat.groupby(level=keys, sort=False).mean().reset_index().astype({"n": int})
    order = {scene: i for i, scene in enumerate(labels.fine)}
    place = [means["system"].map({s: i for i, s in enumerate(dict.fromkeys(chosen["system"]))})]
    place += [means["scene"].map(order), means["device"]]
    ranked = np.lexsort([column.to_numpy() for column in reversed(place)])
    return means.iloc[ranked].reset_index(drop=True)[list(SCENE_COLUMNS)]


def scenes_table(scores: pd.DataFrame, *, title: str, notes: Sequence[str] = ()) -> Table:
    """One row per system and scene: clips, accuracy, log loss, and the accuracy on each device.

    Parameters
    ----------
    scores : DataFrame
        From `scene_scores`.
    title : str
        Caption.
    notes : sequence of str
        Sentences that stand before those on the numbers.
    """
    devices = sorted(set(scores["device"]) - {""})
    accuracy: dict[tuple[str, str, str], float] = {}
    whole: list[tuple[str, str, int, float, float]] = []
    for system, scene, device, n, right, loss in scores.itertuples(index=False):
        accuracy[system, scene, device] = right
        if not device:
            whole.append((system, scene, n, right, loss))
    rows = []
    for system, scene, n, right, loss in whole:
        on_devices = [accuracy.get((system, scene, device)) for device in devices]
        cells = [MISSING if value is None else in_unit(value, "percent") for value in on_devices]
        rows.append((system, scene, f"{n:,}", in_unit(right, "percent"), in_unit(loss, "nats"), *cells))
    return Table(
        title,
        ("system", "scene", "n", "accuracy", "log loss", *devices),
        tuple(rows),
        (
            *notes,
            "Accuracy: percent of the test clips of the scene that were recognised, over all devices and on each; "
            "log loss in nats, mean over the clips of the scene. There are no intervals, since a scene has few "
            "clips on one device.",
        ),
    )
