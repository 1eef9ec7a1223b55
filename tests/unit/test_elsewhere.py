"""A bench on another machine: recordings are found there, and are the same."""

from __future__ import annotations

import platform
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from asc_bench.bench.bench import Bench
from asc_bench.bench.elsewhere import found_here
from asc_bench.errors import ConfigError, DataError, StoreError
from asc_bench.runs.job import Job, PackedBench, perform_elsewhere
from asc_bench.runs.settings import Planner, Settings
from asc_bench.runs.store import ResultsStore
from tests.unit.test_overhead import Uniform, specs_of


@pytest.fixture
def elsewhere(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The bench of a machine whose recordings lay where nothing is here; a copy lies in this one's data folder."""
    name = bench.dataset.root.name
    shutil.copytree(bench.dataset.root, tmp_path / "data" / name)
    monkeypatch.setenv("ASC_BENCH_DATA", str(tmp_path / "data"))
    old, gone = str(bench.dataset.root), f"/nowhere/{name}"
    clips = bench.clips.assign(path=bench.clips["path"].str.replace(old, gone, regex=False))
    dataset = replace(
        bench.dataset,
        root=Path(gone),
        clips=bench.dataset.clips.assign(path=bench.dataset.clips["path"].str.replace(old, gone, regex=False)),
        file_digests={path.replace(old, gone): sha256 for path, sha256 in bench.dataset.file_digests.items()},
        synthetic=False,
    )
    return Bench(bench.protocol, dataset, clips, bench.folds)


def test_recordings_are_found_in_this_machines_folder_of_data(
    elsewhere: Bench, bench: Bench, tmp_path: Path
) -> None:
    found = found_here(elsewhere, cache=tmp_path / "cache")
    assert found.dataset.root == tmp_path / "data" / bench.dataset.root.name
    assert all(Path(path).is_file() for path in found.clips["path"])
    assert found.data_digest == bench.data_digest == elsewhere.data_digest
    assert found.folds == bench.folds


def test_other_recordings_of_the_same_name_are_refused(elsewhere: Bench, tmp_path: Path) -> None:
    first, second, *_ = sorted((tmp_path / "data").rglob("*.wav"))
    shutil.copy(second, first)
    with pytest.raises(DataError) as caught:
        found_here(elsewhere, cache=tmp_path / "cache")
    assert f"1 of {len(elsewhere.clips)} files of tut-urban-2018-mobile are others than on the machine" in str(
        caught.value
    )
    assert str(first) in str(caught.value)


def test_recordings_that_are_nowhere_are_told_with_what_to_do(
    elsewhere: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASC_BENCH_DATA", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="does not see tut-urban-2018-mobile; looked in /nowhere") as caught:
        found_here(elsewhere, cache=tmp_path / "cache")
    assert "name its place there with ASC_BENCH_DATA" in str(caught.value)
    made = replace(elsewhere, dataset=replace(elsewhere.dataset, synthetic=True))
    with pytest.raises(DataError, match="put the cache on a file system that all machines share"):
        found_here(made, cache=tmp_path / "cache")


def test_a_bench_that_lies_where_it_lay_is_itself(bench: Bench, cache: Path) -> None:
    assert found_here(bench, cache=cache) is bench


@pytest.fixture
def job(bench: Bench, cache: Path, tmp_path: Path) -> Job:
    (spec,) = specs_of(bench, 1)
    settings = Settings(cache=cache, n_threads=1)
    return Job.of(spec, ResultsStore(tmp_path / "results"), settings, Planner.this(settings))


def test_a_run_elsewhere_is_stored_with_the_name_of_the_machine(bench: Bench, job: Job) -> None:
    run = perform_elsewhere(PackedBench.of(bench), job)
    assert run is not None and run.done
    assert run.manifest["host"]["name"] == platform.node()
    assert Path(run.folder).is_relative_to(job.store)


def test_a_worker_that_does_not_see_the_results_says_so(bench: Bench, job: Job, tmp_path: Path) -> None:
    unseen = replace(job, token=tmp_path / "absent")
    with pytest.raises(StoreError, match="results is not the folder of results that the planning machine"):
        perform_elsewhere(PackedBench.of(bench), unseen)


def test_code_that_changed_since_the_plan_is_refused(
    bench: Bench, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Uniform, "numerics_version", 2, raising=False)
    with pytest.raises(ConfigError, match="what differs: numerics: Uniform: versions: Uniform"):
        perform_elsewhere(PackedBench.of(bench), job)


def test_the_cache_of_the_planner_is_used_unless_another_machine_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Planner.this(Settings(cache=tmp_path / "planner"))
    there = replace(here, host="another")
    monkeypatch.delenv("ASC_BENCH_CACHE", raising=False)
    assert there.cache_here() == here.cache_here() == tmp_path / "planner"
    monkeypatch.setenv("ASC_BENCH_CACHE", str(tmp_path / "worker"))
    assert (there.cache_here(), here.cache_here()) == (tmp_path / "worker", tmp_path / "planner")


def test_a_published_manifest_need_not_name_the_machine(
    bench: Bench, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASC_BENCH_HOST", "two cores")
    run = perform_elsewhere(PackedBench.of(bench), job)
    assert run is not None and run.manifest["host"]["name"] == "two cores"
