"""Files of TAU Mobile that are not as published: named before anything is trained."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from asc_bench.protocols.dcase2022 import Dcase2022
from asc_bench.protocols.dcase2024 import Dcase2025

from asc_bench.bench.bench import Bench
from asc_bench.bench.completeness import incomplete
from asc_bench.bench.source import Source
from asc_bench.data.layouts import LAYOUTS
from asc_bench.errors import DataError
from tests.unit.cheap_sounds import write_hissing
from tests.unit.planned_sets import write_lists

NAME = "tau-2020-mobile"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set in clips of ten seconds, with cheap sounds."""
    return write_hissing(NAME, tmp_path_factory.mktemp("tau"))


@pytest.fixture
def folder(tmp_path: Path, written: Path) -> Path:
    """A copy that may be spoilt: files are links, and have to be replaced instead of changed."""
    return Path(shutil.copytree(written, tmp_path / "data" / written.name, copy_function=os.link))


def source(folder: Path) -> Source:
    return Source(roots=(folder.parent,), cache=folder.parents[1] / "cache")


def replaced(folder: Path, *, rate_hz: int = 44_100, n_channels: int = 1, seconds: float = 10.0) -> Path:
    path = sorted((folder / "audio").glob("*-s4.wav"))[0]
    path.unlink()
    noise = np.random.default_rng(0).normal(scale=0.05, size=(round(seconds * rate_hz), n_channels))
    soundfile.write(path, noise, rate_hz, subtype="PCM_24")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate_hz": 48_000}, r"1 file: 48 kHz instead of 44\.1 kHz, such as audio/\S+-s4\.wav"),
        ({"n_channels": 2}, r"1 file: stereo instead of mono, such as audio/\S+-s4\.wav"),
        ({"seconds": 1.0}, r"\S+-s4\.wav: is too short: 1\.0000 s, its clip ends at 10 s"),
    ],
)
def test_another_format_is_named(folder: Path, change: dict[str, float], message: str) -> None:
    replaced(folder, **change)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message) as error:
        source(folder).bench("dcase2020", lambda fraction, text: None)
    assert "nothing was trained" in str(error.value)


def test_a_half_unpacked_part_is_counted(folder: Path) -> None:
    files = sorted((folder / "audio").glob("*.wav"))
    for path in files[::2]:
        path.unlink()
    bench = source(folder).bench("dcase2020", lambda fraction, text: None)
    (fault, *_) = bench.faults()
    assert fault.startswith(f"{len(files[::2])} audio files are missing, such as ")
    assert "incomplete, so nothing is run and no score is given" in str(incomplete("dcase2020", bench.dataset))


def test_a_file_that_was_cut_while_unpacking_is_named(folder: Path) -> None:
    path = sorted((folder / "audio").glob("*.wav"))[3]
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"1 of 170 audio files cannot be used:\n  {path}: "):
        source(folder).bench("dcase2020", lambda fraction, text: None)


def test_a_list_with_a_missing_row_is_named(folder: Path) -> None:
    """In all three files of the fold alike, so that they do not contradict each other."""
    setup = folder / "evaluation_setup"
    row = (setup / "fold1_train.csv").read_text().splitlines()[5]
    text = (setup / "fold1_train.csv").read_text()
    (setup / "fold1_train.csv").unlink()
    (setup / "fold1_train.csv").write_text(text.replace(row + "\n", ""))
    device = row.split("\t")[0].removesuffix(".wav").rpartition("-")[2].upper()
    official = LAYOUTS[NAME].read(folder).shortfalls
    assert official == (
        f"fold1 train, device {device}: {9 if device != 'A' else 19} clips listed, "
        f"{10 if device != 'A' else 20} stated by the marker",
    )


def test_a_missing_list_of_2024_leaves_the_fold_of_2022_alone(tmp_path: Path) -> None:
    """Of a synthetic dataset too, whose marker states how many clips are in that list."""
    folder = write_lists(tmp_path, "tau-2022-mobile")
    assert LAYOUTS["tau-2022-mobile"].read(folder).shortfalls == ()
    (folder / "split25.csv").unlink()
    dataset = LAYOUTS["tau-2022-mobile"].read(folder)
    assert dataset.shortfalls == ()
    assert [split.name for split in dataset.splits] == ["fold1", "split5", "split10", "split50"]
    assert Bench.of(Dcase2022(), dataset).folds[0].test == dataset.splits[0].test
    with pytest.raises(DataError, match=r"split25\.csv is missing, a list of DCASE 2024 and 2025"):
        Bench.of(Dcase2025(), dataset)
