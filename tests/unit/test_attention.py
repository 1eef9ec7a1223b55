"""Attention in the input's resolution, and the axes that it is drawn on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from librosa import mel_frequencies

from asc_bench.analysis.attention import attention_maps, spread
from asc_bench.analysis.clip import check_file, outside_clip
from asc_bench.analysis.explanation import attention_limits, draw_explanation
from asc_bench.analysis.spectrogram import band_centres_hz, frame_edges_s, frequency_ticks, log_mel_of, show_bins
from asc_bench.api import (
    Card,
    Clips,
    ConfigError,
    Context,
    DataError,
    Features,
    FrontEnd,
    LabelledClips,
    LabelSpace,
    LogMel,
    System,
    SystemFailure,
    Task,
    Waveform,
    caa_net_log_mel,
)
from asc_bench.reporting.figures import figure_bytes

SMALL = LogMel(
    sample_rate_hz=1_000,
    n_fft=64,
    window_length=64,
    hop_length=50,
    n_mels=4,
    fmin_hz=0.0,
    fmax_hz=500.0,
    centre=False,
)


class Fixed(System):
    """Gives the maps that it was told to give."""

    card = Card(name="fixed", title="Fixed maps", citation="none: a test double", year=2026, input="log-mel")
    needs_device = "no"

    def front_end(self) -> FrontEnd:
        return SMALL

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        raise NotImplementedError

    def predict(self, clips: Clips) -> np.ndarray:
        raise NotImplementedError

    def attention(self, clips: Clips) -> np.ndarray:
        return self.maps


def fixed(maps: object, devices: tuple[str, ...] = ("A", "B")) -> Fixed:
    system = Fixed(Task(LabelSpace(("bus", "tram")), devices, 1.0))
    system.maps = np.asarray(maps)
    return system


def clips(n: int, *shape: int) -> Clips:
    return Clips(Features(np.zeros((n, *shape), dtype=np.float32), np.arange(n)))


def test_every_coarse_bin_covers_its_rectangle() -> None:
    coarse = np.array([[0.1, 0.2], [0.3, 0.4]])
    expected = [
        [0.025, 0.025, 0.050, 0.050],
        [0.025, 0.025, 0.050, 0.050],
        [0.075, 0.075, 0.100, 0.100],
        [0.075, 0.075, 0.100, 0.100],
    ]
    np.testing.assert_allclose(spread(coarse, (4, 4)), expected, rtol=1e-6)


def test_the_sides_of_a_rectangle_may_differ() -> None:
    np.testing.assert_allclose(spread(np.array([[0.6, 0.4]]), (3, 2)), [[0.2, 0.4 / 3]] * 3, rtol=1e-6)
    large = spread(np.full((20, 4), 1 / 80), (320, 64))
    np.testing.assert_allclose(large, 1 / (320 * 64), rtol=1e-6)


def test_sizes_that_are_no_multiples_share_the_bins_between() -> None:
    # Two bins over three: the middle one lies half in the first and half in the second.
    np.testing.assert_allclose(spread(np.array([[0.9], [0.1]]), (3, 1))[:, 0], [0.6, 1 / 3, 0.2 / 3], rtol=1e-6)


def test_sums_are_kept_and_equal_sizes_change_nothing() -> None:
    maps = np.random.default_rng(0).dirichlet(np.ones(7 * 3), size=(5, 2)).reshape(5, 2, 7, 3)
    spread_maps = spread(maps, (19, 8))
    assert spread_maps.shape == (5, 2, 19, 8)
    np.testing.assert_allclose(spread_maps.sum(axis=(2, 3)), 1, rtol=1e-6)
    np.testing.assert_allclose(spread(maps, (7, 3)), maps, rtol=1e-6)


def test_maps_of_a_system_in_the_resolution_of_its_input() -> None:
    maps = np.zeros((1, 2, 2, 1), dtype=np.float32)
    maps[0, 0] = [[1.0], [0.0]]
    maps[0, 1] = 0.5
    found = attention_maps(fixed(maps), clips(1, 4, 2))
    np.testing.assert_allclose(found[0, 0], [[0.25, 0.25], [0.25, 0.25], [0, 0], [0, 0]])
    np.testing.assert_allclose(found[0, 1], 1 / 8)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (np.full((1, 3, 2, 2), 0.25), r"shape \(1, 3, 2, 2\), expected floats of shape \(1, 2, time, bands\)"),
        (np.full((1, 2, 4), 0.25), r"shape \(1, 2, 4\)"),
        (np.ones((1, 2, 1, 1), dtype=np.int64), "attention gave int64"),
        (np.full((1, 2, 2, 2), 0.3), "clip number 0 for class number 0 sums to 1.2, expected 1"),
        (np.stack([np.full((1, 2, 2), 0.25), [[[2.0, -1.0], [0, 0]]]], axis=1), "has negative, NaN or infinite"),
        (np.full((1, 2, 2, 2), np.nan), "has negative, NaN or infinite"),
    ],
)
def test_maps_that_are_none_are_refused(maps: np.ndarray, message: str) -> None:
    with pytest.raises(SystemFailure, match=f"fixed: .*{message}"):
        attention_maps(fixed(maps), clips(1, 4, 2))


def test_no_attention_and_no_spectrogram(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"attention is shown over a spectrogram .* has shape \(9,\)"):
        attention_maps(fixed(np.full((1, 2, 1, 1), 1.0)), clips(1, 9))
    with pytest.raises(ConfigError, match="only log-mel spectrograms can be drawn, not the input Waveform"):
        log_mel_of(Waveform(sample_rate_hz=8_000))
    monkeypatch.setattr(Fixed, "attention", System.attention)
    with pytest.raises(ConfigError, match="fixed has no attention to show"):
        attention_maps(fixed(()), clips(1, 4, 2))


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_bands_are_centred_where_their_triangles_peak(scale: str) -> None:
    front_end = replace(caa_net_log_mel(), mel_scale=scale)
    centres = band_centres_hz(front_end)
    np.testing.assert_allclose(centres, mel_frequencies(66, fmin=20, fmax=22_050, htk=scale == "htk")[1:-1])
    filters = front_end.mel_filters()
    bin_hz = 44_100 / 2_048
    wide = filters.astype(bool).sum(axis=0) > 5
    assert wide.sum() > 20
    assert (np.abs(filters.argmax(axis=0) * bin_hz - centres)[wide] <= bin_hz).all()


def test_a_frame_stands_for_one_hop_about_the_middle_of_its_window() -> None:
    # 64 samples at 1 kHz: the first window's middle is at 32 ms; a hop of 50 ms about it begins at 7 ms.
    begin, end = frame_edges_s(SMALL, 10)
    assert begin == pytest.approx(0.007)
    assert end == pytest.approx(0.507)
    assert frame_edges_s(replace(SMALL, centre=True), 10) == (pytest.approx(-0.025), pytest.approx(0.475))
    begin, end = frame_edges_s(caa_net_log_mel(), 320)
    assert 0 < begin < end < 10
    assert end - begin == pytest.approx(320 * 1_376 / 44_100)


def test_ticks_are_round_frequencies_at_their_bands() -> None:
    front_end = caa_net_log_mel()
    positions, labels = frequency_ticks(front_end, gap=0.09)
    assert labels == ["100", "500", "1k", "2k", "5k", "10k", "20k"]
    hz = [float(text.replace("k", "000")) for text in labels]
    np.testing.assert_allclose(np.interp(positions, np.arange(64), band_centres_hz(front_end)), hz, rtol=1e-9)
    assert min(np.diff(positions)) >= 0.09 * 64
    assert frequency_ticks(front_end, gap=0.2)[1] == ["100", "1k", "10k"]
    assert frequency_ticks(SMALL, gap=0.0)[1] == ["100", "200"], "no tick outside the bands' centres"


def test_low_bands_are_drawn_at_the_bottom_and_early_frames_on_the_left() -> None:
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    values = np.arange(40.0).reshape(10, 4)
    image = show_bins(ax, values, SMALL, duration_s=0.5)
    np.testing.assert_array_equal(image.get_array(), values.T)
    assert image.origin == "lower"
    assert image.get_extent() == [pytest.approx(0.007), pytest.approx(0.507), -0.5, 3.5]
    assert ax.get_xlim() == (0.0, 0.5)


def test_an_even_map_is_shown_as_even() -> None:
    assert attention_limits(np.full((4, 4), 1.00001)) == (0.9, 1.1)
    assert attention_limits(np.array([0.2, 3.0])) == (0.2, 3.0)


def test_the_picture_shows_log_mel_and_attention_in_units_of_its_mean_and_repeats_to_the_byte() -> None:
    rng = np.random.default_rng(1)
    log_mel, attention = rng.normal(size=(10, 4)), rng.dirichlet(np.ones(40)).reshape(10, 4)

    def picture() -> object:
        return draw_explanation(log_mel, attention, SMALL, duration_s=0.5, title="a $title\nin two lines")

    figure = picture()
    upper, lower, *bars = figure.axes
    np.testing.assert_array_equal(upper.images[0].get_array(), log_mel.T)
    np.testing.assert_array_equal(lower.images[0].get_array(), log_mel.T)
    veil = np.asarray(lower.images[1].get_array())
    np.testing.assert_allclose(veil, 40 * attention.T)
    assert veil.mean() == pytest.approx(1)
    assert [bar.get_ylabel() for bar in bars] == ["log-mel, ln", "attention, times the mean"]
    assert lower.get_xlabel() == "time, s"
    assert upper.get_ylabel() == lower.get_ylabel() == "frequency, Hz"
    assert figure.get_suptitle() == "a \\$title\nin two lines"
    assert figure_bytes(picture(), "svg") == figure_bytes(picture(), "svg")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.sin(np.arange(2_500) / 7), 1_000, subtype="FLOAT")
    return path


def test_a_clip_is_read_from_where_it_begins(file: Path) -> None:
    given = outside_clip(file, fixed(()), start_s=1.25)
    wave = np.sin(np.arange(2_500) / 7).astype(np.float32)[1_250:2_250]
    np.testing.assert_array_equal(given.features.load(), SMALL(wave)[None])
    assert given.device is None


def test_files_that_hold_no_clip_are_refused(file: Path, tmp_path: Path) -> None:
    assert check_file(file, start_s=0, duration_s=1).duration_s == 2.5
    check_file(file, start_s=1.5, duration_s=1)
    # 2.4925 s of 2.5 s are there from 7.5 ms on: less than one percent is missing.
    check_file(file, start_s=0.0075, duration_s=2.5)
    with pytest.raises(DataError, match=r"is too short: the clip starts at 2 s and is 1 s long, but only 0.5"):
        check_file(file, start_s=2, duration_s=1)
    with pytest.raises(DataError, match=r"clip.wav: lasts 2.5 s, so no clip begins at 2.5 s"):
        check_file(file, start_s=2.5, duration_s=1)
    with pytest.raises(DataError, match="is a folder"):
        check_file(tmp_path, start_s=0, duration_s=1)
    with pytest.raises(DataError, match=r"absent.wav: cannot be opened: No such file"):
        check_file(tmp_path / "absent.wav", start_s=0, duration_s=1)
    file.write_bytes(file.read_bytes()[:3_000])
    with pytest.raises(DataError, match=r"clip.wav: is cut"):
        check_file(file, start_s=0, duration_s=1)


def test_the_recorder_is_asked_for_exactly_where_it_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="does not use the recording device; leave --recorder out"):
        outside_clip(file, fixed(()), recorder="A")
    monkeypatch.setattr(Fixed, "needs_device", "test")
    with pytest.raises(ConfigError, match=r"fixed .* uses the recording device of the clip: give --recorder A\|B$"):
        outside_clip(file, fixed(()))
    with pytest.raises(ConfigError, match="--recorder is 'D'; there are: A, B"):
        outside_clip(file, fixed(()), recorder="D")
    given = outside_clip(file, fixed(()), recorder="B")
    np.testing.assert_array_equal(given.device, [1])
