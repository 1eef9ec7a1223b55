"""Textures, devices and scenes, against scipy and against what they are said to be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from asc_bench.data.devices.devices import DEVICES, apply_device
from asc_bench.data.seeds import generator, seed_of
from asc_bench.data.signals import (
    fluctuation,
    harmonics,
    n_control,
    noise,
    noise_spectrum,
    passes,
    response,
    stretch,
    to_time,
)
from asc_bench.errors import ConfigError, DataError
from asc_bench.synthetic import synthesise_esc, synthesise_scene
from asc_bench.synthetic.events import EVENTS
from asc_bench.synthetic.recipes import esc_classes, scenes

RATE_HZ = 44100


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _level_db(wave: np.ndarray) -> float:
    return float(20 * np.log10(np.std(wave)))


def test_a_seed_depends_on_every_part_its_type_and_where_parts_end() -> None:
    seeds = {seed_of("ab", "c"), seed_of("a", "bc"), seed_of("abc"), seed_of("1"), seed_of(1), seed_of("c", "ab")}
    assert len(seeds) == 6
    assert seed_of("ab", "c") in seeds
    assert generator("x", 1).random() == generator("x", 1).random() != generator("x", 2).random()


@pytest.mark.parametrize(("n", "hop"), [(1, 1), (10, 3), (441, 441), (1000, 7)])
def test_stretch_is_linear_interpolation(n: int, hop: int) -> None:
    points = _rng().normal(size=-(-n // hop) + 1)
    expected = np.interp(np.arange(n), np.arange(len(points)) * hop, points)
    np.testing.assert_allclose(stretch(points, hop, n), expected, atol=1e-5)


def test_stretch_refuses_too_few_points() -> None:
    with pytest.raises(ValueError, match="10 samples at hop 3 need 5 points, got 4"):
        stretch(np.ones(4), 3, 10)


def test_noise_has_the_spectrum_that_was_asked_for() -> None:
    curve = ((100.0, 0.0), (1000.0, -12.0), (10000.0, -12.0), (15000.0, -30.0))
    wave = noise(_rng(), curve, 10 * RATE_HZ, RATE_HZ)
    assert _level_db(wave) == pytest.approx(0.0, abs=0.1)
    hz, power = signal.welch(wave, RATE_HZ, nperseg=8192)
    measured = 10 * np.log10(np.interp([200, 1000, 5000, 10000, 15000], hz, power))
    expected = np.array([-12 * np.log10(2.0), -12, -12, -12, -30])
    np.testing.assert_allclose(measured - measured[1], expected - expected[1], atol=1.2)


def test_noise_made_in_the_frequency_domain_is_gaussian_and_of_unit_level() -> None:
    n = 60_000
    wave = to_time(noise_spectrum(_rng(), response([((20.0, 0.0), (20000.0, 0.0))], n, RATE_HZ), n), n)
    assert np.std(wave) == pytest.approx(1.0, abs=0.02)
    assert np.mean(wave**4) == pytest.approx(3.0, abs=0.15)


def test_harmonics_are_where_and_as_strong_as_asked() -> None:
    n = 2 * RATE_HZ
    wave = harmonics(_rng(), np.array([1.0, 0.5, 0.25]), np.full(n_control(n, RATE_HZ), 200.0), n, RATE_HZ)
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(n)))
    peaks = [spectrum[round(hz * n / RATE_HZ) + np.arange(-3, 4)].max() for hz in (200, 400, 600)]
    np.testing.assert_allclose(np.array(peaks) / peaks[0], [1.0, 0.5, 0.25], rtol=0.02)
    assert _level_db(wave) == pytest.approx(0.0, abs=0.1)


def test_fluctuation_has_unit_deviation_and_is_slow() -> None:
    wander = fluctuation(_rng(), 200_000, 1.0)
    assert np.std(wander) == pytest.approx(1.0, abs=0.05)
    hz, power = signal.welch(wander, 100, nperseg=4096)
    assert power[hz > 4].sum() < 0.001 * power.sum()


def test_a_pass_falls_as_the_distance_grows() -> None:
    levels = passes(_rng(1), 1000, per_10_s=1.0, width_s=0.5, peak_db=20.0)
    assert levels.min() >= 0.0
    assert levels.max() > 10.0


@pytest.mark.parametrize("event", sorted(EVENTS))
@pytest.mark.parametrize("habit", [0.0, 1.0])
def test_an_event_is_a_clean_snippet(event: str, habit: float) -> None:
    wave = EVENTS[event](_rng(), RATE_HZ, habit)
    assert wave.dtype == np.float32
    assert np.max(np.abs(wave)) == pytest.approx(1.0, abs=1e-5)
    assert 0.02 * RATE_HZ < len(wave) < 8 * RATE_HZ
    assert np.abs(wave[[0, -1]]).max() < 0.1, "an event must not begin or end with a click"


def _response_db(device: str, hz: np.ndarray) -> np.ndarray:
    """Transfer function by cross spectrum, on a signal far below compressor and limiter and far above the noise."""
    wave = (_rng(1).standard_normal(20 * RATE_HZ) * 10 ** (-42 / 20)).astype(np.float32)
    heard = apply_device(wave, sample_rate_hz=RATE_HZ, device=device, rng=_rng(2))
    grid, cross = signal.csd(wave, heard, RATE_HZ, nperseg=8192)
    _, power = signal.welch(wave, RATE_HZ, nperseg=8192)
    return np.interp(hz, grid, 20 * np.log10(np.abs(cross) / power))


def test_device_a_is_nearly_flat() -> None:
    gains_db = _response_db("a", np.geomspace(60, 15000, 40))
    assert np.ptp(gains_db) < 2.0


@pytest.mark.parametrize("device", ["b", "c"])
def test_a_phone_has_its_own_response(device: str) -> None:
    hz = np.array([200.0, 1000.0, 3000.0, 5000.0, 8000.0, 12000.0])
    curve = DEVICES[device].response_db
    expected = np.interp(np.log2(hz), np.log2([p[0] for p in curve]), [p[1] for p in curve])
    np.testing.assert_allclose(_response_db(device, hz), expected + DEVICES[device].gain_db, atol=1.0)


def test_phones_differ_from_each_other_and_cut_both_ends() -> None:
    hz = np.array([40.0, 1000.0, 4000.0, 17000.0])
    b, c = _response_db("b", hz), _response_db("c", hz)
    assert np.abs((b - b[1]) - (c - c[1])).max() > 2.0
    for gains in (b, c):
        assert gains[0] < gains[1] - 3
        assert gains[3] < gains[1] - 5


@pytest.mark.parametrize("device", ["a", "b", "c"])
def test_silence_is_the_self_noise_of_the_device(device: str) -> None:
    heard = apply_device(np.zeros(RATE_HZ, np.float32), sample_rate_hz=RATE_HZ, device=device, rng=_rng())
    chosen = DEVICES[device]
    assert _level_db(heard) == pytest.approx(chosen.noise_db + chosen.gain_db, abs=4.0)
    other = apply_device(np.zeros(RATE_HZ, np.float32), sample_rate_hz=RATE_HZ, device=device, rng=_rng(1))
    assert abs(np.corrcoef(heard, other)[0, 1]) < 0.05


@pytest.mark.parametrize("device", ["b", "c"])
def test_above_the_threshold_a_phone_compresses_by_its_ratio(device: str) -> None:
    seconds = np.arange(6 * RATE_HZ) / RATE_HZ
    levels = []
    for level_db in (-20.0, -8.0):
        tone = (np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * 700 * seconds)).astype(np.float32)
        heard = apply_device(tone, sample_rate_hz=RATE_HZ, device=device, rng=_rng())
        levels.append(_level_db(heard[-RATE_HZ:]))
    assert levels[1] - levels[0] == pytest.approx(12.0 / DEVICES[device].ratio, abs=0.6)


@pytest.mark.parametrize("device", ["a", "b", "c"])
def test_no_device_exceeds_full_scale(device: str) -> None:
    loud = (_rng().standard_normal(RATE_HZ) * 10).astype(np.float32)
    heard = apply_device(loud, sample_rate_hz=RATE_HZ, device=device, rng=_rng())
    assert np.max(np.abs(heard)) < 1.0
    assert heard.shape == loud.shape
    assert heard.dtype == np.float32


def test_a_device_does_not_shift_the_sound_in_time() -> None:
    wave = (0.01 * _rng().standard_normal(RATE_HZ)).astype(np.float32)
    heard = apply_device(wave, sample_rate_hz=RATE_HZ, device="b", rng=_rng())
    lags = signal.correlation_lags(len(heard), len(wave))
    assert lags[np.argmax(signal.correlate(heard, wave))] == 0


def test_apply_device_names_what_is_wrong() -> None:
    wave = np.zeros(100, np.float32)
    with pytest.raises(ConfigError, match=r"device 'z' is not one of \['a', 'b', 'c', 's1', .*'s6'\]"):
        apply_device(wave, sample_rate_hz=RATE_HZ, device="z", rng=_rng())
    with pytest.raises(DataError, match=r"got shape \(2, 50\)"):
        apply_device(wave.reshape(2, 50), sample_rate_hz=RATE_HZ, device="a", rng=_rng())
    wave[7] = np.nan
    with pytest.raises(DataError, match="sample 7 of the waveform is not finite"):
        apply_device(wave, sample_rate_hz=RATE_HZ, device="a", rng=_rng())


@pytest.mark.parametrize("scene", sorted(scenes()))
def test_a_scene_repeats_for_its_seeds_and_for_no_other(scene: str) -> None:
    def make(location: int, clip: int) -> np.ndarray:
        return synthesise_scene(scene, location_seed=location, clip_seed=clip, duration_s=1.0)

    first = make(1, 2)
    assert first.dtype == np.float32
    assert first.shape == (RATE_HZ,)
    assert np.isfinite(first).all()
    assert -60 < _level_db(first) < -8
    np.testing.assert_array_equal(first, make(1, 2))
    for other in (make(1, 3), make(2, 2)):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.9


@pytest.mark.parametrize(("duration_s", "sample_rate_hz"), [(0.7501, 44100), (1.3, 22050), (0.5, 16000)])
def test_any_length_and_rate_will_do(duration_s: float, sample_rate_hz: int) -> None:
    wave = synthesise_scene(
        "bus", location_seed=1, clip_seed=1, duration_s=duration_s, sample_rate_hz=sample_rate_hz
    )
    assert len(wave) == round(duration_s * sample_rate_hz)


def test_a_park_is_quieter_than_a_street() -> None:
    def mean_db(scene: str) -> float:
        return float(
            np.mean(
                [_level_db(synthesise_scene(scene, location_seed=i, clip_seed=0, duration_s=2.0)) for i in range(6)]
            )
        )

    assert mean_db("park") < mean_db("street_traffic") - 6


def test_synthesise_scene_names_what_is_wrong() -> None:
    with pytest.raises(ConfigError, match="scene 'beach' is not one of"):
        synthesise_scene("beach", location_seed=0, clip_seed=0)
    with pytest.raises(ConfigError, match=r"a scene of 0\.0 s"):
        synthesise_scene("bus", location_seed=0, clip_seed=0, duration_s=0.0)


def test_every_esc_class_sounds_and_has_takes() -> None:
    for category in esc_classes():
        first = synthesise_esc(category, source_seed=1, take_seed=1)
        assert first.shape == (5 * RATE_HZ,)
        assert first.dtype == np.float32
        assert np.std(first) > 1e-4
        assert np.max(np.abs(first)) < 1.0
        assert not np.array_equal(first, synthesise_esc(category, source_seed=1, take_seed=2))
    np.testing.assert_array_equal(first, synthesise_esc(category, source_seed=1, take_seed=1))


def test_an_unknown_esc_class_is_named() -> None:
    with pytest.raises(ConfigError, match="ESC class 'unicorn' is not one of"):
        synthesise_esc("unicorn", source_seed=0, take_seed=0)
