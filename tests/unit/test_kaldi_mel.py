"""Kaldi's mel bands against torchaudio, and the whole front end against the steps of its source in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from asc_bench.analysis.spectrogram import band_centres_hz
from asc_bench.api import ConfigError, DataError, KaldiLogMel
from asc_bench.features.torchaudio_import import torchaudio

WAVE = (np.random.default_rng(0).normal(size=32_000) * 0.1).astype(np.float32)


def banks(front_end: KaldiLogMel) -> torch.Tensor:
    torchaudio()
    from torchaudio.compliance.kaldi import get_mel_banks

    found, _ = get_mel_banks(
        front_end.n_mels,
        front_end.n_fft,
        front_end.sample_rate_hz,
        front_end.fmin_hz,
        front_end.fmax_hz,
        vtln_low=100.0,
        vtln_high=-500.0,
        vtln_warp_factor=1.0,
    )
    return torch.nn.functional.pad(found, (0, 1))


@pytest.mark.parametrize("changes", [{}, {"fmax_hz": 15_500.0}, {"n_mels": 40, "fmin_hz": 20.0}])
def test_filters_are_torchaudios(changes):
    front_end = KaldiLogMel(**changes)
    np.testing.assert_allclose(front_end.mel_filters().T, banks(front_end).numpy(), atol=5e-5)


def test_bands_peak_where_figures_have_them():
    front_end = KaldiLogMel(n_mels=40)
    peaks_hz = front_end.mel_filters().argmax(axis=0) * 32_000 / 4_096
    np.testing.assert_allclose(band_centres_hz(front_end), peaks_hz, atol=32_000 / 4_096)


@pytest.mark.parametrize(("pre_emphasis", "n_frames"), [(0.97, 64), (0.0, 65)])
def test_the_spectrogram_is_that_of_the_source(pre_emphasis, n_frames):
    front_end = KaldiLogMel(pre_emphasis=pre_emphasis)
    x = torch.from_numpy(WAVE)[None]
    if pre_emphasis:
        x = torch.nn.functional.conv1d(x[:, None], torch.tensor([[[-pre_emphasis, 1.0]]]))[:, 0]
    window = torch.hann_window(3_072, periodic=False)
    spectrum = torch.stft(x, 4_096, 500, 3_072, window, center=True, return_complex=True).abs().square()
    expected = (((banks(front_end) @ spectrum) + 1e-5).log() + 4.5) / 5.0
    found = front_end(WAVE)
    assert found.shape == (n_frames, 256) == front_end.shape(1.0) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected[0].T.numpy(), atol=2e-3)


def test_ten_seconds_are_640_frames_and_silence_is_finite():
    assert KaldiLogMel().shape(10.0) == (640, 256)
    silence = KaldiLogMel()(np.zeros(4_000, np.float32))
    np.testing.assert_allclose(silence, (np.log(1e-5) + 4.5) / 5.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pre_emphasis": 1.5}, "pre_emphasis is 1.5, must be between 0 and 1"),
        ({"mel_scale": "slaney"}, "mel_scale is 'slaney' and mel_norm None"),
        ({"n_fft": 4_097}, "n_fft is 4097, must be even"),
        ({"fmax_hz": 17_000.0}, "bands from 0.0 to 17000.0 Hz"),
    ],
)
def test_senseless_settings_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        KaldiLogMel(**changes)


def test_a_clip_shorter_than_a_window_is_refused():
    with pytest.raises(DataError, match="too short: 3071 samples"):
        KaldiLogMel()(WAVE[:3_072])
