"""``--hold-out`` and ``--as-published``, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

ON_TINY = ("-p", "dcase2018", "--synthetic", "--synthetic-size", "tiny", "-b", "smoke")


def stored(folder: Path) -> tuple[dict, pd.DataFrame]:
    (manifest,) = folder.glob("results/runs/*/smoke/*/*/manifest.json")
    return json.loads(manifest.read_text()), pd.read_parquet(manifest.parent / "predictions.parquet")


@pytest.mark.parametrize("flag", ["", "--hold-out"])
def test_system_that_chooses_nothing(cli, tmp_path: Path, flag: str) -> None:
    done = cli("run", *ON_TINY, "-s", "toy-a", *filter(None, [flag]))
    assert done.returncode == 0, done.stderr
    manifest, predictions = stored(tmp_path)
    n = manifest["n_clips"]
    assert (n["validation"] > 0) == bool(flag)
    assert ("validation clips held out" in done.stdout) == bool(flag)
    splits = predictions.groupby("split")["clip_id"].nunique().to_dict()
    assert splits == {"test": n["test"], **({"validation": n["validation"]} if flag else {})}


def test_system_that_chooses_on_the_test_split_says_so(cli, tmp_path: Path) -> None:
    done = cli("run", *ON_TINY, "-s", "dcase2018-baseline[plan.iterations=2]", "--as-published")
    assert done.returncode == 0, done.stderr
    manifest, predictions = stored(tmp_path)
    n = manifest["n_clips"]
    assert n["validation"] == n["test"] and manifest["selection"] == "test"
    assert set(predictions["split"]) == {"test"}
    assert "selection on the test split, as published" in done.stdout
    assert "these numbers flatter" in done.stdout
    both = cli("run", *ON_TINY, "-s", "toy-a", "--as-published", "--hold-out")
    assert both.returncode == 2 and "give one of them" in both.stderr
