"""``score`` and ``score-package`` as a user types them, on a protocol whose clips are only names."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from asc_bench.bench.bench import Bench
from asc_bench.bench.source import Source
from asc_bench.cli.main import build_app
from asc_bench.errors import ConfigError, DataError, SystemFailure
from asc_bench.runs.store import ResultsStore
from tests.unit.made_runs import made_bench, publish, specs_of

PROTOCOL = "dcase2018"
BENCH = made_bench(PROTOCOL, synthetic=True)
CLASSES = BENCH.protocol.labels.fine
PACKAGE = """
def predict(file_paths, device_ids, model_file_path=None):
    print(*sorted(set(device_ids)))
    classes = CLASSES
    scenes = [path.rpartition("/")[2].partition("-")[0] for path in file_paths]
    return [[4.0 * (name == scene) for name in classes] for scene in scenes], classes
"""


@pytest.fixture(autouse=True)
def clips_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def bench(self: Source, protocol: str, progress: object, *, audio: bool = True) -> Bench:
        assert protocol == PROTOCOL
        return BENCH

    monkeypatch.setattr(Source, "bench", bench)


def invoke(results: Path, *words: str) -> Result:
    return CliRunner().invoke(build_app(), [*words, "-p", PROTOCOL, "--synthetic", "--results", str(results)])


def write_names(path: Path, *, n_right: int) -> Path:
    """Class names alone, right for so many of the 300 clips."""
    rows = []
    for i, clip in enumerate(BENCH.folds[0].test):
        scene = clip.split("-")[0]
        wrong = CLASSES[(CLASSES.index(scene) + 1) % len(CLASSES)]
        rows.append(f"{clip}.wav,{scene if i % 300 < n_right else wrong}\n")
    path.write_text("filename,scene_label\n" + "".join(rows))
    return path


def test_a_file_is_scored_stored_and_compared(tmp_path: Path) -> None:
    file, results = write_names(tmp_path / "doe.output.csv", n_right=150), tmp_path / "results"
    done = invoke(results, "score", str(file))
    assert done.exit_code == 0, done.output
    assert "doe §" in done.stdout
    assert "50.0" in done.stdout
    assert "Stored as doe." in done.stderr
    store = ResultsStore(results)
    (spec,) = specs_of(BENCH, "logmel-svm")
    publish(store, BENCH, spec)
    compared = CliRunner().invoke(
        build_app(),
        ["compare", "doe", "logmel-svm", "-p", PROTOCOL, "-b", "paper", "--synthetic", "--results", str(results)],
    )
    assert compared.exit_code == 0, compared.output
    assert "pairwise tests" in compared.stdout
    (run,) = store.iterate(budget="made-elsewhere")
    explained = CliRunner().invoke(build_app(), ["explain", str(run.folder), "--results", str(results)])
    assert "doe on dcase2018 fold1: predictions made elsewhere (file doe.output.csv, sha256 " in explained.stdout


@pytest.mark.parametrize("width", [40, 80])
def test_scores_are_as_wide_as_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    done = invoke(tmp_path / "results", "score", str(write_names(tmp_path / "doe.csv", n_right=150)))
    assert max(map(len, done.stdout.splitlines())) <= width
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("doe §"))
    assert "50.0" in row
    assert " ".join(done.stdout.split()).endswith(
        "full notes: results.md of asc-bench report; terms: docs/notes.md."
    )


@pytest.mark.parametrize(
    ("words", "old", "new", "error", "message"),
    [
        ((), "airport-0-0-A.wav", "airport-0-0-B.wav", DataError, "has a file that was given before"),
        ((), "airport-0-0-A.wav", "airport-9-9-A.wav", DataError, r"such as 'airport-9-9-A\.wav'"),
        ((), ",bus", ",buss", DataError, "an unknown class, the first in line .*'buss'; did you mean 'bus'"),
        ((), ",scene_label", ",remark", ConfigError, "the column 'remark' is no file name, no label and no class"),
        (("--separator", "tab"), "", "", ConfigError, "line 1 has no tab; it is separated by comma"),
        (("--fold", "fold2"), "", "", ConfigError, "dcase2018 has no fold 'fold2'"),
        (("--name", "logmel-svm"), "", "", ConfigError, "'logmel-svm' is a system of asc-bench"),
        (
            ("--columns", "filename,label"),
            "",
            "",
            DataError,
            "an unknown class, the first in line 1: 'scene_label'",
        ),
    ],
)
def test_what_cannot_be_scored(
    tmp_path: Path, words: tuple[str, ...], old: str, new: str, error: type[Exception], message: str
) -> None:
    file = write_names(tmp_path / "doe.csv", n_right=150)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1) if old else text)
    failed = invoke(tmp_path / "results", "score", str(file), *words)
    assert isinstance(failed.exception, error)
    assert failed.exception is not None
    with pytest.raises(error, match=message):
        raise failed.exception
    assert not (tmp_path / "results").exists()


def test_a_missing_row(tmp_path: Path) -> None:
    file = write_names(tmp_path / "doe.csv", n_right=150)
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    failed = invoke(tmp_path / "results", "score", str(file))
    last = BENCH.folds[0].test[-1]
    assert str(failed.exception) == f"1 of 300 test clips of fold1 have no prediction, such as {last!r}"


def write_package(folder: Path, code: str = PACKAGE) -> Path:
    (folder / "Doe_TUNI_task1").mkdir(parents=True)
    path = folder / "Doe_TUNI_task1" / "Doe_TUNI_task1_1.py"
    path.write_text(code.replace("CLASSES", repr(sorted(CLASSES, reverse=True))))
    return folder


def test_a_package_runs_once_it_is_trusted(tmp_path: Path) -> None:
    place, results = write_package(tmp_path / "package"), tmp_path / "results"
    refused = invoke(results, "score-package", str(place))
    assert isinstance(refused.exception, ConfigError)
    assert "foreign code" in str(refused.exception)
    assert not results.exists()
    done = invoke(results, "score-package", str(place), "--trust")
    assert done.exit_code == 0, done.output
    assert "Doe_TUNI_task1_1 † §" in done.stdout
    assert "100.0" in done.stdout
    (kept,) = (results / "packages").glob("*/stdout.txt")
    assert kept.read_text() == "a b c\n"


def test_of_a_package_that_crashes_nothing_is_stored(tmp_path: Path) -> None:
    place, results = write_package(tmp_path / "package", "import nothing_of_that_name"), tmp_path / "results"
    failed = invoke(results, "score-package", str(place), "--trust")
    assert isinstance(failed.exception, SystemFailure)
    assert "exit code 1: ModuleNotFoundError: No module named 'nothing_of_that_name'; its" in str(failed.exception)
    assert not (results / "runs").exists()
