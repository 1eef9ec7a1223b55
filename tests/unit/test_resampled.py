"""Resampling and the spectrogram behind it, against torchaudio."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from asc_bench.analysis.spectrogram import log_mel_of
from asc_bench.api import DataError, LogMel, ResampledLogMel
from asc_bench.features.in_words import in_words
from asc_bench.features.resampled import sinc_resampled
from asc_bench.features.torchaudio_import import torchaudio

INNER = LogMel(
    sample_rate_hz=16_000, n_fft=512, window_length=400, hop_length=160, n_mels=40, fmin_hz=0.0, fmax_hz=8_000.0
)
FRONT_END = ResampledLogMel(sample_rate_hz=22_050, inner=INNER)


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=n).astype(np.float32)


@pytest.mark.parametrize(
    ("from_hz", "to_hz", "n"),
    [
        (44_100, 32_000, 44_101),
        (48_000, 16_000, 5_000),
        (16_000, 44_100, 777),
        (22_050, 44_100, 1),
        (8_000, 8_000, 9),
    ],
)
def test_samples_are_torchaudios(from_hz, to_hz, n):
    waveform = noise(n)
    expected = torchaudio().functional.resample(torch.from_numpy(waveform), from_hz, to_hz).numpy()
    found = sinc_resampled(waveform, from_hz, to_hz)
    assert found.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-4)  # torchaudio places its taps in single precision


def test_the_spectrogram_is_that_of_the_resampled_waveform():
    waveform = 0.1 * noise(11_025)
    expected = INNER(sinc_resampled(waveform, 22_050, 16_000))
    found = FRONT_END(waveform)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == FRONT_END.shape(0.5) == INNER.shape(0.5)


def test_its_key_tells_the_rate_and_the_spectrogram():
    assert FRONT_END.key() == {"front_end": "ResampledLogMel", "sample_rate_hz": 22_050, "inner": INNER.key()}
    assert in_words(FRONT_END).startswith("ResampledLogMel: 22,050 Hz, inner LogMel (16,000 Hz")
    assert log_mel_of(FRONT_END) is INNER


def test_a_waveform_too_short_or_of_two_channels_is_refused():
    with pytest.raises(DataError, match="too short: 290 samples, at least 400"):
        FRONT_END(noise(399))
    with pytest.raises(DataError, match="expected a mono waveform"):
        FRONT_END(noise(1_000).reshape(2, 500))
