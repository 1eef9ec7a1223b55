"""Magnitude responses against scipy's, the mel curve against librosa's, and filters that have no response."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.signal

from asc_bench.analysis.filters import magnitude_responses, mel_curve_hz
from asc_bench.errors import ConfigError, SystemFailure

RATE_HZ = 16_000


@pytest.mark.parametrize(("n_taps", "n_points"), [(20, 1025), (300, 1025), (300, 65), (300, 2), (1, 17)])
def test_responses_are_those_of_scipy(n_taps: int, n_points: int) -> None:
    filters = np.random.default_rng(n_taps).normal(size=(3, n_taps))
    found = magnitude_responses(filters, sample_rate_hz=RATE_HZ, n_points=n_points)
    for taps, magnitude in zip(filters, found.magnitudes, strict=True):
        hz, expected = scipy.signal.freqz(taps, worN=n_points, fs=RATE_HZ, include_nyquist=True)
        np.testing.assert_allclose(found.frequencies_hz, hz)
        np.testing.assert_allclose(magnitude, np.abs(expected), atol=1e-9 * n_taps)


def test_the_peak_of_a_tone_is_its_frequency_whichever_way_round_the_filter_is() -> None:
    tones_hz = np.array([5_000.0, 750.0, 2_500.0])
    tones = np.sin(2 * np.pi * tones_hz[:, None] * np.arange(300) / RATE_HZ) * np.hanning(300)
    for filters in (tones, tones[:, ::-1]):
        found = magnitude_responses(filters, sample_rate_hz=RATE_HZ)
        np.testing.assert_allclose(found.peaks_hz, tones_hz, atol=8_000 / 1024)
    ordered = found.by_peak()
    np.testing.assert_array_equal(ordered.peaks_hz, np.sort(found.peaks_hz))
    np.testing.assert_array_equal(ordered.magnitudes, found.magnitudes[[1, 2, 0]])


def test_decibels_are_relative_to_each_filters_own_peak() -> None:
    # 1 + z^-1 halves its gain of 2 where the cosine of half the angle is a half: at two thirds of the band.
    found = magnitude_responses(np.array([[1.0, 1.0], [10.0, 10.0]]), sample_rate_hz=6.0, n_points=4)
    decibels = found.relative_db(floor_db=-30.0)
    np.testing.assert_allclose(decibels[0], [0.0, 20 * np.log10(np.cos(np.pi / 6)), 20 * np.log10(0.5), -30.0])
    np.testing.assert_allclose(decibels[1], decibels[0])


def test_a_zero_filter_has_no_peak_and_stands_last() -> None:
    filters = np.array([[0.0, 0.0], [1.0, -1.0], [1.0, 1.0]])
    ordered = magnitude_responses(filters, sample_rate_hz=RATE_HZ).by_peak()
    np.testing.assert_array_equal(ordered.peaks_hz, [0.0, 8_000.0, np.nan])
    assert (ordered.relative_db()[2] == -40.0).all()


@pytest.mark.parametrize("shape", [(20,), (3, 0), (0, 20), (3, 1, 20)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=rf"shape \({shape[0]}.*expected \(n_filters, n_taps\)"):
        magnitude_responses(np.zeros(shape), sample_rate_hz=RATE_HZ)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_diverged_filter_is_named(bad: float) -> None:
    filters = np.ones((4, 20))
    filters[2, 7] = bad
    with pytest.raises(SystemFailure, match="filter number 2 of 4 has NaN or infinite taps"):
        magnitude_responses(filters, sample_rate_hz=RATE_HZ)


@pytest.mark.parametrize(("rate", "n"), [(0.0, 5), (-1.0, 5), (np.nan, 5), (16_000.0, 1)])
def test_a_rate_or_a_number_of_points_that_makes_no_sense_is_refused(rate: float, n: int) -> None:
    with pytest.raises(ConfigError, match="positive sample rate and at least 2 points"):
        magnitude_responses(np.ones((1, 2)), sample_rate_hz=rate, n_points=n)


@pytest.mark.parametrize(("n", "low", "high"), [(100, 0.0, 8_000.0), (1, 300.0, 4_000.0)])
def test_the_mel_curve_is_htks(n: int, low: float, high: float) -> None:
    expected = librosa.mel_frequencies(n + 2, fmin=low, fmax=high, htk=True)[1:-1]
    np.testing.assert_allclose(mel_curve_hz(n, lowest_hz=low, highest_hz=high), expected, rtol=1e-12)


@pytest.mark.parametrize(("n", "low", "high"), [(0, 0.0, 8_000.0), (5, 9.0, 9.0), (5, -1.0, 9.0), (5, 0.0, np.inf)])
def test_an_empty_mel_curve_is_refused(n: int, low: float, high: float) -> None:
    with pytest.raises(ConfigError, match=f"got {n} filters from"):
        mel_curve_hz(n, lowest_hz=low, highest_hz=high)
