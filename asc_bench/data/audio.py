"""Audio in: one inspection that finds every fault of a file, and one reader that gives the waveform.

Nothing is resampled that is already at the wanted rate, and nothing is repaired: a file that cannot be
trusted raises an error that names it and what is wrong with it.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from asc_bench.data.container import container_fault, decodable, not_audio_reason
from asc_bench.errors import DataError

MISSING_END = 0.01
"""A clip may lack this fraction of its length at the end: resamplers and lossy codecs round."""

OFFICIALLY_SHORT: Mapping[str, str] = {
    "88f911ad79871960004e27678df32941cf329c8474097318d6cc90777baf3cce": (
        "ESC-10, 010 - Fire crackling/4-164661-B.ogg: 3.644 s of 5 s"
    ),
}
"""Files, by sha256, that were published shorter than their clip.

A test clip may not be dropped, so the rest is filled with zeros. Any other file as short as that is a fault.
"""

_BLOCK_FRAMES = 1 << 19
_UNKNOWN_FRAMES = 1 << 62
"""As many or more are libsndfile's word for an unknown length."""


class AudioFacts(NamedTuple):
    """What one complete reading of an audio file found.

    Attributes
    ----------
    sha256 : str
        Of the file's bytes; ``""`` if they could not be read.
    sample_rate_hz, n_channels, n_frames : int
        As decoded, not as announced; 0 where nothing could be decoded.
    peak : float
        Largest absolute sample, full scale being 1.
    fault : str or None
        One sentence, or None for a file that can be used.
    container, subtype : str
        As libsndfile calls them, such as ``WAV`` and ``PCM_24``; ``""`` where nothing could be decoded.
    content : str
        Digest of the decoded samples: equal for copies whose headers differ.
    """

    sha256: str = ""
    sample_rate_hz: int = 0
    n_channels: int = 0
    n_frames: int = 0
    peak: float = 0.0
    fault: str | None = None
    container: str = ""
    subtype: str = ""
    content: str = ""

    @property
    def duration_s(self) -> float:
        """Decoded length, in seconds; 0 for a file that could not be decoded."""
        return self.n_frames / self.sample_rate_hz if self.sample_rate_hz else 0.0

    @property
    def silent(self) -> bool:
        """Whether every sample is zero. Silence is a legitimate recording, not a fault."""
        return self.n_frames > 0 and self.peak == 0.0


def inspect_audio(path: Path) -> AudioFacts:
    """Read a whole file, digest it, decode it to the end, and say what is wrong with it.

    Never raises for a bad file: the fault is part of the result, so that all faults can be listed at once.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return AudioFacts(fault="is a folder, a pipe or a device, not a file")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            fault = container_fault(file)
    except OSError as error:
        return AudioFacts(fault=_cannot_open(error))
    if fault is not None:
        return AudioFacts(sha256=sha256, fault=fault)
    try:
        with soundfile.SoundFile(decodable(path)) as sound:
            return _decode_to_the_end(sound, sha256)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a headerless format, such as .raw
        return AudioFacts(sha256=sha256, fault=not_audio_reason(path, error))


def file_sample_rate_hz(path: Path) -> int:
    """Sample rate that a file states, in hertz.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        return int(soundfile.info(str(path)).samplerate)
    except (soundfile.SoundFileError, TypeError) as error:
        raise DataError(f"{path}: {not_audio_reason(path, error)}") from error


def stated_length_s(path: Path) -> float | None:
    """Length that a file's header gives, in seconds; None for a file whose fault `inspect_audio` finds."""
    facts = stated_facts(path)
    return facts.duration_s if facts is not None else None


def stated_facts(path: Path) -> AudioFacts | None:
    """Rate, channels and length that a file's header gives; None for a file whose fault `inspect_audio` finds."""
    try:
        facts = soundfile.info(decodable(path))
    except (soundfile.SoundFileError, OSError, TypeError):
        return None
    if not 0 < facts.frames < _UNKNOWN_FRAMES:
        return None
    return AudioFacts(sample_rate_hz=facts.samplerate, n_channels=facts.channels, n_frames=facts.frames)


def read_audio(
    path: Path, *, sample_rate_hz: int, start_s: float = 0.0, duration_s: float | None = None
) -> npt.NDArray[np.float32]:
    """Read one clip as mono at the wanted rate.

    The two channels of a stereo file are averaged. A different rate is converted by soxr at quality ``HQ``,
    on the clip alone: samples outside it have no influence.

    Parameters
    ----------
    path : Path
        Any format of libsndfile, one or two channels.
    sample_rate_hz : int
        Rate of the result.
    start_s, duration_s : float
        Where the clip lies in the file; without a duration it reaches to the end of the file.

    Returns
    -------
    float32 array, shape (round(duration_s * sample_rate_hz),)
        Full scale is 1. Up to 1 % of the clip missing at its end is filled with zeros, or more in the files
        of ``OFFICIALLY_SHORT``.

    Raises
    ------
    DataError
        For a file that cannot be decoded, has more than two channels, NaN or infinite samples, or lacks more
        than 1 % of the clip. The message names the file and the fault.
    """
    if sample_rate_hz <= 0 or start_s < 0 or (duration_s is not None and duration_s <= 0):
        raise DataError(
            f"{path}: sample_rate_hz {sample_rate_hz}, start_s {start_s}, duration_s {duration_s}: "
            "rate and duration must be above 0, the start not below it"
        )
    samples, file_rate_hz = _read_segment(path, start_s=start_s, duration_s=duration_s)
    if not np.isfinite(samples).all():
        raise DataError(f"{path}: has NaN or infinite samples")
    mono = samples[:, 0] if samples.shape[1] == 1 else (samples[:, 0] + samples[:, 1]) * np.float32(0.5)
    if file_rate_hz != sample_rate_hz:
        mono = soxr.resample(np.ascontiguousarray(mono), file_rate_hz, sample_rate_hz, quality="HQ")
    if duration_s is None:
        return np.ascontiguousarray(mono)
    whole = np.zeros(round(duration_s * sample_rate_hz), dtype=np.float32)
    n_kept = min(len(whole), len(mono))
    whole[:n_kept] = mono[:n_kept]
    return whole


def _decode_to_the_end(sound: soundfile.SoundFile, sha256: str) -> AudioFacts:
    n_frames, peak, n_bad, first_bad = 0, 0.0, 0, 0
    fault: str | None = None
    content = hashlib.blake2b(bytes([min(sound.channels, 255)]), digest_size=16)
    if sound.channels > 2:  # not decoded: a crafted header may announce a thousand channels
        fault = f"has {sound.channels} channels, only mono and stereo are taken"
        return AudioFacts(sha256, sound.samplerate, sound.channels, 0, 0.0, fault)
    while len(block := sound.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
        finite = np.isfinite(block)
        if not finite.all():
            bad = ~finite.all(axis=1)
            first_bad = first_bad if n_bad else n_frames + int(bad.argmax())
            n_bad += int(bad.sum())
        content.update(block)
        peak = max(peak, float(np.max(np.abs(block), where=finite, initial=0.0)))
        n_frames += len(block)
    if n_frames == 0:
        fault = "has a header but no samples"
    elif n_frames < 2:
        fault = "has one sample only"
    elif n_bad:
        at_s = first_bad / sound.samplerate
        fault = f"has NaN or infinite samples: {n_bad} of {n_frames} frames, the first at {at_s:.4f} s"
    elif n_frames < sound.frames:
        fault = f"is cut or damaged: {n_frames} of the announced {sound.frames} frames could be decoded"
    return AudioFacts(
        sha256,
        sound.samplerate,
        sound.channels,
        n_frames,
        peak,
        fault,
        container=sound.format,
        subtype=sound.subtype,
        content=content.hexdigest(),
    )


def _read_segment(path: Path, *, start_s: float, duration_s: float | None) -> tuple[npt.NDArray[np.float32], int]:
    """Frames of a clip, shape (n_frames, n_channels), and the file's rate; at most 1 % short of the clip."""
    try:
        with path.open("rb") as file:
            fault = container_fault(file)
    except OSError as error:
        raise DataError(f"{path}: {_cannot_open(error)}") from error
    if fault is not None:
        raise DataError(f"{path}: {fault}")
    try:
        with soundfile.SoundFile(decodable(path)) as sound:
            if sound.channels > 2:
                raise DataError(f"{path}: has {sound.channels} channels, only mono and stereo are taken")
            rate_hz = int(sound.samplerate)
            first = round(start_s * rate_hz)
            n_wanted = -1 if duration_s is None else round(duration_s * rate_hz)
            sound.seek(min(first, sound.frames))
            samples = sound.read(n_wanted, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, TypeError) as error:
        raise DataError(f"{path}: {not_audio_reason(path, error)}") from error
    if len(samples) == 0 or (len(samples) < (1 - MISSING_END) * n_wanted and _sha256(path) not in OFFICIALLY_SHORT):
        asked = "up to its end" if duration_s is None else f"{duration_s:g} s long"
        raise DataError(
            f"{path}: is too short: the clip starts at {start_s:g} s and is {asked}, "
            f"but only {len(samples) / rate_hz:.4f} s follow there"
        )
    return samples, rate_hz


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cannot_open(error: OSError) -> str:
    return f"cannot be opened: {error.strerror or error}"
