"""Memory and open files over many runs that do nothing, in one process: flat but for the results that are returned.

Usage: ``python -m tests.benchmarks.long_runs [--runs 2000]``, for one run at a time and for two. Exits with 1 if
more grew than is stated in ``GOALS``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate

from asc_bench.bench.host import host_facts
from asc_bench.screen import Unwatched

ROOT = Path(__file__).parents[2]
PLUGINS = Path(__file__).parent / "overhead"
N_FOLDS = 5
EVERY = 100
WARM = 200
"""Runs after which all modules are loaded and all caches filled."""
PER_RUN_KIB = 8.0
"""A manifest is returned for each run; all else that grows is a fault."""
WORKERS_KIB = 2.0
N_ALIKE = 4
"""Samples in a row of which the one with the fewest open files counts: a file that is being written is open."""


@dataclass(frozen=True)
class Sample:
    """State after so many runs.

    Attributes
    ----------
    n_runs : int
        Runs that were finished.
    kib, workers_kib : float
        Resident memory of this process, and of all that it started.
    n_open, workers_open : int
        Open file descriptors likewise.
    """

    n_runs: int
    kib: float
    workers_kib: float
    n_open: int
    workers_open: int


@dataclass(frozen=True)
class Growth:
    """What became more from run ``WARM`` to the last one; memory in KiB a run, descriptors in all."""

    kib_a_run: float
    workers_kib_a_run: float
    n_open: int
    workers_open: int

    @property
    def too_much(self) -> list[str]:
        """A sentence for each goal that was missed."""
        found = {
            f"memory grew by {self.kib_a_run:.1f} KiB a run, not {PER_RUN_KIB}": self.kib_a_run > PER_RUN_KIB,
            f"that of workers by {self.workers_kib_a_run:.1f}, not {WORKERS_KIB}": self.workers_kib_a_run
            > WORKERS_KIB,
            f"{self.n_open} more files are open": self.n_open > 0,
            f"{self.workers_open} more files of workers are open": self.workers_open > 0,
        }
        return [sentence for sentence, missed in found.items() if missed]


def growth(samples: Sequence[Sample]) -> Growth:
    """From samples in order, the first of which may be earlier than ``WARM``."""
    warm = [sample for sample in samples if sample.n_runs >= WARM]
    first, last = warm[0], warm[-1]
    n = last.n_runs - first.n_runs
    early, late = warm[:N_ALIKE], warm[-N_ALIKE:]
    return Growth(
        (last.kib - first.kib) / n,
        (last.workers_kib - first.workers_kib) / n,
        min(s.n_open for s in late) - min(s.n_open for s in early),
        min(s.workers_open for s in late) - min(s.workers_open for s in early),
    )


class Sampler(Unwatched):
    """Looks at this process and its workers after every ``EVERY`` runs."""

    def __init__(self) -> None:
        import psutil

        self._me, self._n, self.samples = psutil.Process(), 0, list[Sample]()

    def finished(self, spec: object, run: object) -> None:
        """See ``Monitor``."""
        self._n += 1
        if self._n % EVERY == 0:
            workers = self._me.children(recursive=True)
            self.samples.append(
                Sample(
                    self._n,
                    self._me.memory_info().rss / 1024,
                    sum(worker.memory_info().rss for worker in workers) / 1024,
                    self._me.num_fds(),
                    sum(worker.num_fds() for worker in workers),
                )
            )


def sampled(n_runs: int, n_jobs: int, folder: Path) -> list[Sample]:
    """Compute so many runs in a process of their own; its samples."""
    environment = {
        **os.environ,
        "ASC_BENCH_PLUGINS": str(PLUGINS),
        "ASC_BENCH_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    code = f"from tests.benchmarks import long_runs as b; b.main_inside({n_runs}, {n_jobs}, {str(folder)!r})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{code} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return [Sample(**sample) for sample in json.loads(done.stdout.splitlines()[-1])]


def main_inside(n_runs: int, n_jobs: int, folder: str) -> None:
    """Compute the runs in this process, which was started for it, and print the samples."""
    from asc_bench.experiment import Experiment
    from asc_bench.runs.variant import variants_of

    watcher = Sampler()
    experiment = Experiment.of(
        budget="smoke",
        synthetic=True,
        synthetic_size="tiny",
        repeats=n_runs // N_FOLDS,
        n_jobs=n_jobs,
        results=Path(folder) / f"results-{n_jobs}",
    )
    bench = experiment.bench("esc10")
    work = experiment.survey(bench, experiment.plan(bench, variants_of("constant")))
    assert not experiment.compute(work, watcher).unfinished
    print(json.dumps([asdict(sample) for sample in watcher.samples]))


def main() -> int:
    """Measure, print, and say what grew too much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    n_runs = parser.parse_args().runs
    print(f"{host_facts()}, load {os.getloadavg()[0]:.1f}")
    faults = []
    for n_jobs in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            samples = sampled(n_runs, n_jobs, Path(folder))
        shown = [asdict(s) for s in samples if s.n_runs in (WARM, n_runs // 2, n_runs)]
        print(f"\n{n_jobs} at a time: {growth(samples)}")
        print(tabulate(shown, headers="keys", floatfmt=".0f"))
        faults += [f"{n_jobs} at a time: {fault}" for fault in growth(samples).too_much]
    for fault in faults:
        print(f"missed: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
