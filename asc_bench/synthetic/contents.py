"""What a stand-in consists of, before it is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asc_bench.data.computed import Job


@dataclass(frozen=True)
class StandIn:
    """Everything to be written for one layout.

    Attributes
    ----------
    jobs : tuple
        Functions that write some audio files into a folder; they can be pickled and run in any order.
    lists : tuple of (str, str)
        Relative path and text of every other file.
    counts : dict
        Clip counts for the marker.
    n_bytes : int
        About what the audio takes, rather more than less.
    """

    jobs: tuple[Job, ...]
    lists: tuple[tuple[str, str], ...]
    counts: dict[str, object]
    n_bytes: int


def delimited(rows: Iterable[Sequence[str]], delimiter: str) -> str:
    """Text of a list file."""
    return "".join(delimiter.join(row) + "\n" for row in rows)
