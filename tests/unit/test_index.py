from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from asc_bench.data import index as index_module
from asc_bench.data.audio import AudioFacts, inspect_audio
from asc_bench.data.index import MISSING_FILE_DIGEST, inspect_dataset
from asc_bench.data.indexfile import COLUMNS, STATE, index_path
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.manifest import Dataset, clip_table
from asc_bench.errors import DataError, StoreError
from tests.unit.layout_factory import write_tut, write_wav


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def dataset_of(folder: Path, n_files: int = 6, duration_s: float = 1.0) -> Dataset:
    rows = []
    for i in range(n_files):
        path = folder / f"{i}.wav"
        write_wav(path, duration_s=duration_s, seed=i)
        rows.append(
            {
                "clip_id": str(i),
                "path": str(path),
                "start_s": 0.0,
                "duration_s": duration_s,
                "scene": "park",
                "coarse": "",
            }
            | {"device": "", "city": "", "location": str(i), "recording_id": str(i)}
        )
    return Dataset("toy", folder, clip_table(rows), splits=())


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are really inspected."""
    names: list[str] = []

    def counting(path: Path) -> AudioFacts:
        names.append(path.name)
        return inspect_audio(path)

    monkeypatch.setattr(index_module, "inspect_audio", counting)
    return names


def test_digests_and_second_call(tmp_path: Path, inspected: list[str]) -> None:
    dataset = dataset_of(tmp_path / "data")
    indexed = inspect_dataset(dataset, cache=tmp_path / "cache", n_jobs=2)[0]
    assert dict(indexed.file_digests) == {p: sha256(p) for p in dataset.clips["path"]}
    assert len(indexed.digest()) == 64
    assert sorted(inspected) == [f"{i}.wav" for i in range(6)]
    again = inspect_dataset(dataset, cache=tmp_path / "cache", n_jobs=1)[0]
    assert again.digest() == indexed.digest()
    assert len(inspected) == 6


def test_the_index_holds_the_facts_in_their_order() -> None:
    assert (*STATE, *AudioFacts._fields) == COLUMNS


def test_many_files_are_inspected_in_groups_and_each_counts(tmp_path: Path, inspected: list[str]) -> None:
    seen: list[str] = []
    dataset = dataset_of(tmp_path / "data", n_files=50, duration_s=0.01)
    indexed = inspect_dataset(
        dataset, cache=tmp_path / "cache", n_jobs=2, progress=lambda fraction, message: seen.append(message)
    )[0]
    assert dict(indexed.file_digests) == {p: sha256(p) for p in dataset.clips["path"]}
    assert len(inspected) == len(seen) == 50


def test_progress_ends_at_one(tmp_path: Path) -> None:
    seen: list[float] = []
    dataset = dataset_of(tmp_path / "data")
    inspect_dataset(dataset, cache=tmp_path / "cache", progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen)
    assert (len(seen), seen[-1]) == (6, 1.0)


def rewrite(path: Path, other: Path) -> None:
    write_wav(path, duration_s=1.0, seed=99)


def swap_keeping_times(path: Path, other: Path) -> None:
    """What an unpacked archive does: same size, same modification time, other content."""
    times = path.stat().st_mtime_ns
    one, two = path.read_bytes(), other.read_bytes()
    assert len(one) == len(two)
    path.write_bytes(two)
    os.utime(path, ns=(times, times))


@pytest.mark.parametrize("change", [rewrite, swap_keeping_times])
def test_only_the_changed_file_is_read_again(
    tmp_path: Path, inspected: list[str], change: Callable[[Path, Path], None]
) -> None:
    dataset = dataset_of(tmp_path / "data")
    before = inspect_dataset(dataset, cache=tmp_path / "cache")[0]
    inspected.clear()
    change(tmp_path / "data" / "2.wav", tmp_path / "data" / "3.wav")
    after = inspect_dataset(dataset, cache=tmp_path / "cache")[0]
    assert inspected == ["2.wav"]
    changed = str(tmp_path / "data" / "2.wav")
    assert after.file_digests[changed] == sha256(changed) != before.file_digests[changed]


def flip(content: bytes) -> bytes:
    middle = len(content) // 3
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b"",
        lambda b: b[: len(b) // 2],
        lambda b: b"<html>sorry</html>",
        flip,
        lambda b: b[:-9] + b"x" + b[-8:],
    ],
    ids=["empty", "half", "html", "bit", "footer"],
)
def test_damaged_cache_is_set_aside(tmp_path: Path, inspected: list[str], damage: Callable[[bytes], bytes]) -> None:
    dataset = dataset_of(tmp_path / "data")
    cache = tmp_path / "cache"
    inspect_dataset(dataset, cache=cache)
    stored = index_path(cache, dataset.root)
    stored.write_bytes(damage(stored.read_bytes()))
    inspected.clear()
    messages: list[str] = []
    indexed = inspect_dataset(dataset, cache=cache, progress=lambda fraction, message: messages.append(message))[0]
    assert len(inspected) == 6
    assert dict(indexed.file_digests) == {p: sha256(p) for p in dataset.clips["path"]}
    assert "is damaged" in messages[0]
    assert len(list((cache / "quarantine").iterdir())) == 1


def test_forged_digest_in_the_cache_is_not_believed(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data")
    cache = tmp_path / "cache"
    inspect_dataset(dataset, cache=cache)
    stored = index_path(cache, dataset.root)
    table = pd.read_parquet(stored)
    table.loc[0, "sha256"] = "0" * 64
    table.to_parquet(stored)
    indexed = inspect_dataset(dataset, cache=cache)[0]
    assert "0" * 64 not in indexed.file_digests.values()


def test_every_fault_is_listed_and_asked_again(tmp_path: Path, inspected: list[str]) -> None:
    dataset = dataset_of(tmp_path / "data", n_files=30)
    for i in range(25):
        (tmp_path / "data" / f"{i}.wav").write_bytes(b"<html></html>")
    with pytest.raises(DataError, match="25 of 30 audio files cannot be used") as error:
        inspect_dataset(dataset, cache=tmp_path / "cache")
    assert str(error.value).count("looks like a web page") == 20
    assert "... and 5 more" in str(error.value)
    inspected.clear()
    write_wav(tmp_path / "data" / "0.wav", duration_s=1.0)
    with pytest.raises(DataError, match="24 of 30"):
        inspect_dataset(dataset, cache=tmp_path / "cache")
    assert len(inspected) == 25


def test_short_file_is_a_fault(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", duration_s=10.0)
    write_wav(tmp_path / "data" / "1.wav", duration_s=9.95)
    inspect_dataset(dataset, cache=tmp_path / "cache")
    write_wav(tmp_path / "data" / "1.wav", duration_s=9.7)
    with pytest.raises(DataError, match=r"1\.wav: is too short: 9\.7000 s, its clip ends at 10 s"):
        inspect_dataset(dataset, cache=tmp_path / "cache")


def test_several_clips_in_one_file(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", n_files=1, duration_s=2.0)
    halves = pd.concat(
        [
            dataset.clips.assign(clip_id=name, start_s=start_s, duration_s=1.0)
            for name, start_s in (("a", 0.0), ("b", 1.0))
        ]
    )
    two = Dataset("toy", dataset.root, clip_table(halves), splits=())
    assert len(inspect_dataset(two, cache=tmp_path / "cache")[0].file_digests) == 1
    late = Dataset("toy", dataset.root, clip_table(halves.assign(start_s=[0.0, 1.5])), splits=())
    with pytest.raises(DataError, match=r"its clip ends at 2\.5 s"):
        inspect_dataset(late, cache=tmp_path / "cache")


def test_missing_files_have_a_digest_of_their_own(tmp_path: Path) -> None:
    folder = write_tut(tmp_path, year=2018, duration_s=10.0)
    layout = LAYOUTS["tut-urban-2018-mobile"]
    whole = inspect_dataset(layout.read(folder), cache=tmp_path / "cache")[0]
    gone = folder / "audio" / "bus-barcelona-10-0-a.wav"
    gone.unlink()
    partial = inspect_dataset(layout.read(folder), cache=tmp_path / "cache")[0]
    assert partial.missing == ("bus-barcelona-10-0-a",)
    assert partial.file_digests[str(gone)] == MISSING_FILE_DIGEST
    assert partial.digest() != whole.digest()


def test_interrupted_indexing_goes_on_where_it_stopped(tmp_path: Path, inspected: list[str]) -> None:
    dataset = dataset_of(tmp_path / "data", n_files=12)

    def stop_at_half(fraction: float, message: str) -> None:
        if fraction >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspect_dataset(dataset, cache=tmp_path / "cache", n_jobs=1, progress=stop_at_half)
    inspected.clear()
    inspect_dataset(dataset, cache=tmp_path / "cache")
    assert len(inspected) == 6


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", n_files=1)
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="cache"):
        inspect_dataset(dataset, cache=tmp_path / "cache")
