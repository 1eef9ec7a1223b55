import numpy as np
import pytest
from asc_bench.baselines.logmel_svm import LogmelSvm, LogmelSvmParams

from asc_bench.api import Clips, DataError, StoreError, SystemFailure
from tests.unit.small_sets import clips, context, task, tones


def fitted(folder, *, n_classes=3, train=None):
    system = LogmelSvm(task(n_classes))
    system.fit(train or tones(6, (8, 12)), None, context(folder))
    return system


def test_saved_and_loaded_system_predicts_the_same(tmp_path):
    system, test = fitted(tmp_path), tones(4, (8, 12), seed=1)
    system.save(tmp_path)
    other = LogmelSvm(task(3))
    other.load(tmp_path)
    np.testing.assert_array_equal(system.predict(test), other.predict(test))


def test_file_of_other_parameters_is_refused(tmp_path):
    fitted(tmp_path).save(tmp_path)
    with pytest.raises(StoreError, match=r"C=10\.0.*not.*C=1\.0"):
        LogmelSvm(task(3), LogmelSvmParams(C=1.0)).load(tmp_path)


def test_class_without_training_clips_gets_no_probability(tmp_path):
    system = fitted(tmp_path, n_classes=4)
    probabilities = system.predict(tones(4, (8, 12), seed=1))
    assert probabilities.shape == (12, 4)
    assert not probabilities[:, 3].any()


def test_two_classes_give_two_columns(tmp_path):
    train = tones(6, (8, 12), n_classes=2)
    system = fitted(tmp_path, n_classes=2, train=train)
    probabilities = system.predict(train)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), train.labels["fine"])


def test_nan_in_features_names_the_clip(tmp_path):
    features = tones(2, (8, 12)).features.load().copy()
    features[3, 1, 1] = np.nan
    with pytest.raises(DataError, match="clip number 3"):
        fitted(tmp_path, train=clips(features, np.tile(np.arange(3), 2)))


def test_one_class_cannot_be_fitted(tmp_path):
    train = tones(6, (8, 12))
    with pytest.raises(SystemFailure, match="all 18 training clips are of one class"):
        fitted(tmp_path, train=clips(train.features.load(), np.zeros(18)))


def test_predict_before_fit_says_what_to_do():
    with pytest.raises(SystemFailure, match="call fit or load first"):
        LogmelSvm(task(3)).predict(Clips(tones(1, (8, 12)).features))
