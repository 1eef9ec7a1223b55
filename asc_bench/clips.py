"""What a system is given of clips: features, and labels for training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


class Features:
    """Rows of a feature array that may lie on disk; nothing is read before it is asked for.

    Parameters
    ----------
    source : array, shape (n, ...)
        Usually memory-mapped, one row per clip of the data set.
    rows : int array, shape (n_clips,)
        Which rows belong to this split, in order.
    """

    def __init__(self, source: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]) -> None:
        self.source = source
        self.rows = np.asarray(rows, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_clips, ...)``."""
        return (len(self.rows), *self.source.shape[1:])

    @property
    def n_bytes(self) -> int:
        """Size in memory once loaded."""
        return int(np.prod(self.shape)) * self.source.itemsize

    def __getitem__(self, index: slice | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return np.asarray(self.source[self.rows[index]])

    def load(self) -> npt.NDArray[np.float32]:
        """All rows as one array in memory."""
        return self[slice(None)]


UNKNOWN_DEVICE = "unknown"
"""Stands for every device without training clips, where a protocol hides their names."""


@dataclass(frozen=True)
class Clips:
    """Clips without labels: all that ``predict`` ever sees."""

    features: Features
    device: npt.NDArray[np.int64] | None = None
    """Index into ``Task.devices``, shape (n_clips,); given at test time only where ``needs_device`` is "test"."""

    def __len__(self) -> int:
        return len(self.features)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Clips:
        """The clips for which ``chosen``, shape (n_clips,), is true."""
        return Clips(
            Features(self.features.source, self.features.rows[chosen]),
            None if self.device is None else self.device[chosen],
        )


@dataclass(frozen=True)
class LabelledClips(Clips):
    """Clips of the training or validation split."""

    labels: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    """Class indices by label level, shape (n_clips,) each."""
    location: npt.NDArray[np.str_] | None = None
    """Recording location, shape (n_clips,): what a cross-validation inside the system must keep together."""
    device_names: npt.NDArray[np.str_] | None = None
    """Name of the recording device, shape (n_clips,), where a transform of the training plan reads it."""
    teacher_logits: npt.NDArray[np.float32] | None = None
    """What teachers of a distillation say of each clip as it is, shape (n_clips, n_classes); see
    ``asc_bench.systems.distilled``."""

    def where(self, chosen: npt.NDArray[np.bool_]) -> LabelledClips:
        """The clips for which ``chosen``, shape (n_clips,), is true."""
        return LabelledClips(
            Features(self.features.source, self.features.rows[chosen]),
            None if self.device is None else self.device[chosen],
            {level: classes[chosen] for level, classes in self.labels.items()},
            None if self.location is None else self.location[chosen],
            None if self.device_names is None else self.device_names[chosen],
            None if self.teacher_logits is None else self.teacher_logits[chosen],
        )
