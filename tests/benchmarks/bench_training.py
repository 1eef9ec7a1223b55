"""One training step of every network: its default against its own float32, plain float32 and its bare arithmetic.

Usage: ``python -m tests.benchmarks.bench_training [--systems sb-cnn,mla] [--compile] [--operators]``; with
``--device cuda`` ten steps on a GPU, and its memory. Exits with 1 if a system is slower than its own float32, or
less right or less fast than it must be (``GOALS``).

The bound is the time of a step's convolutions and matrix products at the rate of a large square matrix product in
the arithmetic that the step uses.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tabulate import tabulate

from asc_bench.api import Budget, TorchSystem
from asc_bench.errors import AscBenchError, ConfigError
from asc_bench.registry import systems
from asc_bench.runs.variant import Variant, needs_settings, parse_variants
from asc_bench.training.device import choose_device
from asc_bench.training.precision import Decision, choose_precision, for_plan
from tests.benchmarks import training_steps as ts
from tests.benchmarks.training_steps import PLAIN, TASK, Row, Setting

VARIANTS = {
    "caa-net": "caa-net[topology=*]",
    "cnn-ivector": "cnn-ivector[part=cnn]",
    "hierarchical-cnn": "hierarchical-cnn[example=clip]",  # whose steps all cost the same
}
"""What is timed of a system, where that is not its default; the others are networks alone."""
MAX_SLOWER = 1.1
"""Than its own float32: what timing on a shared machine may feign."""


@dataclass(frozen=True)
class Goal:
    """What a system must reach on a CPU on which bfloat16 is the faster arithmetic."""

    over_plain: float = 0.0
    """At least so many times as fast as plain float32."""
    over_bound: float = float("inf")
    """At most so many times its bound."""
    gradient_off: float = float("inf")
    """Its gradient at most so far from that in float32. Others have batch normalisation over a few clips of noise
    before their last layer, or a dozen layers of it: there any rounding turns the gradient."""


GOALS: Mapping[str, Goal] = {
    "caa-net": Goal(over_plain=2.2, gradient_off=0.15),
    "caa-net[topology=atrous]": Goal(over_plain=2.2, gradient_off=0.15),
    "hierarchical-cnn[example=clip]": Goal(over_bound=1.6, gradient_off=0.15),
}
MAX_OFF = 0.2
"""Relative deviation of the loss and of the gradient's norm from those in float32, in the first step."""
N_OPERATORS = 14


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Everything measured of one system."""

    variant: str
    batch_size: int
    of_plan: int
    decision: Decision
    plain: Row
    own: Row
    """In float32 and the layout of its training plan."""
    used: Row
    flops: int
    n_modules: int
    matrix_flops_per_s: Mapping[str, float]
    operators: Sequence[tuple[str, float]] = ()
    compiled: Row | None = None
    not_compiled: str = "left out"

    def over_bound(self, row: Row) -> float:
        """How many times its bound a step takes."""
        return row.least_s * self.matrix_flops_per_s[row.setting.precision] / self.flops

    def how_compiled(self) -> str:
        """In words."""
        if self.compiled is None:
            return f"not compiled, {self.not_compiled}"
        return f"{self.compiled.least_s:.3g} s a step, compiled in {self.compiled.compile_s:.0f} s"

    def complaints(self) -> list[str]:
        """What is not good enough."""
        on_cpu = not self.used.peak_bytes
        goal = GOALS.get(self.variant, Goal()) if on_cpu and self.used.setting.precision == "bfloat16" else Goal()
        slower, faster = self.used.least_s / self.own.least_s, self.plain.least_s / self.used.least_s
        over = self.over_bound(self.used)
        loss, norm, gradient = self.used.deviations(self.own)
        wrong = max(loss, norm) > MAX_OFF or gradient > goal.gradient_off
        found = ["its loss or gradient is too far from float32"] if wrong else []
        if slower > MAX_SLOWER:
            found.append(f"it takes {slower:.2f} times as long as in float32")
        if faster < goal.over_plain:
            found.append(f"it is {faster:.2f} times as fast as plain float32, wanted are {goal.over_plain}")
        if over > goal.over_bound:
            found.append(f"it takes {over:.2f} times its bound, wanted are {goal.over_bound}")
        return [f"{self.variant}: {text}" for text in found]

    def plain_values(self) -> dict[str, object]:
        """For JSON."""
        rows = {"plain": self.plain, "own": self.own, "used": self.used, "compiled": self.compiled}
        return {
            "system": self.variant,
            "batch_size": self.batch_size,
            "batch_size_of_plan": self.of_plan,
            "gflop": self.flops / 1e9,
            "over_bound": self.over_bound(self.used),
            "complaints": self.complaints(),
            "operators": list(self.operators),
            "rows": {
                name: {
                    "setting": str(row.setting),
                    "step_s": row.step_s,
                    "first_s": row.first_s,
                    "peak_bytes": row.peak_bytes,
                    "deviations": row.deviations(self.own),
                }
                for name, row in rows.items()
                if row is not None
            },
        }


def networks(text: str) -> list[Variant]:
    """Those of the named systems that the loop trains; of all for an empty text."""
    trained = (
        name
        for name, cls in sorted(systems().found.items())
        if issubclass(cls, TorchSystem) and not needs_settings(name)
    )
    text = text or ",".join(VARIANTS.get(name, name) for name in trained)
    return [variant for variant in parse_variants(text) if issubclass(variant.system, TorchSystem)]


def measure(variant: Variant, options: argparse.Namespace, rates: Mapping[str, float]) -> Figures:
    """Time a system's settings.

    Raises
    ------
    ConfigError
        If it refuses the task.
    """
    system = variant.build(TASK, Budget(options.budget))
    assert isinstance(system, TorchSystem)
    if reason := system.why_not(system.params, built=system):
        raise ConfigError(reason.text)
    plan = system.training_plan()
    decision = for_plan(plan.precision, options.device)
    own = Setting("float32", plan.channels_last)
    on_gpu = options.device.startswith("cuda")
    used = Setting("bfloat16", channels_last=True) if on_gpu else replace(own, precision=decision.precision)
    batch_size = affordable_batch(system, plan.batch_size, options.most_gflop)
    clips = ts.make_clips(system, batch_size, options.device)
    take = {"batch_size": batch_size, "rounds": options.rounds, "n_steps": options.steps}
    rows = ts.measured(system, clips, list(dict.fromkeys((PLAIN, own, used))), **take)
    found = {row.setting: row for row in rows}
    operators: list[tuple[str, float]] = []
    if options.operators:
        steps = ts.Steps(system, clips, used, batch_size=batch_size)
        steps.take()
        operators = ts.costly_operators(steps, N_OPERATORS)
    return Figures(
        variant=str(variant),
        batch_size=batch_size,
        of_plan=plan.batch_size,
        decision=decision,
        plain=found[PLAIN],
        own=found[own],
        used=found[used],
        flops=ts.flops_per_step(system, batch_size),
        n_modules=sum(1 for _ in system.build().modules()),
        matrix_flops_per_s=rates,
        operators=operators,
    )


def with_compiled(figures: Figures, variant: Variant, options: argparse.Namespace) -> Figures:
    """Time the default once more, compiled; where that fails, the figures say why."""
    if reason := ts.no_compiler(options.device):
        return replace(figures, not_compiled=reason)
    system = variant.build(TASK, Budget(options.budget))
    assert isinstance(system, TorchSystem)
    clips = ts.make_clips(system, figures.batch_size, options.device)
    setting = replace(figures.used.setting, compiled=True)
    take = {"batch_size": figures.batch_size, "rounds": options.rounds, "n_steps": options.steps}
    try:
        (compiled,) = ts.measured(system, clips, [setting], **take)
    except (RuntimeError, OSError, subprocess.SubprocessError, AscBenchError) as error:
        return replace(figures, not_compiled=f"{type(error).__name__}: {' '.join(str(error).split())[:400]}")
    return replace(figures, compiled=compiled, not_compiled="")


def affordable_batch(system: TorchSystem, of_plan: int, most_gflop: float) -> int:
    """The plan's batch, halved until a step has at most so many GFLOP; 0 for no limit."""
    size = of_plan
    while most_gflop and size > 2 and ts.flops_per_step(system, size) > 1e9 * most_gflop:
        size //= 2
    return max(size, 2)


def table(figures: Sequence[Figures]) -> str:
    """All figures in Markdown."""
    rows = []
    for f in figures:
        batch = str(f.of_plan) if f.batch_size == f.of_plan else f"{f.of_plan} ({f.batch_size})"
        row = {
            "system": f.variant,
            "batch": batch,
            "GFLOP": f"{f.flops / 1e9:.0f}",
            "default": str(f.used.setting),
            "step, s": f"{f.used.least_s:.3g}",
            "own float32": f"{f.own.least_s / f.used.least_s:.2f}",
            "plain float32": f"{f.plain.least_s / f.used.least_s:.2f}",
            "over bound": f"{f.over_bound(f.used):.2f}",
            "float32 over bound": f"{f.over_bound(f.own):.2f}",
        }
        if f.compiled is not None:
            after = f.compiled.pays_off_after(f.used)
            row["compiled"] = f"{f.used.least_s / f.compiled.least_s:.2f}"
            row["compilation, s"] = f"{f.compiled.compile_s:.0f}"
            row["pays off after"] = "never" if after == float("inf") else f"{after:.0f} steps"
        if f.used.peak_bytes:
            row["of matrix rate"] = f"{1 / f.over_bound(f.used):.0%}"
            row["peak memory, GiB"] = f"{f.used.peak_bytes / 2**30:.2f}"
        rows.append(row)
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def cpu_name() -> str:
    """As /proc/cpuinfo has it, where there is one."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options; those that a GPU has otherwise are filled in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", default="", help="separated by commas; by default all networks")
    parser.add_argument(
        "--budget", choices=[str(b) for b in Budget], default="paper", help="whose batches and plans"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ... or auto")
    parser.add_argument("--rounds", type=int, default=3, help="in which the settings take turns; the least counts")
    parser.add_argument("--steps", type=int, help="in each round; 1 on a CPU, 10 on a GPU")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch on a CPU")
    parser.add_argument(
        "--most-gflop", type=float, help="halve batches until a step has at most so many; on a GPU never"
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further system after so many")
    parser.add_argument("--compile", action="store_true", help="also with torch.compile")
    parser.add_argument("--operators", action="store_true", help="show where the time of a step goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    options = parser.parse_args(argv)
    if options.json is not None and not options.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {options.json.absolute().parent}")
    try:
        options.device = choose_device(options.device)
        options.variants = networks(options.systems)
    except ConfigError as error:
        parser.error(str(error))
    on_gpu = options.device.startswith("cuda")
    options.steps = options.steps if options.steps is not None else 10 if on_gpu else 1
    options.most_gflop = options.most_gflop if options.most_gflop is not None else 0 if on_gpu else 400
    if min(options.rounds, options.threads, options.steps) < 1:
        parser.error("--rounds, --steps and --threads must be at least 1")
    return options


def main(argv: Sequence[str] | None = None, *, matrix_side: int | None = None) -> int:
    """Measure and print; 1 if a system is not good enough, 2 for a wrong option."""
    options = parsed(argv)
    torch.set_num_threads(options.threads)
    on_gpu = options.device.startswith("cuda")
    if ":" in options.device:
        torch.cuda.set_device(options.device)
    what = torch.cuda.get_device_name(options.device) if on_gpu else f"{cpu_name()}, {options.threads} threads"
    began = time.monotonic()
    rates = ts.matrix_flops_per_s(options.device, side=matrix_side or (8192 if on_gpu else 2048))
    given = ", ".join(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in rates.items())
    print(f"{what}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}")
    print(f"Square matrix product: {given}. Precision: {choose_precision(options.device).reason}.", flush=True)
    found: dict[Variant, Figures] = {}

    def in_time(variants: Iterable[Variant], what: str) -> Iterator[Variant]:
        for variant in variants:
            if time.monotonic() - began > options.seconds:
                print(f"{variant}: not {what}, {options.seconds:g} s are over")
            else:
                yield variant

    for variant in in_time(options.variants, "begun"):
        try:
            found[variant] = measure(variant, options, rates)
        except ConfigError as error:
            print(f"{variant}: left out, {error}")
            continue
        print(f"{variant}: {found[variant].used.least_s:.3g} s a step", flush=True)
        if found[variant].operators:
            shares = [(name, f"{share:.1%}") for name, share in found[variant].operators]
            print(tabulate(shares, tablefmt="plain"))
    # The smallest networks first: a hundred layers take minutes to compile.
    by_size = sorted(found, key=lambda variant: found[variant].n_modules)
    for variant in in_time(by_size if options.compile else [], "compiled"):
        found[variant] = with_compiled(found[variant], variant, options)
        print(f"{variant}: {found[variant].how_compiled()}", flush=True)
    print(table(list(found.values())))
    complaints = [text for figures in found.values() for text in figures.complaints()]
    for text in complaints:
        print(f"NOT GOOD ENOUGH: {text}.")
    if options.json is not None:
        content = {
            "device": what,
            "torch": torch.__version__,
            "matrix_flops_per_s": dict(rates),
            "systems": [figures.plain_values() for figures in found.values()],
        }
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
