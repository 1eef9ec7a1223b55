"""Training plans of any networks compared on validation clips, which are cut from the training clips.

Usage: ``python -m tests.benchmarks.tune_plans --out grid.csv sb-cnn 'sb-cnn[plan.epochs=60]' --folds 1 2``. Systems
are named as for ``asc-bench run``, with the changes of their plan in brackets. Each is trained for every fold and
seed to its last step, whatever its plan would choose by the validation clips, and one line is appended to the file;
trainings that the file has are left out, so that a grid goes on where it was stopped. Test clips are never read.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import log_loss

from asc_bench.api import Budget, Context, TorchSystem, labelled_clips
from asc_bench.bench.bench import Bench
from asc_bench.bench.source import Source
from asc_bench.errors import AscBenchError
from asc_bench.labels import FINE
from asc_bench.runs.settings import Settings
from asc_bench.runs.variant import Variant, parse_variants
from asc_bench.training.device import choose_device

COLUMNS = (
    "system",
    "protocol",
    "budget",
    "fold",
    "seed",
    "n_validation",
    "accuracy",
    "log_loss",
    "device",
    "seconds",
)


def trained(variant: Variant, bench: Bench, fold: int, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train on the training clips of a fold and predict its validation clips: a line of the file."""
    division = bench.folds[fold - 1]
    system = variant.build(bench.task(division), Budget(options.budget))
    assert isinstance(system, TorchSystem)
    plan = replace(system.training_plan(), select="last", validate_every=0, patience=None)
    system.training_plan = lambda: plan  # type: ignore[method-assign]
    settings = Settings(cache=options.cache)
    train, validation = (
        labelled_clips(bench, ids, system, settings) for ids in (division.train, division.validation)
    )
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        system.fit(train, None, Context(seed=seed, folder=Path(folder), device=options.device))
    seconds = time.perf_counter() - begin
    given = system.predict(validation)
    found = np.asarray(given if isinstance(given, np.ndarray) else given[FINE], dtype=np.float64)
    truth = validation.labels[FINE]
    right = found.argmax(axis=1) == truth
    chances = found / found.sum(axis=1, keepdims=True)  # float32 sums to one by 1e-7 only
    return {
        "system": str(variant),
        "protocol": options.protocol,
        "budget": options.budget,
        "fold": fold,
        "seed": seed,
        "n_validation": len(truth),
        "accuracy": round(100 * float(np.mean([right[truth == c].mean() for c in np.unique(truth)])), 2),
        "log_loss": round(float(log_loss(truth, chances, labels=range(found.shape[1]))), 4),
        "device": options.device,
        "seconds": round(seconds, 1),
    }


def stored(path: Path) -> set[tuple[str, ...]]:
    """Trainings that a file has."""
    if not path.exists():
        return set()
    with path.open(encoding="utf-8", newline="") as file:
        return {tuple(row[name] for name in COLUMNS[:5]) for row in csv.DictReader(file)}


def append(path: Path, line: dict[str, Any]) -> None:
    """Write one line, and the names of the columns before the first."""
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(line)


def main(argv: list[str] | None = None, source: Source | None = None) -> int:
    """Train what the file lacks, and append it; 1 if a training failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="+", help="with the changes of their plan in brackets")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="lines are appended")
    parser.add_argument("--protocol", default="esc10")
    parser.add_argument("--synthetic", action="store_true", help="the small synthetic dataset of the protocol")
    parser.add_argument("--budget", choices=[str(b) for b in Budget], default="quick")
    parser.add_argument("--folds", type=int, nargs="+", default=[1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    source = source or Source(synthetic=options.synthetic)
    options.cache = source.cache_folder
    try:
        options.device = choose_device(options.device)
        variants = parse_variants(",".join(options.systems))
        bench = source.bench(options.protocol, lambda fraction, message: None)
    except AscBenchError as error:
        parser.error(str(error))
    if others := [str(v) for v in variants if not issubclass(v.system, TorchSystem)]:
        parser.error(f"{others[0]} has no training plan")
    failed = False
    for seed, fold, variant in itertools.product(options.seeds, options.folds, variants):
        if (str(variant), options.protocol, options.budget, str(fold), str(seed)) in stored(options.out):
            continue
        try:
            line = trained(variant, bench, fold, seed, options)
        except AscBenchError as error:
            print(f"{variant}, fold {fold}, seed {seed}: {error}", file=sys.stderr, flush=True)
            failed = True
            continue
        append(options.out, line)
        print(f"{variant} fold {fold} seed {seed}: {line['accuracy']} %, {line['seconds']} s", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
