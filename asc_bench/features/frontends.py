"""Front ends: a mono waveform at a stated rate becomes the array that a system reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, DataError

Window = Literal["hann", "hamming"]
MelScale = Literal["slaney", "htk"]
MelNorm = Literal["slaney"] | None

_FRAMES_PER_BLOCK = 64
"""Frames transformed at once: the spectra of 64 frames of 2,048 samples fit into a core's own cache."""


@dataclass(frozen=True, kw_only=True)
class FrontEnd(ABC):
    """Base of every front end. Its class name and fields are its identity in cache keys."""

    numerics_version: ClassVar[int | None] = None
    """As in ``System``: raised in a class when its output moves; one that declares none is keyed by its code."""
    axes: ClassVar[tuple[str, ...]] = ()
    """What each axis of the output counts, in order; empty where a class does not say."""

    sample_rate_hz: int

    @property
    def frame_rate_hz(self) -> float | None:
        """Frames per second, where the first axis of the output counts frames of a known hop."""
        hop_length = getattr(self, "hop_length", None)
        return self.sample_rate_hz / hop_length if hop_length and self.axes[:1] in ((), ("frames",)) else None

    def key(self) -> dict[str, object]:
        """What identifies this front end: class name and settings."""
        return {"front_end": type(self).__name__, **asdict(self)}

    @abstractmethod
    def shape(self, duration_s: float) -> tuple[int, ...]:
        """Shape of the output for a clip of this length."""

    @abstractmethod
    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Transform one mono waveform, shape (n_samples,), in [-1, 1]."""


def parts_of(front_end: FrontEnd | None) -> Iterator[FrontEnd]:
    """A front end and all those that its settings hold."""
    if front_end is None:
        return
    yield front_end
    for field in fields(front_end):
        value = getattr(front_end, field.name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, FrontEnd):
                yield from parts_of(inner)


@dataclass(frozen=True, kw_only=True)
class Waveform(FrontEnd):
    """The samples themselves, for systems that learn their own filters."""

    numerics_version: ClassVar[int | None] = 1
    axes: ClassVar[tuple[str, ...]] = ("samples",)

    def shape(self, duration_s: float) -> tuple[int, ...]:
        """``(n_samples,)``."""
        return (_checked_length(round(duration_s * self.sample_rate_hz), at_least=1),)

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Give the waveform back as it is.

        Raises
        ------
        DataError
            If it is empty, not mono, not floating point or not finite.
        """
        return _checked_waveform(waveform, at_least=1)


@dataclass(frozen=True, kw_only=True)
class LogMel(FrontEnd):
    """Logarithmic mel spectrogram, time first: float32 of shape (n_frames, n_mels).

    The Fourier transform runs in double precision: in single precision the bands far below a pure tone are
    rounding noise, which the logarithm brings out.

    Attributes
    ----------
    n_fft, window_length, hop_length : int
        In samples. Windows shorter than ``n_fft`` are padded with zeros.
    n_mels : int
        Number of mel bands between ``fmin_hz`` and ``fmax_hz``.
    window : {"hann", "hamming"}
        Window function.
    symmetric_window : bool
        Symmetric as ``numpy.hamming`` gives it, or periodic as librosa, torchaudio and VGGish have it.
    unit_power_window : bool
        Divide the window by the root of its energy, as ``scipy.signal.spectrogram`` does at a rate of 1.
    power : {1, 2}
        Mel bands of the magnitude or of the power spectrum.
    mel_scale, mel_norm
        As ``librosa.filters.mel``: Slaney's or the HTK formula; triangles of equal area or of height 1.
    centre : bool
        Frame ``t`` is centred on sample ``t * hop_length`` with ``pad`` beyond both ends, or begins there.
    pad : {"constant", "reflect"}
        What lies beyond the ends of a centred spectrogram: zeros (librosa) or a reflection (torchaudio).
    log : {"ln", "log10", "db"}
        ``db`` is 10 log10 of a power or 20 log10 of a magnitude, with respect to 1.
    floor : float
        Keeps silence finite.
    floor_by : {"add", "clip"}
        Whether the floor is added to every band or the least value allowed.
    """

    numerics_version: ClassVar[int | None] = 1
    axes: ClassVar[tuple[str, ...]] = ("frames", "mel bands")

    n_fft: int
    window_length: int
    hop_length: int
    n_mels: int
    fmin_hz: float
    fmax_hz: float
    window: Window = "hann"
    symmetric_window: bool = False
    unit_power_window: bool = False
    power: float = 2.0
    mel_scale: MelScale = "slaney"
    mel_norm: MelNorm = "slaney"
    centre: bool = True
    pad: Literal["constant", "reflect"] = "constant"
    log: Literal["ln", "log10", "db"] = "ln"
    floor: float = 1e-10
    floor_by: Literal["add", "clip"] = "add"

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[object, ...]] = {
            "window": ("hann", "hamming"),
            "power": (1.0, 2.0),
            "mel_scale": ("slaney", "htk"),
            "mel_norm": (None, "slaney"),
            "pad": ("constant", "reflect"),
            "log": ("ln", "log10", "db"),
            "floor_by": ("add", "clip"),
        }
        for name, choices in allowed.items():
            if getattr(self, name) not in choices:
                raise ConfigError(f"log-mel: {name} is {getattr(self, name)!r}, not one of {choices}")
        for name in ("sample_rate_hz", "window_length", "hop_length", "n_mels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"log-mel: {name} is {getattr(self, name)}, must be at least 1")
        if self.window_length > self.n_fft:
            raise ConfigError(f"log-mel: window_length {self.window_length} is above n_fft {self.n_fft}")
        if not 0 <= self.fmin_hz < self.fmax_hz <= self.sample_rate_hz / 2:
            raise ConfigError(
                f"log-mel: bands from {self.fmin_hz} to {self.fmax_hz} Hz do not lie between 0 and "
                f"{self.sample_rate_hz / 2} Hz, half the sample rate"
            )
        if not self.floor > 0:
            raise ConfigError(f"log-mel: floor is {self.floor}, must be above 0 or silence becomes infinite")

    def shape(self, duration_s: float) -> tuple[int, ...]:
        """``(n_frames, n_mels)``."""
        n_samples = _checked_length(round(duration_s * self.sample_rate_hz), at_least=self.window_length)
        return self._n_frames(n_samples), self.n_mels

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Transform one mono waveform, shape (n_samples,), in [-1, 1].

        Raises
        ------
        DataError
            If it is shorter than a window, not mono, not floating point or not finite.
        """
        from scipy import fft

        frames = self._frames(_checked_waveform(waveform, at_least=self.window_length))
        window = _window(self.window, self.window_length, self.symmetric_window, self.unit_power_window)
        filters = self.mel_filters()
        bands = np.empty((len(frames), self.n_mels), dtype=np.float32)
        for first in range(0, len(frames), _FRAMES_PER_BLOCK):
            block = slice(first, first + _FRAMES_PER_BLOCK)
            spectrum = np.abs(fft.rfft(frames[block] * window, n=self.n_fft, axis=1, workers=1))
            if self.power == 2:
                np.square(spectrum, out=spectrum)
            # All terms of a band are positive, so single precision loses nothing that matters here.
            np.matmul(spectrum.astype(np.float32), filters, out=bands[block])
        return self._log(bands)

    def mel_filters(self) -> npt.NDArray[np.float32]:
        """Mel matrix, shape (1 + n_fft // 2, n_mels); override it for filters that librosa does not have."""
        return _mel_filters(
            self.sample_rate_hz,
            self.n_fft,
            self.n_mels,
            self.fmin_hz,
            self.fmax_hz,
            self.mel_scale,
            self.mel_norm,
        )

    def _n_frames(self, n_samples: int) -> int:
        if self.centre:
            return 1 + (n_samples + 2 * (self.n_fft // 2) - self.n_fft) // self.hop_length
        return 1 + (n_samples - self.window_length) // self.hop_length

    def _frames(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        n_frames = self._n_frames(len(waveform))
        if self.centre:
            before = self.n_fft // 2 - (self.n_fft - self.window_length) // 2
            end = (n_frames - 1) * self.hop_length + self.window_length
            waveform = np.pad(waveform, (before, max(0, end - before - len(waveform))), mode=self.pad)
        every = np.lib.stride_tricks.sliding_window_view(waveform, self.window_length)
        return every[:: self.hop_length][:n_frames]

    def _log(self, bands: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        floor = np.float32(self.floor)
        bands = np.add(bands, floor, out=bands) if self.floor_by == "add" else np.maximum(bands, floor, out=bands)
        if self.log == "ln":
            return np.log(bands, out=bands)
        np.log10(bands, out=bands)
        if self.log == "db":
            bands *= np.float32(20 / self.power)
        return bands


def caa_net_log_mel() -> LogMel:
    """Log-mel spectrogram of CAA-Net as its authors' code computes it: 320 frames of 64 bands for 10 s.

    44.1 kHz, Hamming windows of 2,048 samples overlapping by 672, magnitudes of ``scipy.signal.spectrogram``,
    64 bands from 20 Hz to 22,050 Hz, ``ln(x + 1e-8)``.

    Source: https://github.com/EIHW/CAANet_DCASE_ASC, feature extraction.
    """
    return LogMel(
        sample_rate_hz=44_100,
        n_fft=2_048,
        window_length=2_048,
        hop_length=2_048 - 672,
        n_mels=64,
        fmin_hz=20.0,
        fmax_hz=22_050.0,
        window="hamming",
        symmetric_window=True,
        unit_power_window=True,
        power=1.0,
        centre=False,
        floor=1e-8,
    )


def _checked_length(n_samples: int, *, at_least: int) -> int:
    if n_samples < at_least:
        raise DataError(f"too short: {n_samples} samples, at least {at_least} are needed")
    return n_samples


def _checked_waveform(waveform: npt.NDArray[np.float32], *, at_least: int) -> npt.NDArray[np.float32]:
    if waveform.ndim != 1:
        raise DataError(f"expected a mono waveform of shape (n_samples,), got shape {waveform.shape}")
    if not np.issubdtype(waveform.dtype, np.floating):
        raise DataError(f"expected floating point samples in [-1, 1], got {waveform.dtype}")
    _checked_length(len(waveform), at_least=at_least)
    single = np.ascontiguousarray(waveform, dtype=np.float32)
    finite = np.isfinite(single)
    if not finite.all():
        first = int(np.argmin(finite))
        n_bad = np.count_nonzero(~finite)
        raise DataError(f"{n_bad} samples are not finite, the first is {single[first]} at sample {first}")
    return single


@cache
def _window(kind: Window, length: int, symmetric: bool, unit_power: bool) -> npt.NDArray[np.float64]:
    from scipy.signal import get_window

    window = np.asarray(get_window(kind, length, fftbins=not symmetric), dtype=np.float64)
    if unit_power:
        window = window / np.sqrt(np.sum(window**2))
    window.setflags(write=False)  # every caller shares it
    return window


@cache
def _mel_filters(
    sample_rate_hz: int,
    n_fft: int,
    n_mels: int,
    fmin_hz: float,
    fmax_hz: float,
    scale: MelScale,
    norm: MelNorm,
) -> npt.NDArray[np.float32]:
    import librosa.filters

    filters = librosa.filters.mel(
        sr=sample_rate_hz,
        n_fft=n_fft,
        n_mels=n_mels,
        fmin=fmin_hz,
        fmax=fmax_hz,
        htk=scale == "htk",
        norm=norm,
    )
    bands_last = np.ascontiguousarray(filters.T, dtype=np.float32)
    bands_last.setflags(write=False)  # every caller shares it
    return bands_last
