"""ESC-10 as it was recorded: needs ASC_BENCH_DATA."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import Cli
from tests.real_data import real_esc10

BAR = {"logmel-svm": 0.76, "sb-cnn": 0.80}
"""Accuracy over the five official folds at the quick budget that the harness must reach."""


def accuracy(cli: Cli, tmp_path: Path, system: str) -> float:
    data = str(real_esc10().resolve())
    done = cli("run", "-p", "esc10", "-s", system, "-b", "quick", "--data", data, OMP_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results" / "tables").glob("*/quick/*/results.csv")
    frame = pd.read_csv(path)
    assert set(frame["n"]) == {400}
    return float(frame.loc[frame["measure"] == "accuracy", "value"].iloc[0])


def test_the_floor_reaches_its_bar(cli: Cli, tmp_path: Path) -> None:
    assert accuracy(cli, tmp_path, "logmel-svm") >= BAR["logmel-svm"]


@pytest.mark.slow
def test_sb_cnn_reaches_its_bar(cli: Cli, tmp_path: Path) -> None:
    assert accuracy(cli, tmp_path, "sb-cnn") >= BAR["sb-cnn"]
