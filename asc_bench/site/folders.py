"""Folders of results as a site takes them: what each is called, what its runs are, and whether they verify."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asc_bench.errors import ConfigError, StoreError
from asc_bench.names import count
from asc_bench.reporting.text import one_line
from asc_bench.runs.store import StoredRun
from asc_bench.verification import Evaluate, Finding, verify_runs, verify_tables

MOST_FAULTS = 3
"""Faults of one folder that a message lists."""


@dataclass(frozen=True)
class ResultsFolder:
    """One folder of results.

    Attributes
    ----------
    label : str
        What it is called on the site: the name of the folder.
    runs : tuple of StoredRun
        Those that are as they were stored, oldest first.
    findings : tuple of Finding
        Of all its runs and tables.
    left_out : tuple of str
        Why some of its runs are on no page, as `asc_bench.site.boards.boards` says.
    """

    label: str
    runs: tuple[StoredRun, ...]
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...] = ()

    @property
    def faults(self) -> list[str]:
        """What does not verify, a sentence each."""
        wrong = [f"{f.what} {f.place}: {f.text}" for f in self.findings if f.state == "wrong"]
        return [one_line(text) for text in (*wrong, *self.left_out)]

    @property
    def state(self) -> str:
        """Counts of what was verified, and what was not."""
        parts = []
        for what in ("run", "table"):
            states = Counter(f.state for f in self.findings if f.what == what)
            if total := sum(states.values()):
                parts.append(f"{states['verified']:,} of {count(total, what)}")
        remarks = [f"{f.place}: {f.text}" for f in self.findings if f.state == "not verified"]
        counted = f"{' and '.join(parts)} verified"
        if self.faults:
            counted = f"not verified: {listed(self.faults)} ({counted})"
        return one_line(f"{counted}; {listed(remarks)}" if remarks else counted)


def read_folders(paths: Sequence[Path], *, evaluate: Evaluate) -> list[ResultsFolder]:
    """Read and verify folders of results; nothing in them is changed.

    Parameters
    ----------
    paths : sequence of Path
        Each holds ``runs/``, and ``tables/`` where there are any.
    evaluate : callable
        Computes the numbers that tables are compared with.

    Raises
    ------
    ConfigError
        If none is named, one is no folder, or one is named twice.
    StoreError
        If no run is stored in one.
    """
    if not paths:
        raise ConfigError("name at least one folder of results")
    found = []
    for path, label in labels(paths).items():
        checked = list(verify_runs(path))
        runs = [run for _, run in checked if run is not None]
        findings = [finding for finding, _ in checked]
        findings += verify_tables(path, runs, evaluate=evaluate)
        in_order = sorted(runs, key=lambda run: str(run.manifest["finished"]))
        found.append(ResultsFolder(label, tuple(in_order), tuple(findings)))
    return found


def labels(paths: Sequence[Path]) -> Mapping[Path, str]:
    """What each folder is called: its name, with that of the folder above where two have the same.

    Raises
    ------
    ConfigError
        If one is no folder, or two cannot be told apart.
    """
    for path in paths:
        if not path.exists():
            raise ConfigError(f"there is no folder {path}; name folders that hold runs/, such as results")
        if not path.is_dir():
            raise ConfigError(f"{path} is a file; name the folder of results that it lies in")
    whole = [path.resolve() for path in paths]
    for path in whole:
        if whole.count(path) > 1:
            raise ConfigError(f"{path} is named twice")
    names = [path.name for path in whole]
    chosen = [
        name if names.count(name) == 1 else f"{path.parent.name}/{name}"
        for path, name in zip(whole, names, strict=True)
    ]
    for label in chosen:
        if chosen.count(label) > 1:
            raise ConfigError(f"two folders of results are called {label}; rename one of them")
    return dict(zip(paths, map(one_line, chosen), strict=True))


def refuse_faults(folders: Sequence[ResultsFolder]) -> None:
    """Raise StoreError for a folder that does not verify, with its first faults and what to do."""
    for folder in folders:
        if folder.faults:
            raise StoreError(
                f"{folder.label} does not verify: {listed(folder.faults)}. Ask whoever made it for a whole copy, "
                "or let the site say so beside its rows (--allow-unverified)"
            )


def listed(sentences: Sequence[str]) -> str:
    """The first few sentences, and how many more there are."""
    more = len(sentences) - MOST_FAULTS
    return "; ".join([*sentences[:MOST_FAULTS], *([f"and {more} more"] if more > 0 else [])])
