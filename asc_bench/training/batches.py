"""Whole feature arrays in, batches out: placement on the device, standardisation, excerpts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asc_bench.clips import Clips, Features, LabelledClips
from asc_bench.errors import DataError
from asc_bench.training.device import fits_on
from asc_bench.training.plan import Standardise

_CHUNK_BYTES = 64 * 2**20
_N_FINGERPRINT_CLIPS = 8


@dataclass(frozen=True)
class Blend:
    """Of a batch whose clips were blended with others: the share that is their own, and the others' labels."""

    share: float
    labels: Mapping[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """What a network and its loss see in one step.

    Attributes
    ----------
    features : Tensor, shape (size, n_frames, ...)
        Standardised; cut and changed as the plan says.
    labels : mapping of str to Tensor, shape (size,)
        Class indices by label level; empty at prediction.
    device : Tensor, shape (size,), optional
        Index of the recording device, where the system is given it.
    step : int
        Optimiser steps taken before this one.
    progress : float
        Share of the training done, 0 to 1.
    blend : Blend, optional
        What mixup put into the batch.
    device_names : str array, shape (size,), optional
        Names of the recording devices, where a transform reads them; no network may.
    teacher_logits : Tensor, shape (size, n_classes), optional
        Of the whole, unchanged clips, in training by distillation; where clips are blended, so are these.
    """

    features: Tensor
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    device: Tensor | None = None
    step: int = 0
    progress: float = 0.0
    blend: Blend | None = None
    device_names: npt.NDArray[np.str_] | None = None
    teacher_logits: Tensor | None = None


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of the training features: numbers, or vectors over the last axis."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, features: Features, how: Standardise) -> Statistics | None:
        """Measure the training features in float64, chunk by chunk; None for "none".

        A constant band keeps a standard deviation of 1, so that it becomes zero and not infinite.
        """
        if how == "none":
            return None
        total: npt.NDArray[np.float64] | np.float64 = np.float64(0.0)
        squares: npt.NDArray[np.float64] | np.float64 = np.float64(0.0)
        shift: npt.NDArray[np.float64] | np.float64 | None = None
        count = 0
        for chunk in _chunks(features):
            values = chunk.astype(np.float64)
            axes = tuple(range(values.ndim)) if how == "global" else tuple(range(values.ndim - 1))
            if shift is None:
                # Sums about a value near the mean keep the variance of a large offset accurate.
                shift = values.mean(axis=axes)
            values -= shift
            total = total + values.sum(axis=axes)
            squares = squares + np.square(values).sum(axis=axes)
            count += values.size // max(1, np.size(shift))
        assert shift is not None
        variance = np.maximum(squares / count - np.square(total / count), 0.0)
        std = np.sqrt(variance)
        std = np.where(std > 1e-6 * np.maximum(1.0, np.abs(shift)), std, 1.0)
        return cls(*(torch.as_tensor(a, dtype=torch.float32) for a in (shift + total / count, std)))

    def to(self, device: str) -> Statistics:
        """Copy on another device."""
        return Statistics(self.mean.to(device), self.std.to(device))


class ClipStore:
    """Features of one split, on the device as one tensor where they fit, else read batch by batch.

    Raises
    ------
    DataError
        If there is no clip, or a feature is NaN or infinite.
    """

    def __init__(
        self, clips: Clips, *, device: str, statistics: Statistics | None = None, resident: bool | None = None
    ) -> None:
        if not len(clips):
            raise DataError("a split without a single clip can be neither trained on nor predicted")
        self.device = device
        self.shape = clips.features.shape[1:]
        self.n_frames = self.shape[0]
        self._statistics = statistics.to(device) if statistics is not None else None
        self._features = clips.features
        self._tensor: Tensor | None = None
        if resident if resident is not None else fits_on(device, clips.features.n_bytes):
            self._tensor = torch.from_numpy(_checked(clips.features.load(), 0)).to(device)
        self._recorder = None if clips.device is None else torch.as_tensor(clips.device, device=device)
        self.device_names = clips.device_names if isinstance(clips, LabelledClips) else None
        labels = clips.labels if isinstance(clips, LabelledClips) else {}
        self._labels = {level: torch.as_tensor(y, device=device) for level, y in labels.items()}
        taught = clips.teacher_logits if isinstance(clips, LabelledClips) else None
        self._teacher_logits = None if taught is None else torch.as_tensor(taught, device=device)

    def __len__(self) -> int:
        return len(self._features)

    def fingerprint(self) -> str:
        """Digest of labels, devices, teachers' logits and a few clips: tells one split from another, cheaply."""
        digest = hashlib.sha256(repr(self._features.shape).encode())
        for name, values in sorted({**self.labels(), "device": self.recorder()}.items()):
            digest.update(name.encode())
            digest.update(b"" if values is None else np.ascontiguousarray(values).data)
        if self._teacher_logits is not None:
            digest.update(b"teacher_logits" + np.ascontiguousarray(self._teacher_logits.cpu().numpy()).data)
        few = np.linspace(0, len(self) - 1, num=min(len(self), _N_FINGERPRINT_CLIPS)).astype(np.int64)
        digest.update(np.ascontiguousarray(self._features[few]).data)
        return digest.hexdigest()

    def labels(self) -> dict[str, npt.NDArray[np.int64]]:
        """Class indices of all clips by label level; empty where they have none."""
        return {level: y.cpu().numpy() for level, y in self._labels.items()}

    def recorder(self) -> npt.NDArray[np.int64] | None:
        """Recording device of all clips, where it is given."""
        return None if self._recorder is None else self._recorder.cpu().numpy()

    def batch(
        self,
        rows: npt.NDArray[np.int64],
        *,
        starts: npt.NDArray[np.int64] | None = None,
        length: int | None = None,
        step: int = 0,
        progress: float = 0.0,
        change: Callable[[Batch], Batch] = lambda batch: batch,
    ) -> Batch:
        """Clips ``rows``; with ``length``, excerpts of so many frames from ``starts``.

        ``change`` is applied before the features are standardised.
        """
        if self._tensor is not None:
            source, index = self._tensor, torch.from_numpy(rows).to(self.device)
        else:
            distinct, inverse = np.unique(rows, return_inverse=True)
            source = torch.from_numpy(_checked(self._features[distinct], distinct)).to(self.device)
            index = torch.from_numpy(inverse).to(self.device)
        if length is None:
            values = source[index]
        else:
            assert starts is not None
            first = torch.from_numpy(starts).to(self.device)
            frames = (first[:, None] + torch.arange(length, device=self.device)) % self.n_frames
            values = source[index[:, None], frames]
        place = torch.from_numpy(rows).to(self.device)
        batch = change(
            Batch(
                features=values,
                labels={level: y[place] for level, y in self._labels.items()},
                device=None if self._recorder is None else self._recorder[place],
                step=step,
                progress=progress,
                device_names=None if self.device_names is None else self.device_names[rows],
                teacher_logits=None if self._teacher_logits is None else self._teacher_logits[place],
            )
        )
        if self._statistics is None:
            return batch
        return replace(batch, features=(batch.features - self._statistics.mean) / self._statistics.std)


def _chunks(features: Features) -> Iterator[npt.NDArray[np.float32]]:
    size = max(1, _CHUNK_BYTES * len(features) // max(features.n_bytes, 1))
    for first in range(0, len(features), size):
        yield features[slice(first, first + size)]


def _checked(values: npt.NDArray[np.float32], rows: npt.NDArray[np.int64] | int) -> npt.NDArray[np.float32]:
    finite = np.isfinite(values.reshape(len(values), -1).sum(axis=1))
    if not finite.all():
        at = int(np.flatnonzero(~finite)[0])
        row = at if isinstance(rows, int) else int(rows[at])
        raise DataError(
            f"features of clip number {row} of the split are NaN or infinite; delete the feature cache and "
            "check the front end"
        )
    return values
