"""Front ends against librosa, scipy and torchaudio in double precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_bench.errors import ConfigError, DataError
from asc_bench.features.frontends import LogMel, Waveform, caa_net_log_mel
from asc_bench.features.torchaudio_import import torchaudio

RATE_HZ = 16_000
Signal = npt.NDArray[np.float32]


def signals(rate_hz: int, duration_s: float = 1.5) -> dict[str, Signal]:
    """Five kinds of sound, with the noise floor that a 16-bit recording has."""
    rng = np.random.default_rng(7)
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    noise = rng.standard_normal(len(t))
    clicks = np.zeros(len(t))
    clicks[:: rate_hz // 7] = 0.8
    sounds = {
        "noise": 0.1 * noise,
        "tone": 0.7 * np.sin(2 * np.pi * 1000 * t),
        "sweep": 0.5 * scipy.signal.chirp(t, 50, t[-1], rate_hz / 2.2),
        "clicks": clicks + 1e-3 * noise,
        "fade from silence": np.where(t < 0.4, 0.0, t - 0.4) * 0.05 * noise,
    }
    return {name: (np.round(x * 32767) / 32768).astype(np.float32) for name, x in sounds.items()}


SETTINGS = {
    "sb-cnn": LogMel(
        sample_rate_hz=RATE_HZ,
        n_fft=1024,
        window_length=1024,
        hop_length=1024,
        n_mels=64,
        fmin_hz=0,
        fmax_hz=8000,
    ),
    "magnitude, htk, Hamming": LogMel(
        sample_rate_hz=RATE_HZ,
        n_fft=512,
        window_length=512,
        hop_length=160,
        n_mels=40,
        fmin_hz=50,
        fmax_hz=7800,
        window="hamming",
        power=1.0,
        mel_scale="htk",
        mel_norm=None,
        centre=False,
        log="log10",
        floor=1e-8,
    ),
    "short window, decibel": LogMel(
        sample_rate_hz=RATE_HZ,
        n_fft=1024,
        window_length=640,
        hop_length=320,
        n_mels=40,
        fmin_hz=20,
        fmax_hz=8000,
        log="db",
        floor_by="clip",
        symmetric_window=True,
    ),
    "odd window, magnitude in decibel": LogMel(
        sample_rate_hz=RATE_HZ,
        n_fft=512,
        window_length=401,
        hop_length=173,
        n_mels=32,
        fmin_hz=0,
        fmax_hz=8000,
        power=1.0,
        log="db",
        floor=1e-5,
        floor_by="clip",
    ),
    "reflected ends": LogMel(
        sample_rate_hz=RATE_HZ,
        n_fft=1024,
        window_length=1024,
        hop_length=400,
        n_mels=48,
        fmin_hz=0,
        fmax_hz=8000,
        mel_norm=None,
        pad="reflect",
    ),
}


def logarithm(bands: npt.NDArray[np.float64], front_end: LogMel) -> npt.NDArray[np.float64]:
    floored = bands + front_end.floor if front_end.floor_by == "add" else np.maximum(bands, front_end.floor)
    if front_end.log == "db":
        return (10 if front_end.power == 2 else 20) * np.log10(floored)
    return np.log(floored) if front_end.log == "ln" else np.log10(floored)


@pytest.mark.parametrize("signal", signals(RATE_HZ))
@pytest.mark.parametrize("name", SETTINGS)
def test_log_mel_is_that_of_librosa(name: str, signal: str) -> None:
    import librosa

    front_end = SETTINGS[name]
    waveform = signals(RATE_HZ)[signal]
    window = scipy.signal.get_window(
        front_end.window, front_end.window_length, fftbins=not front_end.symmetric_window
    )
    bands = librosa.feature.melspectrogram(
        y=waveform.astype(np.float64),
        sr=front_end.sample_rate_hz,
        n_fft=front_end.n_fft,
        hop_length=front_end.hop_length,
        win_length=front_end.window_length,
        window=window,
        center=front_end.centre,
        pad_mode=front_end.pad,
        power=front_end.power,
        n_mels=front_end.n_mels,
        fmin=front_end.fmin_hz,
        fmax=front_end.fmax_hz,
        htk=front_end.mel_scale == "htk",
        norm=front_end.mel_norm,
        dtype=np.float64,
    )
    actual = front_end(waveform)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, logarithm(bands, front_end).T, rtol=0, atol=1e-4)


@pytest.mark.parametrize("signal", signals(RATE_HZ))
@pytest.mark.parametrize("name", ["sb-cnn", "magnitude, htk, Hamming", "reflected ends"])
def test_log_mel_is_that_of_torchaudio(name: str, signal: str) -> None:
    import torch

    front_end = SETTINGS[name]
    waveform = signals(RATE_HZ)[signal]
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # torchaudio's own filters are too coarse in single precision
    try:
        transform = torchaudio().transforms.MelSpectrogram(
            sample_rate=front_end.sample_rate_hz,
            n_fft=front_end.n_fft,
            win_length=front_end.window_length,
            hop_length=front_end.hop_length,
            f_min=front_end.fmin_hz,
            f_max=front_end.fmax_hz,
            n_mels=front_end.n_mels,
            window_fn=torch.hamming_window if front_end.window == "hamming" else torch.hann_window,
            power=front_end.power,
            center=front_end.centre,
            pad_mode=front_end.pad,
            mel_scale=front_end.mel_scale,
            norm=front_end.mel_norm,
        )
    finally:
        torch.set_default_dtype(usual)
    expected = logarithm(transform(torch.from_numpy(waveform).double()).numpy(), front_end)
    np.testing.assert_allclose(front_end(waveform), expected.T, rtol=0, atol=1e-4)


@pytest.mark.parametrize("signal", signals(44_100))
def test_caa_net_features_are_those_of_the_authors(signal: str) -> None:
    import librosa

    waveform = signals(44_100, 10.0)[signal]
    _, _, spectrum = scipy.signal.spectrogram(  # type: ignore[call-overload]  # the stubs know no window arrays
        waveform.astype(np.float64),
        window=np.hamming(2048),
        nperseg=2048,
        noverlap=672,
        detrend=False,
        return_onesided=True,
        mode="magnitude",
    )
    filters = librosa.filters.mel(sr=44_100, n_fft=2048, n_mels=64, fmin=20, fmax=22_050)
    actual = caa_net_log_mel()(waveform)
    assert actual.shape == (320, 64)
    np.testing.assert_allclose(actual, np.log(spectrum.T @ filters.T + 1e-8), rtol=0, atol=1e-4)


class VGGishLogMel(LogMel):
    """VGGish's triangles are linear in mel, not in hertz: what the hook for the filters is for."""

    def mel_filters(self) -> npt.NDArray[np.float32]:
        def to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            return 1127 * np.log1p(hz / 700)

        bins = to_mel(np.arange(257) * 16_000 / 512)[:, None]
        lowest, highest = to_mel(np.array([125.0, 7500.0]))
        edges = np.linspace(lowest, highest, 66)
        rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
        filters: npt.NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
        filters[0] = 0
        return filters


VGGISH = VGGishLogMel(
    sample_rate_hz=16_000,
    n_fft=512,
    window_length=400,
    hop_length=160,
    n_mels=64,
    fmin_hz=125,
    fmax_hz=7500,
    power=1.0,
    centre=False,
    floor=0.01,
)


def test_vggish_regression_vector() -> None:
    """Values of specs/systems.md 11, computed there from the published front end."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 16_000).astype(np.float32)
    examples = VGGISH(tone)[:288].reshape(3, 96, 64)
    assert examples.mean() == pytest.approx(-3.42962, abs=1e-4)
    assert examples.std() == pytest.approx(2.12658, abs=1e-4)
    np.testing.assert_allclose(examples[0, 0, :3], [-4.48313, -4.27083, -4.17064], atol=1e-4)
    np.testing.assert_allclose(examples[0, 0, 61:], [-4.60069, -4.60099, -4.60116], atol=1e-4)
    assert examples[0, 0].argmax() == 19
    assert examples.max() == pytest.approx(4.81112, abs=1e-4)


@pytest.mark.parametrize(
    ("front_end", "duration_s", "n_frames"),
    [
        (caa_net_log_mel(), 10.0, 320),
        (VGGISH, 1.0, 98),
        (VGGISH, 2.0, 198),
        (VGGISH, 5.0, 498),
        (VGGISH, 10.0, 998),
        # DCASE 2019 baseline: 48 kHz, 40 ms windows every 20 ms, 40 bands
        (
            LogMel(
                sample_rate_hz=48_000,
                n_fft=2048,
                window_length=1920,
                hop_length=960,
                n_mels=40,
                fmin_hz=0,
                fmax_hz=24_000,
            ),
            10.0,
            501,
        ),
    ],
)
def test_published_frame_counts(front_end: LogMel, duration_s: float, n_frames: int) -> None:
    assert front_end.shape(duration_s) == (n_frames, front_end.n_mels)


@settings(max_examples=60, deadline=None)
@given(
    n_samples=st.integers(600, 3000),
    half_fft=st.integers(128, 300),
    shorter_by=st.integers(0, 200),
    hop=st.integers(1, 700),
    centre=st.booleans(),
)
def test_shape_is_announced_right(n_samples: int, half_fft: int, shorter_by: int, hop: int, centre: bool) -> None:
    """Uncentred: as often as a window fits. Centred: one frame for each hop, and one at the start."""
    window = 2 * half_fft - shorter_by
    front_end = LogMel(
        sample_rate_hz=1000,
        n_fft=2 * half_fft,
        window_length=window,
        hop_length=hop,
        n_mels=4,
        fmin_hz=0,
        fmax_hz=500,
        centre=centre,
    )
    starts = range(0, n_samples + 1, hop) if centre else range(0, n_samples - window + 1, hop)
    assert front_end.shape(n_samples / 1000) == (len(starts), 4)
    assert front_end(np.ones(n_samples, dtype=np.float32)).shape == (len(starts), 4)


def test_time_is_first_and_bands_rise() -> None:
    front_end = SETTINGS["sb-cnn"]
    t = np.arange(RATE_HZ) / RATE_HZ
    low_then_high = np.sin(2 * np.pi * np.where(t < 0.5, 300, 5000) * t).astype(np.float32)
    features = front_end(low_then_high)
    assert features[2].argmax() < features[-3].argmax()


@pytest.mark.parametrize("front_end", [*SETTINGS.values(), caa_net_log_mel()])
def test_silence_is_finite(front_end: LogMel) -> None:
    features = front_end(np.zeros(RATE_HZ, dtype=np.float32))
    np.testing.assert_allclose(features, logarithm(np.zeros(features.shape), front_end), rtol=1e-6)


def test_the_waveform_is_left_as_it_was() -> None:
    waveform = signals(RATE_HZ)["noise"]
    before = waveform.copy()
    for front_end in SETTINGS.values():
        front_end(waveform)
    np.testing.assert_array_equal(waveform, before)


def test_waveform_front_end_passes_samples_through() -> None:
    front_end = Waveform(sample_rate_hz=RATE_HZ)
    waveform = signals(RATE_HZ)["noise"]
    assert front_end.shape(1.5) == waveform.shape
    np.testing.assert_array_equal(front_end(waveform), waveform)


@pytest.mark.parametrize("front_end", [SETTINGS["sb-cnn"], caa_net_log_mel(), Waveform(sample_rate_hz=RATE_HZ)])
@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros((2, 4000), np.float32), r"mono .* got shape \(2, 4000\)"),
        (np.zeros(4000, np.int16), "floating point .* got int16"),
        (np.r_[np.zeros(3999), np.nan], "1 samples are not finite, the first is nan at sample 3999"),
        (np.r_[np.zeros(10), np.inf, np.nan, np.zeros(4000)], "2 samples .* first is inf at sample 10"),
        (np.zeros(0, np.float32), "too short: 0 samples, at least"),
    ],
)
def test_bad_waveforms_are_refused(front_end: LogMel, waveform: Signal, message: str) -> None:
    with pytest.raises(DataError, match=message):
        front_end(waveform)


def test_too_short_gives_both_lengths() -> None:
    with pytest.raises(DataError, match="too short: 2047 samples, at least 2048 are needed"):
        caa_net_log_mel()(np.zeros(2047, np.float32))
    with pytest.raises(DataError, match="too short: 441 samples, at least 2048 are needed"):
        caa_net_log_mel().shape(0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": "kaiser"}, "window is 'kaiser', not one of"),
        ({"power": 3.0}, "power is 3.0, not one of"),
        ({"hop_length": 0}, "hop_length is 0, must be at least 1"),
        ({"window_length": 2049}, "window_length 2049 is above n_fft 2048"),
        ({"fmax_hz": 22_051.0}, "do not lie between 0 and 22050.0 Hz"),
        ({"fmin_hz": float("nan")}, "bands from nan"),
        ({"floor": 0.0}, "floor is 0.0, must be above 0"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(caa_net_log_mel(), **change)  # type: ignore[arg-type]


def test_the_key_holds_every_setting() -> None:
    base = caa_net_log_mel()
    assert base.key() == caa_net_log_mel().key()
    assert base.key()["front_end"] == "LogMel"
    assert replace(base, hop_length=1375).key() != base.key()
