"""Logs of runs: what stands in them, that they change nothing, and that they cost no run."""

from __future__ import annotations

import contextlib
import logging
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from asc_bench.api import Crop, FrontEnd, System, TorchSystem, TrainingPlan
from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.cli.shared import Running
from asc_bench.cli.work import experiment_of
from asc_bench.errors import ConfigError
from asc_bench.experiment import Experiment, Unwatched
from asc_bench.runs import trackers
from asc_bench.runs.parallel import execute
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Settings, Workers
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.runs.trackers import CsvTracker, check_trackers
from asc_bench.runs.variant import variant_of
from asc_bench.training.history import HistoryRow
from tests.unit.small_sets import TinyNet
from tests.unit.test_inference_time import FRONT_END, Watched


class Net(TorchSystem):
    """A small network that is trained in no time, with a checkpoint after each epoch."""

    card = TinyNet.card
    checkpoint_every_s = 0.0

    def front_end(self) -> FrontEnd:
        return FRONT_END

    def build(self) -> Any:
        from torch import nn

        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * 16, 8),
            nn.Dropout(0.2),
            nn.ReLU(),
            nn.Linear(8, len(self.task.labels.fine)),
        )

    def training_plan(self) -> TrainingPlan:
        return TrainingPlan(
            batch_size=16, epochs=3, learning_rate=0.01, validate_every=1, select="best", standardise="per-band",
            crop=Crop(length=16, n_test=2),
        )  # fmt: skip


def the_spec(bench: Bench, system: type[System] = Net) -> RunSpec:
    (spec,) = plan(bench, [variant_of(system)], budget=Budget.SMOKE, repeats=range(1))
    return spec


def run(
    bench: Bench, cache: Path, folder: Path, *log: str, progress: Any = lambda fraction, text: None
) -> StoredRun:
    found = run_once(the_spec(bench), bench, ResultsStore(folder), Settings(cache, log=log), progress)
    assert found is not None and found.done, found and found.manifest
    return found


def logged(folder: Path, kind: str = "csv", name: str = "log.csv") -> Path:
    (path,) = (folder / "logs" / kind).rglob(name)
    return path


def expected(of: StoredRun) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """By part and name: steps and values, from the history that is stored with the run."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in of.history.to_dict("records"):
        for name in ("epoch", "learning_rate", "train_loss", "validation_loss", "validation_accuracy"):
            if not pd.isna(row[name]):
                found.setdefault((row["part"], name), []).append((row["step"], row[name]))
    return found


def average_recall(of: StoredRun) -> float:
    """Mean over the devices of the mean recall, by scikit-learn."""
    test = of.predictions.query("split == 'test' and level == 'fine'")
    return float(
        np.mean([recall_score(d["label"], d["predicted"], average="macro") for _, d in test.groupby("device")])
    )


def test_csv_holds_history_and_final_scores(bench: Bench, cache: Path, tmp_path: Path) -> None:
    done = run(bench, cache, tmp_path, "csv")
    frame = pd.read_csv(logged(tmp_path), dtype=str).astype({"step": float, "value": float})
    trained = frame[frame["part"] == "training"]
    found = {
        (str(part), str(name)): list(zip(rows["step"].astype(int), rows["value"], strict=True))
        for (part, name), rows in trained.groupby(["part", "name"])
    }
    assert found == expected(done)
    assert len(found["training", "train_loss"]) == len(found["training", "validation_accuracy"]) == 3
    scores = frame[frame["part"] == "test"].set_index("name")["value"]
    assert scores["average"] == pytest.approx(average_recall(done))
    assert {"average", "A", "B", "C"} <= set(scores.index)


def test_a_log_changes_nothing(bench: Bench, cache: Path, tmp_path: Path) -> None:
    with_, without = run(bench, cache, tmp_path / "with", "csv"), run(bench, cache, tmp_path / "without")
    pd.testing.assert_frame_equal(with_.predictions, without.predictions, check_exact=True)
    assert with_.manifest["files"] == without.manifest["files"], "predictions and history, by their digests"
    assert with_.manifest["key"] == without.manifest["key"]
    assert not (tmp_path / "without" / "logs").exists()


class InterruptionError(KeyboardInterrupt):
    pass


def test_a_run_that_is_taken_up_again_has_the_log_of_an_undisturbed_one(
    bench: Bench, cache: Path, tmp_path: Path
) -> None:
    def interrupt(fraction: float, text: str) -> None:
        if fraction >= 0.6:
            raise InterruptionError

    run(bench, cache, tmp_path / "straight", "csv")
    with pytest.raises(InterruptionError):
        run(bench, cache, tmp_path / "cut", "csv", progress=interrupt)
    first = logged(tmp_path / "cut").read_text(encoding="utf-8")
    seen: list[float] = []
    run(bench, cache, tmp_path / "cut", "csv", progress=lambda fraction, text: seen.append(fraction))
    assert min(seen) > 0.3, "the first epoch was not trained again"
    whole = logged(tmp_path / "straight").read_text(encoding="utf-8")
    assert whole.startswith(first) and len(first) < len(whole)
    assert logged(tmp_path / "cut").read_text(encoding="utf-8") == whole


@pytest.mark.parametrize("method", ["__init__", "row", "scores", "close"])
def test_a_log_that_fails_costs_no_run(
    bench: Bench,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
) -> None:
    class Broken(CsvTracker):
        pass

    def fail(self: Broken, *args: object) -> None:
        raise OSError("no space left on device")

    setattr(Broken, method, fail)
    monkeypatch.setitem(trackers.TRACKERS, "broken", Broken)
    with caplog.at_level(logging.WARNING, logger="asc_bench"):
        done = run(bench, cache, tmp_path, "broken", "csv")
    assert len(done.predictions) and len(done.history) == 3
    (record,) = [r for r in caplog.records if "its log broken failed" in r.getMessage()]
    assert "OSError: no space left on device" in record.getMessage()
    assert "average" in logged(tmp_path).read_text(encoding="utf-8"), "the other log goes on"


def test_runs_side_by_side_have_a_log_each(bench: Bench, cache: Path, tmp_path: Path) -> None:
    specs = plan(bench, [variant_of(Watched)], budget=Budget.SMOKE, repeats=range(2))
    settings = Settings(cache, log=("csv",))
    runs = execute(specs, bench, ResultsStore(tmp_path), settings, Workers(2), Unwatched())
    assert all(one.done for one in runs)
    logs = [tmp_path / "logs" / "csv" / spec.folder / "log.csv" for spec in specs]
    assert len(set(logs)) == 2 and all("test,,average," in path.read_text(encoding="utf-8") for path in logs)


def test_of_a_run_without_training_there_is_no_history(bench: Bench, cache: Path, tmp_path: Path) -> None:
    spec = the_spec(bench, Watched)
    done = run_once(spec, bench, ResultsStore(tmp_path), Settings(cache), lambda fraction, text: None)
    assert done is not None and done.history.empty and "part" in done.history
    assert set(done.manifest["files"]) == {"predictions.parquet"}


def test_names_that_there_are_not_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_trackers(["csv", "csv"]) == ("csv",)
    with pytest.raises(ConfigError, match=r"log is 'tensorbord'.*tensorboard"):
        check_trackers(["tensorbord"])
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"log 'wandb' needs the package wandb: pip install 'asc-bench\[wandb\]'"):
        check_trackers(["csv", "wandb"])
    assert check_trackers(["csv"]) == ("csv",)


ROWS = (
    ("training", HistoryRow(step=3, epoch=1, learning_rate=0.25, train_loss=2.0)),
    ("training", HistoryRow(step=6, epoch=2, learning_rate=0.125, train_loss=1.5, validation_loss=1.75)),
    ("device-1", HistoryRow(step=2, epoch=1, learning_rate=0.5, train_loss=0.5)),
)
ABOUT: Mapping[str, object] = {"run": "net, fold1", "key": "0123456789abcdef0123456789abcdef"}


def write(kind: str, folder: Path) -> None:
    tracker = trackers.TRACKERS[kind](folder, ABOUT)
    for part, row in ROWS:
        tracker.row(part, row)
    tracker.scores({"average": 0.625})
    tracker.close()


def test_what_tensorboard_reads(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write("tensorboard", tmp_path)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    found = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert found["training/train_loss"] == [(3, 2.0), (6, 1.5)]
    assert found["training/learning_rate"] == [(3, 0.25), (6, 0.125)]
    assert found["training/validation_loss"] == [(6, 1.75)]
    assert found["device-1/train_loss"] == [(2, 0.5)]
    assert found["test/average"] == [(2, 0.625)]


def records(path: Path) -> Iterator[Any]:
    """What stands in a file of wandb: seven bytes, then a LevelDB log of short records."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at = path.read_bytes(), 7
    while at < len(content):
        _, size, kind = struct.unpack("<IHB", content[at : at + 7])
        assert kind == 1, "a record in one piece"
        yield Record.FromString(content[at + 7 : at + 7 + size])
        at += 7 + size


def whole(path: Path, within_s: float = 60.0) -> list[Any]:
    """All records, once wandb's own process, which may be slower than the one that logs, has written the last."""
    from google.protobuf.message import DecodeError

    end = time.monotonic() + within_s
    while True:
        found: list[Any] = []
        with contextlib.suppress(struct.error, DecodeError):  # half a record
            found = list(records(path))
        if any(record.HasField("exit") for record in found) or time.monotonic() > end:
            return found
        time.sleep(0.05)


def test_what_wandb_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    write("wandb", tmp_path)
    (path,) = tmp_path.rglob("offline-run-*/run-0123456789abcdef01234567.wandb")
    rows, summary = [], {}
    for record in whole(path):
        items = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
        rows += [{name: float(value) for name, value in items.items() if name[0] != "_"}] if items else []
        summary |= {item.key or "/".join(item.nested_key): item.value_json for item in record.summary.update}
    assert rows == [
        {"training/step": 3, "training/epoch": 1, "training/learning_rate": 0.25, "training/train_loss": 2.0},
        {
            "training/step": 6, "training/epoch": 2, "training/learning_rate": 0.125, "training/train_loss": 1.5,
            "training/validation_loss": 1.75,
        },
        {"device-1/step": 2, "device-1/epoch": 1, "device-1/learning_rate": 0.5, "device-1/train_loss": 0.5},
    ]  # fmt: skip
    assert summary["test/average"] == "0.625"


def test_options_reach_the_runs(tmp_path: Path) -> None:
    by_words = experiment_of(Running(log="csv, csv", measure_inference=True, results=tmp_path)).settings
    assert (by_words.log, by_words.measure_inference) == (("csv",), True)
    assert Experiment.of(log=["csv"], results=tmp_path).settings.log == ("csv",)
    assert Experiment.of(results=tmp_path).settings == replace(by_words, log=(), measure_inference=False)
    with pytest.raises(ConfigError, match="log is 'cvs'"):
        experiment_of(Running(log="cvs", results=tmp_path))
