"""Inference packages, written by hand: what they predict, and each way in which one can go wrong."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import softmax

from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.submissions.package import Package, device_names, require_trust, run_package

CLASSES = ("bus", "park", "tram")
GOOD = """
ORDER = ["tram", "bus", "park"]

def predict(file_paths, device_ids, model_file_path=None):
    print(len(file_paths), "files of", *device_ids)
    assert model_file_path is None
    known = {"a": 0, "s1": 1, "unknown": 2}
    return [[float(known[d] == i) * float(f.rpartition("/")[2][0]) for i in range(3)]
            for f, d in zip(file_paths, device_ids)], ORDER
"""


def package(folder: Path, code: str = GOOD) -> Package:
    place = folder / "repository" / "Doe_TUNI_task1"
    place.mkdir(parents=True)
    (place / "Doe_TUNI_task1_1.py").write_text(code)
    return Package.of(folder / "repository")


def run(folder: Path, code: str = GOOD, **options: object) -> npt.NDArray[np.float64]:
    files = [Path(f"/data/{i}.wav") for i in (1, 2, 3)]
    settings: dict[str, object] = {"folder": folder / "kept", "time_limit_s": 60.0} | options
    found = package(folder, code)
    return run_package(found, files, ["a", "s1", "unknown"], CLASSES, **settings)  # type: ignore[arg-type]


def test_probabilities_in_the_order_of_the_protocol(tmp_path: Path) -> None:
    found = run(tmp_path, batch=2)
    # Logits in the package's order tram, bus, park: the file's number in one place.
    expected = softmax(np.array([[0, 0, 1], [2, 0, 0], [0, 3, 0]], dtype=np.float64), axis=1)
    np.testing.assert_allclose(found, expected)
    assert (tmp_path / "kept" / "stdout.txt").read_text() == "2 files of a s1\n1 files of unknown\n"
    assert not list((tmp_path / "repository").rglob("*.pyc"))


def test_use_cuda_is_given_where_it_is_asked_for(tmp_path: Path) -> None:
    code = GOOD.replace("model_file_path=None):", "model_file_path=None, use_cuda=None):\n    print(use_cuda)")
    run(tmp_path, code, cuda=True)
    assert (tmp_path / "kept" / "stdout.txt").read_text().startswith("True\n")


def test_modules_of_the_package_are_not_hidden_by_ours(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "meta.py").write_text("ORDER = ['tram', 'bus', 'park']")
    code = GOOD.replace('ORDER = ["tram", "bus", "park"]', "from meta import ORDER")
    place = tmp_path / "repository" / "Doe_TUNI_task1"
    place.mkdir()
    (place / "Doe_TUNI_task1_1.py").write_text(code)
    found = run_package(
        Package.of(place), [Path("/2.wav")], ["a"], CLASSES, folder=tmp_path / "kept", time_limit_s=60
    )
    assert found.shape == (1, 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    assert",
            "    raise ValueError('no checkpoint')\n    assert",
            "exit code 1: ValueError: no checkpoint",
        ),
        ("    assert", "    import os; os.abort()\n    assert", "was killed by signal 6: "),
        (
            "    assert",
            "    raise SystemExit(3)\n    assert",
            "ended with exit code 3: it printed no error",
        ),
        ("def predict", "def forecast", "has no attribute 'predict'"),
        (
            '"park"]',
            '"forest"]',
            "predicts the classes tram, bus, forest; those of the protocol are bus",
        ),
        ("range(3)", "range(2)", "gave 2 logits for a file, and there are 3 classes"),
        ("file_paths, device_ids)]", "file_paths[1:], device_ids)]", "predicted 2 of 3 files"),
        ("float(known", "float('nan') * float(known", "gave logits that are not finite for 3 of 3 files"),
        ('* float(f.rpartition("/")[2][0])', "* 0.7 + 0.1", "gave probabilities, no logits: none is negative"),
    ],
)
def test_what_goes_wrong_is_one_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(SystemFailure) as caught:
        run(tmp_path, GOOD.replace(old, new))
    text = str(caught.value)
    assert message in text
    assert text.startswith("Doe_TUNI_task1_1 ")
    assert "\n" not in text


def test_a_row_too_many_in_one_call_and_too_few_in_the_next(tmp_path: Path) -> None:
    rows = "[[0.0, 0.0, 0.0]] * (3 if len(file_paths) == 2 else 0), ORDER"
    code = GOOD[: GOOD.index("    return")] + f"    return {rows}\n"
    with pytest.raises(
        SystemFailure, match="gave logits of 3, 0 files, call by call, and was asked for 2 at a time"
    ):
        run(tmp_path, code, batch=2)


def test_one_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    code = "import subprocess, time\nsubprocess.Popen(['sleep', '60'])\ntime.sleep(60)\n"
    start = time.monotonic()
    with pytest.raises(SystemFailure, match=r"was ended after 0\.3 s, its time limit; its output is kept in"):
        run(tmp_path, code, time_limit_s=0.3)
    assert time.monotonic() - start < 20


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match="cannot be started with /nowhere/python: No such file"):
        run(tmp_path, python=Path("/nowhere/python"))


def test_foreign_code_runs_only_when_it_is_trusted(tmp_path: Path) -> None:
    found = package(tmp_path)
    with pytest.raises(ConfigError, match=r"(?s)Doe_TUNI_task1_1 is foreign code, .* all your rights.*add --trust"):
        require_trust(False, found)
    require_trust(True, found)


@pytest.mark.parametrize("index", [1, 2])
def test_packages_that_are_not_there(tmp_path: Path, index: int) -> None:
    place = package(tmp_path).root
    if index == 1:
        (place / "Roe_TUNI_task1").mkdir()
        (place / "Roe_TUNI_task1" / "Roe_TUNI_task1_1.py").write_text("")
    there = "Doe_TUNI_task1, Roe_TUNI_task1" if index == 1 else "none"
    with pytest.raises(ConfigError, match=rf"one package LABEL with a module LABEL_{index}\.py.*found: {there}"):
        Package.of(place, index)
    assert Package.of(place / "Doe_TUNI_task1") == Package(place, "Doe_TUNI_task1.Doe_TUNI_task1_1")


@pytest.mark.parametrize(("devices", "names"), [(["A", "S3", "S4"], ["a", "s3", "unknown"])])
def test_devices_that_nobody_trained_on_are_unknown(devices: Sequence[str], names: list[str]) -> None:
    assert device_names(devices, ("A", "B", "C", "S1", "S2", "S3", "unknown")) == names
