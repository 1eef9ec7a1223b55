"""A plug-in's protocol with a statistic of its own, in which lower is better, from the run to every file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd

TOYS = Path(__file__).parents[1] / "plugins"
PLUGINS = f"{TOYS}{os.pathsep}{TOYS / 'own_statistic'}"
ON_TINY = ("-p", "in-nats", "--synthetic", "--synthetic-size", "tiny", "-b", "smoke")


def test_lower_is_better_in_tables_tests_and_figures(rendering_cli, tmp_path: Path) -> None:
    done = rendering_cli("run", *ON_TINY, "-s", "logmel-svm,toy-a", "--threads", "1", ASC_BENCH_PLUGINS=PLUGINS)
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("results/tables/*/smoke/*")
    scores = pd.read_csv(folder / "results.csv").set_index(["measure", "system"])
    own = scores.loc["surprise"]
    assert set(own["unit"]) == {"nats"} and not own["higher_is_better"].any()
    best = str(own["value"].idxmin())
    lines = [line for line in done.stdout.splitlines() if re.match(r"(logmel-svm|toy-a)\b", line)]
    assert lines[0].startswith(best), "the lowest stands first"
    table = (folder / "results.md").read_text(encoding="utf-8")
    lowest = f"{own['value'].min():.3f}"
    assert re.search(rf"\*\*{re.escape(lowest)}", table), "the lowest is bold"
    assert "Lower is better: surprise" in table
    pairs = pd.read_csv(folder / "significance.csv")
    assert pairs["system_a"].tolist() == [best] and (pairs["difference"] < 0).all()
    assert pairs[["z_published", "p_mcnemar"]].isna().all(axis=None)
    assert "not defined" in (folder / "significance.md").read_text(encoding="utf-8")
    drawn = (folder / "scores.svg").read_text(encoding="utf-8")
    assert "<svg" in drawn
