import json

import numpy as np
import pytest
import torch
from asc_bench.proposed.caa_net import CaaNet

from asc_bench.api import FINE, Budget, SystemFailure, TrainingPlan
from asc_bench.training.device import training_dtype
from asc_bench.training.sampling import batch_rows
from tests.benchmarks import bench_caa_net as bench
from tests.benchmarks import training_steps as ts

SHAPE = (32, 16)
TOY = bench.Size(shape=SHAPE, batch_size=2, budget=Budget.SMOKE, matrix_side=64)
QUICKLY = ["--threads", "1", "--repeats", "1", "--no-compile"]
BF16 = ts.Setting("bfloat16", channels_last=True)


@pytest.fixture(autouse=True)
def _same_number_of_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def row(setting=ts.PLAIN, *, step_s=1.0, factor=1.0, loss=0.0, norm=0.0, gradient=0.0, compile_s=0.0):
    return ts.Row(setting, step_s, factor, loss, norm, gradient, compile_s)


def steps(*seconds, loss=2.0, gradient=(3.0, 4.0)):
    return ts.Steps((99.0,) * ts.WARM_UP + seconds, loss, torch.tensor(gradient, dtype=torch.float64))


def test_evaluated_clips_worked_by_hand():
    """6,122 + 540 + 540 training and 2,518 + 180 + 180 test clips; 15 % of 7,202 is 1,080."""
    assert bench.authors_evaluated_clips() == (7202 + 2878) * 150 == 1_512_000
    assert bench.evaluated_clips(TrainingPlan(batch_size=16, iterations=15_000)) == 2878
    every_500 = TrainingPlan(batch_size=16, iterations=15_000, validate_every=500)
    assert bench.evaluated_clips(every_500) == 30 * 1080 + 1080 + 2878 == 36_358


def test_duration_of_a_run_worked_by_hand():
    plan = TrainingPlan(batch_size=16, iterations=100)
    assert bench.run_s(plan, step_s=0.5, clip_s=0.01) == pytest.approx(50 + 28.78)
    assert bench.run_s(plan, step_s=0.5, clip_s=0.01, n_networks=3) == pytest.approx(150 + 28.78)


def test_row_worked_by_hand():
    """Medians over both rounds: 2 and 0.5. Gradients (3, 4) and (3.3, 4.4): 10 % off both ways."""
    plain = [steps(1.0, 2.0, 2.5), steps(1.5, 2.0, 9.0)]
    fast = [steps(0.5, 0.4, 0.6, loss=2.1, gradient=(3.3, 4.4)), steps(0.5, 0.5, 0.7)]
    found = ts.to_row(BF16, fast, plain)
    assert (found.step_s, found.factor) == (0.5, 4.0)
    assert found.loss_deviation == pytest.approx(0.05)
    assert found.norm_deviation == pytest.approx(0.1)
    assert found.gradient_deviation == pytest.approx(0.1)
    assert found.compile_s == 0.0


def test_gradient_of_the_right_length_in_a_wrong_direction_is_noticed():
    found = ts.to_row(BF16, [steps(1.0, gradient=(4.0, 3.0))], [steps(1.0)])
    assert found.norm_deviation == pytest.approx(0.0)
    assert found.gradient_deviation == pytest.approx(np.sqrt(2) / 5)
    assert not found.right


def test_first_step_of_a_compiled_setting_is_its_compilation():
    found = ts.to_row(ts.Setting("bfloat16", channels_last=True, compiled=True), [steps(1.0, 1.0)], [steps(2.0)])
    assert found.compile_s == 98.0
    assert found.cost_s(49) == pytest.approx(1.0 + 2.0)


@pytest.mark.parametrize("what", ["loss", "norm", "gradient"])
def test_wrong_numbers_are_never_called_fastest(what):
    rows = [row(step_s=2.0), row(BF16, step_s=0.5, factor=4.0, **{what: 0.2})]
    assert ts.fastest_right(rows, 100).setting == ts.PLAIN
    assert ts.complaints(rows, BF16, 100) == [f"{BF16}: loss or gradient is too far from {ts.PLAIN}"]


def test_complaints_worked_by_hand():
    compiled = ts.Setting("bfloat16", channels_last=True, compiled=True)
    rows = [row(step_s=2.0), row(BF16, step_s=1.0, factor=2.0), row(compiled, step_s=0.5, factor=4.0, compile_s=60)]
    assert ts.complaints(rows, BF16, 100) == []  # compiled, a step costs 0.5 + 60 / 100
    assert ts.complaints(rows, BF16, 600) == [f"{BF16} takes 1.67 times as long as {compiled}, allowed is 1.1"]
    assert ts.complaints(rows, ts.PLAIN, 100)[0].startswith(f"{ts.PLAIN} takes 2.00 times as long as {BF16}")
    slow = ts.complaints(rows, BF16, 100, required_factor=2.2)
    assert slow == [f"{BF16} is 2.00 times as fast as {ts.PLAIN}, required is 2.2"]


def test_steps_are_those_of_the_training_loop():
    """Loss and gradient of the first step against autograd without loop or bench."""
    system = bench.make_system("cnn-pool", "joint", Budget.SMOKE)
    clips = bench.make_clips(4, SHAPE, "cpu")
    found = ts.take_steps(system, clips, ts.PLAIN, batch_size=2, repeats=2)
    assert len(found.seconds) == ts.WARM_UP + 2 and min(found.seconds) > 0
    torch.manual_seed(0)
    module = system.build().train()
    batch = clips.batch(batch_rows(4, 2, seed=0, step=0))
    scores = module(batch.features)["scene"]
    loss = -scores[torch.arange(2), batch.labels[FINE]].mean()
    expected = torch.autograd.grad(loss, list(module.parameters()))
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(found.gradient, torch.cat([g.flatten() for g in expected]), rtol=1e-3, atol=1e-5)


def test_operations_worked_by_hand():
    """Convolutions of 512, 128, 32 and 8 bins and two 1 x 1 on the last 2; the input itself needs no gradient."""
    first = 25 * 1 * 64 * 512
    forward = first + 25 * 64 * 128 * 128 + 25 * 128 * 256 * 32 + 25 * 256 * 512 * 8 + 2 * 512 * 10 * 2
    system = bench.make_system("cnn-pool", "joint", Budget.PAPER)
    assert ts.flops_per_step(system, SHAPE, 2) == 2 * 2 * (3 * forward - first)


def test_run_at_toy_size(tmp_path, capsys):
    file = tmp_path / "figures.json"
    code = bench.main([*QUICKLY, "--row", "--json", str(file)], TOY)
    content, printed = json.loads(file.read_text()), capsys.readouterr().out
    assert content["evaluated_clips"] == {
        "released code": 1_512_000,
        "single-device": 2878,
        "joint": 2878,
        "teacher-forcing": 2878,
        "multi-task": 165_958,
    }
    assert "1,512,000" in printed and "165,958" in printed
    assert [t["topology"] for t in content["topologies"]] == list(bench.TOPOLOGIES)
    used = {
        "precision": str(training_dtype("auto", "cpu")).removeprefix("torch."),
        "channels_last": True,
        "compiled": False,
    }
    for figures in content["topologies"]:
        assert figures["used"] == used
        assert [r["setting"] for r in figures["rows"]] == [vars(s) for s in ts.SETTINGS]
        assert figures["rows"][0]["factor"] == 1.0
        assert figures["rows"][1]["loss_deviation"] < 1e-4  # float32 in another layout
        assert figures["rows"][3]["loss_deviation"] < 0.05
        assert figures["not_compiled"] == "left out (--no-compile)"
        runs = figures["run_s"]
        assert set(runs) == {"single-device", "joint", "teacher-forcing", "multi-task"}
        evaluated = 2878 * figures["evaluation_s_per_clip"]
        assert runs["single-device"] - evaluated == pytest.approx(3 * (runs["joint"] - evaluated))
        assert f"{figures['topology']}, attention pooling" in printed
    assert code == (1 if any(figures["complaints"] for figures in content["topologies"]) else 0)
    assert printed.count("NOT GOOD ENOUGH") == sum(len(figures["complaints"]) for figures in content["topologies"])


def test_system_that_trains_in_slow_arithmetic_is_found_out(monkeypatch, capsys):
    monkeypatch.setattr(ts, "MAX_SLOWER", 1e-6)
    assert bench.main([*QUICKLY, "--topology", "cnn-pool"], TOY) == 1
    assert "NOT GOOD ENOUGH" in capsys.readouterr().out


def test_failed_compilation_is_reported_with_its_reason(monkeypatch, capsys):
    real = ts.take_steps

    def broken(system, clips, setting, **settings):
        if setting.compiled:
            raise RuntimeError("CppCompileError:\n g++ is out of order")
        return real(system, clips, setting, **settings)

    monkeypatch.setattr(ts, "take_steps", broken)
    monkeypatch.setattr(ts, "no_compiler", lambda device: None)
    bench.main(["--threads", "1", "--repeats", "1", "--topology", "cnn-pool"], TOY)
    printed = capsys.readouterr().out
    assert "torch.compile has no figure: RuntimeError: CppCompileError: g++ is out of order" in printed


def test_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert ts.no_compiler("cpu") == "there is no C++ compiler 'no-such-compiler'; name one in CXX"


def test_diverging_training_is_an_error(monkeypatch):
    monkeypatch.setattr(CaaNet, "loss", lambda self, outputs, batch: outputs["scene"].sum() * float("nan"))
    system = bench.make_system("cnn-pool", "joint", Budget.SMOKE)
    with pytest.raises(SystemFailure, match="diverged at step 0"):
        ts.take_steps(system, bench.make_clips(2, SHAPE, "cpu"), ts.PLAIN, batch_size=2, repeats=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--repeats", "0"], "--repeats and --threads must be at least 1, got 0 and"),
        (["--device", "cuda:99"], "device 'cuda:99'"),
        (["--device", "tpu"], "device 'tpu' is none of auto, cpu, cuda"),
        (["--json", "no-such-folder/figures.json"], "--json: there is no folder"),
        (["--topology", "resnet"], "invalid choice: 'resnet'"),
    ],
)
def test_wrong_options_are_refused(options, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        bench.main(options, TOY)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
