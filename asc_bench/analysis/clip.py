"""One audio file from anywhere, as the input of a fitted system."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asc_bench.clips import Clips, Features
from asc_bench.data.audio import AudioFacts, inspect_audio, read_audio
from asc_bench.errors import ConfigError, DataError
from asc_bench.features.clip import clip_features
from asc_bench.names import near
from asc_bench.systems.base import System


def check_file(path: Path, *, start_s: float, duration_s: float) -> AudioFacts:
    """Decode a whole file and see that the clip from ``start_s`` on lies in it.

    Raises
    ------
    DataError
        If the file is broken, or too short.
    """
    facts = inspect_audio(path)
    if facts.fault is not None:
        raise DataError(f"{path}: {facts.fault}")
    if start_s >= facts.duration_s:
        raise DataError(f"{path}: lasts {facts.duration_s:g} s, so no clip begins at {start_s:g} s")
    read_audio(path, sample_rate_hz=facts.sample_rate_hz, start_s=start_s, duration_s=duration_s)
    return facts


def outside_clip(path: Path, system: System, *, start_s: float = 0.0, recorder: str = "") -> Clips:
    """A clip as ``system.predict`` takes it, read as the clips of a data set are.

    Parameters
    ----------
    path : Path
        Audio file.
    system : System
        Its task says how long a clip is, and which recording devices there are.
    start_s : float
        Where the clip begins in the file, in s.
    recorder : str
        Recording device, for a system that uses it at test time.

    Raises
    ------
    ConfigError
        If the recorder is needed and not given or unknown, or given and not needed.
    DataError
        If the file does not hold the clip.
    """
    device = _device(system, recorder)
    features = clip_features(path, system.front_end(), start_s=start_s, duration_s=system.task.clip_duration_s)
    return Clips(Features(features[None], np.zeros(1, dtype=np.int64)), device)


def _device(system: System, recorder: str) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    name, known = system.card.name, system.task.devices
    if system.needs_device != "test":
        if recorder:
            raise ConfigError(f"{name} with these settings does not use the recording device; leave --recorder out")
        return None
    if not recorder:
        raise ConfigError(
            f"{name} with these settings uses the recording device of the clip: give --recorder {'|'.join(known)}"
        )
    if recorder not in known:
        raise ConfigError(f"--recorder is {recorder!r}{near(recorder, known)}")
    return np.array([known.index(recorder)], dtype=np.int64)
