"""What a run hands to its system: clips with labels to fit, clips without to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from asc_bench.bench.bench import Bench, Selection
from asc_bench.clips import Clips, Features, LabelledClips
from asc_bench.data.tags import multi_hot
from asc_bench.errors import DataError, SystemFailure
from asc_bench.labels import COARSE, FINE, LabelSpace
from asc_bench.protocol import Fold
from asc_bench.systems.base import Probabilities, System


def limited(fold: Fold, table: pd.DataFrame, uses_validation: bool, selection: Selection = Selection.OWN) -> Fold:
    """The fold as a system sees it: training clips, and those to choose on (none if it chooses nothing).

    The validation clips are training clips for a system that chooses nothing, unless they are held out.
    """
    if selection is Selection.HELD_OUT or (uses_validation and selection is Selection.OWN):
        return fold
    order = {c: i for i, c in enumerate(table["clip_id"])}
    train = sorted((*fold.train, *fold.validation), key=order.__getitem__)
    chosen_on = fold.test if selection is Selection.TEST and uses_validation else ()
    return replace(fold, train=tuple(train), validation=chosen_on)


def encode_devices(devices: Sequence[str], known: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices of device names into the devices of the training split.

    Raises
    ------
    DataError
        For a device that the training split lacks.
    """
    index = {name: i for i, name in enumerate(known)}
    unknown = sorted(set(devices) - set(index))
    if unknown:
        raise DataError(f"devices {unknown} do not occur in training, where there are {list(known)}")
    return np.array([index[d] for d in devices], dtype=np.int64)


def unlabelled(bench: Bench, ids: tuple[str, ...], array: npt.NDArray[np.float32], system: System) -> Clips:
    """Clips as ``predict`` sees them: the device only if the system is given it at test time, labels never."""
    rows, owner = bench.feature_rows(ids)
    device = None
    if system.needs_device == "test":
        device = encode_devices(list(bench.select(ids)["device"]), system.task.devices)[owner]
    return Clips(Features(array, rows), device)


def labelled(bench: Bench, ids: tuple[str, ...], array: npt.NDArray[np.float32], system: System) -> LabelledClips:
    """Clips as ``fit`` sees them, every waveform of a clip as an example of its own.

    Where clips have several labels, their fine labels are rows of ones and zeros, (n_clips, n_classes).
    """
    rows, owner = bench.feature_rows(ids)
    table = bench.select(ids).iloc[owner]
    labels = system.task.labels
    targets: dict[str, npt.NDArray[Any]] = {}
    if bench.protocol.multi_label:
        targets[FINE] = multi_hot(table["scene"], labels)
    else:
        targets[FINE] = labels.encode(table["scene"])
        if labels.coarse:
            targets[COARSE] = labels.to_coarse(targets[FINE])
    device = None
    if system.needs_device != "no":
        device = encode_devices(list(table["device"]), system.task.devices)
    return LabelledClips(Features(array, rows), device, targets, table["location"].to_numpy(dtype=np.str_))


def by_level(given: Probabilities, labels: LabelSpace) -> Mapping[str, npt.NDArray[np.float32]]:
    """What a system returned, as a mapping from label level to probabilities.

    Raises
    ------
    SystemFailure
        For a level that the protocol does not have, or none at all.
    """
    if not isinstance(given, Mapping):
        return {FINE: given}
    unknown = sorted(set(given) - set(labels.levels))
    if unknown or not given:
        raise SystemFailure(f"predict returned the levels {sorted(given)}; the protocol has {list(labels.levels)}")
    return given
