"""Several labels of one clip: how the clip table writes them, and as an array of zeros and ones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from asc_bench.errors import DataError
from asc_bench.labels import LabelSpace

SEPARATOR = "|"
"""Between two labels in the column ``scene``. No label holds it."""

TAGGING, DETECTION = "tagging", "detection"
"""What clips with several labels are scored by: the labels of the whole clip, and those of each segment."""

SEGMENT_S = 1.0
"""Length of a segment, in seconds, as in DCASE 2017 task 4."""


def joined(labels: Iterable[str]) -> str:
    """The labels of one clip as the column ``scene`` has them, in the order given.

    Raises
    ------
    DataError
        For no label at all, an empty one, one given twice, or one that holds the separator.
    """
    names = tuple(labels)
    if not names or "" in names:
        raise DataError(f"labels {list(names)}: a clip has at least one label, and none is empty")
    for name in names:
        if SEPARATOR in name:
            raise DataError(f"label {name!r} holds {SEPARATOR!r}, which separates the labels of a clip")
        if names.count(name) > 1:
            raise DataError(f"labels {list(names)}: {name!r} is given twice")
    return SEPARATOR.join(names)


def separated(scene: str) -> tuple[str, ...]:
    """The labels of one clip, from its column ``scene``."""
    return tuple(scene.split(SEPARATOR))


def multi_hot(scenes: Iterable[str], labels: LabelSpace) -> npt.NDArray[np.float32]:
    """Which fine classes each clip has.

    Parameters
    ----------
    scenes : iterable of str
        The column ``scene`` of a clip table, labels joined by ``SEPARATOR``.
    labels : LabelSpace
        Gives the order of the columns.

    Returns
    -------
    float32 ndarray, shape (n_clips, n_classes)
        1 for a label that the clip has, else 0.

    Raises
    ------
    DataError
        For a label outside the label space, naming the row.
    """
    rows = [separated(scene) for scene in scenes]
    hot = np.zeros((len(rows), len(labels.fine)), dtype=np.float32)
    for index, names in enumerate(rows):
        try:
            hot[index, labels.encode(names)] = 1.0
        except DataError as error:
            raise DataError(f"labels of row {index}, {SEPARATOR.join(names)!r}: {error}") from None
    return hot
