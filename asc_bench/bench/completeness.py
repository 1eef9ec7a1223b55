"""What a data set lacks, how to get it, and which missing clips a user may leave out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from asc_bench.data import tags
from asc_bench.data.manifest import Dataset, Split
from asc_bench.data.nearby import near_files
from asc_bench.data.store import how_to_get
from asc_bench.errors import ConfigError, DataError, IncompleteDataError
from asc_bench.protocol import Fold
from asc_bench.registry import layouts

OPTION = "--allow-missing-training"


def faults(dataset: Dataset) -> tuple[str, ...]:
    """Why no score may come from a data set, with the near things that are there; empty when it is complete."""
    if dataset.complete:
        return ()
    found = list(dataset.shortfalls)
    if dataset.missing:
        found.append(f"{len(dataset.missing)} audio files are missing, such as {dataset.missing[0]}")
        for part in dataset.parts or (dataset,):
            absent = part.clips.loc[part.clips["clip_id"].isin(part.missing), "path"].unique()
            found += near_files([Path(path) for path in absent], part.root)
    for part in dataset.parts or (dataset,):
        found += [f"another folder of {part.name} was not looked into: {place}" for place in part.elsewhere]
    return tuple(found)


def incomplete(name: str, dataset: Dataset, *more: str) -> IncompleteDataError:
    """The error that refuses an incomplete data set.

    Parameters
    ----------
    name : str
        Protocol, or data set.
    dataset : Dataset
        Incomplete.
    more : str
        Further lines.
    """
    lines = [f"{name}: incomplete, so nothing is run and no score is given:"]
    lines += [f"  {fault}" for fault in faults(dataset)]
    lines += [
        f"To repair the data set: {advice(part)}" for part in dataset.parts or (dataset,) if not part.complete
    ]
    return IncompleteDataError("\n".join([*lines, *more]))


def advice(dataset: Dataset) -> str:
    """How an incomplete data set is completed."""
    if dataset.synthetic:
        return f"{dataset.root} is a synthetic dataset: remove the folder and write it again, as --synthetic does"
    if not dataset.official:
        return "put the missing files there, or leave their rows out of the table"
    layout = layouts().found.get(dataset.name)
    if layout is None:
        return f"get the missing files where {dataset.root} came from"
    if layout.derived_from:
        return f"asc-bench computed it: remove the folder {dataset.root}, and it is computed again"
    return how_to_get(layout, dataset.root.parent)


def check_allowance(fraction: float) -> None:
    """Refuse a fraction of training clips that may be missing that is none.

    Raises
    ------
    ConfigError
        If it is below 0, or 1 or more.
    """
    if not 0 <= fraction < 1:
        raise ConfigError(
            f"{OPTION} is {fraction:g}: give the fraction of training clips that may be missing, below 1"
        )


def missing_training(dataset: Dataset, folds: Sequence[Fold]) -> tuple[int, int] | None:
    """How many training and validation clips are missing, and of how many; None if anything else is missing too."""
    missing = set(dataset.missing)
    trained = _trained(folds)
    if dataset.shortfalls or not missing & trained or any(missing & set(fold.test) for fold in folds):
        return None
    return len(missing & trained), len(trained)


def without_missing(
    name: str, dataset: Dataset, clips: pd.DataFrame, folds: Sequence[Fold], *, limit: float
) -> tuple[Dataset, pd.DataFrame, tuple[Fold, ...]]:
    """Leave missing training and validation clips out, which makes another data set of it.

    Folds are those of the complete lists without the missing clips, so a clip that is there stands on the same side
    whatever else is missing. A test clip is never left out.

    Parameters
    ----------
    name : str
        Protocol, for messages.
    dataset : Dataset
        Lacks audio files.
    clips : DataFrame
        Clip table of the protocol.
    folds : sequence of Fold
        Of the complete lists.
    limit : float
        Fraction of the training and validation clips that may be missing.

    Raises
    ------
    IncompleteDataError
        If test clips are missing, more clips than allowed, or all training clips of a class or all validation clips
        of a fold.
    """
    missing = set(dataset.missing)
    n_tested = len(missing & {clip for fold in folds for clip in fold.test})
    if n_tested:
        raise incomplete(name, dataset, f"{n_tested} test clips are missing; {OPTION} never leaves out test clips")
    trained = _trained(folds)
    n_missing = len(missing & trained)
    if n_missing > limit * len(trained):
        raise incomplete(
            name,
            dataset,
            f"{n_missing} of {len(trained)} training clips are missing ({n_missing / len(trained):.2%}), "
            f"more than {OPTION} {limit:g} allows",
        )
    kept = tuple(_kept(fold, missing) for fold in folds)
    scene = dict(zip(clips["clip_id"], clips["scene"], strict=True))
    for before, after in zip(folds, kept, strict=True):
        lost = sorted(_labels(scene[c] for c in before.train) - _labels(scene[c] for c in after.train))
        if lost or (before.validation and not after.validation):
            what = f"training clips of {lost[0]}" if lost else "validation clips"
            raise incomplete(name, dataset, f"all {what} in {before.name} are missing")
    present = ~dataset.clips["clip_id"].isin(missing)
    partial = replace(
        dataset,
        clips=dataset.clips[present].reset_index(drop=True),
        splits=tuple(
            Split(
                split.name,
                train=tuple(c for c in split.train if c not in missing),
                test=tuple(c for c in split.test if c not in missing),
            )
            for split in dataset.splits
        ),
        missing=(),
        missing_training=(n_missing, len(trained)),
        caveats=(
            *dataset.caveats,
            f"{n_missing} of {len(trained)} training clips are missing and were left out ({OPTION}); all test "
            "clips are there. Results on the complete data set would be others.",
        ),
    )
    return partial, clips[~clips["clip_id"].isin(missing)].reset_index(drop=True), kept


def suggestion(dataset: Dataset, folds: Sequence[Fold]) -> tuple[str, ...]:
    """A line on leaving missing clips out, where that is possible; else none."""
    found = missing_training(dataset, folds)
    if found is None:
        return ()
    n_missing, n_trained = found
    limit = min(0.999, math.ceil(1000 * n_missing / n_trained) / 1000)
    line = (
        f"No test clip is missing, but {n_missing} of {n_trained} training clips are: {OPTION} {limit:g} leaves "
        "them out, and every table says so."
    )
    return (line,)


def first_of_all(name: str, dataset: Dataset, error: DataError) -> DataError:
    """The error to raise where a protocol refuses a data set: that it is incomplete, if that may be the cause."""
    return error if dataset.complete else incomplete(name, dataset, f"Made of what is there: {error}")


def _trained(folds: Iterable[Fold]) -> set[str]:
    return {clip for fold in folds for clip in (*fold.train, *fold.validation)}


def _kept(fold: Fold, missing: set[str]) -> Fold:
    train, validation = (tuple(c for c in ids if c not in missing) for ids in (fold.train, fold.validation))
    return replace(fold, train=train, validation=validation)


def _labels(scenes: Iterable[str]) -> set[str]:
    return {label for scene in scenes for label in tags.separated(scene)}
