"""The twenty deformations of Salamon and Bello, by family and by name.

Source: Salamon and Bello 2017, section II-C, "Deep convolutional neural networks and data augmentation for
environmental sound classification", IEEE Signal Processing Letters 24(3).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from asc_bench.features.deform.background import NOISES, WEIGHTS, add_background, noise
from asc_bench.features.deform.compress import PRESETS, compress
from asc_bench.features.deform.stretch import fit_length, pitch_shift, time_stretch
from asc_bench.features.frontends import Waveform


@dataclass(frozen=True)
class Deformation(ABC):
    """One way to change a recording so that its label still holds; ``repr`` tells all that it depends on."""

    family: ClassVar[str]

    @property
    @abstractmethod
    def value(self) -> str:
        """What tells this variant from the others of its family."""

    @property
    def name(self) -> str:
        """``family-value``, such as ``ts-0.81``."""
        return f"{self.family}-{self.value}"

    @classmethod
    @abstractmethod
    def published(cls) -> tuple[Deformation, ...]:
        """The variants of the source."""

    def seeded(self, seed: int) -> Self:
        """The same with random numbers of its own; most draw none."""
        return self

    @abstractmethod
    def deform(self, waveform: npt.NDArray[np.float32], *, sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """Change a waveform, which may get another length or leave full scale."""

    def __call__(self, waveform: npt.NDArray[np.float32], *, sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """Change a waveform, keep its length, and scale it down where it would clip.

        Parameters
        ----------
        waveform : float32 array, shape (n_samples,)
            Mono, full scale 1.
        sample_rate_hz : int
            Sample rate.

        Returns
        -------
        float32 array, shape (n_samples,)

        Raises
        ------
        DataError
            If the waveform is empty, not mono or not finite.
        """
        checked = Waveform(sample_rate_hz=sample_rate_hz)(waveform)
        whole = fit_length(self.deform(checked, sample_rate_hz=sample_rate_hz), len(checked))
        peak = np.max(np.abs(whole))
        return whole / peak if peak > 1.0 else whole


@dataclass(frozen=True)
class TimeStretch(Deformation):
    """Faster (above 1) or slower at the same pitch; cut or repeated to the old length."""

    rate: float
    family: ClassVar[str] = "ts"
    RATES: ClassVar[tuple[float, ...]] = (0.81, 0.93, 1.07, 1.23)

    @property
    def value(self) -> str:
        """The rate."""
        return f"{self.rate:g}"

    @classmethod
    def published(cls) -> tuple[Deformation, ...]:
        """Four rates."""
        return tuple(cls(rate) for rate in cls.RATES)

    def deform(self, waveform: npt.NDArray[np.float32], *, sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """See ``time_stretch``."""
        return time_stretch(waveform, rate=self.rate, sample_rate_hz=sample_rate_hz)


@dataclass(frozen=True)
class PitchShift(Deformation):
    """Higher or lower by up to two semitones at the same length."""

    semitones: float
    family: ClassVar[str] = "ps1"
    SEMITONES: ClassVar[tuple[float, ...]] = (-2.0, -1.0, 1.0, 2.0)

    @property
    def value(self) -> str:
        """Semitones with their sign."""
        return f"{self.semitones:+g}"

    @classmethod
    def published(cls) -> tuple[Deformation, ...]:
        """Four intervals."""
        return tuple(cls(semitones) for semitones in cls.SEMITONES)

    def deform(self, waveform: npt.NDArray[np.float32], *, sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """See ``pitch_shift``."""
        return pitch_shift(waveform, semitones=self.semitones, sample_rate_hz=sample_rate_hz)


@dataclass(frozen=True)
class WidePitchShift(PitchShift):
    """Higher or lower by up to three and a half semitones at the same length."""

    family: ClassVar[str] = "ps2"
    SEMITONES: ClassVar[tuple[float, ...]] = (-3.5, -2.5, 2.5, 3.5)


@dataclass(frozen=True)
class Compression(Deformation):
    """Dynamic range compression by a preset."""

    preset: str
    family: ClassVar[str] = "drc"

    @property
    def value(self) -> str:
        """The preset."""
        return self.preset

    @classmethod
    def published(cls) -> tuple[Deformation, ...]:
        """Four presets."""
        return tuple(cls(preset) for preset in PRESETS)

    def deform(self, waveform: npt.NDArray[np.float32], *, sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """See ``compress``."""
        return compress(waveform, preset=self.preset, sample_rate_hz=sample_rate_hz)


@dataclass(frozen=True)
class Background(Deformation):
    """Noise of a seed mixed in, with a weight of the same seed."""

    scene: str
    seed: int = 0
    family: ClassVar[str] = "bg"

    @property
    def value(self) -> str:
        """The scene."""
        return self.scene

    @property
    def weight(self) -> float:
        """Share of the noise, uniform in ``WEIGHTS``."""
        return float(np.random.default_rng([self.seed, 1]).uniform(*WEIGHTS))

    @classmethod
    def published(cls) -> tuple[Deformation, ...]:
        """Four scenes."""
        return tuple(cls(scene) for scene in NOISES)

    def seeded(self, seed: int) -> Self:
        """The same scene with another noise and another weight."""
        return replace(self, seed=seed)

    def deform(self, waveform: npt.NDArray[np.float32], *, sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """See ``add_background``."""
        made = noise(self.scene, n_samples=len(waveform), sample_rate_hz=sample_rate_hz, seed=self.seed)
        return add_background(waveform, made, weight=self.weight)


FAMILIES: Mapping[str, tuple[Deformation, ...]] = MappingProxyType(
    {
        family.family: family.published()
        for family in (TimeStretch, PitchShift, WidePitchShift, Compression, Background)
    }
)
"""Variants by family."""

VARIANTS: Mapping[str, Deformation] = MappingProxyType(
    {variant.name: variant for variants in FAMILIES.values() for variant in variants}
)
"""All twenty by name, in the order of the source."""
