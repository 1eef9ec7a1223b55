"""How the files of a published data set are: rate, channels, coding and length, as data, and in words."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

WAV_KINDS = {"WAVEX": "WAV", "RF64": "WAV"}
"""Headers of WAV files that libsndfile tells apart and that hold the same samples."""

COMMON_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000)

_CONTAINERS = {"OGG": "Ogg", "MPEG": "MP3", "MP3": "MP3"}
_SUBTYPES = {
    "PCM_S8": "8 bit",
    "PCM_U8": "8 bit",
    "PCM_16": "16 bit",
    "PCM_24": "24 bit",
    "PCM_32": "32 bit",
    "FLOAT": "32 bit float",
    "DOUBLE": "64 bit float",
    "VORBIS": "Vorbis",
    "OPUS": "Opus",
    "ULAW": "mu-law",
    "ALAW": "A-law",
    "MPEG_LAYER_III": "",
}
FLOATS = ("FLOAT", "DOUBLE")


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """Format of the files of a published data set; what is empty or None is not known.

    Attributes
    ----------
    containers, subtypes : tuple of str
        As libsndfile calls them, ``WAVEX`` and ``RF64`` being ``WAV``.
    rate_hz, n_channels : int or None
        Sample rate and channels.
    longer_by_s : float or None
        How much longer than its clip a file may be, in seconds; None where clips are parts of files.
    peak : float
        Largest absolute sample that occurs, full scale being 1; lossy codecs exceed it.
    guessed : frozenset of str
        Which of ``container``, ``subtype``, ``rate``, ``channels``, ``length`` and ``peak`` are guesses.
    """

    containers: tuple[str, ...] = ()
    subtypes: tuple[str, ...] = ()
    rate_hz: int | None = None
    n_channels: int | None = None
    longer_by_s: float | None = None
    peak: float = 1.0
    guessed: frozenset[str] = frozenset()


@cache
def published_format(layout: str) -> FileFormat | None:
    """The format of a layout's files; None for a layout of which nothing is known."""
    with (files("asc_bench.data.resources") / "file_formats.csv").open(encoding="utf-8") as stream:
        row = next((row for row in csv.DictReader(stream) if row["layout"] == layout), None)
    if row is None:
        return None
    return FileFormat(
        containers=tuple(row["containers"].split()),
        subtypes=tuple(row["subtypes"].split()),
        rate_hz=int(row["rate_hz"]) if row["rate_hz"] else None,
        n_channels=int(row["channels"]) if row["channels"] else None,
        longer_by_s=float(row["longer_by_s"]) if row["longer_by_s"] else None,
        peak=float(row["peak"]),
        guessed=frozenset(row["guessed"].split()),
    )


def likely_rate_hz(n_frames: int, duration_s: float, stated_hz: int) -> int | None:
    """The usual rate at which so many frames last that long, to 0.5 %; None if there is none, or it is stated."""
    fitting = [rate for rate in COMMON_RATES_HZ if abs(n_frames / rate - duration_s) <= 0.005 * duration_s]
    return fitting[0] if fitting and stated_hz not in fitting else None


def wrong_rate_hint(n_frames: int, duration_s: float, stated_hz: int) -> str:
    """What the number of frames says about a file of the wrong length, in brackets; empty if nothing."""
    rate_hz = likely_rate_hz(n_frames, duration_s, stated_hz)
    if rate_hz is None:
        return ""
    return (
        f" ({n_frames} frames are {duration_s:g} s at {in_khz(rate_hz)}: the rate in its header, "
        f"{in_khz(stated_hz)}, seems wrong)"
    )


def in_khz(rate_hz: int) -> str:
    """``44.1 kHz``."""
    return f"{rate_hz / 1000:g} kHz"


def channels_in_words(n_channels: int) -> str:
    """``mono`` or ``stereo``."""
    return {1: "mono", 2: "stereo"}.get(n_channels, f"{n_channels} channels")


def coding_in_words(container: str, subtype: str = "") -> str:
    """``WAV of 16 bit``, ``Ogg Vorbis``, ``MP3``."""
    name = _CONTAINERS.get(container, container)
    coded = _SUBTYPES.get(subtype, subtype)
    if not coded:
        return name
    return f"{name} of {coded}" if "bit" in coded else f"{name} {coded}"


def any_of(words: Iterable[str]) -> str:
    """``a``, or ``a or b``."""
    return " or ".join(dict.fromkeys(words))
