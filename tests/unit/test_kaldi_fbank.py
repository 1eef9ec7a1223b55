"""Kaldi's filterbank against that of torchaudio, and the constants of BEATs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from asc_bench.api import ConfigError, DataError, KaldiFbank
from asc_bench.features.torchaudio_import import torchaudio
from tests.unit.test_encoders import sound


def kaldi(waveform: np.ndarray, **settings: Any) -> np.ndarray:
    """Of torchaudio, which like Kaldi computes in single precision."""
    torchaudio()
    from torchaudio.compliance.kaldi import fbank

    samples = torch.from_numpy(waveform)[None] * 2**15
    options = {"num_mel_bins": 128, "sample_frequency": 16_000, "frame_length": 25, "frame_shift": 10, **settings}
    found: np.ndarray = fbank(samples, **options).numpy()
    return found


@pytest.mark.parametrize("seconds", [0.025, 1.0, 3.217])
def test_bands_are_those_of_torchaudio(seconds):
    waveform = sound(seconds, 16_000)
    expected = (kaldi(waveform) - 15.41663) / (2 * 6.55582)
    found = KaldiFbank()(waveform)
    assert found.dtype == np.float32 and found.shape == expected.shape == KaldiFbank().shape(seconds)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_other_settings_are_torchaudios_too():
    waveform = sound(0.5, 22_050)
    made = KaldiFbank(
        sample_rate_hz=22_050,
        window_length=441,
        hop_length=220,
        n_mels=40,
        fmin_hz=60.0,
        fmax_hz=7_000.0,
        scale=1.0,
    )
    expected = kaldi(
        waveform,
        num_mel_bins=40,
        sample_frequency=22_050,
        frame_length=20,
        low_freq=60.0,
        high_freq=7_000.0,
    )
    np.testing.assert_allclose(made(waveform), expected - 15.41663, atol=2e-3)


def test_ten_seconds_are_998_frames_and_silence_is_finite():
    assert KaldiFbank().shape(10.0) == (998, 128) and KaldiFbank().frame_rate_hz == 100
    silence = KaldiFbank()(np.zeros(16_000, dtype=np.float32))
    np.testing.assert_allclose(silence, (np.log(2.0**-23) - 15.41663) / (2 * 6.55582), rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_mels": 0}, "n_mels is 0, must be at least 1"),
        ({"window_length": 1}, "window_length is 1, must be at least 2"),
        ({"fmax_hz": 9_000.0}, "bands from 20.0 to 9000.0 Hz do not lie between 0 and 8000.0 Hz"),
        ({"scale": 0.0}, "scale is 0.0, must be above 0"),
    ],
)
def test_senseless_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=f"^KaldiFbank: {message}"):
        KaldiFbank(**settings)


def test_clips_shorter_than_a_window_are_refused():
    with pytest.raises(DataError, match="too short: 399 samples, at least 400 are needed"):
        KaldiFbank()(np.zeros(399, dtype=np.float32))
    with pytest.raises(DataError, match="too short: 160 samples, at least 400 are needed"):
        KaldiFbank().shape(0.01)
