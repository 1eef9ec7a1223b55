"""Training steps of the hierarchical CNN against the floor of its arithmetic, and where the rest of the time goes.

Usage: ``python -m tests.benchmarks.bench_hierarchical_cnn [--device cuda] [--batch-size 32] [--json FILE]``.
The floor is the time that the multiply-adds of a step would take at the rate of a large square matrix product on
the same machine. Exits with 1 if what the system uses is wrong, or takes over 10 % longer than the fastest right
setting. A step is all that the training loop does from one forward pass to the next. Clips are noise of 5 s, on
which no step takes longer than on anything else; all chunks of a clip are taken in every step.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from asc_bench.proposed.hierarchical_cnn import HierarchicalCnn, HierarchicalCnnParams
from tabulate import tabulate
from torch.profiler import ProfilerActivity, profile

from asc_bench.api import COARSE, FINE, Budget, Features, LabelledClips, LabelSpace, Task
from asc_bench.errors import ConfigError
from asc_bench.training.batches import Batch, ClipStore
from asc_bench.training.device import choose_device, training_dtype
from asc_bench.training.evaluate import as_float32
from tests.benchmarks import training_steps as ts
from tests.benchmarks.training_steps import PLAIN, Row, Setting, Steps

LABELS = LabelSpace.from_map({f"fine {i}": f"coarse {i % 8}" for i in range(70)})
"""As many classes as the merged data set of the paper has."""
CLIP_DURATION_S = 5.0
SETTINGS = (PLAIN, Setting("float32", channels_last=True), Setting("bfloat16", channels_last=True))
MAX_OVER_FLOOR = 1.3
"""A step that takes longer than so many times its floor is taken apart."""
N_OPERATORS = 14
ROUNDS = 2
"""All settings are timed in turns, so that what else runs on the machine slows all of them."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Everything measured; durations in seconds."""

    batch_size: int
    used: Setting
    rows: list[Row]
    flops_per_step: int
    matrix_flops_per_s: dict[str, float]
    operators: list[tuple[str, float]]
    """Name and share of a step's time of the operators that take most of it."""
    complaints: list[str]
    evaluation_s_per_clip: float
    quick_run_s: float

    def over_floor(self, row: Row) -> float:
        """How many times its floor a step takes."""
        return row.step_s * self.matrix_flops_per_s[row.setting.precision] / self.flops_per_step

    @property
    def used_row(self) -> Row:
        """Figures of the setting that the system uses."""
        return next(row for row in self.rows if row.setting == self.used)


def make_system(budget: Budget) -> HierarchicalCnn:
    """The default network for 70 fine and 8 coarse classes, trained on whole clips."""
    return HierarchicalCnn(Task(LABELS, (), CLIP_DURATION_S), HierarchicalCnnParams(example="clip"), budget)


def chunks_of_a_run(budget: Budget) -> float:
    """Chunks that an update of the default system takes of a clip, as a share of all, the mean over a training."""
    system = HierarchicalCnn(Task(LABELS, (), CLIP_DURATION_S), HierarchicalCnnParams(), budget)
    n_steps, n_chunks = system.training_plan().iterations, int(system.facts()["n_chunks"])
    assert n_steps is not None
    drawn = (system.windows_drawn(Batch(torch.empty(0), step=step)) for step in range(n_steps))
    return sum(n_chunks if n is None else n for n in drawn) / (n_steps * n_chunks)


def make_clips(n_clips: int, shape: tuple[int, ...], device: str) -> ClipStore:
    """Noise with labels of both levels."""
    rng = np.random.default_rng(0)
    features = Features(0.1 * rng.standard_normal((n_clips, *shape), dtype=np.float32), np.arange(n_clips))
    fine = rng.integers(0, len(LABELS.fine), size=n_clips)
    return ClipStore(LabelledClips(features, None, {FINE: fine, COARSE: LABELS.to_coarse(fine)}), device=device)


def costly_operators(system: HierarchicalCnn, clips: ClipStore, setting: Setting) -> list[tuple[str, float]]:
    """Operators of one forward and backward pass and their shares of its time, the costliest first."""
    on_gpu = clips.device.startswith("cuda")
    module = ts.make_module(system, clips.device, channels_last=setting.channels_last).train()
    batch = clips.batch(np.arange(len(clips)))
    dtype = getattr(torch, setting.precision)

    def once() -> None:
        with torch.autocast(clips.device.partition(":")[0], dtype=dtype, enabled=dtype != torch.float32):
            outputs = system.forward(module, batch)
        system.loss(as_float32(outputs), batch).backward()  # type: ignore[no-untyped-call]

    once()
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as profiler:
        once()
    events = profiler.key_averages()
    spent = {e.key: float(e.self_device_time_total if on_gpu else e.self_cpu_time_total) for e in events}
    total = sum(spent.values())
    ranked = sorted(spent.items(), key=lambda item: -item[1])
    return [(name.removeprefix("aten::"), seconds / total) for name, seconds in ranked[:N_OPERATORS]]


def measure(options: argparse.Namespace, *, budget: Budget, matrix_side: int) -> Figures:
    """Time all settings, and take the used one apart."""
    system = make_system(budget)
    plan = system.training_plan()
    shape = system.front_end().shape(CLIP_DURATION_S)
    clips = make_clips(options.batch_size, shape, options.device)
    taken: dict[Setting, list[Steps]] = {setting: [] for setting in SETTINGS}
    for _ in range(ROUNDS):
        for setting in SETTINGS:
            steps = ts.take_steps(system, clips, setting, batch_size=options.batch_size, repeats=options.repeats)
            taken[setting].append(steps)
    rows = [ts.to_row(setting, rounds, taken[PLAIN]) for setting, rounds in taken.items()]
    dtype = training_dtype(plan.precision, options.device)
    used = Setting(str(dtype).removeprefix("torch."), plan.channels_last)
    assert plan.iterations is not None
    clip_s = ts.evaluation_s_per_clip(system, clips, repeats=options.repeats)
    step_s = next(row.step_s for row in rows if row.setting == used)
    return Figures(
        batch_size=options.batch_size,
        used=used,
        rows=rows,
        flops_per_step=ts.flops_per_step(system, shape, options.batch_size),
        matrix_flops_per_s={
            p: ts.matrix_flops_per_s(p, options.device, side=matrix_side) for p in ("float32", "bfloat16")
        },
        operators=costly_operators(system, clips, used),
        complaints=ts.complaints(rows, used, plan.iterations),
        evaluation_s_per_clip=clip_s,
        quick_run_s=plan.iterations * step_s * plan.batch_size / options.batch_size * chunks_of_a_run(budget),
    )


def show(figures: Figures) -> None:
    """Print the figures."""
    given = ", ".join(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in figures.matrix_flops_per_s.items())
    print(
        f"Square matrix product: {given}. A step of {figures.batch_size} clips has "
        f"{figures.flops_per_step / 1e9:.0f} GFLOP of convolutions and matrix products, "
        "forward and backward, a multiply-add as two."
    )
    table = [
        {
            "setting": str(row.setting) + ("" if row.right else " (WRONG)"),
            "step, s": f"{row.step_s:.4g}",
            "floor, s": f"{figures.flops_per_step / figures.matrix_flops_per_s[row.setting.precision]:.4g}",
            "over floor": f"{figures.over_floor(row):.2f}",
            "factor": f"{row.factor:.2f}",
            "loss off": f"{row.loss_deviation:.1e}",
            "gradient off": f"{row.gradient_deviation:.1e}",
        }
        for row in figures.rows
    ]
    print(tabulate(table, headers="keys", disable_numparse=True, stralign="right"))
    over = figures.over_floor(figures.used_row)
    print(f"The system uses {figures.used}: {over:.2f} times its floor, wanted are {MAX_OVER_FLOOR}.")
    if over > MAX_OVER_FLOOR:
        print("Where the time of a forward and a backward pass goes, by operator:")
        print(tabulate([(name, f"{share:.1%}") for name, share in figures.operators], tablefmt="plain"))
    for complaint in figures.complaints:
        print(f"NOT GOOD ENOUGH: {complaint}.")
    print(
        f"Evaluation, float32: {figures.evaluation_s_per_clip * 1e3:.3g} ms per clip of {CLIP_DURATION_S:g} s. "
        f"Extrapolation: {figures.quick_run_s / 60:.1f} min for the training steps of a quick run."
    )


def main(argv: list[str] | None = None, *, budget: Budget = Budget.QUICK, matrix_side: int | None = None) -> int:
    """Measure and print; 1 if what the system uses is not good enough, 2 for a wrong option."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ... or auto")
    parser.add_argument("--batch-size", type=int, default=32, help="clips of 5 s in a step")
    parser.add_argument(
        "--repeats", type=int, default=3, help=f"timed steps in each of {ROUNDS} rounds; the median counts"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch on a CPU")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    options = parser.parse_args(argv)
    if min(options.repeats, options.threads, options.batch_size) < 1:
        parser.error("--repeats, --threads and --batch-size must be at least 1")
    if options.json is not None and not options.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {options.json.absolute().parent}")
    try:
        options.device = choose_device(options.device)
    except ConfigError as error:
        parser.error(str(error))
    torch.set_num_threads(options.threads)
    on_gpu = options.device.startswith("cuda")
    if ":" in options.device:
        torch.cuda.set_device(options.device)
    what = (
        torch.cuda.get_device_name(options.device)
        if on_gpu
        else f"{platform.machine()} CPU, {options.threads} threads"
    )
    print(f"{what}, torch {torch.__version__}, load before {os.getloadavg()[0]:.1f}: wants an idle machine")
    figures = measure(options, budget=budget, matrix_side=matrix_side or (8192 if on_gpu else 4096))
    show(figures)
    if options.json is not None:
        content = {"device": what, "torch": torch.__version__, **asdict(figures)}
        content["over_floor"] = figures.over_floor(figures.used_row)
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 1 if figures.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
