"""Training steps of CAA-Net: which arithmetic and layout is fastest and still right, and what a paper run costs.

Usage: ``python -m tests.benchmarks.bench_caa_net [--device cuda] [--topology cnn-pool] [--row] [--json FILE]``.
Exits with 1 if what the system uses takes over 10 % longer than the fastest right setting, or, on a CPU that
multiplies bfloat16, is less than 2.2 times as fast as plain float32. A step is all that the training loop does from
one forward pass to the next. Features are noise, on which no step takes longer than on anything else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from asc_bench.proposed.caa_net import CaaNet, CaaNetParams
from asc_bench.protocols._mobile import VALIDATION_FRACTION
from asc_bench.protocols.dcase2018 import Dcase2018
from tabulate import tabulate

from asc_bench.api import FINE, Budget, Features, LabelledClips, Task, TrainingPlan
from asc_bench.data.layouts.tut_mobile import DEVICES, TUT_2018_MOBILE
from asc_bench.errors import AscBenchError, ConfigError
from asc_bench.training.batches import ClipStore
from asc_bench.training.device import choose_device, training_dtype
from asc_bench.training.evaluate import EVALUATION_BATCH
from tests.benchmarks import training_steps as ts
from tests.benchmarks.training_steps import PLAIN, SETTINGS, WARM_UP, Row, Setting, Steps

TOPOLOGIES = ("cnn-pool", "cnn-no-pool", "atrous")
CPU_BATCH = {"cnn-pool": 16, "cnn-no-pool": 2, "atrous": 2}
"""Without local pooling a CPU takes half a minute for 16 clips, and 2 show the same."""
ROUNDS = 2
"""All settings are timed in turns, so that what else runs on the machine slows all of them."""

FOLD = TUT_2018_MOBILE.counts.folds["fold1"]
N_TRAINING_CLIPS, N_TEST_CLIPS = sum(FOLD["train"].values()), sum(FOLD["test"].values())
N_VALIDATION_CLIPS = round(VALIDATION_FRACTION * N_TRAINING_CLIPS)
"""About: whole locations are held out."""
AUTHORS_ITERATIONS, AUTHORS_EVALUATE_EVERY = 15_000, 100
"""So often the released code evaluates all training and all test clips."""
N_NETWORKS = {"single-device": len(DEVICES), "joint": 1, "teacher-forcing": 1, "multi-task": 1}
"""A row of Table II: the training strategies, and the networks that each trains in full."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What is timed; the tests make it small."""

    shape: tuple[int, int] | None = None
    batch_size: int | None = None
    budget: Budget = Budget.PAPER
    matrix_side: int | None = None


@dataclass(kw_only=True)
class Figures:
    """Everything measured of one topology; durations in seconds."""

    topology: str
    batch_size: int
    used: Setting
    rows: list[Row]
    not_compiled: str | None
    flops_per_step: int
    complaints: list[str]
    evaluation_s_per_clip: float
    run_s: dict[str, float] = field(default_factory=dict)
    """Extrapolated duration of a run by training strategy."""


def make_system(topology: str, training: str, budget: Budget) -> CaaNet:
    """The system with attention pooling, for the task of DCASE 2018."""
    task = Task(labels=Dcase2018.labels, devices=DEVICES, clip_duration_s=Dcase2018.clip_duration_s)
    return CaaNet(task, CaaNetParams(topology=topology, training=training), budget)


def n_steps(system: CaaNet) -> int:
    """Training steps of one of the system's networks."""
    iterations = system.training_plan().iterations
    assert iterations is not None
    return iterations


def make_clips(n_clips: int, shape: tuple[int, ...], device: str) -> ClipStore:
    """Noise with scenes and recording devices."""
    rng = np.random.default_rng(0)
    features = Features(rng.standard_normal((n_clips, *shape), dtype=np.float32), np.arange(n_clips))
    scenes = rng.integers(0, len(Dcase2018.labels.fine), size=n_clips)
    return ClipStore(LabelledClips(features, np.arange(n_clips) % len(DEVICES), {FINE: scenes}), device=device)


def authors_evaluated_clips() -> int:
    """Clips that the released code evaluates in the course of one training."""
    return (N_TRAINING_CLIPS + N_TEST_CLIPS) * (AUTHORS_ITERATIONS // AUTHORS_EVALUATE_EVERY)


def evaluated_clips(plan: TrainingPlan) -> int:
    """Clips that one run evaluates here, at most: each validation, and at the end the validation and test splits.

    A system that does not validate has no validation split.
    """
    if not plan.validate_every:
        return N_TEST_CLIPS
    assert plan.iterations is not None
    return N_VALIDATION_CLIPS * (plan.iterations // plan.validate_every + 1) + N_TEST_CLIPS


def run_s(plan: TrainingPlan, *, step_s: float, clip_s: float, n_networks: int = 1) -> float:
    """Seconds of a run: the training steps of its networks and its evaluations."""
    assert plan.iterations is not None
    return n_networks * plan.iterations * step_s + evaluated_clips(plan) * clip_s


def time_settings(system: CaaNet, step: Callable[..., Steps], why_not: str | None) -> tuple[list[Row], str | None]:
    """Figures of all settings and of the fastest one compiled; and why there are none of that, if so.

    Parameters
    ----------
    step : callable
        Takes a system and ``setting``.
    why_not : str, optional
        Why torch.compile is not even tried.
    """
    taken: dict[Setting, list[Steps]] = {setting: [] for setting in SETTINGS}
    for _ in range(ROUNDS):
        for setting in SETTINGS:
            taken[setting].append(step(system, setting=setting))
    rows = [ts.to_row(setting, rounds, taken[PLAIN]) for setting, rounds in taken.items()]
    if why_not is not None:
        return rows, why_not
    compiled = replace(ts.fastest_right(rows, n_steps(system)).setting, compiled=True)
    try:
        rows.append(ts.to_row(compiled, [step(system, setting=compiled)], taken[PLAIN]))
    except (RuntimeError, OSError, subprocess.SubprocessError, AscBenchError) as error:
        return rows, f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"
    return rows, None


def measure(topology: str, options: argparse.Namespace, size: Size) -> Figures:
    """Time all settings of one topology, and extrapolate."""
    on_gpu = options.device.startswith("cuda")
    system = make_system(topology, "joint", size.budget)
    plan = system.training_plan()
    shape = size.shape or system.front_end().shape(system.task.clip_duration_s)
    batch_size = size.batch_size or (plan.batch_size if on_gpu else CPU_BATCH[topology])
    clips = make_clips(EVALUATION_BATCH if on_gpu else batch_size, shape, options.device)
    step = partial(ts.take_steps, clips=clips, batch_size=batch_size, repeats=options.repeats)
    why_not = "left out (--no-compile)" if options.no_compile else ts.no_compiler(options.device)
    rows, not_compiled = time_settings(system, step, why_not)

    dtype = training_dtype(plan.precision, options.device)
    used = Setting(str(dtype).removeprefix("torch."), plan.channels_last)
    # What "auto" resolves to says whether a CPU multiplies bfloat16.
    native = training_dtype("auto", options.device) is torch.bfloat16
    required = ts.REQUIRED_FACTOR if native and not on_gpu else 0.0
    step_s = next(row.step_s for row in rows if row.setting == used)
    clip_s = ts.evaluation_s_per_clip(system, clips, repeats=options.repeats)
    figures = Figures(
        topology=topology,
        batch_size=batch_size,
        used=used,
        rows=rows,
        not_compiled=not_compiled,
        flops_per_step=ts.flops_per_step(system, shape, batch_size),
        complaints=ts.complaints(rows, used, n_steps(system), required_factor=required),
        evaluation_s_per_clip=clip_s,
    )
    for training, n_networks in N_NETWORKS.items() if options.row else [("joint", 1)]:
        # The network of a single device is that of joint training.
        if training in ("teacher-forcing", "multi-task"):
            system = make_system(topology, training, size.budget)
            step_s = median(step(system, setting=used).seconds[WARM_UP:])
            clip_s = ts.evaluation_s_per_clip(system, clips, repeats=options.repeats)
        plan = system.training_plan()
        # A batch smaller than the plan's counts as many times as it goes into it.
        of_plan = step_s * plan.batch_size / batch_size
        figures.run_s[training] = run_s(plan, step_s=of_plan, clip_s=clip_s, n_networks=n_networks)
    return figures


def show(figures: Figures, matrix_rates: dict[str, float], length: int) -> None:
    """Print the figures of one topology, whose trainings are ``length`` steps long."""
    print(f"\n{figures.topology}, attention pooling, joint training, batches of {figures.batch_size}")
    table = []
    for row in figures.rows:
        rate = figures.flops_per_step / row.step_s
        table.append(
            {
                "setting": str(row.setting) + ("" if row.right else " (WRONG)"),
                "step, s": f"{row.step_s:.4g}",
                "factor": f"{row.factor:.2f}",
                "loss off": f"{row.loss_deviation:.1e}",
                "norm off": f"{row.norm_deviation:.1e}",
                "gradient off": f"{row.gradient_deviation:.1e}",
                "GFLOP/s": f"{rate / 1e9:.0f}",
                "of matrix rate": f"{rate / matrix_rates[row.setting.precision]:.0%}",
                "compile, s": f"{row.compile_s:.0f}" if row.setting.compiled else "",
            }
        )
    print(tabulate(table, headers="keys", disable_numparse=True, stralign="right"))
    if figures.not_compiled is not None:
        print(f"torch.compile has no figure: {figures.not_compiled}")
    best = ts.fastest_right(figures.rows, length).setting
    same = ", which is what the system uses" if best == figures.used else f"; the system uses {figures.used}"
    print(f"Fastest right setting: {best}{same} on this device.")
    for complaint in figures.complaints:
        print(f"NOT GOOD ENOUGH: {complaint}.")
    clip_s = figures.evaluation_s_per_clip
    theirs_h = authors_evaluated_clips() * clip_s / 3600
    print(f"Evaluation, float32: {clip_s * 1e3:.3g} ms per clip.")
    print(
        f"Extrapolation: {figures.run_s['joint'] / 3600:.2f} h for a paper run, joint training ({length} steps, "
        f"the test split evaluated once); evaluating as the released code does would add {theirs_h:.2f} h."
    )
    if len(figures.run_s) > 1:
        parts = ", ".join(f"{name} {figures.run_s[name] / 3600:.2f} h" for name in N_NETWORKS)
        print(f"Extrapolation: {sum(figures.run_s.values()) / 3600:.2f} h for its row of Table II ({parts}).")


def show_evaluations() -> dict[str, int]:
    """Print and give how many clips are evaluated in a paper run, by the released code and here."""
    found = {"released code": authors_evaluated_clips()}
    for training in N_NETWORKS:
        found[training] = evaluated_clips(make_system("cnn-pool", training, Budget.PAPER).training_plan())
    print(
        f"Clips evaluated in one run of {AUTHORS_ITERATIONS} iterations. Released code: {N_TRAINING_CLIPS} + "
        f"{N_TEST_CLIPS} every {AUTHORS_EVALUATE_EVERY} iterations. Here: the test split once; what validates also "
        f"evaluates about {N_VALIDATION_CLIPS} clips as often as its plan says, at most, and once at the end."
    )
    rows = [(name, n, f"{found['released code'] / n:.0f}") for name, n in found.items()]
    print(tabulate(rows, headers=("", "clips", "times fewer"), intfmt=","))
    return found


def main(argv: list[str] | None = None, size: Size | None = None) -> int:
    """Measure the topologies; 1 if what the system uses is not good enough for one, 2 for a wrong option."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ... or auto")
    parser.add_argument("--topology", choices=TOPOLOGIES, nargs="+", default=TOPOLOGIES)
    parser.add_argument(
        "--repeats", type=int, default=3, help=f"timed steps in each of {ROUNDS} rounds; the median counts"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch on a CPU")
    parser.add_argument("--row", action="store_true", help="time all four training strategies of Table II")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    options = parser.parse_args(argv)
    if options.repeats < 1 or options.threads < 1:
        parser.error(f"--repeats and --threads must be at least 1, got {options.repeats} and {options.threads}")
    if options.json is not None and not options.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {options.json.absolute().parent}")
    try:
        options.device = choose_device(options.device)
    except ConfigError as error:
        parser.error(str(error))
    size = size or Size()
    torch.set_num_threads(options.threads)
    on_gpu = options.device.startswith("cuda")
    if ":" in options.device:
        torch.cuda.set_device(options.device)  # events and waiting are of the current one
    what = (
        torch.cuda.get_device_name(options.device)
        if on_gpu
        else f"{platform.machine()} CPU, {options.threads} threads"
    )
    print(f"{what}, torch {torch.__version__}, load before {os.getloadavg()[0]:.1f}: wants an idle machine\n")
    evaluations = show_evaluations()
    side = size.matrix_side or (8192 if on_gpu else 4096)
    rates = {p: ts.matrix_flops_per_s(p, options.device, side=side) for p in ("float32", "bfloat16")}
    given = ", ".join(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in rates.items())
    print(
        f"\nMatrix product of {side} x {side}: {given}. Those of a step count its convolutions and matrix "
        "products, forward and backward, a multiply-add as two."
    )
    print(
        f"Right is: loss within {ts.MAX_LOSS_DEVIATION:.0%} of {PLAIN}, gradient norm within "
        f"{ts.MAX_NORM_DEVIATION:.0%}, gradient as a vector within {ts.MAX_GRADIENT_DEVIATION:.0%}, with the same "
        "weights and batch."
    )
    length = n_steps(make_system("cnn-pool", "joint", size.budget))
    found = []
    for topology in options.topology:
        found.append(measure(topology, options, size))
        show(found[-1], rates, length)
    if options.json is not None:
        content = {
            "device": what,
            "torch": torch.__version__,
            "evaluated_clips": evaluations,
            "matrix_flops_per_s": rates,
            "topologies": [
                asdict(f) | {"fastest": asdict(ts.fastest_right(f.rows, length).setting)} for f in found
            ],
        }
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 1 if any(figures.complaints for figures in found) else 0


if __name__ == "__main__":
    sys.exit(main())
