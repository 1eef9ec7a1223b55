"""The bench of training steps at toy size, and its arithmetic against cases worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from asc_bench.api import FINE, Budget, SystemFailure, TorchSystem
from asc_bench.runs.variant import parse_variants
from asc_bench.training.precision import Decision
from asc_bench.training.sampling import batch_rows
from tests.benchmarks import bench_training as bench
from tests.benchmarks import training_steps as ts

BF16 = ts.Setting("bfloat16", channels_last=True)
COMPILED = ts.Setting("bfloat16", channels_last=True, compiled=True)
QUICKLY = ("--budget", "smoke", "--threads", "1", "--rounds", "1")


@pytest.fixture(autouse=True)
def _same_number_of_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def row(setting=ts.PLAIN, *step_s, loss=2.0, gradient=(3.0, 4.0), first_s=0.0):
    return ts.Row(setting, loss, torch.tensor(gradient, dtype=torch.float64), first_s, list(step_s or [1.0]))


def figures(variant="mla", *, plain=2.0, own=2.0, used=1.0, used_setting=BF16, **of_used):
    return bench.Figures(
        variant=variant,
        batch_size=2,
        of_plan=16,
        decision=Decision("bfloat16", "for the test"),
        plain=row(ts.PLAIN, plain),
        own=row(ts.Setting("float32", channels_last=True), own),
        used=row(used_setting, used, **of_used),
        compiled=None,
        not_compiled="left out",
        flops=200_000_000_000,
        n_modules=3,
        matrix_flops_per_s={"float32": 1e11, "bfloat16": 4e11},
    )


def built(text, budget=Budget.SMOKE):
    (variant,) = parse_variants(text)
    system = variant.build(ts.TASK, budget)
    assert isinstance(system, TorchSystem)
    return system


def test_least_time_of_all_rounds_counts():
    assert row(BF16, 1.5, 0.5, 9.0).least_s == 0.5


def test_deviations_worked_by_hand():
    """Loss 2.1 instead of 2; gradients (3, 4) and (3.3, 4.4): 10 % off both ways."""
    loss, norm, whole = row(BF16, loss=2.1, gradient=(3.3, 4.4)).deviations(row())
    assert (loss, norm, whole) == pytest.approx((0.05, 0.1, 0.1))


def test_a_gradient_of_the_right_length_in_a_wrong_direction_is_noticed():
    turned = row(BF16, gradient=(4.0, 3.0))
    assert turned.deviations(row()) == pytest.approx((0.0, 0.0, np.sqrt(2) / 5))
    wrong = figures("caa-net", used=0.5, gradient=(4.0, 3.0)).complaints()
    assert wrong == ["caa-net: its loss or gradient is too far from float32"]


def test_steps_until_a_compilation_has_paid_off():
    """It costs 60 s more than the first step of the other, and saves 0.5 s a step."""
    plain, quick = row(BF16, 1.5, first_s=3.5), row(COMPILED, 1.0, first_s=63.0)
    assert quick.compile_s == 62.0
    assert quick.pays_off_after(plain) == pytest.approx(120.0)
    assert row(COMPILED, 1.6, first_s=63.0).pays_off_after(plain) == float("inf")


def test_bound_worked_by_hand():
    """200 GFLOP at 400 GFLOP/s are 0.5 s; a step of 1 s takes twice as long."""
    assert figures().over_bound(figures().used) == pytest.approx(2.0)
    assert figures().over_bound(figures().own) == pytest.approx(1.0)


def test_complaints_worked_by_hand():
    assert figures().complaints() == []
    assert figures(own=0.8).complaints() == ["mla: it takes 1.25 times as long as in float32"]
    assert figures(loss=2.5).complaints() == ["mla: its loss or gradient is too far from float32"]
    assert figures("caa-net").complaints() == ["caa-net: it is 2.00 times as fast as plain float32, wanted are 2.2"]
    assert figures("hierarchical-cnn[example=clip]").complaints() == [
        "hierarchical-cnn[example=clip]: it takes 2.00 times its bound, wanted are 1.6"
    ]
    # Where float32 is the faster arithmetic, nothing more is wanted.
    assert figures("caa-net", used=2.0, used_setting=ts.Setting("float32", channels_last=True)).complaints() == []


def test_goals_are_of_systems_that_are_timed():
    names = [str(variant) for variant in bench.networks("")]
    assert set(bench.GOALS) <= set(names)
    assert {"sample-cnn", "raw-cnn", "caa-net[topology=cnn-no-pool]"} <= set(names)
    assert not {"logmel-svm", "fusion"} & set(names)


def test_steps_are_those_of_the_training_loop():
    """Loss and gradient of the first step against autograd without loop or bench."""
    system = built("caa-net")
    clips = ts.make_clips(system, 4, "cpu")
    (found,) = ts.measured(system, clips, [ts.PLAIN], batch_size=2, rounds=2)
    assert len(found.step_s) == 2 and min(found.step_s) > 0
    torch.manual_seed(0)
    module = system.build().train()
    batch = clips.batch(batch_rows(4, 2, seed=0, step=0))
    scores = module(batch.features)["scene"]
    loss = -scores[torch.arange(2), batch.labels[FINE]].mean()
    expected = torch.autograd.grad(loss, list(module.parameters()))
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(found.gradient, torch.cat([g.flatten() for g in expected]), rtol=1e-3, atol=1e-5)


def test_operations_of_a_step_are_three_times_those_of_a_prediction():
    """But for the stem, whose input needs no gradient: 19,683 steps of 3 taps and 16 channels."""
    system = built("sample-cnn")
    forward = system.complexity()["n_multiply_adds"] // 3  # three excerpts
    assert ts.flops_per_step(system, 2) == 2 * 2 * (3 * forward - 19_683 * 3 * 16)


def test_batches_are_halved_until_they_are_affordable():
    system = built("sample-cnn")
    one = ts.flops_per_step(system, 2) / 2e9
    assert bench.affordable_batch(system, 23, 0) == 23
    assert bench.affordable_batch(system, 23, 6 * one) == 5
    assert bench.affordable_batch(system, 23, 0.1 * one) == 2


def test_run_at_toy_size(tmp_path: Path, capsys):
    file = tmp_path / "figures.json"
    options = ["--systems", "caa-net,dcase2018-baseline,logmel-svm", *QUICKLY, "--operators", "--json", str(file)]
    code = bench.main(options, matrix_side=64)
    content, printed = json.loads(file.read_text()), capsys.readouterr().out
    assert [s["system"] for s in content["systems"]] == ["caa-net", "dcase2018-baseline"]
    for system in content["systems"]:
        assert system["rows"]["own"]["deviations"] == [0, 0, 0]
        assert system["rows"]["plain"]["deviations"][0] < 1e-4  # float32 in another layout
        assert 0.5 < sum(share for _, share in system["operators"]) <= 1
        assert system["over_bound"] > 0
    assert "| caa-net" in printed and "convolution" in printed
    complaints = [text for s in content["systems"] for text in s["complaints"]]
    assert code == (1 if complaints else 0) and printed.count("NOT GOOD ENOUGH") == len(complaints)


def test_a_failed_compilation_is_reported_with_its_reason(monkeypatch, capsys):
    real = ts.Steps

    def broken(system, clips, setting, **settings):
        if setting.compiled:
            raise RuntimeError("CppCompileError:\n g++ is out of order")
        return real(system, clips, setting, **settings)

    monkeypatch.setattr(ts, "Steps", broken)
    monkeypatch.setattr(ts, "no_compiler", lambda device: None)
    bench.main(["--systems", "sb-cnn", "--compile", *QUICKLY], matrix_side=64)
    assert "not compiled, RuntimeError: CppCompileError: g++ is out of order" in capsys.readouterr().out


def test_no_system_is_begun_after_the_time_is_over(capsys):
    code = bench.main(["--systems", "sb-cnn", "--seconds", "-1", *QUICKLY], matrix_side=64)
    assert code == 0 and "sb-cnn: not begun, -1 s are over" in capsys.readouterr().out


def test_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert ts.no_compiler("cpu") == "there is no C++ compiler 'no-such-compiler'; name one in CXX"


def test_diverging_training_is_an_error(monkeypatch):
    system = built("caa-net")
    monkeypatch.setattr(type(system), "loss", lambda self, outputs, batch: outputs["scene"].sum() * float("nan"))
    with pytest.raises(SystemFailure, match="diverged at step 0"):
        ts.measured(system, ts.make_clips(system, 2, "cpu"), [ts.PLAIN], batch_size=2, rounds=1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_its_bench_refuses_in_a_sentence(capsys):
    with pytest.raises(SystemExit) as stopped:
        bench.main(["--device", "cuda"])
    assert stopped.value.code == 2
    assert "device 'cuda': torch" in (printed := capsys.readouterr().err) and "sees 0 GPUs here" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rounds", "0"], "--rounds, --steps and --threads must be at least 1"),
        (["--device", "tpu"], "device 'tpu' is none of auto, cpu, cuda"),
        (["--json", "no-such-folder/figures.json"], "--json: there is no folder"),
        (["--systems", "resnet"], "resnet"),
    ],
)
def test_wrong_options_are_refused(options, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        bench.main(options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
