"""Binaural recordings as several waveforms: each ear, their sum and their difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from asc_bench.data.container import decodable
from asc_bench.errors import ConfigError, DataError

VIEWS = ("left", "right", "sum", "difference")
"""Left and right are the channels, sum and difference half of ``left + right`` and of ``left - right``.

Halved, they cannot exceed full scale, and the sum is what any stereo file is mixed down to.
"""


def view_of(samples: npt.NDArray[np.float32], view: str) -> npt.NDArray[np.float32]:
    """One waveform of two channels.

    Parameters
    ----------
    samples : float32 array, shape (n_samples, 2)
        Left and right.
    view : str
        One of ``VIEWS``.

    Raises
    ------
    ConfigError
        For another view.
    """
    left, right = samples[:, 0], samples[:, 1]
    match view:
        case "left":
            return left
        case "right":
            return right
        case "sum":
            return (left + right) * np.float32(0.5)
        case "difference":
            return (left - right) * np.float32(0.5)
    raise ConfigError(f"there is no view {view!r} of a binaural recording, only {', '.join(VIEWS)}")


def read_view(
    path: Path, view: str, *, sample_rate_hz: int, start_s: float, duration_s: float
) -> npt.NDArray[np.float32]:
    """Read one waveform of a clip of a binaural file, resampled as ``asc_bench.data.audio.read_audio`` does.

    Parameters
    ----------
    path : Path
        A file that was indexed, so that its content can be trusted.
    view : str
        One of ``VIEWS``.
    sample_rate_hz : int
        Rate of the result.
    start_s, duration_s : float
        Where the clip lies in the file.

    Returns
    -------
    float32 array, shape (round(duration_s * sample_rate_hz),)
        What is missing at the end (the index tolerates 1 %) is filled with zeros.

    Raises
    ------
    DataError
        If the file cannot be read, or has not exactly two channels.
    ConfigError
        For an unknown view.
    """
    import soundfile
    import soxr

    try:
        with soundfile.SoundFile(decodable(path)) as sound:
            rate_hz, n_channels = int(sound.samplerate), sound.channels
            sound.seek(min(round(start_s * rate_hz), sound.frames))
            samples = sound.read(round(duration_s * rate_hz), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if n_channels != 2:
        raise DataError(f"{path}: a binaural recording has two channels, this one has {n_channels}")
    if not len(samples):
        raise DataError(f"{path}: ends before the clip at {start_s:g} s")
    wave = view_of(samples, view)
    if rate_hz != sample_rate_hz:
        wave = soxr.resample(np.ascontiguousarray(wave), rate_hz, sample_rate_hz, quality="HQ")
    whole = np.zeros(round(duration_s * sample_rate_hz), dtype=np.float32)
    n_kept = min(len(whole), len(wave))
    whole[:n_kept] = wave[:n_kept]
    return whole
