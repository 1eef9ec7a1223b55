import numpy as np
import pytest
import torch
from asc_bench.baselines.n_cnn import NCnn, NCnnParams
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from asc_bench.api import FINE, Budget, ConfigError, DataError, Plateau
from asc_bench.features.levelled import LevelledLogMel
from asc_bench.modules.losses import lq_loss
from asc_bench.reporting.published import published_values
from asc_bench.runs.variant import parse_variants
from asc_bench.training.batches import Batch
from tests.unit.small_sets import accuracy, context, task, tones


@pytest.mark.parametrize(("n_classes", "trainable", "counted"), [(20, 531_238, 531_624), (70, 534_488, 534_874)])
def test_parameter_count_is_the_published_one(n_classes, trainable, counted):
    """The authors state 531,624 for 20 classes, running statistics of the normalisation included."""
    module = NCnn(task(n_classes)).build()
    assert sum(p.numel() for p in module.parameters() if p.requires_grad) == trainable
    running = [b for name, b in module.named_buffers() if name.endswith(("running_mean", "running_var"))]
    assert trainable + sum(b.numel() for b in running) == counted


def test_multiply_adds_counted_by_hand():
    system = NCnn(task(10))
    assert system.front_end().shape(5.0) == (251, 96)
    assert system.training_plan().crop.test_starts(251) == (0, 50, 100, 150)
    conv = 100 * 96 * 24 * 25 + 25 * 48 * 48 * 24 * 25 + 6 * 24 * 48 * 48 * 25
    dense = 48 * 6 * 24 * 64 + 64 * 10
    assert system.complexity()["n_multiply_adds"] == 4 * (conv + dense)


@pytest.mark.parametrize(("rate", "n_fft", "window", "hop"), [(44_100, 2048, 1764, 882), (16_000, 1024, 640, 320)])
def test_features_are_those_of_librosa_on_the_levelled_clip(rate, n_fft, window, hop):
    import librosa

    rng = np.random.default_rng(3)
    signal = (0.05 * rng.normal(size=rate // 2) + 0.02).astype(np.float32)
    level = signal.astype(np.float64) - signal.mean(dtype=np.float64)
    level /= np.abs(level).max() + 0.005
    power = (
        np.abs(
            librosa.stft(
                level, n_fft=n_fft, win_length=window, hop_length=hop, window="hamming", pad_mode="reflect"
            )
        )
        ** 2
    )
    filters = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=96, fmin=0, fmax=rate / 2, norm=None)
    expected = np.log10(filters @ power + np.spacing(1.0)).T
    front_end = NCnn(task(3), NCnnParams(sample_rate_hz=rate)).front_end()
    found = front_end(signal)
    assert found.shape == front_end.shape(0.5) == expected.shape
    # A band that no bin of the transform falls into holds nothing but the floor.
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_level_and_offset_of_a_loud_clip_hardly_count_and_silence_is_finite():
    front_end = NCnn(task(3)).front_end()
    signal = np.random.default_rng(0).uniform(-0.5, 0.5, size=22_050).astype(np.float32)
    whole = float(np.abs(signal - signal.mean()).max())
    gain = (whole / (whole + 0.005)) / (0.5 * whole / (0.5 * whole + 0.005))
    # Only the head room tells the levels apart, by this factor on every power.
    np.testing.assert_allclose(
        front_end(signal) - front_end(0.5 * signal + np.float32(0.1)), 2 * np.log10(gain), atol=1e-3
    )
    silence = front_end(np.zeros(22_050, dtype=np.float32))
    np.testing.assert_allclose(silence, np.log10(np.spacing(1.0)), rtol=1e-6)


def test_a_front_end_without_head_room_and_a_clip_without_samples_are_refused():
    settings = NCnn(task(3)).front_end().key()
    del settings["front_end"]
    with pytest.raises(ConfigError, match="head_room is 0, must be above 0"):
        LevelledLogMel(**{**settings, "head_room": 0})
    with pytest.raises(DataError, match="too short: 0 samples"):
        NCnn(task(3)).front_end()(np.zeros(0, dtype=np.float32))


def reference(module, x):
    """The network written out with torch's functions; not in training."""
    convolutions = [m for m in module if isinstance(m, nn.Conv2d)]
    norms = iter(m for m in module if isinstance(m, nn.BatchNorm2d))
    first, second = (m for m in module if isinstance(m, nn.Linear))

    def normalised(x):
        norm = next(norms)
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-3).relu()

    x = x[:, None]
    for i, convolution in enumerate(convolutions):
        x = normalised(F.conv2d(normalised(x), convolution.weight, convolution.bias, padding=2))
        x = F.max_pool2d(x, (4, 2)) if i < 2 else x
    return F.linear(F.linear(x.flatten(1), first.weight, first.bias).relu(), second.weight, second.bias)


def test_network_normalises_before_and_after_each_convolution():
    torch.manual_seed(0)
    module = NCnn(task(5), budget=Budget.SMOKE).build().eval()
    for layer in module:
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight.data, layer.bias.data, layer.running_mean):
                values.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    x = torch.randn(3, 100, 96)
    torch.testing.assert_close(module(x), reference(module, x), rtol=1e-4, atol=1e-4)


def test_weights_begin_as_he_draws_them():
    torch.manual_seed(0)
    for layer in NCnn(task(10)).build():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = layer.weight[0].numel()
            assert float(layer.weight.detach().std()) == pytest.approx((2 / fan_in) ** 0.5, rel=0.1)
            assert not layer.bias.any()


def test_lq_is_the_formula_and_its_limits():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(8, 5, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])
    p = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    own = p[torch.arange(8), labels]
    torch.testing.assert_close(lq_loss(logits, labels), ((1 - own**0.7) / 0.7).mean())
    torch.testing.assert_close(lq_loss(logits, labels, q=1.0), (1 - own).mean())
    torch.testing.assert_close(lq_loss(logits, labels, q=1e-9), F.cross_entropy(logits, labels))


def test_lq_by_hand():
    # Two equal logits: p = 1/2, and with q = 1/2 the loss is 2 (1 - sqrt(1/2)).
    found = lq_loss(torch.zeros(1, 2), torch.tensor([1]), q=0.5)
    assert float(found) == pytest.approx(2 - 2**0.5)


def test_lq_of_a_vanished_probability_has_a_finite_gradient():
    logits = torch.tensor([[500.0, 0.0]], requires_grad=True)
    lq_loss(logits, torch.tensor([1])).backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("q", [0.0, -1.0, 1.5])
def test_a_q_out_of_range_is_refused(q):
    with pytest.raises(ConfigError, match=f"q is {q}, must be above 0 and at most 1"):
        lq_loss(torch.zeros(1, 2), torch.tensor([0]), q=q)
    with pytest.raises(ConfigError, match=f"n-cnn: q is {q}, must be above 0"):
        NCnnParams(loss="lq", q=q)


def test_the_loss_is_the_one_that_is_asked_for():
    logits, labels = torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([2])
    batch = Batch(features=logits, labels={FINE: labels})
    assert NCnn(task(3)).loss(logits, batch) == F.cross_entropy(logits, labels)
    assert NCnn(task(3), NCnnParams(loss="lq", q=0.4)).loss(logits, batch) == lq_loss(logits, labels, q=0.4)


def test_a_q_that_nothing_reads_makes_no_other_system():
    assert [str(v) for v in parse_variants("n-cnn[q=0.5]")] == ["n-cnn"]
    assert [str(v) for v in parse_variants("n-cnn[loss=lq,q=0.5]")] == ["n-cnn[loss=lq,q=0.5]"]


def test_dense_layers_alone_decay_and_every_parameter_is_trained_once():
    system = NCnn(task(10))
    module = system.build()
    others, dense = system.parameter_groups(module)
    assert [tuple(p.shape) for p in dense["params"]] == [(64, 6_912), (10, 64)]
    assert dense["weight_decay"] == pytest.approx(2e-3) and "weight_decay" not in others
    given = [id(p) for p in others["params"] + dense["params"]]
    assert sorted(given) == sorted(id(p) for p in module.parameters())


def test_paper_budget_passes_160_times_over_four_patches_of_each_clip():
    plan = NCnn(task(10), budget=Budget.PAPER).training_plan()
    assert (plan.optimiser, plan.learning_rate, plan.batch_size, plan.epochs) == ("adam", 1e-3, 64, 640)
    assert plan.schedule == Plateau(gamma=0.5, patience=5)
    assert (plan.patience, plan.validate_every, plan.select, plan.monitor) == (15, 4, "best", "accuracy")
    assert NCnn(task(10, duration_s=10.0), budget=Budget.PAPER).training_plan().epochs == 160 * 9


def test_patches_are_averaged_geometrically():
    assert all(NCnn(task(3), budget=budget).training_plan().crop.average == "geometric" for budget in Budget)


def test_the_published_row_is_there():
    (entry,) = NCnn.card.published
    assert {81.47, 87.23} <= set(published_values(entry).values())


@pytest.mark.parametrize("loss", ["cce", "lq"])
def test_learns_separable_clips_shorter_than_a_patch(tmp_path, loss):
    train, test = tones(10, (60, 96)), tones(4, (60, 96), seed=1)
    system = NCnn(task(3), NCnnParams(loss=loss), Budget.SMOKE)
    system.fit(train, None, context(tmp_path))
    probabilities = system.predict(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert accuracy(probabilities, test.labels[FINE]) >= 0.9
