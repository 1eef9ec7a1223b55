"""The front end of VGGish against the numbers of the released code."""

from __future__ import annotations

import numpy as np
import pytest

from asc_bench.errors import DataError
from asc_bench.features.vggish import VggishExamples, _filters


@pytest.fixture(scope="module")
def sine() -> np.ndarray:
    """3 s of 1 kHz at 16 kHz: the signal of the authors' smoke test."""
    return np.sin(2 * np.pi * 1_000 * np.arange(48_000) / 16_000).astype(np.float32)


def test_regression_vector_of_the_released_code(sine: np.ndarray) -> None:
    examples = VggishExamples()(sine)
    assert examples.shape == (3, 96, 64)
    assert examples.dtype == np.float32
    assert examples.mean() == pytest.approx(-3.42962, abs=2e-5)
    assert examples.std() == pytest.approx(2.12658, abs=2e-5)
    np.testing.assert_allclose(examples[0, 0, :3], [-4.48313, -4.27083, -4.17064], atol=2e-5)
    # Here a sine rounded to single precision, as every waveform is, has noise of its own.
    np.testing.assert_allclose(examples[0, 0, 61:], [-4.60069, -4.60099, -4.60116], atol=1e-4)
    assert examples[0, 0].argmax() == 19
    assert examples[0, 0].max() == pytest.approx(4.81112, abs=2e-5)


def test_regression_vector_without_rounding() -> None:
    """The same with the triangles in use and everything else in double precision: all five decimals."""
    sine = np.sin(2 * np.pi * 1_000 * np.arange(48_000) / 16_000)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.lib.stride_tricks.sliding_window_view(sine, 400)[::160] * window
    bands = np.log(np.abs(np.fft.rfft(frames, 512)) @ _filters().astype(np.float64) + 0.01)[:288]
    np.testing.assert_allclose(bands[0, 61:], [-4.60069, -4.60099, -4.60116], atol=6e-6)
    np.testing.assert_allclose(bands[0, :3], [-4.48313, -4.27083, -4.17064], atol=6e-6)
    np.testing.assert_allclose([bands.mean(), bands.std(), bands[0, 19]], [-3.42962, 2.12658, 4.81112], atol=6e-6)


def test_frames_are_those_of_a_plain_double_precision_transform() -> None:
    """Frame 100 of noise: window, zero-padded transform, magnitude and triangles, written out with loops."""
    noise = np.random.default_rng(0).normal(scale=0.1, size=48_000)
    frame = noise[100 * 160 : 100 * 160 + 400] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400))
    spectrum = np.abs(np.fft.rfft(frame, 512))
    mel = [1127 * np.log(1 + k * 31.25 / 700) for k in range(257)]
    first, last = 1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7_500 / 700)
    step = (last - first) / 65
    bands = []
    for b in range(64):
        peak = first + (b + 1) * step
        bands.append(sum(max(0.0, 1 - abs(mel[k] - peak) / step) * spectrum[k] for k in range(1, 257)))
    examples = VggishExamples()(noise.astype(np.float32))
    np.testing.assert_allclose(examples[1, 4], np.log(np.array(bands) + 0.01), atol=1e-5)


@pytest.mark.parametrize(
    ("duration_s", "n_examples"), [(0.5, 1), (0.975, 1), (1, 1), (2, 2), (5, 5), (10, 10), (30, 31)]
)
def test_number_of_examples(duration_s: float, n_examples: int) -> None:
    assert VggishExamples().shape(duration_s) == (n_examples, 96, 64)
    waveform = np.zeros(round(duration_s * 16_000), dtype=np.float32)
    assert VggishExamples()(waveform).shape == (n_examples, 96, 64)


def test_a_short_clip_is_filled_up_with_silence(sine: np.ndarray) -> None:
    short = sine[:8_000]
    (example,) = VggishExamples()(short)
    (whole,) = VggishExamples()(sine[:15_600])
    # The last window without a padded sample begins at 7,520 = 47 hops.
    np.testing.assert_array_equal(example[:48], whole[:48])
    np.testing.assert_allclose(example[51:], np.log(np.float32(0.01)), atol=1e-6)


def test_other_sample_rates_cannot_be_asked_for() -> None:
    assert VggishExamples().key() == {"front_end": "VggishExamples", "sample_rate_hz": 16_000}
    with pytest.raises(TypeError, match="sample_rate_hz"):
        VggishExamples(sample_rate_hz=44_100)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(0, dtype=np.float32), "too short: 0 samples"),
        (np.zeros((2, 16_000), dtype=np.float32), "mono waveform"),
        (np.zeros(8_000, dtype=np.int16), "floating point samples"),
        (np.full(16_000, np.nan, dtype=np.float32), "16000 samples are not finite"),
    ],
)
def test_bad_input(waveform: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        VggishExamples()(waveform)
