"""The protocol ``merged`` as a user runs it, with a system that predicts both levels beside one that does not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from asc_bench.registry import protocols
from tests.reliability.helpers import PLUGINS

ON_TINY = ("-p", "merged", "--synthetic", "--synthetic-size", "tiny", "-b", "smoke")
TWO = "dares-g1,tut-2017"

TWO_HEADS = '''
import numpy as np

from asc_bench.api import Card, LogMel, System


def nearest(x, means):
    scores = -((x[:, None] - means) ** 2).sum(-1)
    odds = np.exp(scores - scores.max(1, keepdims=True))
    return (odds / odds.sum(1, keepdims=True)).astype(np.float32)


class TwoHeads(System):
    """Nearest class mean, level by level."""

    card = Card(name="two-heads", title="Two heads", citation="none", year=2026, input="log-mel")

    def front_end(self):
        return LogMel(
            sample_rate_hz=8_000,
            n_fft=256,
            window_length=256,
            hop_length=4_000,
            n_mels=16,
            fmin_hz=0.0,
            fmax_hz=4_000.0,
        )

    def fit(self, train, validation, context):
        x = train.features.load().mean(1)
        self.means = {}
        for level in self.task.labels.levels:
            y = train.labels[level]
            n = len(self.task.labels.classes(level))
            self.means[level] = np.stack([x[y == c].mean(0) if (y == c).any() else x[0] + 1e3 for c in range(n)])

    def predict(self, clips):
        x = clips.features.load().mean(1)
        return {level: nearest(x, means) for level, means in self.means.items()}


class CoarseHead(TwoHeads):
    card = Card(name="coarse-head", title="Coarse head", citation="none", year=2026, input="log-mel")

    def predict(self, clips):
        return {"coarse": super().predict(clips)["coarse"]}


class FineHead(TwoHeads):
    card = Card(name="fine-head", title="Fine head", citation="none", year=2026, input="log-mel")

    def predict(self, clips):
        return super().predict(clips)["fine"]
'''


@pytest.fixture
def plugged(tmp_path: Path) -> str:
    folder = tmp_path / "plugged"
    folder.mkdir()
    (folder / "two_heads.py").write_text(TWO_HEADS)
    return f"{PLUGINS}:{folder}"


def row_of(text: str, *cells: str) -> list[str]:
    """Cells of the first line of a table that begins with these, whatever mark the system has."""
    lines = [re.split(r"\s{2,}", line.replace(" ≈", "  ").strip()) for line in text.splitlines()]
    return next(line for line in lines if line[: len(cells)] == list(cells))


def test_from_sources_to_tables(cli, tmp_path: Path, plugged: str) -> None:
    systems = "two-heads,coarse-head,fine-head"
    done = cli("run", *ON_TINY, "--sources", TWO, "-s", systems, ASC_BENCH_PLUGINS=plugged)
    assert done.returncode == 0, done.stderr
    assert "70 fine and 8 coarse classes: tut-2017+dares-g1, synthetic (tiny), smoke budget" in done.stdout
    both, fine, coarse = (row_of(done.stdout, name) for name in ("two-heads", "fine-head", "coarse-head"))
    assert "–" not in both[1:8]
    assert [cell == "–" for cell in fine[1:8]] == [False, False, True, True, False, False, True]
    assert [cell == "–" for cell in coarse[1:8]] == [True, True, False, False, True, True, True]
    assert fine[1] == both[1] and fine[5:7] == both[5:7], "the same fine prediction gives the same derived scores"
    for source in ("tut-2017", "dares-g1"):
        assert "–" not in row_of(done.stdout, "two-heads", source)[2:8]
    assert "esc-50" not in done.stdout and "litis" not in done.stdout

    manifests = [json.loads(p.read_text()) for p in tmp_path.glob("results/runs/*/smoke/*/*/manifest.json")]
    assert [m["sources"] for m in manifests] == [["tut-2017", "dares-g1"]] * 3
    (path,) = tmp_path.glob("results/runs/*/smoke/two-heads/*/predictions.parquet")
    predictions = pd.read_parquet(path)
    assert set(predictions["source"]) == {"tut-2017", "dares-g1"} and set(predictions["level"]) == {
        "fine",
        "coarse",
    }
    fine_rows = predictions[predictions["level"] == "fine"].query("split == 'test'")
    right = fine_rows["label"] == fine_rows["predicted"]
    assert float(both[1].split()[0]) == pytest.approx(
        100 * right.groupby(fine_rows["label"]).mean().mean(), abs=0.05
    )

    order = protocols().get("merged").labels.fine
    for counts in manifests[0]["class_counts"].values():
        assert sum(counts.values()) > 0
    guess = {
        source: max(counts, key=lambda scene, n=counts: (n[scene], -order.index(scene)))
        for source, counts in manifests[0]["class_counts"].items()
    }
    lucky = fine_rows["label"] == fine_rows["source"].map(guess)
    floor = row_of(done.stdout, "source-only baseline")
    assert float(floor[1]) == pytest.approx(100 * lucky.groupby(fine_rows["label"]).mean().mean(), abs=0.05)
    assert floor[7] == "–", "there are no heads to agree"
    assert float(row_of(done.stdout, "source-only baseline", "tut-2017")[2]) > 0

    again = cli("report", "-p", "merged", "-b", "smoke", "--synthetic", ASC_BENCH_PLUGINS=plugged)
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip() == done.stdout.strip()
    state = cli("status", *ON_TINY, "--sources", TWO, "-s", systems, ASC_BENCH_PLUGINS=plugged)
    assert re.search(r"two-heads\s+1\s+0\s+0", state.stdout), state.stdout + state.stderr
    told = cli("explain", manifests[0]["key"][:12], ASC_BENCH_PLUGINS=plugged)
    assert "nothing it depends on has changed" in told.stdout, told.stdout + told.stderr


def test_prepare_tells_what_was_joined_and_flagged(cli) -> None:
    done = cli("prepare", "merged", "--synthetic", "--synthetic-size", "tiny", "--sources", TWO)
    assert done.returncode == 0, done.stderr
    assert re.search(r"tut-2017: 150 clips, 75 locations; flagged: none", done.stdout), done.stdout
    assert "no clip is left out here" in done.stdout


def test_wrong_sources(cli, tmp_path: Path) -> None:
    done = cli("run", "-p", "merged", "--sources", "esc-51", "--data", str(tmp_path))
    assert done.returncode == 2 and "has no source 'esc-51'; did you mean 'esc-50'" in done.stderr
    done = cli("run", "-p", "merged", "--data", str(tmp_path), "-s", "logmel-svm")
    assert done.returncode == 3 and "not found: litis-rouen, tut-2017, dares-g1, esc-50" in done.stderr
    assert "--synthetic" in done.stderr and "Leave them out" not in done.stderr
