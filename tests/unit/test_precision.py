"""Which arithmetic is chosen, who is told of it, and that no denormal number is left anywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from asc_bench.api import ConfigError, Context, LabelledClips, SystemFailure, TrainingPlan
from asc_bench.bench.bench import Bench
from asc_bench.budget import Budget
from asc_bench.experiment import Experiment
from asc_bench.runs import cluster, parallel
from asc_bench.runs.plan import RunSpec, plan
from asc_bench.runs.pools import ThisProcess
from asc_bench.runs.runner import run_once
from asc_bench.runs.settings import Settings, Workers
from asc_bench.runs.store import ResultsStore, StoredRun
from asc_bench.runs.variant import parse_variants, variant_of
from asc_bench.runs.work import survey
from asc_bench.screen import Unwatched
from asc_bench.training import precision
from asc_bench.training.device import reproducible
from asc_bench.training.precision import Decision, asked_for, choose_precision, decide, for_plan
from tests.unit.made_runs import SETTINGS, made_bench, publish
from tests.unit.small_sets import TinyNet, context, tones
from tests.unit.test_overhead import Uniform

PLAN = TrainingPlan(batch_size=8, iterations=20, learning_rate=0.01, precision="auto")
SHAPE = (16, 12)
FOUND = {arithmetic: Decision(arithmetic, "for the test") for arithmetic in precision.ARITHMETICS}
TINY = torch.finfo(torch.float32).tiny


def timings(float32: tuple[float, float], bfloat16: tuple[float, float]) -> dict[str, float]:
    names = ("convolution", "matrix product")
    of = {"float32": float32, "bfloat16": bfloat16}
    return {f"{name} {a}": of[a][i] for a in of for i, name in enumerate(names)}


@pytest.mark.parametrize(
    ("bfloat16", "chosen", "gain"),
    [
        ((1.0, 1.0), "bfloat16", "2.00"),
        ((0.5, 1.5), "bfloat16", "2.00"),
        ((1.7, 1.7), "bfloat16", "1.18"),
        ((1.8, 1.8), "float32", "1.11"),  # faster, but not by what noise may feign
        ((2.4, 3.1), "float32", "0.73"),
    ],
)
def test_bfloat16_must_be_faster_by_more_than_noise(bfloat16: tuple[float, float], chosen: str, gain: str) -> None:
    found = decide(timings((2.0, 2.0), bfloat16))
    assert found.precision == chosen and f"bfloat16 is {gain} times as fast" in found.reason
    assert found.facts()["timed_matrix_product_bfloat16_ms"] == pytest.approx(1e3 * bfloat16[1])


def test_least_times_of_a_disturbed_machine() -> None:
    """Eight rounds of ever less disturbance, then six in which nothing is gained but 1 %."""
    times = {"a": [99.0, 9, 8, 7, 6, 5, 4, 3, 2, 2, 3, 1.99, 2, 2, 2, 1], "b": [0.1] + [5.0] * 15}
    calls = {name: iter(values) for name, values in times.items()}
    found = precision.least_times({name: lambda values=values: next(values) for name, values in calls.items()})
    assert found == {"a": 1.99, "b": 5.0}
    assert list(calls["a"]) == [1]


def test_a_machine_that_is_never_quiet_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "MAX_ROUNDS", 4)
    values = iter([9.0, 8.0, 7.0, 6.0, 5.0, 4.0])
    assert precision.least_times({"a": lambda: next(values)}) == {"a": 5.0}


def test_both_are_timed_once_in_a_process_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    precision.choose_precision.cache_clear()
    torch.manual_seed(3)
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    with torch.inference_mode():
        first = choose_precision("cpu")
    assert set(first.seconds) == set(timings((1, 1), (1, 1))) and min(first.seconds.values()) > 0
    monkeypatch.setattr(precision, "_timed", lambda: pytest.fail("timed again"))
    assert choose_precision("cpu") is first
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == n_threads


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_is_not_timed(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    precision.choose_precision.cache_clear()
    monkeypatch.setattr(precision, "_timed", lambda: pytest.fail("timed"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert choose_precision("cuda:0").precision == ("bfloat16" if native else "float32")
    precision.choose_precision.cache_clear()


def test_a_plan_is_overruled_by_what_the_user_asks_for_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "choose_precision", lambda device: pytest.fail("timed"))
    decided, fixed = FOUND["bfloat16"], asked_for("bfloat16")
    assert for_plan("auto", "cpu", decided).precision == "bfloat16"
    assert for_plan("float32", "cpu", decided).precision == "float32"
    assert for_plan("float32", "cpu").precision == "float32"
    assert for_plan("float32", "cpu", fixed).precision == "bfloat16"
    assert asked_for("auto") is None


@pytest.mark.parametrize("arithmetic", precision.ARITHMETICS)
def test_training_follows_the_decision_and_tells_it(tmp_path: Path, arithmetic: str) -> None:
    told, stated = TinyNet(PLAN), TinyNet(replace(PLAN, precision=arithmetic))  # type: ignore[arg-type]
    train = tones(8, SHAPE)
    told.fit(train, None, context(tmp_path / "told", precision=FOUND[arithmetic]))  # type: ignore[index]
    stated.fit(train, None, context(tmp_path / "stated"))
    np.testing.assert_array_equal(told.predict(train), stated.predict(train))
    assert told.facts() == {"training_precision": arithmetic, "training_precision_reason": "for the test"}
    assert stated.facts()["training_precision_reason"] == "as the training plan says"


class CutError(Exception):
    pass


def cut_training(folder: Path, plan: TrainingPlan, decision: Decision) -> None:
    def progress(fraction: float, message: str) -> None:
        if fraction >= 0.5:
            raise CutError

    with pytest.raises(CutError):
        TinyNet(plan).fit(tones(8, SHAPE), None, context(folder, precision=decision, progress=progress))


def test_a_resumed_training_goes_on_in_the_arithmetic_of_its_checkpoint(tmp_path: Path) -> None:
    """However the timing turns out the second time."""
    train = tones(8, SHAPE)
    straight, resumed = TinyNet(PLAN), TinyNet(PLAN)
    straight.fit(train, None, context(tmp_path / "straight", precision=FOUND["bfloat16"]))
    cut_training(tmp_path / "cut", PLAN, FOUND["bfloat16"])
    resumed.fit(train, None, context(tmp_path / "cut", precision=FOUND["float32"]))
    np.testing.assert_array_equal(straight.predict(train), resumed.predict(train))
    assert resumed.facts()["training_precision"] == "bfloat16"
    assert str(resumed.facts()["training_precision_reason"]).startswith("as its checkpoint")


def test_a_checkpoint_of_another_arithmetic_than_is_asked_for_is_refused_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = tones(8, SHAPE)
    cut_training(tmp_path / "cut", PLAN, FOUND["bfloat16"])
    again, fresh = TinyNet(PLAN), TinyNet(PLAN)
    again.fit(train, None, context(tmp_path / "cut", precision=asked_for("float32")))
    fresh.fit(train, None, context(tmp_path / "fresh", precision=asked_for("float32")))
    np.testing.assert_array_equal(again.predict(train), fresh.predict(train))
    assert "is of training in bfloat16, not float32: training starts over" in caplog.text


def test_options_know_three_values() -> None:
    fixed = Experiment.of(precision="float32").settings.precision
    assert fixed is not None and fixed.fixed and fixed.precision == "float32"
    assert Experiment.of().settings.precision is None
    with pytest.raises(ConfigError, match="precision is 'float16'"):
        Experiment.of(precision="float16")


@pytest.mark.parametrize(
    ("asked", "todo"), [("auto", []), ("bfloat16", []), ("float32", ["sb-cnn"])], ids=lambda x: str(x)
)
def test_stored_runs_of_another_arithmetic_than_is_asked_for_are_computed_again(
    tmp_path: Path, asked: str, todo: list[str]
) -> None:
    bench, store = made_bench(), ResultsStore(tmp_path)
    specs = plan(bench, parse_variants("sb-cnn,logmel-svm"), budget=Budget.SMOKE)
    publish(store, bench, specs[0], precision="bfloat16")
    publish(store, bench, specs[1])
    work = survey(specs, bench, store, replace(SETTINGS, precision=asked_for(asked)))
    assert [spec.variant.name for spec in work.todo] == todo


@pytest.mark.parametrize(
    ("systems", "scheduler", "decided"),
    [("sb-cnn,logmel-svm", "", True), ("logmel-svm", "", False), ("sb-cnn", "tcp://elsewhere", False)],
)
def test_one_decision_for_all_runs_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systems: str, scheduler: str, decided: bool
) -> None:
    bench = made_bench()
    specs = plan(bench, parse_variants(systems), budget=Budget.SMOKE)
    seen: list[Decision | None] = []

    class Pool(ThisProcess):
        def __init__(self, *given: object) -> None:
            (settings,) = (value for value in given if isinstance(value, Settings))
            seen.append(settings.precision)
            self.specs: list[RunSpec] = []

        def has_room(self) -> bool:
            return True

        def submit(self, spec: RunSpec, *, wait: bool) -> None:
            self.specs.append(spec)

        def next(self) -> tuple[RunSpec, StoredRun]:
            return self.specs.pop(), StoredRun(tmp_path, {"status": "done"})

    monkeypatch.setattr(parallel, "ThisProcess", Pool)
    monkeypatch.setattr(parallel, "Processes", Pool)
    monkeypatch.setattr(cluster, "Cluster", Pool)
    monkeypatch.setattr(parallel, "choose_precision", lambda device: FOUND["bfloat16"])
    workers = Workers(backend="dask" if scheduler else "loky", scheduler=scheduler)
    parallel.execute(specs, bench, ResultsStore(tmp_path), SETTINGS, workers, Unwatched())
    assert seen == [FOUND["bfloat16"] if decided else None]


class Told(Uniform):
    """It tells the arithmetic that it was given."""

    card = replace(Uniform.card, name="told")

    def fit(self, train: LabelledClips, validation: LabelledClips | None, context: Context) -> None:
        assert context.precision is not None
        self.given = context.precision

    def facts(self) -> dict[str, str | float]:
        return self.given.facts()


def test_a_run_is_given_the_decision_and_made_again_where_another_is_asked_for(
    bench: Bench, cache: Path, tmp_path: Path
) -> None:
    (spec,) = plan(bench, [variant_of(Told)], budget=Budget.SMOKE)
    store, reasons = ResultsStore(tmp_path), []
    for decision in (FOUND["float32"], FOUND["bfloat16"], asked_for("float32"), asked_for("bfloat16")):
        run = run_once(spec, bench, store, Settings(cache, precision=decision), lambda fraction, text: None)
        assert run is not None and run.done
        reasons.append(
            (run.manifest["facts"]["training_precision"], run.manifest["facts"]["training_precision_reason"])
        )
    # What was timed to be faster is no reason to compute again.
    assert reasons == [("float32", "for the test")] * 3 + [("bfloat16", "asked for")]


class Denormal(nn.Module):
    """A convolution whose products are denormal numbers; it notes how many of them are left."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        nn.init.constant_(self.layer.weight, 1e-39)
        self.dense = nn.Linear(16, 3)
        self.left: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.layer(x.repeat(1, 20, 20).unsqueeze(1))
        bits = maps.detach().contiguous().view(torch.int32) & 0x7FFF_FFFF  # a comparison would see zeros
        self.left.append(int(((bits > 0) & (bits < 0x0080_0000)).sum()))
        out: torch.Tensor = self.dense(maps.mean(dim=(2, 3)))
        return out


class DenormalNet(TinyNet):
    def build(self) -> nn.Module:
        return Denormal()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_denormal_numbers_are_zeros_in_training_and_prediction_and_stay_outside(
    tmp_path: Path, n_threads: int
) -> None:
    """With two threads, too, where torch's own switch reaches one of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        system = DenormalNet(replace(PLAN, iterations=2, precision="float32"))
        alone = Denormal()
        alone(torch.ones(24, *SHAPE))
        assert alone.left[0] > 1000, "this CPU has no denormal numbers to begin with"
        system.fit(tones(8, SHAPE), None, context(tmp_path))
        system.predict(tones(8, SHAPE))
        assert isinstance(system.module, Denormal)
        assert system.module.left == [0] * 3
        alone(torch.ones(24, *SHAPE))
        assert alone.left[1] == alone.left[0]
    finally:
        torch.set_num_threads(before)


def test_a_caller_who_flushes_denormals_goes_on_doing_so() -> None:
    torch.set_flush_denormal(True)
    try:
        with reproducible("cpu"):
            pass
        assert float(torch.tensor([TINY]) / 2) == 0.0
    finally:
        torch.set_flush_denormal(False)
    with pytest.raises(SystemFailure), reproducible("cpu"):
        raise SystemFailure("whatever happens inside")
    assert float(torch.tensor([TINY]) / 2) > 0.0
