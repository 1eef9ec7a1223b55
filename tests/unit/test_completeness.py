"""Incomplete data sets: what is said first, advice that works, and training clips that may be left out."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from asc_bench.bench.bench import Bench
from asc_bench.bench.completeness import advice, faults
from asc_bench.bench.source import Source
from asc_bench.data.index import inspect_dataset
from asc_bench.data.layouts import LAYOUTS, OfficialLayout
from asc_bench.data.layouts.esc10 import CLASS_OF_FOLDER
from asc_bench.data.manifest import Dataset
from asc_bench.data.store import load_dataset
from asc_bench.data.weights import how_to_fetch, weight_sets
from asc_bench.errors import ConfigError, DataError, IncompleteDataError
from asc_bench.experiment import Experiment, refuse_incomplete
from asc_bench.external import score
from asc_bench.registry import protocols
from asc_bench.reporting.setting import Setting
from asc_bench.synthetic import write_synthetic
from tests.e2e.inside import Cli, inside
from tests.unit.cheap_sounds import write_hissing
from tests.unit.layout_factory import write_esc10
from tests.unit.transfer_sets import write_task4

COMMAND = re.compile(r"asc-bench (prepare \S+ --download.*?)`?$", re.MULTILINE)
TASK4 = "audioset-dcase2017"


def silent(fraction: float, text: str) -> None:
    pass


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[tuple[Cli, pytest.MonkeyPatch]]:
    with inside(tmp_path, tmp_path / "cache") as pair:
        yield pair


def lacking(layout: OfficialLayout, root: Path, **more) -> Dataset:
    empty = pd.DataFrame({"clip_id": [], "path": []})
    return Dataset(layout.name, root / layout.folders[0], empty, (), shortfalls=("in all: none",), **more)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("place", ["data", "else where"])
def test_the_advice_of_every_layout_can_be_followed(
    layout: OfficialLayout, place: str, tmp_path: Path, cli: tuple[Cli, pytest.MonkeyPatch]
) -> None:
    run, patch = cli
    fetched: list[tuple[set[str], Path]] = []

    def fetch(archives, folder, **options):
        fetched.append(({archive.dataset for archive in archives}, folder.absolute()))

    patch.setattr("asc_bench.data.download.datasets.fetch_archives", fetch)
    patch.delenv("ASC_BENCH_DATA", raising=False)
    with pytest.raises(DataError) as caught:
        load_dataset(layout, [tmp_path / place])
    for text in (advice(lacking(layout, tmp_path / place)), str(caught.value)):
        commands = COMMAND.findall(text)
        if layout.archives is None:
            assert not commands
            assert layout.homepage in text or "remove the folder" in text
        for command in commands:
            fetched.clear()
            done = run(*shlex.split(command))
            assert fetched == [({layout.archives}, tmp_path / place)], done.stderr
        assert bool(commands) == (layout.archives is not None)


@pytest.mark.parametrize("name", weight_sets())
def test_the_advice_of_every_set_of_weights_can_be_followed(name: str, cli: tuple[Cli, pytest.MonkeyPatch]) -> None:
    run, patch = cli
    fetched: list[str] = []
    patch.setattr("asc_bench.data.weights.fetch_weights", lambda name, **options: fetched.append(name) or ())
    (command,) = COMMAND.findall(how_to_fetch(name))
    run(*shlex.split(command))
    assert fetched == [name]


def test_other_data_sets_have_advice_of_their_own(tmp_path: Path) -> None:
    esc50 = LAYOUTS["esc-50"]
    assert "is a synthetic dataset: remove the folder" in advice(lacking(esc50, tmp_path, synthetic=True))
    assert "leave their rows out of the table" in advice(lacking(esc50, tmp_path, official=False))
    assert "and it is computed again" in advice(lacking(LAYOUTS["esc-10-devices"], tmp_path))
    unknown = replace(lacking(esc50, tmp_path), name="of-a-plugin")
    assert advice(unknown) == f"get the missing files where {tmp_path / 'ESC-50-master'} came from"


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """ESC-10 as an interrupted copy leaves it: one recording a fold of one class, so no validation can be cut."""
    root = write_esc10(tmp_path / "few", list(CLASS_OF_FOLDER)[:1], audio=True)
    for path in sorted(root.rglob("*.ogg")):
        if not path.name.endswith("00-A.ogg"):
            path.unlink()
    for path in sorted(root.rglob("*.ogg"))[2:]:
        path.unlink()
    return tmp_path / "few"


def test_completeness_is_told_before_what_follows_from_it(few: Path, cli: tuple[Cli, pytest.MonkeyPatch]) -> None:
    first = "in all: 2 clips listed, 400 official"
    run, _ = cli
    for verb in (("run", "-s", "logmel-svm"), ("status", "-s", "logmel-svm"), ("run", "-s", "sb-cnn", "--dry-run")):
        done = run(*verb, "-p", "esc10", "--data", str(few))
        lines = done.stderr.splitlines()
        start = next(i for i, line in enumerate(lines) if "esc10: incomplete" in line)
        assert done.returncode == 1 and lines[start + 1].strip() == first
        assert lines[-1].startswith("Made of what is there: no validation split can be cut")
        assert any("get it by hand from https://github.com/karolpiczak/ESC-10" in line for line in lines)
    prepared = run("prepare", "esc10", "--data", str(few))
    assert prepared.returncode == 1 and f"INCOMPLETE: {first}" in prepared.stdout
    with pytest.raises(IncompleteDataError, match=rf"esc10: incomplete, .*\n  {first}"):
        score(pd.DataFrame({"clip_id": ["1-100-A"], "predicted": ["dog"]}), "esc10", data=few)


def test_broken_files_do_not_hide_missing_ones(few: Path, tmp_path: Path) -> None:
    next(few.rglob("*.ogg")).write_bytes(b"OggS, or so it says")
    with pytest.raises(DataError, match=r"^esc-10: incomplete: in all: 2 clips listed, 400 official\n") as caught:
        inspect_dataset(load_dataset("esc-10", [few]), cache=tmp_path / "cache")
    assert "1 of 2 audio files cannot be used" in str(caught.value)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Task 4 of DCASE 2017, complete."""
    return write_synthetic(TASK4, tmp_path_factory.mktemp("written"), size="tiny", n_jobs=1)


@pytest.fixture
def whole(written: Path, tmp_path: Path) -> Bench:
    return bench_of(written, tmp_path, 0.25)


@pytest.fixture
def task4(written: Path, whole: Bench, tmp_path: Path) -> tuple[Path, str]:
    """The same without one video, whose labels others have too, and the clip of this video."""
    (fold,) = whole.folds
    n_clips = whole.select(fold.train)["scene"].value_counts()
    gone = str(whole.select(fold.train).set_index("scene").loc[[n_clips.index[0]], "clip_id"].iloc[0])
    folder = tmp_path / "partial" / written.name
    shutil.copytree(written, folder)
    next(folder.rglob(f"{gone}.wav")).unlink()
    return folder, gone


def bench_of(folder: Path, tmp_path: Path, limit: float) -> Bench:
    source = Source(roots=(folder.parent,), cache=tmp_path / "cache", allow_missing_training=limit)
    return source.bench(TASK4, silent)


def n_trained(bench: Bench) -> int:
    return sum(len(fold.train) + len(fold.validation) for fold in bench.folds)


def test_a_missing_training_clip_is_refused_unless_it_is_allowed(
    task4: tuple[Path, str], whole: Bench, tmp_path: Path
) -> None:
    folder, gone = task4
    n = n_trained(whole)
    with pytest.raises(IncompleteDataError) as caught:
        refuse_incomplete(bench_of(folder, tmp_path, 0.0))
    assert f"1 audio files are missing, such as {gone}" in str(caught.value)
    line = str(caught.value).splitlines()[-1]
    assert line.startswith(f"No test clip is missing, but 1 of {n} training clips are: --allow-missing-training 0.")
    limit = float(line.split("--allow-missing-training ")[1].split()[0])
    assert 1 / n <= limit < 1 / n + 0.001
    assert not bench_of(folder, tmp_path, limit).faults()
    with pytest.raises(
        IncompleteDataError, match=rf"1 of {n} training clips are missing .*, more than --allow-mis"
    ):
        bench_of(folder, tmp_path, 0.5 / n)


def test_folds_without_missing_clips_are_those_of_the_lists_otherwise(
    task4: tuple[Path, str], whole: Bench, tmp_path: Path
) -> None:
    folder, gone = task4
    bench = bench_of(folder, tmp_path, 0.25)
    assert not bench.faults() and not whole.faults()
    assert whole.dataset.missing_training == (0, 0) and whole.dataset.caveats == ()
    (fold,), (of_lists,) = bench.folds, whole.folds
    assert fold.train == tuple(clip for clip in of_lists.train if clip != gone)
    assert (fold.validation, fold.test) == (of_lists.validation, of_lists.test)
    assert set(bench.clips["clip_id"]) == set(whole.clips["clip_id"]) - {gone}
    assert bench.dataset.missing_training == (1, n_trained(whole))
    (caveat,) = bench.dataset.caveats
    assert caveat.startswith(f"1 of {n_trained(whole)} training clips are missing and were left out")


def test_results_without_missing_clips_stay_apart(task4: tuple[Path, str], whole: Bench, tmp_path: Path) -> None:
    bench = bench_of(task4[0], tmp_path, 0.25)
    assert bench.dataset.digest() != whole.dataset.digest()
    assert bench.tag.endswith("-without-1") and "without" not in whole.tag


def test_prepare_accepts_what_is_allowed(
    task4: tuple[Path, str], whole: Bench, cli: tuple[Cli, pytest.MonkeyPatch]
) -> None:
    run, _ = cli
    data = ("--data", str(task4[0].parent))
    assert run("prepare", TASK4, *data).returncode == 1
    done = run("prepare", TASK4, *data, "--allow-missing-training", "0.25")
    assert done.returncode == 0, done.stderr
    assert f"1 of {n_trained(whole)} training clips are missing and were left out" in done.stdout
    refused = run("prepare", "esc-50", "--allow-missing-training", "0.25")
    assert refused.returncode == 2 and "esc-50 is a data set" in refused.stderr


def test_missing_test_clips_are_never_left_out(task4: tuple[Path, str], whole: Bench, tmp_path: Path) -> None:
    folder, _ = task4
    next(folder.rglob(f"{whole.folds[0].test[0]}.wav")).unlink()
    with pytest.raises(IncompleteDataError, match=r"1 test clips are missing; .* never leaves out test clips"):
        bench_of(folder, tmp_path, 0.9)
    with pytest.raises(IncompleteDataError) as caught:
        refuse_incomplete(bench_of(folder, tmp_path, 0.0))
    assert "--allow-missing-training" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "message"), [("train", "training clips of .*"), ("validation", "validation clips")]
)
def test_what_would_change_the_task_is_refused(
    part: str, message: str, task4: tuple[Path, str], whole: Bench, tmp_path: Path
) -> None:
    folder, gone = task4
    for clip in set(getattr(whole.folds[0], part)) - {gone}:
        next(folder.rglob(f"{clip}.wav")).unlink()
    with pytest.raises(IncompleteDataError, match=rf"all {message} in testing are missing"):
        bench_of(folder, tmp_path, 0.99)


def test_clips_that_every_fold_tests_cannot_be_left_out(tmp_path: Path) -> None:
    root = write_hissing("esc-50", tmp_path / "data")
    sorted((root / "audio").iterdir())[0].unlink()
    source = Source(roots=(root.parent,), cache=tmp_path / "cache", allow_missing_training=0.5)
    with pytest.raises(IncompleteDataError, match=r"1 test clips are missing"):
        source.bench("esc50", silent)


@pytest.mark.parametrize("wrong", [-0.1, 1.0, 5])
def test_an_impossible_fraction(wrong: float) -> None:
    with pytest.raises(ConfigError, match=r"--allow-missing-training is .*below 1"):
        Experiment.of(allow_missing_training=wrong)


def test_title_and_notes_say_how_many_are_missing() -> None:
    manifest = {
        "protocol": TASK4,
        "protocol_title": protocols().get(TASK4).title,
        "protocol_version": 1,
        "dataset": TASK4,
        "synthetic": False,
        "budget": "paper",
        "repeat": 0,
        "data_caveats": ["1 of 4 training clips are missing and were left out."],
        "missing_training": [1, 4],
    }
    setting = Setting.of([manifest])
    assert f"{TASK4} without 1 of 4 training clips, paper budget" in setting.title
    assert setting.caveats == ("1 of 4 training clips are missing and were left out.",)
    others = {**manifest, "data_caveats": [], "missing_training": None}
    del others["missing_training"]
    assert "without" not in Setting.of([others]).title


def test_a_complete_data_set_has_no_fault(tmp_path: Path) -> None:
    assert faults(load_dataset(TASK4, [write_task4(tmp_path).parent])) == ()
