"""Replay faults against the harness and count what was survived.

Usage: ``python -m tests.storm [--seed 0] [--rounds 2] [--kinds '*SIGKILL*'] [--jobs 2] [--promises]``. Exits with 1
if a fault was lost; the folders of those that were are kept then, and named. What survival means for each kind is
printed by ``--promises`` and stands in docs/reliability.md.
"""

from __future__ import annotations

import argparse
import fnmatch
import logging
import os
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tabulate import tabulate

from asc_bench.bench.host import host_facts
from tests.reliability.helpers import PLUGINS
from tests.storm import artefacts, checkpoints, crowds, disks, kills, recordings, stored, surroundings
from tests.storm.kind import Kind, carry_out, table
from tests.storm.place import OWN_PLUGINS, Ground

MODULES = (kills, artefacts, stored, disks, crowds, recordings, checkpoints, surroundings)


def all_kinds(rounds: int) -> list[Kind]:
    """Every kind of fault, those that are drawn at random as often as there are rounds."""
    return [kind for module in MODULES for kind in module.kinds(rounds)]


def main() -> int:
    """Apply the faults that were asked for; print the counts and what was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of moments, places of flipped bits and the like")
    parser.add_argument("--rounds", type=int, default=2, help="how often random faults are drawn")
    parser.add_argument("--kinds", default="*", help="a glob over the titles of kinds")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time")
    parser.add_argument("--promises", action="store_true", help="print what survival means, and do nothing")
    options = parser.parse_args()
    kinds = [kind for kind in all_kinds(options.rounds) if fnmatch.fnmatchcase(kind.title, options.kinds)]
    if not kinds:
        parser.error(f"no kind is called {options.kinds!r}; there are: {', '.join(k.title for k in all_kinds(1))}")
    if options.promises:
        titles: dict[str, list[str]] = {}
        for kind in kinds:
            titles.setdefault(kind.promise, []).append(kind.title)
        rows = [("; ".join(alike), promise) for promise, alike in titles.items()]
        print(tabulate(rows, headers=("fault", "survived if"), tablefmt="github"))
        return 0
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="asc-bench-storm-"))
    os.environ["ASC_BENCH_PLUGINS"] = os.pathsep.join((str(PLUGINS), str(OWN_PLUGINS)))
    sys.path.insert(0, str(PLUGINS))  # both for runs inside this process
    logging.getLogger("asc_bench").setLevel(logging.ERROR)  # it warns of each damaged file
    counts = carry_out(kinds, Ground(folder), options.seed, options.jobs)
    host = host_facts()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {host}, seed {options.seed}, rounds {options.rounds}, "
          f"{time.monotonic() - started:.0f} s, load {os.getloadavg()[0]:.1f}\n")  # fmt: skip
    print(table(counts))
    if any(count.losses for count in counts):
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
