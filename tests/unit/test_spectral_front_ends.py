"""Weighted mel, separated log-mel, MFCC and joint front ends against librosa and formulas written out."""

from __future__ import annotations

import librosa
import numpy as np
import pandas as pd
import pytest

from asc_bench.errors import ConfigError, DataError
from asc_bench.features.cache import feature_key_parts
from asc_bench.features.frontends import LogMel, Waveform
from asc_bench.features.hpss import SeparatedLogMel
from asc_bench.features.joint import JointFrontEnd
from asc_bench.features.mfcc import Mfcc
from asc_bench.features.weighted_mel import PerceptualMel

RATE_HZ = 16_000
SMALL = {"sample_rate_hz": RATE_HZ, "n_fft": 512, "window_length": 400, "hop_length": 160, "n_mels": 24}
BANDS = {"fmin_hz": 0.0, "fmax_hz": 8_000.0}


def sound(n_samples=8_000, *, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples) / RATE_HZ
    tone = 0.3 * np.sin(2 * np.pi * 1_000 * t)
    tone[::2_000] += 0.8
    return (tone + 0.01 * rng.standard_normal(n_samples)).astype(np.float32)


def magnitudes(waveform, front_end):
    """Frame by frame: a Hann window in the middle of zeros, centred on every hop."""
    n_fft, width = front_end.n_fft, front_end.window_length
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)
    before = (n_fft - width) // 2
    window = np.pad(window, (before, n_fft - width - before))
    padded = np.pad(waveform.astype(np.float64), n_fft // 2, mode=front_end.pad)
    starts = range(0, len(padded) - n_fft + 1, front_end.hop_length)
    return np.abs(np.array([np.fft.rfft(window * padded[i : i + n_fft]) for i in starts]))


def a_weight_db(f):
    """IEC 61672, relative to 1 kHz."""

    def response(f):
        ends = (f**2 + 20.598997**2) * (f**2 + 12194.217**2)
        return 12194.217**2 * f**4 / (ends * np.sqrt((f**2 + 107.65265**2) * (f**2 + 737.86223**2)))

    with np.errstate(divide="ignore"):
        return 20 * np.log10(response(f) / response(1_000.0))


@pytest.mark.parametrize("pad", ["reflect", "constant"])
def test_weighted_mel_step_by_step(pad):
    front_end = PerceptualMel(**SMALL, **BANDS, pad=pad, top_db=60.0)
    power = magnitudes(sound(), front_end) ** 2
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    decibels = np.maximum(decibels, decibels.max() - 60.0)
    weights = np.maximum(a_weight_db(np.fft.rfftfreq(512, 1 / RATE_HZ)), -80.0)
    filters = librosa.filters.mel(sr=RATE_HZ, n_fft=512, n_mels=24, fmin=0, fmax=8_000)
    expected = (decibels + weights) @ filters.T
    given = front_end(sound())
    assert given.shape == front_end.shape(0.5) == (51, 24) and given.dtype == np.float32
    np.testing.assert_allclose(given, expected, atol=1e-3)


def test_weighted_mel_has_the_published_size_and_is_finite_on_silence(recwarn):
    front_end = PerceptualMel()
    assert front_end.shape(5.0) == (216, 256)
    silence = front_end(np.zeros(22_050, dtype=np.float32))
    assert silence.shape == front_end.shape(1.0) and np.isfinite(silence).all()
    assert not recwarn.list


def separated(part, magnitude, kernel=31):
    """Medians over a window about each bin, mirrored at the ends."""
    half = kernel // 2

    def median(values, axis):
        width = [(half, half) if i == axis else (0, 0) for i in range(2)]
        padded = np.pad(values, width, mode="symmetric")
        return np.median(np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=axis), axis=-1)

    own, other = median(magnitude, 0), median(magnitude, 1)
    if part == "percussive":
        own, other = other, own
    return magnitude * own**2 / (own**2 + other**2)


@pytest.mark.parametrize("part", ["harmonic", "percussive"])
def test_separated_log_mel_step_by_step(part):
    front_end = SeparatedLogMel(**SMALL, **BANDS, part=part)
    kept = separated(part, magnitudes(sound(), front_end))
    filters = librosa.filters.mel(sr=RATE_HZ, n_fft=512, n_mels=24, fmin=0, fmax=8_000)
    given = front_end(sound())
    assert given.shape == front_end.shape(0.5)
    np.testing.assert_allclose(given, np.log(kept**2 @ filters.T + 1e-10), atol=1e-3)


@pytest.mark.parametrize("index", [0, 1])
def test_separation_is_that_of_librosa(index):
    front_end = SeparatedLogMel(**SMALL, **BANDS, part=("harmonic", "percussive")[index])
    magnitude = magnitudes(sound(), front_end).T
    kept = librosa.decompose.hpss(magnitude, kernel_size=31, power=2.0)[index]
    expected = np.log(front_end.mel_filters() @ kept**2 + 1e-10)
    np.testing.assert_allclose(front_end.transform(magnitude), expected, atol=1e-9)


def test_a_tone_is_harmonic_and_a_click_is_percussive():
    t = np.arange(8_000) / RATE_HZ
    tone = np.sin(2 * np.pi * 1_000 * t).astype(np.float32)
    click = np.zeros(8_000, dtype=np.float32)
    click[4_000] = 1.0
    harmonic, percussive = (SeparatedLogMel(**SMALL, **BANDS, part=part) for part in ("harmonic", "percussive"))
    assert harmonic(tone)[25].max() > percussive(tone)[25].max() + 3
    assert percussive(click)[25].max() > harmonic(click)[25].max() + 3
    silence = harmonic(np.zeros(8_000, dtype=np.float32))
    np.testing.assert_allclose(silence, np.log(1e-10), rtol=1e-6)


def regression(values, width=9):
    """Slope of the line through so many frames, the formula of HTK's deltas."""
    half = width // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    k = np.arange(-half, half + 1)
    return np.array([k @ padded[i : i + width] for i in range(len(values))]) / (k @ k)


def curvature(values, width=9):
    """Twice the leading coefficient of the parabola through so many frames."""
    half = width // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    k = np.arange(-half, half + 1)
    return np.array([2 * np.polyfit(k, padded[i : i + width], 2)[0] for i in range(len(values))])


def test_cepstral_coefficients_and_their_derivatives():
    front_end = Mfcc(**SMALL, **BANDS, n_coefficients=13)
    bands = LogMel(**SMALL, **BANDS)(sound())
    static = librosa.feature.mfcc(S=bands.T, n_mfcc=13).T
    given = front_end(sound())
    assert given.shape == front_end.shape(0.5) == (51, 39) and given.dtype == np.float32
    np.testing.assert_allclose(given[:, :13], static, atol=1e-3)
    np.testing.assert_allclose(given[:, 13:26], regression(static), atol=1e-3)
    np.testing.assert_allclose(given[:, 26:], curvature(static), atol=1e-3)


JOINT = JointFrontEnd(
    sample_rate_hz=RATE_HZ, parts=(PerceptualMel(**SMALL, **BANDS), Mfcc(**SMALL, **BANDS, n_coefficients=5))
)


def test_joint_features_are_those_of_the_parts():
    together = np.stack([JOINT(sound()), JOINT(sound(seed=1))])
    assert JOINT.shape(0.5) == together.shape[1:] == (51 * 24 + 51 * 15,)
    mel, mfcc = JOINT.split(together, duration_s=0.5)
    np.testing.assert_array_equal(mel[1], JOINT.parts[0](sound(seed=1)))
    np.testing.assert_array_equal(mfcc[0], JOINT.parts[1](sound()))
    assert np.shares_memory(mel, together) and np.shares_memory(mfcc, together)
    assert len({JOINT, JOINT}) == 1
    with pytest.raises(ConfigError, match=r"clips of 1 s have features of shape \(3939,\), got \(1989,\)"):
        JOINT.split(together, duration_s=1.0)


def test_the_cache_key_of_joint_features_knows_the_code_of_the_parts():
    clips = pd.DataFrame({"path": ["a.wav"], "start_s": [0.0], "duration_s": [0.5]})
    parts = feature_key_parts(clips, JOINT, file_digests={"a.wav": "0"})
    assert {"asc_bench.features.joint", "asc_bench.features.mfcc", "asc_bench.features.weighted_mel"} <= set(
        parts["source"]
    )
    assert [part["front_end"] for part in parts["front_end"]["parts"]] == ["PerceptualMel", "Mfcc"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PerceptualMel(**SMALL | {"n_fft": 399}, **BANDS), "n_fft is 399, must be even and at least"),
        (lambda: PerceptualMel(**SMALL | {"n_fft": 256}, **BANDS), "at least window_length, 400"),
        (lambda: PerceptualMel(**SMALL), "bands from 0.0 to 11025.0 Hz do not lie between 0 and 8000.0 Hz"),
        (lambda: PerceptualMel(hop_length=0), "PerceptualMel: hop_length is 0"),
        (lambda: PerceptualMel(top_db=0.0), "top_db is 0.0, must be above 0"),
        (lambda: PerceptualMel(pad="wrap"), "pad is 'wrap'"),
        (lambda: SeparatedLogMel(**SMALL, **BANDS, part="both"), "part is 'both', not one of"),
        (lambda: SeparatedLogMel(**SMALL, **BANDS, part="harmonic", kernel=30), "kernel is 30, must be odd"),
        (lambda: SeparatedLogMel(**SMALL, **BANDS, part="harmonic", floor=0.0), "floor is 0.0"),
        (lambda: Mfcc(**SMALL, **BANDS, n_coefficients=25), "n_coefficients is 25, not in 1 to n_mels, 24"),
        (lambda: Mfcc(**SMALL, **BANDS, n_coefficients=5, delta_width=4), "delta_width is 4, must be odd"),
        (
            lambda: JointFrontEnd(sample_rate_hz=RATE_HZ, parts=(Waveform(sample_rate_hz=8_000),)),
            r"its rate is 16000 Hz, those of its parts are \[8000\]",
        ),
    ],
)
def test_settings_that_make_no_sense(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


def test_bad_waveforms():
    front_end = PerceptualMel(**SMALL, **BANDS)
    with pytest.raises(DataError, match="too short: 399 samples, at least 400"):
        front_end(np.zeros(399, dtype=np.float32))
    with pytest.raises(DataError, match="at least 400"):
        front_end.shape(0.01)
    with pytest.raises(DataError, match="1 samples are not finite"):
        front_end(np.where(np.arange(8_000) == 7, np.nan, 0.0).astype(np.float32))
    with pytest.raises(DataError, match="mono"):
        front_end(np.zeros((2, 8_000), dtype=np.float32))
