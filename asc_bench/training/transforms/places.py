"""Transforms that hide or move parts of a clip: masks, rolling and random excerpts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from asc_bench.errors import ConfigError
from asc_bench.features.torchaudio_import import torchaudio
from asc_bench.training.transforms.base import Given, Transform, require_positive, require_types

if TYPE_CHECKING:
    from torch import Tensor

    from asc_bench.features.frontends import FrontEnd
    from asc_bench.training.batches import Batch


@dataclass(frozen=True)
class SpecAugment(Transform):
    """Time and frequency masks, drawn anew for every example.

    Each mask covers ``floor(u)`` lines, ``u`` uniform in [0, width), and starts uniformly in [0, length - u),
    so the last line is never masked; masks may overlap.

    Source: Park et al. 2019, SpecAugment, section 2 (without time warping). Widths of a fifth of each axis are
    those of https://github.com/yqcai888/easy_dcase_task1 for its transformers.

    Attributes
    ----------
    frequency, time : float
        Upper bound of a mask's width: in bands and frames from 1 on, below 1 as a share of all; 0 for none.
    n_frequency, n_time : int
        Masks of each kind for each example (m_F and m_T of the source).
    value : float, optional
        What masked bins are set to. By default the mean of standardised features, 0; else what the front end gives
        for silence.
    """

    name: ClassVar[str] = "specaugment"

    frequency: float = 0.2
    time: float = 0.2
    n_frequency: int = 1
    n_time: int = 1
    value: float | None = None

    def __post_init__(self) -> None:
        require_types(self)
        for key in ("frequency", "time", "n_frequency", "n_time"):
            given = getattr(self, key)
            if not 0 <= given < float("inf"):
                raise ConfigError(f"{self.name}: {key} is {given}, must not be negative")
            if given > 1 and given != int(given):
                raise ConfigError(f"{self.name}: {key} is {given}, must be a whole number or a share below 1")

    def why_not(self, given: Given) -> str:
        """It needs bands, and masks that fit."""
        if not given.has_bands:
            return f"needs frames of frequency bands, and these are {given.source}"
        if self.value is None and not given.standardised and given.front_end is None:
            return "value must be given, as the features are not standardised and come from no front end"
        return self._too_wide(*given.shape)

    def _too_wide(self, n_frames: int, n_bands: int) -> str:
        for width, n, what in ((self.time, n_frames, "frames"), (self.frequency, n_bands, "bands")):
            if width > n:
                return f"masks of up to {width:g} {what} do not fit into {n}"
        return ""

    def __call__(self, batch: Batch, given: Given) -> Batch:
        """Masked features."""
        n_frames, n_bands = batch.features.shape[1:]
        if fault := self._too_wide(n_frames, n_bands):  # of excerpts that another transform has cut
            raise ConfigError(f"{self.name}: {fault}")
        transforms = torchaudio().transforms
        value = self._value(given)
        masked = batch.features.transpose(1, 2)[:, None]  # torchaudio has frequency before time
        for kind, width, length, count in (
            (transforms.FrequencyMasking, self.frequency, n_bands, self.n_frequency),
            (transforms.TimeMasking, self.time, n_frames, self.n_time),
        ):
            for _ in range(count if width else 0):
                mask = kind(int(width if width >= 1 else width * length), iid_masks=True)
                masked = mask(masked, value)
        return replace(batch, features=masked[:, 0].transpose(1, 2))

    def _value(self, given: Given) -> float:
        if self.value is not None or given.standardised:
            return self.value or 0.0
        assert given.front_end is not None
        return silence_of(given.front_end)


@dataclass(frozen=True)
class TimeRoll(Transform):
    """Shift each clip in a circle along time by a step of its own; all steps up to the bound are equally likely.

    Source: https://github.com/CPJKU/dcase2024_task1_baseline, which rolls samples. Rolling whole frames of cached
    features is the same but for the frames that the seam runs through.

    Attributes
    ----------
    seconds : float
        Largest step, either way.
    """

    name: ClassVar[str] = "roll"

    seconds: float = 0.1

    def __post_init__(self) -> None:
        require_types(self)
        require_positive(self.name, seconds=self.seconds)

    def why_not(self, given: Given) -> str:
        """The rate of the steps must be known, and the bound be one of them at least."""
        reach = given.steps(self.seconds)
        if reach is None:
            return f"needs time along the first axis at a known rate, and these are {given.source}"
        return "" if reach else f"{self.seconds:g} s are less than half a frame"

    def __call__(self, batch: Batch, given: Given) -> Batch:
        """Shifted features."""
        import torch

        reach = given.steps(self.seconds)
        assert reach is not None
        x = batch.features
        return replace(batch, features=rolled(x, torch.randint(-reach, reach + 1, (len(x),))))


@dataclass(frozen=True)
class RandomCrop(Transform):
    """Train on an excerpt of each example at a random place; tests keep to the plan's own excerpts or whole clips.

    For networks that take clips of any length. Where the test is to be cut as well, set ``plan.crop`` instead.

    Attributes
    ----------
    seconds : float
        Length of an excerpt.
    """

    name: ClassVar[str] = "crop"

    seconds: float = 1.0

    def __post_init__(self) -> None:
        require_types(self)
        require_positive(self.name, seconds=self.seconds)

    def why_not(self, given: Given) -> str:
        """The excerpt must be a part of the example."""
        length = given.steps(self.seconds)
        if length is None:
            return f"needs time along the first axis at a known rate, and these are {given.source}"
        if 1 <= length <= given.shape[0]:
            return ""
        return f"excerpts of {self.seconds:g} s are {length} steps, and examples have {given.shape[0]}"

    @property
    def changes_shape(self) -> bool:
        """It does."""
        return True

    def __call__(self, batch: Batch, given: Given) -> Batch:
        """Excerpts."""
        import torch

        length, x = given.steps(self.seconds), batch.features
        assert length is not None
        firsts = torch.randint(x.shape[1] - length + 1, (len(x),)).tolist()
        excerpts = [clip[first : first + length] for clip, first in zip(x, firsts, strict=True)]
        return replace(batch, features=torch.stack(excerpts))


@cache
def silence_of(front_end: FrontEnd) -> float:
    """Least value that a front end gives for a second of silence."""
    return float(front_end(np.zeros(front_end.sample_rate_hz, dtype=np.float32)).min())


def rolled(x: Tensor, steps: Tensor) -> Tensor:
    """Clip ``i`` of (n, time, ...) shifted in a circle by ``steps[i]``, later where positive."""
    import torch

    # Clip by clip: gathering the samples of a waveform by their places takes tens of times as long.
    return torch.stack([clip.roll(step, 0) for clip, step in zip(x, steps.tolist(), strict=True)])
