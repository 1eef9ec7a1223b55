"""Training recipes of the hierarchical CNN compared on validation clips, which are cut from the training clips.

Usage: ``python -m tests.benchmarks.tune_hierarchical_cnn --out grid.csv --recipe windows=2,batch=8 --folds 1 2``.
A recipe is what it changes of the defaults below. Each is trained for every fold and seed, and a line is appended
to the file for each validation; trainings that the file has are left out, so that a grid goes on where it was
stopped. Test clips are never read.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from asc_bench.proposed.hierarchical_cnn import HierarchicalCnn, HierarchicalCnnParams
from torch import nn

from asc_bench.api import Budget, Context, Evaluation, LabelledClips, Task, TrainingPlan, labelled_clips
from asc_bench.bench.bench import Bench
from asc_bench.bench.source import Source
from asc_bench.labels import FINE
from asc_bench.runs.settings import Settings
from asc_bench.training.batches import Batch


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One way to train.

    Attributes
    ----------
    windows : int
        Random windows of each clip and update; 0 for all chunks of the clip.
    nth, nth_windows : int
        Every so many updates take so many windows instead, or all chunks for 0; ``nth=0`` for no such update.
    whole : float
        Share of the training from which on the example is all chunks of the clip.
    batch, steps : int
        Clips in an update, and updates.
    dropout : {"last", "all"}
    srip : float
        Weight of the orthogonality penalty.
    p : float
        Probability that sets the length of the embedding in l2-softmax.
    rate : float
        Learning rate.
    narrow : int
        What the widths of the network are divided by.
    clip : float
        Bound of the gradient's norm.
    pipelines, attention : str
        As in ``HierarchicalCnnParams``.
    """

    windows: int = 1
    nth: int = 0
    nth_windows: int = 0
    whole: float = 1.0
    batch: int = 16
    steps: int = 300
    dropout: str = "last"
    srip: float = 1e-2
    p: float = 0.9
    rate: float = 1e-3
    narrow: int = 1
    clip: float = 10.0
    pipelines: str = "both"
    attention: str = "yes"

    @classmethod
    def of(cls, text: str) -> Recipe:
        """Read ``name=value,...``; raises ValueError for an unknown name or a wrong value."""
        kinds = {field.name: type(field.default) for field in fields(cls)}
        given = dict(part.split("=", 1) for part in text.split(",") if part)
        if unknown := sorted(set(given) - set(kinds)):
            raise ValueError(f"there is no {unknown[0]!r} in a recipe; there are {', '.join(kinds)}")
        return cls(**{name: kinds[name](value) for name, value in given.items()})


class Tuned(HierarchicalCnn):
    """The system, trained by a recipe, which notes every validation."""

    recipe: Recipe
    every: int
    curve: list[tuple[int, float, float]]

    @property
    def narrow(self) -> int:
        """See ``HierarchicalCnn``."""
        return self.recipe.narrow

    @property
    def orthogonality_weight(self) -> Mapping[str, float]:  # type: ignore[override]
        """See ``HierarchicalCnn``."""
        return {"srip": self.recipe.srip}

    @property
    def l2_probability(self) -> float:  # type: ignore[override]
        """See ``HierarchicalCnn``."""
        return self.recipe.p

    def windows_drawn(self, batch: Batch) -> int | None:
        """See ``HierarchicalCnn``."""
        r = self.recipe
        if batch.progress >= r.whole:
            return None
        return (r.nth_windows if r.nth and (batch.step + 1) % r.nth == 0 else r.windows) or None

    def training_plan(self) -> TrainingPlan:
        """The plan of ``quick`` as the recipe changes it."""
        r = self.recipe
        return replace(
            super().training_plan(),
            batch_size=r.batch,
            iterations=r.steps,
            learning_rate=r.rate,
            clip_gradient_norm=r.clip,
            validate_every=self.every,
        )

    def validated(self, module: nn.Module, validation: Evaluation) -> None:
        """Note accuracy and loss."""
        assert validation.loss is not None
        self.curve.append((len(self.curve) + 1, validation.macro_accuracy(), validation.loss))


def tuned(recipe: Recipe, task: Task, *, every: int) -> Tuned:
    """The system of a recipe; ``every`` updates it is validated, 0 for the end alone."""
    params = {name: getattr(recipe, name) for name in ("dropout", "pipelines", "attention")}
    system = Tuned(task, HierarchicalCnnParams(**params), Budget.QUICK)
    system.recipe, system.curve = recipe, []
    system.every = every or recipe.steps
    return system


def trained(recipe: Recipe, bench: Bench, fold: int, seed: int, *, every: int, cache: Path) -> list[dict[str, Any]]:
    """Train on the training clips of a fold; a line for each validation, the last with what attention does."""
    division = bench.folds[fold - 1]
    system = tuned(recipe, bench.task(division), every=every)
    settings = Settings(cache=cache)
    train, validation = (
        labelled_clips(bench, ids, system, settings) for ids in (division.train, division.validation)
    )
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        system.fit(train, validation, Context(seed=seed, folder=Path(folder)))
    spent = time.process_time() - begin
    lines = [
        {"step": min(n * system.every, recipe.steps), "accuracy": round(100 * accuracy, 2), "loss": round(loss, 4)}
        for n, accuracy, loss in system.curve
    ]
    lines[-1] |= {"cpu_s": round(spent), **attention_facts(system, validation)}
    return [{**asdict(recipe), "fold": fold, "seed": seed, **line} for line in lines]


def attention_facts(system: Tuned, clips: LabelledClips) -> dict[str, float]:
    """Accuracy with equal weights in place of the learned ones, and how far those are from equal.

    ``largest`` is the mean over the clips of the largest weight (a third where three are equal).
    """
    largest = system.chunk_attention(clips).max(axis=1).mean()
    module = system.module
    assert module is not None
    module.shape = replace(module.shape, attention=False)  # type: ignore[assignment, arg-type]
    given = system.predict(clips)
    assert isinstance(given, Mapping)
    right = given[FINE].argmax(axis=1) == clips.labels[FINE]
    classes = np.unique(clips.labels[FINE])
    equal = np.mean([right[clips.labels[FINE] == c].mean() for c in classes])
    return {"accuracy_equal_weights": round(100 * float(equal), 2), "largest": round(float(largest), 4)}


COLUMNS = [f.name for f in fields(Recipe)] + [
    *("fold", "seed", "step", "accuracy", "loss", "cpu_s", "accuracy_equal_weights", "largest")
]


def stored(path: Path) -> set[tuple[Recipe, int, int]]:
    """Trainings that a file has."""
    if not path.exists():
        return set()
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (
                Recipe.of(",".join(f"{f.name}={row[f.name]}" for f in fields(Recipe))),
                int(row["fold"]),
                int(row["seed"]),
            )
            for row in csv.DictReader(file)
        }


def main(argv: list[str] | None = None, source: Source | None = None) -> int:
    """Train what the file lacks, and append it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="lines are appended")
    parser.add_argument("--recipe", action="append", type=Recipe.of, required=True, metavar="NAME=VALUE,...")
    parser.add_argument("--protocol", default="esc10")
    parser.add_argument("--synthetic", action="store_true", help="the small synthetic dataset of the protocol")
    parser.add_argument("--folds", type=int, nargs="+", default=[1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--every", type=int, default=0, help="updates between validations; by default at the end")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    source = source or Source(synthetic=options.synthetic)
    bench = source.bench(options.protocol, lambda fraction, message: None)
    for seed in options.seeds:
        for fold in options.folds:
            for recipe in options.recipe:
                if (recipe, fold, seed) in stored(options.out):
                    continue
                lines = trained(recipe, bench, fold, seed, every=options.every, cache=source.cache_folder)
                new = not options.out.exists()
                with options.out.open("a", encoding="utf-8", newline="") as file:
                    writer = csv.DictWriter(file, COLUMNS)
                    if new:
                        writer.writeheader()
                    writer.writerows(lines)
                last = lines[-1]
                print(f"fold {fold} seed {seed} {recipe}: {last['accuracy']} %, loss {last['loss']}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
