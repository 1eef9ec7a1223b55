"""What a run hands to its system: clips with labels to fit, clips without to predict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from asc_bench.bench.bench import Bench, Selection
from asc_bench.clips import UNKNOWN_DEVICE, Clips, Features, LabelledClips
from asc_bench.data.tags import multi_hot
from asc_bench.errors import DataError, SystemFailure
from asc_bench.labels import COARSE, FINE, LabelSpace
from asc_bench.protocol import Fold
from asc_bench.systems.base import Probabilities, System
from asc_bench.systems.torch_system import TorchSystem
from asc_bench.systems.wrapper import WrapperSystem


def limited(
    fold: Fold, rows: Mapping[str, int], uses_validation: bool, selection: Selection = Selection.OWN
) -> Fold:
    """The fold as a system sees it: training clips, and those to choose on (none if it chooses nothing).

    The validation clips are training clips for a system that chooses nothing, unless they are held out; they stand
    in the order of the clip table, of which ``rows`` gives the row of each clip.
    """
    if selection is Selection.HELD_OUT or (uses_validation and selection is Selection.OWN):
        return fold
    train = sorted((*fold.train, *fold.validation), key=rows.__getitem__)
    chosen_on = fold.test if selection is Selection.TEST and uses_validation else ()
    return replace(fold, train=tuple(train), validation=chosen_on)


def encode_devices(devices: Iterable[str], known: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices of device names into the devices of the training split.

    A device that the training split lacks is ``UNKNOWN_DEVICE``, where that is known.

    Raises
    ------
    DataError
        For such a device elsewhere.
    """
    index = {name: i for i, name in enumerate(known)}
    given = list(devices)
    unknown = sorted(set(given) - set(index))
    if unknown and UNKNOWN_DEVICE not in index:
        raise DataError(f"devices {unknown} do not occur in training, where there are {list(known)}")
    return np.array([index[d if d in index else UNKNOWN_DEVICE] for d in given], dtype=np.int64)


def unlabelled(bench: Bench, ids: tuple[str, ...], array: npt.NDArray[np.float32], system: System) -> Clips:
    """Clips as ``predict`` sees them: the device only if the system is given it at test time, labels never."""
    rows, owner = bench.feature_rows(ids)
    device = None
    if system.needs_device == "test":
        device = encode_devices(bench.column("device", ids), system.task.devices)[owner]
    return Clips(Features(array, rows), device)


def labelled(bench: Bench, ids: tuple[str, ...], array: npt.NDArray[np.float32], system: System) -> LabelledClips:
    """Clips as ``fit`` sees them, every waveform of a clip as an example of its own.

    Where clips have several labels, their fine labels are rows of ones and zeros, (n_clips, n_classes).
    """
    rows, owner = bench.feature_rows(ids)
    scenes = bench.column("scene", ids)[owner]
    labels = system.task.labels
    targets: dict[str, npt.NDArray[Any]] = {}
    if bench.protocol.multi_label:
        targets[FINE] = multi_hot(scenes, labels)
    else:
        targets[FINE] = labels.encode(scenes)
        if labels.coarse:
            targets[COARSE] = labels.to_coarse(targets[FINE])
    device = None
    if system.needs_device != "no":
        device = encode_devices(bench.column("device", ids)[owner], system.task.devices)
    location = bench.column("location", ids)[owner].astype(np.str_)
    network = system.inner if isinstance(system, WrapperSystem) else system
    named = isinstance(network, TorchSystem) and network.augments_by_device
    names = bench.column("device", ids)[owner].astype(np.str_) if named else None
    return LabelledClips(Features(array, rows), device, targets, location, names)


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
