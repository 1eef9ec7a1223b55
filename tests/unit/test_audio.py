from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_bench.data.audio import inspect_audio, read_audio, stated_length_s
from asc_bench.errors import DataError

RATE_HZ = 8000


def tone(duration_s: float = 1.0, rate_hz: int = RATE_HZ, frequency_hz: float = 440.0) -> npt.NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate_hz)) / rate_hz)


def wav_bytes(
    samples: npt.NDArray[np.int16], *, riff_size: int | None = None, data_size: int | None = None
) -> bytes:
    data = samples.astype("<i2").tobytes()
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    body = b"WAVE" + fmt + struct.pack("<4sI", b"data", len(data) if data_size is None else data_size) + data
    return struct.pack("<4sI", b"RIFF", len(body) if riff_size is None else riff_size) + body


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 48000])
def test_valid_wav(tmp_path: Path, subtype: str, n_channels: int, rate_hz: int) -> None:
    path = tmp_path / "a.wav"
    samples = np.repeat(tone(0.1, rate_hz)[:, None], n_channels, axis=1)
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    facts = inspect_audio(path)
    assert facts.fault is None
    assert (facts.sample_rate_hz, facts.n_channels, facts.n_frames) == (rate_hz, n_channels, len(samples))
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    step = 2 / 256 if subtype == "PCM_U8" else 1e-4
    assert facts.peak == pytest.approx(np.abs(samples).max(), abs=step)
    np.testing.assert_allclose(read_audio(path, sample_rate_hz=rate_hz), samples[:, 0], atol=step)


@pytest.mark.parametrize(
    ("form", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("WAVEX", "PCM_16"), ("RF64", "PCM_24")]
)
def test_valid_other_formats(tmp_path: Path, form: str, subtype: str) -> None:
    path = tmp_path / f"clip.{'wav' if form in {'WAVEX', 'RF64'} else form.lower()}"
    soundfile.write(path, tone(), RATE_HZ, format=form, subtype=subtype)
    facts = inspect_audio(path)
    assert (facts.fault, facts.n_frames) == (None, RATE_HZ)
    error = read_audio(path, sample_rate_hz=RATE_HZ) - tone()
    assert np.sqrt(np.mean(error**2)) < 0.02


def test_odd_chunks_and_trailing_bytes_are_no_fault(tmp_path: Path) -> None:
    whole = wav_bytes(np.arange(100, dtype=np.int16))
    odd_list = b"LIST" + struct.pack("<I", 5) + b"INFOx" + b"\0"
    path = tmp_path / "odd.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(whole) - 8 + len(odd_list)) + b"WAVE" + odd_list + whole[12:])
    assert inspect_audio(path).fault is None
    assert inspect_audio(path).n_frames == 100
    odd_data = tmp_path / "odd_data.wav"
    soundfile.write(odd_data, np.zeros(101), RATE_HZ, subtype="PCM_U8")
    assert inspect_audio(odd_data).fault is None
    unpadded = odd_data.read_bytes()[: 44 + 101]
    odd_data.write_bytes(unpadded)
    assert inspect_audio(odd_data).fault is None
    path.write_bytes(whole + b"TAG of some recorder")
    assert inspect_audio(path).fault is None


def test_non_ascii_name_silence_and_full_scale(tmp_path: Path) -> None:
    path = tmp_path / "Straßenbahn – 電車 é.wav"
    soundfile.write(path, np.zeros(RATE_HZ), RATE_HZ)
    facts = inspect_audio(path)
    assert facts.fault is None
    assert facts.silent
    soundfile.write(path, np.tile([-1.0, 1.0], 100), RATE_HZ)
    loud = inspect_audio(path)
    assert (loud.fault, loud.silent, loud.peak) == (None, False, 1.0)
    assert read_audio(path, sample_rate_hz=RATE_HZ).min() == -1.0


def broken(name: str) -> bytes:
    ramp = np.arange(1000, dtype=np.int16)
    whole = wav_bytes(ramp)
    return {
        "empty": b"",
        "header only": wav_bytes(ramp[:0]),
        "header without data chunk": whole[:36],
        "cut": whole[:1000],
        "cut by one byte": whole[:-1],
        "RIFF size too large": wav_bytes(ramp, riff_size=len(whole) + 1000),
        "RIFF size too small": wav_bytes(ramp, riff_size=100),
        "one sample": wav_bytes(ramp[:1]),
        "web page": b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "noise": bytes(range(256)) * 8,
    }[name]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("empty", r"is empty \(0 bytes\)"),
        ("header only", "has a header but no samples"),
        ("header without data chunk", "no data chunk"),
        ("cut", "is cut: its data chunk claims 2000 bytes, the file holds 956"),
        ("cut by one byte", "is cut: its data chunk claims 2000 bytes, the file holds 1999"),
        ("RIFF size too large", "wrong RIFF size"),
        ("RIFF size too small", "wrong RIFF size: 108 bytes announced, 2044 in the file"),
        ("one sample", "one sample only"),
        ("web page", "looks like a web page"),
        ("noise", "cannot be decoded"),
    ],
)
def test_broken_bytes(tmp_path: Path, name: str, fault: str) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(broken(name))
    found = inspect_audio(path).fault
    assert found is not None
    assert re.search(fault, found)
    with pytest.raises(DataError, match=r"broken\.wav: "):
        read_audio(path, sample_rate_hz=RATE_HZ, duration_s=0.125)


@pytest.mark.parametrize(
    ("start", "called"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "is a Git LFS pointer"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "looks like a web page"),
        (b'{"message": "not found"}', "looks like JSON"),
        (b"PK\x03\x04" + bytes(40), "is a ZIP archive"),
        (b"\x1f\x8b\x08" + bytes(40), "compressed by gzip"),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(40), "MPEG-4"),
        (b"ID3\x03" + bytes(40), "is MP3"),
        (b"\x00\x05\x16\x07" + bytes(40), "side-car file of macOS"),
        (bytes(5000), "begins with zero bytes only"),
    ],
)
def test_what_is_no_audio_is_called_by_its_name(tmp_path: Path, start: bytes, called: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(start)
    assert called in str(inspect_audio(path).fault)
    with pytest.raises(DataError, match=called):
        read_audio(path, sample_rate_hz=RATE_HZ)


STREAMED = {
    "ffmpeg": (0xFFFFFFFF, 0xFFFFFFFF),
    "SoX": (0x7FFFF024, 0x7FFFF000),
    "arecord": (0x80000024, 0x80000000),
    "largest signed": (0x7FFFFFFF, 0x7FFFFFDB),
    "never completed": (0, 0),
    "completed for no samples": (36, 0),
    "only the data unknown": (36 + 2000, 0),
    "only the RIFF unknown": (0xFFFFFFFF, 2000),
    "only the RIFF never completed": (0, 2000),
    "RIFF size is that of the file": (44 + 2000, 2000),
}


@pytest.mark.parametrize("sizes", STREAMED.values(), ids=STREAMED)
def test_wav_that_was_written_into_a_pipe_is_read_to_its_end(tmp_path: Path, sizes: tuple[int, int]) -> None:
    samples = np.random.default_rng(0).integers(-9000, 9000, size=1000).astype(np.int16)
    path = tmp_path / "streamed.wav"
    path.write_bytes(wav_bytes(samples, riff_size=sizes[0], data_size=sizes[1]))
    before = path.read_bytes()
    facts = inspect_audio(path)
    assert (facts.fault, facts.n_frames) == (None, 1000)
    assert facts.sha256 == hashlib.sha256(before).hexdigest()
    expected = samples / np.float32(32768)
    np.testing.assert_array_equal(read_audio(path, sample_rate_hz=RATE_HZ), expected)
    np.testing.assert_array_equal(
        read_audio(path, sample_rate_hz=RATE_HZ, start_s=0.05, duration_s=0.05), expected[400:800]
    )
    assert stated_length_s(path) == 0.125
    assert path.read_bytes() == before


@pytest.mark.parametrize("size", [b"\xff" * 8, bytes(8)])
@pytest.mark.parametrize("form", ["RF64", "WAVEX"])
def test_long_and_extensible_wav_of_unknown_length(tmp_path: Path, form: str, size: bytes) -> None:
    path = tmp_path / "streamed.wav"
    soundfile.write(path, np.stack([tone(), -tone() / 2], axis=1), RATE_HZ, format=form, subtype="PCM_24")
    expected, _ = soundfile.read(path, dtype="float32")
    raw = bytearray(path.read_bytes())
    if form == "RF64":
        at = raw.index(b"ds64") + 8
        raw[at : at + 16] = 2 * size
    else:
        at = raw.index(b"data") + 4
        raw[at : at + 4] = size[:4]
    path.write_bytes(raw)
    assert (inspect_audio(path).fault, inspect_audio(path).n_frames) == (None, RATE_HZ)
    np.testing.assert_allclose(read_audio(path, sample_rate_hz=RATE_HZ), expected.mean(axis=1), atol=1e-6)


def test_an_empty_data_chunk_before_other_chunks_holds_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "tagged.wav"
    path.write_bytes(
        wav_bytes(np.zeros(0, dtype=np.int16), riff_size=48) + b"LIST" + struct.pack("<I", 4) + b"INFO"
    )
    assert inspect_audio(path).fault == "has a header but no samples: its data chunk is empty"


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("n_samples", [200, 4096, 44_100, 600_000])
def test_flac_of_unknown_length_is_decoded(tmp_path: Path, n_samples: int, n_channels: int) -> None:
    path = tmp_path / "piped.flac"
    noise = np.random.default_rng(0).normal(scale=0.1, size=(n_samples, n_channels))
    soundfile.write(path, noise, 44_100)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    raw = bytearray(path.read_bytes())
    raw[21] &= 0xF0  # RFC 9639, section 8.2: the number of samples, 36 bits, 0 where it is not known
    raw[22:26] = bytes(4)
    path.write_bytes(raw)
    facts = inspect_audio(path)
    assert (facts.fault, facts.n_frames, facts.n_channels) == (None, n_samples, n_channels)
    assert facts.sha256 == hashlib.sha256(raw).hexdigest()
    np.testing.assert_allclose(read_audio(path, sample_rate_hz=44_100), expected.mean(axis=1), atol=1e-6)
    assert stated_length_s(path) == n_samples / 44_100
    path.write_bytes(raw[: int(0.9 * len(raw))])
    assert inspect_audio(path).fault == (
        "is cut or damaged: its header gives no length, and its last FLAC frame is not whole"
    )


@pytest.mark.parametrize("form", ["FLAC", "OGG"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.99])
def test_cut_compressed_file(tmp_path: Path, form: str, kept: float) -> None:
    path = tmp_path / f"cut.{form.lower()}"
    noise = np.random.default_rng(0).normal(scale=0.1, size=5 * RATE_HZ)
    soundfile.write(path, noise, RATE_HZ, format=form)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert inspect_audio(path).fault is not None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "bad.wav"
    samples = tone()
    samples[4000:4003] = bad
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    facts = inspect_audio(path)
    assert facts.fault == "has NaN or infinite samples: 3 of 8000 frames, the first at 0.5000 s"
    assert facts.peak == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(DataError, match=r"bad\.wav: has NaN or infinite samples"):
        read_audio(path, sample_rate_hz=RATE_HZ)


def test_surround_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "surround.wav"
    soundfile.write(path, np.zeros((100, 6)), RATE_HZ)
    assert inspect_audio(path).fault == "has 6 channels, only mono and stereo are taken"
    with pytest.raises(DataError, match="6 channels"):
        read_audio(path, sample_rate_hz=RATE_HZ)


@pytest.fixture
def without_rights() -> Iterator[None]:
    """Root may read everything, so it steps down for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_no_permission(tmp_path: Path, without_rights: None) -> None:
    path = tmp_path / "secret.wav"
    if os.geteuid() == os.getuid():
        path.touch(mode=0o000)
    assert inspect_audio(path).fault == "cannot be opened: Permission denied"
    with pytest.raises(DataError, match=r"secret\.wav: cannot be opened: Permission denied"):
        read_audio(path, sample_rate_hz=RATE_HZ)


def test_folder_pipe_and_absent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path, tmp_path / "pipe.wav"):
        fault = inspect_audio(path).fault
        assert fault is not None
        assert "not a file" in fault
    assert inspect_audio(tmp_path / "absent.wav").fault == "cannot be opened: No such file or directory"


def test_stereo_is_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    left, right = tone(frequency_hz=440), tone(frequency_hz=1000)
    soundfile.write(path, np.stack([left, right], axis=1), RATE_HZ, subtype="FLOAT")
    mono = read_audio(path, sample_rate_hz=RATE_HZ)
    assert mono.dtype == np.float32
    np.testing.assert_allclose(mono, (left + right) / 2, atol=1e-6)


def test_segment_at_the_files_own_rate_is_bit_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    samples = np.random.default_rng(0).integers(-30000, 30000, size=3 * RATE_HZ).astype(np.int16)
    path.write_bytes(wav_bytes(samples))
    segment = read_audio(path, sample_rate_hz=RATE_HZ, start_s=1.25, duration_s=0.5)
    np.testing.assert_array_equal(segment, samples[10_000:14_000] / np.float32(32768))


@pytest.mark.parametrize("target_hz", [16000, 22050, 44100])
def test_resampling_against_scipy(tmp_path: Path, target_hz: int) -> None:
    path = tmp_path / "a.wav"
    samples = tone(1.0, 48000, 440)
    soundfile.write(path, samples, 48000, subtype="FLOAT")
    got = read_audio(path, sample_rate_hz=target_hz, duration_s=1.0)
    assert got.shape == (target_hz,)
    divisor = np.gcd(48000, target_hz)
    oracle = scipy.signal.resample_poly(samples, target_hz // divisor, 48000 // divisor, window=("kaiser", 12.0))
    middle = slice(target_hz // 10, -target_hz // 10)
    np.testing.assert_allclose(got[middle], oracle[middle], atol=2e-3)


@given(
    file_rate_hz=st.sampled_from([8000, 11025, 44100, 48000]),
    target_hz=st.sampled_from([8000, 16000, 22050, 32000, 44100]),
    duration_s=st.floats(0.05, 0.4),
)
@settings(max_examples=40, deadline=None)
def test_length_is_exact(
    tmp_path_factory: pytest.TempPathFactory, file_rate_hz: int, target_hz: int, duration_s: float
) -> None:
    path = tmp_path_factory.mktemp("rate") / "a.wav"
    soundfile.write(path, tone(0.5, file_rate_hz), file_rate_hz)
    clip = read_audio(path, sample_rate_hz=target_hz, start_s=0.05, duration_s=duration_s)
    assert clip.shape == (round(duration_s * target_hz),)
    assert clip.flags["C_CONTIGUOUS"]


def test_little_missing_is_filled_much_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.full(round(9.95 * RATE_HZ), 0.5), RATE_HZ)
    clip = read_audio(path, sample_rate_hz=RATE_HZ, duration_s=10.0)
    assert clip.shape == (10 * RATE_HZ,)
    assert np.all(clip[: round(9.95 * RATE_HZ)] == 0.5)
    assert not clip[round(9.95 * RATE_HZ) :].any()
    soundfile.write(path, np.zeros(round(9.7 * RATE_HZ)), RATE_HZ)
    with pytest.raises(DataError, match=r"short\.wav: is too short: .* is 10 s long, but only 9\.7000 s follow"):
        read_audio(path, sample_rate_hz=RATE_HZ, duration_s=10.0)
    with pytest.raises(DataError, match="starts at 20 s and is up to its end"):
        read_audio(path, sample_rate_hz=RATE_HZ, start_s=20.0)


@pytest.mark.parametrize("kind", [{"sample_rate_hz": 0}, {"start_s": -1.0}, {"duration_s": 0.0}])
def test_impossible_request(tmp_path: Path, kind: dict[str, float]) -> None:
    with pytest.raises(DataError, match="must be above 0"):
        read_audio(tmp_path / "a.wav", **{"sample_rate_hz": RATE_HZ, **kind})  # type: ignore[arg-type]
