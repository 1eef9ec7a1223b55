"""Lists of folds held against the official ones: digests where they are known, and no place on two sides."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import pandas as pd

from asc_bench.data.manifest import Dataset, Split
from asc_bench.errors import DataError

PARTS = ("train", "test")

PartDigests = Mapping[tuple[str, str], str]
"""sha256 by fold and part; a part whose official list is not known is absent."""

UNOFFICIAL = "Unofficial split: "
N_SHOWN = 3


@dataclass(frozen=True)
class Comparison:
    """What became of holding the lists against the official ones.

    Attributes
    ----------
    faults : tuple of str
        Why they are not the official ones, one sentence each; empty if nothing speaks against them.
    summary : str
        What is known, for ``asc-bench prepare``.
    """

    faults: tuple[str, ...]
    summary: str


def part_digest(labelled: Iterable[tuple[str, str]]) -> str:
    """sha256 of one part of a fold: whatever the order of its rows, their line ends, or a byte order mark.

    Parameters
    ----------
    labelled : iterable of (str, str)
        File name without its folders, and label, of each clip; several labels as ``asc_bench.data.tags`` joins
        them.

    Returns
    -------
    str
        Of the lines ``name<TAB>label<LF>``, sorted, in UTF-8.
    """
    lines = sorted(f"{name}\t{label}\n" for name, label in labelled)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def digests_of(clips: pd.DataFrame, splits: Sequence[Split]) -> dict[tuple[str, str], str]:
    """Digest of every part of every fold of a clip table."""
    names = [path.rpartition("/")[2] for path in clips["path"].tolist()]
    labels = clips["scene"].tolist()
    labelled = dict(zip(clips["clip_id"].tolist(), zip(names, labels, strict=True), strict=True))
    parts = {(split.name, part): getattr(split, part) for split in splits for part in PARTS}
    digests = {
        ids: part_digest(map(labelled.__getitem__, ids)) for ids in set(parts.values())
    }  # folds may share one
    return {name: digests[ids] for name, ids in parts.items()}


@cache
def known_digests(layout: str) -> PartDigests:
    """Digests of the official lists of a layout, as far as they are known; empty if none is."""
    with (files("asc_bench.data.resources") / "split_digests.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["layout"] == layout]
    return {(row["fold"], row["part"]): row["sha256"] for row in rows}


def crossing(clips: pd.DataFrame, train: Collection[str], test: Collection[str]) -> list[str]:
    """Locations that have clips on both sides, sorted."""
    return _crossing(dict(zip(clips["clip_id"].tolist(), clips["location"].tolist(), strict=True)), train, test)


def _crossing(place_of: Mapping[str, str], train: Collection[str], test: Collection[str]) -> list[str]:
    first, second = ({place_of[clip] for clip in ids if clip in place_of} for ids in (train, test))
    return sorted(first & second)


def compare_lists(
    clips: pd.DataFrame,
    splits: Sequence[Split],
    digests: PartDigests,
    *,
    origin: str = "the official ones",
    unit: str = "location",
    independent: bool = True,
    shared: Collection[str] = (),
    moved: Sequence[str] = (),
    counted: bool = True,
) -> Comparison:
    """Hold folds against what is known of the official ones.

    Parameters
    ----------
    clips : DataFrame
        Clip table.
    splits : sequence of Split
        Folds as they were read.
    digests : mapping
        Of the official parts, those that are known.
    origin : str
        Whose lists these are, for the messages.
    unit : str
        What ``location`` is in this data set, for the messages.
    independent : bool
        Whether no location is on both sides of an official fold; if that is not known, it is only said where one
        is.
    shared : collection of str
        Locations that are on both sides in the official folds.
    moved : sequence of str
        Clip ids of which the layout itself knows that they belong to another part.
    counted : bool
        Whether all counts are the official ones; if not, digests differ anyway and are not compared.
    """
    if not splits:
        return Comparison((), "no folds")
    faults: list[str] = []
    notes: list[str] = []
    if moved:
        faults.append(
            f"{len(moved)} of {len(clips)} clips are in another part than in {origin}, such as {moved[0]}"
        )
    place_of = dict(zip(clips["clip_id"].tolist(), clips["location"].tolist(), strict=True))
    for split in splits:
        both = [place for place in _crossing(place_of, split.train, split.test) if place not in shared]
        if both:
            sentence = f"{split.name}: {_counted(len(both), unit)} in train and in test, such as {_some(both)}"
            (faults if independent else notes).append(sentence)
    found = digests_of(clips, splits)
    known = [part for part in digests if part in found]
    other = [" ".join(part) for part in known if found[part] != digests[part]] if counted and not moved else []
    if other:
        faults.append(f"{', '.join(other)}: other clips or labels than in {origin}, by their sha256")
    if faults:
        return Comparison(tuple(faults), f"not {origin}")
    told = f"sha256 of {_counted(len(known), 'part')} as in {origin}" if known else "list digest unknown"
    if known and not counted:
        told = "digests not compared, as counts differ"
    apart = _counted(len(shared), unit) + " on two sides, as published" if shared else f"no {unit} on two sides"
    return Comparison((), "; ".join([told, *([apart] if independent else notes)]))


def hold_lists(dataset: Dataset, *, unofficial: bool) -> Dataset:
    """Refuse folds that are not the official ones, or let every table say so.

    Parameters
    ----------
    dataset : Dataset
        As its layout read it.
    unofficial : bool
        Accept other folds than the official ones. Counts of folds are no shortfalls then.

    Returns
    -------
    Dataset
        The same, or marked with ``unofficial_split`` and a caveat for each fault.

    Raises
    ------
    DataError
        With what differs, if it is not accepted. Wrong counts alone are left to the completeness of the data set.
    """
    faults = dataset.split_faults
    if unofficial and faults:
        return replace(
            dataset,
            unofficial_split=True,
            shortfalls=tuple(s for s in dataset.shortfalls if s not in faults),
            caveats=(*dataset.caveats, f"{UNOFFICIAL}{'; '.join(faults)}."),
        )
    wrong = [fault for fault in faults if fault not in dataset.shortfalls]
    if not wrong:
        return dataset
    lines = [f"{dataset.name}: the lists in {dataset.root} are not {_whose(dataset)}:"]
    lines += [f"  {fault}" for fault in wrong]
    lines.append(
        "Restore the lists of the official archive, or add --unofficial-split (`unofficial_split=True`) to go on "
        "with these: every table says so then, and results are kept apart"
    )
    raise DataError("\n".join(lines))


def _whose(dataset: Dataset) -> str:
    return "those that the synthetic dataset was written with" if dataset.synthetic else "the official ones"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:N_SHOWN])
