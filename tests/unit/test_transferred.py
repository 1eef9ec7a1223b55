"""Transfer to a task of one label a clip: settings, refusals, and numbers by hand."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch.nn.functional import cross_entropy

from asc_bench.budget import Budget
from asc_bench.errors import ConfigError, SystemFailure
from asc_bench.runs.variant import parse_variants
from asc_bench.systems.probes import probe
from asc_bench.systems.transfer.settings import TransferParams
from asc_bench.training.sampling import torch_seed
from tests.unit.small_sets import context, refusal, task
from tests.unit.transfer_nets import (
    SEED,
    ConvNet,
    FlatNet,
    changed,
    clips_of,
    copied,
    moved,
    noise,
    several,
    standardised,
    trained,
)

N_CLASSES = 3
HEAD = {"6.weight", "6.bias"}


def target_clips(*, seed: int = 5, n: int = 24, duration_s: float = 5.0):
    y = np.arange(n) % N_CLASSES
    x = noise(n, duration_s=duration_s, seed=seed)
    x[np.arange(n), :, y] += 2
    return clips_of(x, y)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("source=a", "source=a"),
        ("source=a,variant=retrain,layers=all", "variant=retrain"),
        ("source=a,variant=svm,layers=all,mode=closed_form", "source=a,variant=svm"),
        ("source=a,variant=lr,mode=closed_form,layers=all", "source=a,variant=lr,mode=closed_form"),
        ("source=a,layers=all,mode=closed_form,pooling=attention", "source=a,layers=all,pooling=attention"),
        ("variant=retrain,pooling=noisy-or,window_s=1", "variant=retrain,pooling=noisy-or,window_s=1.0"),
    ],
)
def test_settings_that_are_not_read_are_no_part_of_the_name(text: str, expected: str) -> None:
    (variant,) = parse_variants(f"transfer[system=sb-cnn,{text}]")
    assert str(variant) == f"transfer[system=sb-cnn,{expected}]"
    assert parse_variants(str(variant)) == [variant]


def test_the_settings_of_the_inner_system_are_kept_whole() -> None:
    text = "transfer[system=hierarchical-cnn[labels=fine,attention=no],variant=retrain]"
    (variant,) = parse_variants(text)
    inner = variant.build(task(), Budget.SMOKE).inner  # type: ignore[attr-defined]
    assert (inner.card.name, inner.params.labels, inner.params.attention) == ("hierarchical-cnn", "fine", "no")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("transfer", "transfer needs a system, such as system=sb-cnn; see `asc-bench transfer`"),
        ("transfer[system=sb-cnn,window_s=0]", "window_s is 0.0, must be positive"),
        ("transfer[system=sb-cnn,window_s=nan]", "window_s is nan, must be positive"),
        ("transfer[system=sb-cnn,variant=svm,pooling=attention]", "variant=svm has no pooling=attention"),
        ("transfer[system=sb-cnn,variant=mlp]", "variant is 'mlp', but must be one of finetune, retrain, svm, lr"),
        ("transfer[system=sb-cnn,layers=head]", "layers is 'head', but must be one of classifier, all"),
    ],
)
def test_wrong_settings_say_what_is_right(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_variants(text)


@pytest.mark.parametrize(
    ("text", "one_label", "several_labels"),
    [
        ("system=sb-cnn", None, None),
        ("system=logmel-svm", "logmel-svm is no neural network", "logmel-svm is no neural network"),
        ("system=nac", "nac is trained in several steps", "nac is trained in several steps"),
        ("system=nac,variant=retrain", None, "nac is trained in several steps"),
        ("system=nac,variant=svm", None, "nac is trained in several steps"),
    ],
)
def test_what_can_be_transferred(text: str, one_label: str | None, several_labels: str | None) -> None:
    (variant,) = parse_variants(f"transfer[{text}]")
    for of, expected in ((task(), one_label), (several(), several_labels)):
        why = refusal(variant.build(of, Budget.SMOKE))
        assert (why is None) == (expected is None) and (why or "").startswith(expected or "")


def test_a_system_that_refuses_the_target_is_not_transferred_to_it() -> None:
    (variant,) = parse_variants("transfer[system=hierarchical-cnn,variant=retrain]")
    why = refusal(variant.build(task(duration_s=0.1), Budget.SMOKE))
    assert why is not None and "clips of 0.1 s have 1,600 samples" in why
    # Of clips with several labels it is given windows, so their length counts.
    (short,) = parse_variants("transfer[system=hierarchical-cnn,variant=retrain,window_s=0.1]")
    why = refusal(short.build(several(), Budget.SMOKE))
    assert why is not None and "clips of 0.1 s have 1,600 samples" in why


@pytest.mark.parametrize("settings", [{}, {"layers": "all"}, {"variant": "svm"}, {"variant": "lr"}])
def test_without_the_network_of_the_source_nothing_is_fitted(tmp_path: Path, settings: dict[str, str]) -> None:
    system = moved(ConvNet, task(N_CLASSES), **settings)
    with pytest.raises(
        SystemFailure, match="starts from a trained conv-net, and none was given; `asc-bench transf"
    ):
        system.fit(target_clips(), None, context(tmp_path))


def test_retraining_is_the_system_itself(tmp_path: Path) -> None:
    test = target_clips(seed=6)
    for name in ("alone", "moved"):
        (tmp_path / name).mkdir()
    alone = ConvNet(task(N_CLASSES), None, Budget.SMOKE)
    alone.fit(target_clips(), None, context(tmp_path / "alone", seed=SEED))
    system = moved(ConvNet, task(N_CLASSES), variant="retrain")
    system.fit(target_clips(), None, context(tmp_path / "moved", seed=SEED))
    np.testing.assert_array_equal(system.predict(test), alone.predict(test))
    assert system.params.source == "" and system.facts() == alone.facts()
    assert system.complexity() == alone.complexity()


@pytest.mark.parametrize("layers", ["classifier", "all"])
def test_a_step_of_fine_tuning_by_hand(tmp_path: Path, layers: str) -> None:
    source, train, test = trained(ConvNet, 4, duration_s=5.0), target_clips(), target_clips(seed=6)
    before = copied(source.module)
    system = moved(ConvNet, task(N_CLASSES), source, layers=layers)
    system.fit(train, None, context(tmp_path, seed=SEED))
    assert changed(source.module, before) == set(), "the source is as it was"

    torch.manual_seed(torch_seed(SEED, -1))
    net = ConvNet(task(N_CLASSES), None, Budget.SMOKE).build()
    net.load_state_dict({k: v for k, v in before.items() if k not in HEAD}, strict=False)
    start = copied(net)
    everything = layers == "all"
    net.train(everything)
    loss = cross_entropy(net(standardised(train.features.load(), source)), torch.from_numpy(train.labels["fine"]))
    loss.backward()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if everything or name in HEAD:
                # A tenth of the plan's rate where every layer is trained.
                parameter -= (0.05 if everything else 0.5) * parameter.grad
        expected = net.eval()(standardised(test.features.load(), source)).softmax(dim=1).numpy()
    np.testing.assert_allclose(system.predict(test), expected, rtol=1e-4, atol=1e-6)
    found = changed(system.inner.module, start)  # type: ignore[attr-defined]
    assert found == (set(start) if everything else HEAD)
    assert system.facts()["n_fresh_tensors"] == 2
    # A frozen layer is a part of the network that is told of, too.
    assert system.complexity() == ConvNet(task(N_CLASSES), None, Budget.SMOKE).complexity()


def test_a_network_of_one_length_cannot_be_fine_tuned_on_another(tmp_path: Path) -> None:
    source = trained(FlatNet, 4, duration_s=5.0)
    system = moved(FlatNet, task(N_CLASSES, duration_s=10.0), source)
    with pytest.raises(
        SystemFailure, match=r"flat-net: 1\.weight has the shape \(8, 60\) in the source and \(8, 120"
    ):
        system.fit(target_clips(duration_s=10.0), None, context(tmp_path))
    probe_of_it = moved(FlatNet, task(N_CLASSES, duration_s=10.0), source, variant="svm")
    with pytest.raises(SystemFailure, match=r"flat-net: the network cannot take features of shape \(40, 3\)"):
        probe_of_it.fit(target_clips(duration_s=10.0), None, context(tmp_path))


def embedded(source: ConvNet, x: np.ndarray) -> np.ndarray:
    assert source.module is not None
    with torch.no_grad():
        vectors = source.module.eval()[:-1](standardised(x, source))  # type: ignore[index]
    return vectors.numpy().astype(np.float64)


def test_a_support_vector_machine_on_the_frozen_embedding(tmp_path: Path) -> None:
    source, train, test = trained(ConvNet, 4, duration_s=5.0), target_clips(), target_clips(seed=6)
    before = copied(source.module)
    system = moved(ConvNet, task(N_CLASSES), source, variant="svm")
    system.fit(train, None, context(tmp_path))
    machine = make_pipeline(
        StandardScaler(), SVC(kernel="poly", degree=3, coef0=1.0, gamma="scale", C=float(system.facts()["C"]))
    )
    machine.fit(embedded(source, train.features.load()), train.labels["fine"])
    expected = softmax(machine.decision_function(embedded(source, test.features.load())), axis=1)
    found = system.predict(test)
    assert isinstance(found, np.ndarray) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert changed(source.module, before) == set()
    assert system.complexity() == source.complexity()


@pytest.mark.parametrize("mode", ["logistic", "closed_form"])
def test_a_logistic_regression_on_the_frozen_embedding(tmp_path: Path, mode: str) -> None:
    source, train, test = trained(ConvNet, 4, duration_s=5.0), target_clips(), target_clips(seed=6)
    system = moved(ConvNet, task(N_CLASSES), source, variant="lr", mode=mode)
    system.fit(train, None, context(tmp_path))
    judge = probe("lr", mode=mode)
    judge.fit(
        embedded(source, train.features.load()), train.labels["fine"], n_classes=N_CLASSES, location=train.location
    )
    expected = judge.predict(embedded(source, test.features.load()))
    np.testing.assert_allclose(system.predict(test), expected, atol=1e-3)
    assert system.facts()["lambda"] == judge.facts()["lambda"]


def test_validation_clips_are_kept_for_who_decides_on_them() -> None:
    for variant in ("retrain", "finetune", "svm", "lr"):
        assert not moved(ConvNet, task(), variant=variant).uses_validation
        assert moved(ConvNet, several(), variant=variant).uses_validation, "thresholds need them"


def test_clips_of_several_labels_are_judged_by_windows() -> None:
    assert moved(FlatNet, several()).inner_task.clip_duration_s == 2.0
    assert moved(FlatNet, several(), window_s=30.0).inner_task.clip_duration_s == 10.0
    assert moved(FlatNet, task(duration_s=5.0)).inner_task.clip_duration_s == 5.0
    assert several().n_segments == 10 and several(duration_s=0.3).n_segments == 1
    assert TransferParams(system="x").window_s == 2.0
