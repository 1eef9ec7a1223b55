"""The four training strategies of CAA-Net."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asc_bench.proposed.caa_net import POOLINGS, CaaNet, CaaNetParams

from asc_bench.api import FINE, Budget, Clips, Features, LabelledClips, StoreError
from asc_bench.bench.bench import Bench
from asc_bench.runs.plan import plan
from asc_bench.runs.variant import parse_variants
from asc_bench.training.batches import Batch
from asc_bench.training.evaluate import Evaluation
from asc_bench.training.sampling import batch_rows
from tests.unit.small_sets import accuracy, context, refusal, task, tones

DEVICES = ("A", "B", "C")
SHORT = task(3, duration_s=0.55, devices=DEVICES)
"""Clips of 18 frames: the least that four poolings by two leave a bin of."""
N_FRAMES = 18
OFFSETS = (0.0, 6.0, -6.0)


def on_devices(n_per_class: int, *, seed: int = 0, devices: tuple[int, ...] = (0, 1, 2)) -> LabelledClips:
    """Clips of ``tones``, each on one of the devices, which differ in level."""
    clips = tones(n_per_class, (N_FRAMES, 64), seed=seed)
    device = np.resize(np.repeat(devices, 3), len(clips)).astype(np.int64)
    features = clips.features.load() + np.array(OFFSETS, dtype=np.float32)[device][:, None, None]
    return LabelledClips(Features(features, np.arange(len(clips))), device, clips.labels)


def unlabelled(clips: LabelledClips) -> Clips:
    return Clips(clips.features, clips.device)


def system(budget: Budget = Budget.SMOKE, *, on=SHORT, iterations: int = 0, **settings: object) -> CaaNet:
    """A system, with fewer iterations where they are given."""
    made = CaaNet(on, CaaNetParams(**settings), budget)  # type: ignore[arg-type]
    if iterations:
        published = made.training_plan
        made.training_plan = lambda: replace(published(), iterations=iterations)  # type: ignore[method-assign]
    return made


def fine(given: object) -> np.ndarray:
    return given[FINE] if isinstance(given, dict) else given  # type: ignore[return-value]


CONFIGURATIONS = [(t, p) for t, some in POOLINGS.items() for p in some]


@pytest.mark.parametrize(("topology", "pooling"), CONFIGURATIONS)
def test_every_configuration_trains_and_predicts(
    topology: str, pooling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 of the 4 x 4 of each: every strategy once and at every layer once, and all sixteen of both in each four."""
    first = CONFIGURATIONS.index((topology, pooling))
    published = CaaNet.training_plan
    monkeypatch.setattr(CaaNet, "training_plan", lambda self: replace(published(self), iterations=2, batch_size=4))
    train, test = on_devices(6), on_devices(2, seed=1)
    for place, training in enumerate(("single-device", "joint", "teacher-forcing", "multi-task")):
        layer = 1 + (first + place) % 4
        made = system(topology=topology, pooling=pooling, training=training, condition_layer=layer)
        made.fit(train, train if made.uses_validation else None, context(tmp_path / training))
        found = fine(made.predict(unlabelled(test)))
        assert found.shape == (len(test), 3) and np.isfinite(found).all()
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
        if pooling in ("att", "roi+att"):
            maps = made.attention(unlabelled(test))
            np.testing.assert_allclose(maps.sum(axis=(2, 3)), 1, atol=1e-4)


@pytest.mark.parametrize("training", ["single-device", "joint", "teacher-forcing", "multi-task"])
def test_each_strategy_learns(training: str, tmp_path: Path) -> None:
    train, test = on_devices(12), on_devices(6, seed=1)
    made = system(training=training)
    made.fit(train, on_devices(4, seed=2) if made.uses_validation else None, context(tmp_path))
    assert accuracy(fine(made.predict(unlabelled(test))), test.labels[FINE]) >= 0.9
    saved = tmp_path / "saved"
    saved.mkdir()
    made.save(saved)
    again = system(training=training)
    again.load(saved)
    np.testing.assert_array_equal(fine(again.predict(unlabelled(test))), fine(made.predict(unlabelled(test))))


def test_devices_are_read_where_the_strategy_says_so() -> None:
    uses = {t: system(training=t).needs_device for t in ("joint", "multi-task", "teacher-forcing", "single-device")}
    assert uses == {
        "joint": "no",
        "multi-task": "training",
        "teacher-forcing": "test",
        "single-device": "test",
    }
    assert [t for t in uses if system(training=t).uses_validation] == ["multi-task"]


def test_each_device_has_a_network_that_saw_its_clips_alone(tmp_path: Path) -> None:
    """Classes are permuted on device C: only a network of its own can be right there, and on A."""
    clips = on_devices(12)
    assert clips.device is not None
    labels = np.where(clips.device == 2, (clips.labels[FINE] + 1) % 3, clips.labels[FINE])
    train = replace(clips, labels={FINE: labels})
    made = system(training="single-device")
    made.fit(train, None, context(tmp_path))
    test = on_devices(6, seed=1)
    assert test.device is not None
    found = fine(made.predict(unlabelled(test))).argmax(axis=1)
    np.testing.assert_array_equal(found, np.where(test.device == 2, (test.labels[FINE] + 1) % 3, test.labels[FINE]))
    alone = np.flatnonzero(test.device == 2)[:1]
    (one,) = fine(made.predict(Clips(Features(test.features.source, alone), test.device[alone])))
    np.testing.assert_allclose(one, fine(made.predict(unlabelled(test)))[alone[0]], atol=1e-6)


def test_all_networks_are_stored_and_one_of_them_predicts_a_clip() -> None:
    one, all_ = (dict(system(training=name).complexity()) for name in ("joint", "single-device"))
    n = all_.pop("n_device_models")
    for key in ("n_multiply_adds", "n_macs_dcase"):
        assert all_.pop(key) == one.pop(key)
    assert all_ == {key: n * value for key, value in one.items()}


def test_single_device_on_one_device_is_joint_training(tmp_path: Path) -> None:
    train, test = on_devices(6, devices=(0,)), on_devices(2, seed=1, devices=(0,))
    one = replace(SHORT, devices=("A",))
    found = []
    for training in ("joint", "single-device"):
        made = system(on=one, training=training)
        made.fit(train, None, context(tmp_path / training))
        found.append(fine(made.predict(unlabelled(test))))
    np.testing.assert_array_equal(*found)


def test_steps_of_each_devices_network_at_quick_follow_its_share(tmp_path: Path, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(
        CaaNet, "train_network", lambda self, *a, **k: seen.append(self.training_plan().iterations) or self.build()
    )
    train = on_devices(10)
    device = np.array([0] * 24 + [1] * 3 + [2] * 3)
    system(Budget.QUICK, training="single-device").fit(replace(train, device=device), None, context(tmp_path))
    assert seen == [320, 100, 100]
    seen.clear()
    system(Budget.PAPER, training="single-device").fit(replace(train, device=device), None, context(tmp_path))
    assert seen == [15_000] * 3


def test_equation_2_by_hand() -> None:
    outputs = {
        "scene": torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]).log(),
        "device": torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
        "device_weight": torch.tensor(0.01),
    }
    batch = Batch(torch.zeros(2, 1, 1), {FINE: torch.tensor([0, 1])}, torch.tensor([2, 0]))
    expected = -(np.log(0.5) + np.log(0.8)) / 2 + 0.01 * np.log(3)
    assert float(system(training="multi-task").loss(outputs, batch)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("right", "device", "switches"),
    [
        # The mean over devices counts, so that naming device A always is not enough.
        ([1] * 98 + [0] * 2, [0] * 98 + [1] * 2, False),
        ([1] * 100, [0] * 98 + [1] * 2, True),
        # 97.9 and 98.1 % on average 98.0 %.
        ([1] * 979 + [0] * 21 + [1] * 981 + [0] * 19, [0] * 1000 + [1] * 1000, True),
        ([1] * 979 + [0] * 21 + [1] * 980 + [0] * 20, [0] * 1000 + [1] * 1000, False),
    ],
)
def test_lambda_drops_once_the_device_branch_is_accurate(
    right: list[int], device: list[int], switches: bool
) -> None:
    made = system(training="multi-task")
    module = made.build()
    assert float(module.device_weight) == 1.0 and made.wants_validation(module)
    truth = np.array(device)
    guess = np.where(np.array(right, dtype=bool), truth, 1 - truth)
    seen = {"device": np.eye(3, dtype=np.float32)[guess], FINE: np.zeros((len(truth), 3), dtype=np.float32)}
    made.validated(module, Evaluation(seen, {}, truth))
    assert float(module.device_weight) == pytest.approx(1e-4 if switches else 1.0)


@pytest.mark.parametrize(("variant", "expected"), [("code", [1e-4, 1.0, 1e-4]), ("paper", [1e-4] * 3)])
def test_lambda_returns_to_one_in_the_code_and_never_in_the_paper(variant: str, expected: list[float]) -> None:
    """The released code asks before every step whether the last validation was at 98 %."""
    made = system(training="multi-task", variant=variant)
    module, truth = made.build(), np.arange(3)
    found = []
    for guess in (truth, [0, 0, 0], truth):
        seen = {"device": np.eye(3, dtype=np.float32)[guess], FINE: np.zeros((3, 3), dtype=np.float32)}
        made.validated(module, Evaluation(seen, {}, truth))
        found.append(float(module.device_weight))
        assert made.wants_validation(module) is (variant == "code")
    assert found == pytest.approx(expected)


def test_paper_budget_validates_every_hundred_iterations_and_ends_epochs_with_what_is_left() -> None:
    made = CaaNet(system().task, CaaNetParams(training="multi-task"), Budget.PAPER)
    plan = made.training_plan()
    assert (plan.iterations, plan.validate_every, plan.short_batches) == (15_000, 100, True)
    sizes = [len(batch_rows(7_202, 16, seed=1, step=step, short=True)) for step in range(452)]
    assert sizes == [16] * 450 + [2, 16]


def test_validation_stops_with_the_switch_and_a_checkpoint_carries_it(tmp_path: Path, monkeypatch) -> None:
    calls = []
    published = CaaNet.validated

    def watched(self: CaaNet, module: torch.nn.Module, validation: Evaluation) -> None:
        published(self, module, validation)
        calls.append(float(module.device_weight))  # type: ignore[arg-type]

    monkeypatch.setattr(CaaNet, "validated", watched)
    made = system(training="multi-task", variant="paper")
    made.fit(on_devices(12), on_devices(4, seed=2), context(tmp_path))
    assert calls and calls[-1] == pytest.approx(1e-4) and calls.count(calls[-1]) == 1
    assert made.facts()["device_weight_at_the_end"] == pytest.approx(1e-4)
    made.save(tmp_path)
    again = system(training="multi-task", variant="paper")
    again.load(tmp_path)
    assert float(again.module.device_weight) == pytest.approx(1e-4)  # type: ignore[union-attr, arg-type]


def test_teacher_forcing_hears_the_device(tmp_path: Path) -> None:
    """Scenes follow from the device alone, which no feature tells: on new clips only who is told can know."""
    rng = np.random.default_rng(0)

    def noise(n: int) -> Features:
        return Features(rng.normal(size=(n, N_FRAMES, 64)).astype(np.float32), np.arange(n))

    device = np.arange(240) % 3
    made = system(training="teacher-forcing", condition_layer=4)
    made.fit(LabelledClips(noise(240), device, {FINE: device}), None, context(tmp_path))
    fresh, device = noise(60), np.arange(60) % 3
    assert accuracy(fine(made.predict(Clips(fresh, device))), device) > 0.9
    assert accuracy(fine(made.predict(Clips(fresh, (device + 1) % 3))), device) < 0.1


@pytest.mark.parametrize(
    ("devices", "training", "message"),
    [
        ((), "multi-task", "training=multi-task conditions on the recording device, and the data name no device"),
        (("A",), "teacher-forcing", r"only one device \(A\); use joint"),
        ((), "single-device", "one network for each device, and the data name none; use joint"),
    ],
)
def test_conditioning_without_devices_is_refused(devices: tuple[str, ...], training: str, message: str) -> None:
    reason = refusal(system(on=replace(SHORT, devices=devices), training=training))
    assert reason is not None
    import re

    assert re.search(message, reason)
    assert refusal(system(on=replace(SHORT, devices=devices), training="joint")) is None


def test_clips_too_short_to_pool_are_refused() -> None:
    assert "pooling needs at least 16" in str(refusal(system(on=replace(SHORT, clip_duration_s=0.3))))


@pytest.mark.parametrize("n_devices", [2, 5])
def test_other_numbers_of_devices_and_scenes(n_devices: int, tmp_path: Path) -> None:
    names = tuple("ABCDE"[:n_devices])
    clips = tones(6, (N_FRAMES, 64), n_classes=8)
    device = np.arange(len(clips)) % n_devices
    on = replace(task(8, devices=names), clip_duration_s=0.55)
    for training in ("single-device", "teacher-forcing", "multi-task"):
        made = system(on=on, iterations=3, training=training)
        train = replace(clips, device=device)
        made.fit(train, train if made.uses_validation else None, context(tmp_path / training))
        assert fine(made.predict(unlabelled(train))).shape == (48, 8)


def authors_checkpoint(path: Path, made: CaaNet, *, seed: int) -> dict[str, torch.Tensor]:
    """A file as the released code writes it, of a network with other weights."""
    torch.manual_seed(seed)
    state = {k: v for k, v in made.build().state_dict().items() if k != "device_weight"}
    for name, value in state.items():
        if name.endswith(("running_mean", "cla.weight")):
            torch.nn.init.normal_(value)
    optimizer = {"state": {0: {"step": torch.tensor(5.0)}}, "param_groups": [{"lr": 1e-3, "params": [0]}]}
    torch.save({"iteration": 15_000, "state_dict": state, "optimizer": optimizer}, path)
    return state


def test_authors_checkpoint_is_loaded_and_not_trained(tmp_path: Path) -> None:
    path = tmp_path / "md_15000_iters.tar"
    state = authors_checkpoint(path, system(training="multi-task"), seed=3)
    made = system(training="multi-task", weights=str(path))
    made.fit(on_devices(4), None, context(tmp_path))
    assert made.module is not None and not made.uses_validation
    for name, value in state.items():
        torch.testing.assert_close(made.module.state_dict()[name], value)
    assert fine(made.predict(unlabelled(on_devices(2)))).shape == (6, 3)


def test_authors_checkpoint_of_another_network_is_told_key_by_key(tmp_path: Path) -> None:
    path = tmp_path / "md_15000_iters.tar"
    authors_checkpoint(path, system(training="multi-task", condition_layer=4), seed=0)
    made = system(training="multi-task", condition_layer=2, weights=str(path))
    with pytest.raises(StoreError) as caught:
        made.fit(on_devices(4), None, context(tmp_path))
    told = str(caught.value)
    assert "4 differences" in told
    for line in (
        "emb.cond2.weight: missing, expected shape (32, 3, 1, 1)",
        "emb.cond2.bias: missing, expected shape (32,)",
        "emb.cond4.weight: unexpected, shape (128, 3, 1, 1)",
        "emb.cond4.bias: unexpected, shape (128,)",
    ):
        assert line in told


class Evil:
    def __reduce__(self):
        return print, ("this must not run",)


def test_checkpoint_that_would_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.tar"
    torch.save({"iteration": 1, "state_dict": {"emb.conv1.weight": Evil()}}, path)
    made = system(weights=str(path))
    with pytest.raises(StoreError, match="could run code"):
        made.fit(on_devices(4), None, context(tmp_path))
    assert "must not run" not in capsys.readouterr().out


def test_contents_of_the_checkpoint_are_a_part_of_the_key(tmp_path: Path, bench: Bench) -> None:
    path = tmp_path / "weights.tar"
    variants = parse_variants(f"caa-net[weights={path}]")
    (absent,) = plan(bench, variants, budget=Budget.SMOKE)
    assert absent.fault == f"{path} cannot be read: No such file or directory"
    found = set()
    for content in (b"one", b"two", b"one"):
        path.write_bytes(content)
        found.add(plan(bench, variants, budget=Budget.SMOKE)[0].key)
    assert len(found) == 2
