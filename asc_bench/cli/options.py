"""Options that several verbs share, and what they are turned into."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asc_bench.experiment.source import Source
    from asc_bench.training.budget import Budget

RESULTS = Path("results")

Protocol = Annotated[
    str, typer.Option("--protocol", "-p", help="Protocol, such as dcase2018 (see `list protocols`).")
]
Systems = Annotated[
    str,
    typer.Option("--systems", "-s", help="all, or names, globs and name[param=value], separated by commas."),
]
BudgetName = Annotated[
    str,
    typer.Option("--budget", "-b", help="smoke (seconds), quick (minutes on a CPU) or paper (as published)."),
]
Synthetic = Annotated[
    bool, typer.Option("--synthetic", help="Use a synthesised stand-in instead of real recordings.")
]
SyntheticSize = Annotated[str, typer.Option(help="tiny, small, medium or full (the official counts).")]
SyntheticSeed = Annotated[int, typer.Option(help="Seed of the stand-in.", min=0)]
Data = Annotated[
    list[Path] | None,
    typer.Option("--data", help="Folder with data sets; else $ASC_BENCH_DATA, else ./data."),
]
Cache = Annotated[
    Path | None, typer.Option("--cache", help="Folder for features and stand-ins; else $ASC_BENCH_CACHE.")
]
Results = Annotated[Path, typer.Option("--results", help="Folder for results.")]
Repeats = Annotated[int, typer.Option(help="Repeats of every run, each with a seed of its own.", min=1)]
Folds = Annotated[str, typer.Option(help="Folds, separated by commas; all if not given.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the table only.")]


def source(
    data: list[Path] | None, cache: Path | None, synthetic: bool, synthetic_size: str, synthetic_seed: int = 0
) -> Source:
    """Where recordings come from, checked.

    Raises
    ------
    ConfigError
        For an unknown size.
    """
    from asc_bench.data.synthetic import SIZES
    from asc_bench.errors import ConfigError
    from asc_bench.experiment.source import Source
    from asc_bench.registry import near

    if synthetic_size not in SIZES:
        raise ConfigError(f"there is no synthetic size {synthetic_size!r}{near(synthetic_size, SIZES)}")
    return Source(tuple(data or ()), synthetic, synthetic_size, synthetic_seed, cache)


def split(text: str) -> list[str]:
    """Items of a comma-separated option."""
    return [item.strip() for item in text.split(",") if item.strip()]


def tables_folder(results: Path, tag: str, budget: str) -> Path:
    """Where the tables of one protocol, data set and budget go."""
    return results / "tables" / tag / budget


def one_of(option: str, value: str, choices: Sequence[str]) -> None:
    """Check an option with few values.

    Raises
    ------
    ConfigError
        For any other value, with the near ones.
    """
    from asc_bench.errors import ConfigError
    from asc_bench.registry import near

    if value not in choices:
        raise ConfigError(f"{option} is {value!r}{near(value, [c for c in choices if c])}")


def budget(name: str) -> Budget:
    """A budget by its name."""
    from asc_bench.training.budget import Budget

    one_of("--budget", name, [str(b) for b in Budget])
    return Budget(name)
