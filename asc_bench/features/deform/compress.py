"""Dynamic range compression as the ``compand`` effect of SoX does it, with the presets of muda.

Sources: Salamon and Bello 2017, section II-C; muda, ``drc_presets.json``; SoX, ``compand.c`` and ``compandt.c``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.features.frontends import Waveform


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings of one compressor.

    Attributes
    ----------
    attack_s, decay_s : float
        Time constants with which the follower rises to a higher sample and falls to a lower one.
    points_db : tuple of (float, float)
        Input level and output level, linear in between; below the first the gain stays.
    gain_db : float
        Added to the output.
    look_ahead_s : float
        How long the gain is ahead of the sound.
    """

    attack_s: float
    decay_s: float
    points_db: tuple[tuple[float, float], ...]
    gain_db: float = 0.0
    look_ahead_s: float = 0.0

    def gain_at_db(self, level_db: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Gain in dB where the follower stands at these levels, in dB re full scale."""
        levels = [level for level, _ in self.points_db]
        gains = [out - level + self.gain_db for level, out in self.points_db]
        return np.asarray(np.interp(level_db, levels, gains), dtype=np.float64)


def _slow(*points_db: tuple[float, float]) -> Preset:
    return Preset(attack_s=0.1, decay_s=0.3, points_db=((-90.0, -90.0), *points_db, (0.0, -20.0)), look_ahead_s=0.1)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "music": _slow((-70.0, -58.0), (-55.0, -43.0), (-31.0, -31.0), (-21.0, -21.0)),
        "film": _slow((-70.0, -64.0), (-43.0, -37.0), (-31.0, -31.0), (-21.0, -21.0)),
        "speech": _slow((-70.0, -55.0), (-50.0, -35.0), (-31.0, -31.0), (-21.0, -21.0)),
        "radio": Preset(
            attack_s=0.01,
            decay_s=1.0,
            points_db=((-90.0, -90.0), (-70.0, -70.0), (-60.0, -20.0), (0.0, 0.0)),
            gain_db=-5.0,
        ),
    }
)
"""The four of the source: music standard, film standard, speech, radio."""

_FLOOR = 1e-9
"""-180 dB, below every point: the logarithm of a follower that has fallen to zero."""


def compress(waveform: npt.NDArray[np.float32], *, preset: str, sample_rate_hz: int) -> npt.NDArray[np.float32]:
    """Compress the dynamic range.

    A follower moves towards the absolute value of each sample, fast upwards and slowly downwards, and its level
    decides the gain. It starts at full scale, as SoX has it, so that a quiet beginning fades in.

    Parameters
    ----------
    waveform : float32 array, shape (n_samples,)
        Mono, full scale 1.
    preset : str
        A key of ``PRESETS``.
    sample_rate_hz : int
        Sample rate.

    Returns
    -------
    float32 array, shape (n_samples,)
        May exceed full scale: what is quiet is raised, and a sudden loud sound meets that gain.

    Raises
    ------
    ConfigError
        For an unknown preset.
    DataError
        If the waveform is empty, not mono or not finite.
    """
    if preset not in PRESETS:
        raise ConfigError(f"compress: preset {preset!r} is not one of {', '.join(PRESETS)}")
    chosen = PRESETS[preset]
    samples = Waveform(sample_rate_hz=sample_rate_hz)(waveform)
    share = [1.0 - np.exp(-1.0 / (sample_rate_hz * s)) for s in (chosen.attack_s, chosen.decay_s)]
    followed = _compiled()(samples, *share)
    ahead = int(chosen.look_ahead_s * sample_rate_hz)
    if ahead:
        # Behind the end there is nothing to look at: the gain stays.
        followed = np.concatenate([followed[ahead:], np.full(min(ahead, len(followed)), followed[-1])])
    level_db = 20.0 * np.log10(np.maximum(followed, _FLOOR))
    gain = 10.0 ** (chosen.gain_at_db(level_db) / 20.0)
    return (samples * gain).astype(np.float32)


def follow(samples: npt.NDArray[np.float32], rise: float, fall: float) -> npt.NDArray[np.float64]:
    """Level follower that starts at 1: each step goes the share ``rise`` or ``fall`` of the way to the sample."""
    levels = np.empty(len(samples), dtype=np.float64)
    level = 1.0
    for i in range(len(samples)):
        way = abs(samples[i]) - level
        level += (rise if way > 0.0 else fall) * way
        levels[i] = level
    return levels


@cache
def _compiled() -> Any:
    """``follow`` as machine code, 45 times as fast; librosa brings the compiler, which takes half a second."""
    import numba

    return numba.njit(nogil=True)(follow)
