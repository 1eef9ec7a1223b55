from dataclasses import replace

import numpy as np
import pytest
import torch
from asc_bench.baselines.cnn_ivector import CnnIvector, CnnIvectorParams

from asc_bench.api import FINE, Budget, Clips, ConfigError, Features, Mixup, StoreError, SystemFailure
from asc_bench.modules.inputs import RandomExcerpt
from asc_bench.systems.calibration import fit_fusion, fused_probabilities
from tests.unit.small_sets import accuracy, clips, context, refusal, task
from tests.unit.texture_sets import texture_arrays

DURATION_S = 1.2


@pytest.mark.parametrize(
    ("nf", "n_classes", "expected"),
    [
        (32, 10, 1_441_972),
        (32, 15, 1_444_542),
        (32, 70, 1_472_812),
        (42, 10, 1_628_738),
        (42, 70, 1_649_018),
        (64, 10, 3_775_828),
        (64, 70, 3_806_668),
    ],
)
def test_parameter_counts_are_the_known_ones(nf, n_classes, expected):
    system = CnnIvector(task(n_classes), CnnIvectorParams(part="cnn", nf=nf))
    assert system.complexity()["n_parameters"] == expected


def test_multiply_adds_counted_by_hand():
    system = CnnIvector(task(70), CnnIvectorParams(part="cnn"))
    assert system.front_end().shape(5.0) == (216, 256)
    conv = 108 * 128 * (25 * 42 + 9 * 42 * 42) + 54 * 64 * 9 * (42 * 84 + 84 * 84)
    conv += 27 * 32 * 9 * (84 * 168 + 3 * 168 * 168) + 11 * 14 * (9 * 168 * 336 + 336 * 336 + 336 * 70)
    assert system.complexity()["n_multiply_adds"] == conv


def test_eleven_convolutions_of_which_the_last_has_no_activation():
    layers = CnnIvector(task(10)).build().layers
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in layers) == 11
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in layers) == 11
    assert isinstance(layers[-1], torch.nn.BatchNorm2d)


def test_excerpts_are_random_in_training_and_whole_clips_pass_otherwise():
    layer = RandomExcerpt(3)
    x = torch.arange(10.0).repeat(50, 1)[:, :, None] + 100 * torch.arange(50.0)[:, None, None]
    torch.manual_seed(0)
    given = layer.train()(x)[:, :, 0]
    first = given[:, 0] - 100 * torch.arange(50.0)
    assert given.shape == (50, 3)
    assert torch.equal(given - given[:, :1], torch.tensor([0.0, 1.0, 2.0]).repeat(50, 1))
    assert set(first.tolist()) == set(range(8))
    assert layer(x[:, :2]).shape == (50, 2, 1)
    assert layer.eval()(x) is x


def shifted_frames(labels, shape, *, seed):
    """Frames of one mixture of four Gaussians whose means each class and, less so, each clip shift."""
    shared = np.random.default_rng(99)
    means, shifts = 3 * shared.normal(size=(4, shape[1])), shared.normal(size=(3, 4, shape[1]))
    rng = np.random.default_rng(seed)
    which = rng.integers(4, size=(len(labels), shape[0]))
    own = 0.2 * rng.normal(size=(len(labels), 4, shape[1])) + shifts[labels]
    rows = np.arange(len(labels))[:, None]
    return means[which] + own[rows, which] + rng.normal(size=(len(labels), *shape))


def given(system, n_per_class, *, seed):
    """Clips as the front end would give them, separable for both parts."""
    patterns, labels = texture_arrays(n_per_class, system.mel().shape(DURATION_S), seed=seed)
    frames = shifted_frames(labels, system.mfcc().shape(DURATION_S), seed=seed)
    both = np.concatenate([patterns.reshape(len(labels), -1), frames.reshape(len(labels), -1)], axis=1)
    return clips({"cnn": patterns, "ivector": frames, "both": both}[system.params.part], labels)


class Patient(CnnIvector):
    """Sixty steps leave the running statistics of a network with this much dropout behind."""

    def training_plan(self):
        return replace(super().training_plan(), iterations=200)


def fitted(part, folder, *, n_classes=3):
    system = Patient(task(n_classes, duration_s=DURATION_S), CnnIvectorParams(part=part), Budget.SMOKE)
    train, validation, test = (given(system, n, seed=s) for s, n in enumerate((8, 3, 4)))
    system.fit(train, validation if system.uses_validation else None, context(folder))
    return system, validation, test


@pytest.mark.parametrize("part", ["cnn", "ivector", "both"])
def test_learns_separable_clips_and_comes_back_from_its_files(part, tmp_path):
    system, validation, test = fitted(part, tmp_path)
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.75

    again = CnnIvector(system.task, system.params, Budget.SMOKE)
    system.save(tmp_path)
    again.load(tmp_path)
    np.testing.assert_allclose(again.predict(test), probabilities, atol=1e-6)
    cost = system.complexity()
    assert again.complexity() == cost and min(cost.values()) > 0
    if part != "cnn":
        other = CnnIvector(system.task, replace(system.params, n_factors=7), Budget.SMOKE)
        with pytest.raises(StoreError, match=r"written for params .*n_factors=100.*, not .*n_factors=7"):
            other.load(tmp_path)
    if part == "both":
        check_fusion(system, validation, test, probabilities)


def check_fusion(system, validation, test, probabilities):
    """The fusion is the logistic regression of what both parts say of the validation clips."""
    alone = {}
    for part in ("cnn", "ivector"):
        own = CnnIvector(system.task, replace(system.params, part=part), Budget.SMOKE)
        own.module, own._statistics, own._classifier = system.module, system._statistics, system._classifier
        views = {}
        for name, split in (("validation", validation), ("test", test)):
            mel, mfcc = system.front_end().split(split.features.source, duration_s=DURATION_S)
            features = Features(mel if part == "cnn" else mfcc, split.features.rows)
            views[name] = np.log(np.maximum(own.predict(Clips(features)).astype(float), 1e-7))
        alone[part] = views
    scales, offsets = fit_fusion([views["validation"] for views in alone.values()], validation.labels[FINE])
    expected = fused_probabilities([views["test"] for views in alone.values()], scales, offsets)
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)
    assert system.facts()["fusion_scale_ivector"] == pytest.approx(scales[1], rel=1e-2)


def test_a_class_without_clips_is_never_the_answer_of_i_vectors(tmp_path):
    system, _, test = fitted("ivector", tmp_path, n_classes=5)
    probabilities = system.predict(test)
    assert probabilities.shape == (12, 5) and set(probabilities.argmax(axis=1)) <= {0, 1, 2}


def test_validation_is_for_the_fusion_alone(tmp_path):
    uses = {
        part: CnnIvector(task(), CnnIvectorParams(part=part)).uses_validation for part in ("cnn", "ivector", "both")
    }
    assert uses == {"cnn": False, "ivector": False, "both": True}


def test_the_paper_plan_follows_the_authors_code():
    plan = CnnIvector(task(), budget=Budget.PAPER).training_plan()
    assert (plan.batch_size, plan.epochs, plan.learning_rate, plan.augment) == (100, 500, 1e-3, (Mixup(alpha=0.2),))
    assert [plan.schedule.factor(step, 500) for step in (0, 100, 300, 500)] == [1.0, 1.0, 0.5, 0.0]


def test_the_rate_of_abrol_and_sharma():
    system = CnnIvector(task(), CnnIvectorParams(sample_rate_hz=16_000))
    assert system.mel().shape(5.0) == (216, 256) and system.mfcc().shape(5.0) == (501, 60)


def test_equal_runs_have_equal_names():
    assert CnnIvectorParams(part="ivector", nf=64) == CnnIvectorParams(part="ivector")
    assert CnnIvectorParams(part="cnn", n_factors=7) == CnnIvectorParams(part="cnn")
    with pytest.raises(ConfigError, match="n_gaussians is 0, must be at least 1"):
        CnnIvectorParams(n_gaussians=0)


def test_what_it_cannot_do(tmp_path):
    short = task(duration_s=1.0)
    assert refusal(CnnIvector(short)) == "clips of 1 s have 44 frames, and the network needs 47"
    assert refusal(CnnIvector(short, CnnIvectorParams(part="ivector"))) is None
    for part in ("cnn", "ivector", "both"):
        with pytest.raises(SystemFailure, match="neither fitted nor loaded"):
            CnnIvector(task(), CnnIvectorParams(part=part)).save(tmp_path)
