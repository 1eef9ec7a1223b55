"""The time of one clip on one core: medians of known times, and nothing else of a run changes."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import threadpoolctl

from asc_bench.api import Card, Clips, Context, FrontEnd, LabelledClips, System
from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.features.frontends import LogMel
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.page.systems import system_rows
from asc_bench.reporting.terminal import brief_tables
from asc_bench.reporting.text import milliseconds
from asc_bench.runs import fusion, inference_time
from asc_bench.runs.plan import plan
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Settings, limit_threads
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.runs.variant import variant_of
from asc_bench.scoring.frames import SIGNIFICANCE_COLUMNS
from asc_bench.scoring.measure import Measure
from tests.unit.reporting_frames import manifest, scores

FRONT_END = LogMel(
    sample_rate_hz=8_000, n_fft=256, window_length=256, hop_length=4_000, n_mels=16, fmin_hz=0.0, fmax_hz=4_000.0
)
NOTHING: Callable[[float, str], None] = lambda fraction, text: None  # noqa: E731 - a callback that does nothing


class Watched(System):
    """Equal probabilities; remembers what it was given, and with how many threads."""

    card = Card(name="watched", title="Watched", citation="none: a test double", year=2026, input="log-mel")
    given: ClassVar[list[Clips]] = []
    threads: ClassVar[set[int]] = set()
    called: ClassVar[Callable[[], None]] = staticmethod(lambda: None)

    def front_end(self) -> FrontEnd:
        return FRONT_END

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        pass

    def predict(self, clips: Clips) -> np.ndarray:
        self.given.append(clips)
        self.threads.update(pool["num_threads"] for pool in threadpoolctl.threadpool_info())
        type(self).called()
        return np.full((len(clips), len(self.task.labels.fine)), 1 / len(self.task.labels.fine))


class OnlyTogether(Watched):
    """Cannot predict one clip."""

    card = replace(Watched.card, name="only-together")

    def predict(self, clips: Clips) -> np.ndarray:
        if len(clips) == 1:
            raise IndexError("too many indices")
        return super().predict(clips)


class Clock:
    """Both clocks of the module, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.processor, self.wall = 0.0, 0.0
        clocks = SimpleNamespace(process_time=lambda: self.processor, perf_counter=lambda: self.wall)
        monkeypatch.setattr(inference_time, "time", clocks)


@pytest.fixture(autouse=True)
def forgotten() -> None:
    Watched.given.clear()
    Watched.threads.clear()


def timed(bench: Bench, settings: Settings) -> dict[str, object]:
    fold = bench.folds[0]
    return inference_time.inference_time(Watched(bench.task(fold)), bench, fold.test, settings, Budget.QUICK)


def test_medians_of_known_times(bench: Bench, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    # Two of warm-up, which are long, then 1 to 50 ms in an order that is not theirs.
    wanted = [9.0, 9.0, *(0.001 * (1 + 7 * i % 50) for i in range(50))]
    took = iter(wanted)
    monkeypatch.setattr(
        Watched, "called", staticmethod(lambda: setattr(clock, "processor", clock.processor + next(took)))
    )
    monkeypatch.setattr(LogMel, "__call__", lambda self, waveform: advance(clock, 0.004))
    found = timed(bench, Settings(cache))
    assert (found["n_clips"], found["front_end_ms"]) == (50, 4.0)
    assert found["predict_ms"] == pytest.approx(25.5)
    assert found["total_ms"] == pytest.approx(29.5)
    assert next(took, None) is None
    assert isinstance(found["processor"], str) and found["processor"]


def advance(clock: Clock, seconds: float) -> np.ndarray:
    clock.processor += seconds
    return np.zeros((1, 16), dtype=np.float32)


def test_a_slow_system_is_timed_on_five_clips(bench: Bench, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(Watched, "called", staticmethod(lambda: setattr(clock, "wall", clock.wall + 3.0)))
    assert timed(bench, Settings(cache))["n_clips"] == 5
    assert len(Watched.given) == 7, "two of warm-up"


def test_it_is_given_the_features_of_the_cache_on_one_thread(bench: Bench, cache: Path) -> None:
    limit_threads(2)
    timed(bench, Settings(cache, n_threads=2))
    assert Watched.threads == {1}
    assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {2}
    limit_threads(1)
    test = bench.folds[0].test
    chosen = np.linspace(0, len(test) - 1, min(50, len(test))).round().astype(int)
    rows, _ = bench.feature_rows([test[place] for place in chosen])
    expected = bench.features(FRONT_END, cache=cache).array[rows]
    for given, features in zip(Watched.given, expected, strict=False):
        np.testing.assert_array_equal(given.features.load(), features[None])
        assert given.device is None


def test_a_system_that_stays_on_a_gpu_is_not_timed(bench: Bench, cache: Path) -> None:
    found = timed(bench, Settings(cache, device="cuda:0"))
    assert found == {"not_measured": "it cannot be moved from cuda:0 to the CPU"}
    assert not Watched.given


def run(system: type[System], bench: Bench, cache: Path, folder: Path, *, measure: bool) -> StoredRun:
    (spec,) = plan(bench, [variant_of(system)], budget=Budget.SMOKE, repeats=range(1))
    found = run_once(spec, bench, ResultsStore(folder), Settings(cache, measure_inference=measure), NOTHING)
    assert found is not None
    return found


def test_nothing_else_of_a_run_changes(bench: Bench, cache: Path, tmp_path: Path) -> None:
    with_, without = (run(Watched, bench, cache, tmp_path / str(on), measure=on) for on in (True, False))
    pd.testing.assert_frame_equal(with_.predictions, without.predictions, check_exact=True)
    assert set(with_.manifest) - set(without.manifest) == {"inference"}
    assert with_.manifest["key"] == without.manifest["key"]
    assert with_.manifest["files"] == without.manifest["files"]
    assert with_.manifest["durations_s"].keys() == without.manifest["durations_s"].keys()
    times = with_.manifest["inference"]
    assert times["total_ms"] >= max(times["front_end_ms"], times["predict_ms"]) > 0


def test_a_run_survives_a_system_that_cannot_predict_one_clip(
    bench: Bench, cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = run(OnlyTogether, bench, cache, tmp_path, measure=True)
    assert done.done and len(done.predictions)
    assert done.manifest["inference"] == {"not_measured": "IndexError: too many indices"}
    assert "only-together: prediction of single clips could not be timed: IndexError" in caplog.text


TIMES = {"total_ms": 5.0, "front_end_ms": 2.0, "predict_ms": 3.0, "n_clips": 50, "processor": "EPYC"}
OTHER = {"total_ms": 7.0, "front_end_ms": 2.5, "predict_ms": 4.5, "n_clips": 20, "processor": "EPYC"}


def evaluated(*entries: dict[str, object] | None) -> Evaluation:
    """One system for each entry, all scored."""
    runs = [manifest(f"s{i}", **({} if e is None else {"inference": e})) for i, e in enumerate(entries)]
    values = {f"s{i}": {"average": 0.5 + 0.01 * i} for i in range(len(entries))}
    return Evaluation(
        manifests=runs,
        measures=(Measure("average"),),
        scores=scores(values),
        significance=pd.DataFrame(columns=list(SIGNIFICANCE_COLUMNS)),
        published={},
    )


def test_runs_without_a_time_are_missing_and_never_zero() -> None:
    made = evaluated(None, TIMES, {"not_measured": "it crashed"})
    table = made.results()
    column = {row[0].split()[0]: row[table.columns.index("ms per clip")] for row in table.rows}
    assert column == {"s0": "–", "s1": "5.00 (2.00 + 3.00)", "s2": "–"}
    assert any("processor time of a single clip on one core of EPYC" in note for note in table.notes)
    tidy = made.tidy().set_index("system")
    assert tidy["clip_ms"].isna().to_dict() == {"s0": True, "s1": False, "s2": True}
    assert tuple(tidy.loc["s1", ["clip_ms", "clip_front_end_ms", "clip_predict_ms"]]) == (5.0, 2.0, 3.0)
    shown = {row["name"]: row["costs"]["clip_ms"] for row in system_rows(made)}
    assert shown["s1"] == {"value": 5.0, "text": "5.00 (2.00 + 3.00)"}
    assert shown["s0"] == shown["s2"] == {"value": None, "text": "–"}
    (brief, *_) = brief_tables(made)
    assert "of EPYC" in brief.text(200) and "ms per clip" in brief.columns


def test_tables_of_runs_that_were_never_timed_are_as_before() -> None:
    made = evaluated(None, None)
    assert not [name for name in made.results().columns if "ms" in name]
    assert not [name for name in made.tidy().columns if name.startswith("clip_")]
    written = io.StringIO(made.tidy().to_csv(index=False))
    assert "train_s,status," in written.getvalue().splitlines()[0]


def test_runs_of_a_system_are_averaged() -> None:
    runs = [manifest("s", fold=f"fold{i}", inference=entry) for i, entry in enumerate((TIMES, OTHER))]
    made = replace(
        evaluated(None), manifests=[*runs, manifest("s", fold="fold3")], scores=scores({"s": {"average": 0.5}})
    )
    (row,) = made.results().rows
    assert "6.00 (2.25 + 3.75)" in row


def test_a_fusion_takes_as_long_as_its_members() -> None:
    both = fusion._inference([{"inference": TIMES}, {"inference": OTHER}])
    assert both == {
        "inference": {"total_ms": 12.0, "front_end_ms": 4.5, "predict_ms": 7.5, "n_clips": 20, "processor": "EPYC"}
    }
    assert fusion._inference([{"inference": TIMES}, {}]) == {}
    assert fusion._inference([{"inference": TIMES}, {"inference": OTHER | {"processor": "Xeon"}}]) == {}


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [(0.01234, "0.012"), (0.9999, "1.00"), (1.234, "1.23"), (9.996, "10.0"), (99.96, "100"), (1234.5, "1,234"),
     (float("nan"), "–"), (None, "–")],
)  # fmt: skip
def test_milliseconds(duration_ms: float | None, text: str) -> None:
    assert milliseconds(duration_ms) == text
