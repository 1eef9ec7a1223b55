"""Augmentation of feature batches on the training device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asc_bench.errors import ConfigError
from asc_bench.features.torchaudio_import import torchaudio

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class SpecMask:
    """Time and frequency masking, drawn anew for every example.

    Each mask covers ``floor(u)`` lines, ``u`` uniform in [0, width), and starts uniformly in [0, length - u),
    so the last line is never masked; masks may overlap. Random numbers come from torch's generator of the
    batch's device, so ``torch.manual_seed`` reproduces them.

    Source: Park et al. 2019, SpecAugment, section 2 (without time warping).

    Attributes
    ----------
    frequency_width, time_width : int
        Upper bound of a mask's width, in mel bands and in frames (F and T of the source).
    n_frequency, n_time : int
        Masks of each kind for each example (m_F and m_T of the source).
    value : float
        What masked bins are set to: 0 is the mean of standardised features.
    """

    frequency_width: int
    time_width: int
    n_frequency: int = 1
    n_time: int = 1
    value: float = 0.0

    def __post_init__(self) -> None:
        for name in ("frequency_width", "time_width", "n_frequency", "n_time"):
            if getattr(self, name) < 0:
                raise ConfigError(f"SpecMask: {name} is {getattr(self, name)}, must not be negative")

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Mask a batch, shape (n, 1, time, mel) or (n, time, mel), and leave the one given as it is.

        Raises
        ------
        ConfigError
            If the batch has another shape, or a mask can be wider than the batch.
        """
        if batch.ndim not in (3, 4) or (batch.ndim == 4 and batch.shape[1] != 1):
            shape = tuple(batch.shape)
            raise ConfigError(f"SpecMask: shape {shape} is neither (n, 1, time, mel) nor (n, time, mel)")
        n_frames, n_mels = batch.shape[-2:]
        if self.time_width > n_frames or self.frequency_width > n_mels:
            raise ConfigError(
                f"SpecMask: masks of up to {self.time_width} frames and {self.frequency_width} bands "
                f"do not fit into {n_frames} frames of {n_mels} bands"
            )
        transforms = torchaudio().transforms
        mask_frequency = transforms.FrequencyMasking(self.frequency_width, iid_masks=True)
        mask_time = transforms.TimeMasking(self.time_width, iid_masks=True)
        masked = batch.transpose(-2, -1)  # torchaudio has frequency before time
        for mask, count in ((mask_frequency, self.n_frequency), (mask_time, self.n_time)):
            for _ in range(count):
                masked = mask(masked, self.value)
        return masked.transpose(-2, -1)
