"""I-vectors against scikit-learn, brute-force Gaussians and factors that the data were drawn with."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from asc_bench.errors import SystemFailure
from asc_bench.modules.cosine_scoring import fit_cosine_scoring, unit_length
from asc_bench.modules.ivector import (
    DiagonalMixture,
    em_step,
    fit_mixture,
    fit_total_variability,
    ivectors,
    log_evidence,
)


def mixture(n_gaussians=3, n_dimensions=4, *, seed=0):
    rng = np.random.default_rng(seed)
    return DiagonalMixture(
        rng.dirichlet(np.ones(n_gaussians)),
        3 * rng.normal(size=(n_gaussians, n_dimensions)),
        rng.uniform(0.5, 2, size=(n_gaussians, n_dimensions)),
    )


def drawn(n_clips, matrix, *, frames=30, seed=0):
    """Statistics of frames whose Gaussians are known, and the factors: whitened, F = N T w + sqrt(N) noise."""
    rng = np.random.default_rng(seed)
    n_gaussians, n_dimensions, n_factors = matrix.shape
    zeroth = rng.multinomial(frames, np.ones(n_gaussians) / n_gaussians, size=n_clips).astype(float)
    factors = rng.normal(size=(n_clips, n_factors))
    noise = rng.normal(size=(n_clips, n_gaussians, n_dimensions))
    shifts = np.einsum("cdr,ur->ucd", matrix, factors)
    return zeroth, zeroth[:, :, None] * shifts + np.sqrt(zeroth)[:, :, None] * noise, factors


def test_posteriors_and_statistics_are_those_of_scikit_learn():
    from sklearn.mixture import GaussianMixture

    model = mixture()
    clips = np.random.default_rng(1).normal(size=(2, 7, 4)) * 3
    reference = GaussianMixture(3, covariance_type="diag")
    reference.weights_, reference.means_, reference.covariances_ = model.weights, model.means, model.variances
    reference.precisions_cholesky_ = 1 / np.sqrt(model.variances)
    np.testing.assert_allclose(model.posteriors(clips[0]), reference.predict_proba(clips[0]), atol=1e-12)
    zeroth, first = model.statistics(clips)
    for u, clip in enumerate(clips):
        share = reference.predict_proba(clip)
        for c in range(3):
            whitened = (clip - model.means[c]) / np.sqrt(model.variances[c])
            assert zeroth[u, c] == pytest.approx(share[:, c].sum())
            np.testing.assert_allclose(first[u, c], share[:, c] @ whitened, atol=1e-10)


def test_the_mixture_finds_clusters():
    rng = np.random.default_rng(0)
    centres = np.array([[-2.0, 0.0], [1.5, 1.0], [0.0, -2.0]])
    frames = np.repeat(centres, 200, axis=0) + 0.1 * rng.normal(size=(600, 2))
    found = fit_mixture(frames, n_gaussians=3, n_iterations=20, seed=0)
    np.testing.assert_allclose(sorted(found.means.tolist()), sorted(centres.tolist()), atol=0.05)
    np.testing.assert_allclose(found.variances, 0.01 + 0.001, atol=3e-3)
    with pytest.raises(SystemFailure, match="2 frames cannot feed 3 Gaussians"):
        fit_mixture(frames[:2], n_gaussians=3, n_iterations=1, seed=0)


def brute_force(matrix, zeroth, first):
    """Of one clip, from the joint Gaussian of the mean frames of all components, which tell all."""
    design = np.concatenate([matrix[c] for c in range(len(matrix))])
    counts = np.repeat(zeroth, matrix.shape[1])
    # The mean of N frames has the covariance T T' + 1 / N.
    covariance = design @ design.T + np.diag(1 / counts)
    means = first.ravel() / counts
    posterior = design.T @ np.linalg.solve(covariance, means)
    evidence = multivariate_normal.logpdf(means, cov=covariance) - multivariate_normal.logpdf(
        means, cov=np.diag(1 / counts)
    )
    return posterior, evidence


def test_ivectors_and_evidence_are_those_of_one_large_gaussian():
    matrix = np.random.default_rng(5).normal(size=(3, 4, 2))
    zeroth, first, _ = drawn(70, matrix)
    expected = [brute_force(matrix, z, f) for z, f in zip(zeroth, first, strict=True)]
    np.testing.assert_allclose(ivectors(matrix, zeroth, first), [mean for mean, _ in expected], atol=1e-10)
    assert log_evidence(matrix, zeroth, first) == pytest.approx(sum(evidence for _, evidence in expected))


def test_every_iteration_raises_the_evidence():
    zeroth, first, _ = drawn(150, np.random.default_rng(1).normal(size=(4, 5, 3)))
    matrix = 0.1 * np.random.default_rng(2).normal(size=(4, 5, 3))
    evidences = []
    for _ in range(12):
        evidences.append(log_evidence(matrix, zeroth, first))
        matrix = em_step(matrix, zeroth, first)
    gains = np.diff(evidences)
    assert (gains[:5] > 0).all() and (gains > -1e-8).all()


def test_factors_are_found_again():
    truth = np.random.default_rng(3).normal(size=(6, 5, 3))
    zeroth, first, factors = drawn(400, truth, frames=60, seed=4)
    matrix = fit_total_variability(zeroth, first, n_factors=3, n_iterations=15, rng=np.random.default_rng(0))
    assert log_evidence(matrix, zeroth, first) >= log_evidence(truth, zeroth, first)
    found = ivectors(matrix, zeroth, first)
    # Factors are known up to a rotation only.
    rotated = found @ np.linalg.lstsq(found, factors, rcond=None)[0]
    for k in range(3):
        assert np.corrcoef(rotated[:, k], factors[:, k])[0, 1] > 0.95
    np.testing.assert_allclose(np.cov(found.T), np.eye(3), atol=0.15)
    np.testing.assert_allclose(
        np.einsum("cdr,cer->cde", matrix, matrix), np.einsum("cdr,cer->cde", truth, truth), atol=1.2
    )


def test_a_gaussian_without_frames_is_left_alone():
    zeroth, first, _ = drawn(40, np.random.default_rng(1).normal(size=(3, 4, 2)))
    zeroth[:, 1], first[:, 1] = 0.0, 0.0
    before = np.random.default_rng(2).normal(size=(3, 4, 2))
    after = em_step(before, zeroth, first)
    assert np.isfinite(after).all()
    assert log_evidence(after, zeroth, first) > log_evidence(before, zeroth, first)


def clusters(n_classes=4, n_each=30, n_dimensions=6, *, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), n_each)
    spread = np.linspace(0.2, 2.0, n_dimensions)
    vectors = 3 * rng.normal(size=(n_classes, n_dimensions))[labels] + spread * rng.normal(
        size=(len(labels), n_dimensions)
    )
    return vectors, labels


def test_projected_classes_have_unit_covariance():
    vectors, labels = clusters()
    scoring = fit_cosine_scoring(vectors, labels, n_classes=4)
    projected = scoring.project(vectors)
    assert projected.shape == (120, 3)
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-10)
    within = np.mean([np.cov(projected[labels == c].T, bias=True) for c in range(4)], axis=0)
    np.testing.assert_allclose(within, np.eye(3), atol=0.02)


def test_scores_are_cosines_to_class_means():
    vectors, labels = clusters()
    scoring = fit_cosine_scoring(vectors, labels, n_classes=6)
    scores = scoring.scores(vectors)
    projected = scoring.project(vectors)
    mean = projected[labels == 2].mean(axis=0)
    expected = projected[7] @ mean / np.linalg.norm(projected[7]) / np.linalg.norm(mean)
    assert scores[7, 2] == pytest.approx(expected)
    assert (scores[:, 4:] == -1).all() and (np.abs(scores) <= 1 + 1e-12).all()
    assert (scores.argmax(axis=1) == labels).mean() > 0.9


def test_directions_are_those_of_scikit_learn():
    """With equally large classes WCCN only turns what LDA has whitened, so that distances stay."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    vectors, labels = clusters()
    normalised = unit_length(vectors - vectors.mean(axis=0))
    reference = LinearDiscriminantAnalysis().fit(normalised, labels).transform(normalised)
    projected = fit_cosine_scoring(vectors, labels, n_classes=4).project(vectors)
    ratio = (
        np.linalg.norm(projected - projected[0], axis=1)[1:] / np.linalg.norm(reference - reference[0], axis=1)[1:]
    )
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_held_out_vectors_are_told_apart_by_noisy_dimensions_too():
    vectors, labels = clusters(n_classes=5, n_each=40, n_dimensions=60)
    scoring = fit_cosine_scoring(vectors[::2], labels[::2], n_classes=5)
    assert (scoring.scores(vectors[1::2]).argmax(axis=1) == labels[1::2]).mean() > 0.9


def test_classes_of_equal_vectors_are_named():
    with pytest.raises(SystemFailure, match="the vectors of each class are all the same"):
        fit_cosine_scoring(np.eye(3)[[0, 0, 1, 1]], np.array([0, 0, 1, 1]), n_classes=2)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_too_few_vectors_are_named(labels):
    with pytest.raises(SystemFailure, match=r"3 vectors of \d classes; it needs two classes"):
        fit_cosine_scoring(np.eye(3), np.array(labels), n_classes=3)
