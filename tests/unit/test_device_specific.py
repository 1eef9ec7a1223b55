from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asc_bench.baselines.device_specific import DeviceSpecific

from asc_bench.api import (
    FINE,
    UNKNOWN_DEVICE,
    Clips,
    ConfigError,
    Cosine,
    DeviceSpecificParams,
    FreqMixStyle,
    LabelledClips,
    Step,
    StoreError,
    SystemFailure,
    TimeRoll,
    TrainingPlan,
)
from asc_bench.budget import Budget
from asc_bench.runs.variant import parse_variants
from asc_bench.training.fine_tuning import fine_tuning
from tests.unit.small_sets import TinyNet, context, refusal, task, tones

DEVICES = ("A", "B", "S1", UNKNOWN_DEVICE)
PLAN = TrainingPlan(batch_size=6, epochs=6, learning_rate=0.01, standardise="per-band")


def train_clips() -> LabelledClips:
    """Eighteen clips: nine of A, six of B, three of S1."""
    return replace(tones(6, (12, 12)), device=np.array([0, 1, 0, 1, 2, 0] * 3))


def wrapped(plan: TrainingPlan = PLAN, **settings: float) -> DeviceSpecific:
    system = DeviceSpecific(task(devices=DEVICES), DeviceSpecificParams(of="tiny-net", **settings), Budget.SMOKE)
    system.inner = TinyNet(plan)
    return system


def test_the_plan_is_that_of_the_source():
    """150 epochs at 0.005 after 2,000 steps become 50 at 0.0005 after 200, of 400 on B and of 5,000 on A."""
    general = TrainingPlan(
        batch_size=256,
        epochs=150,
        optimiser="adamw",
        learning_rate=5e-3,
        weight_decay=1e-4,
        schedule=Cosine(warmup_steps=2_000),
        augment=(TimeRoll(seconds=0.1), FreqMixStyle(p=0.4, alpha=0.3)),
        short_batches=True,
    )
    assert general.n_steps(34_900) == 20_550
    for n_of_device, n_steps in ((1_900, 400), (25_520, 5_000)):
        plan = fine_tuning(general, n_clips=34_900, n_of_device=n_of_device)
        assert (plan.epochs, plan.n_steps(n_of_device)) == (50, n_steps)
        assert plan.learning_rate == pytest.approx(5e-4) and plan.augment == (TimeRoll(seconds=0.1),)
        assert plan.schedule.warmup * n_steps == pytest.approx(200)
        assert (
            replace(plan, epochs=150, learning_rate=5e-3, schedule=general.schedule, augment=general.augment)
            == general
        )


def test_iterations_are_shared_among_the_devices():
    general = TrainingPlan(
        batch_size=32, iterations=1_200, schedule=Step(every=400, gamma=0.1), validate_every=50, validate_after=600
    )
    plan = fine_tuning(general, n_clips=1_000, n_of_device=250, length=0.4)
    assert (plan.iterations, plan.schedule, plan.validate_after) == (120, Step(every=40, gamma=0.1), 60)
    assert fine_tuning(general, n_clips=1_000, n_of_device=1).iterations == 1
    warm = replace(general, schedule=Cosine(warmup=0.1))
    assert fine_tuning(warm, n_clips=1_000, n_of_device=1).schedule.warmup == 0.5, "half of all steps at most"
    again = replace(general, schedule=Cosine(warmup=0.1, cycles=3))
    assert fine_tuning(again, n_clips=1_000, n_of_device=250).schedule.cycles == 3


def test_each_device_has_the_general_network_trained_on(tmp_path: Path):
    """Networks trained by hand: one on all clips, and copies of it on the clips of each device."""
    train, test = train_clips(), replace(tones(4, (12, 12), seed=1), device=np.arange(12) % 4)
    system = wrapped(length=0.5)
    system.fit(train, None, context(tmp_path))
    given = system.predict(test)

    general = TinyNet(PLAN)
    general.fit(replace(train, device=None), None, context(tmp_path / "general"))
    np.testing.assert_array_equal(given[test.device == 3], general.predict(test)[test.device == 3])
    for place in range(3):
        alone = TinyNet(replace(PLAN, epochs=3, learning_rate=0.001))
        alone.build = lambda: copy.deepcopy(general.module)  # type: ignore[method-assign]
        alone._statistics = general._statistics
        alone.module = alone.train_network(
            replace(train.where(train.device == place), device=None), None, context(tmp_path / str(place))
        )
        mine = test.device == place
        np.testing.assert_allclose(given[mine], alone.predict(test)[mine], atol=1e-6)
        assert np.abs(given[mine] - general.predict(test)[mine]).max() > 1e-4


def test_facts_count_one_network_and_all(tmp_path: Path):
    system = wrapped()
    system.fit(train_clips(), None, context(tmp_path))
    n = 4 * 9 + 4 + 2 * 4 + 48 * 3 + 3
    cost = system.complexity()
    assert (cost["n_parameters"], cost["n_device_models"]) == (4 * n, 4)
    facts = system.facts()
    assert facts["fine_tuned_devices"] == "A, B, S1"
    assert (facts["n_parameters_per_device_model"], facts["n_parameters_of_all_models"]) == (n, 4 * n)


def stop_in(what: str) -> Callable[[float, str], None]:
    def progress(fraction: float, message: str) -> None:
        assert 0 <= fraction <= 1
        if message.startswith(what) and "epoch 2/" in message:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("part", ["epoch", "device B: epoch"])
def test_a_training_that_was_cut_short_goes_on(tmp_path: Path, monkeypatch, part: str):
    train, test = train_clips(), replace(tones(4, (12, 12), seed=1), device=np.arange(12) % 4)
    never = wrapped(length=0.5)
    never.fit(train, None, context(tmp_path / "never"))

    steps: list[int] = []
    own = TinyNet.loss
    monkeypatch.setattr(
        TinyNet, "loss", lambda self, outputs, batch: (steps.append(1), own(self, outputs, batch))[1]
    )
    with pytest.raises(KeyboardInterrupt):
        wrapped(length=0.5).fit(train, None, context(tmp_path / "cut", progress=stop_in(part)))
    again = wrapped(length=0.5)
    again.fit(train, None, context(tmp_path / "cut"))
    np.testing.assert_array_equal(again.predict(test), never.predict(test))
    # Eighteen clips by six, six times; then three times nine, six and three clips.
    assert len(steps) == 6 * 3 + (5 + 3 + 3), "no step was taken twice"


def test_saved_networks_are_read_back(tmp_path: Path):
    system, test = wrapped(), replace(tones(4, (12, 12), seed=1), device=np.arange(12) % 4)
    system.fit(train_clips(), None, context(tmp_path))
    (tmp_path / "saved").mkdir()
    system.save(tmp_path / "saved")
    again = wrapped()
    again.load(tmp_path / "saved")
    np.testing.assert_allclose(again.predict(test), system.predict(test), atol=1e-6)
    assert again.facts()["fine_tuned_devices"] == "A, B, S1"

    other = DeviceSpecific(task(devices=("A", "D")), DeviceSpecificParams(of="tiny-net"))
    other.inner = TinyNet(PLAN)
    with pytest.raises(StoreError, match=r"networks of devices \['B', 'S1'\]; this task has \['A', 'D'\]"):
        other.load(tmp_path / "saved")
    plain = TinyNet(PLAN)
    plain.module = plain.build()
    plain.save(tmp_path / "saved")
    with pytest.raises(StoreError, match="weights of 'tiny-net', expected 'device-specific'"):
        again.load(tmp_path / "saved")


def test_the_other_device_of_the_computer_takes_all_networks_along(tmp_path: Path):
    system = wrapped()
    system.fit(train_clips(), None, context(tmp_path))
    system.move_to("meta")
    assert {p.device.type for m in system._models.values() for p in m.parameters()} == {"meta"}


def test_validation_is_that_of_the_device(tmp_path: Path):
    plan = replace(PLAN, select="best", validate_every=1)
    validation = replace(tones(1, (12, 12), seed=2), device=np.array([0, 1, 0]))
    with pytest.raises(
        SystemFailure, match=r"tiny-net chooses .* device S1 has none.*of=tiny-net\[plan.select=last"
    ):
        wrapped(plan).fit(train_clips(), validation, context(tmp_path))
    whole = replace(validation, device=np.array([0, 1, 2]))
    system = wrapped(plan)
    seen: list[int] = []
    system.inner.validated = lambda module, result: seen.append(len(result.labels[FINE]))  # type: ignore[attr-defined]
    system.fit(train_clips(), whole, context(tmp_path / "again"))
    assert seen == [3] * 6 + [1] * (2 + 2 + 2)


class FirstOnes(TinyNet):
    """Trained in steps of its own."""

    def fit(self, train, validation, context) -> None:
        super().fit(train, validation, context)


class Listener(TinyNet):
    """Reads the device in training."""

    needs_device = "training"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("inner", "devices", "message"),
    [
        (wrapped(), DEVICES, "tiny-net is no neural network that is trained by a plan"),
        (FirstOnes(PLAN), DEVICES, "tiny-net is trained in several steps, none of which can be repeated"),
        (Listener(PLAN), DEVICES, "tiny-net uses the recording device itself"),
        (TinyNet(PLAN), (), "the training clips have no names of recording devices"),
        (TinyNet(PLAN), (UNKNOWN_DEVICE,), "the training clips have no names of recording devices"),
    ],
)
def test_refusals_say_why(inner, devices, message: str):
    system = DeviceSpecific(task(devices=devices), DeviceSpecificParams(of="tiny-net"))
    system.inner = inner
    assert message in (refusal(system) or "")
    system.inner, system.task = TinyNet(PLAN), task(devices=DEVICES)
    assert refusal(system) is None


def test_predict_needs_the_devices(tmp_path: Path):
    system = wrapped()
    with pytest.raises(SystemFailure, match="neither fitted nor loaded"):
        system.predict(train_clips())
    with pytest.raises(SystemFailure, match="predict was given no devices"):
        system.predict(Clips(train_clips().features))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device-specific", "name the system to fine-tune, as in of=dcase2025-baseline"),
        ("device-specific[of=sb-cnn,rate=0]", "rate is 0.0, must be positive"),
        ("device-specific[of=sb-cnn,length=-1]", "length is -1.0, must be positive"),
        ("device-specific[of=sb-cnn,plan.epochs=3]", r"as in of=NAME\[plan.epochs="),
    ],
)
def test_wrong_settings(text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        parse_variants(text)


@pytest.mark.parametrize(
    ("of", "message"), [("sb-cn", "did you mean"), ("all", "of stands for .* systems, such as")]
)
def test_wrong_inner_systems(of: str, message: str):
    (variant,) = parse_variants(f"device-specific[of={of}]")
    with pytest.raises(ConfigError, match=message):
        variant.build(task(devices=DEVICES), Budget.SMOKE)


def test_the_inner_system_brings_its_settings():
    (variant,) = parse_variants("device-specific[of=sb-cnn[bn=true,plan.epochs=3]]")
    assert str(variant) == "device-specific[of=sb-cnn[bn=true,plan.epochs=3]]"
    system = variant.build(task(devices=DEVICES), Budget.SMOKE)
    assert system.inner.params.bn and system.inner.training_plan().epochs == 3
    assert system.needs_device == "test" and system.front_end() == system.inner.front_end()
    one, all_ = system.inner.complexity(), system.complexity()
    assert all_["n_multiply_adds"] == one["n_multiply_adds"]
    assert all_["n_parameters"] == all_["n_device_models"] * one["n_parameters"]
