import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from asc_bench.api import (
    FINE,
    Clips,
    LabelledClips,
    LabelSpace,
    StoreError,
    SystemFailure,
    Task,
    TrainingPlan,
)
from tests.unit.small_sets import TinyNet, clips, context, tones

PLAN = TrainingPlan(batch_size=8, iterations=20, learning_rate=0.01, standardise="per-band")
SHAPE = (16, 12)


def fitted(folder, system=None):
    system = system or TinyNet(PLAN)
    system.fit(tones(8, SHAPE), None, context(folder))
    return system


def test_saved_and_loaded_system_predicts_the_same(tmp_path):
    system, test = fitted(tmp_path), tones(3, SHAPE, seed=1)
    system.save(tmp_path / "saved")
    other = TinyNet(PLAN)
    other.load(tmp_path / "saved")
    np.testing.assert_array_equal(system.predict(test), other.predict(test))


def test_weights_of_other_classes_are_refused_name_by_name(tmp_path):
    fitted(tmp_path).save(tmp_path / "saved")
    with pytest.raises(StoreError, match=r"7\.weight: shape \(3, 48\), expected \(5, 48\)"):
        TinyNet(PLAN, n_classes=5).load(tmp_path / "saved")


def test_weights_of_another_system_are_refused(tmp_path):
    class Other(TinyNet):
        card = replace(TinyNet.card, name="other-net")

    fitted(tmp_path).save(tmp_path / "saved")
    with pytest.raises(StoreError, match="weights of 'tiny-net', expected 'other-net'"):
        Other(PLAN).load(tmp_path / "saved")


def test_predictions_keep_the_order_of_the_clips_and_need_no_labels(tmp_path):
    system, test = fitted(tmp_path), tones(5, SHAPE, seed=1)
    order = np.random.default_rng(0).permutation(len(test))
    shuffled = Clips(type(test.features)(test.features.source, order))
    np.testing.assert_allclose(system.predict(shuffled), system.predict(test)[order], atol=1e-6)


def test_probabilities_are_float32_and_sum_to_one(tmp_path):
    probabilities = fitted(tmp_path).predict(tones(5, SHAPE, seed=1))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_statistics_come_from_the_training_split_alone(tmp_path):
    train, validation = tones(8, SHAPE), tones(8, SHAPE, seed=1)
    moved = clips(validation.features.load() + 1_000, validation.labels[FINE])
    system = TinyNet(replace(PLAN, validate_every=5))
    system.fit(train, moved, context(tmp_path))
    mean = train.features.load().mean(axis=(0, 1))
    np.testing.assert_allclose(system._statistics.mean.numpy(), mean, rtol=1e-5)


def test_validation_is_asked_for_only_where_the_plan_looks_at_it():
    assert not TinyNet(PLAN).uses_validation
    assert TinyNet(replace(PLAN, validate_every=5)).uses_validation


def test_two_label_levels(tmp_path):
    labels = LabelSpace(fine=("a", "b", "c"), coarse=("x", "y"), coarse_of=(0, 0, 1))

    class TwoHeads(TinyNet):
        def build(self):
            self.task = Task(labels=labels, devices=(), clip_duration_s=5.0)
            body = super().build()
            body[-1] = torch.nn.Linear(48, 5)
            return body

        def loss(self, outputs, batch):
            cross = torch.nn.functional.cross_entropy
            return cross(outputs[:, :3], batch.labels["fine"]) + cross(outputs[:, 3:], batch.labels["coarse"])

        def probabilities(self, outputs):
            fine, coarse = outputs[:, :3].softmax(1), outputs[:, 3:].softmax(1)
            return {"fine": fine, "coarse": coarse, "device": outputs[:, :1]}

    train = tones(16, SHAPE)
    coarse = labels.to_coarse(train.labels["fine"])
    both = LabelledClips(train.features, labels={**train.labels, "coarse": coarse})
    system = TwoHeads(replace(PLAN, iterations=60))
    system.fit(both, None, context(tmp_path))
    found = system.predict(Clips(train.features))
    assert found.keys() == {"fine", "coarse"}
    for level, probabilities in found.items():
        assert (probabilities.argmax(axis=1) == both.labels[level]).mean() > 0.9


def test_network_may_read_the_device_and_switch_its_loss_on_validation(tmp_path):
    """What conditional training needs."""

    class Conditioned(TinyNet):
        def build(self):
            network = torch.nn.ModuleDict({"body": super().build(), "bias": torch.nn.Embedding(2, 3)})
            network.register_buffer("weight_of_device", torch.tensor(1.0))
            return network

        def forward(self, module, batch):
            scene = module["body"](batch.features) + module["bias"](batch.device)
            return {"scene": scene, "weight": module.weight_of_device}

        def loss(self, outputs, batch):
            return super().loss(outputs["scene"], batch) * outputs["weight"]

        def probabilities(self, outputs):
            return outputs["scene"].softmax(1)

        def validated(self, module, validation):
            assert set(validation.device) == {0, 1}
            if validation.macro_accuracy() > 0.5:
                module.weight_of_device.fill_(1e-4)

    def with_device(labelled):
        device = np.arange(len(labelled)) % 2
        return LabelledClips(labelled.features, device=device, labels=labelled.labels)

    system = Conditioned(replace(PLAN, iterations=60, validate_every=10))
    system.fit(with_device(tones(8, SHAPE)), with_device(tones(4, SHAPE, seed=1)), context(tmp_path))
    assert system.module.weight_of_device.item() == pytest.approx(1e-4)
    test = with_device(tones(4, SHAPE, seed=2))
    assert (system.predict(test).argmax(1) == test.labels[FINE]).mean() > 0.9


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full(24, 3), "labels from 3 to 3, but the task has 3 classes"),
        (np.zeros(5, dtype=int), "24 clips but 5 fine labels"),
    ],
)
def test_impossible_labels_are_refused(tmp_path, labels, message):
    train = LabelledClips(tones(8, SHAPE).features, labels={FINE: labels})
    with pytest.raises(SystemFailure, match=message):
        TinyNet(PLAN).fit(train, None, context(tmp_path))


def test_predict_before_fit_says_what_to_do():
    with pytest.raises(SystemFailure, match="call fit or load first"):
        TinyNet(PLAN).predict(tones(1, SHAPE))


def test_system_files_import_neither_torch_nor_scikit_learn():
    code = (
        "import sys\n"
        "import asc_bench.api, asc_bench.proposed.caa_net, asc_bench.baselines.logmel_svm\n"
        "import asc_bench.baselines.sample_cnn, asc_bench.baselines.sb_cnn\n"
        "from asc_bench.papers.registry import figures, reproductions\n"
        "assert figures().names() and reproductions().names()\n"
        "heavy = ('torch', 'sklearn', 'librosa', 'scipy.signal', 'matplotlib')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
