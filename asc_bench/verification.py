"""Whether stored tables say what the stored predictions say, and whether these are what was stored."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from asc_bench.errors import AscBenchError, StoreError
from asc_bench.joint_protocol import JointProtocol
from asc_bench.joint_results import of_set
from asc_bench.protocol import Protocol
from asc_bench.registry import protocol_set, protocols
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.report import text_files
from asc_bench.reporting.report_runs import TEXT, evaluate
from asc_bench.results import TABLE
from asc_bench.runs.store import MANIFEST, DamagedRunError, StoredRun, read_run
from asc_bench.stored_protocol import DEFINITION, StoredProtocol

RELATIVE_TOLERANCE = 1e-9
"""Between numbers of a CSV file: another version of numpy may sum in another order."""

NO_NUMBERS = ("runs.csv", "references.bib")
"""Facts of the manifests, whose digests are compared, and of the systems that are installed."""

LATER = ("pareto", "worst-confusions")
"""Tables that reports of earlier versions do not have."""

State = Literal["verified", "wrong", "not verified"]
Evaluate = Callable[..., Evaluation]
"""As `asc_bench.reporting.report_runs.evaluate`."""

_NEEDED = ("key", "status", "protocol", "protocol_version", "system", "variant", "fold", "repeat", "finished")
"""Entries that the manifest of every run has."""


@dataclass(frozen=True)
class Finding:
    """What was found of one run or table.

    Attributes
    ----------
    state : {"verified", "wrong", "not verified"}
    what : {"run", "table"}
    place : str
        Its folder, below that of the results.
    text : str
        What is wrong, or why it could not be verified; empty if it is right.
    """

    state: State
    what: Literal["run", "table"]
    place: str
    text: str = ""


def verify(results: Path | str) -> Iterator[Finding]:
    """Recompute every table of a results folder from its predictions, after comparing the digests of all runs.

    Tables are the CSV, Markdown, LaTeX and text files; figures and web pages, which show the same numbers, are not
    looked at. Nothing is written and nothing is put aside. What the recordings held, and whether the predictions
    come from the systems that they are named after, is not looked at: that needs recordings and another training.

    Parameters
    ----------
    results : path
        Folder of results.

    Yields
    ------
    Finding
        Of each run, then of each table.

    Raises
    ------
    StoreError
        If there is no run in the folder.

    Examples
    --------
    >>> from asc_bench.verification import verify
    >>> results = "results/reference"
    >>> {found.state for found in verify(results)}  # doctest: +SKIP
    {'verified'}
    """
    root = Path(results)
    sound: list[StoredRun] = []
    for finding, run in verify_runs(root):
        yield finding
        sound += [] if run is None else [run]
    yield from verify_tables(root, sound)


def verify_runs(root: Path) -> Iterator[tuple[Finding, StoredRun | None]]:
    """What is found of each run, and the run where it is right; raises as `verify`."""
    folders = sorted(path.parent for path in (root / "runs").glob(f"*/*/*/*/{MANIFEST}"))
    if not folders:
        raise StoreError(f"{root}: no run is stored there; name the folder that holds runs/ and tables/")
    for folder in folders:
        place = folder.relative_to(root).as_posix()
        try:
            run = read_run(folder, whole=True)
        except (DamagedRunError, StoreError) as error:
            yield Finding("wrong", "run", place, str(error)), None
            continue
        lacking = [name for name in _NEEDED if name not in run.manifest]
        if lacking:
            yield Finding("wrong", "run", place, f"its manifest has no {lacking[0]!r}"), None
        else:
            yield Finding("verified", "run", place), run


def verify_tables(root: Path, runs: Sequence[StoredRun], *, evaluate: Evaluate = evaluate) -> Iterator[Finding]:
    """What is found of each table of a folder.

    Parameters
    ----------
    root : Path
        Folder of results.
    runs : sequence of StoredRun
        Those of the folder that were found right.
    evaluate : callable
        What computes the numbers, for a caller that needs them again.
    """
    sound = {str(run.manifest["key"]): run for run in runs}
    for path in sorted((root / "tables").rglob(TABLE)):
        yield _of_table(path.parent, path.parent.relative_to(root).as_posix(), sound, evaluate)


def _of_table(folder: Path, place: str, sound: Mapping[str, StoredRun], evaluate: Evaluate) -> Finding:
    try:
        made_of = json.loads((folder / TABLE).read_bytes())
        shown = pd.read_csv(folder / "results.csv", dtype={"runs": str})
        keys = list(dict.fromkeys(key for text in shown["runs"].dropna() for key in text.split()))
        without_runs = shown[shown["runs"].isna()]
        skipped = {str(name) for name in without_runs["system"]}
        scored = without_runs.loc[without_runs["value"].notna(), "system"]
        settings = {"folds": tuple(made_of["folds"]), "reference": made_of["reference"]}
        with_probabilities = bool(made_of["probability_scores"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Finding("wrong", "table", place, f"it cannot be read: {type(error).__name__}: {error}")
    if len(scored):
        return Finding(
            "wrong", "table", place, f"results.csv: a score of {scored.iloc[0]} stands there, and no run"
        )
    missing = [key for key in keys if key not in sound]
    if missing or not keys:
        which = (
            f"run {missing[0][:12]}, one of {len(missing)}, is not there or damaged" if missing else "it has no run"
        )
        return Finding("wrong" if missing else "not verified", "table", place, which)
    # In the order of the table's systems, of which a fusion, say, is finished last wherever it is named.
    order = {name: place for place, name in enumerate(made_of.get("systems", ()))}
    runs = sorted((sound[key] for key in keys), key=lambda run: _place(run, order))
    try:
        protocol, runs = protocol_of_runs(runs)
        evaluation = evaluate(protocol, runs, probability_scores=with_probabilities, **settings)
        files = {**text_files(evaluation), TEXT: evaluation.text()}
    except AscBenchError as error:
        return Finding("not verified", "table", place, str(error))
    for name, text in files.items():
        # Systems that did not fit are rows of the printed tables, and nothing is stored of them.
        if name in NO_NUMBERS or not text or (skipped and not name.endswith(".csv")):
            continue
        if name.partition(".")[0] in LATER and not (folder / name).exists():
            continue
        try:
            stored = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            return Finding("wrong", "table", place, f"{name} cannot be read: {error}")
        fault = _other_numbers(stored, text, skipped) if name.endswith(".csv") else _other_rows(stored, text)
        if fault:
            return Finding("wrong", "table", place, f"{name}: {fault}")
    if skipped:
        listed = ", ".join(sorted(skipped))
        return Finding(
            "not verified", "table", place, f"its CSV files are right; printed tables also show {listed}, skipped"
        )
    return Finding("verified", "table", place)


def _place(run: StoredRun, order: Mapping[str, int]) -> tuple[int, str]:
    return order.get(str(run.manifest["variant"]), len(order)), str(run.manifest["finished"])


def protocol_of_runs(runs: Sequence[StoredRun]) -> tuple[Protocol, list[StoredRun]]:
    """What they were scored under; runs of several protocols as those of the set that a joint table is made of.

    Raises
    ------
    ConfigError
        For a protocol that is not known here, with the near names.
    StoreError
        If they were made under another version of it, or belong to several protocols that are no set.
    """
    by_name = {str(run.manifest["protocol"]): run.manifest for run in runs}
    members = [_member(manifest) for manifest in by_name.values()]
    for run in runs:
        stored, known = int(run.manifest["protocol_version"]), _of(run, members).version
        if stored != known:
            name = run.manifest["protocol"]
            raise StoreError(f"made under version {stored} of protocol {name}; this asc-bench has version {known}")
    if len(members) == 1:
        return members[0], list(runs)
    of_sets = {member.mean_of for member in members}
    if len(of_sets) > 1 or not members[0].mean_of:
        raise StoreError(f"made of several protocols that belong to no set: {', '.join(by_name)}")
    members = [cls() for cls in protocol_set(members[0].mean_of)]
    joint = JointProtocol(members[0].mean_of, members)
    return joint, [of_set(run, _of(run, members), joint) for run in runs]


def _member(manifest: Mapping[str, Any]) -> Protocol:
    if DEFINITION in manifest:
        return StoredProtocol(manifest[DEFINITION])
    return protocols().get(str(manifest["protocol"]))()


def _of(run: StoredRun, members: Sequence[Protocol]) -> Protocol:
    return next(member for member in members if member.name == run.manifest["protocol"])


def _other_numbers(stored: str, computed: str, skipped: set[str]) -> str:
    try:
        there, here = (
            pd.read_csv(io.StringIO(text)) if text.strip() else pd.DataFrame() for text in (stored, computed)
        )
    except ValueError as error:
        return f"{type(error).__name__}: {error}"
    if "system" in there:
        there = there[~there["system"].astype(str).isin(skipped)].reset_index(drop=True)
    if list(there.columns) != list(here.columns) or len(there) != len(here):
        return f"{len(there)} rows of {len(there.columns)} columns, not {len(here)} of {len(here.columns)}"
    for column in here.columns:
        for row, (stands, follows) in enumerate(zip(there[column], here[column], strict=True)):
            if not _equal(stands, follows):
                where = f"line {row + 2}, column {column!r}"
                return f"{where}: {stands} stands there, {follows} follows from the predictions"
    return ""


def _equal(a: object, b: object) -> bool:
    if isinstance(a, (int, float, np.number)) and isinstance(b, (int, float, np.number)):
        return bool(np.isclose(float(a), float(b), rtol=RELATIVE_TOLERANCE, atol=1e-12, equal_nan=True))
    return str(a) == str(b)


def _other_rows(stored: str, computed: str) -> str:
    """Rows of numbers in Markdown, LaTeX or plain text; captions and notes are words."""
    there, here = _rows(stored), _rows(computed)
    foreign = [row for row in there if row not in here]
    if foreign:
        return f"this row does not follow from the predictions: {foreign[0]}"
    lost = [row for row in here if row not in there]
    if lost:
        return f"this row is missing: {lost[0]}"
    return "" if there == here else "its rows stand in another order, or one stands there twice"


def _rows(text: str) -> list[str]:
    cells = ([" ".join(c.split()) for c in _cells(line)] for line in text.splitlines() if _cells(line))
    return [" | ".join(row) for row in cells if not set("".join(row)) <= set("-: ")]


def _cells(line: str) -> list[str]:
    if line.startswith("|"):
        return line.strip().strip("|").split("|")
    cells = line.split("&") if " & " in line else re.split(" {2,}", line.strip())
    return cells if len(cells) > 1 else []
