"""Files held against the published format: each wrong kind is found, counted and refused, or told."""

from __future__ import annotations

import csv
import io
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from asc_bench.bench.source import Source
from asc_bench.data.audio import inspect_audio
from asc_bench.data.file_formats import FileFormat, likely_rate_hz, published_format
from asc_bench.data.index import inspect_dataset
from asc_bench.data.layouts import LAYOUTS, FolderLayout
from asc_bench.data.manifest import Dataset
from asc_bench.data.official_files import hold_files
from asc_bench.errors import DataError
from asc_bench.reporting.setting import Setting
from asc_bench.synthetic.dataset import LAYOUT_NAMES
from tests.real_data import real_esc10
from tests.unit.cheap_sounds import hissing_source
from tests.unit.layout_factory import tut_names, write_tut, write_wav
from tests.unit.test_official_lists import manifest

RATE_HZ = 44_100
NAMES = tut_names(("bus",), devices="a")
FIRST = "bus-barcelona-0-0-a.wav"
TESTED = "bus-barcelona-3-6-a.wav"
AS_PUBLISHED = "8 files, 44.1 kHz, mono, WAV of 24 bit, as published"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of 10 s in the published format."""
    folder = write_tut(tmp_path_factory.mktemp("tut"), year=2018, names=NAMES, audio=False)
    for seed, name in enumerate(NAMES):
        write_wav(folder / name, duration_s=10.0, rate_hz=RATE_HZ, seed=seed, subtype="PCM_24")
    return folder


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    return Path(shutil.copytree(pristine, tmp_path / pristine.name))


def held(folder: Path, *, unofficial: bool = False, complete: bool = True) -> Dataset:
    dataset, facts = inspect_dataset(LAYOUTS["tut-urban-2018-mobile"].read(folder), cache=folder.parent / "cache")
    if complete:
        dataset = replace(dataset, shortfalls=())
    return hold_files(dataset, facts, unofficial=unofficial)


WRITTEN_BY_OTHERS = (
    "tut-urban-2018-mobile", "tau-2022-mobile", "esc-50", "esc-10", "tut-2017-development", "dares-g1",
    "audioset-dcase2017", "greatest-hits",
)  # fmt: skip
"""Data sets that other tests need with their sounds."""

Samples = np.ndarray[tuple[int], np.dtype[np.float64]]
Change = Callable[[Path, Samples], None]


def written(rate_hz: int = RATE_HZ, subtype: str = "PCM_24", **settings: str) -> Change:
    """Write the samples again in another form."""

    def change(path: Path, samples: Samples) -> None:
        memory = io.BytesIO()
        soundfile.write(memory, samples, rate_hz, subtype=subtype, **({"format": "WAV"} | settings))
        path.write_bytes(memory.getvalue())

    return change


def resampled(to_hz: int, header_hz: int) -> Change:
    return lambda path, samples: written(header_hz)(path, soxr.resample(samples, RATE_HZ, to_hz))


def longer(path: Path, samples: Samples) -> None:
    written()(path, np.concatenate([np.zeros(10 * RATE_HZ), samples, samples]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (resampled(16_000, 16_000), "1 file: 16 kHz instead of 44.1 kHz"),
        (written(48_000), "too short: 9.1875 s, its clip ends at 10 s$"),
        (written(subtype="PCM_U8"), "1 file: WAV of 8 bit instead of WAV of 24 bit"),
        (written(subtype="PCM_16"), "1 file: WAV of 16 bit instead of WAV of 24 bit"),
        (written(subtype="ULAW"), "1 file: WAV mu-law instead of WAV of 24 bit"),
        (written(format="MP3", subtype="MPEG_LAYER_III"), "1 file: MP3 inside instead of WAV"),
        (written(format="FLAC"), "1 file: FLAC of 24 bit inside instead of WAV"),
        (written(format="OGG", subtype="VORBIS"), "1 file: Ogg Vorbis inside instead of WAV"),
        (lambda p, x: written()(p, np.stack([x, x], axis=1)), "1 file: stereo instead of mono"),
        (
            lambda p, x: written(subtype="FLOAT")(p, x / np.abs(x).max() * 32767),
            r"1 file: samples beyond full scale \(largest peak 32767, full scale is 1\)",
        ),
        (lambda p, x: written(subtype="FLOAT")(p, x), "1 file: WAV of 32 bit float instead of WAV of 24 bit"),
        (longer, "1 file: longer than the clip of 10 s, up to 30 s"),
        (
            resampled(48_000, RATE_HZ),
            r"longer than the clip of 10 s \(480000 frames are 10 s at 48 kHz: the rate in its header, 44.1 kHz, "
            r"seems wrong\), up to 10.88 s",
        ),
        (resampled(32_000, RATE_HZ), "too short: 7.2562 s, .* frames are 10 s at 32 kHz: the rate in its header"),
    ],
)
def test_a_file_in_another_form_is_refused(folder: Path, change: Change, told: str) -> None:
    path = folder / "audio" / TESTED
    change(path, soundfile.read(path)[0])
    with pytest.raises(DataError, match=f"(?s)1 of 8 audio files.*{told.removesuffix('$')}") as caught:
        held(folder)
    assert TESTED in str(caught.value)


def test_what_is_as_published_passes_whatever_its_header(folder: Path) -> None:
    path = folder / "audio" / FIRST
    written(format="WAVEX")(path, soundfile.read(path)[0])
    dataset = held(folder)
    assert dataset.files == AS_PUBLISHED
    assert (dataset.caveats, dataset.unofficial_files) == ((), False)


def test_all_kinds_are_counted_at_once_and_may_be_accepted(folder: Path) -> None:
    for name in NAMES[:3]:
        resampled(16_000, 16_000)(folder / name, soundfile.read(folder / name)[0])
    written(subtype="PCM_16")(folder / NAMES[4], soundfile.read(folder / NAMES[4])[0])
    with pytest.raises(DataError) as caught:
        held(folder)
    text = str(caught.value)
    assert "4 of 8 audio files in" in text
    assert f"3 files: 16 kHz instead of 44.1 kHz, such as audio/{FIRST}" in text
    assert "--unofficial-files" in text
    dataset = held(folder, unofficial=True)
    assert dataset.unofficial_files
    (caveat,) = dataset.caveats
    assert caveat.startswith("Unofficial files: ")
    assert "3 files: 16 kHz instead of 44.1 kHz" in caveat
    assert dataset.files == (
        "8 files, 16 kHz and 44.1 kHz, mono, WAV of 16 bit and WAV of 24 bit; "
        "3 files: 16 kHz instead of 44.1 kHz; 1 file: WAV of 16 bit instead of WAV of 24 bit"
    )


def test_completeness_is_told_before_the_format(folder: Path) -> None:
    written(subtype="PCM_16")(folder / NAMES[4], soundfile.read(folder / NAMES[4])[0])
    dataset = held(folder, complete=False)
    assert "1 file: WAV of 16 bit instead of WAV of 24 bit" in dataset.files
    assert (dataset.caveats, dataset.unofficial_files) == ((), False)


def test_one_recording_on_both_sides_is_refused_though_headers_differ(folder: Path) -> None:
    samples = soundfile.read(folder / "audio" / FIRST)[0]
    written(format="WAVEX")(folder / "audio" / TESTED, samples)
    assert inspect_audio(folder / "audio" / FIRST).sha256 != inspect_audio(folder / "audio" / TESTED).sha256
    told = f"1 file: for testing in fold1, the same content as files for training \\({FIRST} is one\\), such as "
    with pytest.raises(DataError, match=f"{told}audio/{TESTED}"):
        held(folder)


def test_a_copy_on_one_side_and_silence_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copyfile(folder / "audio" / "bus-barcelona-0-0-a.wav", folder / "audio" / "bus-barcelona-0-1-a.wav")
    for name in ("bus-barcelona-1-2-a.wav", TESTED):
        # Two silent files are no copies of each other.
        written()(folder / "audio" / name, np.zeros(10 * RATE_HZ))
    with caplog.at_level(logging.WARNING, logger="asc_bench"):
        dataset = held(folder)
    assert (
        dataset.files
        == f"{AS_PUBLISHED}; 2 files: silent from beginning to end; 1 file: the same content as another file"
    )
    assert dataset.caveats == ()
    assert "2 files: silent from beginning to end, such as audio/bus-barcelona-1-2-a.wav" in caplog.text


def test_guesses_are_told_and_not_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from tests.unit.merged_factory import write_litis

    dataset, facts = inspect_dataset(LAYOUTS["litis-rouen"].read(write_litis(tmp_path)), cache=tmp_path)
    with caplog.at_level(logging.WARNING, logger="asc_bench"):
        found = hold_files(dataset, facts, unofficial=False)
    assert "7 files: 8 kHz instead of 22.05 kHz" in caplog.text
    assert "7 files: stereo instead of mono" in found.files
    assert "as published" not in found.files


def own_folder(root: Path) -> FolderLayout:
    """Eight clips, one class and fold after the other."""
    rows = ["file,scene,fold"]
    for i in range(8):
        write_wav(root / f"clip{i}.wav", duration_s=0.5, seed=i)
        rows.append(f"clip{i}.wav,{'ab'[i % 2]},{1 + i // 4}")
    (root / "meta.csv").write_text("\n".join(rows) + "\n")
    return FolderLayout(root, csv="meta.csv", label="scene", fold="fold", name="own", location="")


def test_a_folder_of_ones_own_is_never_refused_and_tables_say_what_bears_on_numbers(tmp_path: Path) -> None:
    root = tmp_path / "own"
    root.mkdir()
    layout = own_folder(root)
    source = Source(cache=tmp_path / "cache")
    clean = source.dataset((layout,), lambda f, m: None)
    assert clean.files == "8 files, 8 kHz, mono, WAV of 16 bit"
    n_before = len(clean.caveats)
    shutil.copyfile(root / "clip0.wav", root / "clip6.wav")
    shutil.copyfile(root / "clip1.wav", root / "clip3.wav")
    write_wav(root / "clip2.wav", duration_s=0.5, rate_hz=16_000, seed=9)
    written(8000)(root / "clip4.wav", np.zeros(4000))
    written(8000, "FLOAT")(root / "clip5.wav", np.linspace(-300, 300, 4000))
    dataset = source.dataset((layout,), lambda f, m: None)
    copied = "the same content as files for training"
    assert dataset.caveats[n_before:] == (
        "1 file: 16 kHz, the others at 8 kHz, such as clip2.wav.",
        "1 file: samples beyond full scale (largest peak 300, full scale is 1), such as clip5.wav.",
        "1 file: silent from beginning to end, such as clip4.wav.",
        f"2 files: for testing in fold1, fold2, {copied} (clip6.wav is one), such as clip0.wav.",
    )
    assert dataset.files.endswith("1 file: the same content as another file")
    assert not dataset.unofficial_files


def test_titles_notes_and_folders_of_results_say_so() -> None:
    told = manifest(unofficial_files=True, data_caveats=["Unofficial files: because."], data_files="8 files, mono")
    setting = Setting.of([told])
    assert setting.title == "P: d, unofficial files, paper budget, 1 seed"
    assert setting.caveats == ("Unofficial files: because.",)
    assert setting.provenance == "Protocol p, version 1. Audio: 8 files, mono."
    with pytest.raises(Exception, match="different unofficial_files cannot share a table"):
        Setting.of([manifest(), told])


def test_the_rate_that_frames_and_seconds_give() -> None:
    assert likely_rate_hz(480_000, 10.0, 44_100) == 48_000
    assert likely_rate_hz(441_000, 10.0, 44_100) is None
    assert likely_rate_hz(452_345, 10.0, 44_100) is None


def test_the_table_of_formats_names_every_layout_once() -> None:
    with (files("asc_bench.data.resources") / "file_formats.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["layout"] for row in rows) == sorted(LAYOUTS)
    assert all(row["source"] for row in rows)
    assert published_format("tut-2017-development") == FileFormat(
        containers=("WAV",), subtypes=("PCM_24",), rate_hz=44_100, n_channels=2, longer_by_s=0.1
    )
    assert published_format("of-a-plug-in") is None


@pytest.mark.parametrize("name", LAYOUT_NAMES)
def test_synthetic_datasets_are_as_published(name: str, tiny: Source, tmp_path: Path) -> None:
    source = tiny if name in WRITTEN_BY_OTHERS else hissing_source(name, tmp_path)
    dataset = source.dataset((name,), lambda f, m: None)
    assert "as published" in dataset.files
    assert dataset.caveats == ()


def test_the_real_esc10_is_as_published(tmp_path: Path) -> None:
    dataset, facts = inspect_dataset(LAYOUTS["esc-10"].read(real_esc10()), cache=tmp_path)
    assert hold_files(dataset, facts, unofficial=False).files == (
        "400 files, 44.1 kHz, mono, Ogg Vorbis, as published"
    )
