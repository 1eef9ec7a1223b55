import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy.stats import gmean
from torch import nn

from asc_bench.api import (
    FINE,
    Clips,
    ConfigError,
    Cosine,
    Crop,
    DataError,
    Features,
    FreqMixStyle,
    Gain,
    Linear,
    Mixup,
    Plateau,
    RandomCrop,
    SpecAugment,
    Step,
    SystemFailure,
    TimeRoll,
    TrainingPlan,
    Transform,
)
from asc_bench.training.batches import ClipStore, Statistics
from asc_bench.training.device import choose_device, fits_on, reproducible
from asc_bench.training.sampling import batch_rows, crop_starts, torch_seed
from tests.unit.small_sets import TinyNet, accuracy, clips, context, tones

PLAN = TrainingPlan(
    batch_size=8, epochs=6, learning_rate=0.01, standardise="per-band", crop=Crop(length=12, n_test=3)
)

SHAPE = (20, 12)


class Undeclared(Transform):
    """Its settings would be in no checkpoint."""

    name = "undeclared"

    def __call__(self, batch, given):
        return batch


class InterruptionError(Exception):
    pass


def interrupt_at(fraction):
    def progress(done, message):
        if done >= fraction:
            raise InterruptionError(message)

    return progress


def weights(system):
    return {name: t.clone() for name, t in system.module.state_dict().items()}


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        replace(PLAN, optimiser="sgd", momentum=0.9, nesterov=True, schedule=Cosine(warmup=0.1)),
        replace(PLAN, epochs=None, iterations=36, schedule=Step(every=5, gamma=0.5)),
        replace(PLAN, select="best", validate_every=1),
        replace(PLAN, schedule=Plateau(gamma=0.2, patience=1, n_stages=4), monitor="loss", validate_every=1),
        replace(PLAN, precision="bfloat16", channels_last=True),
        replace(PLAN, augment=(Mixup(), Gain()), schedule=Linear(start=0.5)),
        replace(PLAN, augment=(SpecAugment(), TimeRoll(), FreqMixStyle(p=0.8), RandomCrop(seconds=0.3)), crop=None),
    ],
    ids=["adam", "sgd", "iterations", "best", "plateau", "bfloat16", "blended", "moved"],
)
def test_resumed_training_equals_an_undisturbed_one(tmp_path, plan):
    train, validation = tones(16, SHAPE), tones(4, SHAPE, seed=5)
    straight = TinyNet(plan)
    straight.fit(train, validation, context(tmp_path / "straight"))

    with pytest.raises(InterruptionError):
        TinyNet(plan).fit(train, validation, context(tmp_path / "cut", progress=interrupt_at(0.5)))
    seen = []
    resumed = TinyNet(plan)
    progress = lambda done, message: seen.append(done)  # noqa: E731
    resumed.fit(train, validation, context(tmp_path / "cut", progress=progress))

    assert_same_weights(weights(straight), weights(resumed))
    assert min(seen, default=1.0) > 0.5, "the first half was trained again"


def test_transforms_of_the_sound_come_before_standardisation_and_others_after(tmp_path):
    """Features lie about -40; standardised ones about 0. What each transform and the network see is noted."""
    seen = {}

    @dataclass(frozen=True)
    class Early(Undeclared):
        name: ClassVar[str] = "early"
        raw: ClassVar[bool] = True

        def __call__(self, batch, given):
            seen["early"] = float(batch.features.mean())
            return replace(batch, features=batch.features + 3.0)

    @dataclass(frozen=True)
    class Late(Undeclared):
        name: ClassVar[str] = "late"

        def __call__(self, batch, given):
            seen["late"] = float(batch.features.mean())
            assert given.shape == (12, 12) and given.standardised
            return replace(batch, features=batch.features * 0.0)

    class Watching(TinyNet):
        def forward(self, module, batch):
            if module.training:
                seen["network"] = float(batch.features.abs().max())
            return super().forward(module, batch)

    train = tones(16, SHAPE)
    plan = replace(PLAN, epochs=None, iterations=1, standardise="global", augment=(Late(), Early()))
    Watching(plan).fit(train, None, context(tmp_path))
    std = train.features.load().std()
    assert seen["early"] == pytest.approx(train.features.load().mean(), abs=1.0)
    assert seen["late"] == pytest.approx(3.0 / std, abs=0.2)
    assert seen["network"] == 0.0


def test_resume_within_an_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr("asc_bench.training.loop.REPORT_EVERY_S", 0.0)
    monkeypatch.setattr(TinyNet, "checkpoint_every_s", 1e-9)
    train = tones(16, SHAPE)
    straight = TinyNet(PLAN)
    straight.fit(train, None, context(tmp_path / "straight"))
    with pytest.raises(InterruptionError, match="epoch 3/6"):
        TinyNet(PLAN).fit(train, None, context(tmp_path / "cut", progress=interrupt_at(16 / 36)))
    resumed = TinyNet(PLAN)
    resumed.fit(train, None, context(tmp_path / "cut"))
    assert_same_weights(weights(straight), weights(resumed))


@pytest.mark.parametrize("other", ["seed", "plan", "features", "labels"])
def test_checkpoint_of_another_training_is_not_taken_up(tmp_path, caplog, other):
    train = tones(16, SHAPE)
    TinyNet(PLAN).fit(train, None, context(tmp_path / "shared"))
    plan = replace(PLAN, learning_rate=0.02) if other == "plan" else PLAN
    seed = 2 if other == "seed" else 1
    if other == "features":
        train = tones(16, SHAPE, seed=9)
    elif other == "labels":
        train = clips(train.features.load(), train.labels[FINE][::-1].copy())
    here, fresh = TinyNet(plan), TinyNet(plan)
    here.fit(train, None, context(tmp_path / "shared", seed=seed))
    fresh.fit(train, None, context(tmp_path / "fresh", seed=seed))
    assert_same_weights(weights(here), weights(fresh))
    assert "belongs to another training" in caplog.text


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "html"])
def test_damaged_checkpoint_is_noticed_and_training_starts_over(tmp_path, caplog, damage):
    train = tones(16, SHAPE)
    straight = TinyNet(PLAN)
    straight.fit(train, None, context(tmp_path / "straight"))
    with pytest.raises(InterruptionError):
        TinyNet(PLAN).fit(train, None, context(tmp_path / "cut", progress=interrupt_at(0.5)))
    path = tmp_path / "cut" / "training.safetensors"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    harm = {"flip": content, "truncate": content[:-50], "empty": b"", "html": b"<html>404</html>"}
    path.write_bytes(harm[damage])
    again = TinyNet(PLAN)
    again.fit(train, None, context(tmp_path / "cut"))
    assert "training starts over" in caplog.text
    assert_same_weights(weights(straight), weights(again))


def test_seed_decides_everything(tmp_path):
    train = tones(16, SHAPE)
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(runs))
        np.random.seed(len(runs))  # noqa: NPY002 - what a careless caller may have done
        system = TinyNet(PLAN)
        system.fit(train, None, context(tmp_path / str(len(runs)), seed=seed))
        runs.append(weights(system))
    assert_same_weights(runs[0], runs[1])
    assert not torch.equal(runs[0]["1.weight"], runs[2]["1.weight"])


def test_random_state_of_the_process_is_left_alone(tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    TinyNet(PLAN).fit(tones(4, SHAPE), None, context(tmp_path))
    assert torch.equal(torch.rand(3), expected)


def test_features_read_batch_by_batch_train_the_same(tmp_path, monkeypatch):
    train = tones(16, SHAPE)
    held, read = TinyNet(PLAN), TinyNet(PLAN)
    held.fit(train, None, context(tmp_path / "held"))
    monkeypatch.setattr("asc_bench.training.batches.fits_on", lambda device, n_bytes: False)
    read.fit(train, None, context(tmp_path / "read"))
    assert_same_weights(weights(held), weights(read))
    np.testing.assert_array_equal(held.predict(train), read.predict(train))


def test_diverging_training_names_step_loss_and_learning_rate(tmp_path):
    plan = replace(PLAN, optimiser="sgd", learning_rate=1e30)
    with pytest.raises(SystemFailure, match=r"diverged at step \d+: loss .*learning rate 1e\+30; lower"):
        TinyNet(plan).fit(tones(4, SHAPE), None, context(tmp_path))


def test_nan_gradient_is_noticed_though_the_loss_is_finite(tmp_path):
    class Trap(TinyNet):
        def loss(self, outputs, batch):
            # The square root has no slope at zero: 0 * inf is NaN, and only in the gradient.
            return super().loss(outputs, batch) + (outputs * 0).sum().sqrt()

    with pytest.raises(SystemFailure, match=r"step 0: loss [\d.]+, gradient norm nan"):
        Trap(PLAN).fit(tones(4, SHAPE), None, context(tmp_path))


def test_validation_needed_but_not_given(tmp_path):
    with pytest.raises(SystemFailure, match="uses_validation"):
        TinyNet(replace(PLAN, select="best", validate_every=1)).fit(tones(4, SHAPE), None, context(tmp_path))


def test_best_weights_are_those_of_the_best_validation(tmp_path):
    seen = []

    class Watched(TinyNet):
        def validated(self, module, validation):
            seen.append((validation.macro_accuracy(), {n: t.clone() for n, t in module.state_dict().items()}))

    plan = replace(PLAN, learning_rate=0.3, select="best", validate_every=1)
    rng = np.random.default_rng(0)
    noisy = clips(rng.normal(size=(30, *SHAPE)), rng.integers(0, 3, size=30))
    system = Watched(plan)
    system.fit(tones(16, SHAPE), noisy, context(tmp_path))
    assert len(seen) == 6
    best = max(range(6), key=lambda i: seen[i][0])
    assert best != 5, "the case shows nothing if the last weights are the best"
    assert_same_weights(weights(system), seen[best][1])


def test_patience_stops_early(tmp_path):
    seen = []

    class Frozen(TinyNet):
        def validated(self, module, validation):
            seen.append(validation)

    plan = replace(PLAN, optimiser="sgd", learning_rate=1e-12, validate_every=1, patience=2)
    Frozen(plan).fit(tones(16, SHAPE), tones(4, SHAPE, seed=3), context(tmp_path))
    assert len(seen) == 3


def test_patience_counts_on_through_the_stages_of_a_plateau(tmp_path):
    seen = []

    class Frozen(TinyNet):
        def validated(self, module, validation):
            seen.append(validation)

    plan = replace(
        PLAN,
        epochs=20,
        optimiser="sgd",
        learning_rate=1e-12,
        schedule=Plateau(gamma=0.5, patience=2),
        validate_every=1,
        patience=5,
    )
    Frozen(plan).fit(tones(16, SHAPE), tones(4, SHAPE, seed=3), context(tmp_path))
    assert len(seen) == 6


def test_macro_accuracy_counts_classes_and_not_clips(tmp_path):
    from asc_bench.training.evaluate import Evaluation

    right = np.eye(2, dtype=np.float32)
    result = Evaluation(probabilities={FINE: right[[0, 0, 0, 0]]}, labels={FINE: np.array([0, 0, 0, 1])})
    assert result.macro_accuracy() == 0.5


@pytest.mark.parametrize("size", [1, 7, 64])
def test_batch_size_of_evaluation_changes_no_label(tmp_path, size):
    from asc_bench.training.evaluate import evaluate

    train, test = tones(16, SHAPE), tones(9, SHAPE, seed=2)
    system = TinyNet(PLAN)
    system.fit(train, None, context(tmp_path))
    reference = system.predict(test)
    store = ClipStore(test, device="cpu", statistics=system._statistics)
    found = evaluate(system.module, system, store, PLAN, batch_size=size).probabilities[FINE]
    np.testing.assert_array_equal(found.argmax(axis=1), reference.argmax(axis=1))
    np.testing.assert_allclose(found, reference, atol=1e-6)
    assert accuracy(reference, test.labels[FINE]) > 0.9


def test_probabilities_are_the_mean_over_excerpts(tmp_path):
    train, test = tones(16, SHAPE), tones(2, SHAPE, seed=2)
    system = TinyNet(PLAN)
    system.fit(train, None, context(tmp_path))
    mean, std = (
        train.features.load().reshape(-1, 12).astype("float64").__getattribute__(f)(0) for f in ("mean", "std")
    )
    x = torch.from_numpy(((test.features.load() - mean) / std).astype("float32"))
    with torch.no_grad():
        views = [system.module.eval()(x[:, s : s + 12]).softmax(1) for s in (0, 4, 8)]
    np.testing.assert_allclose(system.predict(test), torch.stack(views).mean(0).numpy(), atol=1e-5)


def test_geometric_mean_over_excerpts(tmp_path):
    test = tones(2, SHAPE, seed=2)
    arithmetic = TinyNet(replace(PLAN, crop=Crop(length=12, n_test=1)))
    arithmetic.fit(tones(16, SHAPE), None, context(tmp_path))
    views = []
    for start in (0, 4, 8):
        shifted = clips(np.roll(test.features.load(), 4 - start, axis=1), test.labels[FINE])
        views.append(arithmetic.predict(shifted))  # its only excerpt begins at 4
    geometric = TinyNet(replace(PLAN, crop=Crop(length=12, n_test=3, average="geometric")))
    geometric.module, geometric._statistics = arithmetic.module, arithmetic._statistics
    mean = gmean(np.stack(views).astype(np.float64), axis=0)
    np.testing.assert_allclose(geometric.predict(test), mean / mean.sum(axis=1, keepdims=True), atol=1e-5)


def test_channels_last_changes_rounding_only_and_bfloat16_little(tmp_path):
    from asc_bench.modules.conv import AddChannel

    class Plain(TinyNet):
        def build(self):
            return nn.Sequential(AddChannel(), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(),
                                 nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))  # fmt: skip

    train = tones(16, SHAPE)
    found = {}
    for name, changes in {
        "plain": {},
        "channels_last": {"channels_last": True},
        "bfloat16": {"precision": "bfloat16"},
    }.items():
        system = Plain(replace(PLAN, epochs=1, optimiser="sgd", **changes))
        system.fit(train, None, context(tmp_path / name))
        found[name] = system.predict(train)
    np.testing.assert_allclose(found["channels_last"], found["plain"], atol=1e-4)
    np.testing.assert_allclose(found["bfloat16"], found["plain"], atol=0.02)
    assert (found["bfloat16"] != found["plain"]).any()


def test_gradient_norm_is_bounded(tmp_path):
    plan = TrainingPlan(batch_size=48, iterations=1, optimiser="sgd", learning_rate=1.0, clip_gradient_norm=0.01)
    system = TinyNet(plan)
    system.fit(tones(16, SHAPE), None, context(tmp_path))
    with reproducible("cpu"):
        torch.manual_seed(torch_seed(1, -1))
        start = system.build()
    moved = torch.cat(
        [(a - b).flatten() for a, b in zip(start.parameters(), system.module.parameters(), strict=True)]
    )
    assert moved.norm().item() == pytest.approx(0.01, rel=1e-3)


def test_every_clip_comes_once_in_each_epoch():
    rows = np.concatenate([batch_rows(10, 4, seed=3, step=step) for step in range(10)])
    epochs = rows.reshape(4, 10)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(10))
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_excerpts_reach_every_place_and_none_beyond():
    starts = np.concatenate([crop_starts(20, 12, size=16, seed=1, step=s) for s in range(60)])
    np.testing.assert_array_equal(np.unique(starts), np.arange(9))
    np.testing.assert_array_equal(crop_starts(5, 12, size=3, seed=1, step=0), [0, 0, 0])


def test_short_clips_are_repeated():
    x = np.arange(5, dtype=np.float32).reshape(1, 5, 1)
    store = ClipStore(Clips(Features(x, np.array([0]))), device="cpu")
    batch = store.batch(np.array([0]), starts=np.array([0]), length=12)
    assert batch.features.flatten().tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]


@pytest.mark.parametrize(("how", "axes"), [("global", (0, 1, 2)), ("per-band", (0, 1))])
def test_statistics_agree_with_numpy_far_from_zero(how, axes, monkeypatch):
    monkeypatch.setattr("asc_bench.training.batches._CHUNK_BYTES", 2_000)
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(50, 7, 5)) * [1, 2, 3, 4, 0] - 1_000).astype(np.float32)
    found = Statistics.of(Features(x, np.arange(50)), how)
    std = x.astype(np.float64).std(axis=axes)
    np.testing.assert_allclose(found.mean, x.astype(np.float64).mean(axis=axes), rtol=1e-6)
    np.testing.assert_allclose(found.std, np.where(std < 1e-9, 1.0, std), rtol=1e-5)


def test_bad_features_are_named():
    x = np.zeros((4, 6, 2), dtype=np.float32)
    x[2, 1, 1] = np.inf
    for resident in (True, False):
        with pytest.raises(DataError, match=r"clip number 2 .* NaN or infinite"):
            ClipStore(Clips(Features(x, np.arange(4))), device="cpu", resident=resident).batch(np.array([2]))
    with pytest.raises(DataError, match="without a single clip"):
        ClipStore(Clips(Features(x, np.arange(0))), device="cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 3, "iterations": 3}, "either epochs or iterations"),
        ({"epochs": None}, "either epochs or iterations"),
        ({"batch_size": 0}, "batch_size must be positive, got 0"),
        ({"momentum": 0.9}, "belong to sgd, not to adam"),
        ({"select": "best"}, "need validate_every"),
        ({"augment": (Mixup(), TimeRoll(), Mixup(alpha=0.1))}, "augment names mixup twice"),
        ({"augment": (Undeclared(),)}, "Undeclared.* no Transform that is a dataclass of its own"),
        ({"augment": (abs,)}, "built-in function abs.* no Transform"),
    ],
)
def test_impossible_plans_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        replace(TrainingPlan(batch_size=2, epochs=1), **changes)


def test_crop_wants_one_way_of_testing():
    with pytest.raises(ConfigError, match="either test_hop or n_test"):
        Crop(length=10)
    assert Crop(length=4, test_hop=3).test_starts(10) == (0, 3, 6)
    assert Crop(length=4, n_test=1).test_starts(10) == (3,)
    assert Crop(length=40, n_test=3).test_starts(10) == (0,)


def test_schedules_by_hand():
    assert [Step(every=2, gamma=0.5).factor(s, 9) for s in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    assert Cosine().factor(0, 10) == 1
    assert Cosine().factor(5, 10) == pytest.approx(0.5)
    assert Cosine().factor(9, 10) == pytest.approx(0.5 * (1 + math.cos(0.9 * math.pi)))
    assert Cosine(warmup=0.4).factor(1, 10) == pytest.approx(2 / 5)
    assert Cosine(warmup_steps=4).factor(1, 10) == pytest.approx(2 / 5)
    assert Cosine(warmup_steps=4).factor(1, 6) == pytest.approx(2 / 4), "three of six steps"
    for wrong in ({"warmup_steps": -1}, {"warmup_steps": 4, "warmup": 0.1}):
        with pytest.raises(ConfigError, match=r"give warmup .* or warmup_steps .*, none negative"):
            Cosine(**wrong)
    falling = Linear(start=0.2, end=0.6, floor=0.1)
    assert [falling.factor(s, 10) for s in (0, 2, 4, 6, 9)] == pytest.approx([1, 1, 0.55, 0.1, 0.1])
    with pytest.raises(ConfigError, match=r"0 <= start < end <= 1, got start 0.7 and end 0.7"):
        Linear(start=0.7, end=0.7)


def test_schedules_that_rise_or_start_again_by_hand():
    rising = Linear(start=0.5, warmup=0.4)
    assert [rising.factor(s, 10) for s in (0, 2, 4, 5)] == pytest.approx([math.exp(-5), math.exp(-1.25), 1, 1])
    with pytest.raises(ConfigError, match=r"warmup is 0\.6, must be between 0 and start, 0\.5"):
        Linear(start=0.5, warmup=0.6)
    # torch's CosineAnnealingWarmRestarts(T_0=2, T_mult=2) over 14 steps.
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimiser, T_0=2, T_mult=2)
    for step in range(14):
        assert Cosine(cycles=3).factor(step, 14) == pytest.approx(restarts.get_last_lr()[0], abs=1e-12)
        optimiser.step()
        restarts.step()
    with pytest.raises(ConfigError, match="cycles is 0, must be at least 1"):
        Cosine(cycles=0)


def test_convolutions_are_exact_and_repeatable_inside_and_as_before_outside():
    cudnn = torch.backends.cudnn
    before = (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32)
    with reproducible("cpu"):
        assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == (True, False, True, False)
    assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == before


def test_devices():
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda")
    with pytest.raises(ConfigError, match="none of auto, cpu, cuda"):
        choose_device("tpu")
    with pytest.raises(ConfigError, match=r"sees .* GPUs here"):
        choose_device("cuda:99")
    assert fits_on("cpu", 1) and not fits_on("cpu", 10**15)
