"""Deformations of waveforms, for augmentation before the front end."""

from asc_bench.features.deform.background import NOISES, add_background, noise
from asc_bench.features.deform.compress import PRESETS, compress
from asc_bench.features.deform.stretch import fit_length, pitch_shift, time_stretch
from asc_bench.features.deform.variants import FAMILIES, VARIANTS, Deformation

__all__ = [
    "FAMILIES",
    "NOISES",
    "PRESETS",
    "VARIANTS",
    "Deformation",
    "add_background",
    "compress",
    "fit_length",
    "noise",
    "pitch_shift",
    "time_stretch",
]
