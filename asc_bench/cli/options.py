"""Options that several verbs share, and what they are turned into."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asc_bench.cli import completion

if TYPE_CHECKING:
    from asc_bench.bench.augmentation import Augmentation
    from asc_bench.bench.bench import Selection
    from asc_bench.budget import Budget

RESULTS = Path("results")

Protocol = Annotated[
    str,
    typer.Option(
        "--protocol",
        "-p",
        autocompletion=completion.protocols,
        help="Protocol, such as dcase2018 (see `list protocols`).",
    ),
]
Systems = Annotated[
    str,
    typer.Option(
        "--systems",
        "-s",
        autocompletion=completion.systems,
        help="all, or names, globs and name[param=value], separated by commas.",
    ),
]
BudgetName = Annotated[
    str,
    typer.Option(
        "--budget",
        "-b",
        autocompletion=completion.budgets,
        help="smoke (seconds), quick (minutes on a CPU) or paper (as published).",
    ),
]
Synthetic = Annotated[bool, typer.Option("--synthetic", help="Use a synthetic dataset instead of real recordings.")]
SyntheticSize = Annotated[str, typer.Option(help="tiny, small, medium or full (the official counts).")]
SyntheticSeed = Annotated[int, typer.Option(help="Seed of the synthetic dataset.", min=0)]
Data = Annotated[
    list[Path] | None,
    typer.Option("--data", help="Folder with data sets; else $ASC_BENCH_DATA, else ./data."),
]


Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="A folder of your own recordings, for a protocol; needs --csv and --label."),
]
Csv = Annotated[str, typer.Option("--csv", help="Of --folder: the table with a row for each file.")]
Label = Annotated[str, typer.Option(help="Of --csv: the column of the class.")]
File = Annotated[str, typer.Option(help="Of --csv: the column of the file; found if not given.")]
Location = Annotated[
    str, typer.Option(help="Of --csv: the column of the recording location, kept together in folds and intervals.")
]
DeviceColumn = Annotated[str, typer.Option(help="Of --csv: the column of the recording device.")]
FoldColumn = Annotated[
    str, typer.Option(help="Of --csv: the column of folds, or of train, validation and test; else five are made.")
]
Audio = Annotated[str, typer.Option(help="Of --folder: the folder in it where the names of files begin.")]
ClipDuration = Annotated[
    float | None, typer.Option(help="Of --folder: seconds of each file that are used; else those of the longest.")
]


def _use_cache(folder: Path | None) -> Path | None:
    """Let ``--cache`` stand for ``ASC_BENCH_CACHE`` in this process and its workers: systems find weights there."""
    if folder is not None:
        from asc_bench.data.store import CACHE_VARIABLE

        os.environ[CACHE_VARIABLE] = str(folder.absolute())
    return folder


Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        callback=_use_cache,
        help="Folder of features, synthetic data and weights; else $ASC_BENCH_CACHE.",
    ),
]
Sources = Annotated[
    str,
    typer.Option(help="For a protocol that joins data sets: which of its sources, separated by commas; else all."),
]
AllowMissingTraining = Annotated[
    float,
    typer.Option(
        help="Fraction of the training clips that may be missing, such as videos that were taken down; tables say "
        "so. Test clips are never left out."
    ),
]
UnofficialSplit = Annotated[
    bool,
    typer.Option(
        "--unofficial-split",
        help="Accept lists that are not the official ones; tables say so, results are kept apart.",
    ),
]
UnofficialFiles = Annotated[
    bool,
    typer.Option(
        "--unofficial-files",
        help="Accept audio files that are not as published; tables say so, results are kept apart.",
    ),
]
Results = Annotated[Path, typer.Option("--results", help="Folder for results.")]
Repeats = Annotated[int, typer.Option(help="Repeats of every run, each with a seed of its own.", min=1)]
Folds = Annotated[str, typer.Option(help="Folds, separated by commas; all if not given.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the table only.")]

Jobs = Annotated[int, typer.Option("--jobs", "-j", help="Runs side by side.", min=1)]
Backend = Annotated[str, typer.Option(help="loky (processes of this machine) or dask.")]
Scheduler = Annotated[str | None, typer.Option(help="Address of a dask scheduler, whose workers compute all runs.")]
Slurm = Annotated[
    Path | None,
    typer.Option("--slurm", help="Submit the runs to Slurm, with the options of this TOML file, and return."),
]
Collect = Annotated[
    bool, typer.Option("--collect", help="Compute nothing: tables of what is there, and what became of jobs.")
]
Threads = Annotated[int, typer.Option(help="Threads of each run; 0 shares the cores.", min=0)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, or cuda:* for a run on each GPU.")]
Precision = Annotated[
    str, typer.Option(help="float32 or bfloat16: train networks in it; auto finds out which is faster here.")
]
Only = Annotated[str, typer.Option(help="missing or failed: leave the other runs alone.")]
ProbabilityScores = Annotated[
    bool,
    typer.Option(
        "--probability-scores/--no-probability-scores",
        help="Log loss, Brier and calibration error in tables.",
    ),
]
Table = Annotated[
    str,
    typer.Option(help="Name of this set of systems and of its tables' folder; else the text of --systems."),
]
StrictCode = Annotated[
    bool, typer.Option("--strict-code", help="Compute again what other code computed, whatever it declares.")
]
Force = Annotated[bool, typer.Option("--force", help="Compute again what is stored.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")]
KeepWeights = Annotated[
    bool,
    typer.Option("--keep-weights", help="Keep the fitted systems; runs without are computed again."),
]

MeasureInference = Annotated[
    bool,
    typer.Option(
        "--measure-inference",
        help="Time predictions of single clips on one core at the end of each run that is computed now.",
    ),
]

Energy = Annotated[
    str,
    typer.Option(help="Electricity of runs that are computed now; the ISO code of your country, such as DEU."),
]
Log = Annotated[
    str,
    typer.Option(help="Log runs that are computed now: csv, tensorboard, wandb, separated by commas."),
]


AsPublished = Annotated[
    bool,
    typer.Option("--as-published", help="Choose on the test split where the papers did; every table says so."),
]
HoldOut = Annotated[
    bool, typer.Option("--hold-out", help="Let no system train on the validation clips, for equal terms.")
]

Augment = Annotated[
    str,
    typer.Option(
        help="Also train on deformed copies of each training clip: so many of 20, all, or names such as ts,bg-park."
    ),
]


def augmentation(text: str) -> Augmentation | None:
    """Which copies; None for an empty text.

    Raises
    ------
    ConfigError
        For a number or name that there is not.
    """
    from asc_bench.bench.augmentation import Augmentation

    return Augmentation.parse(text) if text else None


def selection(as_published: bool, hold_out: bool) -> Selection:
    """What may be chosen on which clips.

    Raises
    ------
    ConfigError
        If both are asked for.
    """
    from asc_bench.bench.bench import Selection
    from asc_bench.errors import ConfigError

    if as_published and hold_out:
        raise ConfigError("--as-published and --hold-out contradict each other; give one of them")
    if as_published:
        return Selection.TEST
    return Selection.HELD_OUT if hold_out else Selection.OWN


def split(text: str) -> list[str]:
    """Items of a comma-separated option."""
    return [item.strip() for item in text.split(",") if item.strip()]


def one_of(option: str, value: str, choices: Sequence[str]) -> None:
    """Check an option with few values.

    Raises
    ------
    ConfigError
        For any other value, with the near ones.
    """
    from asc_bench.errors import ConfigError
    from asc_bench.names import near

    if value not in choices:
        raise ConfigError(f"{option} is {value!r}{near(value, [c for c in choices if c])}")


def budget(name: str) -> Budget:
    """A budget by its name."""
    from asc_bench.budget import Budget

    one_of("--budget", name, [str(b) for b in Budget])
    return Budget(name)
