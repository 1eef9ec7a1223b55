"""A large data set as it was read and checked: read back while nothing changed, and never after."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest

import asc_bench.data.snapshot as snapshot
from asc_bench.bench.bench import Bench
from asc_bench.bench.source import Source
from asc_bench.data.layouts import LAYOUTS
from asc_bench.data.manifest import Dataset, csv_text
from asc_bench.data.snapshot import load_snapshot, snapshot_path

NAME = "tut-urban-2018-mobile"


@pytest.fixture(scope="module")
def source(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """A copy of the smallest synthetic dataset, to be read as if it were recordings, and large enough."""

    def linked(place: str, copy: str) -> None:
        (os.symlink if place.endswith(".wav") else shutil.copyfile)(place, copy)

    folder = tmp_path_factory.mktemp("snapshot")
    root = folder / "data" / bench.dataset.root.name
    shutil.copytree(bench.dataset.root, root, copy_function=linked)
    first = min((root / "audio").iterdir())
    shutil.copyfile(first.resolve(), folder / "copy.wav")
    (folder / "copy.wav").replace(first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "LEAST_FILES", 2)
        yield Source(roots=(folder / "data",), cache=folder / "cache")


def opened(source: Source) -> Dataset:
    return source.dataset((NAME,), lambda fraction, message: None)


def from_snapshot(source: Source) -> Dataset | None:
    place = LAYOUTS[NAME].place(source.roots)
    assert place is not None
    return load_snapshot(LAYOUTS[NAME], place, cache=source.cache_folder)


def test_what_is_read_back_is_what_was_read(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened(source)
    kept = from_snapshot(source)
    assert kept is not None
    pd.testing.assert_frame_equal(kept.clips, first.clips)
    for field in fields(Dataset):
        if field.name != "clips":
            assert getattr(kept, field.name) == getattr(first, field.name), field.name
    assert kept.digest() == first.digest()
    monkeypatch.setattr(type(LAYOUTS[NAME]), "read", lambda self, root: pytest.fail("the lists were parsed again"))
    assert opened(source).digest() == first.digest()


def lists(folder: Path) -> None:
    path = folder / "meta.csv"
    path.write_text(path.read_text() + "\n")


def new_list(folder: Path) -> None:
    (folder / "evaluation_setup" / "more.csv").write_text("")


def audio(folder: Path) -> None:
    path = min((folder / "audio").iterdir())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def times(folder: Path) -> None:
    """As from an archive: the same size and modification time, another inode-change time."""
    path = min((folder / "audio").iterdir())
    before = path.stat()
    path.chmod(0o640)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def hidden(folder: Path) -> None:
    path = min((folder / "audio").iterdir())
    path.replace(folder / path.name)


def added(folder: Path) -> None:
    """Where a folder is the list, a file more is a clip more."""
    path = min((folder / "audio").iterdir())
    (folder / "audio" / f"more-{path.name}").write_bytes(path.read_bytes())


@pytest.mark.parametrize("change", [lists, new_list, audio, times, hidden, added])
def test_it_is_not_believed_after_a_change(source: Source, change: Callable[[Path], None]) -> None:
    opened(source)
    assert from_snapshot(source) is not None
    (folder,) = source.roots[0].iterdir()
    change(folder)
    assert from_snapshot(source) is None
    for path in folder.glob("*.wav"):
        assert opened(source).missing and from_snapshot(source) is None, "what lacks a file is not kept"
        path.replace(folder / "audio" / path.name)


def test_archives_beside_the_lists_are_not_read(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder,) = source.roots[0].iterdir()
    archive = folder / "audio.zip"
    archive.write_bytes(b"x" * 1_000_000)
    monkeypatch.setattr(snapshot, "LARGEST_LIST", 999_999)
    opened(source)
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: read(path) if path != archive else pytest.fail("it was read")
    )
    assert from_snapshot(source) is not None
    archive.unlink()
    assert from_snapshot(source) is None


def test_lists_that_cannot_be_read_are_left_to_the_layout(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(source)

    def denied(folder: object) -> None:
        raise PermissionError(folder)

    monkeypatch.setattr(os, "scandir", denied)
    assert from_snapshot(source) is None


def test_a_folder_whose_name_is_no_text_has_none(tmp_path: Path) -> None:
    assert load_snapshot(LAYOUTS[NAME], tmp_path / "\udcff", cache=tmp_path) is None


def test_a_damaged_one_is_none(source: Source) -> None:
    opened(source)
    (folder,) = source.roots[0].iterdir()
    path = snapshot_path(source.cache_folder, folder)
    whole = bytearray(path.read_bytes())
    whole[-20] ^= 1
    for content in (bytes(whole), whole[:1000], b""):
        path.write_bytes(content)
        assert from_snapshot(source) is None
    opened(source)
    assert from_snapshot(source) is not None, "it was written anew"


def test_other_code_or_another_layout_reads_anew(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(source)
    layout = LAYOUTS[NAME]
    (folder,) = source.roots[0].iterdir()
    assert load_snapshot(replace(layout, title="x"), folder, cache=source.cache_folder) is None
    monkeypatch.setattr(snapshot, "_code_digest", lambda: "other")
    assert from_snapshot(source) is None


def test_only_large_sets_as_they_are_are_kept(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder,) = source.roots[0].iterdir()
    path = snapshot_path(source.cache_folder, folder)
    path.unlink(missing_ok=True)
    opened(replace(source, unofficial_files=True))
    assert not path.exists(), "what was accepted for once"
    monkeypatch.setattr(snapshot, "LEAST_FILES", 10**6)
    opened(source)
    assert not path.exists()


def test_remarks_are_made_again(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    """A copy within the training clips is no fault, but is said whenever the data set is opened."""
    first = opened(source)
    one, two = (Path(first.clips.set_index("clip_id")["path"][clip]) for clip in first.splits[0].train[:2])
    two.unlink()
    shutil.copyfile(one, two)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "asc_bench"):
            opened(source)
        assert "the same content as another file" in caplog.text
    kept = from_snapshot(source)
    assert kept is not None and len(kept.remarks) == 1


@pytest.mark.parametrize(
    "cells",
    [["plain", "text"], ["a,b", "c"], ['"', "c"], ["two\nlines", "c"], ["\r", "c"], ["", " x "], ["é", "nan"]],
    ids=repr,
)
def test_text_of_tables_is_that_of_pandas(cells: list[str]) -> None:
    table = pd.DataFrame({"a": cells, "b": [0.1 + 0.2, 1e-12], "c": ["x", "y"], "d": [10.0, 1 / 3]})
    for frame in (table, table[["a"]], table.assign(b=[float("nan"), 1.0]), table.iloc[:0]):
        assert csv_text(frame) == frame.to_csv(index=False, float_format="%.9g")
