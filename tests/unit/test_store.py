from __future__ import annotations

from pathlib import Path

import pytest

from asc_bench.data.layouts.esc10 import CLASS_OF_FOLDER
from asc_bench.data.store import cache_root, data_roots, find_dataset, load_dataset
from asc_bench.errors import ConfigError, DataError
from tests.unit.layout_factory import write_esc10, write_tut


@pytest.fixture
def esc10(tmp_path: Path) -> Path:
    return write_esc10(tmp_path, list(CLASS_OF_FOLDER))


def test_data_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASC_BENCH_DATA", raising=False)
    assert data_roots() == [Path("data")]
    monkeypatch.setenv("ASC_BENCH_DATA", "/one:~/two:")
    assert data_roots() == [Path("/one"), Path.home() / "two"]
    assert data_roots([Path("/three")]) == [Path("/three")]


def test_cache_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASC_BENCH_CACHE", "/somewhere")
    assert cache_root() == Path("/somewhere")
    monkeypatch.delenv("ASC_BENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_root().name == "asc-bench"


def test_found_below_a_root_or_as_a_root(esc10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_dataset("esc-10", [esc10.parent / "nowhere", esc10.parent]) == esc10
    assert find_dataset("esc-10", [esc10]) == esc10
    monkeypatch.chdir(esc10)
    assert find_dataset("esc-10", [Path()]) == esc10
    assert find_dataset("esc-10", [Path("..")]) == esc10


def test_linked_folder_keeps_its_official_name(esc10: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk" / "renamed"
    elsewhere.parent.mkdir()
    esc10.rename(elsewhere)
    link = tmp_path / "links" / "ESC-10"
    link.parent.mkdir()
    link.symlink_to(elsewhere)
    assert find_dataset("esc-10", [link.parent]) == link


def test_load_takes_the_first_found(esc10: Path) -> None:
    assert load_dataset(("esc-50", "esc-10"), [esc10.parent]).name == "esc-10"
    assert load_dataset("esc-10", [esc10.parent]).complete


def test_not_found(tmp_path: Path) -> None:
    roots = [tmp_path, tmp_path / "absent"]
    with pytest.raises(DataError) as error:
        load_dataset("tut-urban-2018-mobile", roots)
    for part in (
        "TUT Urban Acoustic Scenes 2018 Mobile, development was not found",
        "TUT-urban-acoustic-scenes-2018-mobile-development/",
        f"{tmp_path}\n",
        f"{tmp_path / 'absent'} (does not exist)",
        "https://zenodo.org/record/1228235",
        "asc-bench prepare tut-urban-2018-mobile --download",
        "ASC_BENCH_DATA",
        "--synthetic",
    ):
        assert part in str(error.value)
    with pytest.raises(DataError, match="ESC-10 was not found") as legacy:
        find_dataset("esc-10", roots)
    assert "--download" not in str(legacy.value)


def test_found_but_wrong_is_not_passed_over(esc10: Path, tmp_path: Path) -> None:
    (tmp_path / "ESC-50").mkdir()
    with pytest.raises(DataError, match=r"esc50\.csv is missing"):
        load_dataset(("esc-50", "esc-10"), [tmp_path])


def test_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no data set 'esc50'; did you mean 'esc-50'"):
        load_dataset("esc50", [tmp_path])
    with pytest.raises(ConfigError, match="there are: tut-urban-2018-mobile"):
        find_dataset("zzz", [tmp_path])


def test_both_years_side_by_side(tmp_path: Path) -> None:
    for year, prefix in ((2018, "tut"), (2019, "tau")):
        folder = write_tut(tmp_path, year=year, audio=False)
        assert load_dataset(f"{prefix}-urban-{year}-mobile", [tmp_path]).root == folder
