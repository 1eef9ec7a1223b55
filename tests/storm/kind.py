"""A kind of fault, what its survival means, and how many of a kind were survived."""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tabulate import tabulate

from tests.storm.place import Ground, Place


class Lost(AssertionError):  # noqa: N818 - the word of the table
    """A fault was not survived; the message says what was seen."""


def require(condition: object, seen: str) -> None:
    """Raise Lost, saying what was seen instead, unless the condition holds."""
    if not condition:
        raise Lost(seen)


@dataclass(frozen=True)
class Kind:
    """Faults that are alike.

    Attributes
    ----------
    title : str
        What is done to the harness.
    promise : str
        What must hold afterwards for a fault to be survived.
    trials : sequence of callable
        Each applies faults in a place of its own, counts them there and raises Lost for one that was not survived.
    beside : bool
        Whether trials may run while others do; those inside this process may not.
    """

    title: str
    promise: str
    trials: Sequence[Callable[[Place], None]]
    beside: bool = True


@dataclass
class Count:
    """Faults of one kind that were applied, and what was seen of each that was not survived."""

    title: str
    n_tried: int = 0
    losses: list[str] = field(default_factory=list)


def carry_out(kinds: Sequence[Kind], ground: Ground, seed: int, n_beside: int) -> list[Count]:
    """Apply every fault; the places of those that were lost stay, for whoever looks into it."""
    counts = [Count(kind.title) for kind in kinds]
    jobs = [
        (kind, count, trial, ground.place(f"{number:02d}-{i:03d}", random.Random(f"{seed} {kind.title} {i}")))
        for number, (kind, count) in enumerate(zip(kinds, counts, strict=True))
        for i, trial in enumerate(kind.trials)
    ]
    for n, chosen in (
        (1, [job for job in jobs if not job[0].beside]),
        (n_beside, [j for j in jobs if j[0].beside]),
    ):
        with ThreadPoolExecutor(n) as pool:
            for (_, count, _, place), loss in zip(chosen, pool.map(_tried, chosen), strict=True):
                count.n_tried += max(place.n_faults, bool(loss))
                if loss:
                    count.losses.append(loss)
                    print(f"lost: {loss}\n", file=sys.stderr, flush=True)
    return counts


def _tried(job: tuple[Kind, Count, Callable[[Place], None], Place]) -> str:
    kind, _, trial, place = job
    try:
        trial(place)
    except Lost as loss:
        return f"{kind.title}: {loss} (in {place.folder})"
    except Exception as error:  # noqa: BLE001 - whatever else is raised is a fault that was not survived, too
        where = "".join(traceback.format_tb(error.__traceback__)[-2:])
        return f"{kind.title}: {type(error).__name__}: {error} (in {place.folder})\n{where}"
    place.clear()
    return ""


def table(counts: Sequence[Count]) -> str:
    """Counts by kind and in all, as Markdown."""
    rows = [(c.title, c.n_tried, c.n_tried - len(c.losses), len(c.losses)) for c in counts]
    total = ("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))
    return tabulate([*rows, total], headers=("fault", "tried", "survived", "lost"), tablefmt="github")


def untimed(text: str) -> str:
    """A printed table without the last column, the training time: that of an undisturbed run is another."""
    lines = (line.rpartition(" ")[0].rstrip() if line.startswith("toy") else line for line in text.splitlines())
    return "\n".join(lines).rstrip()


def leftovers(*folders: Path) -> list[Path]:
    """Unfinished files and folders, and results without a manifest.

    A file beside a table or an index is not counted: nothing reads it, and who writes that file an hour later
    removes it.
    """
    found = [path for folder in folders for path in (folder / "runs").rglob("*.tmp")]
    found += [path for folder in folders for path in (folder / "scratch").glob("*")]
    found += [path for folder in folders for path in (folder / "features").glob("*.partial")]
    for folder in folders:
        found += [p for p in (folder / "runs").glob("*/*/*/*") if not (p / "manifest.json").exists()]
    return found
