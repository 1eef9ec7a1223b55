"""Time stretching and pitch shifting by overlapping pieces that fit each other (WSOLA).

The phase vocoder of librosa makes noise, and so most scenes, 3.3 dB softer than tones, and takes twice as long.
Rubber Band, which the source used, is in the package ``pedalboard``: release 0.9.26 makes white noise 0.6 and
1.1 dB softer at rates of 0.81 and 1.23, this module 0.3 and 0.4 dB.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError
from asc_bench.features.frontends import Waveform

_PIECE_S = 2_048 / 44_100
_REACH = 0.25
"""How far from its place a piece may be taken, in pieces: 12 ms either way, a period of 43 Hz in all."""


def time_stretch(waveform: npt.NDArray[np.float32], *, rate: float, sample_rate_hz: int) -> npt.NDArray[np.float32]:
    """Play a sound faster or slower at the same pitch.

    Pieces of 46 ms that overlap by half are taken from the sound at ``rate`` times the pace at which they are
    put down. Each is the one near its place that is most like the continuation of the piece before.

    Source: Verhelst and Roelands 1993, "An overlap-add technique based on waveform similarity (WSOLA)".

    Parameters
    ----------
    waveform : float32 array, shape (n_samples,)
        Mono.
    rate : float
        Above 1 is faster.
    sample_rate_hz : int
        Sample rate.

    Returns
    -------
    float32 array, shape (max(1, round(n_samples / rate)),)

    Raises
    ------
    ConfigError
        If the rate is not a positive number.
    DataError
        If the waveform is empty, not mono or not finite.
    """
    from scipy import fft, signal

    if not (math.isfinite(rate) and rate > 0):
        raise ConfigError(f"time_stretch: rate is {rate}, must be a number above 0")
    samples = Waveform(sample_rate_hz=sample_rate_hz)(waveform)
    hop = max(1, round(_PIECE_S * sample_rate_hz / 2))
    length = 2 * hop
    reach = round(_REACH * length)
    n_stretched = max(1, round(len(samples) / rate))
    n_pieces = math.ceil(n_stretched / hop) + 1
    last = math.ceil((n_pieces - 1) * hop * rate)
    sound = np.pad(samples, (hop + reach, max(0, last + 2 * length + 2 * reach - len(samples))))
    window = signal.get_window("hann", length).astype(np.float32)
    n_fft = fft.next_fast_len(length + 2 * reach, real=True)

    stretched = np.zeros((n_pieces + 1) * hop, dtype=np.float32)
    at = reach  # the first piece ends half in the silence before the sound
    stretched[:length] = window * sound[at : at + length]
    for k in range(1, n_pieces):
        continuation = sound[at + hop : at + hop + length]
        first = hop + round((k - 1) * hop * rate)
        nearby = sound[first : first + length + 2 * reach]
        # Not divided by the pieces' energies: then the silence behind an event would be taken for its like.
        likeness = fft.irfft(fft.rfft(nearby, n_fft) * np.conj(fft.rfft(continuation, n_fft)), n_fft)
        at = first + int(np.argmax(likeness[: 2 * reach + 1]))
        stretched[k * hop : k * hop + length] += window * sound[at : at + length]
    return stretched[hop : hop + n_stretched]


def pitch_shift(
    waveform: npt.NDArray[np.float32], *, semitones: float, sample_rate_hz: int
) -> npt.NDArray[np.float32]:
    """Raise or lower the pitch at the same length: stretched, then resampled back.

    Parameters
    ----------
    waveform : float32 array, shape (n_samples,)
        Mono.
    semitones : float
        Twelfths of an octave; below 0 is lower. A lowered sound has nothing in the top of its band.
    sample_rate_hz : int
        Sample rate.

    Returns
    -------
    float32 array, shape (n_samples,)

    Raises
    ------
    ConfigError
        If ``semitones`` is not a number.
    DataError
        If the waveform is empty, not mono or not finite.
    """
    import soxr

    if not math.isfinite(semitones):
        raise ConfigError(f"pitch_shift: semitones is {semitones}, must be a number")
    factor = 2.0 ** (semitones / 12.0)
    stretched = time_stretch(waveform, rate=1.0 / factor, sample_rate_hz=sample_rate_hz)
    shifted = soxr.resample(stretched, sample_rate_hz * factor, sample_rate_hz, quality="HQ")
    whole = np.zeros(len(waveform), dtype=np.float32)
    n_kept = min(len(whole), len(shifted))  # soxr rounds the length
    whole[:n_kept] = shifted[:n_kept]
    return whole


def fit_length(waveform: npt.NDArray[np.float32], n_samples: int) -> npt.NDArray[np.float32]:
    """The beginning of a sound that is longer than ``n_samples``; a shorter one is repeated."""
    return np.resize(waveform, n_samples)
