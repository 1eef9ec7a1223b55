import numpy as np
import pytest
from asc_bench.baselines.logmel_svm import LogmelSvm, LogmelSvmParams
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from asc_bench.api import FINE
from tests.unit.small_sets import accuracy, context, task, tones


@pytest.fixture
def fitted(tmp_path):
    system = LogmelSvm(task(3), LogmelSvmParams(n_mels=12))
    system.fit(tones(8, (20, 12)), None, context(tmp_path))
    return system


def test_same_labels_as_scikit_learn_by_hand(fitted):
    train, test = tones(8, (20, 12)), tones(5, (20, 12), seed=1)

    def embed(x):
        return np.hstack([x.mean(axis=1), x.std(axis=1)])

    scaler = StandardScaler().fit(embed(train.features.load()))
    svm = SVC(C=10).fit(scaler.transform(embed(train.features.load())), train.labels[FINE])
    expected = svm.predict(scaler.transform(embed(test.features.load())))
    probabilities = fitted.predict(test)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), expected)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert accuracy(probabilities, test.labels[FINE]) == 1


def test_complexity_is_support_vectors_times_dimensions(fitted):
    n_vectors = len(fitted.estimator[-1].support_vectors_)
    assert fitted.complexity()["n_multiply_adds"] == n_vectors * 24
    assert LogmelSvm(task(3)).complexity() == {}


def test_front_end_follows_n_mels():
    assert LogmelSvm(task(3), LogmelSvmParams(n_mels=40)).front_end().shape(1.0) == (44, 40)
