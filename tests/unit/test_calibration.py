"""Calibrated fusion against scikit-learn, numerical slopes and parameters that the data were drawn with."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import softmax

from asc_bench.errors import SystemFailure
from asc_bench.systems.calibration import fit_fusion, fused_probabilities, fusion_loss


def drawn(n_clips, scales, offsets, *, seed=0):
    """Scores of random clips, and labels drawn from the model itself."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(len(scales), n_clips, len(offsets)))
    probabilities = softmax(np.tensordot(scales, scores, axes=1) + offsets, axis=1)
    labels = (probabilities.cumsum(axis=1) < rng.uniform(size=(n_clips, 1))).sum(axis=1)
    return scores, np.minimum(labels, len(offsets) - 1)


def test_two_classes_are_a_binary_logistic_regression_on_the_difference_of_scores():
    from sklearn.linear_model import LogisticRegression

    scores, labels = drawn(400, [0.7, -0.4, 1.5], np.array([0.3, -0.3]))
    scales, offsets = fit_fusion(scores, labels, prior=0.0)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000)
    model.fit((scores[:, :, 1] - scores[:, :, 0]).T, labels)
    np.testing.assert_allclose(scales, model.coef_[0], atol=1e-4)
    assert offsets[1] - offsets[0] == pytest.approx(model.intercept_[0], abs=1e-4)
    given = fused_probabilities(scores, scales, offsets)
    np.testing.assert_allclose(given, model.predict_proba((scores[:, :, 1] - scores[:, :, 0]).T), atol=1e-4)


def test_the_offsets_alone_are_logarithms_of_the_class_frequencies():
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    _, offsets = fit_fusion([np.zeros((100, 3))], labels, prior=0.0)
    expected = np.log([0.5, 0.3, 0.2])
    np.testing.assert_allclose(offsets, expected - expected.mean(), atol=1e-5)


def test_parameters_are_found_again():
    offsets = np.array([0.8, -0.5, 0.2, -0.5])
    scores, labels = drawn(20_000, [1.2, 0.3], offsets, seed=3)
    found, found_offsets = fit_fusion(scores, labels)
    np.testing.assert_allclose(found, [1.2, 0.3], atol=0.05)
    np.testing.assert_allclose(found_offsets, offsets, atol=0.06)


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_gradient_is_the_slope_of_the_loss(prior):
    scores, labels = drawn(30, [1.0, 0.5], np.zeros(5), seed=1)
    point = np.random.default_rng(2).normal(size=7)
    slope = check_grad(
        lambda p: fusion_loss(p, scores, labels, prior)[0],
        lambda p: fusion_loss(p, scores, labels, prior)[1],
        point,
    )
    assert slope < 1e-6


def test_no_other_point_is_lower():
    scores, labels = drawn(60, [1.0, 0.2], np.zeros(4), seed=5)
    best = np.concatenate(fit_fusion(scores, labels))
    least, _ = fusion_loss(best, scores, labels, 1.0)
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-1, 3.0):
        for _ in range(50):
            assert fusion_loss(best + size * rng.normal(size=6), scores, labels, 1.0)[0] > least


def test_separable_clips_and_a_class_without_clips_stay_finite():
    scores = 10 * np.eye(4)[[0, 1, 2, 0, 1, 2]]
    scales, offsets = fit_fusion([scores, scores], [0, 1, 2, 0, 1, 2])
    given = fused_probabilities([scores, scores], scales, offsets)
    assert np.isfinite([*scales, *offsets]).all() and (scales > 0).all()
    assert given.argmax(axis=1).tolist() == [0, 1, 2, 0, 1, 2]
    assert offsets[3] < offsets[:3].min()


def test_the_useless_system_gets_the_smaller_scale():
    good, labels = drawn(500, [2.0], np.zeros(3), seed=7)
    noise = np.random.default_rng(8).normal(size=good.shape)
    scales, _ = fit_fusion([good[0], noise[0]], labels)
    assert scales[0] > 10 * abs(scales[1])


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([np.zeros((2, 3)), np.zeros((2, 4))], [0, 1], r"one shape \(n_clips, n_classes\)"),
        ([], [0], "one shape"),
        ([np.zeros((0, 3))], [], "one shape"),
        ([np.zeros((2, 3))], [0], r"expected 2 class indices, got int64 of shape \(1,\)"),
        ([np.zeros((2, 3))], [0.0, 1.0], "expected 2 class indices, got float64"),
        ([np.zeros((2, 3))], [0, 3], "labels from 0 to 3, but the scores have 3 classes"),
        (
            [np.zeros((2, 2)), np.array([[0.0, 1.0], [-np.inf, 0.0]])],
            [0, 1],
            "class 0, clip 1, system 1; put a floor",
        ),
    ],
)
def test_bad_input_is_named(scores, labels, message):
    with pytest.raises(SystemFailure, match=message):
        fit_fusion(scores, labels)


def test_bad_weights_are_named():
    with pytest.raises(SystemFailure, match=r"1 systems and 3 classes, but scales of shape \(2,\)"):
        fused_probabilities([np.zeros((2, 3))], [1.0, 1.0], np.zeros(3))
    with pytest.raises(SystemFailure, match="prior is -1"):
        fit_fusion([np.zeros((2, 3))], [0, 1], prior=-1.0)
