"""``embed`` and Table VII of the hierarchical CNN, as a user types them, inside this process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from asc_bench.proposed import hierarchical_cnn
from scipy.spatial.distance import pdist

from asc_bench import registry
from asc_bench.cli.main import main
from asc_bench.papers import cluster_scores as clustered
from asc_bench.papers import registry as papers
from tests.reliability.helpers import PLUGINS

Cli = Callable[..., subprocess.CompletedProcess[str]]
REGISTRIES = (registry.systems, registry.protocols, papers.reproductions, papers.figures)
ON_TINY = ("--sources", "dares-g1", "--synthetic", "--synthetic-size", "tiny", "-b", "smoke")

POINTS = '''
import numpy as np

from asc_bench.api import Card, LogMel, System


class Points(System):
    """Nearest class mean; a clip is embedded as its mean spectrum."""

    card = Card(name="points", title="Points", citation="none", year=2026, input="log-mel")

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
        pass

    def predict(self, clips):
        n = len(self.task.labels.fine)
        return np.full((len(clips), n), 1 / n, dtype=np.float32)

    def embed(self, clips):
        return clips.features.load().mean(1)

    def save(self, folder):
        (folder / "nothing.json").write_text("{}")

    def load(self, folder):
        pass
'''


@pytest.fixture
def cli(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Cli]:
    """Run ``asc-bench`` in an empty folder, with the toys and the system above plugged in."""
    plugged = tmp_path / "plugged"
    plugged.mkdir()
    (plugged / "points.py").write_text(POINTS)

    def forget() -> None:
        for found in REGISTRIES:
            found.cache_clear()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        for name, value in {**environment, "ASC_BENCH_PLUGINS": f"{PLUGINS}:{plugged}"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["asc-bench", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, out, err)

    monkeypatch.chdir(tmp_path)
    forget()
    yield run
    forget()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-s", "logmel-svm"],
            "logmel-svm gives no embeddings (it has no method embed(clips)); those that give them: ",
        ),
        (["-s", "hierarchical-cnn[labels=*]"], "--system stands for 3 systems"),
        (["-s", "points", "--split", "tset"], "--split is 'tset'; did you mean 'test'"),
        (["-s", "points", "--projection", "pac"], "--projection is 'pac'; did you mean 'pca'"),
        (["-s", "points", "--folds", "fold2"], "merged has no fold 'fold2'; did you mean 'fold1'"),
        (["-s", "points"], "holds no run of points fold1 with the present code and data; make it with"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_right(cli: Cli, arguments: list[str], message: str) -> None:
    done = cli("embed", "-p", "merged", *ON_TINY, *arguments)
    assert done.returncode == 2, done.stderr
    assert message in " ".join(done.stderr.split())
    assert not (Path("results") / "embeddings").exists()


def test_embeddings_of_a_stored_run(cli: Cli, tmp_path: Path) -> None:
    command = ("-p", "merged", "-s", "points", *ON_TINY)
    assert cli("run", *command).returncode == 0
    refused = cli("embed", *command)
    assert refused.returncode == 2
    told = "points fold1 was run without keeping its weights; make them with\n  asc-bench run -p merged -s points"
    assert told in refused.stderr and "--keep-weights" in refused.stderr
    assert cli("run", *command, "--keep-weights").returncode == 0
    done = cli("embed", *command)
    assert done.returncode == 0, done.stderr
    parquet, png, svg = (tmp_path / line for line in done.stdout.splitlines()[-3:])
    assert png.read_bytes()[:4] == b"\x89PNG" and "synthetic" in svg.read_text()

    frame = pd.read_parquet(parquet)
    about = json.loads(pq.read_schema(parquet).metadata[b"asc_bench"])
    (manifest,) = (json.loads(p.read_text()) for p in tmp_path.glob("results/runs/*/smoke/points/*/manifest.json"))
    assert about["runs"] == {"fold1": manifest["key"]}
    assert about["synthetic"] is True and (about["system"], about["budget"]) == ("points", "smoke")
    (run,) = tmp_path.glob("results/runs/*/smoke/points/*/predictions.parquet")
    tested = pd.read_parquet(run).query("split == 'test' and level == 'fine'")
    assert list(frame["clip_id"]) == list(tested["clip_id"]) and list(frame["fine"]) == list(tested["label"])
    assert set(frame["source"]) == {"dares-g1"} and set(frame["split"]) == {"test"}

    # The printed distances are those of the file.
    x = frame.filter(regex="^e[0-9]+$").to_numpy(dtype=float)
    assert x.shape == (len(tested), 16)
    for scale, y in (("raw", x), ("unit", x / np.linalg.norm(x, axis=1, keepdims=True))):
        for level in ("coarse", "fine"):
            groups = [y[(frame[level] == name).to_numpy()] for name in frame[level].unique()]
            icd = np.mean([pdist(g).mean() for g in groups])
            iccd = pdist([g.mean(0) for g in groups]).mean()
            (line,) = (w for w in map(str.split, done.stdout.splitlines()) if w[:3] == ["fold1", level, scale])
            assert [float(line[3]), float(line[4])] == pytest.approx([icd, iccd], rel=0.05, abs=0.006)
            assert line[5:] == [str(len(groups)), "0"]
    assert (
        "synthetic (tiny), smoke budget" in done.stdout and "mean of the embeddings of its waveforms" in done.stdout
    )
    assert "was trained on these" not in done.stdout

    on_validation = cli("embed", *command, "--split", "validation", "--projection", "tsne", "--out", "elsewhere")
    assert on_validation.returncode == 0, on_validation.stderr
    assert "The network was trained on these validation clips." in on_validation.stdout
    assert len(list((tmp_path / "elsewhere").glob("points-validation-*-tsne.png"))) == 1


def test_table_7_of_the_hierarchical_cnn(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = registry.systems().get("hierarchical-cnn")
    whole = network.training_plan
    narrow = {name: [replace(x, width=16) for x in layers] for name, layers in hierarchical_cnn.PIPELINES.items()}
    monkeypatch.setattr(network, "training_plan", lambda self: replace(whole(self), iterations=1))
    monkeypatch.setattr(hierarchical_cnn, "PIPELINES", narrow)
    command = ("reproduce", "hierarchical-cnn/table7", *ON_TINY, "--threads", "1")
    planned = cli(*command, "--labels", "fine", "--dry-run")
    assert planned.returncode == 0 and "8 of 16 cells" in planned.stdout, planned.stderr
    done = cli(*command)
    assert done.returncode == 0, done.stderr
    assert "synthetic (tiny), smoke budget" in done.stdout and "Percent" not in done.stdout
    shown = " ".join(done.stdout.split()).replace("as published as far as is known", "")
    assert "16 of 16 cells measured" in shown and "published" not in shown
    assert "The whole table: results" in done.stderr
    (folder,) = (tmp_path / "results" / "reproductions" / "hierarchical-cnn" / "table7").glob("*/smoke")
    cells = pd.read_csv(folder / "table.csv").set_index(["variant", "measure"])
    assert cells["low"].isna().all() and (cells["n"] == 48).all() and (cells["n_locations"] == 4).all()

    # The same numbers come from the embeddings that the other verb writes.
    embedded = cli("embed", "-p", "merged", "-s", "hierarchical-cnn", *ON_TINY)
    assert embedded.returncode == 0, embedded.stderr
    frame = pd.read_parquet(tmp_path / embedded.stdout.splitlines()[-3])
    x = frame.filter(regex="^e[0-9]+$").to_numpy(dtype=float)
    for level in ("coarse", "fine"):
        groups = [x[(frame[level] == name).to_numpy()] for name in frame[level].unique()]
        expected = [np.mean([pdist(g).mean() for g in groups]), pdist([g.mean(0) for g in groups]).mean()]
        found = [cells.loc[("hierarchical-cnn", f"{level} {metric}"), "value"] for metric in ("ICD", "ICCD")]
        assert found == pytest.approx(expected, rel=1e-4)

    # A second time nothing is embedded.
    def refuse(*arguments: object) -> None:
        raise AssertionError("embedded again")

    monkeypatch.setattr(clustered, "embedded", refuse)
    assert cli(*command).stdout == done.stdout
