"""The bench of the hierarchical CNN at toy size, and its arithmetic against hand-worked cases."""

from __future__ import annotations

import json

import pytest
import torch

from asc_bench.api import Budget
from tests.benchmarks import bench_hierarchical_cnn as bench
from tests.benchmarks import training_steps as ts


@pytest.fixture(autouse=True)
def _same_number_of_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_over_floor_worked_by_hand() -> None:
    """200 GFLOP at 100 GFLOP/s are 2 s; a step of 3 s takes 1.5 times as long."""
    row = ts.Row(ts.PLAIN, 3.0, 1.0, 0.0, 0.0, 0.0)
    figures = bench.Figures(
        batch_size=1,
        used=ts.PLAIN,
        rows=[row],
        flops_per_step=200_000_000_000,
        matrix_flops_per_s={"float32": 1e11},
        operators=[],
        complaints=[],
        evaluation_s_per_clip=0.0,
        quick_run_s=0.0,
    )
    assert figures.over_floor(figures.used_row) == pytest.approx(1.5)


def test_operations_of_a_step_are_three_times_those_of_a_prediction() -> None:
    """But for the first layers, whose input needs no gradient."""
    system = bench.make_system(Budget.SMOKE)
    first = 3 * (6397 * 20 * 12 + 318 * 300 * 12)
    forward = system.complexity()["n_multiply_adds"]
    assert ts.flops_per_step(system, (80_000,), 2) == 2 * 2 * (3 * forward - first)


def test_a_quick_run_takes_half_of_the_chunks() -> None:
    """Of four updates three take one chunk of three, and one all."""
    assert bench.chunks_of_a_run(Budget.QUICK) == pytest.approx((3 * 1 + 3) / 12)


def test_run_at_toy_size(tmp_path, capsys) -> None:
    file = tmp_path / "figures.json"
    quickly = ["--threads", "1", "--repeats", "1", "--batch-size", "1", "--json", str(file)]
    code = bench.main(quickly, budget=Budget.SMOKE, matrix_side=64)
    content, printed = json.loads(file.read_text()), capsys.readouterr().out
    assert code == (1 if content["complaints"] else 0)
    assert [row["setting"] for row in content["rows"]] == [vars(s) for s in bench.SETTINGS]
    assert content["rows"][0]["factor"] == 1.0 and content["rows"][1]["loss_deviation"] < 1e-4
    names = [name for name, _ in content["operators"]]
    assert len(names) == bench.N_OPERATORS and any("convolution" in name for name in names)
    assert 0.5 < sum(share for _, share in content["operators"]) <= 1
    assert "times its floor, wanted are 1.3" in printed
    assert ("by operator" in printed) == (content["over_floor"] > 1.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch-size", "0"], "must be at least 1"),
        (["--device", "tpu"], "device 'tpu' is none of auto, cpu, cuda"),
        (["--json", "no-such-folder/figures.json"], "--json: there is no folder"),
    ],
)
def test_wrong_options_are_refused(options, message, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        bench.main(options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
