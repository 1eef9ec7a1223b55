"""What the harness costs for each run: 200 runs of a system that does nothing, once fresh and once stored.

Usage: ``python -m tests.benchmarks.bench_overhead [--stored 10000] [--benchopt PATH]``. Measures ``asc_bench.run``
after imports, with the features cached; 200 runs that sleep 50 ms, one and two at a time; a report of them; a list
of many stored runs; and whole commands, which import, and draw what the report draws. Where benchopt is installed
(``pip install benchopt``, elsewhere if need be and named with ``--benchopt``), it does the like with as many runs,
as a whole command that draws nothing. Exits with 1 if a goal is missed, which only a quiet machine can tell;
processor time depends less on what else it does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from asc_bench.bench.host import host_facts

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "overhead"
"""The system as a plug-in, and below it the same for benchopt."""
N_FOLDS = 5
PAUSE_S = 0.05
FIRST, AGAIN, ALONE, PAIR, LISTED = "run, first", "run, all stored", "50 ms, 1 job", "50 ms, 2 jobs", "load_results"
GOALS_S = {FIRST: 2.7, AGAIN: 1.2, LISTED: 2.0}


@dataclass(frozen=True, kw_only=True)
class Size:
    """What is timed; the test makes it small."""

    clips: str = "full"
    n_repeats: int = 40
    n_stored: int = 10_000


@dataclass(frozen=True)
class Row:
    """One line of the table; seconds, those of the processor with all processes that were started."""

    title: str
    n_runs: int
    wall_s: float
    cpu_s: float


def clocks() -> tuple[float, float]:
    """Seconds on the wall, and of the processor in this process and in those it started that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(u.ru_utime + u.ru_stime for u in used)


def stopwatch(title: str, n_runs: int, call: Callable[[], object]) -> Row:
    """Time a call; the processor time of its workers, too, which can be asked for once they have ended."""
    _end_workers()
    wall, cpu = clocks()
    call()
    wall_s = clocks()[0] - wall
    _end_workers()
    return Row(title, n_runs, wall_s, clocks()[1] - cpu)


def _end_workers() -> None:
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def calls(size: Size, folder: Path) -> list[Row]:
    """Everything that is measured inside a process: what a notebook or a script waits for."""
    import asc_bench

    n, n_kept = N_FOLDS * size.n_repeats, size.n_stored // N_FOLDS * N_FOLDS

    def run(results: str, n_repeats: int = size.n_repeats, pause_s: float = 0.0, n_jobs: int = 1) -> object:
        return asc_bench.run(
            "esc10",
            f"constant[pause_s={pause_s}]",
            synthetic=True,
            synthetic_size=size.clips,
            repeats=n_repeats,
            n_jobs=n_jobs,
            results=folder / results,
            progress=False,
        )

    run("warm")  # features, and modules that are imported late
    shutil.rmtree(folder / "warm")
    rows = [
        stopwatch(FIRST, n, lambda: run("called")),
        stopwatch(AGAIN, n, lambda: run("called")),
        stopwatch(ALONE, n, lambda: run("alone", pause_s=PAUSE_S)),
        stopwatch(PAIR, n, lambda: run("pair", pause_s=PAUSE_S, n_jobs=2)),
    ]
    results = asc_bench.load_results(folder / "called", "esc10", synthetic=True)
    rows.append(stopwatch("report", n, results.report))
    if n_kept:
        run("kept", n_kept // N_FOLDS)
        listed = stopwatch(LISTED, n_kept, lambda: asc_bench.load_results(folder / "kept", "esc10", synthetic=True))
        rows.append(listed)
    return rows


def commands(size: Size, folder: Path, environment: Mapping[str, str]) -> list[Row]:
    """The same as whole commands, imports and tables included."""
    options = ["-p", "esc10", "-s", "constant", "--synthetic", "--synthetic-size", size.clips]
    n, n_kept = N_FOLDS * size.n_repeats, size.n_stored // N_FOLDS * N_FOLDS
    run = ["run", *options, "--repeats", str(size.n_repeats), "--results", str(folder / "commanded"), "--quiet"]
    status = ["status", *options, "--repeats", str(n_kept // N_FOLDS), "--results", str(folder / "kept")]

    def command(title: str, n_runs: int, arguments: Sequence[str]) -> Row:
        words = [sys.executable, "-m", "asc_bench.cli.main", *arguments]
        return stopwatch(title, n_runs, lambda: _done(words, environment))

    rows = [
        command("asc-bench run, first, with report", n, run),
        command("asc-bench run, all stored, with report", n, run),
    ]
    return rows + ([command("asc-bench status", n_kept, status)] if n_kept else [])


def benchopt_commands(program: str, size: Size, folder: Path, environment: Mapping[str, str]) -> list[Row]:
    """What benchopt takes for as many runs."""
    shutil.copytree(HERE / "benchopt", folder / "benchopt")
    n = N_FOLDS * size.n_repeats

    def command(title: str, *options: str) -> Row:
        quiet = ("--no-plot", "--no-html", "--no-display")
        words = [program, "run", str(folder / "benchopt"), "-r", str(size.n_repeats), *quiet, *options]
        return stopwatch(f"benchopt run, {title}", n, lambda: _done(words, environment))

    pausing = ("-s", f"constant[pause_s={PAUSE_S}]")
    return [
        command("first", "-s", "constant[pause_s=0.0]"),
        command("all stored", "-s", "constant[pause_s=0.0]"),
        command(ALONE, *pausing, "--no-cache"),
        command(PAIR, *pausing, "--no-cache", "-j", "2"),
    ]


def measure(size: Size, folder: Path, benchopt: str | None) -> list[Row]:
    """Every row; all that is written lies in ``folder``."""
    # Users have bytecode; a command that may write none compiles every module again.
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "ASC_BENCH_PLUGINS": str(HERE),
        "ASC_BENCH_CACHE": str(folder / "cache"),
    }
    code = f"from tests.benchmarks import bench_overhead as b; b.main_inside(b.{size!r}, {str(folder)!r})"
    inside = _done([sys.executable, "-c", code], environment)
    rows = [Row(*row) for row in json.loads(inside.splitlines()[-1])]
    rows += commands(size, folder, environment)
    return rows + (benchopt_commands(benchopt, size, folder, environment) if benchopt else [])


def main_inside(size: Size, folder: str) -> None:
    """Measure calls in this process, which was started for it, and print them."""
    rows = calls(size, Path(folder))
    print(json.dumps([[row.title, row.n_runs, row.wall_s, row.cpu_s] for row in rows]))


def missed(rows: Sequence[Row]) -> list[str]:
    """Goals that were not reached, one sentence each."""
    wall_s = {row.title: row.wall_s for row in rows}
    slow = [
        f"{title}: {wall_s[title]:.2f} s, not {goal} s"
        for title, goal in GOALS_S.items()
        if wall_s.get(title, 0) > goal
    ]
    if wall_s[PAIR] >= wall_s[ALONE]:
        slow.append(f"two jobs take {wall_s[PAIR]:.2f} s, one takes {wall_s[ALONE]:.2f} s")
    return slow


def _done(words: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """Measure, print the table and the goals that were missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stored", type=int, default=Size.n_stored, help="runs in the list; 0 leaves it out")
    parser.add_argument("--benchopt", default=shutil.which("benchopt"), help="the program, where it is not found")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Size(n_stored=options.stored), Path(folder), options.benchopt)
    print(f"{host_facts()}, load {os.getloadavg()[0]:.1f}")
    cells = [(row.title, row.n_runs, row.wall_s, row.cpu_s, 1e3 * row.cpu_s / row.n_runs) for row in rows]
    print(tabulate(cells, headers=("", "runs", "wall s", "CPU s", "CPU ms a run"), floatfmt=".2f"))
    slow = missed(rows)
    for sentence in slow:
        print(f"missed: {sentence}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
