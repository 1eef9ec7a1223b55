"""A distilled student against losses and trainings worked out by other means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.baselines.distilled import Distilled

from asc_bench.api import (
    FINE,
    ConfigError,
    DistilledParams,
    LabelledClips,
    Mixup,
    SystemFailure,
    TorchSystem,
    TrainingPlan,
)
from asc_bench.budget import Budget
from asc_bench.modules.losses import distillation_loss
from asc_bench.runs.variant import parse_variants
from asc_bench.systems.distilled import mean_logits
from asc_bench.training.batches import Batch, ClipStore
from asc_bench.training.sampling import batch_rows, mixup_draw, torch_seed
from asc_bench.training.transforms.base import Given
from tests.unit.small_sets import TinyNet, context, refusal, task, tones

PLAN = TrainingPlan(batch_size=6, epochs=4, learning_rate=0.01, standardise="per-band", augment=(Mixup(0.4),))


def taught(seed: int = 0, **changes: object) -> LabelledClips:
    """Eighteen clips, and logits of a teacher that often errs."""
    logits = np.random.default_rng(7 + seed).normal(scale=3.0, size=(18, 3)).astype(np.float32)
    return replace(tones(6, (12, 12)), teacher_logits=logits, **changes)  # type: ignore[arg-type]


def distilled(plan: TrainingPlan = PLAN, **settings: object) -> Distilled:
    params = DistilledParams(student="tiny-net", teachers="sb-cnn", **settings)  # type: ignore[arg-type]
    system = Distilled(task(), params, Budget.SMOKE)
    system.inner = TinyNet(plan)
    return system


def weights(system: TorchSystem) -> list[np.ndarray]:
    assert system.module is not None
    return [t.numpy() for t in system.module.state_dict().values()]


def test_the_loss_by_hand() -> None:
    """Teacher 0.8 and 0.2 at T = 2 from logits 2 ln 4 and 0, student even: 4 KL, and the mean over two classes."""
    found = distillation_loss(torch.zeros(1, 2), torch.tensor([[2 * np.log(4.0), 0.0]]), temperature=2.0)
    divergence = 0.8 * np.log(0.8 / 0.5) + 0.2 * np.log(0.2 / 0.5)
    assert float(found) == pytest.approx(4 * divergence / 2, rel=1e-6)


def test_the_loss_is_that_of_torch_and_takes_log_probabilities() -> None:
    generator = torch.Generator().manual_seed(0)
    own = torch.randn(5, 4, generator=generator, requires_grad=True)
    teacher = 3 * torch.randn(5, 4, generator=generator)
    criterion = torch.nn.KLDivLoss(reduction="none", log_target=True)
    expected = 9 * criterion((own / 3).log_softmax(1), (teacher / 3).log_softmax(1)).mean()
    found = distillation_loss(own, teacher, temperature=3.0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(distillation_loss(own, teacher.log_softmax(1), temperature=3.0), found)
    (gradient,) = torch.autograd.grad(found, own)
    closed = 3.0 * ((own / 3).softmax(1) - (teacher / 3).softmax(1)) / 20
    torch.testing.assert_close(gradient, closed)
    assert distillation_loss(own, own).item() == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(ConfigError, match=r"temperature is 0\.0, must be above 0"):
        distillation_loss(own, teacher, temperature=0.0)


def test_teachers_are_averaged_in_the_logarithm() -> None:
    logits = np.random.default_rng(1).normal(scale=4.0, size=(2, 6, 3))
    predicted = [torch.tensor(one).softmax(1).numpy().astype(np.float32) for one in logits]
    found, mean = mean_logits(predicted), logits.mean(axis=0)
    np.testing.assert_allclose(found - found[:, :1], mean - mean[:, :1], atol=1e-5)
    assert np.isfinite(mean_logits([np.array([[1.0, 0.0]], np.float32)])).all()


@pytest.mark.parametrize("settings", [{"label_weight": 0.02}, {"label_weight": 0.5, "temperature": 4.0}])
def test_a_step_is_that_of_the_published_loss(tmp_path: Path, settings: dict[str, float]) -> None:
    """One step of plain gradient descent by hand, on a whole batch that mixup has blended."""
    plan = replace(PLAN, batch_size=18, epochs=1, optimiser="sgd", standardise="none")
    weight, temperature = settings["label_weight"], settings.get("temperature", 2.0)
    system = distilled(plan, **settings)
    seen: list[Batch] = []
    forward = system.inner.forward  # type: ignore[attr-defined]
    system.inner.forward = lambda module, batch: (seen.append(batch), forward(module, batch))[1]  # type: ignore[attr-defined]
    system.fit(taught(), None, context(tmp_path))

    (batch,) = seen
    assert batch.blend is not None and batch.teacher_logits is not None
    rows = batch_rows(18, 18, seed=1, step=0)
    share, partner = mixup_draw(0.4, size=18, seed=1, step=0)
    given = torch.tensor(taught().teacher_logits)[rows]
    mixed = share * given + (1 - share) * given[partner]
    torch.testing.assert_close(batch.teacher_logits, mixed)
    labels = torch.tensor(tones(6, (12, 12)).labels[FINE])[rows]

    torch.manual_seed(torch_seed(1, -1))
    module = TinyNet(plan).build()
    torch.manual_seed(torch_seed(1, 0))
    outputs = module.train()(batch.features)
    entropy = torch.nn.functional.cross_entropy
    hard = share * entropy(outputs, labels) + (1 - share) * entropy(outputs, labels[partner])
    soft = torch.nn.functional.kl_div(
        (outputs / temperature).log_softmax(1), (mixed / temperature).softmax(1), reduction="none"
    ).mean()
    (weight * hard + (1 - weight) * temperature**2 * soft).backward()  # type: ignore[no-untyped-call]
    fitted = dict(system.inner.module.named_parameters())  # type: ignore[attr-defined]
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(
            fitted[name].detach(), (parameter - 0.01 * parameter.grad).detach(), atol=1e-6, rtol=1e-5
        )


def test_labels_alone_train_the_student_as_it_is_trained_alone(tmp_path: Path) -> None:
    alone, system = TinyNet(PLAN), distilled(label_weight=1.0)
    alone.fit(tones(6, (12, 12)), None, context(tmp_path / "alone"))
    system.fit(taught(), None, context(tmp_path / "taught"))
    for mine, its in zip(weights(system.inner), weights(alone), strict=True):  # type: ignore[arg-type]
        np.testing.assert_array_equal(mine, its)
    other = distilled()
    other.fit(taught(), None, context(tmp_path / "other"))
    assert np.abs(other.predict(taught()) - alone.predict(taught())).max() > 1e-3


def test_a_training_that_was_cut_short_goes_on_and_another_teacher_starts_over(tmp_path: Path, caplog) -> None:
    never = distilled()
    never.fit(taught(), None, context(tmp_path / "never"))

    def stop(fraction: float, message: str) -> None:
        if "epoch 3/" in message:
            raise KeyboardInterrupt

    for folder in ("cut", "exchanged"):
        with pytest.raises(KeyboardInterrupt):
            distilled().fit(taught(), None, context(tmp_path / folder, progress=stop))
    again = distilled()
    again.fit(taught(), None, context(tmp_path / "cut"))
    for mine, its in zip(weights(again.inner), weights(never.inner), strict=True):  # type: ignore[arg-type]
        np.testing.assert_array_equal(mine, its)
    assert "belongs to another training" not in caplog.text
    distilled().fit(taught(seed=1), None, context(tmp_path / "exchanged"))
    assert "belongs to another training" in caplog.text


def test_a_student_learns_what_its_teacher_says(tmp_path: Path) -> None:
    """A teacher that takes each class for the next one; labels count nothing."""
    clips = tones(20, (12, 12))
    wrong = (clips.labels[FINE] + 1) % 3
    clips = replace(clips, teacher_logits=(8.0 * np.eye(3)[wrong]).astype(np.float32))
    system = distilled(replace(PLAN, epochs=30, augment=()), label_weight=0.0)
    system.fit(clips, None, context(tmp_path))
    test = tones(10, (12, 12), seed=1)
    assert (system.predict(test).argmax(1) == (test.labels[FINE] + 1) % 3).mean() > 0.9


def test_validation_clips_have_no_teacher_and_give_the_students_own_loss(tmp_path: Path) -> None:
    plan = replace(PLAN, select="best", monitor="loss", validate_every=1)
    system, seen = distilled(plan), []
    validated = system.inner.validated  # type: ignore[attr-defined]
    system.inner.validated = lambda module, result: (seen.append(result), validated(module, result))  # type: ignore[attr-defined]
    validation = tones(2, (12, 12), seed=2)
    system.fit(taught(), validation, context(tmp_path))
    last = seen[-1]
    entropy = -np.log(last.probabilities[FINE][np.arange(6), validation.labels[FINE]]).mean()
    assert last.loss == pytest.approx(entropy, rel=1e-4)


def test_logits_follow_their_clips() -> None:
    clips = taught()
    store = ClipStore(clips, device="cpu")
    rows = np.array([4, 0, 11])
    batch = store.batch(rows, starts=np.array([1, 2, 3]), length=5)
    np.testing.assert_array_equal(batch.teacher_logits, clips.teacher_logits[rows])
    chosen = clips.labels[FINE] == 1
    np.testing.assert_array_equal(clips.where(chosen).teacher_logits, clips.teacher_logits[chosen])
    assert ClipStore(tones(6, (12, 12)), device="cpu").batch(rows).teacher_logits is None
    assert store.fingerprint() != ClipStore(taught(seed=1), device="cpu").fingerprint()
    blended = Mixup(0.4)(replace(batch, teacher_logits=None), Given(front_end=None, shape=(5, 12)))
    assert blended.teacher_logits is None


class TwoLevels(TinyNet):
    """Outputs that are no logits: scaled, and with probabilities of their own."""

    def probabilities(self, outputs):
        return {"coarse": outputs[:, :1].sigmoid(), FINE: (2.0 * outputs).softmax(1)}


def test_a_student_without_logits_is_compared_by_its_probabilities(tmp_path: Path) -> None:
    system, clips = distilled(), taught()
    system.inner = TwoLevels(replace(PLAN, epochs=30, augment=()))
    clips = replace(clips, teacher_logits=(8.0 * np.eye(3)[clips.labels[FINE]]).astype(np.float32))
    system.fit(clips, None, context(tmp_path))
    module = system.inner.module
    assert module is not None
    features = ClipStore(clips, device="cpu", statistics=system.inner._statistics).batch(np.arange(18)).features
    with torch.inference_mode():
        outputs = module.eval()(features)
        own = system.inner.probabilities(outputs)[FINE]
        student = distillation_loss(2.0 * outputs, torch.tensor(clips.teacher_logits))
        torch.testing.assert_close(distillation_loss(own.log(), torch.tensor(clips.teacher_logits)), student)
    assert (own.argmax(1).numpy() == clips.labels[FINE]).mean() > 0.9


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (None, "the training clips hold no logits of teachers"),
        (np.zeros((18, 2), np.float32), r"must be finite and of shape \(18, 3\); they are of shape \(18, 2\)"),
        (np.full((18, 3), np.nan, np.float32), "54 of them not finite"),
    ],
)
def test_bad_logits(tmp_path: Path, logits: np.ndarray | None, message: str) -> None:
    with pytest.raises(SystemFailure, match=message):
        distilled().fit(replace(tones(6, (12, 12)), teacher_logits=logits), None, context(tmp_path))


class FirstOnes(TinyNet):
    """Trained in steps of its own."""

    def fit(self, train, validation, context) -> None:
        super().fit(train, validation, context)


def test_what_cannot_be_a_student() -> None:
    system = distilled()
    assert refusal(system) is None
    system.inner = FirstOnes(PLAN)
    assert "tiny-net is trained in several steps" in (refusal(system) or "")
    system.inner = distilled()
    assert "tiny-net is no neural network that is trained by a plan" in (refusal(system) or "")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("teachers=sb-cnn", "name the system that learns, as in student=cp-mobile"),
        ("student=sb-cnn", "name one teacher at least, and each once"),
        ("student=sb-cnn,teachers=raw-cnn+raw-cnn", "and each once.*got 'raw-cnn.raw-cnn'"),
        ("student=sb-cnn,teachers=raw-cnn,cv=1", "cv is 1, must be at least 2"),
        ("student=sb-cnn,teachers=raw-cnn,temperature=0", "temperature is 0.0, must be positive"),
        ("student=sb-cnn,teachers=raw-cnn,label_weight=1.5", "label_weight is 1.5, must be between 0 and 1"),
        (
            "student=sb-cnn,teachers=raw-cnn,logits=out",
            "logits is 'out', but must be one of in-sample, cross-fit",
        ),
    ],
)
def test_wrong_settings(settings: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_variants(f"distilled[{settings}]")


def test_the_order_of_teachers_and_an_unread_setting_make_no_other_system() -> None:
    one, other = (
        parse_variants(f"distilled[student=sb-cnn[bn=true],teachers={teachers},cv=3]")[0]
        for teachers in (
            "raw-cnn+caa-net[training=joint,pooling=max]",
            "caa-net[training=joint,pooling=max]+raw-cnn",
        )
    )
    assert str(one) == str(other) and "cv" not in str(one)
    assert parse_variants(str(one)) == [one]
    system = one.build(task(devices=("A", "B")), Budget.SMOKE)
    assert system.front_end() == system.inner.front_end() and system.needs_device == "no"
    assert system.complexity() == system.inner.complexity()


def test_the_student_alone_is_saved(tmp_path: Path) -> None:
    system = distilled()
    system.fit(taught(), None, context(tmp_path))
    (tmp_path / "saved").mkdir()
    system.save(tmp_path / "saved")
    again, alone = distilled(), TinyNet(PLAN)
    again.load(tmp_path / "saved")
    alone.load(tmp_path / "saved")
    for other in (again, alone):
        np.testing.assert_allclose(other.predict(taught()), system.predict(taught()), atol=1e-6)
