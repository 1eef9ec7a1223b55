"""Resampling and the spectrogram behind it, against the formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asc_bench.analysis.spectrogram import log_mel_of
from asc_bench.api import DataError, LogMel, ResampledLogMel
from asc_bench.features.in_words import in_words

INNER = LogMel(
    sample_rate_hz=16_000, n_fft=512, window_length=400, hop_length=160, n_mels=40, fmin_hz=0.0, fmax_hz=8_000.0
)
FRONT_END = ResampledLogMel(sample_rate_hz=22_050, inner=INNER)


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=n).astype(np.float32)


@pytest.mark.parametrize(("from_hz", "n"), [(22_050, 2_205), (44_100, 4_411), (48_000, 5_000), (16_000, 800)])
def test_the_spectrogram_is_that_of_the_waveform_at_the_other_rate(from_hz, n):
    """A windowed sinc evaluated sample by sample, as torchaudio documents its defaults."""
    waveform = 0.1 * noise(n)
    found = replace(FRONT_END, sample_rate_hz=from_hz)(waveform)
    np.testing.assert_allclose(found, INNER(by_hand(waveform, from_hz, 16_000)), atol=2e-3)
    assert found.shape == replace(FRONT_END, sample_rate_hz=from_hz).shape(n / from_hz)


def by_hand(waveform: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    if from_hz == to_hz:
        return waveform
    edge_hz = 0.99 * min(from_hz, to_hz)
    out_s, in_s = np.arange(-(-len(waveform) * to_hz // from_hz)) / to_hz, np.arange(len(waveform)) / from_hz
    crossings = (out_s[:, None] - in_s) * edge_hz
    window = np.where(np.abs(crossings) < 6, np.cos(np.pi * crossings / 12) ** 2, 0.0)
    return ((np.sinc(crossings) * window) @ waveform * edge_hz / from_hz).astype(np.float32)


def test_its_key_tells_the_rate_and_the_spectrogram():
    assert FRONT_END.key() == {"front_end": "ResampledLogMel", "sample_rate_hz": 22_050, "inner": INNER.key()}
    assert in_words(FRONT_END).startswith("ResampledLogMel: 22,050 Hz, inner LogMel (16,000 Hz")
    assert log_mel_of(FRONT_END) is INNER


def test_a_waveform_too_short_or_of_two_channels_is_refused():
    with pytest.raises(DataError, match="too short: 290 samples, at least 400"):
        FRONT_END(noise(399))
    with pytest.raises(DataError, match="expected a mono waveform"):
        FRONT_END(noise(1_000).reshape(2, 500))
