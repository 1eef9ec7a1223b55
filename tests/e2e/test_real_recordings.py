"""ESC-10 as it was recorded: needs ASC_BENCH_DATA."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from asc_bench.data.store import data_roots, find_dataset
from asc_bench.errors import DataError
from tests.conftest import Cli

BAR = {"logmel-svm": 0.76, "sb-cnn": 0.80}
"""Accuracy over the five official folds at the quick budget that the harness must reach."""


def _absent() -> str:
    try:
        find_dataset("esc-10", data_roots())
    except DataError as error:
        return f"the real ESC-10 is not here: {error}".splitlines()[0]
    return ""


pytestmark = pytest.mark.skipif(bool(_absent()), reason=_absent() or "never")


def accuracy(cli: Cli, tmp_path: Path, system: str) -> float:
    data = os.environ.get("ASC_BENCH_DATA", "data")
    resolved = os.pathsep.join(str(Path(p).resolve()) for p in data.split(os.pathsep))
    done = cli("run", "-p", "esc10", "-s", system, "-b", "quick", ASC_BENCH_DATA=resolved, OMP_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results" / "tables").glob("*/quick/results.csv")
    frame = pd.read_csv(path)
    assert set(frame["n"]) == {400}
    return float(frame.loc[frame["measure"] == "accuracy", "value"].iloc[0])


def test_the_floor_reaches_its_bar(cli: Cli, tmp_path: Path) -> None:
    assert accuracy(cli, tmp_path, "logmel-svm") >= BAR["logmel-svm"]


@pytest.mark.slow
def test_sb_cnn_reaches_its_bar(cli: Cli, tmp_path: Path) -> None:
    assert accuracy(cli, tmp_path, "sb-cnn") >= BAR["sb-cnn"]
