"""What learned filters on samples let through: magnitude responses, their peaks, and the mel scale beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asc_bench.errors import ConfigError, SystemFailure

_MEL_FACTOR, _MEL_CORNER_HZ = 2595.0, 700.0
"""HTK's formula: 2595 log10(1 + f / 700)."""


@dataclass(frozen=True, kw_only=True)
class Responses:
    """Magnitude responses of some filters.

    Attributes
    ----------
    frequencies_hz : float64 array, shape (n_points,)
        From 0 to half the sample rate, evenly spaced.
    magnitudes : float64 array, shape (n_filters, n_points)
        Linear, not normalised.
    peaks_hz : float64 array, shape (n_filters,)
        Where each is largest (the lowest such frequency); NaN for a filter that is zero and has no peak.
    """

    frequencies_hz: npt.NDArray[np.float64]
    magnitudes: npt.NDArray[np.float64]
    peaks_hz: npt.NDArray[np.float64]

    def by_peak(self) -> Responses:
        """The same, from the lowest peak to the highest; zero filters stand last."""
        order = np.argsort(self.peaks_hz, kind="stable")
        return Responses(
            frequencies_hz=self.frequencies_hz,
            magnitudes=self.magnitudes[order],
            peaks_hz=self.peaks_hz[order],
        )

    def relative_db(self, *, floor_db: float = -40.0) -> npt.NDArray[np.float64]:
        """Each response in dB below its own peak, no lower than ``floor_db``; a zero filter is all floor."""
        peaks = self.magnitudes.max(axis=1, keepdims=True)
        shares = np.divide(self.magnitudes, peaks, out=np.zeros_like(self.magnitudes), where=peaks > 0)
        decibels: npt.NDArray[np.float64] = 20 * np.log10(np.maximum(shares, 10 ** (floor_db / 20)))
        return decibels


def magnitude_responses(
    filters: npt.NDArray[np.floating], *, sample_rate_hz: float, n_points: int = 1025
) -> Responses:
    """Magnitude of the discrete-time Fourier transform of impulse responses.

    Reversal in time and a delay do not change it, so that a network's kernels can be given as they are.

    Parameters
    ----------
    filters : array, shape (n_filters, n_taps)
        Impulse responses.
    sample_rate_hz : float
        Of the samples that they are applied to.
    n_points : int
        Frequencies; peaks are as exact as their distance, 7.8 Hz by default at 16 kHz.

    Raises
    ------
    ConfigError
        For another shape, no filter at all, a sample rate that is not positive, or fewer than two points.
    SystemFailure
        If a tap is NaN or infinite.
    """
    taps = np.asarray(filters, dtype=np.float64)
    if taps.ndim != 2 or 0 in taps.shape:
        raise ConfigError(f"filters have shape {taps.shape}, expected (n_filters, n_taps), at least one of each")
    if not (np.isfinite(sample_rate_hz) and sample_rate_hz > 0) or n_points < 2:
        raise ConfigError(
            f"responses need a positive sample rate and at least 2 points, got {sample_rate_hz} Hz and {n_points}"
        )
    broken = ~np.isfinite(taps).all(axis=1)
    if broken.any():
        raise SystemFailure(
            f"filter number {int(np.argmax(broken))} of {len(taps)} has NaN or infinite taps: its training diverged"
        )
    # A transform of many zeros samples the response as densely as wanted; taps beyond its length would be cut off,
    # so that it is made a multiple of what is wanted.
    times = -(-taps.shape[1] // (2 * (n_points - 1)))
    magnitudes = np.abs(np.fft.rfft(taps, n=2 * (n_points - 1) * times))[:, ::times]
    frequencies_hz = np.linspace(0.0, sample_rate_hz / 2, n_points)
    peaks_hz = np.where(taps.any(axis=1), frequencies_hz[magnitudes.argmax(axis=1)], np.nan)
    return Responses(frequencies_hz=frequencies_hz, magnitudes=magnitudes, peaks_hz=peaks_hz)


def mel_curve_hz(n_filters: int, *, highest_hz: float, lowest_hz: float = 0.0) -> npt.NDArray[np.float64]:
    """Centre frequencies of a mel filter bank, evenly spaced on HTK's scale, ``2595 log10(1 + f / 700)``.

    Parameters
    ----------
    n_filters : int
        How many; the first and the last triangle end at ``lowest_hz`` and ``highest_hz``.
    highest_hz, lowest_hz : float
        Usually half the sample rate, and 0.

    Returns
    -------
    float64 array, shape (n_filters,)
        Ascending.

    Raises
    ------
    ConfigError
        For no filter, or an empty band.
    """
    if n_filters < 1 or not 0 <= lowest_hz < highest_hz < np.inf:
        raise ConfigError(
            f"a mel curve needs at least one filter and 0 <= lowest < highest, got {n_filters} filters from "
            f"{lowest_hz} to {highest_hz} Hz"
        )
    ends = _MEL_FACTOR * np.log10(1 + np.array([lowest_hz, highest_hz]) / _MEL_CORNER_HZ)
    mels = np.linspace(ends[0], ends[1], n_filters + 2)[1:-1]
    centres: npt.NDArray[np.float64] = _MEL_CORNER_HZ * (10 ** (mels / _MEL_FACTOR) - 1)
    return centres
