"""Deformations against what they should do to a sound: length, pitch, level, signal-to-noise ratio."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize, signal, stats

from asc_bench.errors import ConfigError, DataError
from asc_bench.features import deform
from asc_bench.features.deform.background import NOISES
from asc_bench.features.deform.compress import PRESETS, follow
from asc_bench.features.deform.variants import Background

RATE_HZ = 16_000

MUDA_PRESETS = {
    "radio": ["0.01,1", "-90,-90,-70,-70,-60,-20,0,0", "-5"],
    "film": ["0.1,0.3", "-90,-90,-70,-64,-43,-37,-31,-31,-21,-21,0,-20", "0", "0", "0.1"],
    "music": ["0.1,0.3", "-90,-90,-70,-58,-55,-43,-31,-31,-21,-21,0,-20", "0", "0", "0.1"],
    "speech": ["0.1,0.3", "-90,-90,-70,-55,-50,-35,-31,-31,-21,-21,0,-20", "0", "0", "0.1"],
}
"""Arguments of ``sox compand``, from muda's drc_presets.json."""


def sine(hz: float, *, seconds: float = 5.0, rate_hz: int = RATE_HZ, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def white(*, seconds: float = 5.0, rate_hz: int = RATE_HZ, rms: float = 0.1, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * rate_hz))
    return (rms * noise).astype(np.float32)


def peak_hz(sound: np.ndarray, rate_hz: int = RATE_HZ) -> float:
    """Highest peak of the spectrum, a parabola through the logarithms of its three highest bins."""
    spectrum = np.log(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 4 * len(sound))) + 1e-12)
    k = int(spectrum.argmax())
    left, top, right = spectrum[k - 1 : k + 2]
    return (k + 0.5 * (left - right) / (left - 2 * top + right)) * rate_hz / (4 * len(sound))


def cents(hz: float, reference_hz: float) -> float:
    return float(1200 * np.log2(hz / reference_hz))


def db(ratio: float) -> float:
    return float(20 * np.log10(ratio))


def bursts(at_s: tuple[float, ...], hz: float = 1_000.0) -> np.ndarray:
    """Tone bursts of 100 ms."""
    sound = np.zeros(5 * RATE_HZ, dtype=np.float32)
    for start_s in at_s:
        first = round(start_s * RATE_HZ)
        sound[first : first + RATE_HZ // 10] = sine(hz, seconds=0.1)
    return sound


def onsets_s(sound: np.ndarray) -> np.ndarray:
    loud = np.convolve(np.abs(sound), np.ones(160) / 160, "same") > 0.1
    return np.flatnonzero(np.diff(loud.astype(int)) == 1) / RATE_HZ


@pytest.mark.parametrize("rate", [0.81, 0.93, 1.07, 1.23])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_stretch_changes_the_length_and_neither_pitch_nor_level(rate: float, rate_hz: int) -> None:
    for hz in (220.0, 1_000.0, 5_300.0):
        tone = sine(hz, rate_hz=rate_hz)
        stretched = deform.time_stretch(tone, rate=rate, sample_rate_hz=rate_hz)
        assert len(stretched) == round(len(tone) / rate) and stretched.dtype == np.float32
        assert abs(cents(peak_hz(stretched, rate_hz), hz)) < 1.0
        assert abs(db(stretched.std() / tone.std())) < 0.1
    noise = white(rate_hz=rate_hz)
    stretched = deform.time_stretch(noise, rate=rate, sample_rate_hz=rate_hz)
    flat = [signal.welch(sound, rate_hz, nperseg=256)[1][2:-2] for sound in (noise, stretched)]
    assert np.abs(10 * np.log10(flat[1] / flat[0])).max() < 1.5
    assert abs(db(stretched.std() / noise.std())) < 0.6


@pytest.mark.parametrize("rate", [0.81, 1.23])
def test_stretch_moves_events_in_time(rate: float) -> None:
    at_s = (0.5, 2.0, 3.7)
    found = onsets_s(deform.time_stretch(bursts(at_s), rate=rate, sample_rate_hz=RATE_HZ))
    np.testing.assert_allclose(found, np.array(at_s) / rate, atol=0.03)


def test_stretch_at_the_old_pace_changes_nothing() -> None:
    sound = white(seconds=1.0)
    same = deform.time_stretch(sound, rate=1.0, sample_rate_hz=RATE_HZ)
    # The last pieces, 46 ms long, reach beyond the end and have no true continuation.
    np.testing.assert_allclose(same[:-800], sound[:-800], atol=1e-6)
    assert len(same) == len(sound)


@pytest.mark.parametrize("semitones", [-3.5, -2.5, -2, -1, 1, 2, 2.5, 3.5])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_pitch_shift_moves_the_peak_and_not_the_events(semitones: float, rate_hz: int) -> None:
    tone = sine(1_000.0, rate_hz=rate_hz)
    shifted = deform.pitch_shift(tone, semitones=semitones, sample_rate_hz=rate_hz)
    assert len(shifted) == len(tone) and shifted.dtype == np.float32
    assert abs(cents(peak_hz(shifted, rate_hz), 1_000.0) - 100 * semitones) < 1.0
    assert abs(db(shifted.std() / tone.std())) < 0.1
    at_s = (0.5, 2.0, 3.7)
    moved = deform.pitch_shift(bursts(at_s), semitones=semitones, sample_rate_hz=RATE_HZ)
    np.testing.assert_allclose(onsets_s(moved), at_s, atol=0.03)


def test_pitch_shift_moves_every_tone_of_a_chord() -> None:
    chord = sum(sine(hz, amplitude=0.2) for hz in (330.0, 1_234.0, 3_000.0))
    shifted = deform.pitch_shift(chord, semitones=2, sample_rate_hz=RATE_HZ)
    hz, power = signal.periodogram(shifted, RATE_HZ, window="hann")
    peaks = hz[signal.find_peaks(power, height=power.max() / 20, distance=200)[0]]
    np.testing.assert_allclose(peaks, np.array([330.0, 1_234.0, 3_000.0]) * 2 ** (2 / 12), rtol=0.002)


def test_presets_are_those_of_muda() -> None:
    for name, (times, points, gain, *rest) in MUDA_PRESETS.items():
        attack_s, decay_s = map(float, times.split(","))
        levels = list(map(float, points.split(",")))
        ours = PRESETS[name]
        assert (ours.attack_s, ours.decay_s, ours.gain_db) == (attack_s, decay_s, float(gain))
        assert ours.points_db == tuple(zip(levels[::2], levels[1::2], strict=True))
        assert ours.look_ahead_s == (float(rest[1]) if rest else 0.0)
        assert not rest or float(rest[0]) == 0.0  # the level that the follower starts at
    assert set(PRESETS) == set(MUDA_PRESETS)


def follower_on_sine(attack_s: float, decay_s: float) -> float:
    """Where a slow follower of |sin| comes to rest: what it rises in a period, it falls."""

    def drift(level: float) -> float:
        corner = np.arcsin(level)  # between here and its mirror image |sin| is above the level
        above = integrate.quad(lambda t: np.sin(t) - level, corner, np.pi - corner)[0]
        below = 2 * integrate.quad(lambda t: level - np.sin(t), 0, corner)[0]
        return above / attack_s - below / decay_s

    return float(optimize.brentq(drift, 1e-6, 1 - 1e-9))


@pytest.mark.parametrize("preset", MUDA_PRESETS)
@pytest.mark.parametrize("level_db", [-62.0, -47.0, -37.0, -31.0, -26.0, -10.0, -1.0])
def test_level_curve_is_that_of_the_points(preset: str, level_db: float) -> None:
    times, points, gain_db = MUDA_PRESETS[preset][:3]
    rest = follower_on_sine(*map(float, times.split(",")))
    levels = list(map(float, points.split(",")))
    expected_db = np.interp(level_db, levels[::2], levels[1::2]) + float(gain_db)
    # So loud that the follower rests at the level. It starts at full scale: 16 s let it come down.
    tone = sine(997.0, seconds=16.0, rate_hz=8_000, amplitude=10 ** (level_db / 20) / rest)
    heard = deform.compress(tone, preset=preset, sample_rate_hz=8_000)[-8_000:]
    assert db(heard.std() / tone[-8_000:].std()) + level_db == pytest.approx(expected_db, abs=0.15)


def sox_compand(sound: np.ndarray, preset: list[str], rate_hz: int) -> np.ndarray:
    """``flow`` and ``drain`` of compand.c, sample by sample, with its delay line."""
    attack, decay = (1 - np.exp(-1 / (rate_hz * float(t))) for t in preset[0].split(","))
    levels = list(map(float, preset[1].split(",")))
    gains = np.array(levels[1::2]) - levels[::2] + float(preset[2])
    n_delay = int(float(preset[4]) * rate_hz) if len(preset) > 4 else 0
    volume, line, heard = 1.0, [], []

    def gain() -> float:
        return float(10 ** (np.interp(20 * np.log10(volume), levels[::2], gains) / 20))

    for sample in sound.astype(np.float64):
        delta = abs(sample) - volume
        volume += delta * (attack if delta > 0 else decay)
        line.append(sample)
        if len(line) > n_delay:
            heard.append(line.pop(0) * gain())
    return np.array(heard + [sample * gain() for sample in line])


@pytest.mark.parametrize("preset", MUDA_PRESETS)
def test_compressor_is_that_of_sox(preset: str) -> None:
    sound = white(seconds=0.5, rate_hz=8_000) * np.repeat([1.0, 0.01, 3.0, 0.1], 1_000).astype(np.float32)
    heard = deform.compress(sound, preset=preset, sample_rate_hz=8_000)
    np.testing.assert_allclose(heard, sox_compand(sound, MUDA_PRESETS[preset], 8_000), atol=2e-6)
    short = sound[:300]  # shorter than the look-ahead
    np.testing.assert_allclose(
        deform.compress(short, preset=preset, sample_rate_hz=8_000),
        sox_compand(short, MUDA_PRESETS[preset], 8_000),
        atol=2e-6,
    )


def test_follower_rises_and_falls_with_its_time_constants() -> None:
    rise, fall = (1 - np.exp(-1 / (1_000 * s)) for s in (0.1, 0.3))
    levels = follow(np.repeat([0.0, 1.0, 0.0], 3_000).astype(np.float32), rise, fall)
    low, high = levels[2_999], levels[5_999]
    assert levels[2_999] == pytest.approx(np.exp(-10.0), rel=1e-3)
    assert levels[3_000 + 99] == pytest.approx(1 - (1 - low) * np.exp(-1.0), rel=1e-3)
    assert levels[6_000 + 299] == pytest.approx(high * np.exp(-1.0), rel=1e-3)


@pytest.mark.parametrize(("preset", "ahead_s"), [("film", 0.1), ("radio", 0.0)])
def test_gain_is_ahead_of_the_sound(preset: str, ahead_s: float) -> None:
    # A constant is a level that the follower reads without ripple.
    steps = np.repeat(np.float32([0.01, 0.9]), 8_000 * 12)
    gain = deform.compress(steps, preset=preset, sample_rate_hz=8_000) / steps
    before = gain[8_000 * 12 - 4_000]
    first = np.flatnonzero(np.abs(gain[8_000 * 11 :] / before - 1) > 0.02)[0] + 8_000 * 11
    assert first / 8_000 == pytest.approx(12.0 - ahead_s, abs=0.005)


@pytest.mark.parametrize("weight", [0.1, 0.3, 0.5])
def test_mixture_has_the_signal_to_noise_ratio_of_the_formula(weight: float) -> None:
    tone = sine(1_000.0, amplitude=0.4)
    noise = white(rms=0.02)
    mixed = deform.add_background(tone, noise, weight=weight)
    share = (mixed @ tone) / (tone @ tone)
    rest = mixed - share * tone
    crest = np.abs(noise).max() / noise.std()
    expected_db = db((1 - weight) * 0.4 / np.sqrt(2)) - db(weight * 0.4 / crest)
    assert db(share * tone.std() / rest.std()) == pytest.approx(expected_db, abs=0.1)
    assert np.abs(mixed).max() <= 0.4 + 1e-6


def test_weights_are_uniform_between_a_tenth_and_a_half() -> None:
    weights = [Background("park", seed).weight for seed in range(500)]
    assert stats.kstest(weights, stats.uniform(0.1, 0.4).cdf).pvalue > 0.01


@pytest.mark.parametrize("scene", NOISES)
def test_noise_has_its_spectrum_and_its_peak(scene: str) -> None:
    noise = deform.noise(scene, n_samples=60 * RATE_HZ, sample_rate_hz=RATE_HZ, seed=1)
    assert np.abs(noise).max() == pytest.approx(1.0, abs=1e-6)
    hz, density = signal.welch(noise, RATE_HZ, nperseg=4_096)
    curve = np.array(NOISES[scene].curve_db)
    at = (hz > 100) & (hz < 7_500)
    wanted = np.interp(np.log(hz[at]), np.log(curve[:, 0]), curve[:, 1])
    difference = 10 * np.log10(density[at]) - wanted
    assert np.std(difference) < 1.0


def test_noises_differ_by_seed_and_scene_and_repeat_themselves() -> None:
    made = {
        (s, k): deform.noise(s, n_samples=1_000, sample_rate_hz=RATE_HZ, seed=k) for s in NOISES for k in (1, 2)
    }
    assert len({noise.tobytes() for noise in made.values()}) == 8
    again = deform.noise("park", n_samples=1_000, sample_rate_hz=RATE_HZ, seed=2)
    np.testing.assert_array_equal(again, made["park", 2])


def test_there_are_the_twenty_variants_of_the_source() -> None:
    assert {family: [v.value for v in variants] for family, variants in deform.FAMILIES.items()} == {
        "ts": ["0.81", "0.93", "1.07", "1.23"],
        "ps1": ["-2", "-1", "+1", "+2"],
        "ps2": ["-3.5", "-2.5", "+2.5", "+3.5"],
        "drc": ["music", "film", "speech", "radio"],
        "bg": ["workers", "traffic", "people", "park"],
    }
    assert len(deform.VARIANTS) == 20 and "ps1-+2" in deform.VARIANTS and "ps2--3.5" in deform.VARIANTS
    reprs = [repr(v) for v in deform.VARIANTS.values()]
    assert len(set(reprs)) == 20  # the feature cache tells them apart by it


@pytest.mark.parametrize("name", deform.VARIANTS)
def test_every_variant_keeps_length_and_full_scale_and_stays_finite(name: str) -> None:
    variant = deform.VARIANTS[name].seeded(3)
    loud = np.clip(white(seconds=1.0, rms=1.0), -1, 1)
    for sound in (loud, loud[:1], loud[:700]):
        given = sound.copy()
        heard = variant(sound, sample_rate_hz=RATE_HZ)
        assert heard.shape == sound.shape and heard.dtype == np.float32
        assert np.isfinite(heard).all() and np.abs(heard).max() <= 1.0
        np.testing.assert_array_equal(sound, given)  # what is given is left as it is
        np.testing.assert_array_equal(heard, variant(sound, sample_rate_hz=RATE_HZ))
    assert not variant(np.zeros(8_000, dtype=np.float32), sample_rate_hz=RATE_HZ).any()
    quiet = white(seconds=1.0, rms=1e-3)
    assert np.abs(variant(quiet, sample_rate_hz=RATE_HZ) - quiet).max() > 1e-4  # and does something


def test_stretched_clip_is_cut_or_repeated() -> None:
    ramp = np.arange(10, dtype=np.float32)
    np.testing.assert_array_equal(deform.fit_length(ramp, 4), ramp[:4])
    np.testing.assert_array_equal(deform.fit_length(ramp, 13), [*range(10), 0, 1, 2])


def test_bad_input_is_refused() -> None:
    sound = white(seconds=0.1)
    for rate in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ConfigError, match="must be a number above 0"):
            deform.time_stretch(sound, rate=rate, sample_rate_hz=RATE_HZ)
    with pytest.raises(ConfigError, match="semitones is nan"):
        deform.pitch_shift(sound, semitones=np.nan, sample_rate_hz=RATE_HZ)
    with pytest.raises(ConfigError, match="'radios' is not one of music, film, speech, radio"):
        deform.compress(sound, preset="radios", sample_rate_hz=RATE_HZ)
    with pytest.raises(ConfigError, match="'zoo' is not one of workers"):
        deform.noise("zoo", n_samples=10, sample_rate_hz=RATE_HZ, seed=0)
    for weight in (-0.1, 1.1, np.nan):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            deform.add_background(sound, sound, weight=weight)
    with pytest.raises(ConfigError, match="1600 samples of the recording, but 1599 of noise"):
        deform.add_background(sound, sound[1:], weight=0.3)
    for variant in deform.VARIANTS.values():
        with pytest.raises(DataError, match="not finite"):
            variant(np.full(100, np.nan, dtype=np.float32), sample_rate_hz=RATE_HZ)
        with pytest.raises(DataError, match="mono"):
            variant(np.zeros((2, 100), dtype=np.float32), sample_rate_hz=RATE_HZ)
        with pytest.raises(DataError, match="too short"):
            variant(np.zeros(0, dtype=np.float32), sample_rate_hz=RATE_HZ)
