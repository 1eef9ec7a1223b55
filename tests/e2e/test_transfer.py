"""``transfer`` as a user types it, inside this process: from ESC-10 to both kinds of targets, and refusals."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from asc_bench import registry
from asc_bench.registry import protocols
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.scoring.decisions import segment_runs
from tests.e2e.inside import Cli, inside

SMALL = ("--synthetic", "--synthetic-size", "tiny", "--budget", "smoke")
COMMON = ("--system", "sb-cnn", "--source", "esc10", *SMALL, "--threads", "1")
AUDIOSET, HITS = "audioset-dcase2017", "greatest-hits"
FROM = "source=esc10-synthetic-tiny"
NAMES = [
    f"transfer[system=sb-cnn,{rest}]"
    for rest in ("variant=retrain", FROM, f"{FROM},variant=svm", f"{FROM},variant=lr,mode=closed_form")
]


@pytest.fixture(scope="module")
def cli(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """One folder for all tests, and a network that takes four steps."""
    with inside(tmp_path_factory.mktemp("transfer"), cache) as (run, patch):
        network = registry.systems().get("sb-cnn")
        whole = network.training_plan
        patch.setattr(network, "training_plan", lambda self: replace(whole(self), iterations=4))
        yield run


def transfer(cli: Cli, target: str, *more: str) -> subprocess.CompletedProcess[str]:
    # The closed form is a matter of milliseconds.
    return cli("transfer", "--target", target, *COMMON, "--mode", "closed_form", *more)


@pytest.fixture(scope="module")
def done(cli: Cli) -> dict[str, subprocess.CompletedProcess[str]]:
    """All four variants on both targets."""
    return {target: transfer(cli, target) for target in (AUDIOSET, HITS)}


def runs_of(target: str, results: str = "results") -> dict[str, StoredRun]:
    found = ResultsStore(Path(results)).iterate(f"{target}-*", "smoke")
    return {run.manifest["variant"]: run for run in found}


def cells(text: str, name: str) -> list[str]:
    """Of the first line about a system, without its intervals and marks."""
    line = next(line for line in text.splitlines() if line.startswith(f"{name} "))
    return re.sub(r"\[[^]]*\]|[*≈]", "", line.removeprefix(name)).split()


@pytest.mark.parametrize("target", [AUDIOSET, HITS])
def test_all_variants_from_a_source_to_a_table(done, target: str) -> None:
    first = done[target]
    assert first.returncode == 0, first.stderr
    assert f"{target}, synthetic (tiny), smoke budget" in first.stdout
    stored = runs_of(target)
    assert sorted(stored) == sorted(NAMES)
    for name, run in stored.items():
        assert run.done, run.manifest
        assert cells(first.stdout, name)
    (source,) = ResultsStore(Path("results")).iterate("esc10-*", "smoke")
    assert source.weights is not None and source.manifest["fold"] == "fold1"
    assert stored[NAMES[1]].manifest["key_parts"]["origin"] == source.manifest["key"]
    # For the first target the source was trained; for the second it was found.
    to_compute = re.findall(r"^source: .* (\d+) to compute", first.stderr, re.M)
    assert to_compute == ["1" if target == AUDIOSET else "0"]


@pytest.mark.parametrize("target", [AUDIOSET, HITS])
def test_a_second_time_nothing_is_computed(cli: Cli, done, target: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path("results/runs").rglob("*")}
    again = transfer(cli, target)
    assert again.returncode == 0 and again.stdout == done[target].stdout
    assert re.findall(r"^target: .* (\d+) stored or skipped, (\d+) to compute", again.stderr, re.M) == [("4", "0")]
    assert {path: path.stat().st_mtime_ns for path in Path("results/runs").rglob("*")} == before


@pytest.mark.parametrize("target", [AUDIOSET, HITS])
def test_the_same_numbers_come_from_the_stored_files_alone(
    cli: Cli, done, target: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASC_BENCH_CACHE", str(tmp_path / "empty"))
    told = cli("report", "-p", target, "-b", "smoke", "--synthetic")
    assert told.returncode == 0, told.stderr
    assert {*told.stdout.splitlines()} == {*done[target].stdout.splitlines()}
    assert not (tmp_path / "empty").exists()


def test_a_report_of_one_system_holds_its_row_alone(cli: Cli, done) -> None:
    one = cli("report", "-p", AUDIOSET, "-b", "smoke", "--synthetic", "-s", NAMES[2])
    n = 8  # a table of one row has room for more columns
    assert one.returncode == 0 and cells(one.stdout, NAMES[2])[:n] == cells(done[AUDIOSET].stdout, NAMES[2])[:n]
    assert NAMES[0] not in one.stdout


def tags(frame: pd.DataFrame, split: str, column: str) -> np.ndarray:
    rows = frame[(frame["split"] == split) & (frame["level"] == "tagging")]
    return np.stack(rows[column].to_list())


def test_the_table_is_what_scikit_learn_makes_of_the_stored_scores(done) -> None:
    for name, run in runs_of(AUDIOSET).items():
        frame = run.segments
        truth, scores = (tags(frame, "validation", column) for column in ("reference", "scores"))
        f_scores = {t: f1_score(truth, scores >= t, average="micro", zero_division=0) for t in np.unique(scores)}
        threshold = max(t for t, f in f_scores.items() if f == max(f_scores.values()))
        decided = tags(frame, "test", "scores") >= threshold
        f1 = f1_score(tags(frame, "test", "reference"), decided, average="micro", zero_division=0)
        assert float(cells(done[AUDIOSET].stdout, name)[4]) == pytest.approx(100 * f1, abs=0.051)
        # Ten clips of ten seconds, and as many segments.
        counts = frame.groupby(["split", "level"])["clip_id"].agg(["size", "nunique"])
        assert counts.loc[("test", "detection")].tolist() == [100, 10]
        assert counts.loc[("test", "tagging")].tolist() == [10, 10]
        assert counts.loc[("validation", "detection"), "size"] == 10 * counts.loc[("validation", "tagging"), "size"]
    for name, run in runs_of(HITS).items():
        rows = run.predictions.query("split == 'test' and level == 'fine'")
        expected = 100 * balanced_accuracy_score(rows["label"], rows["predicted"])
        assert float(cells(done[HITS].stdout, name)[0]) == pytest.approx(expected, abs=0.051)


def test_segments_of_validation_clips_have_the_weak_labels_and_those_of_test_clips_the_strong_ones(done) -> None:
    frame = runs_of(AUDIOSET)[NAMES[0]].segments
    weak = frame.query("level == 'tagging'").set_index("clip_id")["reference"]
    n_differing = 0
    for split, clip_id, reference in frame.query("level == 'detection'")[
        ["split", "clip_id", "reference"]
    ].to_numpy():
        if split == "validation":
            assert (reference == weak[clip_id]).all()
        else:
            n_differing += bool((reference != weak[clip_id]).any())
    assert n_differing > 20, "most events are shorter than their clip"


def test_test_clips_have_no_part_in_the_thresholds(done) -> None:
    run, labels = runs_of(AUDIOSET)[NAMES[1]], protocols().get(AUDIOSET).labels

    def thresholds(frame: pd.DataFrame) -> dict[str, float]:
        (found,) = segment_runs([(run.manifest, frame)], labels)
        return {level: float(values[0]) for level, values in found.thresholds.items()}

    def shuffled(split: str) -> pd.DataFrame:
        frame = run.segments.copy()
        ours = (frame["split"] == split).to_numpy()
        rng = np.random.default_rng(0)
        for column, draw in (("scores", rng.random), ("reference", lambda n: rng.integers(0, 2, n))):
            drawn = [draw(len(labels.fine)) for _ in range(ours.sum())]
            frame.loc[ours, column] = pd.Series(drawn, index=frame.index[ours], dtype=object)
        return frame

    assert thresholds(shuffled("test")) == thresholds(run.segments)
    changed = thresholds(shuffled("validation"))
    assert all(changed[level] != value for level, value in thresholds(run.segments).items())


def test_a_dry_run_prints_the_plan_and_computes_nothing(cli: Cli, done) -> None:
    before = sorted(Path("results").rglob("*"))
    told = transfer(cli, AUDIOSET, "--layers", "classifier,all", "--pooling", "noisy-or", "--dry-run")
    assert told.returncode == 0, told.stderr
    text = " ".join((told.stdout + told.stderr).split())
    for rest in ("layers=all,pooling=noisy-or", "pooling=noisy-or"):
        assert f"transfer[system=sb-cnn,{FROM},{rest}] testing" in text
    # Machines and regressions know no pooling, so they are stored already.
    assert "5 runs; 2 stored or skipped, 3 to compute" in text
    assert sorted(Path("results").rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variant", "svn"], "variant is 'svn'; did you mean 'svm'"),
        (["--layers", "al"], "layers is 'al'; did you mean 'all'"),
        (["--pooling", "max"], "transfer: pooling is 'max', but must be one of replicated, attention, noisy-or"),
        (["--mode", "closed"], "transfer: mode is 'closed', but must be one of logistic, closed_form"),
        (["--window-s", "-1"], "transfer: window_s is -1.0, must be positive"),
        (["--target", "greatest-hit"], "no protocol 'greatest-hit'; did you mean 'greatest-hits"),
        (["--source", "esc-10"], "no protocol 'esc-10'; did you mean 'esc10'"),
        (
            ["--source", AUDIOSET],
            f"clips of {AUDIOSET} have several labels; systems are trained on sources with one",
        ),
        (["--system", "sb-cn"], "no system 'sb-cn'; did you mean 'sb-cnn'"),
        (["--sources", "esc-50"], "esc10 does not join data sets"),
        (["--folds", "fold1"], "has no fold 'fold1'"),
        (["--source-budget", "quik"], "source_budget is 'quik'; did you mean 'quick'"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_right(cli: Cli, done, arguments: list[str], message: str) -> None:
    before = sorted(Path("results").rglob("*"))
    wrong = transfer(cli, AUDIOSET, *arguments)
    assert wrong.returncode == 2, wrong.stdout + wrong.stderr
    assert message in " ".join(wrong.stderr.split())
    assert sorted(Path("results").rglob("*")) == before


def test_clips_with_several_labels_have_the_report_of_any_other(cli: Cli, done) -> None:
    written = cli("report", "-p", AUDIOSET, "-b", "smoke", "--synthetic", "--reference", NAMES[0])
    assert written.returncode == 0, written.stderr
    folder = Path(written.stderr.strip().splitlines()[-1].removeprefix("Tables, figures and report: "))
    names = {path.name for path in folder.iterdir()}
    assert {"results.csv", "significance.csv", "classes.csv", "runs.csv", "scores.png", "report.html"} <= names
    pairs = pd.read_csv(folder / "significance.csv")
    assert set(pairs["measure"]) == {"detection error rate", "detection F-score", "tagging F1"}
    assert pairs[["system_a", "system_b"]].isin([NAMES[0]]).any(axis=1).all()
    assert pairs["z_published"].isna().all() and "not defined" in (folder / "significance.md").read_text()
    compared = cli("compare", NAMES[0], NAMES[1], "-p", AUDIOSET, "-b", "smoke", "--synthetic")
    assert compared.returncode == 0, compared.stderr
    assert "A is better than B in detection error rate" in " ".join(compared.stdout.split())


def test_run_sends_to_this_verb(cli: Cli, done) -> None:
    for system, target, sentence in (
        (
            "transfer[system=sb-cnn]",
            HITS,
            "it starts from a trained network; `asc-bench transfer` finds or trains one",
        ),
        ("sb-cnn", AUDIOSET, "clips have several labels here; `asc-bench transfer` trains on them"),
    ):
        told = cli("run", "-p", target, "-s", system, *SMALL, "--results", "elsewhere")
        assert sentence in " ".join((told.stdout + told.stderr).split())
        assert "Traceback" not in told.stderr


def test_a_system_that_is_no_network_is_refused_before_anything_is_trained(cli: Cli, done) -> None:
    wrong = transfer(cli, HITS, "--system", "logmel-svm", "--results", "elsewhere")
    assert wrong.returncode == 2
    told = "nothing can be transferred: logmel-svm is no neural network; there is nothing to transfer"
    assert told in " ".join(wrong.stderr.split())
    assert not Path("elsewhere/runs/esc10-synthetic-tiny").exists()


def test_explain_looks_at_the_run_that_a_transfer_starts_from(cli: Cli, done) -> None:
    key = runs_of(HITS)[NAMES[2]].manifest["key"]
    told = cli("explain", key[:12])
    assert told.returncode == 0, told.stderr
    assert "nothing it depends on has changed: the same command reuses it" in told.stdout
    (source,) = ResultsStore(Path("results")).iterate("esc10-*", "smoke")
    assert f"from     {source.manifest['key']}, a run on another task" in told.stdout
    away = source.folder.rename(source.folder.with_name(".away"))
    try:
        told = cli("explain", key[:12])
    finally:
        away.rename(source.folder)
    assert "changed  origin: it is not stored in results" in told.stdout


def test_retraining_needs_no_run_on_the_source(cli: Cli, done) -> None:
    told = transfer(cli, HITS, "--variant", "retrain", "--results", "fresh", "--dry-run")
    assert told.returncode == 0 and "source:" not in told.stderr and "1 to compute" in told.stdout + told.stderr


def test_a_longer_training_on_the_source_shows_in_the_name(cli: Cli, done) -> None:
    told = transfer(cli, HITS, "--variant", "svm", "--source-budget", "quick", "--dry-run")
    assert f"transfer[system=sb-cnn,{FROM}-quick,variant=svm]" in told.stdout
